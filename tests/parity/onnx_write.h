/* From a case to a program in the language: one fn f, a line for each value, whose parameters are the inputs it reads.
 * A row of onnx.def says for each operator of ONNX how it is written; this is what the functions of its CODE rows write
 * with. */
#ifndef PTM_TESTS_ONNX_WRITE_H
#define PTM_TESTS_ONNX_WRITE_H

#include "tests/parity/onnx.h"

typedef struct OnnxValue {
    const char *name; /* in the graph */
    const char *text; /* in the program */
    OnnxType type;
    const OnnxTensor *known; /* what it is, where that is written in the files */
    bool read;               /* a parameter of f, since the program mentions it */
} OnnxValue;

/* A parameter of the model with its value. */
typedef struct OnnxBinding {
    const char *path;
    OnnxType type;
    const char *bytes;
} OnnxBinding;

/* What to run and compare: the results of f in order; with `loss`, its gradients; with `optimizer`, updates. */
typedef struct OnnxProgram {
    const char *text;
    Vec(OnnxValue) values; /* those with `read` are the inputs */
    Vec(OnnxBinding) bindings;
    Vec(const char *) results; /* text of each output of the case; NULL: f does not return it */
    bool gradient;             /* the outputs behind the first are gradients by the bindings, in order */
    bool optimizer;            /* the bindings are trained; the outputs are new weights, then states */
    const char *refused;       /* why there is no program, or NULL */
} OnnxProgram;

typedef struct OnnxWriter {
    Arena *arena;
    const OnnxCase *c;
    const OnnxNode *node; /* being written */
    OnnxProgram *out;
    char *body;       /* of f */
    const char *head; /* what stands above f */
    int labels;       /* given so far */
} OnnxWriter;

/* The program of a case, in `arena`. */
OnnxProgram onnx_write(Arena *arena, const OnnxCase *c);

/* The inputs of the node being written. The text of an absent one is "". */
bool onnx_has(const OnnxWriter *w, int k);
const char *onnx_in(OnnxWriter *w, int k);
const OnnxType *onnx_type(OnnxWriter *w, int k);
const OnnxTensor *onnx_known(OnnxWriter *w, int k); /* NULL after refusing the case */

/* Its attributes. */
int64_t onnx_int(const OnnxWriter *w, const char *name, int64_t otherwise);
double onnx_float(const OnnxWriter *w, const char *name, double otherwise);
const char *onnx_string(const OnnxWriter *w, const char *name, const char *otherwise);
const OnnxAttribute *onnx_attribute(const OnnxWriter *w, const char *name); /* or NULL */
int onnx_axis(const OnnxWriter *w, int rank, int64_t otherwise);            /* `axis`, counted from 0 */
/* Axes of input `from_input` or the attribute `axes`, counted from 0, as bits; -1 when neither is there. */
int onnx_axes(OnnxWriter *w, int from_input, int rank);

/* Writing. Output k gets a type and a text; lines stand before it. */
void onnx_out(OnnxWriter *w, int k, OnnxType type, const char *format, ...) __attribute__((format(printf, 4, 5)));
void onnx_line(OnnxWriter *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void onnx_refuse(OnnxWriter *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void onnx_head(OnnxWriter *w, const char *text); /* once each */
const char *onnx_label(OnnxWriter *w);           /* a new one */
void onnx_bind(OnnxWriter *w, const char *path, OnnxType type, const char *bytes);

/* Texts and types. */
const char *onnx_number(OnnxWriter *w, double x);
const char *onnx_list(OnnxWriter *w, const int64_t *at, int count); /* "[2, 3]" */
const char *onnx_shape(OnnxWriter *w, const OnnxType *type);
OnnxType onnx_of(DType dtype, int rank, const int64_t *shape);
OnnxType onnx_broadcast(const OnnxType *a, const OnnxType *b);
OnnxType onnx_reduced(const OnnxType *type, uint32_t axes, bool keep);

/* The rows of onnx.def. */
typedef struct OnnxRow {
    const char *op, *how; /* a template, or in words */
    enum { ONNX_text, ONNX_code, ONNX_none } kind;
    void (*code)(OnnxWriter *w);
} OnnxRow;
int onnx_row_count(void);
const OnnxRow *onnx_row(int i);
const OnnxRow *onnx_find_row(const char *op); /* NULL: unknown */

#define CODE(op, function, how) void function(OnnxWriter *w);
#define TEXT(op, how)
#define NONE(op, why)
#include "tests/parity/onnx.def"
#undef CODE
#undef TEXT
#undef NONE

#endif
