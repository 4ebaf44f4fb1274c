/* ptm generate: text from a trained model, one token after the other. Texts are made one by one, so that none depends
 * on those beside it. */
#include "frontend/cli/lines.h"
#include "frontend/cli/pace.h"
#include "frontend/cli/predict.h"
#include "frontend/cli/sample.h"
#include "frontend/cli/tokens.h"
#include "frontend/cli/writing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 500 };                   /* of a text, in tokens, when nothing is said */

typedef struct Prompt {
    RtText      text;
    bool        given;                   /* else the text begins with a piece of its own, which is not printed */
    const char *from;                    /* for messages: "--prompt", "FILE:3" */
    int32_t    *ids;
    int64_t     count;
} Prompt;

typedef struct Generator {
    Run         *run;
    Predictor    predictor;
    Sampler      sampler;
    Writing      writing;
    Pace         pace;
    const RtTokenizer *tokenizer;
    Vec(Prompt)  prompts;
    int32_t     *tokens;                 /* the prompt, then what is generated */
    int64_t      length, samples;        /* of each prompt */
} Generator;

/* ---- prompts ---- */

static void add_prompt(Generator *g, RtText text, const char *from)
{
    vec_push(g->run->s->arena, &g->prompts, ((Prompt){ .text = text, .given = text.size > 0, .from = from }));
}

/* Standard input ends with a line break that nobody means. */
static bool add_standard_input(Generator *g)
{
    Session *s = g->run->s;
    RtText text;
    RtError error;
    if (!text_read(s->arena, "-", &text, &error)) return session_fail(s, "--prompt: %s", error.text) && false;
    if (text.size && text.bytes[text.size - 1] == '\n') text.size--;
    if (text.size && text.bytes[text.size - 1] == '\r') text.size--;
    add_prompt(g, text, "standard input");
    return true;
}

static bool add_lines(Generator *g, const char *path)
{
    Session *s = g->run->s;
    RtText text;
    RtError error;
    if (!text_read(s->arena, path, &text, &error)) return session_fail(s, "--prompts: %s", error.text) && false;
    Texts lines = text_lines(s->arena, text);
    const char *name = strcmp(path, "-") ? path : "standard input";
    for (int i = 0; i < lines.count; i++) add_prompt(g, lines.at[i], arena_print(s->arena, "%s:%d", name, i + 1));
    return lines.count || (session_fail(s, "--prompts: %s has no lines", name) && false);
}

static bool find_prompts(Generator *g)
{
    const Options *o = g->run->s->options;
    for (int i = 0; i < o->prompt.count; i++) {
        const char *text = o->prompt.at[i];
        if (strcmp(text, "-")) add_prompt(g, (RtText){ text, (int64_t)strlen(text) }, "--prompt");
        else if (!add_standard_input(g)) return false;
    }
    if (o->prompts && !add_lines(g, o->prompts)) return false;
    if (!g->prompts.count) add_prompt(g, (RtText){ "", 0 }, "--prompt");
    return true;
}

/* What a text without a prompt begins with: the first of these that the vocabulary has, else id 0. */
static int32_t beginning(const Generator *g)
{
    static const char *const MARKS[] = { "<|endoftext|>", "<s>", "</s>", "\n" };
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        int32_t id = rt_tokenizer_find(g->tokenizer, (RtText){ MARKS[i], (int64_t)strlen(MARKS[i]) });
        if (id >= 0) return id;
    }
    return 0;
}

static bool encode(Generator *g, Prompt *p)
{
    Session *s = g->run->s;
    RtIds ids = { 0 };
    RtError error;
    if (!rt_tokenizer_encode(g->tokenizer, p->text, &ids, &error))
        return session_fail(s, "%s: %s", p->from, error.text) && false;
    tokens_name_unknown(s, g->tokenizer, p->text, p->from);
    p->count = ids.count ? ids.count : 1;
    p->ids = arena_array(s->arena, int32_t, p->count);
    p->ids[0] = beginning(g);
    if (ids.count) memcpy(p->ids, ids.ids, (size_t)ids.count * sizeof *p->ids);
    rt_ids_free(&ids);
    return true;
}

static bool encode_all(Generator *g)
{
    bool good = true;
    int64_t longest = 0;
    for (int i = 0; i < g->prompts.count; i++) {
        Prompt *p = &g->prompts.at[i];
        good = encode(g, p) && good;
        if (p->count > longest) longest = p->count;
    }
    g->tokens = arena_array(g->run->s->arena, int32_t, longest + g->length);
    return good;
}

/* ---- a text ---- */

static void show(Generator *g, bool all)
{
    RtText text = writing_take(&g->writing, all);
    if (!text.size) return;
    fwrite(text.bytes, 1, (size_t)text.size, stdout);
    fflush(stdout);
}

/* The next token behind `count` of them; -1 after an error. */
static int32_t next_token(Generator *g, int64_t count, int64_t sample, int64_t place)
{
    const float *logits = predict_next(&g->predictor, g->tokens, count);
    if (!logits) return -1;
    int32_t token = sampler_choose(&g->sampler, logits, g->tokens, count, sample, place);
    if (token < 0)
        session_fail(g->run->s, "%s gives numbers that are not finite behind %lld tokens: are the weights?",
                     g->predictor.entry, (long long)count);
    return token;
}

static bool generate_text(Generator *g, const Prompt *p, int64_t sample)
{
    predict_begin(&g->predictor);
    writing_begin(&g->writing, p->text);
    memcpy(g->tokens, p->ids, (size_t)p->count * sizeof *p->ids);
    if (p->given) fwrite(p->text.bytes, 1, (size_t)p->text.size, stdout);
    fflush(stdout);
    bool goes_on = true;
    for (int64_t i = 0; goes_on && i < g->length; i++) {
        pace_start(&g->pace);
        int32_t token = next_token(g, p->count + i, sample, i);
        if (token < 0) return false;
        if (i) pace_token(&g->pace, i);
        else pace_prompt(&g->pace, p->count);
        g->tokens[p->count + i] = token;
        goes_on = writing_add(&g->writing, token);
        show(g, false);
    }
    show(g, true);
    putchar('\n');
    return true;
}

/* Several texts stand apart as `tail` shows several files. */
static void print_title(const Generator *g, int prompt, int64_t sample)
{
    if (g->prompts.count == 1 && g->samples == 1) return;
    if (prompt || sample) putchar('\n');
    fputs("==>", stdout);
    if (g->prompts.count > 1) printf(" prompt %d", prompt + 1);
    if (g->samples > 1) printf("%s sample %lld", g->prompts.count > 1 ? "," : "", (long long)sample + 1);
    puts(" <==");
}

static bool generate_all(Generator *g)
{
    for (int i = 0; i < g->prompts.count; i++) {
        for (int64_t k = 0; k < g->samples; k++) {
            print_title(g, i, k);
            if (!generate_text(g, &g->prompts.at[i], k)) return false;
        }
    }
    return true;
}

/* ---- the command ---- */

static bool open_predictor(Generator *g)
{
    int64_t *lengths = arena_array(g->run->s->arena, int64_t, g->prompts.count);
    for (int i = 0; i < g->prompts.count; i++) lengths[i] = g->prompts.at[i].count;
    return predict_open(g->run, g->tokenizer, lengths, g->prompts.count, g->length, &g->predictor);
}

static int generate(Generator *g)
{
    Session *s = g->run->s;
    const Options *o = s->options;
    if (!session_has_weights(s)) return EXIT_BAD_INPUT;
    g->length = o->length >= 0 ? o->length : LENGTH;
    g->samples = o->count >= 0 ? o->count : 1;
    g->tokenizer = tokens_tokenizer(g->run->s);
    if (!g->tokenizer || !find_prompts(g) || !encode_all(g) || !open_predictor(g)) return EXIT_BAD_INPUT;
    g->sampler = (Sampler){ .temperature = isnan(o->temperature) ? 1 : o->temperature,
                            .top_p = isnan(o->top_p) ? 1 : o->top_p, .penalty = isnan(o->penalty) ? 1 : o->penalty,
                            .top_k = o->top_k > 0 ? o->top_k : 0, .seed = g->run->seed };
    sampler_open(&g->sampler, g->predictor.vocabulary, s->arena);
    g->writing = (Writing){ .tokenizer = g->tokenizer, .stops = &o->stop, .arena = s->arena };
    g->pace.arena = s->arena;
    if (!generate_all(g)) return EXIT_BAD_INPUT;
    if (o->stats) pace_report(&g->pace, &g->predictor);
    return EXIT_GOOD;
}

static bool misused(const char *what)
{
    fprintf(stderr, "ptm generate: %s\n", what);
    return true;
}

static bool is_misuse(const Options *o)
{
    if (o->top_p > 1 || o->top_p == 0) return misused("--top-p is a share above 0, at most 1");
    if (o->penalty == 0) return misused("--repetition-penalty divides: it is above 0");
    if (o->count == 0) return misused("--count wants at least 1");
    for (int i = 0; i < o->stop.count; i++)
        if (!*o->stop.at[i]) return misused("--stop wants a text that is not empty");
    return false;
}

int command_generate(const Options *options)
{
    Session s;
    Run r = { 0 };
    Generator g = { .run = &r };
    int status = EXIT_BAD_INPUT;
    if (is_misuse(options)) return EXIT_MISUSE;
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
