/* Evaluations: a term runs its entry over a finite pass and reduces what comes out in f64, in data order. */
#include "runtime/train/run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/value.h"

enum { MAX_TERMS = 64 };

/* A key of its own: what an evaluation draws does not depend on how the training draws. */
static const uint64_t EVALUATION_SEED = 0x5EED;

typedef struct Reduction {
    double sum, weight;
} Reduction;

static const RtValue *result_of(const Program *program)
{
    for (int32_t i = 0; i < program->output_count; i++) {
        if (strcmp(program->outputs[i].name, "0") == 0) return &program->outputs[i];
    }
    assert(program->output_count > 0);
    return &program->outputs[0];
}

static void add_batch(Reduction *x, const RtTerm *term, char *const *block, const RtValue *result, int64_t rows)
{
    int64_t elements = 1;
    for (int32_t i = 0; i < result->rank; i++) elements *= result->shape[i];
    double weight = result->rank == 0 && term->reduce == RT_MEAN ? (double)rows : 1;
    double sum = 0;
    for (int64_t i = 0; i < elements; i++) sum += value_element(block, result, i);
    x->sum += weight * sum;
    x->weight += weight * (double)elements;
}

/* The program for a batch: a pass may end with a short one, which may be all there is. */
static const RtRun *run_of(const RtTerm *term, bool is_last)
{
    return !term->full.program || (is_last && term->rest.program) ? &term->rest : &term->full;
}

static bool run_batch(const Recipe *r, const Blocks *b, const RtTerm *term, int64_t step, int64_t index, bool is_last,
                      Reduction *x, RtError *e)
{
    const RtRun *run = run_of(term, is_last);
    int64_t rows = run_fill_pass(run, b->evaluate, EVALUATION_SEED, step, index);
    RtFault fault;
    if (rt_program_run(run->program, r->pool, b->evaluate, &fault) != 0) {
        rt_fault_text(run->program, &fault, e);
        return false;
    }
    add_batch(x, term, b->evaluate, result_of(run->program), rows);
    return true;
}

/* Only what the programs read: the block may hold the optimizer's states too, which an evaluation never touches. */
static void reset_state(const RtTerm *term, const Blocks *b)
{
    const Program *program = run_of(term, false)->program;
    for (int32_t i = 0; i < program->input_count; i++) {
        const RtValue *state = &program->inputs[i];
        if (rt_block(state->place) != BLOCK_state) continue;
        char *to = rt_at(b->evaluate, state->place);
        if (term->state) memcpy(to, term->state + (to - b->evaluate[BLOCK_state]), (size_t)state->bytes);
        else memset(to, 0, (size_t)state->bytes);
    }
}

static bool run_term(const Recipe *r, const Blocks *b, const RtTerm *term, int64_t step, double *value, RtError *e)
{
    const RtRun *run = run_of(term, false);
    const RtStream *stream = run->feed_count > 0 ? run->feeds[0].stream : NULL;
    int64_t batches = stream ? rt_stream_pass_batches(stream) : 1;
    reset_state(term, b);
    Reduction x = {0};
    for (int64_t i = 0; i < batches; i++) {
        if (!run_batch(r, b, term, step, i, i == batches - 1, &x, e)) return false;
    }
    *value = term->reduce == RT_MEAN ? x.sum / x.weight : x.sum;
    return true;
}

/* The program around the terms. */
static bool combine(const Recipe *r, const Blocks *b, const Program *post, const double *terms, double *value,
                    RtError *e)
{
    for (int32_t i = 0; i < post->input_count; i++) {
        const RtValue *input = &post->inputs[i];
        assert(input->dtype == RT_f64 && input->rank == 0);
        memcpy(rt_at(b->evaluate, input->place), &terms[atoi(input->name)], sizeof *terms);
    }
    RtFault fault = {0};
    if (rt_program_run(post, r->pool, b->evaluate, &fault) != 0) {
        rt_fault_text(post, &fault, e);
        return false;
    }
    *value = value_element(b->evaluate, result_of(post), 0);
    return true;
}

bool evaluate_one(const Recipe *r, const Blocks *b, const RtEvaluation *evaluation, int64_t step, double *value,
                  RtError *e)
{
    double terms[MAX_TERMS];
    if (evaluation->term_count > MAX_TERMS)
        return rt_fail(e, "evaluate %s has more than %d terms", evaluation->name, MAX_TERMS);
    for (int i = 0; i < evaluation->term_count; i++) {
        if (!run_term(r, b, &evaluation->terms[i], step, &terms[i], e)) return false;
    }
    if (evaluation->post) return combine(r, b, evaluation->post, terms, value, e);
    *value = terms[0];
    return true;
}

bool rt_evaluate(const Recipe *r, double *values, RtError *e)
{
    Blocks blocks;
    if (!blocks_new(r, &blocks, e)) return false;
    bool good = true;
    for (int i = 0; i < r->evaluation_count && good; i++) {
        good = evaluate_one(r, &blocks, &r->evaluations[i], r->steps, &values[i], e);
    }
    blocks_free(&blocks);
    return good;
}
