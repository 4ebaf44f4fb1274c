/* Reading a graph's text: one line, one statement. Nodes are made through graph_node, so a graph that breaks a shape
 * rule is refused like any other. After an error reading goes on with the next line; what a broken line defined is
 * known to be broken, so that its uses are not reported as well. */
#include "ir/op_field.h"
#include "ir/reader.h"
#include "ir/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ERRORS = 20 };                /* then reading stops: the text is something else */

/* The parts of a node's line before the node is made. */
typedef struct Draft {
    Op    op;
    const char *op_at;                   /* where the operator stands, for messages of the shape rule */
    Vec(Node *) args;
    bool  broken;                        /* an argument's line had an error */
    Attr  attr;
    const char *number;                  /* of a const: its value, read when the type is known */
    const char *number_at;
    Type  type;
    const Graph *region;                 /* of a scan: its body */
    Node  origins;                       /* holds the origins only */
} Draft;

/* node = "%" INT . The name, "%12". */
static const char *read_node_name(Reader *r)
{
    int64_t number;
    reader_skip(r);
    const char *start = r->at;
    if (!reader_expect(r, "%") || !reader_integer(r, &number)) return NULL;
    return arena_copy_text(r->arena, start, (size_t)(r->at - start));
}

static Node *read_node_use(Reader *r)
{
    reader_skip(r);
    const char *start = r->at, *name = read_node_name(r);
    Node *node = name ? map_get(r->nodes, name) : NULL;
    if (name && !node) reader_fail(r, start, "%s is not defined above", name);
    return node;
}

static bool read_args(Reader *r, Draft *draft)
{
    for (reader_skip(r); *r->at == '%'; reader_skip(r)) {
        Node *node = read_node_use(r);
        if (!node) return false;
        if (node == r->broken) draft->broken = true;
        vec_push(r->arena, &draft->args, node);
    }
    return true;
}

/* attributes */

/* list = "[" [ item { "," item } ] "]" . Returns how many were read; -1 after reporting. */
static int read_list(Reader *r, bool (*item)(Reader *r, Attr *attr, int i), Attr *attr)
{
    int count = 0;
    if (!reader_expect(r, "[")) return -1;
    if (reader_accept(r, "]")) return 0;
    do {
        if (count == MAX_RANK) {
            reader_fail(r, r->at, "found more than %d entries", MAX_RANK);
            return -1;
        }
        if (!item(r, attr, count++)) return -1;
    } while (reader_accept(r, ","));
    return reader_expect(r, "]") ? count : -1;
}

static bool read_axis(Reader *r, int64_t *axis)
{
    const char *start = r->at;
    if (!reader_integer(r, axis)) return false;
    return (*axis >= 0 && *axis < MAX_RANK) ||
           reader_fail(r, start, "found axis %lld, expected 0 to %d", (long long)*axis, MAX_RANK - 1);
}

static bool read_axes_item(Reader *r, Attr *attr, int i)
{
    (void)i;
    int64_t axis;
    if (!read_axis(r, &axis)) return false;
    attr->axes |= 1u << axis;
    return true;
}

static bool read_map_item(Reader *r, Attr *attr, int i)
{
    int64_t axis;
    if (!read_axis(r, &axis)) return false;
    attr->map[i] = (int8_t)axis;
    return true;
}

static bool read_start_item(Reader *r, Attr *attr, int i) { return (attr->start[i] = reader_dim(r)) != NULL; }

static bool read_step_item(Reader *r, Attr *attr, int i) { return reader_integer(r, &attr->step[i]); }

/* A list with one entry for each axis of the first argument (window: one). */
static bool read_full_list(Reader *r, Draft *draft, bool (*item)(Reader *r, Attr *attr, int i))
{
    const char *start = r->at;
    int count = read_list(r, item, &draft->attr);
    if (count < 0 || draft->broken) return count >= 0;
    int wanted = op_list_length(draft->op, draft->args.at, draft->args.count);
    return count == wanted || reader_fail(r, start, "found %d entries, expected %d", count, wanted);
}

static bool has_storage(const Reader *r, int storage)
{
    bool of_body = storage == STORE_each || storage == STORE_carry || storage == STORE_outer;
    return of_body == (r->depth > 0) || storage == STORE_ambient;
}

static bool read_storage(Reader *r, Draft *draft)
{
    const char *wanted = r->depth ? "each, carry, outer or ambient" : "data, param, state, sum, const or ambient";
    reader_skip(r);
    const char *start = r->at, *name = reader_word(r, wanted);
    if (!name) return false;
    for (int i = STORE_data; i <= STORE_outer; i++) {
        if (!has_storage(r, i) || strcmp(name, storage_name((Storage)i))) continue;
        draft->attr.storage = i;
        return true;
    }
    return reader_fail(r, start, "found %s, expected %s", name, wanted);
}

/* Of a scan it counts carries, as many as there are: making the node says what it cannot be. */
static bool read_axis_field(Reader *r, Draft *draft)
{
    int64_t axis;
    const char *start = r->at;
    if (draft->op != OP_scan ? !read_axis(r, &axis) : !reader_integer(r, &axis)) return false;
    draft->attr.axis = (int)axis;
    return draft->attr.axis == axis || reader_fail(r, start, "found axis %lld, expected a carry", (long long)axis);
}

/* Texts, storage and the value of a const stand alone; other fields are `name=value`. */
static bool read_field(Reader *r, Draft *draft, AttrField field)
{
    bool is_const = draft->op == OP_const;
    bool alone = field == FIELD_text || field == FIELD_storage || is_const;
    if (!alone && (!reader_expect(r, field_name(field)) || !reader_expect(r, "="))) return false;
    switch (field) {
    case FIELD_axis: return read_axis_field(r, draft);
    case FIELD_axes: return read_list(r, read_axes_item, &draft->attr) >= 0;
    case FIELD_map: return read_full_list(r, draft, read_map_item);
    case FIELD_start: return read_full_list(r, draft, read_start_item);
    case FIELD_step: return read_full_list(r, draft, read_step_item);
    case FIELD_text: return (draft->attr.text = reader_string(r)) != NULL;
    case FIELD_f:
        reader_skip(r);
        draft->number_at = r->at;
        return (draft->number = reader_word(r, "a number")) != NULL;
    case FIELD_i: return is_const || reader_integer(r, &draft->attr.i);
    case FIELD_storage: return read_storage(r, draft);
    case FIELD_count: return (draft->attr.count = reader_dim(r)) != NULL;
    case FIELD_COUNT: break;
    }
    return false;
}

static bool read_attrs(Reader *r, Draft *draft)
{
    AttrField fields[FIELD_COUNT];
    int count = op_fields(draft->op, fields);
    for (int i = 0; i < count; i++)
        if (!read_field(r, draft, fields[i])) return false;
    return true;
}

/* The value of a const, now that its type is known. */
static bool convert_number(Reader *r, Draft *draft)
{
    char *end;
    if (!draft->number) return true;
    if (dtype_is_float(draft->type.dtype)) {
        draft->attr.f = strtod(draft->number, &end);
        return !*end || reader_fail(r, draft->number_at, "found %s, expected a number", draft->number);
    }
    errno = 0;
    draft->attr.i = strtoll(draft->number, &end, 10);
    return (!*end && !errno) ||
           reader_fail(r, draft->number_at, "found %s, expected an integer of 64 bits", draft->number);
}

/* node = name "=" operator { name } { attribute } ":" type [ "{" ] [ origins ] . A scan has the "{". */
static bool read_draft(Reader *r, Draft *draft)
{
    reader_skip(r);
    draft->op_at = r->at;
    const char *op = reader_word(r, "an operator");
    if (!op) return false;
    if (!op_find(op, &draft->op)) return reader_fail(r, draft->op_at, "found %s, expected an operator", op);
    if (!read_args(r, draft) || !read_attrs(r, draft) || !reader_expect(r, ":") || !reader_type(r, &draft->type))
        return false;
    if (draft->op == OP_scan && !reader_expect(r, "{")) return false;
    if (!convert_number(r, draft) || !reader_origins(r, &draft->origins)) return false;
    return reader_at_end(r) || reader_expect(r, "the end of the line");
}

static Node *make_node(Reader *r, Draft *draft)
{
    const char *why = NULL;
    Node *node = draft->op == OP_scan
                     ? graph_scan(r->graph, draft->args.at, draft->args.count, &draft->attr, draft->region, &why)
                     : graph_node(r->graph, draft->op, draft->args.at, draft->args.count, &draft->attr, &draft->type,
                                  &why);
    if (node && !type_equal(&node->type, &draft->type))
        why = arena_print(r->arena, "%s: found %s as its type, expected %s", op_name(draft->op),
                          type_text(r->arena, &draft->type), type_text(r->arena, &node->type));
    if (why) {
        reader_fail(r, draft->op_at, "%s", why);
        return r->broken;
    }
    for (int i = 0; i < draft->origins.origin_count; i++) graph_add_origin(r->graph, node, draft->origins.origins[i]);
    return node;
}

static bool read_lines(Reader *r);

/* body = { line } "}" . The lines behind that of a scan. They are read by a reader of their own, so that what is to be
 * said about the scan still has its place. */
static void read_body(Reader *r, Draft *draft)
{
    int errors = diag_error_count(r->diagnostics);
    Reader inner = *r;
    inner.graph = graph_new(r->arena, r->graph->dims, r->graph->name);
    inner.nodes = map_new(r->arena);
    inner.depth++;
    if (inner.depth > MAX_SCAN_DEPTH) {
        reader_fail(r, r->at, "found more than %d scans within each other", MAX_SCAN_DEPTH);
        inner.next = r->source->text + r->source->size;
    }
    bool closed = read_lines(&inner);
    r->next = inner.next;
    r->lines = inner.lines;
    if (!closed && diag_error_count(r->diagnostics) == errors) reader_fail(r, r->at, "the body has no closing }");
    if (diag_error_count(r->diagnostics) > errors) draft->broken = true;
    draft->region = inner.graph;
}

static bool read_node(Reader *r)
{
    const char *start = r->at, *name = read_node_name(r);
    if (!name) return false;
    bool twice = map_get(r->nodes, name) != NULL;
    if (twice) reader_fail(r, start, "%s is defined twice", name);
    if (!twice) map_set(r->nodes, name, r->broken);
    Draft draft = {0};
    bool good = !twice && reader_expect(r, "=") && read_draft(r, &draft);
    if (good) {
        if (draft.op == OP_scan) read_body(r, &draft);
        if (!draft.broken) map_set(r->nodes, name, make_node(r, &draft));
    } else if ((twice || draft.op == OP_scan) && memchr(r->at, '{', (size_t)(r->next - r->at))) {
        read_body(r, &draft);            /* so that its lines are not taken for those around */
    }
    return good;
}

/* the other lines */

/* symbol = NAME [ "=" INT | "<=" dim ] . A bound mentions fixed symbols defined before it only. */
static bool read_symbol(Reader *r)
{
    Dims *dims = r->graph->dims;
    reader_skip(r);
    const char *start = r->at;
    int before = dims_symbol_count(dims);
    const Dim *symbol = reader_dim(r);
    if (!symbol) return false;
    const char *name = dims_symbol_count(dims) == before + 1 ? dims_symbol_name(dims, before) : NULL;
    if (!name || dim_symbol(dims, name, -1) != symbol)
        return reader_fail(r, start, "found %s, expected a new symbol", dim_text(r->arena, symbol));
    if (reader_accept(r, "<=")) {
        const char *bound_at = r->at;
        const Dim *bound = reader_dim(r);
        if (!bound) return false;
        if (dims_symbol_count(dims) != before + 1 || dim_mentions(bound, name) || dim_kind(bound) != DIM_fixed)
            return reader_fail(r, bound_at, "found %s, expected fixed symbols defined before",
                               dim_text(r->arena, bound));
        dim_counted(dims, name, bound);
        return true;
    }
    if (!reader_accept(r, "=")) return true;
    int64_t value;
    const char *value_at = r->at;
    if (!reader_integer(r, &value)) return false;
    if (value < 0) return reader_fail(r, value_at, "found %lld, expected no negative number", (long long)value);
    dim_set_value(dims, name, value);
    return true;
}

static bool read_symbols(Reader *r)
{
    if (r->depth || r->graph->nodes.count) return reader_fail(r, r->at, "found dim after a node, expected it before");
    do {
        if (!read_symbol(r)) return false;
    } while (reader_accept(r, ","));
    return reader_at_end(r) || reader_expect(r, "the end of the line");
}

/* output = ( "result" | "update" ) STRING name . */
static bool read_output(Reader *r, OutputKind kind)
{
    reader_skip(r);
    const char *start = r->at, *name = reader_string(r);
    Output output = {kind, name, name ? read_node_use(r) : NULL};
    if (!output.node || (!reader_at_end(r) && !reader_expect(r, "the end of the line"))) return false;
    if (output.node == r->broken) return true;
    for (int i = 0; i < r->graph->outputs.count; i++)
        if (r->graph->outputs.at[i].kind == kind && !strcmp(r->graph->outputs.at[i].name, name))
            return reader_fail(r, start, "the output \"%s\" is given twice", name);
    const char *why = verify_output(r->graph, &output, r->arena);
    if (why) return reader_fail(r, start, "%s", why);
    graph_output(r->graph, kind, name, output.node);
    return true;
}

/* A word and what separates it from the next one. */
static bool accept_keyword(Reader *r, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(r->at, word, length) || (r->at[length] != ' ' && r->at[length] != '\t')) return false;
    r->at += length;
    return true;
}

static bool read_header(Reader *r)
{
    if (!accept_keyword(r, "graph"))
        return reader_fail(r, r->at, "expected a graph's text, beginning with the word graph and its name");
    const char *name = reader_name(r, "the graph's name");
    if (!name) return false;
    r->graph = graph_new(r->arena, dims_new(r->arena), name);
    return reader_at_end(r) || reader_expect(r, "the end of the line");
}

static bool read_line(Reader *r)
{
    if (!r->graph) return read_header(r);
    if (*r->at == '%') return read_node(r);
    if (accept_keyword(r, "dim")) return read_symbols(r);
    if (accept_keyword(r, "result")) return read_output(r, OUTPUT_result);
    if (accept_keyword(r, "update")) return read_output(r, OUTPUT_update);
    return reader_fail(r, r->at, "expected a node (%%0 = ...), dim, result or update");
}

/* Goes to the next line; false at the end of the text, and where there are too many errors. */
static bool next_line(Reader *r)
{
    const char *end = r->source->text + r->source->size;
    if (r->next >= end || diag_error_count(r->diagnostics) >= r->most_errors) return false;
    r->at = r->line_start = r->next;
    r->line = ++r->lines;
    const char *newline = memchr(r->at, '\n', (size_t)(end - r->at));
    r->next = newline ? newline + 1 : end;
    return true;
}

static bool closes_body(Reader *r)
{
    if (!r->depth || !reader_accept(r, "}")) return false;
    if (!reader_at_end(r)) reader_expect(r, "the end of the line");
    return true;
}

/* Lines up to the end of the text, or of the body: true when its "}" was found. */
static bool read_lines(Reader *r)
{
    while (next_line(r)) {
        bool empty = reader_at_end(r) || *r->at == '#';
        if (empty) continue;
        if (closes_body(r)) return true;
        if (!read_line(r) && !r->graph) return false;
    }
    return false;
}

Graph *graph_read(Arena *arena, const Source *source, Diagnostics *d)
{
    int errors = diag_error_count(d);
    Reader r = {.arena = arena, .source = source, .diagnostics = d, .nodes = map_new(arena), .sources = map_new(arena),
                .broken = arena_new_of(arena, Node), .next = source->text, .most_errors = errors + MAX_ERRORS};
    read_lines(&r);
    if (!r.graph && diag_error_count(d) == errors)
        diag_error(d, (Place){source, 1, 1, 1}, "the file is empty, expected a graph's text");
    return diag_error_count(d) == errors ? r.graph : NULL;
}
