/* Predictions. The model being causal, what follows the newest token of a window is not yet written and not seen. */
#include "frontend/cli/predict.h"
#include "frontend/cli/host.h"
#include "runtime/core/memory.h"
#include "runtime/train/run.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { CONTEXT_LIMIT = 1 << 24 };

/* What predict_open is asked for. */
typedef struct Asked {
    const int64_t *prompts;
    int64_t count, more, rows;
} Asked;

/* 0 where the model has none. */
static bool find_context(Predictor *p)
{
    Session *s = p->run->s;
    HostArg context;
    bool known = model_constant(s->model, "context", &context, s->diagnostics);
    if (diag_error_count(s->diagnostics)) return session_report(s);
    if (!known || context.kind != ARG_number) return true;
    if (context.number < 1 || context.number > CONTEXT_LIMIT || context.number != floor(context.number)) {
        session_fail(s, "context = %.10g: the model sees a whole number of tokens from 1 to %d", context.number,
                     CONTEXT_LIMIT);
        return false;
    }
    p->context = (int64_t)context.number;
    return true;
}

static bool choose_entry(Predictor *p)
{
    const Model *m = p->run->s->model;
    p->carries = model_entry_parameters(m, "next") == 1;
    p->entry = p->carries ? "next" : "logits";
    if (p->carries || model_entry_parameters(m, "logits") == 1) return true;
    return session_fail(p->run->s, "the model cannot say what comes next: it has no `fn next(ids: i32[B, T]) -> "
                        "f32[B, V]` and no `fn logits(ids: i32[B, T]) -> f32[B, T, V]`") && false;
}

static Graph *elaborate(const Predictor *p, int64_t rows, int64_t length, Diagnostics *d)
{
    Session *s = p->run->s;
    Dims *dims = model_dims(s->model);
    const Dim *shape[2] = { dim_int(dims, rows), dim_int(dims, length) };
    EntryArg arg = { type_of(DT_i32, 2, shape), model_entry_parameter(s->model, p->entry, 0) };
    return model_entry(s->model, p->entry, &arg, 1, false, d);
}

static Graph *entry_of(Predictor *p, int64_t length)
{
    Session *s = p->run->s;
    Graph *graph = elaborate(p, p->rows, length, s->diagnostics);
    if (!graph) session_report(s);
    return graph;
}

/* The results of the entry: "f32[1, 8, 29], f32". */
static const char *results_text(Arena *arena, const Graph *graph)
{
    const char *text = "";
    for (int i = 0; i < graph->outputs.count; i++) {
        if (graph->outputs.at[i].kind != OUTPUT_result) continue;
        Type type = graph->outputs.at[i].node->type;
        for (int k = 0; k < type.rank; k++) type.dim[k] = dim_int(graph->dims, dim_value(type.dim[k]));
        text = arena_print(arena, "%s%s%s", text, *text ? ", " : "", type_text(arena, &type));
    }
    return text;
}

/* logits: f32[1, length, V]; next: f32[1, V]: a number for each of the tokenizer's pieces (at each place). */
static bool check_result(Predictor *p, int64_t length)
{
    Session *s = p->run->s;
    const Graph *graph = entry_of(p, length);
    if (!graph) return false;
    const Type *type = &graph->outputs.at[0].node->type;
    int results = 0;
    for (int i = 0; i < graph->outputs.count; i++) results += graph->outputs.at[i].kind == OUTPUT_result;
    bool good = results == 1 && type->dtype == DT_f32 && type->rank == (p->carries ? 2 : 3)
             && dim_value(type->dim[0]) == 1 && dim_value(type->dim[type->rank - 1]) == p->vocabulary;
    if (good && (p->carries || dim_value(type->dim[1]) == length)) return true;
    session_fail(s, "%s must be one f32[%s] with V = %lld, the tokenizer's size: a number for each of its pieces%s; "
                 "of %lld tokens it makes %s", p->entry, p->carries ? "B, V" : "B, T, V", (long long)p->vocabulary,
                 p->carries ? "" : " at every place", (long long)length, results_text(s->arena, graph));
    return false;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static bool has_own_products(const Predictor *p) { return build_blas(p->run->s->options) == BLAS_none; }

/* How many of `left` tokens a run reads. */
static int64_t run_length(const Predictor *p, int64_t left)
{
    int64_t length = p->rows > 1 ? 1 : p->longest;
    while (length > left) length /= PREDICT_FACTOR;
    return length;
}

static int find_length(const Predictor *p, int64_t length)
{
    int i = 0;
    while (i < p->length_count && p->lengths[i] != length) i++;
    return i;
}

static void add_lengths(Predictor *p, int64_t tokens)
{
    for (int64_t length; tokens > 0; tokens -= length) {
        length = run_length(p, tokens);
        if (find_length(p, length) == p->length_count) p->lengths[p->length_count++] = length;
    }
}

/* Of a context that is full, what is read again. */
static int64_t half(const Predictor *p) { return p->context > 1 ? p->context / 2 : 1; }

static void choose_lengths(Predictor *p, const Asked *asked)
{
    p->length_count = 0;
    if (!p->carries) {
        p->lengths[p->length_count++] = p->context;
        return;
    }
    for (int64_t i = 0; i < asked->count; i++) {
        int64_t prompt = asked->prompts[i];
        add_lengths(p, p->context ? least(prompt, p->context) : prompt);
        if (p->context && prompt + asked->more - 1 > p->context) add_lengths(p, half(p));
    }
    if (asked->more > 1) add_lengths(p, 1);
}

static bool plan(Predictor *p, const Asked *asked)
{
    Session *s = p->run->s;
    choose_lengths(p, asked);
    Graph **graphs = arena_array(s->arena, Graph *, p->length_count);
    Graphs all = { 0 };
    for (int i = 0; i < p->length_count; i++) {
        if (!(graphs[i] = entry_of(p, p->lengths[i]))) return false;
        vec_push(s->arena, &all, graphs[i]);
    }
    p->run->layout = build_layout(s, &all);
    return job_open(s, p->entry, graphs, p->length_count, 0, NULL, p->run->layout, &p->job)
        && job_plan(s, NULL, &p->job);
}

static bool has_parts(const Plan *plan)
{
    bool parts = false;
    for (int k = 0; k < plan->kernels.count; k++) {
        const Kernel *kernel = plan->kernels.at[k];
        parts = parts || kernel->parts >= 0 || (kernel->body && has_parts(kernel->body));
    }
    return parts;
}

static bool rows_are_apart(const Predictor *p)
{
    bool parts = false;
    for (int i = 0; i < p->length_count; i++) parts = parts || has_parts(p->job.builds[i].plan);
    return !parts;
}

/* Whether the model takes so many rows: one may be all that its states are made for. */
static bool takes_rows(const Predictor *p, int64_t rows)
{
    return elaborate(p, rows, 1, diag_new(p->run->s->arena)) != NULL;
}

/* As many tokens in a run, and rows together, as leave every sum what it is in one token or row alone: products of our
 * own may make the sums of many in parts. */
static bool compile(Predictor *p, const Asked *asked)
{
    if (!plan(p, asked)) return false;
    if (p->carries && has_own_products(p) && !rows_are_apart(p)) {
        p->longest = PREDICT_FACTOR;
        job_close(&p->job);
        if (!plan(p, asked)) return false;
    }
    bool apart = p->carries && asked->rows > 1 && has_own_products(p) && rows_are_apart(p);
    if (apart && takes_rows(p, asked->rows)) {
        p->rows = asked->rows;
        job_close(&p->job);
        if (!plan(p, asked)) return false;
        apart = rows_are_apart(p);
    }
    if (p->rows > 1 && !apart) {
        p->rows = 1;
        job_close(&p->job);
        if (!plan(p, asked)) return false;
    }
    return job_compile(p->run->s, &p->job);
}

static const RtValue *ids_of(const Predictor *p, const Program *program)
{
    const RtValue *ids = rt_program_input(program, model_entry_parameter(p->run->s->model, p->entry, 0));
    assert(ids && "a program lists the inputs of its graph, read or not");
    return ids;
}

void predict_begin(Predictor *p)
{
    states_begin(&p->job.states, p->block[BLOCK_state]);
    p->read = p->held = 0;
}

static bool make_blocks(Predictor *p)
{
    Run *r = p->run;
    for (int i = 0; i < p->job.count; i++) {
        const Program *program = p->job.run[i].program;
        if (program->block_bytes[BLOCK_work] > p->work_bytes) p->work_bytes = program->block_bytes[BLOCK_work];
    }
    p->block[BLOCK_param] = r->param;
    p->block[BLOCK_const] = r->constants;
    p->block[BLOCK_work] = rt_memory_new(p->work_bytes);
    p->block[BLOCK_state] = rt_memory_new(p->job.states.bytes);
    if (!p->block[BLOCK_work] || !p->block[BLOCK_state]) return session_fail(r->s, "not enough memory") && false;
    predict_begin(p);
    return true;
}

bool predict_open(Run *run, const RtTokenizer *tokenizer, const int64_t *prompts, int64_t count, int64_t more,
                  int64_t rows, Predictor *out)
{
    enum { SOME = 8 };
    out->run = run;
    out->rows = 1;
    out->longest = PREDICT_LONGEST;
    out->vocabulary = rt_tokenizer_size(tokenizer);
    if (!choose_entry(out) || !find_context(out)) return false;
    if (!check_result(out, out->context ? out->context : SOME)) return false;
    if (!out->carries && !out->context)
        return session_fail(run->s, "the model does not say how many tokens it sees: `const context = 64`") && false;
    Asked asked = { prompts, count, more, least(rows, PREDICT_ROWS) };
    return compile(out, &asked) && run_memory(run, &out->job) && make_blocks(out);
}

static bool run_program(Predictor *p, const Program *program, int64_t position)
{
    const RtValue *seed = rt_program_input(program, "seed"), *step = rt_program_input(program, "step");
    if (seed) *(int64_t *)rt_at(p->block, seed->place) = (int64_t)p->run->seed;
    if (step) *(int64_t *)rt_at(p->block, step->place) = position;
    RtFault fault = { 0 };
    if (!rt_program_run(program, p->run->pool, p->block, &fault)) return true;
    RtError error;
    rt_fault_text(program, &fault, &error);
    return session_fail(p->run->s, "%s", error.text) && false;
}

/* How many of the newest tokens are read: with states those that they do not know, as long as there is room. */
static int64_t choose_fresh(Predictor *p, int64_t count)
{
    if (!p->carries) return least(count, p->context);
    int64_t fresh = count - p->read;
    if (!p->context || p->held + fresh <= p->context) return fresh;
    predict_begin(p);
    return half(p);
}

/* Runs on the first of the tokens from `from` to before `count`; returns how many it has read, 0 after an error. */
static int64_t read_some(Predictor *p, int32_t *const *tokens, int64_t from, int64_t count, const Program **used)
{
    int64_t length = p->carries ? run_length(p, count - from) : count - from;
    const Program *program = *used = p->job.run[p->carries ? find_length(p, length) : 0].program;
    const RtValue *input = ids_of(p, program);
    int32_t *ids = (int32_t *)rt_at(p->block, input->place);
    memset(ids, 0, (size_t)(p->rows * input->shape[1]) * sizeof *ids);
    for (int64_t row = 0; row < p->rows; row++)
        memcpy(ids + row * length, tokens[row] + from, (size_t)length * sizeof *ids);
    return run_program(p, program, from + length - 1) ? length : 0;
}

const float *predict_next(Predictor *p, int32_t *const *tokens, int64_t count)
{
    const Program *program = NULL;
    int64_t fresh = choose_fresh(p, count);
    for (int64_t from = count - fresh, length; from < count; from += length)
        if (!(length = read_some(p, tokens, from, count, &program))) return NULL;
    p->read = count;
    p->held += fresh;
    const float *out = (const float *)rt_at(p->block, program->outputs->place);
    return p->carries ? out : out + (fresh - 1) * p->vocabulary;
}

void predict_close(Predictor *p)
{
    job_close(&p->job);
    if (p->block[BLOCK_work]) rt_memory_free(p->block[BLOCK_work], p->work_bytes);
    if (p->block[BLOCK_state]) rt_memory_free(p->block[BLOCK_state], p->job.states.bytes);
}
