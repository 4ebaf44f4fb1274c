/* Names of kinds and element types, and constructors of values. */
#include "runtime/data/value.h"

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
                        .array = { .data = ids, .dtype = RT_i32, .rank = 1, .shape = { count }, .tokenizer = tokenizer } };
}

DataValue data_tokenizer(const RtTokenizer *tokenizer)
{
    return (DataValue){ .kind = DATA_tokenizer, .tokenizer = tokenizer };
}
