/* Filling inputs and reading results. */
#include "runtime/train/run.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "runtime/core/memory.h"
#include "runtime/data/value.h"

double value_element(char *const *block, const RtValue *value, int64_t index)
{
    const void *bytes = value_in(block, value);
    switch ((RtDtype)value->dtype) {
    case RT_f32: return ((const float *)bytes)[index];
    case RT_f64: return ((const double *)bytes)[index];
    case RT_i64: return (double)((const int64_t *)bytes)[index];
    case RT_i32: return ((const int32_t *)bytes)[index];
    case RT_i8: return ((const int8_t *)bytes)[index];
    case RT_u8: return ((const uint8_t *)bytes)[index];
    case RT_bool: return ((const uint8_t *)bytes)[index] != 0;
    case RT_bf16:
    case RT_f16:
    case RT_DTYPE_COUNT: break;
    }
    assert(!"results are not of a 16-bit type");
    return 0;
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
        if ((!is_seed && !is_step) || find_feed(run, input) || input->place >> 56 != BLOCK_work) continue;
        int64_t number = is_seed ? (int64_t)seed : step;
        assert(input->dtype == RT_i64);
        memcpy(value_in(block, input), &number, sizeof number);
    }
}

void run_fill_step(const RtRun *run, char *const *block, uint64_t seed, int64_t step)
{
    fill_ambient(run, block, seed, step);
    for (int i = 0; i < run->feed_count; i++) {
        const RtFeed *feed = &run->feeds[i];
        assert(feed->input->bytes == rt_stream_bytes(feed->stream));
        rt_stream_batch(feed->stream, seed, step, value_in(block, feed->input));
    }
}

int64_t run_fill_pass(const RtRun *run, char *const *block, uint64_t seed, int64_t step, int64_t index)
{
    fill_ambient(run, block, seed, step);
    int64_t rows = 1;
    for (int i = 0; i < run->feed_count; i++) {
        const RtFeed *feed = &run->feeds[i];
        rows = rt_stream_pass_batch(feed->stream, index, value_in(block, feed->input));
        assert(rows * feed->stream->row_bytes == feed->input->bytes);
    }
    return rows;
}

static void raise_to(int64_t *most, int64_t bytes)
{
    if (bytes > *most) *most = bytes;
}

static void need(Blocks *b, const Program *program)
{
    if (!program) return;
    raise_to(&b->work_bytes, program->block_bytes[BLOCK_work]);
    raise_to(&b->state_bytes, program->block_bytes[BLOCK_state]);
}

bool blocks_new(const Recipe *r, Blocks *b, RtError *e)
{
    *b = (Blocks){0};
    for (int i = 0; i < r->evaluation_count; i++) {
        for (int k = 0; k < r->evaluations[i].term_count; k++) {
            need(b, r->evaluations[i].terms[k].full.program);
            need(b, r->evaluations[i].terms[k].rest.program);
        }
        need(b, r->evaluations[i].post);
    }
    if (r->train.program) raise_to(&b->work_bytes, r->train.program->block_bytes[BLOCK_work]);
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
