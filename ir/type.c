/* Element types and tensor types. */
#include "ir/graph.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef enum DTypeClass { CLASS_FLOAT, CLASS_WHOLE, CLASS_NATURAL, CLASS_TRUTH } DTypeClass;

typedef struct DTypeRow {
    const char *name;
    int         bytes;
    DTypeClass  class;
} DTypeRow;

static const DTypeRow ROWS[DT_COUNT] = {
#define DTYPE(name, bytes, class) {#name, bytes, CLASS_##class},
#include "runtime/core/dtype.def"
#undef DTYPE
};

const char *dtype_name(DType t) { return ROWS[t].name; }

bool dtype_find(const char *name, DType *out)
{
    for (int i = 0; i < DT_COUNT; i++) {
        if (strcmp(ROWS[i].name, name)) continue;
        *out = (DType)i;
        return true;
    }
    return false;
}

int dtype_bytes(DType t) { return ROWS[t].bytes; }

bool dtype_is_float(DType t) { return ROWS[t].class == CLASS_FLOAT; }

bool dtype_is_whole(DType t) { return ROWS[t].class == CLASS_WHOLE || ROWS[t].class == CLASS_NATURAL; }

/* Rounds to `bits` significant bits, ties to even; 2^least is the smallest subnormal; above `most` it is infinite. */
static double round_short(double x, int bits, int least, double most)
{
    if (x == 0 || !isfinite(x)) return x;
    int exponent;
    frexp(x, &exponent);
    int unit = exponent - bits < least ? least : exponent - bits;
    double rounded = ldexp(rint(ldexp(x, -unit)), unit);
    return fabs(rounded) > most ? copysign(INFINITY, x) : rounded;
}

double round_to_dtype(DType t, double x)
{
    switch (t) {
    case DT_f32: return (double)(float)x;
    case DT_bf16: return round_short(x, 8, -133, 0x1.FEp127);
    case DT_f16: return round_short(x, 11, -24, 65504.0);
    case DT_f64: case DT_i64: case DT_i32: case DT_i8: case DT_u8: case DT_bool: case DT_COUNT: break;
    }
    return x;
}

Type type_scalar(DType dtype) { return (Type){.dtype = dtype}; }

Type type_of(DType dtype, int rank, const Dim *const *dim)
{
    assert(rank >= 0 && rank <= MAX_RANK);
    Type type = {.dtype = dtype, .rank = rank};
    for (int i = 0; i < rank; i++) type.dim[i] = dim[i];
    return type;
}

bool type_same_shape(const Type *a, const Type *b)
{
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool type_equal(const Type *a, const Type *b) { return a->dtype == b->dtype && type_same_shape(a, b); }

const Dim *type_elements(Dims *t, const Type *type)
{
    const Dim *product = dim_int(t, 1);
    for (int i = 0; i < type->rank; i++) product = dim_mul(t, product, type->dim[i]);
    return product;
}

int64_t type_value_elements(const Type *type)
{
    int64_t product = 1;
    for (int i = 0; i < type->rank; i++) {
        int64_t n = dim_value(type->dim[i]);
        if (n < 0 || __builtin_mul_overflow(product, n, &product)) return -1;
    }
    return product;
}

int64_t type_value_bytes(const Type *type)
{
    int64_t elements = type_value_elements(type), bytes;
    if (elements < 0 || __builtin_mul_overflow(elements, (int64_t)dtype_bytes(type->dtype), &bytes)) return -1;
    return bytes;
}

const char *type_text(Arena *arena, const Type *type)
{
    if (!type->rank) return dtype_name(type->dtype);
    const char *text = arena_print(arena, "%s[", dtype_name(type->dtype));
    for (int i = 0; i < type->rank; i++)
        text = arena_print(arena, "%s%s%s", text, i ? ", " : "", dim_text(arena, type->dim[i]));
    return arena_print(arena, "%s]", text);
}

const char *type_index_text(Arena *arena, const Type *type, int64_t element)
{
    const char *text = "]";
    for (int i = type->rank - 1; i >= 0; i--) {
        int64_t extent = dim_value(type->dim[i]);
        text = arena_print(arena, "%s%lld%s", i ? ", " : "", (long long)(element % extent), text);
        element /= extent;
    }
    return arena_print(arena, "[%s", text);
}
