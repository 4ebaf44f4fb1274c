/* Batches, shards and the tree that adds them. */
#include "runtime/train/step.h"

#include <string.h>

#include "runtime/core/random.h"

int step_slots(int64_t shards)
{
    int most = 0;
    for (int64_t shard = 0; shard < shards; shard++) {
        int held = __builtin_popcountll((unsigned long long)shard) + 1;
        if (held > most) most = held;
    }
    return most;
}

static bool is_sharded(const RtStage *stage) { return stage->shards > 1; }

/* The batch of the streams that a shard works on. Batches at the end of a pass that do not fill a step are left out. */
static int64_t batch_of(const RtStage *stage, int64_t made, int64_t shard)
{
    const RtStream *stream = runs_stream(&stage->train);
    if (!is_sharded(stage)) return made;
    if (!stream) return made * stage->shards + shard;
    int64_t pass = made / stage->epoch_steps, step = made % stage->epoch_steps;
    return pass * rt_stream_steps(stream) + step * stage->shards + shard;
}

/* Shards draw different numbers; the first one those of a step without shards. */
static uint64_t shard_seed(uint64_t seed, int64_t shard)
{
    return shard ? rt_random_key(rt_random_key(seed, rt_random_hash("shard")), (uint64_t)shard) : seed;
}

static bool run(const Recipe *r, const RtRun *of, char *const *block, RtError *e)
{
    RtFault fault;
    if (rt_program_watch(of->program, r->pool, block, r->watch, &fault) == 0) return true;
    rt_fault_text(of->program, &fault, e);
    return false;
}

typedef struct Step {
    const Recipe  *recipe;
    const RtStage *stage;
    const History *history;
    uint64_t       seed;
    int64_t        made;
    char          *block[BLOCK_COUNT];
    char          *sums;                 /* slot 0 */
    int            held;                 /* slots in use: the newest sum is in the last of them */
} Step;

static void fill(const Step *s, const RtRun *of, int64_t shard)
{
    run_fill_ambient(of, s->block, shard_seed(s->seed, shard), s->made);
    history_fill(s->history, of, s->block);
}

/* Returns the variant, or -1. */
static int run_batch(const Step *s, int64_t shard, RtError *e)
{
    int64_t batch = batch_of(s->stage, s->made, shard);
    const RtRun *of = runs_step(&s->stage->train, s->seed, batch);
    fill(s, of, shard);
    run_fill_batch(of, s->block, s->seed, batch);
    return run(s->recipe, of, s->block, e) ? (int)(of - s->stage->train.run) : -1;
}

static bool merge(Step *s, RtError *e)
{
    s->held--;
    s->block[BLOCK_sum] = s->sums + (s->held - 1) * s->stage->slot_bytes;
    return run(s->recipe, &s->stage->merge, s->block, e);
}

/* Two sums of as many shards become one; after the last shard all do. */
static bool run_shard(Step *s, int64_t shard, RtError *e)
{
    bool last = shard == s->stage->shards - 1;
    s->block[BLOCK_sum] = s->sums + s->held * s->stage->slot_bytes;
    if (run_batch(s, shard, e) < 0) return false;
    s->held++;
    for (int64_t bits = shard; s->held > 1 && (last || bits & 1); bits >>= 1)
        if (!merge(s, e)) return false;
    return true;
}

static bool run_shards(Step *s, RtError *e)
{
    s->sums = s->block[BLOCK_sum];
    for (int64_t shard = 0; shard < s->stage->shards; shard++)
        if (!run_shard(s, shard, e)) return false;
    s->block[BLOCK_sum] = s->sums;
    fill(s, &s->stage->update, 0);
    return run(s->recipe, &s->stage->update, s->block, e);
}

int step_make(const Recipe *recipe, const RtStage *stage, const Blocks *blocks, const History *history, uint64_t seed,
              int64_t made, RtError *e)
{
    Step s = {.recipe = recipe, .stage = stage, .history = history, .seed = seed, .made = made};
    memcpy(s.block, blocks->train, sizeof s.block);
    if (made > 0 && stage->epoch_steps > 0 && made % stage->epoch_steps == 0)
        states_begin_pass(&stage->states, s.block[BLOCK_state]);
    if (!is_sharded(stage)) return run_batch(&s, 0, e);
    return run_shards(&s, e) ? 0 : -1;
}
