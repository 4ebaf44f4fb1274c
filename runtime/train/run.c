/* Filling inputs and reading results. */
#include "runtime/train/run.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/core/memory.h"
#include "runtime/data/value.h"

double value_element(char *const *block, const RtValue *value, int64_t index)
{
    return rt_element(rt_at(block, value->place), value->dtype, index);
}

static const RtFeed *find_feed(const RtRun *run, const RtValue *input)
{
    for (int i = 0; i < run->feed_count; i++) {
        if (run->feeds[i].input == input) return &run->feeds[i];
    }
    return NULL;
}

static void fill_ambient(const RtRun *run, char *const *block, uint64_t seed, int64_t step)
{
    for (int32_t i = 0; i < run->program->input_count; i++) {
        const RtValue *input = &run->program->inputs[i];
        bool is_seed = strcmp(input->name, "seed") == 0, is_step = strcmp(input->name, "step") == 0;
        if ((!is_seed && !is_step) || find_feed(run, input) || rt_block(input->place) != BLOCK_work) continue;
        int64_t number = is_seed ? (int64_t)seed : step;
        assert(input->dtype == RT_i64);
        memcpy(rt_at(block, input->place), &number, sizeof number);
    }
}

void run_fill_step(const RtRun *run, char *const *block, uint64_t seed, int64_t step)
{
    fill_ambient(run, block, seed, step);
    for (int i = 0; i < run->feed_count; i++) {
        const RtFeed *feed = &run->feeds[i];
        assert(feed->input->bytes == rt_stream_bytes(feed->stream));
        rt_stream_batch(feed->stream, seed, step, rt_at(block, feed->input->place));
    }
}

int64_t run_fill_pass(const RtRun *run, char *const *block, uint64_t seed, int64_t step, int64_t index)
{
    fill_ambient(run, block, seed, step);
    int64_t rows = 1;
    for (int i = 0; i < run->feed_count; i++) {
        const RtFeed *feed = &run->feeds[i];
        rows = rt_stream_pass_batch(feed->stream, index, rt_at(block, feed->input->place));
        assert(rows * feed->stream->row_bytes == feed->input->bytes);
    }
    return rows;
}

static void raise_to(int64_t *most, int64_t bytes)
{
    if (bytes > *most) *most = bytes;
}

/* The bytes up to the end of the last state that a program reads; what lies behind is the optimizer's and not
 * touched. */
static int64_t state_bytes(const Program *program)
{
    int64_t most = 0;
    for (int32_t i = 0; i < program->input_count; i++) {
        const RtValue *input = &program->inputs[i];
        if (rt_block(input->place) == BLOCK_state) raise_to(&most, rt_offset(input->place) + input->bytes);
    }
    return most;
}

static void add_evaluation(RtMemory *m, const Program *program)
{
    if (!program) return;
    raise_to(&m->evaluation, program->block_bytes[BLOCK_work]);
    raise_to(&m->states, state_bytes(program));
}

RtMemory rt_recipe_memory(const Recipe *r)
{
    RtMemory m = {.step = r->train.program ? r->train.program->block_bytes[BLOCK_work] : 0};
    for (int i = 0; i < r->evaluation_count; i++) {
        for (int k = 0; k < r->evaluations[i].term_count; k++) {
            add_evaluation(&m, r->evaluations[i].terms[k].full.program);
            add_evaluation(&m, r->evaluations[i].terms[k].rest.program);
        }
        add_evaluation(&m, r->evaluations[i].post);
    }
    return m;
}

bool blocks_new(const Recipe *r, Blocks *b, RtError *e)
{
    RtMemory m = rt_recipe_memory(r);
    *b = (Blocks){.work_bytes = m.step > m.evaluation ? m.step : m.evaluation, .state_bytes = m.states};
    char *work = rt_memory_new(b->work_bytes), *state = rt_memory_new(b->state_bytes);
    char *train[BLOCK_COUNT] = {
        [BLOCK_param] = r->param, [BLOCK_state] = r->state, [BLOCK_const] = r->constants, [BLOCK_work] = work};
    char *evaluate[BLOCK_COUNT] = {
        [BLOCK_param] = r->param, [BLOCK_state] = state, [BLOCK_const] = r->constants, [BLOCK_work] = work};
    memcpy(b->train, train, sizeof train);
    memcpy(b->evaluate, evaluate, sizeof evaluate);
    if (work && state) return true;
    int64_t bytes = b->work_bytes + b->state_bytes;
    blocks_free(b);
    return rt_fail(e, "the system has no %" PRId64 " bytes of memory left", bytes);
}

void blocks_free(Blocks *b)
{
    rt_memory_free(b->train[BLOCK_work], b->work_bytes);
    rt_memory_free(b->evaluate[BLOCK_state], b->state_bytes);
    *b = (Blocks){0};
}

void rt_fault_text(const Program *program, const RtFault *fault, RtError *e)
{
    const char *place =
        fault->place > 0 && fault->place < program->place_count ? program->places[fault->place] : program->entry;
    rt_fail(e, "%s: id %" PRId64 " is outside the table's %" PRId64 " rows", place, fault->value, fault->bound);
}
