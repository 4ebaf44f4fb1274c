/* ptm generate: text from a trained model, one token after the other. The model sees the last `context` tokens; what
 * follows the newest is not yet written and, the model being causal, not seen. */
#include "frontend/cli/host.h"
#include "frontend/cli/run.h"
#include "runtime/core/memory.h"
#include "runtime/core/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT_LIMIT = 1 << 24 };

/* The model's `logits` on one window of tokens, ready to run. */
typedef struct Generator {
    Run         *run;
    Build        logits;
    const RtTokenizer *tokenizer;
    int64_t      context, vocabulary;
    char        *block[BLOCK_COUNT];
    int32_t     *ids;                    /* the input: `context` of them */
    const float *out;                    /* the output: (context, vocabulary) */
    float       *weights;                /* of one draw: `vocabulary` of them */
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

static bool find_context(Generator *g)
{
    Session *s = g->run->s;
    HostArg context;
    bool known = model_constant(s->model, "context", &context, s->diagnostics);
    if (diag_error_count(s->diagnostics)) return session_report(s);
    if (!known || context.kind != ARG_number) {
        session_fail(s, "the model does not say how many tokens it sees: `const context = 64`");
        return false;
    }
    if (context.number < 1 || context.number > CONTEXT_LIMIT || context.number != floor(context.number)) {
        session_fail(s, "context = %.10g: the model sees a whole number of tokens from 1 to %d", context.number,
                     CONTEXT_LIMIT);
        return false;
    }
    g->context = (int64_t)context.number;
    return true;
}

static bool compile_logits(Generator *g)
{
    Session *s = g->run->s;
    if (model_entry_parameters(s->model, "logits") != 1) {
        session_fail(s, "the model has no `fn logits(ids: i32[B, T])`");
        return false;
    }
    Dims *dims = model_dims(s->model);
    const Dim *shape[2] = { dim_int(dims, 1), dim_int(dims, g->context) };
    EntryArg arg = { type_of(DT_i32, 2, shape), model_entry_parameter(s->model, "logits", 0) };
    Graph *graph = model_entry(s->model, "logits", &arg, 1, false, s->diagnostics);
    if (!graph) return session_report(s) && false;
    g->run->layout = session_layout(s, NULL, &graph, 1);
    PassOptions passes = { .layout = g->run->layout };
    return build_graph(s, graph, &passes, &g->logits);
}

/* logits: f32[1, context, V], a number for each of the tokenizer's pieces at each place. */
static bool check_logits(const Generator *g)
{
    const Program *p = g->logits.program;
    const RtValue *out = p->outputs;
    int64_t size = rt_tokenizer_size(g->tokenizer);
    if (p->output_count == 1 && out->rank == 3 && out->dtype == RT_f32 && out->shape[0] == 1
        && out->shape[1] == g->context
        && out->shape[2] == size) return true;
    session_fail(g->run->s, "logits must be one f32[B, T, V] with V = %lld, the tokenizer's size", (long long)size);
    return false;
}

static bool bind(Generator *g)
{
    Run *r = g->run;
    const Program *p = g->logits.program;
    const char *ids = model_entry_parameter(r->s->model, "logits", 0);
    g->vocabulary = p->outputs[0].shape[2];
    char *work = rt_memory_new(p->block_bytes[BLOCK_work]);
    if (!work) return session_fail(r->s, "not enough memory") && false;
    char *block[BLOCK_COUNT] = { r->param, r->state, r->constants, work };
    memcpy(g->block, block, sizeof block);
    for (int i = 0; i < p->input_count; i++)
        if (!strcmp(p->inputs[i].name, ids)) g->ids = (int32_t *)rt_at(g->block, p->inputs[i].place);
    if (!g->ids) return session_fail(r->s, "logits does not depend on %s", ids) && false;
    g->out = (const float *)rt_at(g->block, p->outputs[0].place);
    g->weights = arena_array(r->s->arena, float, g->vocabulary);
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
    if (k < 1 || k >= g->vocabulary) return -INFINITY;
    memcpy(g->weights, logits, (size_t)g->vocabulary * sizeof *logits);
    qsort(g->weights, (size_t)g->vocabulary, sizeof *g->weights, by_falling_value);
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
    float most = logits[likeliest(logits, g->vocabulary)], least = threshold(g, logits, top_k);
    double total = 0, running = 0;
    for (int64_t i = 0; i < g->vocabulary; i++) {
        g->weights[i] = logits[i] >= least ? (float)exp((logits[i] - most) / temperature) : 0;
        total += g->weights[i];
    }
    uint64_t key = rt_random_key(g->run->seed, rt_random_hash("generate"));
    double at = rt_random_unit(rt_random_word(key, 0, (uint64_t)position)) * total;
    int32_t last = 0;
    for (int64_t i = 0; i < g->vocabulary; i++) {
        if (g->weights[i] <= 0) continue;
        last = (int32_t)i;
        running += g->weights[i];
        if (at < running) break;
    }
    return last;
}

static void print_tokens(const Generator *g, const int32_t *ids, int64_t count)
{
    int64_t size;
    char *text = rt_tokenizer_decode(g->tokenizer, ids, count, &size);
    fwrite(text, 1, (size_t)size, stdout);
    free(text);
    if (count == 1 && rt_tokenizer_rule(g->tokenizer) == TOKENIZER_words) putchar(' ');
    fflush(stdout);
}

static bool step(Generator *g, const int32_t *tokens, int64_t count, int64_t position, int32_t *next)
{
    const Options *o = g->run->s->options;
    int64_t seen = count < g->context ? count : g->context;
    memset(g->ids, 0, (size_t)g->context * sizeof *g->ids);
    memcpy(g->ids, tokens + count - seen, (size_t)seen * sizeof *g->ids);
    RtFault fault = { 0 };
    if (rt_program_run(g->logits.program, g->run->pool, g->block, &fault)) {
        RtError error;
        rt_fault_text(g->logits.program, &fault, &error);
        session_fail(g->run->s, "%s", error.text);
        return false;
    }
    const float *logits = g->out + (seen - 1) * g->vocabulary;
    double temperature = isnan(o->temperature) ? 1 : o->temperature;
    *next = temperature <= 0 ? likeliest(logits, g->vocabulary) : draw(g, logits, temperature, o->top_k, position);
    return true;
}

static int generate_text(Generator *g)
{
    Session *s = g->run->s;
    const char *prompt = s->options->prompt ? s->options->prompt : "\n";
    int64_t length = s->options->length >= 0 ? s->options->length : 500;
    RtIds ids = { 0 };
    RtError error;
    if (!rt_tokenizer_encode(g->tokenizer, (RtText){ prompt, (int64_t)strlen(prompt) }, &ids, &error))
        return session_fail(s, "--prompt: %s", error.text);
    int32_t *tokens = arena_array(s->arena, int32_t, ids.count + length + 1);
    int64_t count = ids.count;
    if (count) memcpy(tokens, ids.ids, (size_t)count * sizeof *tokens);
    else count = 1;                      /* an empty prompt: begin with token 0 */
    rt_ids_free(&ids);
    if (s->options->prompt) fputs(prompt, stdout);
    for (int64_t i = 0; i < length; i++, count++) {
        if (!step(g, tokens, count, i, &tokens[count])) return EXIT_BAD_INPUT;
        print_tokens(g, &tokens[count], 1);
    }
    putchar('\n');
    return EXIT_GOOD;
}

static int generate(Generator *g)
{
    Run *r = g->run;
    if (!r->s->options->weights) return session_fail(r->s, "which weights? --weights DIR or FILE is missing");
    if (!find_tokenizer(g) || !find_context(g) || !compile_logits(g) || !check_logits(g)) return EXIT_BAD_INPUT;
    if (!run_memory(r, &g->logits, 1) || !bind(g)) return EXIT_BAD_INPUT;
    return generate_text(g);
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
        if (g.block[BLOCK_work]) rt_memory_free(g.block[BLOCK_work], g.logits.program->block_bytes[BLOCK_work]);
    }
    build_free(&g.logits);
    run_close(&r);
    session_close(&s);
    return status;
}
