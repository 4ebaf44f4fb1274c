/* Evaluations: a term runs its entry over a finite pass and reduces what comes out in f64, in an order
 * that follows from the data. */
#include "runtime/train/run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/value.h"
#include "runtime/train/interrupt.h"

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

/* weight: of a number that is a mean over the batch. */
static void add_batch(Reduction *x, const RtTerm *term, char *const *block, const RtValue *result, int64_t batch_weight)
{
    int64_t elements = 1;
    for (int32_t i = 0; i < result->rank; i++) elements *= result->shape[i];
    double weight = result->rank == 0 && term->reduce == RT_MEAN ? (double)batch_weight : 1;
    double sum = 0;
    for (int64_t i = 0; i < elements; i++) sum += value_element(block, result, i);
    x->sum += weight * sum;
    x->weight += weight * (double)elements;
}

static bool run_batch(const Recipe *r, const Blocks *b, const RtTerm *term, int64_t step, int64_t index, Reduction *x,
                      RtError *e)
{
    const RtRun *run = runs_pass(&term->runs, index);
    if (run->idle) return true;
    const RtStream *stream = runs_stream(&term->runs);
    run_fill_pass(run, b->evaluate, EVALUATION_SEED, step, index);
    RtFault fault;
    if (rt_program_watch(run->program, r->pool, b->evaluate, r->watch, &fault) != 0) {
        rt_fault_text(run->program, &fault, e);
        return false;
    }
    int64_t weight = stream ? stream->variants[rt_stream_pass_variant(stream, index)].weight : 1;
    add_batch(x, term, b->evaluate, result_of(run->program), weight);
    return true;
}

static RtOutcome run_term(const Recipe *r, const Blocks *b, const RtTerm *term, int64_t step, double *value, RtError *e)
{
    const RtStream *stream = runs_stream(&term->runs);
    int64_t batches = stream ? rt_stream_pass_batches(stream) : 1;
    states_begin(&term->states, b->evaluate[BLOCK_state]);
    Reduction x = {0};
    for (int64_t i = 0; i < batches; i++) {
        if (interrupt_asked()) return RT_INTERRUPTED;
        if (!run_batch(r, b, term, step, i, &x, e)) return RT_FAILED;
    }
    *value = term->reduce == RT_MEAN ? x.sum / x.weight : x.sum;
    return RT_DONE;
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
    if (rt_program_watch(post, r->pool, b->evaluate, r->watch, &fault) != 0) {
        rt_fault_text(post, &fault, e);
        return false;
    }
    *value = value_element(b->evaluate, result_of(post), 0);
    return true;
}

RtOutcome evaluate_one(const Recipe *r, const Blocks *b, const RtEvaluation *evaluation, int64_t step, double *value,
                       RtError *e)
{
    double terms[MAX_TERMS] = { 0 };
    if (evaluation->term_count > MAX_TERMS) {
        rt_fail(e, "evaluate %s has more than %d terms", evaluation->name, MAX_TERMS);
        return RT_FAILED;
    }
    for (int i = 0; i < evaluation->term_count; i++) {
        RtOutcome outcome = run_term(r, b, &evaluation->terms[i], step, &terms[i], e);
        if (outcome != RT_DONE) return outcome;
    }
    *value = terms[0];
    return !evaluation->post || combine(r, b, evaluation->post, terms, value, e) ? RT_DONE : RT_FAILED;
}

bool rt_evaluate(const Recipe *r, double *values, RtError *e)
{
    if (r->stage_count == 0) return true;
    const RtStage *last = &r->stages[r->stage_count - 1];
    Blocks blocks;
    if (!blocks_new(r, &blocks, e)) return false;
    bool good = true;
    for (int i = 0; i < last->evaluation_count && good; i++) {
        good = evaluate_one(r, &blocks, &last->evaluations[i], last->steps, &values[i], e) == RT_DONE;
    }
    blocks_free(&blocks);
    return good;
}
