/* Which parameters lie in a narrower type, and that a program means the same with them as with what they stand for. */
#include "tests/passes/interpret.h"

#include <math.h>

static Type of(Lab *l, int rank, int64_t a, int64_t b, int64_t c)
{
    const Dim *dim[] = {dim_int(l->g->dims, a), dim_int(l->g->dims, b), dim_int(l->g->dims, c)};
    return type_of(DT_f32, rank, dim);
}

static Node *param(Lab *l, const char *name, int64_t a, int64_t b)
{
    return make_input(l->g, STORE_param, name, of(l, 2, a, b, 1));
}

static Node *turned(Lab *l, Node *x) { return make_permute(l->g, x, (const int8_t[]){1, 0}); }

/* One of every use. */
static Lab uses(void)
{
    Lab l = lab_new();
    Node *x = make_input(l.g, STORE_data, "x", of(&l, 2, 3, 4, 1)), *y = param(&l, "up", 4, 4);
    Node *ids = make_input(l.g, STORE_data, "ids", (Type){DT_i32, 1, {dim_int(l.g->dims, 3)}});
    Node *tied = param(&l, "tied", 5, 4), *both = param(&l, "both", 4, 4), *added = param(&l, "added", 3, 4);
    Node *heads = make_input(l.g, STORE_param, "heads", of(&l, 3, 4, 2, 3));
    Node *h = make_einsum(l.g, "ab,bc->ac", x, y);
    h = add(&l, h, make_gather(l.g, tied, &ids, 1, 0));
    result(&l, "rows", make_einsum(l.g, "ab,bc->ac", h, turned(&l, tied)));
    result(&l, "heads", make_einsum(l.g, "ab,bcd->dac", h, heads));
    h = make_einsum(l.g, "ab,bc->ac", h, both);
    result(&l, "both", make_einsum(l.g, "ab,cb->ac", h, both));
    result(&l, "added", add(&l, h, added));
    Node *trained = param(&l, "trained", 4, 2);
    result(&l, "trained", make_einsum(l.g, "ab,bc->ac", x, trained));
    update(&l, "trained", add(&l, trained, trained));
    result(&l, "vector", make_einsum(l.g, "ab,b->a", x, make_input(l.g, STORE_param, "vector", of(&l, 1, 4, 1, 1))));
    return l;
}

static const Narrow *chosen(const Map *narrow, const char *name) { return map_get(narrow, name); }

static void products_and_rows_are_chosen(void **state)
{
    (void)state;
    Lab l = uses();
    const Graph *g = l.g;
    Map *brain = narrow_choose(l.arena, &g, 1, DT_bf16), *whole = narrow_choose(l.arena, &g, 1, DT_i8);
    assert_int_equal(map_count(brain), 4);
    assert_non_null(chosen(brain, "both"));
    assert_int_equal(map_count(whole), 3);
    assert_int_equal(chosen(whole, "up")->axes, 2);
    assert_int_equal(chosen(whole, "tied")->axes, 1);
    assert_int_equal(chosen(whole, "heads")->axes, 6);
    arena_free(l.arena);
}

static Tensor *output_value(Arena *arena, const Graph *g, Tensor *const *inputs, const char *name)
{
    Tensor **results = arena_array(arena, Tensor *, g->outputs.count + 1);
    assert_null(graph_eval(g, inputs, results, arena));
    for (int k = 0; k < g->outputs.count; k++)
        if (!strcmp(g->outputs.at[k].name, name)) return results[k];
    return NULL;
}

static Tensor **same_inputs(Arena *arena, const Graph *to, const Graph *from, Tensor *const *inputs)
{
    Tensor **same = arena_array(arena, Tensor *, to->inputs.count + 1);
    for (int k = 0; k < to->inputs.count; k++)
        for (int j = 0; j < from->inputs.count; j++)
            if (!strcmp(to->inputs.at[k]->attr.text, from->inputs.at[j]->attr.text)) same[k] = inputs[j];
    return same;
}

static Tensor *input_of(Arena *arena, const Node *input, const Graph *old, Tensor *const *values, const Map *narrow)
{
    const char *name = input->attr.text;
    for (int k = 0; k < old->inputs.count; k++) {
        const Node *was = old->inputs.at[k];
        const Narrow *n = map_get(narrow, was->attr.text);
        bool scale = n && !strcmp(name, narrow_scale_name(arena, was->attr.text));
        if (!scale && strcmp(name, was->attr.text)) continue;
        if (!n) return values[k];
        Graph *g = graph_new(arena, old->dims, "value");
        narrow_update(g, was->attr.text, make_input(g, STORE_data, "w", was->type), n);
        Tensor **in = arena_array(arena, Tensor *, g->inputs.count);
        in[0] = in[1] = in[g->inputs.count - 1] = values[k];     /* the places of what is updated are not read */
        return output_value(arena, g, in, name);
    }
    return NULL;
}

/* The parameters as what lies in memory stands for, in the old graph. */
static Tensor *meant(Arena *arena, const Graph *narrowed, Tensor *const *inputs, const Node *was, const Narrow *n)
{
    Graph *g = graph_new(arena, narrowed->dims, "meant");
    Type type = was->type;
    type.dtype = n->dtype;
    Node *wide = make_cast(g, make_input(g, STORE_data, was->attr.text, type), DT_f32);
    const char *scales = narrow_scale_name(arena, was->attr.text);
    static const int8_t same[] = {0, 1, 2, 3};
    if (n->dtype == DT_i8) {
        Node *scale = make_input(g, STORE_data, scales, narrow_scale_type(g->dims, n, was->type));
        wide = make_binary(g, OP_mul, wide, make_expand(g, scale, same, wide->type));
    }
    graph_output(g, OUTPUT_result, "w", wide);
    return output_value(arena, g, same_inputs(arena, g, narrowed, inputs), "w");
}

static void check_meaning(DType dtype)
{
    Lab l = uses();
    const Graph *g = l.g;
    Diagnostics *d = diag_new(l.arena);
    Layout layout = {.narrow = narrow_choose(l.arena, &g, 1, dtype)};
    PassOptions options = {.layout = &layout};
    g = pass_simplify(l.arena, g, &options, d);
    Graph *narrowed = pass_narrow(l.arena, g, &options, d);
    assert_null(graph_verify(narrowed, l.arena));
    Tensor **values = arena_array(l.arena, Tensor *, g->inputs.count);
    for (int k = 0; k < g->inputs.count; k++) values[k] = tensor_some(l.arena, g->inputs.at[k], k, 5);
    Tensor **inputs = arena_array(l.arena, Tensor *, narrowed->inputs.count);
    for (int k = 0; k < narrowed->inputs.count; k++) {
        inputs[k] = input_of(l.arena, narrowed->inputs.at[k], g, values, layout.narrow);
        assert_non_null(inputs[k]);
    }
    for (int k = 0; k < g->inputs.count; k++) {
        const Narrow *n = map_get(layout.narrow, g->inputs.at[k]->attr.text);
        if (n) values[k] = meant(l.arena, narrowed, inputs, g->inputs.at[k], n);
    }
    for (int k = 0; k < g->outputs.count; k++) {
        const char *name = g->outputs.at[k].name;
        Tensor *a = output_value(l.arena, g, values, name), *b = output_value(l.arena, narrowed, inputs, name);
        assert_int_equal(a->count, b->count);
        /* scales before or behind sums of some products: some roundings apart */
        double near = dtype == DT_i8 ? 0x1p-18 : 0;
        for (int64_t i = 0; i < a->count; i++)
            if (!(fabs(a->f[i] - b->f[i]) <= near * (1 + fabs(a->f[i]))))
                fail_msg("%s: %g, not %g", name, b->f[i], a->f[i]);
    }
    arena_free(l.arena);
}

static void programs_mean_the_same(void **state)
{
    (void)state;
    check_meaning(DT_bf16);
    check_meaning(DT_i8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(products_and_rows_are_chosen),
                                       cmocka_unit_test(programs_mean_the_same)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
