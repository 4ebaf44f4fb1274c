/* The values of the data phase: what a model's `data` block names and hands from one host function to the next. All
 * bytes are owned by the RtData that made them (data.h) and never change; values are copied freely. */
#ifndef PTM_RUNTIME_VALUE_H
#define PTM_RUNTIME_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/core/program.h"
#include "runtime/data/stream.h"
#include "runtime/text/tokenizer.h"

/* Numbers of the element types, in the order of dtype.def. */
#define DTYPE(name, bytes, class) RT_##name,
typedef enum RtDtype {
#include "runtime/core/dtype.def"
    RT_DTYPE_COUNT
} RtDtype;
#undef DTYPE

/* KIND(name, what messages call it) */
#define DATA_KINDS(KIND)                                                                                               \
    KIND(none, "none")                                                                                                 \
    KIND(number, "a number")                                                                                           \
    KIND(bool, "true or false")                                                                                        \
    KIND(text, "a text")                            /* a string of the program, or running text */                     \
    KIND(column, "a column of texts")               /* text[N] */                                                      \
    KIND(array, "an array")                         /* ids are an i32[N] */                                            \
    KIND(ragged, "ragged ids")                      /* i32[N, *] */                                                    \
    KIND(tokenizer, "a tokenizer")                  /* or label set */                                                 \
    KIND(stream, "a stream")                                                                                           \
    KIND(list, "a list")

#define KIND(name, words) DATA_##name,
typedef enum DataKind { DATA_KINDS(KIND) DATA_KIND_COUNT } DataKind;
#undef KIND

typedef struct DataColumn {
    const RtText *rows;
    int64_t       count;
} DataColumn;

typedef struct DataArray {
    const void *data;                    /* packed, first axis outermost */
    int32_t     dtype, rank;
    int64_t     shape[RT_MAX_RANK];
    const RtTokenizer *tokenizer;        /* whose ids these are; NULL when that is not known */
    const int64_t *lengths;              /* made by `pad`: how much of each row is not padding; else NULL */
} DataArray;

typedef struct DataRagged {
    const int32_t *ids;                  /* of all rows, one after the other */
    const int64_t *at;                   /* row r is ids[at[r] .. at[r + 1]); rows + 1 offsets */
    int64_t        rows;
    const RtTokenizer *tokenizer;        /* as above */
} DataRagged;

typedef struct DataValue {
    const char *name;                    /* of an argument: its keyword, or NULL */
    DataKind    kind;
    union {
        double             number;
        bool               truth;
        RtText             text;
        DataColumn         column;
        DataArray          array;
        DataRagged         ragged;
        const RtTokenizer *tokenizer;
        const RtStream    *stream;
        struct { const struct DataValue *items; int count; } list;
    };
} DataValue;

const char *data_kind_words(DataKind kind);
int64_t     rt_dtype_bytes(int32_t dtype);
const char *rt_dtype_name(int32_t dtype);
/* An element of any type; of i64 the nearest f64. */
double      rt_element(const void *packed, int32_t dtype, int64_t index);
int64_t     data_array_count(const DataArray *a);            /* elements in all */

DataValue data_number(double x);
DataValue data_text(RtText text);
DataValue data_column(const RtText *rows, int64_t count);
DataValue data_ids(const int32_t *ids, int64_t count, const RtTokenizer *tokenizer);
DataValue data_tokenizer(const RtTokenizer *tokenizer);

#endif
