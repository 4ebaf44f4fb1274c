/* Own products: every element is the sum that product.h promises, to the bit, whatever the shape, how the operands lie,
 * batches, parts, threads; and their code. */
#include "jit.h"

#include "ir/contraction.h"

#include <math.h>

/* One product of a graph with many. */
typedef struct Case {
    const char *equation;                /* of axes b, m, n, k */
    int64_t b, m, n, k;
} Case;

static int64_t extent_of(const Case *c, char letter)
{
    return letter == 'b' ? c->b : letter == 'm' ? c->m : letter == 'n' ? c->n : c->k;
}

/* The letters of term 0, 1 or 2 of "mk,kn->mn". */
static const char *term_of(Arena *arena, const Case *c, int term)
{
    const char *comma = strchr(c->equation, ','), *arrow = strchr(comma, '>');
    if (term == 2) return arrow + 1;
    const char *from = term ? comma + 1 : c->equation, *to = term ? arrow - 1 : comma;
    return arena_copy_text(arena, from, (size_t)(to - from));
}

static Type type_of_term(Lab *l, DType dtype, const Case *c, int term)
{
    const char *letters = term_of(l->arena, c, term);
    Type t = {.dtype = dtype, .rank = (int)strlen(letters)};
    for (int k = 0; k < t.rank; k++) t.dim[k] = dim_int(l->g->dims, extent_of(c, letters[k]));
    return t;
}

static const ProductTypes F32 = {DT_f32, DT_f32, DT_f32, DT_f32}, F64 = {DT_f64, DT_f64, DT_f64, DT_f64};

/* Operands a and b as the types say they are stored, cast to what is multiplied. */
static void add_case(Lab *l, const ProductTypes *t, const Case *c, int number)
{
    Node *a = make_input(l->g, STORE_param, arena_print(l->arena, "a%d", number), type_of_term(l, t->a, c, 0)),
         *b = make_input(l->g, STORE_param, arena_print(l->arena, "b%d", number), type_of_term(l, t->b, c, 1));
    Node *product = make_einsum(l->g, c->equation, make_cast(l->g, a, t->in), make_cast(l->g, b, t->in));
    assert_int_equal(product->type.dtype, t->out);
    result(l, arena_print(l->arena, "c%d", number), product);
}

/* Element (b, m, n, k) of a term. */
static int64_t position(Arena *arena, const Case *c, int term, const int64_t *at)
{
    int64_t p = 0;
    for (const char *x = term_of(arena, c, term); *x; x++)
        p = p * extent_of(c, *x) + at[*x == 'b' ? 0 : *x == 'm' ? 1 : *x == 'n' ? 2 : 3];
    return p;
}

static int64_t stride_of(Arena *arena, const Case *c, int term, int axis)
{
    return position(arena, c, term, (int64_t[4]){[0] = axis == 0, [1] = axis == 1, [2] = axis == 2, [3] = axis == 3});
}

static bool host_fuses(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("fma");
#else
    return true;
#endif
}

static double multiply_add(DType dtype, double a, double b, double sum)
{
    if (dtype == DT_f64) return host_fuses() ? fma(a, b, sum) : a * b + sum;
    return host_fuses() ? fmaf((float)a, (float)b, (float)sum) : (float)a * (float)b + (float)sum;
}

/* The dot product of bf16 as an instruction: it takes denormals for zeros. */
static bool host_flushes(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

static double flush(double x) { return host_flushes() && fabs(x) < 0x1p-126 ? copysign(0, x) : x; }

/* By pairs, the second first; 0 stands for what the last one lacks. */
static double sum_of_pairs(const double *a, int64_t a_step, const double *b, int64_t b_step, int64_t k)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i += 2) {
        double a1 = i + 1 < k ? a[(i + 1) * a_step] : 0, b1 = i + 1 < k ? b[(i + 1) * b_step] : 0;
        sum = flush(multiply_add(DT_f32, flush(a1), flush(b1), sum));
        sum = flush(multiply_add(DT_f32, flush(a[i * a_step]), flush(b[i * b_step]), sum));
    }
    return sum;
}

static double rounded_sum(DType dtype, double a, double b) { return dtype == DT_f64 ? a + b : (float)a + (float)b; }

/* The binary tree over parts, each of them in order. */
static double expected(const ProductTypes *t, const double *a, int64_t a_step, const double *b, int64_t b_step,
                       int64_t k, int64_t parts)
{
    double sum[16];
    assert_true(parts <= 16);
    for (int64_t part = 0; part < parts; part++) {
        int64_t begin = part * k / parts, end = (part + 1) * k / parts;
        sum[part] = 0;
        for (int64_t i = begin; i < end && t->in != DT_bf16; i++)
            sum[part] = multiply_add(t->in, a[i * a_step], b[i * b_step], sum[part]);
        if (t->in == DT_bf16)
            sum[part] = sum_of_pairs(a + begin * a_step, a_step, b + begin * b_step, b_step, end - begin);
    }
    for (int64_t step = 1; step < parts; step *= 2)
        for (int64_t part = 0; part + step < parts; part += 2 * step)
            sum[part] = rounded_sum(t->out, sum[part], sum[part + step]);
    return sum[0];
}

/* 0: fuse has made another kernel of it. */
static int64_t parts_of(const Jit *j, const char *name)
{
    const Plan *p = j->trial.plan;
    for (int k = 0; k < p->kernels.count; k++) {
        View a, b;
        Contraction c;
        const Node *einsum = p->kernels.at[k]->outputs.at[0];
        const Output *o = NULL;
        for (int i = 0; i < p->graph->outputs.count; i++)
            if (!strcmp(p->graph->outputs.at[i].name, name)) o = &p->graph->outputs.at[i];
        if (o->node == einsum && kernel_product(p->kernels.at[k], &a, &b, &c)) return contraction_tiling(&c).parts;
    }
    return 0;
}

static bool same_number(double x, double y)
{
    if (isnan(x) || isnan(y)) return isnan(x) && isnan(y);
    return x == y && !signbit(x) == !signbit(y);
}

/* Whether it is a product. */
static bool check_result(const Jit *j, const ProductTypes *t, const Case *c, int number, const double *a,
                         const double *b)
{
    Arena *arena = j->lab->arena;
    const Graph *g = j->lab->g;
    const Tensor *have = jit_output(j, &g->outputs.at[number]);
    int64_t parts = parts_of(j, g->outputs.at[number].name);
    if (!parts) return false;
    int64_t a_step = stride_of(arena, c, 0, 3), b_step = stride_of(arena, c, 1, 3);
    for (int64_t i = 0; i < c->b * c->m * c->n; i++) {
        int64_t at[4] = {i / (c->m * c->n), i / c->n % c->m, i % c->n, 0};
        const double *row = a + at[0] * stride_of(arena, c, 0, 0) + at[1] * stride_of(arena, c, 0, 1);
        const double *column = b + at[0] * stride_of(arena, c, 1, 0) + at[2] * stride_of(arena, c, 1, 2);
        double want = expected(t, row, a_step, column, b_step, c->k, parts);
        double got = have->f[position(arena, c, 2, at)];
        if (!same_number(got, want))
            fail_msg("%s %lldx%lldx%lldx%lld in %lld parts (%lld, %lld, %lld): %.9g, not %.9g", c->equation,
                     (long long)c->b, (long long)c->m, (long long)c->n, (long long)c->k, (long long)parts,
                     (long long)at[0], (long long)at[1], (long long)at[2], got, want);
    }
    return true;
}

/* NaN, infinities, zeros of both signs, the smallest and the largest numbers in some places. */
static void strew(Tensor *t)
{
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 0x1p-149, 0x1.fffffep127, 0x1p-128};
    for (int64_t i = 0; i < t->count; i += 29) t->f[i] = round_to_dtype(t->type.dtype, special[i / 29 % 8]);
}

/* What is multiplied. */
static double *rounded(Arena *arena, const Tensor *t, DType in)
{
    double *x = arena_array(arena, double, t->count + 1);
    for (int64_t i = 0; i < t->count; i++) x[i] = round_to_dtype(in, t->f ? t->f[i] : (double)t->i[i]);
    return x;
}

static void check_cases(const Case *cases, int count, const ProductTypes *t, bool strewn)
{
    static const int threads[] = {1, 2, 3, 8};
    Lab l = lab_new();
    for (int i = 0; i < count; i++) add_case(&l, t, &cases[i], i);
    Tensor **inputs = arena_array(l.arena, Tensor *, 2 * count);
    for (int i = 0; i < 2 * count; i++) {
        inputs[i] = tensor_some(l.arena, l.g->inputs.at[i], i, 8);
        if (strewn && inputs[i]->f) strew(inputs[i]);
    }
    double **values = arena_array(l.arena, double *, 2 * count);
    for (int i = 0; i < 2 * count; i++) values[i] = rounded(l.arena, inputs[i], t->in);
    for (int run = 0; run < (strewn ? 1 : 4); run++) {
        bool plain = product_is_plain(t);
        Jit j = jit_new_with(&l, threads[run], (CodeOptions){.blas = plain ? BLAS_none : BLAS_openblas});
        for (int i = 0; i < 2 * count; i++) jit_set(&j, l.g->inputs.at[i]->attr.text, inputs[i]);
        assert_int_equal(jit_run(&j), 0);
        int products = 0;
        for (int i = 0; i < count; i++)
            products += check_result(&j, t, &cases[i], i, values[2 * i], values[2 * i + 1]);
        assert_true(10 * products >= 9 * count);
        jit_free(&j);
    }
    arena_free(l.arena);
}

static const char *const layouts[] = {"mk,kn->mn", "km,kn->mn", "mk,nk->mn", "km,nk->mn"};
enum { LAYOUTS = 4, MANY = 400 };

/* Around the sizes of lanes, register tiles, blocks and tiles of the grid. */
static void odd_shapes_all_layouts(void **state)
{
    (void)state;
    static const int64_t m[] = {1, 2, 3, 5, 7, 11, 12, 13, 17, 24, 25, 37},
                         n[] = {1, 7, 15, 16, 17, 31, 32, 33, 65, 97},
                         k[] = {1, 2, 15, 16, 17, 31, 255, 256, 257, 300, 521};
    enum { M = sizeof m / sizeof *m, N = sizeof n / sizeof *n, K = sizeof k / sizeof *k };
    for (int layout = 0; layout < LAYOUTS; layout++) {
        Case cases[MANY];
        int count = 0;
        for (int i = 0; i < M; i++)
            for (int j = 0; j < N; j++) cases[count++] = (Case){layouts[layout], 1, m[i], n[j], k[(i * 7 + j) % K]};
        check_cases(cases, count, &F32, false);
        check_cases(cases, count, &F32, true);
        if (layout % 3 == 0) check_cases(cases, count, &F64, false);
    }
}

/* Operands cast as they are read, rounded to bf16 or widened to f32: products that no library is asked for. */
static void types_all_layouts(void **state)
{
    (void)state;
    static const ProductTypes types[] = {
        {DT_bf16, DT_bf16, DT_bf16, DT_f32}, {DT_f32, DT_f32, DT_bf16, DT_f32}, {DT_bf16, DT_f32, DT_bf16, DT_f32},
        {DT_f32, DT_bf16, DT_f32, DT_f32},   {DT_f32, DT_i8, DT_f32, DT_f32},   {DT_i8, DT_bf16, DT_f32, DT_f32},
        {DT_f32, DT_i8, DT_bf16, DT_f32},    {DT_bf16, DT_f32, DT_f32, DT_f32}};
    static const int64_t m[] = {1, 3, 6, 12, 25, 37}, n[] = {1, 15, 32, 97}, k[] = {1, 2, 15, 33, 64, 511, 513, 1031};
    Case cases[LAYOUTS * 6 * 4 + 4];
    int count = 0;
    for (int i = 0; i < LAYOUTS * 6 * 4; i++) {
        int64_t rows = m[i / LAYOUTS % 6], columns = n[i / LAYOUTS / 6];
        cases[count++] = (Case){layouts[i % LAYOUTS], 1, rows, columns, k[(i * 5 + i / 8) % 8]};
    }
    for (int i = 0; i < 4; i++) cases[count++] = (Case){layouts[i], 1, 67, 35, 4099};
    for (int i = 0; i < 8; i++) check_cases(cases, count, &types[i], false);
    for (int i = 0; i < 8; i++) check_cases(cases, count, &types[i], true);
}

/* More tiles than one, in every direction. */
static void many_tiles(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{768, 128, 128}, {65, 131, 768}, {97, 801, 40}, {401, 33, 70}, {20, 650, 130}};
    Case cases[LAYOUTS * 5];
    int count = 0;
    for (int s = 0; s < 5; s++)
        for (int i = 0; i < LAYOUTS; i++)
            cases[count++] = (Case){layouts[i], 1, shapes[s][0], shapes[s][1], shapes[s][2]};
    check_cases(cases, count, &F32, false);
}

static void inner_dimension_in_parts(void **state)
{
    (void)state;
    Case cases[2 * LAYOUTS];
    for (int i = 0; i < LAYOUTS; i++) {
        cases[i] = (Case){layouts[i], 1, 8, 2, 5000};
        cases[LAYOUTS + i] = (Case){layouts[i], 1, 67, 35, 4099};
    }
    check_cases(cases, 2 * LAYOUTS, &F32, false);
    check_cases(cases, 2 * LAYOUTS, &F64, false);
}

/* Elements of the batch outside, inside (rows of the result lie apart), and shared operands. */
static void batches_and_gaps(void **state)
{
    (void)state;
    static const char *const equations[] = {"bmk,bkn->bmn", "bkm,bnk->bmn", "bmk,bkn->mbn", "bkm,nk->mbn",
                                            "mk,bkn->bmn",  "mbk,kbn->bmn", "mbk,nbk->mbn", "km,bnk->bmn"};
    static const int64_t shapes[][4] = {
        {3, 5, 6, 7}, {4, 64, 64, 32}, {12, 13, 33, 64}, {2, 70, 17, 300}, {5, 1, 5, 9}};
    Case cases[8 * 5];
    int count = 0;
    for (int e = 0; e < 8; e++)
        for (int s = 0; s < 5; s++)
            cases[count++] = (Case){equations[e], shapes[s][0], shapes[s][1], shapes[s][2], shapes[s][3]};
    check_cases(cases, count, &F32, false);
}

/* The sum of nothing is 0. */
static void nothing_to_multiply(void **state)
{
    (void)state;
    Case cases[] = {{"mk,kn->mn", 1, 5, 40, 0}, {"km,nk->mn", 1, 0, 4, 3}, {"bmk,bkn->bmn", 2, 14, 3, 0},
                    {"mk,kn->mn", 1, 3, 0, 4}};
    check_cases(cases, 4, &F32, false);
}

/* The text of a function of the assembly. */
static const char *function_text(Arena *arena, const char *assembly, const char *name)
{
    const char *begin = strstr(assembly, arena_print(arena, "\n%s:", name));
    const char *end = begin ? strstr(begin, "func_end") : NULL;
    if (!end) fail_msg("there is no %s", name);
    return arena_copy_text(arena, begin, (size_t)(end - begin));
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++) n++;
    return n;
}

/* From the label before the first multiply-add to the jump behind the last. */
static const char *inner_loop(Arena *arena, const char *text, const char *what)
{
    const char *first = strstr(text, what), *label = text, *last = first;
    assert_non_null(first);
    for (const char *at = text; (at = strstr(at, "\n.LBB")) && at < first; at++) label = at;
    for (const char *at = first; (at = strstr(at, what)); at++) last = at;
    return arena_copy_text(arena, label, (size_t)(strstr(last, "\tj") - label));
}

/* The loop over k of the largest register tile: a multiply-add for each sum, full width, and no other vectors but those
 * of B and what is spread of A. */
static void sums_stay_in_registers(void **state)
{
    (void)state;
    Lab l = lab_new();
    add_case(&l, &F32, &(Case){"mk,kn->mn", 1, 64, 64, 64}, 0);
    char *text = NULL;
    size_t size = 0;
    FILE *assembly = open_memstream(&text, &size);
    Jit j = jit_new_with(&l, 1, (CodeOptions){.blas = BLAS_none, .assembly = assembly});
    fclose(assembly);
    if (strstr(code_target(l.arena), "avx512")) {
        const char *loop = inner_loop(l.arena, function_text(l.arena, text, "product_f32_12"), "vfmadd");
        assert_int_equal(count(loop, "vfmadd"), 24);
        assert_int_equal(count(loop, "%ymm") + count(loop, "%xmm"), 0);
        assert_int_equal(count(loop, "(%rsp), %zmm") + count(loop, "call"), 0);
        assert_int_equal(count(loop, "vmovups"), 2);
        assert_int_equal(count(loop, "vbroadcastss"), 12);
    }
    assert_int_equal(count(text, "OPENBLAS") + count(text, "sgemm") + count(text, "rt_product"), 0);
    free(text);
    jit_free(&j);
    arena_free(l.arena);
}

/* However many products, they are one function, one that adds parts, and one for what follows on tiles. */
static void products_share_their_functions(void **state)
{
    (void)state;
    Lab l = lab_new();
    Case cases[] = {{"mk,kn->mn", 1, 64, 64, 64}, {"km,nk->mn", 1, 768, 128, 512}, {"km,kn->mn", 1, 65, 128, 5000}};
    for (int i = 0; i < 3; i++) add_case(&l, &F32, &cases[i], i);
    Jit j = jit_new_with(&l, 1, (CodeOptions){.blas = BLAS_none});
    assert_int_equal(code_statistics(j.trial.code).functions, 2);
    jit_free(&j);
    arena_free(l.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_shapes_all_layouts),
        cmocka_unit_test(types_all_layouts),
        cmocka_unit_test(many_tiles),
        cmocka_unit_test(inner_dimension_in_parts),
        cmocka_unit_test(batches_and_gaps),
        cmocka_unit_test(nothing_to_multiply),
        cmocka_unit_test(sums_stay_in_registers),
        cmocka_unit_test(products_share_their_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
