/* The tree that adds the gradients of shards. Sums are texts here: a shard writes its number, to merge is to write both
 * between brackets, so that the update finds the tree spelled out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "runtime/data/value.h"
#include "runtime/train/step.h"

enum { SLOT = 256, SLOTS = 8, MOST = 40 };

typedef struct State {
    int64_t shards;                      /* run so far */
    int64_t seeds[MOST], steps[MOST];    /* ambient numbers of each */
} State;

typedef struct Work {
    int64_t seed, step;
    char    tree[SLOT];
} Work;

static void write_number(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                         RtFault *fault)
{
    (void)args, (void)begin, (void)end, (void)scratch, (void)fault;
    State *state = (State *)block[BLOCK_state];
    const Work *work = (const Work *)block[BLOCK_work];
    state->seeds[state->shards] = work->seed;
    state->steps[state->shards] = work->step;
    snprintf(block[BLOCK_sum], SLOT, "%d", (int)state->shards++);
}

static void write_pair(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                       RtFault *fault)
{
    (void)args, (void)begin, (void)end, (void)scratch, (void)fault;
    char text[2 * SLOT + 8], *here = block[BLOCK_sum];
    snprintf(text, sizeof text, "(%s %s)", here, here + SLOT);
    assert_true(strlen(text) < SLOT);
    strcpy(here, text);
}

static void keep_tree(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch,
                      RtFault *fault)
{
    (void)args, (void)begin, (void)end, (void)scratch, (void)fault;
    strcpy(((Work *)block[BLOCK_work])->tree, block[BLOCK_sum]);
}

#define WORK(field) RT_PLACE(BLOCK_work, offsetof(Work, field))
static const RtValue ambient[] = {{.name = "seed", .dtype = RT_i64, .place = WORK(seed), .bytes = 8},
                                  {.name = "step", .dtype = RT_i64, .place = WORK(step), .bytes = 8}};
static const char *const names[] = {""};

#define PROGRAM(kernel)                                                                                                \
    (Program)                                                                                                          \
    {                                                                                                                  \
        .entry = #kernel, .step_count = 1, .steps = &(RtStep){.run = kernel, .extent = 1, .tile = 1},                  \
        .inputs = ambient, .input_count = 2, .places = names, .place_count = 1, .names = names, .name_count = 1        \
    }

/* Makes step `made` of so many shards; fills state and work. */
static void make_step(int64_t shards, int64_t made, State *state, Work *work)
{
    static char sums[SLOT * SLOTS];
    Program leaf = PROGRAM(write_number), merge = PROGRAM(write_pair), update = PROGRAM(keep_tree);
    RtRun train = {.program = &leaf};
    RtStage stage = {.name = "", .train = {&train, 1}, .shards = shards, .merge = {.program = &merge},
                     .update = {.program = &update}, .slot_bytes = SLOT};
    Recipe recipe = {.pool = rt_pool_new(1, 0), .stages = &stage, .stage_count = 1};
    Blocks blocks = {.train = {[BLOCK_state] = (char *)state, [BLOCK_work] = (char *)work, [BLOCK_sum] = sums}};
    RtError error;
    memset(state, 0, sizeof *state);
    memset(work, 0, sizeof *work);
    assert_int_equal(step_make(&recipe, &stage, &blocks, &(History){0}, 7, made, &error), 0);
    assert_int_equal(state->shards, shards);
    rt_pool_free(recipe.pool);
}

static void shards_are_added_in_a_tree(void **unused)
{
    (void)unused;
    static const struct { int shards, slots; const char *tree; } cases[] = {
        {2, 2, "(0 1)"},
        {3, 2, "((0 1) 2)"},
        {4, 3, "((0 1) (2 3))"},
        {5, 3, "(((0 1) (2 3)) 4)"},
        {7, 3, "(((0 1) (2 3)) ((4 5) 6))"},
        {8, 4, "(((0 1) (2 3)) ((4 5) (6 7)))"},
        {11, 4, "((((0 1) (2 3)) ((4 5) (6 7))) ((8 9) 10))"},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        State state;
        Work work;
        make_step(cases[k].shards, 0, &state, &work);
        assert_string_equal(work.tree, cases[k].tree);
        assert_int_equal(step_slots(cases[k].shards), cases[k].slots);
    }
}

/* Every shard is the same step to the program; only what it draws is its own. */
static void shards_draw_different_numbers(void **unused)
{
    (void)unused;
    State state;
    Work work;
    make_step(16, 5, &state, &work);
    assert_int_equal(state.seeds[0], 7);
    for (int a = 0; a < 16; a++) {
        assert_int_equal(state.steps[a], 5);
        for (int b = 0; b < a; b++) assert_true(state.seeds[a] != state.seeds[b]);
    }
    assert_int_equal(work.seed, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shards_are_added_in_a_tree),
                                       cmocka_unit_test(shards_draw_different_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
