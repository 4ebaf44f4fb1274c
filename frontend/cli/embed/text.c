/* Text: the model's tokenizer, and the choice of a token. */
#include "frontend/cli/tokens.h"
#include "frontend/cli/embed/embed.h"

#include <stdlib.h>
#include <string.h>

int64_t ptm_encode(PtmModel *model, const char *text, int32_t *ids, int64_t room, PtmError *error)
{
    RtIds found = { 0 };
    RtError e;
    const RtTokenizer *tokenizer = tokens_tokenizer(&model->session);
    if (!tokenizer) return embed_failed(model, error) - 1;
    bool good = rt_tokenizer_encode(tokenizer, (RtText){ text, (int64_t)strlen(text) }, &found, &e);
    if (!good) embed_fail(error, "%s", e.text);
    int64_t count = good ? found.count : -1, kept = count < room ? count : room;
    if (kept > 0) memcpy(ids, found.ids, (size_t)kept * sizeof *ids);
    rt_ids_free(&found);
    return count;
}

int64_t ptm_decode(PtmModel *model, const int32_t *ids, int64_t count, char *text, int64_t room, PtmError *error)
{
    const RtTokenizer *tokenizer = tokens_tokenizer(&model->session);
    if (!tokenizer) return embed_failed(model, error) - 1;
    for (int64_t k = 0; k < count; k++)
        if (ids[k] < 0 || ids[k] >= rt_tokenizer_size(tokenizer))
            return embed_fail(error, "id %d is outside the vocabulary of %lld", (int)ids[k],
                              (long long)rt_tokenizer_size(tokenizer)) - 1;
    int64_t size;
    char *whole = rt_tokenizer_decode(tokenizer, ids, count, &size);
    if (!whole) return embed_fail(error, "out of memory") - 1;
    int64_t kept = size < room - 1 ? size : room - 1;
    if (kept > 0) memcpy(text, whole, (size_t)kept);
    if (room > 0) text[kept] = 0;
    free(whole);
    return size;
}

int32_t ptm_choose(PtmModel *model, const PtmSampling *how, const float *logits, int64_t vocabulary,
                   const int32_t *ids, int64_t count, int64_t position)
{
    Sampler *s = &model->sampler;
    if (vocabulary < 1) return -1;
    if (s->vocabulary != vocabulary) sampler_open(s, vocabulary, model->session.arena);
    s->temperature = how->temperature;
    s->top_p = how->top_p > 0 ? how->top_p : 1;
    s->penalty = how->repetition_penalty > 0 ? how->repetition_penalty : 1;
    s->top_k = how->top_k;
    s->seed = how->seed;
    return sampler_choose(s, logits, ids, count, 0, position);
}
