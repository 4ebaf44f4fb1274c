/* The backend node tests of ONNX: one small model in each directory, its inputs and the outputs it should give.
 *
 * Layout: DIR/model.onnx holds a ModelProto, DIR/test_data_set_0/{input,output}_N.pb a TensorProto each (protobuf wire
 * format, field numbers of onnx.proto3). Everything read is checked against the bytes that are there. */
#ifndef PTM_TESTS_ONNX_H
#define PTM_TESTS_ONNX_H

#include "ir/graph.h"

typedef struct OnnxType {
    DType dtype; /* DT_COUNT: an element type that the language lacks */
    int rank;
    int64_t shape[MAX_RANK];
} OnnxType;

typedef struct OnnxTensor {
    const char *name; /* of the value in the graph */
    OnnxType type;
    int64_t count;
    char *bytes; /* packed elements; NULL when the language lacks the type */
} OnnxTensor;

typedef struct OnnxAttribute {
    const char *name, *s;
    double f;
    int64_t i;
    OnnxTensor *t;
    Vec(int64_t) ints;
} OnnxAttribute;

typedef struct OnnxNode {
    const char *op;
    Vec(const char *) inputs, outputs; /* names of values; "" where an optional one is absent */
    Vec(OnnxAttribute) attributes;
} OnnxNode;

typedef struct OnnxCase {
    const char *name; /* of its directory */
    int64_t opset;
    Vec(OnnxNode) nodes; /* in topological order */
    Vec(const char *) input_names, output_names;
    Vec(OnnxTensor) initializers;    /* weights within the model */
    Vec(OnnxTensor) inputs, outputs; /* of the data set */
} OnnxCase;

/* Each returns NULL, or what is wrong with the files. The values want the model's names, so it is read first. */
const char *onnx_read_model(Arena *arena, const char *directory, OnnxCase *out);
const char *onnx_read_values(Arena *arena, const char *directory, OnnxCase *c);

int64_t onnx_whole(const OnnxTensor *t, int64_t i); /* element i of any type, toward zero */
double onnx_real(const OnnxTensor *t, int64_t i);

#endif
