/* Finding, and reading, the tensors of which parameters are made. */
#include "frontend/cli/mapping.h"
#include "frontend/cli/moves.h"
#include "passes/passes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 5 };                      /* faults in a message; the table shows all */

/* ---- texts ---- */

const char *mapping_shown(Arena *arena, const char *name)
{
    char *shown = arena_copy_text(arena, name, strlen(name));
    for (unsigned char *c = (unsigned char *)shown; *c; c++)
        if (*c < 0x20 || *c == 0x7f) *c = '?';
    return shown;
}

static const char *type_of_extents(Arena *arena, int dtype, int rank, const int64_t *shape)
{
    const char *text = arena_print(arena, "%s[", dtype_name((DType)dtype));
    for (int k = 0; k < rank; k++) text = arena_print(arena, "%s%s%" PRId64, text, k ? ", " : "", shape[k]);
    return arena_print(arena, "%s]", text);
}

const char *mapping_tensor_text(Arena *arena, const RtTensor *t)
{
    return type_of_extents(arena, t->dtype, t->rank, t->shape);
}

const char *mapping_param_text(Arena *arena, const Param *p)
{
    int64_t shape[MAX_RANK];
    for (int k = 0; k < p->type.rank; k++) shape[k] = dim_value(p->type.dim[k]);
    return type_of_extents(arena, (int)p->type.dtype, p->type.rank, shape);
}

const char *mapping_title(const Mapping *m)
{
    return m->block < 0 ? "by the model's own names"
                        : arena_print(m->s->arena, "as weights %s says", weights_name(m->s->model, m->block));
}

/* ---- finding ---- */

static bool has_tensor(void *names, const char *name) { return map_get(names, name) != NULL; }

static Map *tensor_names(Arena *arena, const RtWeights *file)
{
    Map *names = map_new(arena);
    for (int i = 0; i < rt_weights_count(file); i++)
        map_set(names, rt_weights_at(file, i)->name, (void *)rt_weights_at(file, i));
    return names;
}

static int params_of(const WeightRule *r)
{
    int count = 0;
    for (int i = 0; i < r->target_count; i++) count += r->targets[i] != NULL;
    return count;
}

static bool counts(const WeightRule *r, const Map *wanted)
{
    for (int i = 0; i < r->target_count; i++)
        if (r->targets[i] && (!wanted || map_get(wanted, r->targets[i]->path))) return true;
    return false;
}

static bool types_fit(const MappedRule *r)
{
    for (int i = 0; i < r->rule->source_count; i++)
        for (int t = 0; t < r->rule->target_count; t++) {
            const Param *p = r->rule->targets[t];
            if (p && !rt_converts(r->tensors[i]->dtype, (int32_t)p->type.dtype)) return false;
        }
    return true;
}

/* Of a parameter that is a tensor as it is: shapes are compared here, since there is no line to blame. */
static bool shapes_fit(const MappedRule *r)
{
    const RtTensor *t = r->tensors[0];
    const Type *type = &r->rule->targets[0]->type;
    if (t->rank != type->rank) return false;
    for (int k = 0; k < t->rank; k++)
        if (t->shape[k] != dim_value(type->dim[k])) return false;
    return true;
}

/* A line complains of the first of its parameters that do not fit. */
static Diagnostics *complaints(const Mapping *m, const MappedRule *r)
{
    for (int i = 0; &m->rules[i] < r; i++)
        if (m->rules[i].rule->line == r->rule->line && !m->rules[i].missing && !m->rules[i].graph)
            return diag_new(m->s->arena);
    return m->d;
}

static const Graph *rule_graph(Mapping *m, const MappedRule *r)
{
    Session *s = m->s;
    Type *types = arena_array(s->arena, Type, r->rule->source_count);
    if (r->missing || !types_fit(r) || (!r->rule->line && !shapes_fit(r))) return NULL;
    for (int i = 0; i < r->rule->source_count; i++) {
        WeightShape shape = { .rank = r->tensors[i]->rank };
        memcpy(shape.dim, r->tensors[i]->shape, sizeof shape.dim);
        types[i] = weights_type(s->model, r->rule, &shape);
    }
    return weights_graph(s->model, r->rule, types, complaints(m, r));
}

static void use_tensors(Mapping *m, const MappedRule *r)
{
    for (int i = 0; i < r->rule->source_count; i++)
        if (r->tensors[i]) m->used[r->tensors[i] - rt_weights_at(m->file, 0)] = true;
}

/* The file as this block reads it. */
static Mapping map_block(Session *s, const RtWeights *file, const char *path, Map *names, const Map *wanted, int block)
{
    int count;
    const WeightRule *rules = weights_rules(s->model, block, has_tensor, names, &count);
    Mapping m = { .s = s, .file = file, .path = path, .names = names, .block = block, .d = diag_new(s->arena),
                  .rules = arena_array(s->arena, MappedRule, count + 1),
                  .used = arena_array(s->arena, bool, rt_weights_count(file) + 1) };
    for (int i = 0; i < count; i++) {
        if (!counts(&rules[i], wanted)) continue;
        MappedRule *r = &m.rules[m.rule_count++];
        *r = (MappedRule){ .rule = &rules[i],
                           .tensors = arena_array(s->arena, const RtTensor *, rules[i].source_count) };
        for (int k = 0; k < rules[i].source_count; k++) {
            r->tensors[k] = map_get(names, rules[i].sources[k]);
            r->missing = r->missing || !r->tensors[k];
        }
        r->graph = rule_graph(&m, r);
        use_tensors(&m, r);
    }
    return m;
}

/* How many rules fit, and of those that do not, how many have their tensors: more of the first is better, then more of
 * the second. */
static int64_t merit(const Mapping *m)
{
    int64_t fit = 0, there = 0;
    for (int i = 0; i < m->rule_count; i++) {
        fit += params_of(m->rules[i].rule) * (m->rules[i].graph != NULL);
        there += params_of(m->rules[i].rule) * !m->rules[i].missing;
    }
    return fit * INT32_MAX + there;
}

void mapping_find(Session *s, const RtWeights *file, const char *path, const Map *wanted, Mapping *out)
{
    bool any = false;
    Map *names = tensor_names(s->arena, file);
    for (int b = -1; b < weights_count(s->model); b++) {
        if (s->layout && (b < 0 || strcmp(weights_name(s->model, b), s->layout))) continue;
        Mapping m = map_block(s, file, path, names, wanted, b);
        if (!any || merit(&m) > merit(out)) *out = m;
        any = true;
        if (mapping_fits(out)) return;
    }
}

bool mapping_fits(const Mapping *m)
{
    for (int i = 0; i < m->rule_count; i++)
        if (!m->rules[i].graph) return false;
    return true;
}

/* ---- what does not fit ---- */

static bool is_ignored(const Mapping *m, const RtTensor *t) { return weights_ignores(m->s->model, m->block, t->name); }

/* The tensor that nothing reads whose name is nearest. */
static const char *nearest_tensor(const Mapping *m, const char *name)
{
    const char **names = arena_array(m->s->arena, const char *, rt_weights_count(m->file) + 1);
    int count = 0;
    for (int i = 0; i < rt_weights_count(m->file); i++)
        if (!m->used[i] && !is_ignored(m, rt_weights_at(m->file, i))) names[count++] = rt_weights_at(m->file, i)->name;
    return suggest(name, names, count);
}

/* The tensor that some parameter misses whose name is nearest. */
static const char *nearest_missing(const Mapping *m, const char *name)
{
    Vec(const char *) names = { 0 };
    for (int i = 0; i < m->rule_count; i++)
        for (int k = 0; k < m->rules[i].rule->source_count; k++)
            if (!m->rules[i].tensors[k]) vec_push(m->s->arena, &names, m->rules[i].rule->sources[k]);
    return suggest(name, names.at, names.count);
}

static const char *or_none(Arena *arena, const char *near)
{
    return near ? arena_print(arena, "; did you mean %s?", mapping_shown(arena, near)) : "";
}

static const char *first_target(const WeightRule *r)
{
    int i = 0;
    while (!r->targets[i]) i++;
    return r->targets[i]->path;
}

static void report_missing(const Mapping *m, const MappedRule *r)
{
    for (int k = 0; k < r->rule->source_count; k++) {
        if (r->tensors[k]) continue;
        const char *name = r->rule->sources[k], *path = first_target(r->rule);
        bool same = !strcmp(name, path);
        fprintf(messages_of(m->s->options), "  there is no tensor %s%s%s%s\n", name,
                same ? "" : ", of which the model makes ", same ? "" : path,
                or_none(m->s->arena, nearest_tensor(m, name)));
    }
}

static void report_fault(const Mapping *m, const MappedRule *r)
{
    Arena *arena = m->s->arena;
    if (r->missing) {
        report_missing(m, r);
    } else if (!types_fit(r) || !r->rule->line) {
        const Param *p = model_find_param(m->s->model, first_target(r->rule));
        bool same = !strcmp(r->tensors[0]->name, p->path);
        fprintf(messages_of(m->s->options), "  tensor %s is %s, the model wants %s%s%s\n", r->tensors[0]->name,
                mapping_tensor_text(arena, r->tensors[0]), mapping_param_text(arena, p), same ? "" : " for ",
                same ? "" : p->path);
    } else {
        fprintf(messages_of(m->s->options), "  %s does not come out of %s, which is %s\n", first_target(r->rule),
                r->tensors[0]->name, mapping_tensor_text(arena, r->tensors[0]));
    }
}

static void report_unused(const Mapping *m)
{
    int count = 0;
    const char *names = "";
    if (rt_weights_ours(m->file)) return;
    for (int i = 0; i < rt_weights_count(m->file); i++) {
        if (m->used[i] || is_ignored(m, rt_weights_at(m->file, i))) continue;
        if (count < SHOWN)
            names = arena_print(m->s->arena, "%s%s%s", names, count ? ", " : "",
                                mapping_shown(m->s->arena, rt_weights_at(m->file, i)->name));
        count++;
    }
    if (count)
        fprintf(messages_of(m->s->options), "warning: %s: nothing here reads %s%s\n", m->path, names,
                count > SHOWN ? arena_print(m->s->arena, " and %d more tensors", count - SHOWN) : "");
}

bool mapping_report(const Mapping *m)
{
    int faults = 0;
    for (int i = 0; i < m->rule_count; i++) {
        if (m->rules[i].graph) continue;
        if (!faults) session_fail(m->s, "%s does not fit the model (read %s):", m->path, mapping_title(m));
        if (faults++ < SHOWN) report_fault(m, &m->rules[i]);
    }
    if (!faults) {
        report_unused(m);
        return true;
    }
    if (faults > SHOWN) fprintf(messages_of(m->s->options), "  and %d more\n", faults - SHOWN);
    diag_print(m->d, messages_of(m->s->options));
    const char *layout = m->s->layout ? m->s->layout : "";
    fprintf(messages_of(m->s->options), "`ptm weights %s --weights %s%s%s` shows the whole table.\n",
            m->s->options->argument, layout, *layout ? ":" : "", m->path);
    return false;
}

/* ---- reading ---- */

typedef struct Loading {
    const Mapping *m;
    const RtValue *values;
    int            count;
    char          *block;
    char          *room;                 /* for one tensor, in the parameters' element type */
    int64_t        room_bytes;
    RtError       *e;
} Loading;

/* A parameter on its way into memory. */
typedef struct Arrival {
    const RtValue *value;                /* NULL: it is not among the values */
    char    *to;
    int32_t  dtype;                      /* of what goes there */
    bool     staged;                     /* `to` holds it as f32 until all of it is there, to be quantized then */
} Arrival;

static const RtValue *find_value(const Loading *l, const char *name)
{
    for (int i = 0; i < l->count; i++)
        if (!strcmp(l->values[i].name, name)) return &l->values[i];
    return NULL;
}

static char *place_of(const Loading *l, const RtValue *v) { return l->block + rt_offset(v->place); }

static bool arrive(const Loading *l, const Param *p, Arrival *out)
{
    *out = (Arrival){ .value = p ? find_value(l, p->path) : NULL };
    if (!out->value) return true;
    out->dtype = out->value->dtype;
    out->staged = out->dtype == RT_i8 && p->type.dtype == DT_f32;
    if (!out->staged) {
        out->to = place_of(l, out->value);
        return true;
    }
    int64_t bytes = out->value->bytes * rt_dtype_bytes(RT_f32);
    out->dtype = RT_f32;
    out->to = malloc((size_t)bytes);
    return out->to || rt_fail(l->e, "%s: out of memory for a tensor of %" PRId64 " bytes", l->m->path, bytes);
}

static void quantize(const Loading *l, const Arrival *a)
{
    const RtValue *v = a->value, *scale = find_value(l, narrow_scale_name(l->m->s->arena, v->name));
    assert(scale && "the scales of a parameter lie beside it");
    rt_quantize((const float *)a->to, v->rank, v->shape, scale->shape, (int8_t *)place_of(l, v),
                (float *)place_of(l, scale));
}

static bool reserve(Loading *l, int64_t bytes)
{
    if (bytes <= l->room_bytes) return true;
    free(l->room);
    l->room = malloc((size_t)bytes);
    l->room_bytes = l->room ? bytes : 0;
    return l->room || rt_fail(l->e, "%s: out of memory for a tensor of %" PRId64 " bytes", l->m->path, bytes);
}

static bool cut_too_small(const Loading *l, const char *path)
{
    return rt_fail(l->e, "%s: the line that makes %s moves too many separate pieces", l->m->path, path);
}

/* What one source gives to one target. */
static bool move_source(Loading *l, const Node *result, const RtTensor *t, int32_t dtype, char *to)
{
    Arena *scratch = arena_new();
    Moves moves;
    bool good = moves_of(scratch, result, &moves);
    for (int i = 0; good && i < moves.count; i++)
        if (!strcmp(moves.at[i].source, t->name)) rt_move(&moves.at[i].move, rt_dtype_bytes(dtype), l->room, to);
    arena_free(scratch);
    return good || cut_too_small(l, t->name);
}

static bool load_source(Loading *l, const MappedRule *r, int source, const Arrival *arrivals)
{
    const RtTensor *t = r->tensors[source];
    int32_t read = -1;                   /* the type in which the room has it */
    for (int i = 0; i < r->graph->outputs.count; i++) {
        const Output *out = &r->graph->outputs.at[i];
        const Arrival *a = &arrivals[atoi(out->name)];
        bool whole = out->node->op == OP_input;
        if (!a->to || (whole && strcmp(out->node->attr.text, t->name))) continue;
        if (whole) {
            if (!rt_weights_read(l->m->file, t, a->dtype, a->to, l->e)) return false;
            continue;
        }
        int64_t bytes = t->bytes / rt_dtype_bytes(t->dtype) * rt_dtype_bytes(a->dtype);
        bool there = read == a->dtype;
        if (!there && !(reserve(l, bytes) && rt_weights_read(l->m->file, t, a->dtype, l->room, l->e))) return false;
        read = a->dtype;
        if (!move_source(l, out->node, t, a->dtype, a->to)) return false;
    }
    return true;
}

static bool load_rule(Loading *l, const MappedRule *r)
{
    int count = r->rule->target_count;
    Arrival *arrivals = arena_array(l->m->s->arena, Arrival, count);
    bool good = true;
    for (int i = 0; good && i < count; i++) good = arrive(l, r->rule->targets[i], &arrivals[i]);
    for (int k = 0; good && k < r->rule->source_count; k++) good = load_source(l, r, k, arrivals);
    for (int i = 0; i < count; i++) {
        if (good && arrivals[i].staged) quantize(l, &arrivals[i]);
        if (arrivals[i].staged) free(arrivals[i].to);
    }
    return good;
}

bool mapping_load(const Mapping *m, const RtValue *values, int count, char *block, RtError *e)
{
    Loading l = { .m = m, .values = values, .count = count, .block = block, .e = e };
    bool good = true;
    for (int i = 0; good && i < m->rule_count; i++) good = load_rule(&l, &m->rules[i]);
    free(l.room);
    return good;
}

/* ---- the table ---- */

typedef struct Row {
    const char *cells[5];                /* parameter, its type, tensor, its type, remark */
} Row;
typedef Vec(Row) Rows;

static void add_row(const Mapping *m, Rows *rows, const char *path, const char *type, const char *tensor,
                    const char *there, const char *remark)
{
    Row row = { { path, type, tensor, there, remark } };
    vec_push(m->s->arena, rows, row);
}

static const char *remark_of(const Mapping *m, const MappedRule *r, int source)
{
    Arena *arena = m->s->arena;
    if (!r->tensors[source])
        return arena_print(arena, "missing%s", or_none(arena, nearest_tensor(m, r->rule->sources[source])));
    if (!r->graph && !r->missing) return types_fit(r) ? "another shape" : "another type";
    return r->rule->line ? arena_print(arena, "line %d", r->rule->place.line) : "";
}

static void add_rule(const Mapping *m, Rows *rows, const MappedRule *r)
{
    Arena *arena = m->s->arena;
    for (int t = 0, shown = 0; t < r->rule->target_count; t++) {
        const Param *p = r->rule->targets[t];
        if (!p) continue;
        for (int k = 0; k < r->rule->source_count; k++, shown++) {
            const RtTensor *tensor = r->tensors[k];
            add_row(m, rows, k ? "" : p->path, k ? "" : mapping_param_text(arena, p), r->rule->sources[k],
                    tensor ? mapping_tensor_text(arena, tensor) : "-", remark_of(m, r, k));
        }
    }
}

static void add_rest(const Mapping *m, Rows *rows)
{
    for (int i = 0; i < rt_weights_count(m->file); i++) {
        const RtTensor *t = rt_weights_at(m->file, i);
        if (m->used[i]) continue;
        const char *near = or_none(m->s->arena, nearest_missing(m, t->name));
        add_row(m, rows, "-", "", mapping_shown(m->s->arena, t->name), mapping_tensor_text(m->s->arena, t),
                is_ignored(m, t) ? "ignored" : arena_print(m->s->arena, "nothing reads it%s", near));
    }
}

static void print_rows(const Rows *rows, FILE *out)
{
    int width[4] = { 0 };
    for (int i = 0; i < rows->count; i++)
        for (int k = 0; k < 4; k++)
            if ((int)strlen(rows->at[i].cells[k]) > width[k]) width[k] = (int)strlen(rows->at[i].cells[k]);
    for (int i = 0; i < rows->count; i++) {
        const char *const *c = rows->at[i].cells;
        fprintf(out, "%-*s  %-*s  %-*s  %-*s%s%s\n", width[0], c[0], width[1], c[1], width[2], c[2],
                *c[4] ? width[3] : 0, c[3], *c[4] ? "  " : "", c[4]);
    }
}

static void print_summary(const Mapping *m, FILE *out)
{
    int params = 0, missing = 0, differ = 0, unused = 0, ignored = 0, tensors = rt_weights_count(m->file);
    for (int i = 0; i < m->rule_count; i++) {
        int n = params_of(m->rules[i].rule);
        params += n;
        missing += m->rules[i].missing ? n : 0;
        differ += !m->rules[i].graph && !m->rules[i].missing ? n : 0;
    }
    for (int i = 0; i < tensors; i++) {
        bool skip = is_ignored(m, rt_weights_at(m->file, i));
        ignored += !m->used[i] && skip;
        unused += !m->used[i] && !skip;
    }
    fprintf(out, "%s, %s: %d of %d parameters fit, %d without tensor, %d of another shape or type; of %d tensors "
            "%d are ignored and %d read by nothing\n", m->path, mapping_title(m), params - missing - differ, params,
            missing, differ, tensors, ignored, unused);
}

bool mapping_print(const Mapping *m, FILE *out)
{
    Rows rows = { 0 };
    add_row(m, &rows, "parameter", "is", "tensor", "is", "");
    for (int i = 0; i < m->rule_count; i++) add_rule(m, &rows, &m->rules[i]);
    add_rest(m, &rows);
    print_rows(&rows, out);
    print_summary(m, out);
    return mapping_fits(m);
}
