/* ptm generate: text from a trained model, one token after the other; several texts together where the predictor can.
 * What a text becomes does not depend on those beside it. */
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

/* A text in the making. */
typedef struct Row {
    const Prompt *prompt;
    int64_t     sample;
    Writing     writing;
    bool        done;
} Row;

typedef struct Generator {
    Run         *run;
    Predictor    predictor;
    Sampler      sampler;
    Pace         pace;
    const RtTokenizer *tokenizer;
    Vec(Prompt)  prompts;
    Row          rows[PREDICT_ROWS];     /* predictor.rows of them */
    int32_t     *tokens[PREDICT_ROWS];   /* of each row the prompt, then what is generated */
    int64_t      longest;                /* prompt, in tokens */
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
    for (int i = 0; i < g->prompts.count; i++) {
        Prompt *p = &g->prompts.at[i];
        good = encode(g, p) && good;
        if (p->count > g->longest) g->longest = p->count;
    }
    return good;
}

/* ---- texts ---- */

static int64_t text_count(const Generator *g) { return g->prompts.count * g->samples; }

/* Several texts stand apart as `tail` shows several files. */
static void print_title(const Generator *g, int64_t text)
{
    int64_t prompt = text / g->samples, sample = text % g->samples;
    if (text_count(g) == 1) return;
    if (text) putchar('\n');
    fputs("==>", stdout);
    if (g->prompts.count > 1) printf(" prompt %lld", (long long)prompt + 1);
    if (g->samples > 1) printf("%s sample %lld", g->prompts.count > 1 ? "," : "", (long long)sample + 1);
    puts(" <==");
}

static void print_prompt(const Generator *g, int64_t text)
{
    const Prompt *p = &g->prompts.at[text / g->samples];
    print_title(g, text);
    if (p->given) fwrite(p->text.bytes, 1, (size_t)p->text.size, stdout);
    fflush(stdout);
}

static void show(Writing *w, bool all)
{
    RtText text = writing_take(w, all);
    if (!text.size) return;
    fwrite(text.bytes, 1, (size_t)text.size, stdout);
    fflush(stdout);
}

static void begin_row(Generator *g, int row, int64_t text)
{
    Row *r = &g->rows[row];
    bool none = text >= text_count(g);
    const Prompt *p = r->prompt = none ? g->rows[0].prompt : &g->prompts.at[text / g->samples];
    r->sample = none ? 0 : text % g->samples;
    r->done = none || !g->length;
    writing_begin(&r->writing, p->text);
    memcpy(g->tokens[row], p->ids, (size_t)p->count * sizeof *p->ids);
}

/* The token of a row behind `count` of them: of the prompt as long as that lasts. False after an error. */
static bool next_token(Generator *g, int row, const float *logits, int64_t count)
{
    Row *r = &g->rows[row];
    int32_t *tokens = g->tokens[row];
    int64_t place = count - r->prompt->count;
    if (place < 0) return true;
    if (r->done) return tokens[count] = tokens[count - 1], true;
    int32_t token = tokens[count] = sampler_choose(&g->sampler, logits, tokens, count, r->sample, place);
    if (token < 0)
        return session_fail(g->run->s, "%s gives numbers that are not finite behind %lld tokens: are the weights?",
                            g->predictor.entry, (long long)count) && false;
    r->done = !writing_add(&r->writing, token) || place + 1 >= g->length;
    if (g->predictor.rows == 1) show(&r->writing, false);
    return true;
}

static bool all_done(const Generator *g)
{
    bool done = true;
    for (int i = 0; i < g->predictor.rows; i++) done = done && g->rows[i].done;
    return done;
}

/* Rows with shorter prompts go on while longer ones are read, those that have ended are filled up. */
static bool generate_rows(Generator *g)
{
    int64_t first = g->rows[0].prompt->count;
    for (int i = 1; i < g->predictor.rows; i++)
        if (g->rows[i].prompt->count < first) first = g->rows[i].prompt->count;
    predict_begin(&g->predictor);
    for (int64_t count = first; !all_done(g); count++) {
        pace_start(&g->pace);
        const float *logits = predict_next(&g->predictor, g->tokens, count);
        for (int i = 0; i < g->predictor.rows; i++)
            if (!logits || !next_token(g, i, logits + i * g->predictor.vocabulary, count)) return false;
        if (count > first) pace_token(&g->pace, count - first);
        else pace_prompt(&g->pace, first);
    }
    return true;
}

/* One text is shown as it comes, several that are made together at their end. */
static bool generate_all(Generator *g)
{
    int rows = (int)g->predictor.rows;
    for (int64_t text = 0; text < text_count(g); text += rows) {
        for (int i = 0; i < rows; i++) begin_row(g, i, text + i);
        if (rows == 1) print_prompt(g, text);
        if (!generate_rows(g)) return false;
        for (int i = 0; i < rows && text + i < text_count(g); i++) {
            if (rows > 1) print_prompt(g, text + i);
            show(&g->rows[i].writing, true);
            putchar('\n');
        }
    }
    return true;
}

/* ---- the command ---- */

static bool open_predictor(Generator *g)
{
    int64_t *lengths = arena_array(g->run->s->arena, int64_t, g->prompts.count);
    for (int i = 0; i < g->prompts.count; i++) lengths[i] = g->prompts.at[i].count;
    return predict_open(g->run, g->tokenizer, lengths, g->prompts.count, g->length, text_count(g), &g->predictor);
}

/* States hold `context` tokens: of a longer prompt the end is read. */
static void cut_prompts(Generator *g)
{
    int64_t room = g->predictor.carries ? g->predictor.context : 0;
    for (int i = 0; i < g->prompts.count; i++) {
        Prompt *p = &g->prompts.at[i];
        if (!room || p->count <= room) continue;
        p->ids += p->count - room;
        p->count = room;
    }
}

static void make_rows(Generator *g)
{
    Session *s = g->run->s;
    for (int i = 0; i < g->predictor.rows; i++) {
        g->rows[i].writing = (Writing){ .tokenizer = g->tokenizer, .stops = &s->options->stop, .arena = s->arena };
        g->tokens[i] = arena_array(s->arena, int32_t, g->longest + g->length + 1);
    }
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
    cut_prompts(g);
    make_rows(g);
    g->pace.arena = s->arena;
    if (!generate_all(g)) return EXIT_BAD_INPUT;
    if (o->stats) pace_report(&g->pace, &g->predictor);
    return EXIT_GOOD;
}

static bool is_input(const char *file) { return file && !strcmp(file, "-"); }

static bool misused(const char *what)
{
    fprintf(stderr, "ptm generate: %s\n", what);
    return true;
}

static bool is_misuse(const Options *o)
{
    if (o->top_p > 1 || o->top_p == 0) return misused("--top-p is a share above 0, at most 1");
    if (o->penalty == 0) return misused("--repetition-penalty divides: it is above 0");
    int inputs = is_input(o->prompts);
    for (int i = 0; i < o->prompt.count; i++) inputs += is_input(o->prompt.at[i]);
    if (inputs > 1) return misused("standard input (-) is wanted twice, but can be read once");
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
