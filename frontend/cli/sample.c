/* A draw inverts the running sum of the candidates' weights, in the order of ids where all are candidates, else by
 * falling logit. The likeliest are taken from a heap, since few of many are wanted. */
#include "frontend/cli/sample.h"
#include "runtime/core/random.h"

#include <math.h>
#include <string.h>

void sampler_open(Sampler *s, int64_t vocabulary, Arena *arena)
{
    s->vocabulary = vocabulary;
    s->logits = arena_array(arena, float, vocabulary);
    s->weights = arena_array(arena, float, vocabulary);
    s->candidates = arena_array(arena, int32_t, vocabulary);
}

static int32_t likeliest(const float *logits, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

/* A token that stands there twice is changed once: it begins from what the model says. Ids outside the vocabulary, such
 * as those that fill rows up, have no logit. */
static const float *penalised(Sampler *s, const float *logits, const int32_t *tokens, int64_t count)
{
    if (s->penalty == 1) return logits;
    float penalty = (float)s->penalty;
    memcpy(s->logits, logits, (size_t)s->vocabulary * sizeof *logits);
    for (int64_t i = 0; i < count; i++) {
        if (tokens[i] < 0 || tokens[i] >= s->vocabulary) continue;
        float x = logits[tokens[i]];
        s->logits[tokens[i]] = x > 0 ? x / penalty : x * penalty;
    }
    return s->logits;
}

/* the likeliest */

static bool is_likelier(const float *logits, int32_t a, int32_t b)
{
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
}

static void sink(const float *logits, int32_t *heap, int64_t count, int64_t at)
{
    int32_t id = heap[at];
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_likelier(logits, heap[child + 1], heap[child])) child++;
        if (!is_likelier(logits, heap[child], id)) break;
        heap[at] = heap[child];
    }
    heap[at] = id;
}

/* A heap of all ids; what is popped stands behind it, the likeliest last. */
static void make_heap(Sampler *s, const float *logits)
{
    for (int64_t i = 0; i < s->vocabulary; i++) s->candidates[i] = (int32_t)i;
    for (int64_t i = s->vocabulary / 2; i-- > 0;) sink(logits, s->candidates, s->vocabulary, i);
}

static int32_t pop(Sampler *s, const float *logits, int64_t *left)
{
    int32_t id = s->candidates[0];
    s->candidates[0] = s->candidates[--*left];
    s->candidates[*left] = id;
    sink(logits, s->candidates, *left, 0);
    return id;
}

/* drawing */

static float weight_of(const Sampler *s, float logit, float most)
{
    return expf((float)((logit - most) / s->temperature));
}

static double draw_unit(const Sampler *s, int64_t sample, int64_t position)
{
    uint64_t key = rt_random_key(s->seed, rt_random_hash("generate"));
    return rt_random_unit(rt_random_word(key, (uint64_t)sample, (uint64_t)position));
}

/* The first i at which the running sum of weights passes `at`; rounding may leave none, then the last that counts. */
static int64_t invert(const float *weights, int64_t count, double at)
{
    double running = 0;
    int64_t last = 0;
    for (int64_t i = 0; i < count; i++) {
        if (weights[i] <= 0) continue;
        last = i;
        running += weights[i];
        if (at < running) break;
    }
    return last;
}

static double weigh_all(Sampler *s, const float *logits, float most)
{
    double total = 0;
    for (int64_t i = 0; i < s->vocabulary; i++) {
        s->weights[i] = weight_of(s, logits[i], most);
        total += s->weights[i];
    }
    return total;
}

/* weights[i] and candidates[vocabulary - 1 - i] are the i-th likeliest. */
static int32_t draw_likely(Sampler *s, const float *logits, float most, double unit)
{
    bool limited = s->top_k > 0 && s->top_k < s->vocabulary;
    int64_t left = s->vocabulary, least = limited ? s->vocabulary - s->top_k : 0, count = 0;
    double total = limited ? 0 : weigh_all(s, logits, most), kept = 0;
    make_heap(s, logits);
    while (left > least && (limited || kept < s->top_p * total || !count)) {
        float weight = weight_of(s, logits[pop(s, logits, &left)], most);
        s->weights[count++] = weight;
        kept += weight;
    }
    total = kept;
    if (limited) {
        int64_t all = count;
        count = 0, kept = 0;
        while (count < all && (kept < s->top_p * total || !count)) kept += s->weights[count++];
    }
    return s->candidates[s->vocabulary - 1 - invert(s->weights, count, unit * kept)];
}

static bool are_numbers(const float *logits, int64_t count)
{
    bool nan = false;
    for (int64_t i = 0; i < count; i++) nan = nan || isnan(logits[i]);
    return !nan && isfinite(logits[likeliest(logits, count)]);
}

int32_t sampler_choose(Sampler *s, const float *logits, const int32_t *tokens, int64_t count, int64_t sample,
                       int64_t position)
{
    if (!are_numbers(logits, s->vocabulary)) return -1;
    logits = penalised(s, logits, tokens, count);
    int32_t best = likeliest(logits, s->vocabulary);
    if (s->temperature <= 0) return best;
    double unit = draw_unit(s, sample, position);
    if (s->top_k > 0 || s->top_p < 1) return draw_likely(s, logits, logits[best], unit);
    double total = weigh_all(s, logits, logits[best]);
    return (int32_t)invert(s->weights, s->vocabulary, unit * total);
}
