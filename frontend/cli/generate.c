/* ptm generate: text from a trained model, one token after the other. */
#include "frontend/cli/host.h"
#include "frontend/cli/predict.h"
#include "runtime/core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_END "</s>"                  /* the mark of words that ends a line */

typedef struct Generator {
    Run         *run;
    Predictor    predictor;
    const RtTokenizer *tokenizer;
    int32_t     *tokens;                 /* the prompt, then what is generated */
    int64_t      count, length;          /* of the tokens so far, and of those to generate */
    bool         in_line;                /* what was printed last has not ended its line, nor has a space behind it */
    float       *weights;                /* of one draw: one for each piece of the vocabulary */
} Generator;

static bool find_tokenizer(Generator *g)
{
    Session *s = g->run->s;
    HostArg tok;
    bool known = model_constant(s->model, "tok", &tok, s->diagnostics);
    if (diag_error_count(s->diagnostics)) return session_report(s);
    if (!known || tok.kind != ARG_host || tok.value.kind != HOST_tokenizer) {
        session_fail(s, "the model has no tokenizer: `const tok = ...` in its data block");
        return false;
    }
    g->tokenizer = host_tokenizer(&tok.value);
    return true;
}

static int by_falling_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The smallest logit that --top-k lets through. */
static float threshold(Generator *g, const float *logits, int64_t k)
{
    int64_t vocabulary = g->predictor.vocabulary;
    if (k < 1 || k >= vocabulary) return -INFINITY;
    memcpy(g->weights, logits, (size_t)vocabulary * sizeof *logits);
    qsort(g->weights, (size_t)vocabulary, sizeof *g->weights, by_falling_value);
    return g->weights[k - 1];
}

static int32_t likeliest(const float *logits, int64_t count)
{
    int64_t best = 0;
    for (int64_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return (int32_t)best;
}

/* Draws from softmax(logits / temperature) over the `top_k` likeliest, by inverting the running sum at the draw of this
 * position. */
static int32_t draw(Generator *g, const float *logits, double temperature, int64_t top_k, int64_t position)
{
    int64_t vocabulary = g->predictor.vocabulary;
    float most = logits[likeliest(logits, vocabulary)], least = threshold(g, logits, top_k);
    double total = 0, running = 0;
    for (int64_t i = 0; i < vocabulary; i++) {
        g->weights[i] = logits[i] >= least ? (float)exp((logits[i] - most) / temperature) : 0;
        total += g->weights[i];
    }
    uint64_t key = rt_random_key(g->run->seed, rt_random_hash("generate"));
    double at = rt_random_unit(rt_random_word(key, 0, (uint64_t)position)) * total;
    int32_t last = 0;
    for (int64_t i = 0; i < vocabulary; i++) {
        if (g->weights[i] <= 0) continue;
        last = (int32_t)i;
        running += g->weights[i];
        if (at < running) break;
    }
    return last;
}

static bool is_words(const Generator *g) { return rt_tokenizer_rule(g->tokenizer) == TOKENIZER_words; }

static bool text_is(RtText text, const char *is)
{
    return text.size == (int64_t)strlen(is) && !strncasecmp(text.bytes, is, strlen(is));
}

/* Words stand apart by a space, and the mark that ends a line is the end of one. */
static void print_token(Generator *g, int32_t id)
{
    RtText piece = rt_tokenizer_piece(g->tokenizer, id);
    bool ends = is_words(g) && text_is(piece, LINE_END);
    if (is_words(g) && g->in_line && !ends) putchar(' ');
    if (ends) putchar('\n');
    else fwrite(piece.bytes, 1, (size_t)piece.size, stdout);
    g->in_line = !ends;
    fflush(stdout);
}

static void print_prompt(Generator *g, const char *prompt)
{
    fputs(prompt, stdout);
    g->in_line = *prompt && !strchr(" \t\n\v\f\r", prompt[strlen(prompt) - 1]);
}

/* Not a number, or not one that is finite. */
static bool has_nan(const float *logits, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (isnan(logits[i])) return true;
    return !isfinite(logits[likeliest(logits, count)]);
}

static bool step(Generator *g, int64_t position)
{
    const Options *o = g->run->s->options;
    const float *logits = predict_next(&g->predictor, g->tokens, g->count);
    if (!logits) return false;
    if (has_nan(logits, g->predictor.vocabulary))
        return session_fail(g->run->s, "%s gives numbers that are not finite behind %lld tokens: are the weights?",
                            g->predictor.entry, (long long)g->count) && false;
    double temperature = isnan(o->temperature) ? 1 : o->temperature;
    g->tokens[g->count++] = temperature <= 0 ? likeliest(logits, g->predictor.vocabulary)
                                             : draw(g, logits, temperature, o->top_k, position);
    return true;
}

/* Says which words of the prompt the vocabulary lacks. */
static void name_unknown(Generator *g, const char *prompt)
{
    const char *white = " \t\n\v\f\r";
    for (const char *at = prompt + strspn(prompt, white); is_words(g) && *at; at += strspn(at, white)) {
        RtText word = { at, (int64_t)strcspn(at, white) };
        const char *text = arena_copy_text(g->run->s->arena, word.bytes, (size_t)word.size);
        RtIds ids = { 0 };
        RtError error;
        if (!rt_tokenizer_encode(g->tokenizer, word, &ids, &error)) return;
        RtText piece = ids.count ? rt_tokenizer_piece(g->tokenizer, ids.ids[0]) : (RtText){ "", 0 };
        if (!text_is(piece, text))
            fprintf(stderr, "warning: --prompt: \"%s\" is not in the vocabulary and %s%.*s\n", text,
                    ids.count ? "read as " : "left out", (int)piece.size, piece.bytes);
        rt_ids_free(&ids);
        at += word.size;
    }
}

/* An empty prompt begins with token 0. */
static bool read_prompt(Generator *g)
{
    Session *s = g->run->s;
    const char *prompt = s->options->prompt ? s->options->prompt : "\n";
    RtIds ids = { 0 };
    RtError error;
    if (!rt_tokenizer_encode(g->tokenizer, (RtText){ prompt, (int64_t)strlen(prompt) }, &ids, &error))
        return session_fail(s, "--prompt: %s", error.text) && false;
    name_unknown(g, prompt);
    g->length = s->options->length >= 0 ? s->options->length : 500;
    g->tokens = arena_array(s->arena, int32_t, ids.count + g->length + 1);
    if (ids.count) memcpy(g->tokens, ids.ids, (size_t)ids.count * sizeof *g->tokens);
    g->count = ids.count ? ids.count : 1;
    rt_ids_free(&ids);
    return true;
}

static int generate(Generator *g)
{
    Session *s = g->run->s;
    if (!s->options->weights) return session_fail(s, "which weights? --weights DIR or FILE is missing");
    if (!find_tokenizer(g) || !read_prompt(g)) return EXIT_BAD_INPUT;
    if (!predict_open(g->run, g->tokenizer, g->count, g->length, &g->predictor)) return EXIT_BAD_INPUT;
    g->weights = arena_array(s->arena, float, g->predictor.vocabulary);
    if (s->options->prompt) print_prompt(g, s->options->prompt);
    for (int64_t i = 0; i < g->length; i++) {
        if (!step(g, i)) return EXIT_BAD_INPUT;
        print_token(g, g->tokens[g->count - 1]);
    }
    putchar('\n');
    return EXIT_GOOD;
}

int command_generate(const Options *options)
{
    Session s;
    Run r = { 0 };
    Generator g = { .run = &r };
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) {
        r.s = &s;
        r.seed = options->seed > 0 ? (uint64_t)options->seed : 0;
        status = generate(&g);
    }
    predict_close(&g.predictor);
    run_close(&r);
    session_close(&s);
    return status;
}
