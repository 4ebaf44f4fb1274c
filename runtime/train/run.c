/* Filling inputs, beginning states, reading results. */
#include "runtime/train/run.h"
#include "runtime/train/step.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/core/memory.h"
#include "runtime/data/value.h"

double value_element(char *const *block, const RtValue *value, int64_t index)
{
    return rt_element(rt_at(block, value->place), value->dtype, index);
}

const RtFeed *run_feed(const RtRun *run, const RtValue *input)
{
    for (int i = 0; i < run->feed_count; i++) {
        if (run->feeds[i].input == input) return &run->feeds[i];
    }
    return NULL;
}

const RtStream *runs_stream(const RtRuns *runs)
{
    for (int i = 0; i < runs->count; i++) {
        if (runs->run[i].program && runs->run[i].feed_count > 0) return runs->run[i].feeds[0].stream;
    }
    return NULL;
}

static const RtRun *run_of_variant(const RtRuns *runs, int32_t variant)
{
    assert(variant >= 0 && variant < runs->count && runs->run[variant].program);
    return &runs->run[variant];
}

const RtRun *runs_step(const RtRuns *runs, uint64_t seed, int64_t batch)
{
    const RtStream *stream = runs_stream(runs);
    return run_of_variant(runs, stream ? rt_stream_variant(stream, seed, batch) : 0);
}

const RtRun *runs_pass(const RtRuns *runs, int64_t index)
{
    const RtStream *stream = runs_stream(runs);
    return run_of_variant(runs, stream ? rt_stream_pass_variant(stream, index) : 0);
}

void run_fill_ambient(const RtRun *run, char *const *block, uint64_t seed, int64_t step)
{
    for (int32_t i = 0; i < run->program->input_count; i++) {
        const RtValue *input = &run->program->inputs[i];
        bool is_seed = strcmp(input->name, "seed") == 0, is_step = strcmp(input->name, "step") == 0;
        if ((!is_seed && !is_step) || run_feed(run, input) || rt_block(input->place) != BLOCK_work) continue;
        int64_t number = is_seed ? (int64_t)seed : step;
        assert(input->dtype == RT_i64);
        memcpy(rt_at(block, input->place), &number, sizeof number);
    }
}

void run_fill_batch(const RtRun *run, char *const *block, uint64_t seed, int64_t batch)
{
    for (int i = 0; i < run->feed_count; i++) {
        const RtStream *stream = run->feeds[i].stream;
        const RtValue *input = run->feeds[i].input;
        assert(input->bytes == rt_stream_variant_bytes(stream, rt_stream_variant(stream, seed, batch)));
        rt_stream_batch(stream, seed, batch, rt_at(block, input->place));
    }
}

void run_fill_pass(const RtRun *run, char *const *block, uint64_t seed, int64_t step, int64_t index)
{
    run_fill_ambient(run, block, seed, step);
    for (int i = 0; i < run->feed_count; i++) {
        const RtStream *stream = run->feeds[i].stream;
        const RtValue *input = run->feeds[i].input;
        assert(input->bytes == rt_stream_variant_bytes(stream, rt_stream_pass_variant(stream, index)));
        rt_stream_pass_batch(stream, index, rt_at(block, input->place));
    }
}

static void begin_value(const RtStates *states, int i, char *block)
{
    int64_t offset = rt_offset(states->values[i].place);
    size_t bytes = (size_t)states->values[i].bytes;
    if (states->initial && states->drawn[i]) memcpy(block + offset, states->initial + offset, bytes);
    else memset(block + offset, 0, bytes);
}

void states_begin(const RtStates *states, char *block)
{
    rt_memory_clear(block, states->bytes);
    for (int i = 0; states->initial && i < states->count; i++)
        if (states->drawn[i]) begin_value(states, i, block);
}

void states_begin_pass(const RtStates *states, char *block)
{
    for (int i = states->kept; i < states->count; i++) begin_value(states, i, block);
}

/* What the programs of a recipe need. */
typedef struct Needs {
    int64_t step, sums, evaluation, train_states, evaluation_states;
} Needs;

static void raise_to(int64_t *most, int64_t bytes)
{
    if (bytes > *most) *most = bytes;
}

static void raise_to_work(int64_t *most, const RtRuns *runs)
{
    for (int i = 0; i < runs->count; i++) {
        if (runs->run[i].program) raise_to(most, runs->run[i].program->block_bytes[BLOCK_work]);
    }
}

static Needs needs_of(const Recipe *r)
{
    Needs n = {0};
    for (int i = 0; i < r->stage_count; i++) {
        const RtStage *stage = &r->stages[i];
        raise_to_work(&n.step, &stage->train);
        if (stage->shards > 1) {
            raise_to_work(&n.step, &(RtRuns){&stage->merge, 1});
            raise_to_work(&n.step, &(RtRuns){&stage->update, 1});
            raise_to(&n.sums, step_slots(stage->shards) * stage->slot_bytes);
        }
        raise_to(&n.train_states, stage->states.bytes);
        for (int k = 0; k < stage->evaluation_count; k++) {
            const RtEvaluation *evaluation = &stage->evaluations[k];
            for (int t = 0; t < evaluation->term_count; t++) {
                raise_to_work(&n.evaluation, &evaluation->terms[t].runs);
                raise_to(&n.evaluation_states, evaluation->terms[t].states.bytes);
            }
            if (evaluation->post) raise_to(&n.evaluation, evaluation->post->block_bytes[BLOCK_work]);
        }
    }
    return n;
}

static void point(const Recipe *r, char **block, char *state, char *work)
{
    block[BLOCK_param] = r->param;
    block[BLOCK_state] = state;
    block[BLOCK_const] = r->constants;
    block[BLOCK_work] = work;
}

bool blocks_new(const Recipe *r, Blocks *b, RtError *e)
{
    Needs n = needs_of(r);
    *b = (Blocks){.work_bytes = n.step > n.evaluation ? n.step : n.evaluation,
                  .train_bytes = n.train_states,
                  .sum_bytes = n.sums,
                  .evaluate_bytes = n.evaluation_states};
    char *work = rt_memory_new(b->work_bytes);
    point(r, b->train, rt_memory_new(b->train_bytes), work);
    b->train[BLOCK_sum] = rt_memory_new(b->sum_bytes);
    point(r, b->evaluate, rt_memory_new(b->evaluate_bytes), work);
    if (work && b->train[BLOCK_state] && b->train[BLOCK_sum] && b->evaluate[BLOCK_state]) return true;
    int64_t bytes = b->work_bytes + b->train_bytes + b->sum_bytes + b->evaluate_bytes;
    blocks_free(b);
    return rt_fail(e, "the system has no %" PRId64 " bytes of memory left", bytes);
}

void blocks_free(Blocks *b)
{
    rt_memory_free(b->train[BLOCK_work], b->work_bytes);
    rt_memory_free(b->train[BLOCK_state], b->train_bytes);
    rt_memory_free(b->train[BLOCK_sum], b->sum_bytes);
    rt_memory_free(b->evaluate[BLOCK_state], b->evaluate_bytes);
    *b = (Blocks){0};
}

void rt_fault_text(const Program *program, const RtFault *fault, RtError *e)
{
    const char *place =
        fault->place > 0 && fault->place < program->place_count ? program->places[fault->place] : program->entry;
    rt_fail(e, "%s: index %" PRId64 " is outside its axis of %" PRId64, place, fault->value, fault->bound);
}
