/* Predictions. The model being causal, what follows the newest token of a window is not yet written and not seen. */
#include "frontend/cli/predict.h"
#include "frontend/cli/host.h"
#include "runtime/core/memory.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { CONTEXT_LIMIT = 1 << 24 };

/* `logits` must have a context; without one the states of `next` hold any number of tokens. */
static bool find_context(Predictor *p)
{
    Session *s = p->run->s;
    HostArg context;
    bool known = model_constant(s->model, "context", &context, s->diagnostics);
    if (diag_error_count(s->diagnostics)) return session_report(s);
    if (!known || context.kind != ARG_number) {
        if (p->carries) return true;
        session_fail(s, "the model does not say how many tokens it sees: `const context = 64`");
        return false;
    }
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
    if (p->carries || model_entry_parameters(m, "logits") == 1) return find_context(p);
    session_fail(p->run->s, "the model has no `fn logits(ids: i32[B, T])`, and no `fn next(ids: i32[B, T])`");
    return false;
}

static bool compile(Predictor *p)
{
    Session *s = p->run->s;
    int count = p->length_count;
    Dims *dims = model_dims(s->model);
    Graph **graphs = arena_array(s->arena, Graph *, count);
    Graphs all = { 0 };
    for (int i = 0; i < count; i++) {
        const Dim *shape[2] = { dim_int(dims, 1), dim_int(dims, p->lengths[i]) };
        EntryArg arg = { type_of(DT_i32, 2, shape), model_entry_parameter(s->model, p->entry, 0) };
        graphs[i] = model_entry(s->model, p->entry, &arg, 1, false, s->diagnostics);
        if (!graphs[i]) return session_report(s) && false;
        vec_push(s->arena, &all, graphs[i]);
    }
    p->run->layout = build_layout(s, &all);
    return job_open(s, p->entry, graphs, count, 0, NULL, p->run->layout, &p->job) && job_build(s, NULL, &p->job);
}

/* logits: f32[1, context, V]; next: f32[1, V]: a number for each of the tokenizer's pieces (at each place). */
static bool check_result(Predictor *p, const RtTokenizer *tokenizer)
{
    int64_t size = rt_tokenizer_size(tokenizer);
    bool places = !p->carries, good = true;
    for (int i = 0; i < p->job.count; i++) {
        const Program *program = p->job.run[i].program;
        const RtValue *out = program->outputs;
        good = good && program->output_count == 1 && out->dtype == RT_f32 && out->rank == (places ? 3 : 2)
            && out->shape[0] == 1 && (!places || out->shape[1] == p->context) && out->shape[out->rank - 1] == size;
    }
    p->vocabulary = size;
    if (good) return true;
    session_fail(p->run->s, "%s must be one f32[%s] with V = %lld, the tokenizer's size", p->entry,
                 places ? "B, T, V" : "B, V", (long long)size);
    return false;
}

static void begin(Predictor *p)
{
    if (p->job.states.bytes) memcpy(p->block[BLOCK_state], p->job.states.initial, (size_t)p->job.states.bytes);
    p->held = 0;
}

static const RtValue *ids_of(const Predictor *p, const Program *program)
{
    const RtValue *ids = rt_program_input(program, model_entry_parameter(p->run->s->model, p->entry, 0));
    assert(ids && "a program lists the inputs of its graph, read or not");
    return ids;
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
    begin(p);
    return true;
}

static void add_length(Predictor *p, int64_t length)
{
    for (int i = 0; i < p->length_count; i++)
        if (p->lengths[i] == length) return;
    p->lengths[p->length_count++] = length;
}

/* A context of which nothing is left is begun again with its last half. */
static int64_t half(const Predictor *p) { return p->context > 1 ? p->context / 2 : 1; }

static void choose_lengths(Predictor *p, int64_t prompt, int64_t more)
{
    bool all = p->context && (!p->carries || prompt > p->context);
    add_length(p, all ? p->context : prompt);
    if (!p->carries) return;
    if (more > 1) add_length(p, 1);
    if (p->context && prompt + more - 1 > p->context) add_length(p, half(p));
}

bool predict_open(Run *run, const RtTokenizer *tokenizer, int64_t prompt, int64_t more, Predictor *out)
{
    out->run = run;
    if (!choose_entry(out)) return false;
    choose_lengths(out, prompt, more);
    return compile(out) && check_result(out, tokenizer) && run_memory(run, &out->job) && make_blocks(out);
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
static int64_t seen_now(Predictor *p, int64_t count)
{
    if (!p->carries) return count < p->context ? count : p->context;
    int64_t fresh = count - p->read;
    if (!p->context || p->held + fresh <= p->context) return fresh;
    int64_t again = p->held ? half(p) : p->context;
    begin(p);
    return again;
}

static int program_of(const Predictor *p, int64_t length)
{
    int i = 0;
    while (p->carries && p->lengths[i] != length) i++;
    return i;
}

const float *predict_next(Predictor *p, const int32_t *tokens, int64_t count)
{
    int64_t seen = seen_now(p, count);
    const Program *program = p->job.run[program_of(p, seen)].program;
    const RtValue *input = ids_of(p, program);
    int32_t *ids = (int32_t *)rt_at(p->block, input->place);
    memset(ids, 0, (size_t)input->shape[1] * sizeof *ids);
    memcpy(ids, tokens + count - seen, (size_t)seen * sizeof *ids);
    if (!run_program(p, program, count - 1)) return NULL;
    p->read = count;
    p->held += seen;
    const float *out = (const float *)rt_at(p->block, program->outputs->place);
    return p->carries ? out : out + (seen - 1) * p->vocabulary;
}

void predict_close(Predictor *p)
{
    job_close(&p->job);
    if (p->block[BLOCK_work]) rt_memory_free(p->block[BLOCK_work], p->work_bytes);
    if (p->block[BLOCK_state]) rt_memory_free(p->block[BLOCK_state], p->job.states.bytes);
}
