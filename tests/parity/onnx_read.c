/* Reading protobuf messages of ONNX, and only the fields that the tests need. */
#include "tests/parity/onnx.h"

#include "ir/eval.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 26 };

/* the wire format */

typedef struct Bytes {
    const unsigned char *at, *end;
    bool bad; /* something did not fit in what is there */
} Bytes;

typedef enum Wire { WIRE_varint = 0, WIRE_fixed64 = 1, WIRE_bytes = 2, WIRE_fixed32 = 5 } Wire;

typedef struct Field {
    int number;
    Wire wire;
    uint64_t value; /* varint, fixed64, fixed32 */
    Bytes bytes;
} Field;

static uint64_t read_varint(Bytes *in)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && in->at < in->end; shift += 7) {
        unsigned char c = *in->at++;
        value |= (uint64_t)(c & 127) << shift;
        if (c < 128) return value;
    }
    in->bad = true;
    return 0;
}

static uint64_t read_fixed(Bytes *in, int size)
{
    uint64_t value = 0;
    if (in->end - in->at < size) {
        in->bad = true;
        return 0;
    }
    for (int k = 0; k < size; k++) value |= (uint64_t)*in->at++ << 8 * k;
    return value;
}

/* The next field of a message; false at its end, or when it is damaged. */
static bool next_field(Bytes *in, Field *out)
{
    if (in->bad || in->at == in->end) return false;
    uint64_t key = read_varint(in);
    *out = (Field){.number = (int)(key >> 3 & 0x1fffffff), .wire = (Wire)(key & 7)};
    switch (out->wire) {
    case WIRE_varint:
        out->value = read_varint(in);
        break;
    case WIRE_fixed64:
        out->value = read_fixed(in, 8);
        break;
    case WIRE_fixed32:
        out->value = read_fixed(in, 4);
        break;
    case WIRE_bytes: {
        uint64_t size = read_varint(in);
        if (in->bad || size > (uint64_t)(in->end - in->at))
            in->bad = true;
        else
            out->bytes = (Bytes){in->at, in->at + size, false};
        if (!in->bad) in->at += size;
        break;
    }
    default:
        in->bad = true;
    }
    return !in->bad;
}

static double as_float(uint64_t bits)
{
    uint32_t word = (uint32_t)bits;
    float f;
    memcpy(&f, &word, sizeof f);
    return (double)f;
}

static const char *text_of(Arena *arena, const Field *f)
{
    return f->wire == WIRE_bytes
               ? arena_copy_text(arena, (const char *)f->bytes.at, (size_t)(f->bytes.end - f->bytes.at))
               : "";
}

typedef Vec(int64_t) Wholes;

/* A repeated integer: one element, or a packed run of them. */
static bool read_wholes(Arena *arena, const Field *f, Wholes *out)
{
    if (f->wire == WIRE_varint) {
        vec_push(arena, out, (int64_t)f->value);
        return true;
    }
    if (f->wire != WIRE_bytes) return false;
    Bytes in = f->bytes;
    while (in.at < in.end && !in.bad) {
        int64_t value = (int64_t)read_varint(&in);
        if (!in.bad) vec_push(arena, out, value);
    }
    return !in.bad;
}

/* tensors */

static DType dtype_of(int64_t code)
{
    switch (code) {
    case 1:
        return DT_f32;
    case 2:
        return DT_u8;
    case 3:
        return DT_i8;
    case 6:
        return DT_i32;
    case 7:
        return DT_i64;
    case 9:
        return DT_bool;
    case 10:
        return DT_f16;
    case 11:
        return DT_f64;
    case 16:
        return DT_bf16;
    default:
        return DT_COUNT;
    }
}

/* What a TensorProto holds, before its sizes are known to agree. */
typedef struct RawTensor {
    Wholes dims, wholes; /* wholes: int32_data (bits of f16 and bf16 too) or int64_data */
    Bytes raw, reals;    /* reals: float_data or double_data, packed */
    bool has_raw;
} RawTensor;

static bool read_raw_tensor(Arena *arena, Bytes in, RawTensor *raw, OnnxTensor *out)
{
    Field f;
    while (next_field(&in, &f)) {
        if (f.number == 1 && !read_wholes(arena, &f, &raw->dims)) return false;
        if (f.number == 2) out->type.dtype = dtype_of((int64_t)f.value);
        if ((f.number == 4 || f.number == 10) && f.wire != WIRE_bytes) return false;
        if (f.number == 4 || f.number == 10) raw->reals = f.bytes;
        if ((f.number == 5 || f.number == 7) && !read_wholes(arena, &f, &raw->wholes)) return false;
        if (f.number == 8) out->name = text_of(arena, &f);
        if (f.number == 9) raw->has_raw = f.wire == WIRE_bytes;
        if (f.number == 9) raw->raw = f.bytes;
    }
    return !in.bad;
}

static bool read_shape(const Wholes *dims, OnnxTensor *out)
{
    out->count = 1;
    if (dims->count > MAX_RANK) return false;
    for (int k = 0; k < dims->count; k++) {
        int64_t n = dims->at[k];
        if (n < 0 || n > MOST_BYTES || (n && out->count > MOST_BYTES / n)) return false;
        out->type.shape[k] = n;
        out->count *= n;
    }
    out->type.rank = dims->count;
    return true;
}

static bool fill(const RawTensor *raw, OnnxTensor *out)
{
    int size = dtype_bytes(out->type.dtype);
    Bytes from = raw->has_raw ? raw->raw : raw->reals;
    if (!raw->has_raw && raw->wholes.count) {
        if (raw->wholes.count != out->count) return false;
        for (int64_t i = 0; i < out->count; i++) memcpy(out->bytes + i * size, &raw->wholes.at[i], (size_t)size);
        return true;
    }
    if (from.end - from.at != out->count * size) return false;
    if (out->count) memcpy(out->bytes, from.at, (size_t)(out->count * size));
    return true;
}

static const char *read_tensor(Arena *arena, Bytes in, OnnxTensor *out)
{
    RawTensor raw = {0};
    *out = (OnnxTensor){.name = "", .type.dtype = DT_COUNT};
    if (!read_raw_tensor(arena, in, &raw, out)) return "a damaged tensor";
    if (!read_shape(&raw.dims, out)) return "a tensor of an impossible shape";
    if (out->type.dtype == DT_COUNT) return NULL;
    out->bytes = arena_alloc(arena, (size_t)(out->count * dtype_bytes(out->type.dtype)) + 8);
    return fill(&raw, out) ? NULL : "a tensor whose data does not fill its shape";
}

int64_t onnx_whole(const OnnxTensor *t, int64_t i)
{
    return (int64_t)onnx_real(t, i);
}

double onnx_real(const OnnxTensor *t, int64_t i)
{
    Arena *arena = arena_new();
    Type scalar = type_scalar(t->type.dtype);
    Tensor *one = tensor_from_bytes(arena, scalar, t->bytes + i * dtype_bytes(t->type.dtype));
    double value = one->f ? one->f[0] : (double)one->i[0];
    arena_free(arena);
    return value;
}

/* the model */

static const char *read_attribute(Arena *arena, Bytes in, OnnxAttribute *out)
{
    Field f;
    Wholes ints = {0};
    const char *why = NULL;
    *out = (OnnxAttribute){.name = "", .s = ""};
    while (!why && next_field(&in, &f)) {
        if (f.number == 1) out->name = text_of(arena, &f);
        if (f.number == 2) out->f = as_float(f.value);
        if (f.number == 3) out->i = (int64_t)f.value;
        if (f.number == 4) out->s = text_of(arena, &f);
        if (f.number == 5) out->t = arena_new_of(arena, OnnxTensor);
        if (f.number == 5) why = read_tensor(arena, f.bytes, out->t);
        if (f.number == 8 && !read_wholes(arena, &f, &ints)) why = "a damaged list of numbers";
    }
    for (int k = 0; k < ints.count; k++) vec_push(arena, &out->ints, ints.at[k]);
    return in.bad ? "a damaged attribute" : why;
}

static const char *read_node(Arena *arena, Bytes in, OnnxNode *out)
{
    Field f;
    const char *why = NULL;
    *out = (OnnxNode){.op = ""};
    while (!why && next_field(&in, &f)) {
        if (f.number == 1) vec_push(arena, &out->inputs, text_of(arena, &f));
        if (f.number == 2) vec_push(arena, &out->outputs, text_of(arena, &f));
        if (f.number == 4) out->op = text_of(arena, &f);
        if (f.number == 5) {
            OnnxAttribute a;
            why = read_attribute(arena, f.bytes, &a);
            vec_push(arena, &out->attributes, a);
        }
    }
    return in.bad ? "a damaged node" : why;
}

/* The name in a ValueInfoProto. */
static const char *value_name(Arena *arena, Bytes in)
{
    Field f;
    while (next_field(&in, &f))
        if (f.number == 1) return text_of(arena, &f);
    return "";
}

static const char *read_graph(Arena *arena, Bytes in, OnnxCase *out)
{
    Field f;
    const char *why = NULL;
    while (!why && next_field(&in, &f)) {
        if (f.wire != WIRE_bytes) continue;
        if (f.number == 1) {
            OnnxNode node;
            why = read_node(arena, f.bytes, &node);
            vec_push(arena, &out->nodes, node);
        }
        if (f.number == 5) {
            OnnxTensor t;
            why = read_tensor(arena, f.bytes, &t);
            vec_push(arena, &out->initializers, t);
        }
        if (f.number == 11) vec_push(arena, &out->input_names, value_name(arena, f.bytes));
        if (f.number == 12) vec_push(arena, &out->output_names, value_name(arena, f.bytes));
    }
    return in.bad ? "a damaged graph" : why;
}

/* Version of the standard operators in an OperatorSetIdProto, or 0. */
static int64_t read_opset(Arena *arena, Bytes in)
{
    Field f;
    int64_t version = 0;
    const char *domain = "";
    while (next_field(&in, &f)) {
        if (f.number == 1) domain = text_of(arena, &f);
        if (f.number == 2) version = (int64_t)f.value;
    }
    return *domain ? 0 : version;
}

/* files */

static const char *read_file(Arena *arena, const char *path, Bytes *out)
{
    FILE *file = fopen(path, "rb");
    if (!file) return arena_print(arena, "%s: %s", path, strerror(errno));
    char *bytes = arena_alloc(arena, 0);
    size_t size = 0, room = 0, more = 1;
    while (more && size < MOST_BYTES) {
        if (room - size < 4096) {
            room = 2 * room + 65536;
            char *larger = arena_alloc(arena, room);
            memcpy(larger, bytes, size);
            bytes = larger;
        }
        more = fread(bytes + size, 1, room - size, file);
        size += more;
    }
    bool failed = ferror(file) || more;
    fclose(file);
    *out = (Bytes){(unsigned char *)bytes, (unsigned char *)bytes + size, false};
    return failed ? arena_print(arena, "%s: cannot be read", path) : NULL;
}

const char *onnx_read_model(Arena *arena, const char *directory, OnnxCase *out)
{
    Bytes in;
    Field f;
    *out = (OnnxCase){.name = strrchr(directory, '/') ? strrchr(directory, '/') + 1 : directory};
    const char *why = read_file(arena, arena_print(arena, "%s/model.onnx", directory), &in);
    while (!why && next_field(&in, &f)) {
        if (f.number == 7) why = read_graph(arena, f.bytes, out);
        int64_t version = f.number == 8 ? read_opset(arena, f.bytes) : 0;
        if (version) out->opset = version;
    }
    return why ? why : in.bad ? "a damaged model" : NULL;
}

static bool is_initializer(const OnnxCase *c, const char *name)
{
    for (int i = 0; i < c->initializers.count; i++)
        if (!strcmp(c->initializers.at[i].name, name)) return true;
    return false;
}

static const char *read_value(Arena *arena, const char *directory, const char *kind, int i, const char *name,
                              OnnxTensor *out)
{
    Bytes in;
    const char *why = read_file(arena, arena_print(arena, "%s/test_data_set_0/%s_%d.pb", directory, kind, i), &in);
    if (!why) why = read_tensor(arena, in, out);
    out->name = name;
    return why;
}

const char *onnx_read_values(Arena *arena, const char *directory, OnnxCase *c)
{
    const char *why = NULL;
    for (int i = 0; i < c->input_names.count && !why; i++) {
        if (is_initializer(c, c->input_names.at[i])) continue;
        OnnxTensor t;
        why = read_value(arena, directory, "input", c->inputs.count, c->input_names.at[i], &t);
        vec_push(arena, &c->inputs, t);
    }
    for (int i = 0; i < c->output_names.count && !why; i++) {
        OnnxTensor t;
        why = read_value(arena, directory, "output", i, c->output_names.at[i], &t);
        vec_push(arena, &c->outputs, t);
    }
    return why;
}
