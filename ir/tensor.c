/* Tensors of the reference evaluator: whole values in double or int64_t, rounded or wrapped to their element type. */
#include "ir/eval_rules.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Tensor *tensor_new(Arena *arena, Type type)
{
    Tensor *t = arena_new_of(arena, Tensor);
    t->type = type;
    t->count = type_value_elements(&type);
    if (t->count < 0) {
        fprintf(stderr, "tensor_new: %s has a dimension without value\n", type_text(arena, &type));
        abort();
    }
    if (dtype_is_float(type.dtype))
        t->f = arena_array(arena, double, t->count + 1);
    else
        t->i = arena_array(arena, int64_t, t->count + 1);
    return t;
}

int64_t wrap_to_dtype(DType dtype, int64_t x)
{
    switch (dtype) {
    case DT_i32: return (int32_t)(uint32_t)(uint64_t)x;
    case DT_i8: return (int8_t)(uint8_t)(uint64_t)x;
    case DT_u8: return (uint8_t)(uint64_t)x;
    case DT_bool: return x != 0;
    case DT_i64: case DT_f32: case DT_f64: case DT_bf16: case DT_f16: case DT_COUNT: break;
    }
    return x;
}

int64_t dtype_least(DType dtype)
{
    switch (dtype) {
    case DT_i64: return INT64_MIN;
    case DT_i32: return INT32_MIN;
    case DT_i8: return INT8_MIN;
    case DT_u8: case DT_bool: case DT_f32: case DT_f64: case DT_bf16: case DT_f16: case DT_COUNT: break;
    }
    return 0;
}

int64_t dtype_most(DType dtype)
{
    switch (dtype) {
    case DT_i64: return INT64_MAX;
    case DT_i32: return INT32_MAX;
    case DT_i8: return INT8_MAX;
    case DT_u8: return UINT8_MAX;
    case DT_bool: return 1;
    case DT_f32: case DT_f64: case DT_bf16: case DT_f16: case DT_COUNT: break;
    }
    return 0;
}

/* The value of an IEEE half: sign, 5 bits of exponent, 10 of fraction. */
static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 31  ? (fraction ? NAN : INFINITY)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -magnitude : magnitude;
}

/* x is rounded already. */
static uint16_t half_bits(double x)
{
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    double magnitude = fabs(x);
    if (isnan(x)) return sign | 0x7E00;
    if (isinf(x)) return sign | 0x7C00;
    if (magnitude < 0x1p-14) return sign | (uint16_t)ldexp(magnitude, 24);
    int exponent;
    double fraction = frexp(magnitude, &exponent);
    return sign | (uint16_t)((exponent + 14) << 10) | (uint16_t)(ldexp(fraction, 11) - 1024);
}

static double float_from_bytes(DType dtype, const char *bytes)
{
    float single;
    double wide;
    uint16_t half;
    uint32_t word;
    switch (dtype) {
    case DT_f32:
        memcpy(&single, bytes, sizeof single);
        return single;
    case DT_bf16:
        memcpy(&half, bytes, sizeof half);
        word = (uint32_t)half << 16;
        memcpy(&single, &word, sizeof single);
        return single;
    case DT_f16:
        memcpy(&half, bytes, sizeof half);
        return half_value(half);
    case DT_f64: case DT_i64: case DT_i32: case DT_i8: case DT_u8: case DT_bool: case DT_COUNT: break;
    }
    memcpy(&wide, bytes, sizeof wide);
    return wide;
}

static void float_to_bytes(DType dtype, double value, char *bytes)
{
    float single = (float)value;
    uint16_t half;
    uint32_t word;
    switch (dtype) {
    case DT_f32: memcpy(bytes, &single, sizeof single); return;
    case DT_bf16:
        memcpy(&word, &single, sizeof word);
        half = (uint16_t)(word >> 16) | (isnan(single) ? 0x40 : 0);
        memcpy(bytes, &half, sizeof half);
        return;
    case DT_f16:
        half = half_bits(value);
        memcpy(bytes, &half, sizeof half);
        return;
    case DT_f64: case DT_i64: case DT_i32: case DT_i8: case DT_u8: case DT_bool: case DT_COUNT: break;
    }
    memcpy(bytes, &value, sizeof value);
}

static int64_t whole_from_bytes(DType dtype, const char *bytes)
{
    int64_t wide;
    int32_t word;
    switch (dtype) {
    case DT_i32:
        memcpy(&word, bytes, sizeof word);
        return word;
    case DT_i8: return (int8_t)*bytes;
    case DT_u8: return (uint8_t)*bytes;
    case DT_bool: return *bytes != 0;
    case DT_i64: case DT_f32: case DT_f64: case DT_bf16: case DT_f16: case DT_COUNT: break;
    }
    memcpy(&wide, bytes, sizeof wide);
    return wide;
}

static void whole_to_bytes(DType dtype, int64_t value, char *bytes)
{
    int32_t word = (int32_t)value;
    switch (dtype) {
    case DT_i32: memcpy(bytes, &word, sizeof word); return;
    case DT_i8: case DT_u8: case DT_bool: *(uint8_t *)bytes = (uint8_t)value; return;
    case DT_i64: case DT_f32: case DT_f64: case DT_bf16: case DT_f16: case DT_COUNT: break;
    }
    memcpy(bytes, &value, sizeof value);
}

Tensor *tensor_from_bytes(Arena *arena, Type type, const void *bytes)
{
    Tensor *t = tensor_new(arena, type);
    int size = dtype_bytes(type.dtype);
    for (int64_t k = 0; k < t->count; k++) {
        const char *at = (const char *)bytes + k * size;
        if (t->f)
            t->f[k] = float_from_bytes(type.dtype, at);
        else
            t->i[k] = whole_from_bytes(type.dtype, at);
    }
    return t;
}

void tensor_to_bytes(const Tensor *t, void *bytes)
{
    int size = dtype_bytes(t->type.dtype);
    for (int64_t k = 0; k < t->count; k++) {
        char *at = (char *)bytes + k * size;
        if (t->f)
            float_to_bytes(t->type.dtype, t->f[k], at);
        else
            whole_to_bytes(t->type.dtype, t->i[k], at);
    }
}

Tensor *tensor_some(Arena *arena, const Node *input, int salt, int below)
{
    Tensor *t = tensor_new(arena, input->type);
    DType dtype = input->type.dtype;
    uint32_t x = 12345u + (uint32_t)salt * 7919u;
    bool moment = strstr(input->attr.text, "optimizer.") != NULL;
    for (int64_t k = 0; k < t->count; k++) {
        x = x * 1664525u + 1013904223u;
        double unit = (x >> 8) * 0x1p-24;
        if (t->f) t->f[k] = round_to_dtype(dtype, (float)(moment ? unit : 0.6 * unit - 0.3));
        else if (dtype == DT_bool) t->i[k] = unit < 0.5;
        else t->i[k] = input->type.rank ? (int64_t)(unit * below) : 3;
    }
    return t;
}
