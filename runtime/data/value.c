/* Names of kinds and element types, and constructors of values. */
#include "runtime/data/value.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const char *data_kind_words(DataKind kind)
{
#define KIND(name, words) [DATA_##name] = words,
    static const char *const words[] = { DATA_KINDS(KIND) };
#undef KIND
    return words[kind];
}

int64_t rt_dtype_bytes(int32_t dtype)
{
#define DTYPE(name, bytes, class) [RT_##name] = bytes,
    static const int64_t bytes[] = {
#include "runtime/core/dtype.def"
    };
#undef DTYPE
    return bytes[dtype];
}

const char *rt_dtype_name(int32_t dtype)
{
#define DTYPE(name, bytes, class) [RT_##name] = #name,
    static const char *const names[] = {
#include "runtime/core/dtype.def"
    };
#undef DTYPE
    return names[dtype];
}

/* The value of the upper half of an f32. */
static double brain_value(uint16_t bits)
{
    uint32_t word = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &word, sizeof x);
    return x;
}

/* The value of an IEEE half: sign, 5 bits of exponent, 10 of fraction. */
static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
    if (exponent == 31) return sign * (fraction != 0 ? (double)NAN : (double)INFINITY);
    return sign * (exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24));
}

double rt_element(const void *packed, int32_t dtype, int64_t index)
{
    switch ((RtDtype)dtype) {
    case RT_f32: return ((const float *)packed)[index];
    case RT_f64: return ((const double *)packed)[index];
    case RT_bf16: return brain_value(((const uint16_t *)packed)[index]);
    case RT_f16: return half_value(((const uint16_t *)packed)[index]);
    case RT_i64: return (double)((const int64_t *)packed)[index];
    case RT_i32: return ((const int32_t *)packed)[index];
    case RT_i8: return ((const int8_t *)packed)[index];
    case RT_u8: return ((const uint8_t *)packed)[index];
    case RT_bool: return ((const uint8_t *)packed)[index] != 0;
    case RT_DTYPE_COUNT: break;
    }
    assert(!"no element type");
    return 0;
}

int64_t data_array_count(const DataArray *a)
{
    int64_t count = 1;
    for (int i = 0; i < a->rank; i++) count *= a->shape[i];
    return count;
}

DataValue data_number(double x)
{
    return (DataValue){ .kind = DATA_number, .number = x };
}

DataValue data_text(RtText text)
{
    return (DataValue){ .kind = DATA_text, .text = text };
}

DataValue data_column(const RtText *rows, int64_t count)
{
    return (DataValue){ .kind = DATA_column, .column = { rows, count } };
}

DataValue data_ids(const int32_t *ids, int64_t count, const RtTokenizer *tokenizer)
{
    return (DataValue){ .kind = DATA_array,
                        .array = { .data = ids, .dtype = RT_i32, .rank = 1, .shape = { count },
                                   .tokenizer = tokenizer } };
}

DataValue data_tokenizer(const RtTokenizer *tokenizer)
{
    return (DataValue){ .kind = DATA_tokenizer, .tokenizer = tokenizer };
}
