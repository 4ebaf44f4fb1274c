/* Schedules that see epochs and the values of an evaluation: the rate at some steps. */
#include "tests/frontend/program.h"

/* The learning rate that `using` gives in this step, with epochs of 10 steps. */
static double rate_at(const char *rate, int64_t step)
{
    char text[2048];
    snprintf(text, sizeof text,
             "data { const tok = chars()\n batch = batches(tok(read(\"text\")), size = 4) }\nparam w: f32[10] = 1\n"
             "fn loss(ids: i32[B]) -> f32 { return sum(w[ids]) }\n"
             "train { minimize loss(batch); epochs 8; using sgd(lr = %s) }\n", rate);
    Program *p = program_new(text);
    const StageSpec *stage = &model_train(p->model)->stages[0];
    EntryArg arg = { stage->streams[0].stream.type, "ids" };
    model_entry(p->model, "loss", &arg, 1, true, p->d);
    assert_clean(p);
    Graph *g = model_update(p->model, stage, model_find_param(p->model, "w"), 80, 10, p->d);
    assert_clean(p);
    Tensor *inputs[4], *results[4];
    for (int i = 0; i < g->inputs.count; i++) {
        inputs[i] = tensor_new(p->arena, g->inputs.at[i]->type);
        if (!strcmp(g->inputs.at[i]->attr.text, "step")) inputs[i]->i[0] = step;
    }
    const char *why = graph_eval(g, inputs, results, p->arena);
    if (why) fail_msg("%s", why);
    double found = NAN;
    for (int i = 0; i < g->outputs.count; i++)
        if (!strcmp(g->outputs.at[i].name, "lr")) found = results[i]->f[0];
    program_free(p);
    return found;
}

/* Zaremba, Sutskever, Vinyals 2014, section 4.1: rate 1 for four epochs, then half of the one before. */
static void test_halving(void **state)
{
    (void)state;
    const char *rate = "halving(1.0, after = 4)";
    assert_true(rate_at(rate, 0) == 1 && rate_at(rate, 39) == 1);
    assert_true(rate_at(rate, 40) == 0.5 && rate_at(rate, 49) == 0.5);
    assert_true(rate_at(rate, 50) == 0.25 && rate_at(rate, 79) == 0.0625);
    assert_true(rate_at("halving(8)", 9) == 8 && rate_at("halving(8)", 10) == 4);
    assert_true(rate_at("halving(8, after = 2, factor = 0.25)", 35) == 0.5);
}

/* The second and the last value do not beat the best before them; those to come are NaN. Larger values are better where
 * it says so. */
static void test_plateau(void **state)
{
    (void)state;
    const char *text = "fn f(v: f32[K]) -> f32 { return plateau(16.0, v) }\n";
    Given none = { DT_f32, { 3 }, (const double[]){ NAN, NAN, NAN } };
    assert_f(text, &none, 1, VALUES(16));
    Given some = { DT_f32, { 4 }, (const double[]){ 5, 4, NAN, NAN } };
    assert_f(text, &some, 1, VALUES(16));
    Given all = { DT_f32, { 5 }, (const double[]){ 5, 6, 4, 3, 3 } };
    assert_f(text, &all, 1, VALUES(1));
    assert_f("fn f(v: f32[K]) -> f32 { return plateau(16.0, v, factor = 0.5) }\n", &all, 1, VALUES(4));
    const char *larger = "fn f(v: f32[K]) -> f32 { return plateau(16.0, v, larger = true) }\n";
    Given rising = { DT_f32, { 5 }, (const double[]){ 0.5, 0.6, 0.55, 0.7, NAN } };
    assert_f(larger, &rising, 1, VALUES(4));
    Given falling = { DT_f32, { 3 }, (const double[]){ 0.7, 0.6, 0.5 } };
    assert_f(larger, &falling, 1, VALUES(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_halving), cmocka_unit_test(test_plateau) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
