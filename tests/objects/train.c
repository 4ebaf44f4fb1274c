/* Trains through an object, on the batches that `ptm train` draws, and compares parameters and states with the
 * checkpoint that it left: the same bytes. usage: train CHECKPOINT STEPS; with STREAMS (windows of parallel streams) or
 * without (shuffled windows); LENGTH and ROWS of a batch; SHARDS batches a step; with
 * STAGES the stages `one` and `two`, each of STEPS. The object is model.o. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "runtime/core/random.h"
#include "runtime/data/data.h"
#include "runtime/train/tensors.h"
#ifdef POOL
#include "runtime/core/pool.h"
#define POOL_ARGUMENT pool,
#else
#define POOL_ARGUMENT
#endif

#ifndef SHARDS
#define SHARDS 1
#endif

extern void openblas_set_num_threads(int);

static void *block(size_t bytes)
{
    void *memory = aligned_alloc(MODEL_ALIGNMENT, (bytes + 63) / 64 * 64);
    if (!memory) exit(2);
    memset(memory, 0xA5, bytes);
    return memory;
}

static void check(int code, const char *what)
{
    if (code == MODEL_OK) return;
    fprintf(stderr, "%s: %s\n", what, model_error(code));
    exit(1);
}

static DataValue text(const char *s)
{
    return (DataValue){.kind = DATA_text, .text = {s, (int64_t)strlen(s)}};
}

static DataValue number(const char *name, double value)
{
    return (DataValue){.name = name, .kind = DATA_number, .number = value};
}

static DataValue call(RtData *d, const char *name, DataValue *args, int count)
{
    DataValue results[DATA_MAX_RESULTS];
    RtError error;
    int got = 0;
    if (rt_data_call(d, name, args, count, results, &got, &error)) return results[0];
    fprintf(stderr, "%s: %s\n", name, error.text);
    exit(2);
}

/* As the data block of the model does. */
static const RtStream *batches(RtData *d)
{
    DataValue name = text("text"), running = call(d, "read", &name, 1), tok = call(d, "chars", &running, 1);
    DataValue encoded[] = {tok, running}, ids = call(d, "()", encoded, 2);
    DataValue parts[] = {ids, number(NULL, 0.1)}, fit = call(d, "holdout", parts, 2);
#ifdef STREAMS
    DataValue args[] = {fit, number("batch", ROWS), number("length", LENGTH), number("overlap", 1)};
    return call(d, "streams", args, 4).stream;
#else
    DataValue shuffle = {.name = "shuffle", .kind = DATA_bool, .truth = true};
    DataValue args[] = {fit, number("length", LENGTH), number("batch", ROWS), shuffle};
    return call(d, "windows", args, 4).stream;
#endif
}

static int compare(const RtTensors *saved, const model_value *values, int count, const char *memory)
{
    int differ = 0;
    RtError error;
    for (int k = 0; k < count; k++) {
        const RtTensor *t = rt_tensors_find(saved, values[k].name);
        char *bytes = t ? malloc((size_t)t->bytes + 1) : NULL;
        if (!bytes || t->bytes != values[k].bytes || !rt_tensors_read(saved, t, bytes, &error)) {
            fprintf(stderr, "%s: not in the checkpoint\n", values[k].name);
            return 1;
        }
        if (memcmp(bytes, memory + values[k].offset, (size_t)t->bytes)) {
            fprintf(stderr, "%s differs\n", values[k].name);
            differ++;
        }
        free(bytes);
    }
    return differ;
}

/* As runtime/train/step.c: batches that do not fill a step are left out at the end of a pass. */
static void draw(const RtStream *stream, uint64_t seed, long step, int32_t *ids)
{
    int64_t batches = rt_stream_steps(stream), steps = batches / SHARDS;
    for (int shard = 0; shard < SHARDS; shard++)
        rt_stream_batch(stream, seed, step / steps * batches + step % steps * SHARDS + shard,
                        (char *)ids + shard * rt_stream_bytes(stream));
}

static char *param, *state, *work;
static float loss = NAN, lr = NAN, grad_norm = NAN;
static model_fault fault;

/* All steps of a stage. Its numbers follow from the seed in the object, its batches here. */
#define STAGE(number, begin, begin_pass, train)                                                                        \
    check(begin(MODEL_ABI, state), #begin);                                                                            \
    for (long step = 0; step < steps; step++) {                                                                        \
        if (step && step % (rt_stream_steps(stream) / SHARDS) == 0) begin_pass;                                        \
        draw(stream, number ? rt_random_key(0, number) : 0, step, ids);                                                \
        check(train(MODEL_ABI, param, state, work, POOL_ARGUMENT 0, step, ids, &loss, &grad_norm, &lr, &fault),        \
              #train);                                                                                                 \
    }

#ifdef STREAMS
#define BEGIN_PASS check(model_train_begin_pass(MODEL_ABI, state, work, POOL_ARGUMENT 0), "begin pass")
#else
#define BEGIN_PASS (void)0
#endif
#ifdef STAGES
#define STATE_BYTES MODEL_TRAIN_ONE_STATE_BYTES + MODEL_TRAIN_TWO_STATE_BYTES
#define IDS_COUNT   MODEL_TRAIN_TWO_IDS_COUNT
#else
#define STATE_BYTES MODEL_TRAIN_STATE_BYTES
#define IDS_COUNT   MODEL_TRAIN_IDS_COUNT
#endif

int main(int argc, char **argv)
{
    long steps = argc == 3 ? atol(argv[2]) : 0;
    param = block(MODEL_PARAM_BYTES), state = block(STATE_BYTES), work = block(MODEL_WORK_BYTES);
    RtData *d = rt_data_new();
    const RtStream *stream = batches(d);
    int32_t *ids = malloc((size_t)rt_stream_bytes(stream) * SHARDS);
    if (!ids || rt_stream_bytes(stream) * SHARDS != IDS_COUNT * 4) return 2;
#ifdef POOL
    struct Pool *pool = rt_pool_new(2, MODEL_SCRATCH_BYTES);
#else
    openblas_set_num_threads(1);
#endif
    check(model_init(MODEL_ABI, param, work, POOL_ARGUMENT 0), "init");
#ifdef STAGES
    STAGE(0, model_train_one_begin, BEGIN_PASS, model_train_one)
    STAGE(1, model_train_two_begin, BEGIN_PASS, model_train_two)
#else
    STAGE(0, model_train_begin, BEGIN_PASS, model_train)
#endif
    printf("%ld steps: loss %.9g, learning rate %.9g, norm %.9g\n", steps, loss, lr, grad_norm);
    RtError error;
    RtTensors *saved = rt_tensors_open(argv[1], &error);
    if (!saved) return fprintf(stderr, "%s\n", error.text), 2;
    int differ = compare(saved, model_params, MODEL_PARAMS_COUNT, param);
#ifdef STAGES
    differ += compare(saved, model_train_two_states, MODEL_TRAIN_TWO_STATES_COUNT, state);
#else
    differ += compare(saved, model_train_states, MODEL_TRAIN_STATES_COUNT, state);
#endif
    rt_tensors_close(saved);
    rt_data_free(d);
    return differ ? 1 : 0;
}
