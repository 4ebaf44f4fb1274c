/* The train block: settings, evaluations, optimizers with groups, schedules. */
#include "tests/frontend/program.h"

#define MODEL \
    "data {\n const tok = chars(read(\"text\")), V = size(tok)\n" \
    " batch = windows(tok(read(\"text\")), length = 5, batch = 2)\n" \
    " valid = windows(tok(read(\"text\")), length = 5, batch = 3)\n}\n" \
    "fn nll(ids: i32[B, T+1]; smooth = 0.0) -> f32[B, T] {\n" \
    " return cross_entropy(head: linear(e: embedding(ids[:, :-1], V, 4), V), ids[:, 1:], smooth = smooth)\n}\n" \
    "fn loss(ids: i32[B, T+1]; smooth = 0.0) -> f32 { return mean(nll(ids, smooth = smooth)) }\n"

static Program *trained(const char *settings)
{
    char text[4096];
    snprintf(text, sizeof text, "%strain {\n%s\n}\n", MODEL, settings);
    return program_new(text);
}

static void train_says(const char *settings, const char *wanted)
{
    Program *p = trained(settings);
    model_check(p->model, p->d);
    assert_says(p, wanted);
    program_free(p);
}

static const StageSpec *stage_at(Program *p, int i)
{
    assert_true(i < model_train(p->model)->stage_count);
    return &model_train(p->model)->stages[i];
}

static Graph *minimized(Program *p)
{
    const StageSpec *spec = stage_at(p, 0);
    EntryArg args[4];
    for (int i = 0; i < spec->stream_count; i++) args[i] = (EntryArg){ spec->streams[i].stream.type, NULL };
    return model_entry(p->model, spec->minimize, args, spec->stream_count, true, p->d);
}

static void test_settings_are_read(void **state)
{
    (void)state;
    Program *p = trained("minimize loss(batch); using sgd(lr = 0.1); clip 1.5; steps 20\n"
                         "evaluate loss = mean(nll(valid)), every = 5\nevaluate ppl = exp(mean(nll(valid)))");
    assert_clean(p);
    assert_true(model_train(p->model)->present && model_train(p->model)->stage_count == 1);
    const StageSpec *spec = stage_at(p, 0);
    assert_string_equal(spec->name, "");
    assert_true(spec->clip == 1.5 && spec->steps == 20 && spec->epochs == 0 && spec->frozen_count == 0);
    assert_string_equal(spec->minimize, "loss");
    assert_int_equal(spec->stream_count, 1);
    assert_string_equal(spec->streams[0].name, "batch");
    assert_int_equal(spec->evaluation_count, 2);
    assert_string_equal(spec->evaluations[0].name, "loss");
    assert_int_equal(spec->evaluations[0].every, 5);
    assert_null(spec->evaluations[0].post);
    assert_int_equal(spec->evaluations[1].every, 0);
    model_check(p->model, p->d);
    assert_clean(p);
    program_free(p);
}

/* Static arguments of the minimized call belong to the entry; its names stand for the dimensions. */
static void test_minimized_entry(void **state)
{
    (void)state;
    Program *p = trained("minimize loss(batch, smooth = 0.5); using sgd(); epochs 2");
    Graph *g = minimized(p);
    assert_clean(p);
    assert_string_equal(model_entry_parameter(p->model, stage_at(p, 0)->minimize, 0), "ids");
    assert_string_equal(type_text(p->arena, &g->inputs.at[0]->type), "i32[B, T + 1]");
    assert_int_equal(dim_value(g->inputs.at[0]->type.dim[0]), 2);
    Graph *plain = model_entry(p->model, "loss", &(EntryArg){ stage_at(p, 0)->streams[0].stream.type, NULL }, 1,
                               true, p->d);
    assert_true(g->nodes.count > plain->nodes.count);
    program_free(p);
}

/* What stands around mean(…) is a graph over f64 scalars; inside is a graph over the stream. */
static void test_evaluations(void **state)
{
    (void)state;
    Program *p = trained("minimize loss(batch); using sgd(); steps 1\n"
                         "evaluate x = exp(-mean(nll(valid)) / 2) + sum(nll(batch)[:, 0])");
    assert_clean(p);
    const Evaluation *e = &stage_at(p, 0)->evaluations[0];
    assert_int_equal(e->term_count, 2);
    assert_true(e->terms[0].reduce == TERM_mean && e->terms[1].reduce == TERM_sum);
    assert_string_equal(e->terms[0].streams[0].name, "valid");
    Tensor *inputs[2] = { tensor_new(p->arena, type_scalar(DT_f64)), tensor_new(p->arena, type_scalar(DT_f64)) },
        *result;
    for (int i = 0; i < 2; i++) inputs[i]->f[0] = atoi(e->post->inputs.at[i]->attr.text) ? 3 : 2;
    assert_null(graph_eval(e->post, inputs, &result, p->arena));
    assert_true(fabs(result->f[0] - (exp(-1) + 3)) < 1e-12);
    const Dim *last[2] = { dim_int(model_dims(p->model), 1), dim_int(model_dims(p->model), 5) };
    Type short_batch = type_of(DT_i32, 2, last);
    Graph *g = model_eval_graph(p->model, e, 1, &short_batch, p->d);
    assert_clean(p);
    assert_string_equal(g->inputs.at[0]->attr.text, "batch");
    assert_int_equal(type_value_elements(&g->outputs.at[0].node->type), 1);
    program_free(p);
}

/* The results of an optimizer's code for w = 2, g = 1, states 0, at step 1, and the vector `history`. */
static Tensor **update_values(Program *p, const Graph *g, const double *history)
{
    Tensor **inputs = arena_array(p->arena, Tensor *, g->inputs.count),
        **results = arena_array(p->arena, Tensor *, g->outputs.count);
    for (int i = 0; i < g->inputs.count; i++) {
        const Node *n = g->inputs.at[i];
        inputs[i] = tensor_new(p->arena, n->type);
        bool vector = !strncmp(n->attr.text, "history.", 8);
        double value = !strcmp(n->attr.text, "w") ? 2 : !strcmp(n->attr.text, "g") ? 1 : 0;
        for (int64_t k = 0; k < inputs[i]->count; k++) {
            if (inputs[i]->f) inputs[i]->f[k] = vector ? history[k] : value;
            else inputs[i]->i[k] = 1;
        }
    }
    const char *why = graph_eval(g, inputs, results, p->arena);
    if (why) fail_msg("%s", why);
    return results;
}

/* The new values of w and the states that `using` computes. */
static Tensor **updated(Program *p, const char *param, int64_t steps, Graph **graph)
{
    minimized(p);
    Graph *g = *graph = model_update(p->model, stage_at(p, 0), model_find_param(p->model, param), steps, 10, p->d);
    assert_clean(p);
    return update_values(p, g, NULL);
}

static double result_named(const Graph *g, Tensor *const *results, const char *name)
{
    for (int i = 0; i < g->outputs.count; i++)
        if (!strcmp(g->outputs.at[i].name, name)) return results[i]->f ? results[i]->f[0] : (double)results[i]->i[0];
    fail_msg("no result %s", name);
    return 0;
}

static void assert_update(const char *settings, const char *param, const char *name, double wanted)
{
    char text[1024];
    Graph *g;
    snprintf(text, sizeof text, "minimize loss(batch); steps 1000\n%s", settings);
    Program *p = trained(text);
    Tensor **results = updated(p, param, 1000, &g);
    double found = result_named(g, results, name);
    if (fabs(found - wanted) > 1e-6 * fabs(wanted) + 1e-7)
        fail_msg("%s %s: %.9g, wanted %.9g", settings, name, found, wanted);
    program_free(p);
}

static void test_optimizers(void **state)
{
    (void)state;
    const char *bias = "head.bias";
    assert_update("using sgd(lr = 0.1)", bias, "w", 1.9);
    assert_update("using sgd(lr = 0.1, decay = 0.5)", bias, "w", 1.8);
    assert_update("using momentum(lr = 0.1)", bias, "w", 1.9);
    assert_update("using momentum(lr = 0.1)", bias, "optimizer.head.bias.m", 1);
    /* at step 1, t = 2: m = 0.1, v = 0.001; corrected 0.1/0.19 and 0.001/0.001999 */
    assert_update("using adam(lr = 0.1)", bias, "w", 2 - 0.1 * (0.1 / 0.19) / sqrt(0.001 / 0.001999));
    assert_update("using adam(lr = 0.1)", bias, "optimizer.head.bias.v", 0.001);
    assert_update("using adamw(lr = 0.1, decay = 0.5)", bias, "w",
                  2 * 0.95 - 0.1 * (0.1 / 0.19) / sqrt(0.001 / 0.001999));
    assert_update("using adamw(lr = 0.1, decay = 0, unbiased = false)", bias, "w", 2 - 0.1 * 0.1 / sqrt(0.001));
    assert_update("using adagrad(lr = 0.1, start = 3)", bias, "w", 1.9);
    assert_update("using sgd(lr = 0.1)", bias, "lr", 0.1);
}

/* Step 1 of 1000. */
static void test_schedules(void **state)
{
    (void)state;
    const double pi = acos(-1);
    assert_update("using sgd(lr = linear(0.5))", "head.bias", "lr", 0.5 * 0.999);
    assert_update("using sgd(lr = linear(0.5, warmup = 9))", "head.bias", "lr", 0.5 * 2 / 10);
    assert_update("using sgd(lr = linear(0.5, warmup = 0.1))", "head.bias", "lr", 0.5 * 2 / 101);
    assert_update("using sgd(lr = cosine(0.5, floor = 0.1))", "head.bias", "lr", 0.1 + 0.2 * (1 + cos(pi / 1000)));
    assert_update("using sgd(lr = constant(0.5, warmup = 3))", "head.bias", "lr", 0.25);
    assert_update("using sgd(lr = 0.5 / (step + 1))", "head.bias", "lr", 0.25);
}

/* Later lines win; rate scales lr; * stays within a component. */
static void test_groups(void **state)
{
    (void)state;
    assert_update("using sgd(lr = 0.1, decay = 0.5)\ngroup \"**.bias\", decay = 0", "head.bias", "w", 1.9);
    assert_update("using sgd(lr = 0.1, decay = 0.5)\ngroup \"**.bias\", decay = 0", "head.weight", "w", 1.8);
    assert_update("using sgd(lr = 0.1)\ngroup \"head.*\", rate = 0.5", "head.bias", "w", 1.95);
    assert_update("using sgd(lr = 0.1)\ngroup \"**\", lr = 1\ngroup \"{head,e}.weight\", lr = 0.2", "e.weight", "w",
                  1.8);
    assert_update("using sgd(lr = 0.1)\ngroup \"**\", lr = 1\ngroup \"{head,e}.weight\", lr = 0.2", "head.bias", "w",
                  1);
    assert_update("using adam()\ngroup \"e.*\", lazy = true", "e.weight", "lazy", 1);
}

/* `for` repeats settings; its names stand in patterns, in arguments of the optimizer and of entries. */
static void test_loops(void **state)
{
    (void)state;
    const char *loop = "for s, r in [[\"bias\", 1], [\"weight\", 2]] {\n if r > 1 { using sgd(lr = 0.1 * r) }\n"
                       " group \"{head,e}.{s}\", rate = r + 0.5\n}";
    assert_update(loop, "head.bias", "w", 2 - 0.2 * 1.5);
    assert_update(loop, "head.weight", "w", 2 - 0.2 * 2.5);
    Program *p = trained("for k in [0.5] { minimize loss(batch, smooth = k); evaluate x = mean(nll(valid, smooth = "
                         "k)) * k }\nusing sgd(); steps 3");
    model_check(p->model, p->d);
    assert_clean(p);
    assert_non_null(minimized(p));
    program_free(p);
    train_says("minimize loss(batch); using sgd(); steps 1\nfor i in 0..2 { group \"layer.{i}.*\", decay = i }",
               "the pattern \"layer.1.*\" matches no parameter");
    train_says("minimize loss(batch); using sgd(); steps 1\nfor i in 0..2 { clip i + 1 }", "clip is given twice");
    train_says("minimize loss(batch); using sgd(); steps 1\nfor i in batch { clip 1 }", "`for` runs through a list");
}

/* An optimizer of the model's own; its states start as it says. */
static void test_own_optimizer(void **state)
{
    (void)state;
    char text[4096];
    snprintf(text, sizeof text,
             "%smodule mine(w: f32[..S], g: f32[..S]; lr) -> f32[..S] {\n state h: f32[..S] = 7\n update h += g\n"
             " return w - lr * h\n}\ntrain { minimize loss(batch); steps 5; using mine(lr = 0.5) }\n", MODEL);
    Program *p = program_new(text);
    Graph *g;
    Tensor **results = updated(p, "head.bias", 5, &g);
    assert_true(result_named(g, results, "w") == 1.5);
    const Graph *initial = model_state_initial(p->model, graph_find_input(g, "optimizer.head.bias.h"));
    assert_true(initial_value(p, initial, 0)->f[0] == 7);
    assert_null(model_state_initial(p->model, graph_find_input(g, "w")));
    program_free(p);
}

/* A stage inherits the lines above it and replaces or adds; one that contains stages does nothing itself. */
static void test_stages(void **state)
{
    (void)state;
    Program *p = trained("minimize loss(batch); using sgd(lr = 0.1); clip 2.0\n"
                         "evaluate x = mean(nll(valid)), every = 3\n"
                         "stage first { steps 10; clip none }\n"
                         "group \"**.bias\", rate = 0.5\n"
                         "stage second {\n using momentum(lr = 0.2); evaluate x = mean(nll(valid))\n"
                         " for k in 0..2 {\n"
                         "  stage thaw { if k == 0 { freeze \"head.*\" }; freeze \"e.**\"; epochs k + 1 }\n }\n"
                         " stage all { minimize loss(valid, smooth = 0.1); evaluate y = mean(nll(batch)); steps 5 }\n"
                         "}");
    assert_clean(p);
    static const char *const names[] = { "first", "second.thaw", "second.thaw_2", "second.all" };
    assert_int_equal(model_train(p->model)->stage_count, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(stage_at(p, i)->name, names[i]);
        assert_int_equal(stage_at(p, i)->number, i);
    }
    const StageSpec *first = stage_at(p, 0), *thaw = stage_at(p, 1), *again = stage_at(p, 2), *all = stage_at(p, 3);
    assert_true(first->steps == 10 && first->epochs == 0 && first->clip == 0 && first->frozen_count == 0);
    assert_true(thaw->steps == 0 && thaw->epochs == 1 && thaw->clip == 2 && thaw->frozen_count == 2);
    assert_true(again->epochs == 2 && again->frozen_count == 1 && all->steps == 5 && all->frozen_count == 0);
    assert_string_equal(first->minimize, "loss");
    assert_string_equal(all->minimize, "loss(smooth)");
    assert_string_equal(all->streams[0].name, "valid");
    assert_true(first->evaluation_count == 1 && first->evaluations[0].every == 3);
    assert_true(thaw->evaluation_count == 1 && thaw->evaluations[0].every == 0);
    assert_true(all->evaluation_count == 2 && all->evaluations[0].terms == thaw->evaluations[0].terms);
    model_check(p->model, p->d);
    assert_clean(p);
    const Param *bias = model_find_param(p->model, "head.bias"), *table = model_find_param(p->model, "e.weight");
    assert_true(model_frozen(p->model, thaw, bias) && model_frozen(p->model, thaw, table));
    assert_true(!model_frozen(p->model, again, bias) && model_frozen(p->model, again, table));
    assert_false(model_frozen(p->model, all, table));
    program_free(p);
}

/* The optimizer and the groups are those of the stage: w = 2, g = 1. */
static void test_updates_of_stages(void **state)
{
    (void)state;
    Program *p = trained("minimize loss(batch); using sgd(lr = 0.1); steps 7\nstage one { clip 1.0 }\n"
                         "group \"**.bias\", rate = 0.5\nstage two { group \"head.bias\", rate = 3.0 }\nstage three {\n"
                         " using sgd(lr = 0.2) }");
    static const double wanted[] = { 1.9, 1.7, 1.9 };
    minimized(p);
    assert_true(model_check_patterns(p->model, p->d));
    for (int i = 0; i < 3; i++) {
        Graph *g = model_update(p->model, stage_at(p, i), model_find_param(p->model, "head.bias"), 7, 10, p->d);
        assert_clean(p);
        Tensor **results = update_values(p, g, NULL);
        assert_true(fabs(result_named(g, results, "w") - wanted[i]) < 1e-6);
    }
    program_free(p);
}

/* Static arguments of equal names in two stages belong to two entries. */
static void test_entries_of_stages(void **state)
{
    (void)state;
    Program *p = trained("using sgd(lr = 0.1); steps 7\n"
                         "for k in [0.25, 0.5] { stage s { minimize loss(batch, smooth = k) } }");
    assert_clean(p);
    assert_string_not_equal(stage_at(p, 0)->minimize, stage_at(p, 1)->minimize);
    program_free(p);
}

/* The name of an evaluation is the vector of its values so far. */
static void test_history(void **state)
{
    (void)state;
    static const double seen[] = { 3, 2, 2.5, NAN };
    Program *p = trained("minimize loss(batch); steps 20\nevaluate a = mean(nll(valid)), every = 6\n"
                         "evaluate b = mean(nll(valid))\n"
                         "using sgd(lr = sum(where(a >= 0, a, 0)) + size(b))");
    minimized(p);
    const StageSpec *stage = stage_at(p, 0);
    assert_int_equal(model_history_length(&stage->evaluations[0], 20, 10), 4);
    assert_int_equal(model_history_length(&stage->evaluations[1], 20, 10), 2);
    assert_int_equal(model_history_length(&stage->evaluations[1], 0, 10), 1);
    Graph *g = model_update(p->model, stage, model_find_param(p->model, "head.bias"), 20, 10, p->d);
    assert_clean(p);
    const Node *input = graph_find_input(g, "history.a");
    assert_true(input->attr.storage == STORE_ambient && input->type.rank == 1 && dim_value(input->type.dim[0]) == 4);
    Tensor **results = update_values(p, g, seen);
    assert_true(fabs(result_named(g, results, "lr") - (7.5 + 2)) < 1e-6);
    program_free(p);
    train_says("minimize loss(batch); steps 20; using sgd(lr = acuracy)\nevaluate accuracy = mean(nll(valid))",
               "unknown name acuracy; did you mean accuracy?");
    train_says("minimize loss(batch); steps 20; using sgd(lr = V)\nevaluate V = mean(nll(valid))",
               "V is a name of the file and an evaluation of this stage");
    train_says("minimize loss(batch); steps 20; clip x\nusing sgd(); evaluate x = mean(nll(valid))", "unknown name x");
}

/* A line's turn ends where a stage begins or ends: only within one is a second line a mistake. */
static void test_mistakes_in_stages(void **state)
{
    (void)state;
    train_says("minimize loss(batch); using sgd(); stage a { steps 1 }\nstage b { clip 1.0 }",
               "stage b does not say how long");
    train_says("using sgd(); steps 1; stage a { clip 1.0 }", "stage a does not say what for");
    train_says("minimize loss(batch); steps 1; stage a { clip 1.0 }", "stage a has no optimizer");
    train_says("minimize loss(batch); using sgd(); stage a { steps 1; epochs 2 }",
               "steps and epochs both say how long");
    train_says("minimize loss(batch); using sgd(); stage { steps 1 }", "a stage has a name");
    train_says("minimize loss(batch); using sgd(); steps 1; satge a { clip 1.0 }", "did you mean stage?");
    train_says("minimize loss(batch); using sgd(); stage a { steps 1 }\nclip 1.0",
               "no stage stands below this line, so it does nothing");
    train_says("minimize loss(batch); using sgd(); steps 1; freeze \"haed.*\"",
               "the pattern \"haed.*\" matches no parameter");
    train_says("minimize loss(batch); using sgd(); steps 1; freeze head", "freeze takes patterns of parameter paths");
    train_says("minimize loss(batch); using sgd(); steps 1; freeze \"head.*\", rate = 2",
               "freeze takes patterns alone");
    train_says("minimize loss(batch); using sgd(); steps 1; for i in 0..2000 { stage s { clip 1.0 } }",
               "more than 1000 stages");
    Program *p = trained("minimize loss(batch); using sgd()\nfor i in 0..2 { stage s { steps 1 }; clip 1.0 + i }");
    assert_clean(p);
    assert_true(stage_at(p, 0)->clip == 0 && stage_at(p, 1)->clip == 1);
    program_free(p);
    p = trained("minimize loss(batch); using sgd(); clip 1.0; stage s { steps 1 }\nclip 2.0; stage t { steps 2 }");
    assert_clean(p);
    assert_true(stage_at(p, 0)->clip == 1 && stage_at(p, 1)->clip == 2);
    program_free(p);
}

static void test_mistakes(void **state)
{
    (void)state;
    train_says("minimise loss(batch)", "unknown setting minimise; did you mean minimize?");
    train_says("minimize los(batch); using sgd(); steps 1", "los is not a fn of this file; did you mean loss?");
    train_says("minimize loss(batch); steps 1", "train has no optimizer");
    train_says("minimize loss(batch); using sgd()", "train does not say how long");
    train_says("minimize loss(batch); using sgd(); steps 1; epochs 2", "steps and epochs both say how long");
    train_says("minimize loss(batch, valid); using sgd(); steps 1", "loss takes 1 tensor");
    train_says("minimize loss(tok); using sgd(); steps 1", "entries take streams; tok is a tokenizer");
    train_says("minimize nll(batch); using sgd(); steps 1", "minimize takes one f32 number, and nll gives f32[B, T]");
    train_says("minimize loss(batch); using relu; steps 1", "using takes an optimizer");
    train_says("minimize loss(batch); using sgd(decya = 1); steps 1",
               "sgd has no parameter decya; did you mean decay?");
    train_says("minimize loss(batch); using sgd(); steps 1; group \"**.bais\", decay = 0",
               "the pattern \"**.bais\" matches no parameter");
    train_says("minimize loss(batch); using sgd(); steps 1; evaluate x = nll(valid)", "valid is a stream: reduce");
    train_says("minimize loss(batch); using sgd(); steps 1; evaluate x = mean(nlll(valid))",
               "unknown function nlll; did you mean nll?");
    train_says("minimize loss(batch); using sgd(); steps 0", "steps must be at least 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_are_read), cmocka_unit_test(test_minimized_entry),
        cmocka_unit_test(test_evaluations), cmocka_unit_test(test_optimizers), cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_groups), cmocka_unit_test(test_loops), cmocka_unit_test(test_own_optimizer),
        cmocka_unit_test(test_stages), cmocka_unit_test(test_updates_of_stages),
        cmocka_unit_test(test_entries_of_stages), cmocka_unit_test(test_history),
        cmocka_unit_test(test_mistakes_in_stages), cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
