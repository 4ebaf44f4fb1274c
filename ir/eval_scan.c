/* Reference values of scan and pick: the body evaluated once for each iteration, in memory of its own. */
#include "ir/eval_rules.h"

typedef struct Loop {
    const Node    *scan;
    Tensor *const *args;
    Tensor       **picks;                /* the carries as they are now, then the stacked results */
    int            carries, results;
    ScanVisit     *visit;                /* or NULL */
    void          *context;
    Arena         *arena;
} Loop;

static Tensor *copy_tensor(Arena *arena, const Tensor *from)
{
    Tensor *to = tensor_new(arena, from->type);
    for (int64_t k = 0; k < to->count; k++) tensor_copy_element(to, k, from, k);
    return to;
}

static Tensor *scalar(Arena *arena, DType dtype, int64_t value)
{
    Tensor *t = tensor_new(arena, type_scalar(dtype));
    t->i[0] = value;
    return t;
}

/* Element t of a stacked value. */
static Tensor *element(Arena *arena, const Tensor *stack, const Type *type, int64_t t)
{
    Tensor *to = tensor_new(arena, *type);
    for (int64_t k = 0; k < to->count; k++) tensor_copy_element(to, k, stack, t * to->count + k);
    return to;
}

/* The values of the body's inputs at place t. */
static Tensor **inputs_at(const Loop *loop, int64_t t, Arena *arena)
{
    const Graph *body = loop->scan->region;
    Tensor **inputs = arena_array(arena, Tensor *, body->inputs.count + 1);
    int arg = 0, carry = 0;
    for (int k = 0; k < body->inputs.count; k++) {
        const Node *input = body->inputs.at[k];
        switch ((Storage)input->attr.storage) {
        case STORE_each: inputs[k] = element(arena, loop->args[arg++], &input->type, t); break;
        case STORE_carry: inputs[k] = loop->picks[carry++], arg++; break;
        case STORE_outer: inputs[k] = loop->args[arg++]; break;
        case STORE_ambient: inputs[k] = scalar(arena, DT_i64, t); break;
        case STORE_data: case STORE_param: case STORE_state: case STORE_sum: case STORE_const: break;
        }
    }
    return inputs;
}

static void keep_results(Loop *loop, Tensor *const *values, int64_t t)
{
    const Graph *body = loop->scan->region;
    for (int k = 0; k < loop->results; k++) {
        const Tensor *value = values[scan_output(loop->scan, k) - body->outputs.at];
        if (k < loop->carries) {
            loop->picks[k] = copy_tensor(loop->arena, value);
            continue;
        }
        for (int64_t j = 0; j < value->count; j++)
            tensor_copy_element(loop->picks[k], t * value->count + j, value, j);
    }
}

static const char *iterate(Loop *loop, int64_t t)
{
    const Graph *body = loop->scan->region;
    Arena *scratch = arena_new();
    Tensor **values = arena_array(scratch, Tensor *, body->outputs.count + 1);
    Tensor **inputs = inputs_at(loop, t, scratch);
    if (loop->visit) loop->visit(loop->context, t, inputs);
    const char *why = graph_eval(body, inputs, values, scratch);
    if (why)
        why = arena_print(loop->arena, "%s", why);
    else
        keep_results(loop, values, t);
    arena_free(scratch);
    return why;
}

static bool is_over(const Loop *loop)
{
    int until = loop->scan->attr.axis;
    return until && loop->picks[until - 1]->i[0];
}

/* The arguments of the carries, and zeros to stack the results in. */
static Loop loop_begin(const Node *scan, Tensor *const *args, Arena *arena)
{
    Loop loop = {.scan = scan, .args = args, .carries = scan_carry_count(scan), .results = scan_result_count(scan),
                 .arena = arena};
    loop.picks = arena_array(arena, Tensor *, loop.results + 1);
    for (int k = 0; k < loop.results; k++) {
        const Node *carry = scan_carry(scan, k);
        if (carry) {
            loop.picks[k] = args[scan_argument(scan, carry)];
            continue;
        }
        Type type = {.rank = 1, .dim = {scan->attr.count}}, of = scan_output(scan, k)->node->type;
        type.dtype = of.dtype;
        for (int j = 0; j < of.rank; j++) type.dim[type.rank++] = of.dim[j];
        loop.picks[k] = tensor_new(arena, type);
    }
    return loop;
}

/* Adds the iterations made to *made. */
static const char *run_loop(Loop *loop, int64_t *made)
{
    const Node *scan = loop->scan;
    int64_t count = dim_value(scan->attr.count);
    const char *why = NULL;
    if (count < 0) return arena_print(loop->arena, "scan: %s has no value", dim_text(loop->arena, scan->attr.count));
    for (; *made < count && !is_over(loop) && !why; ++*made)
        why = iterate(loop, scan->attr.i ? count - 1 - *made : *made);
    return why;
}

const char *scan_eval(const Node *scan, Tensor *const *args, ScanVisit *visit, void *context, Arena *arena)
{
    Loop loop = loop_begin(scan, args, arena);
    int64_t made = 0;
    loop.visit = visit;
    loop.context = context;
    return run_loop(&loop, &made);
}

const char *eval_scan(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    Loop loop = loop_begin(node, args, arena);
    const char *why = run_loop(&loop, &out->i[0]);
    out->picks = loop.picks;
    return why;
}

const char *eval_pick(const Node *node, Tensor *const *args, Tensor *out, Arena *arena)
{
    Tensor *picked = args[0]->picks[node->attr.i];
    return eval_copy(node, &picked, out, arena);
}
