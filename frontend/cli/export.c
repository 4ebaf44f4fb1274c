/* Weights in another layout. The shapes of the tensors follow from those of the parameters; each line is then the graph
 * that would read it, and its moves are made backwards. */
#include "frontend/cli/export.h"
#include "frontend/cli/moves.h"
#include "runtime/train/arrays_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A tensor of the file to be. */
typedef struct Written {
    const char *name;
    WeightShape shape;                   /* rank -1: unknown */
    int         dtype;
    char       *data;
    uint8_t    *given;                   /* of each element: 1 once a parameter has given it */
    int64_t     count;
} Written;

typedef struct Export {
    Session          *s;
    const WeightRule *rules;
    int               rule_count;
    const Graph     **graphs;
    Map              *by_name;           /* -> Written */
    Map              *values;            /* path -> RtValue, of the parameters in `block` */
    char             *block;
    const RtWeights  *like;              /* or NULL */
    const char       *path;
} Export;

/* INT64_MAX / 16 stands for more than there can be. */
static int64_t elements(const WeightShape *shape)
{
    int64_t count = 1;
    for (int k = 0; k < shape->rank; k++)
        if (__builtin_mul_overflow(count, shape->dim[k], &count) || count > INT64_MAX / 16) return INT64_MAX / 16;
    return count;
}

/* ---- parameters ---- */

static bool load_params(Export *x, const Mapping *from)
{
    Session *s = x->s;
    int count = model_param_count(s->model);
    RtValue *values = arena_array(s->arena, RtValue, count + 1);
    int64_t bytes = 0;
    RtError error;
    x->values = map_new(s->arena);
    for (int i = 0; i < count; i++) {
        const Param *p = model_param(s->model, i);
        values[i] = (RtValue){ .name = p->path, .dtype = (int32_t)p->type.dtype, .rank = p->type.rank,
                               .place = RT_PLACE(BLOCK_param, bytes), .bytes = type_value_bytes(&p->type) };
        bytes += (values[i].bytes + 63) / 64 * 64;
        map_set(x->values, p->path, &values[i]);
    }
    x->block = malloc((size_t)bytes + 1);
    if (!x->block) return session_fail(s, "not enough memory for parameters of %" PRId64 " bytes", bytes) && false;
    if (mapping_load(from, values, count, x->block, &error)) return true;
    session_fail(s, "%s", error.text);
    return false;
}

static const char *param_data(const Export *x, const Param *p)
{
    const RtValue *v = map_get(x->values, p->path);
    return x->block + rt_offset(v->place);
}

/* ---- shapes ---- */

static Written *written(Export *x, const char *name)
{
    Written *w = map_get(x->by_name, name);
    if (w) return w;
    w = arena_new_of(x->s->arena, Written);
    *w = (Written){ .name = name, .shape = { .rank = -1 } };
    const RtTensor *like = x->like ? rt_weights_find(x->like, name) : NULL;
    if (like) {
        w->shape.rank = like->rank;
        memcpy(w->shape.dim, like->shape, sizeof like->shape);
    }
    map_set(x->by_name, name, w);
    return w;
}

/* What one rule says of the shapes of its sources, added to what others said. True when something is new. */
static bool grow_shapes(Export *x, const WeightRule *r)
{
    WeightShape *shapes = arena_array(x->s->arena, WeightShape, r->source_count);
    bool grown = false;
    for (int k = 0; k < r->source_count; k++) shapes[k] = written(x, r->sources[k])->shape;
    weights_shapes(x->s->model, r, shapes);
    for (int k = 0; k < r->source_count; k++) {
        Written *w = written(x, r->sources[k]);
        grown = grown || memcmp(&w->shape, &shapes[k], sizeof shapes[k]);
        w->shape = shapes[k];
        w->dtype = (int)weights_type(x->s->model, r, &shapes[k]).dtype;
    }
    return grown;
}

/* Lines may know only together how large a tensor is. */
static bool find_shapes(Export *x)
{
    bool grown = true;
    for (int round = 0; grown && round < x->rule_count + 1; round++) {
        grown = false;
        for (int i = 0; i < x->rule_count; i++) grown = grow_shapes(x, &x->rules[i]) || grown;
    }
    for (int i = 0; i < x->rule_count; i++)
        for (int k = 0; k < x->rules[i].source_count; k++) {
            const Written *w = written(x, x->rules[i].sources[k]);
            if (w->shape.rank >= 0) continue;
            diag_error(x->s->diagnostics, x->rules[i].place,
                       "this line has no way back by itself: the shape of %s does not follow from the parameters; "
                       "--like FILE takes it from another file", w->name);
            return session_report(x->s);
        }
    return true;
}

static bool find_graphs(Export *x)
{
    x->graphs = arena_array(x->s->arena, const Graph *, x->rule_count + 1);
    for (int i = 0; i < x->rule_count; i++) {
        const WeightRule *r = &x->rules[i];
        Type *types = arena_array(x->s->arena, Type, r->source_count);
        for (int k = 0; k < r->source_count; k++)
            types[k] = weights_type(x->s->model, r, &written(x, r->sources[k])->shape);
        x->graphs[i] = weights_graph(x->s->model, r, types, x->s->diagnostics);
        if (!x->graphs[i]) return session_report(x->s);
    }
    return true;
}

/* ---- elements ---- */

static bool reserve(Export *x)
{
    for (int i = 0; i < map_count(x->by_name); i++) {
        Written *w = map_value(x->by_name, i);
        w->count = elements(&w->shape);
        w->data = calloc((size_t)w->count + 1, (size_t)rt_dtype_bytes(w->dtype));
        w->given = calloc((size_t)w->count + 1, 1);
        if (!w->data || !w->given) return session_fail(x->s, "not enough memory for %s", w->name) && false;
    }
    return true;
}

static void release(Export *x)
{
    for (int i = 0; i < map_count(x->by_name); i++) {
        Written *w = map_value(x->by_name, i);
        free(w->data);
        free(w->given);
    }
    free(x->block);
}

/* An element that was given before must have been given the same. */
static bool conflicts(const RtMove *move, const Written *w, const char *from, char *room, int64_t size)
{
    int64_t count = rt_move_count(move);
    RtMove gather = *move, marks = *move;
    gather.to_start = marks.to_start = 0;
    for (int64_t k = move->rank - 1, step = 1; k >= 0; step *= move->extent[k--]) gather.to_stride[k] = step;
    memcpy(marks.to_stride, gather.to_stride, sizeof marks.to_stride);
    char *there = room, *here = room + count * size, *given = here + count * size;
    rt_move(&gather, size, w->data, there);
    rt_move(&marks, 1, w->given, given);
    RtMove ours = gather;                /* the parameter's own elements in the same order */
    memcpy(ours.from_stride, move->to_stride, sizeof ours.from_stride);
    ours.from_start = move->to_start;
    rt_move(&ours, size, from, here);
    for (int64_t i = 0; i < count; i++)
        if (given[i] && memcmp(there + i * size, here + i * size, (size_t)size)) return true;
    return false;
}

static bool give(Export *x, const WeightRule *r, const struct Moved *moved, const Param *p)
{
    Written *w = written(x, moved->source);
    int64_t size = rt_dtype_bytes(w->dtype), count = rt_move_count(&moved->move);
    const char *from = param_data(x, p);
    char *room = malloc((size_t)(count * (2 * size + 1)) + 1);
    if (!room) return session_fail(x->s, "not enough memory for %s", w->name) && false;
    bool wrong = conflicts(&moved->move, w, from, room, size);
    if (!wrong) {
        RtMove back = rt_move_back(&moved->move), mark = back;
        memset(room, 1, 1);
        memset(mark.from_stride, 0, sizeof mark.from_stride);
        mark.from_start = 0;
        rt_move(&back, size, from, w->data);
        rt_move(&mark, 1, room, w->given);
    } else {
        diag_error(x->s->diagnostics, r->place, "%s and another parameter give %s different elements", p->path,
                   w->name);
        session_report(x->s);
    }
    free(room);
    return !wrong;
}

static bool fill(Export *x)
{
    bool good = true;
    for (int i = 0; good && i < x->rule_count; i++) {
        const Graph *g = x->graphs[i];
        for (int o = 0; good && o < g->outputs.count; o++) {
            Arena *scratch = arena_new();
            const Param *p = x->rules[i].targets[atoi(g->outputs.at[o].name)];
            Moves moves;
            good = moves_of(scratch, g->outputs.at[o].node, &moves);
            if (!good) session_fail(x->s, "the line that makes %s moves too many separate pieces", p->path);
            for (int k = 0; good && k < moves.count; k++) good = give(x, &x->rules[i], &moves.at[k], p);
            arena_free(scratch);
        }
    }
    return good;
}

static bool check_whole(const Export *x)
{
    for (int i = 0; i < map_count(x->by_name); i++) {
        const Written *w = map_value(x->by_name, i);
        int64_t given = 0;
        for (int64_t k = 0; k < w->count; k++) given += w->given[k];
        if (given == w->count) continue;
        session_fail(x->s, "the parameters give only %" PRId64 " of the %" PRId64 " elements of %s", given, w->count,
                     w->name);
        return false;
    }
    return true;
}

/* ---- writing ---- */

static bool narrow(const Export *x, Written *w, int dtype)
{
    if (dtype < 0 || dtype == w->dtype || !rt_converts(w->dtype, dtype)) return true;
    char *data = malloc((size_t)(w->count * rt_dtype_bytes(dtype)) + 1);
    if (!data) return session_fail(x->s, "not enough memory for %s", w->name) && false;
    rt_convert(w->dtype, w->data, dtype, data, w->count);
    free(w->data);
    w->data = data;
    w->dtype = dtype;
    return true;
}

static bool is_archive(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, ".npz");
}

static bool write_tensors(const Export *x, const RtTensor *tensors, int count)
{
    const RtMeta format = { "format", "pt" };            /* what other readers of these files ask for */
    RtError error;
    char *header = is_archive(x->path) ? NULL : malloc((size_t)rt_tensors_header_bytes(tensors, count, &format, 1));
    bool good = is_archive(x->path) ? rt_npz_write(x->path, tensors, count, &error)
        : (header || rt_fail(&error, "not enough memory for the header of %.300s", x->path))
            && rt_tensors_write(x->path, tensors, count, &format, 1, header, &error);
    free(header);
    if (!good) session_fail(x->s, "%s", error.text);
    return good;
}

static bool write_file(Export *x, int dtype)
{
    int count = map_count(x->by_name);
    RtTensor *tensors = arena_array(x->s->arena, RtTensor, count + 1);
    for (int i = 0; i < count; i++) {
        Written *w = map_value(x->by_name, i);
        if (!narrow(x, w, dtype)) return false;
        tensors[i] = (RtTensor){ .name = w->name, .dtype = w->dtype, .rank = w->shape.rank, .data = w->data,
                                 .bytes = w->count * rt_dtype_bytes(w->dtype) };
        memcpy(tensors[i].shape, w->shape.dim, sizeof tensors[i].shape);
    }
    return write_tensors(x, tensors, count);
}

int export_weights(const Mapping *from, int block, const RtWeights *like, int dtype, const char *path)
{
    Export x = { .s = from->s, .by_name = map_new(from->s->arena), .like = like, .path = path };
    x.rules = weights_rules(from->s->model, block, NULL, NULL, &x.rule_count);
    bool good = load_params(&x, from) && find_shapes(&x) && find_graphs(&x) && reserve(&x) && fill(&x)
             && check_whole(&x) && write_file(&x, dtype);
    if (good) printf("%s: %d tensors\n", path, map_count(x.by_name));
    release(&x);
    return good ? EXIT_GOOD : EXIT_BAD_INPUT;
}
