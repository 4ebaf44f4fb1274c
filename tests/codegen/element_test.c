/* Every element operator, cast and structural operator as machine code against the evaluator: odd lengths, signed
 * zeros, NaN, infinities, denormals, every element type. */
#include "jit.h"

static const int64_t lengths[] = {1, 7, 15, 16, 17, 33, 61};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

static const double floats[] = {0.0,      -0.0,      1,   -1,       0.5,       -2.5, 3,     1e-3,
                                INFINITY, -INFINITY, NAN, 0x1p-149, -0x1p-140, 1e30, -7.25, 100};
static const int64_t wholes[] = {0, 1, -1, 2, -2, 7, -7, 100, -128, 127, 3, INT32_MAX, INT32_MIN, 5, -100, 64};
enum { VALUES = 16 };

static Type line(Lab *l, DType dtype, int64_t length)
{
    return (Type){.dtype = dtype, .rank = 1, .dim = {dim_int(l->g->dims, length)}};
}

static int64_t fitted(DType dtype, int64_t x)
{
    switch (dtype) {
    case DT_bool: return x & 1;
    case DT_u8: return x & 255;
    case DT_i8: return (int8_t)x;
    case DT_i32: return (int32_t)x;
    default: return x;
    }
}

/* The values that the type can hold. */
static Tensor *held(Arena *arena, const Tensor *t)
{
    char *bytes = arena_alloc(arena, (size_t)type_value_bytes(&t->type));
    tensor_to_bytes(t, bytes);
    return tensor_from_bytes(arena, t->type, bytes);
}

/* shift: a different pairing of values for each argument and length. */
static Tensor *values(Arena *arena, Type type, int64_t shift)
{
    Tensor *t = tensor_new(arena, type);
    for (int64_t k = 0; k < t->count; k++) {
        int64_t at = (k + shift + k / VALUES * shift) % VALUES;
        if (t->f) t->f[k] = type.dtype == DT_f64 ? floats[at] : (double)(float)floats[at];
        else t->i[k] = fitted(type.dtype, wholes[at]);
    }
    return held(arena, t);
}

typedef enum Takes { FLOAT, WHOLE, NUMBER, TRUTH, ANY } Takes;

static bool takes(Takes what, DType t)
{
    switch (what) {
    case FLOAT: return dtype_is_float(t);
    case WHOLE: return dtype_is_whole(t);
    case NUMBER: return t != DT_bool;
    case TRUTH: return t == DT_bool;
    case ANY: return true;
    }
    return false;
}

typedef struct Row {
    const char *name;
    Op    op;
    int   arity;
    Takes types;
} Row;

static const Row rows[] = {
#define ELEMENT(name, arity, types, ...) {#name, OP_##name, arity, types},
#define STRUCTURAL(...)
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
};

/* Where code and evaluator round differently: the evaluator's float functions are those of the C library in f64. */
static double tolerance(DType t)
{
    switch (t) {
    case DT_f64: return 1e-12;
    case DT_f32: return 4e-7;
    case DT_bf16: return 8e-3;
    case DT_f16: return 1e-3;
    default: return 0;
    }
}

/* sin and cos promise nothing for huge arguments. */
static void within_promise(Tensor *t)
{
    for (int64_t k = 0; k < t->count; k++)
        if (isfinite(t->f[k]) && fabs(t->f[k]) > 1e6) t->f[k] = 0x1p16;
}

static void check_row(const Row *row, DType dtype)
{
    Lab l = lab_new();
    Tensor *inputs[3 * LENGTHS];
    int count = 0;
    for (int n = 0; n < LENGTHS; n++) {
        Node *args[3];
        for (int k = 0; k < row->arity; k++) {
            bool condition = row->op == OP_where && k == 0;
            Type type = line(&l, condition ? DT_bool : dtype, lengths[n]);
            args[k] = make_input(l.g, STORE_data, arena_print(l.arena, "x%d_%d", n, k), type);
            inputs[count] = values(l.arena, type, 1 + k * 5 + n * k);
            if (row->op == OP_sin || row->op == OP_cos) within_promise(inputs[count]);
            count++;
        }
        const char *why = NULL;
        Node *node = graph_node(l.g, row->op, args, row->arity, &(Attr){0}, NULL, &why);
        if (!node) fail_msg("%s %s: %s", row->name, dtype_name(dtype), why);
        result(&l, arena_print(l.arena, "%s %s %d", row->name, dtype_name(dtype), n), node);
    }
    bool with_sign = row->op != OP_add;                      /* the one that may become a multiply-add */
    jit_check(&l, inputs, 1, tolerance(dtype), with_sign);
    arena_free(l.arena);
}

static void every_element_operator_in_every_type(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (int t = 0; t < DT_COUNT; t++)
            if (takes(rows[k].types, (DType)t)) check_row(&rows[k], (DType)t);
}

static void casts_between_all_types(void **state)
{
    (void)state;
    for (int from = 0; from < DT_COUNT; from++) {
        Lab l = lab_new();
        Type type = line(&l, (DType)from, 33);
        Node *x = make_input(l.g, STORE_data, "x", type);
        for (int to = 0; to < DT_COUNT; to++)
            if (to != from)
                result(&l, arena_print(l.arena, "%s to %s", dtype_name((DType)from), dtype_name((DType)to)),
                       make_cast(l.g, x, (DType)to));
        Tensor *input = values(l.arena, type, 3);
        if (input->f)
            for (int64_t k = 16; k < 33; k++) input->f[k] = (double)(k - 24) * 37.25;
        input = held(l.arena, input);
        jit_check(&l, &input, 1, 0, true);
        arena_free(l.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_operator_in_every_type),
        cmocka_unit_test(casts_between_all_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
