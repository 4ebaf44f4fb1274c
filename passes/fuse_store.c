/* Which values are stored. Products, scatters and loops read and write memory; what leaves the graph is stored; the
 * rest is computed where it is asked for, again in every kernel when that is cheap: activations that the backward pass
 * needs come from values that are stored anyway. Where recomputing would read more values than storing does, or cost
 * too much, the value becomes a wish: stored if kernels other than its own ask for it. */
#include "passes/fuse.h"
#include "ir/contraction.h"

#include <assert.h>

enum {
    RECOMPUTE_COST = 64,                 /* operations an element that are cheaper than a load and a store of it */
    SPREAD_COST = 4,                     /* a value that is spread over many elements is recomputed for each of them */
    SPREAD_FACTOR = 4,
    GATHER_LOADS = 2,                    /* loads that an element read through an index is worth */
    READS_AT_MOST = 12                   /* different values read by one expression */
};

/* A number picked from those that count is its own id, checked: nothing is loaded for it. */
static bool loads_by_index(const Node *node) { return node->op == OP_gather && node->args[0]->op != OP_iota; }

int fuse_node_cost(const Node *node)
{
    static const int element_cost[OP_COUNT] = {
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) [OP_##name] = cost,
#define STRUCTURAL(name, ...) [OP_##name] = 0,
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
    };
    switch ((int)node->op) {
    case OP_cast:
    case OP_iota:
    case OP_window: return 1;
    case OP_pad: return 2;
    case OP_concat: return 2 * node->arg_count;
    case OP_gather: return loads_by_index(node) ? 8 : 0;
    case OP_uniform: return 32;
    case OP_integers: return 40;
    default: return element_cost[node->op];
    }
}

/* ---- expense ---- */

enum { EXPENSE_NODES = 160 };            /* where counting stops */

/* What one element of a node costs when it is computed from anchors and inputs: operations, loads of values about as
 * large as the node, different values read. */
typedef struct Expense {
    int cost, loads, reads, nodes;
} Expense;

typedef struct Count {
    Fusion *f;
    int64_t large;                       /* elements from which on a value read counts as a load */
    Expense sum;
} Count;

static void count_node(Count *c, const Node *node)
{
    Fusion *f = c->f;
    int *visited = &f->visited[0][node->id];
    if (*visited == f->stamp || c->sum.nodes > EXPENSE_NODES) return;
    *visited = f->stamp;
    if (f->role[node->id] != ROLE_inside) {
        c->sum.reads++;
        c->sum.loads += f->elements[node->id] >= c->large;
        return;
    }
    c->sum.nodes++;
    c->sum.cost += fuse_node_cost(node);
    bool gather = loads_by_index(node);
    if (gather) {
        c->sum.loads += f->elements[node->id] >= c->large ? GATHER_LOADS : 0;
        c->sum.reads++;
    }
    for (int k = gather && f->role[node->args[0]->id] != ROLE_inside; k < node->arg_count; k++)
        count_node(c, node->args[k]);
}

static Expense expense_of(Fusion *f, const Node *node)
{
    f->stamp++;
    Count c = {.f = f, .large = (f->elements[node->id] + 3) / 4};
    f->visited[0][node->id] = f->stamp;
    c.sum.cost = fuse_node_cost(node);
    if (loads_by_index(node)) c.sum.loads = GATHER_LOADS, c.sum.reads = 1;
    for (int k = 0; k < node->arg_count; k++) count_node(&c, node->args[k]);
    return c.sum;
}

/* ---- what must be stored ---- */

static void store(Fusion *f, const Node *node, const char *why)
{
    Role *role = &f->role[node->id];
    if (*role == ROLE_input) return;
    if (*role != ROLE_store) f->why[node->id] = why;
    *role = ROLE_store;
}

/* A reshape has no bytes of its own: the wish goes to what it reshapes. */
static void wish(Fusion *f, const Node *node, const char *why)
{
    Node *base = fuse_base(node);
    if (f->role[base->id] != ROLE_inside) return;
    f->role[base->id] = ROLE_wish;
    f->why[base->id] = why;
}

static bool is_this(void *context, const Node *node) { return node == context; }

/* A cast that a product makes as it reads; if the other side of it is stored anyway, or takes no more bytes. */
static bool is_read_cast(const Fusion *f, const Node *n)
{
    if (n->op != OP_cast) return false;
    DType from = n->args[0]->type.dtype, to = n->type.dtype;
    bool stored = f->role[fuse_base(n->args[0])->id] != ROLE_inside;
    return product_reads(from, to) && (stored || dtype_bytes(from) <= dtype_bytes(to));
}

/* How many elements of a value are asked for, those that several slices ask for as often. */
static int64_t asked_elements(const Fusion *f, const Node *node)
{
    int64_t sum = 0;
    for (int k = 0; k < f->user_count[node->id]; k++) {
        const Node *user = f->users[node->id][k];
        bool through = view_is_through(user) && user->op != OP_slice && user->op != OP_expand;
        sum += through ? asked_elements(f, user) : f->elements[user->op == OP_slice ? user->id : node->id];
    }
    return sum;
}

/* The value an operand is a view of: the nearest stored one below movement, else the first that is computed. */
static Node *operand_base(const Fusion *f, Node *x)
{
    Node *n = x;
    for (bool cast = false; f->role[n->id] == ROLE_inside;) {
        bool casts = !cast && is_read_cast(f, n);
        if (!view_is_through(n) && !casts) break;
        cast = cast || casts;
        n = n->args[0];
    }
    bool free_value = n->op == OP_const || n->op == OP_iota;
    bool much_larger = f->role[n->id] == ROLE_inside && f->elements[n->id] > 2 * f->elements[x->id] &&
                       asked_elements(f, n) < f->elements[n->id];
    return free_value || much_larger ? x : n;
}

/* Into how many products the einsum is cut when its operands are read from a and b; INT64_MAX: that cannot be. */
static int64_t product_cuts(const Node *einsum, Node *a, Node *b)
{
    View va, vb;
    Contraction c;
    bool fits = view_find(einsum->args[0], is_this, a, &va) && view_find(einsum->args[1], is_this, b, &vb) &&
                contraction_find(einsum, &va, &vb, &c);
    return fits ? c.cuts : INT64_MAX;
}

/* Reads operands where they lie when a product can, else through a dense copy of the first, the second, or both. A copy
 * is cheaper than many small products in place of a large one. */
static void store_operands(Fusion *f, const Node *einsum)
{
    Node *dense[2] = {fuse_base(einsum->args[0]), fuse_base(einsum->args[1])};
    Node *lies[2] = {operand_base(f, einsum->args[0]), operand_base(f, einsum->args[1])};
    int64_t fewest = product_cuts(einsum, dense[0], dense[1]);
    for (int copies = 0; copies < 4; copies++) {
        Node *a = copies & 1 ? dense[0] : lies[0], *b = copies & 2 ? dense[1] : lies[1];
        int64_t cuts = product_cuts(einsum, a, b);
        if (copies < 3 && (cuts == INT64_MAX || cuts > fewest)) continue;
        static const char *const why[] = {"a product reads it", "a product reads it, in this order"};
        store(f, a, why[copies & 1]);
        store(f, b, why[copies >> 1]);
        return;
    }
}

static bool is_stored(void *context, const Node *node)
{
    const Fusion *f = context;
    return f->role[fuse_base(node)->id] != ROLE_inside;
}

/* What one product made stored may lie in the way of another's view: such operands get a dense copy, until all fit. */
static void settle_operands(Fusion *f)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (int k = 0; k < f->count; k++) {
            const Node *e = f->graph->nodes.at[k];
            View a, b;
            Contraction c;
            if (!f->live[k] || e->op != OP_einsum) continue;
            bool fits = view_find(e->args[0], is_stored, f, &a) && view_find(e->args[1], is_stored, f, &b) &&
                        contraction_find(e, &a, &b, &c);
            if (fits) continue;
            bool dense = is_stored(f, e->args[0]) && is_stored(f, e->args[1]);
            assert(!dense && "fuse_rewrite left products of dense operands only");
            store(f, fuse_base(e->args[0]), "a product reads it, in this order");
            store(f, fuse_base(e->args[1]), "a product reads it, in this order");
            changed = true;
        }
    }
}

/* What rows were first scattered into, of tables that each go on from the one before; other values: itself. */
static const Node *first_table(const Node *node)
{
    for (node = fuse_base(node); node->op == OP_scatter; node = fuse_base(node->args[0]))
        if (fuse_is_filled(fuse_base(node->args[0]))) break;
    return node;
}

/* Whether an expression, as far as it is inside, reads a table that goes on from this one. */
static bool asks_for(Fusion *f, const Node *node, const Node *table)
{
    int *visited = &f->visited[0][node->id];
    if (*visited == f->stamp) return false;
    *visited = f->stamp;
    if (first_table(node) == table) return true;
    for (int k = 0; f->role[node->id] == ROLE_inside && k < node->arg_count; k++)
        if (asks_for(f, node->args[k], table)) return true;
    return false;
}

/* What reads other elements of the base, or of a table before it, than it writes is at hand before, so that all of them
 * can lie in one place. */
static void store_around_scatter(Fusion *f, const Node *scatter)
{
    const Node *base = fuse_base(scatter->args[0]), *table = first_table(base);
    bool filled = fuse_is_filled(base);
    if (!filled) store(f, base, "rows are scattered into it");
    for (int k = 1; k < scatter->arg_count; k++) {
        Node *x = fuse_base(scatter->args[k]);
        f->stamp++;
        bool again = !filled && asks_for(f, x, table);
        bool dear = f->role[x->id] == ROLE_inside && expense_of(f, x).cost > RECOMPUTE_COST;
        if (again) store(f, x, "it is scattered into what it is made of");
        else if (dear) store(f, x, "a scatter reads it, and would compute it for every few columns again");
    }
}

static void mark_required(Fusion *f)
{
    const Graph *g = f->graph;
    for (int k = 0; k < g->inputs.count; k++) f->role[g->inputs.at[k]->id] = ROLE_input;
    for (int k = 0; k < g->outputs.count; k++) {
        const Output *o = &g->outputs.at[k];
        const char *kind = o->kind == OUTPUT_update ? "the new value of" : "a result:";
        store(f, fuse_base(o->node), arena_print(f->arena, "%s \"%s\"", kind, o->name));
    }
    for (int k = 0; k < f->count; k++) {
        const Node *n = g->nodes.at[k];
        if (!f->live[k]) continue;
        if (n->op == OP_einsum) store(f, n, "a product makes it");
        if (n->op == OP_scatter) store(f, n, "a scatter makes it");
        if (n->op == OP_scan || n->op == OP_pick) store(f, n, "a loop makes it");
        if (node_is_reduction(n)) wish(f, n, "a reduction makes it, and other kernels read it");
    }
    for (int k = 0; k < f->count; k++) {
        const Node *n = g->nodes.at[k];
        if (f->live[k] && n->op == OP_einsum) store_operands(f, n);
        if (f->live[k] && n->op == OP_scatter) store_around_scatter(f, n);
        for (int j = 0; f->live[k] && n->op == OP_scan && j < n->arg_count; j++)
            store(f, fuse_base(n->args[j]), "a loop reads it");
    }
    settle_operands(f);
}

/* ---- wishes ---- */

enum { OWNER_none = -1, OWNER_many = -2 };

/* For every node the one anchor whose expression it belongs to, or that there are many. */
static int *find_owners(const Fusion *f)
{
    int *owner = arena_array(f->arena, int, f->count + 1);
    for (int k = f->count - 1; k >= 0; k--) {
        owner[k] = OWNER_none;
        for (int j = 0; j < f->user_count[k]; j++) {
            const Node *u = f->users[k][j];
            int through = fuse_is_anchor(f, u) ? (int)u->id : owner[u->id];
            if (owner[k] == OWNER_none) owner[k] = through;
            else if (owner[k] != through) owner[k] = OWNER_many;
        }
    }
    return owner;
}

/* Recomputing in two kernels what reads n large values costs 2n loads; storing it costs n, one store and one load. */
static void wish_dear(Fusion *f, const Node *node)
{
    Expense e = expense_of(f, node);
    if (e.loads <= 1 && e.cost <= RECOMPUTE_COST && e.nodes <= EXPENSE_NODES) return;
    wish(f, node, arena_print(f->arena, "several kernels ask for it, and an element takes %d loads and %d operations",
                              e.loads, e.cost));
}

static bool are_apart(const Node *a, const Node *b)
{
    for (int k = 0; k < a->type.rank; k++) {
        int64_t a0 = dim_value(a->attr.start[k]), b0 = dim_value(b->attr.start[k]);
        if (a0 + dim_value(a->type.dim[k]) <= b0 || b0 + dim_value(b->type.dim[k]) <= a0) return true;
    }
    return false;
}

static bool is_dense_slice(const Node *node)
{
    bool dense = node->op == OP_slice;
    for (int k = 0; k < node->type.rank; k++) dense = dense && node->attr.step[k] == 1;
    return dense;
}

/* Asked for by slices that have no element in common: however many kernels compute it, each element is computed
 * once. */
static bool is_shared_out(const Fusion *f, const Node *node)
{
    int count = f->user_count[node->id];
    Node *const *users = f->users[node->id];
    for (int k = 0; k < count; k++) {
        if (!is_dense_slice(users[k])) return false;
        for (int j = 0; j < k; j++)
            if (!are_apart(users[j], users[k])) return false;
    }
    return true;
}

static void wish_spread(Fusion *f, const Node *node)
{
    Node *x = fuse_base(node->args[0]);
    bool many = f->elements[node->id] >= SPREAD_FACTOR * f->elements[x->id] || node->op == OP_gather;
    if (f->role[x->id] == ROLE_inside && many && expense_of(f, x).cost > SPREAD_COST)
        wish(f, x, "each of its elements is asked for several times");
}

/* A concat asks for every part at every element, and a pad for what it pads: those that are dear are stored, or the
 * concat is, which can then be written in parts. */
static void wish_parts(Fusion *f, const Node *node)
{
    bool fits = fuse_fits_parts(f, node);
    for (int k = 0; k < node->arg_count; k++) {
        Node *part = fuse_base(node->args[k]);
        bool some = f->elements[node->id] >= 2 * f->elements[part->id] && f->role[part->id] == ROLE_inside;
        if (!some || expense_of(f, part).cost <= SPREAD_COST) continue;
        if (fits) store(f, fuse_base(node), "it is written part by part, so that no part is computed for another");
        else wish(f, part, "it is a part of something larger, all of which would ask for it");
    }
}

/* A few elements of a large value: stored, they let go of it. */
static void wish_few(Fusion *f, const Node *gather)
{
    const Node *from = fuse_base(gather->args[0]);
    bool few = f->elements[from->id] >= SPREAD_FACTOR * f->elements[gather->id];
    if (few && fuse_is_anchor(f, from)) wish(f, gather, "few elements of a value that need not be kept for them");
}

static void mark_wishes(Fusion *f)
{
    int *owner = find_owners(f);
    /* at least as many as the expression reads, and has nodes */
    int *reads = arena_array(f->arena, int, f->count + 1), *nodes = arena_array(f->arena, int, f->count + 1);
    for (int k = 0; k < f->count; k++) {
        const Node *n = f->graph->nodes.at[k];
        if (!f->live[k]) continue;
        if (n->op == OP_expand || n->op == OP_gather) wish_spread(f, n);
        if (n->op == OP_gather) wish_few(f, n);
        if (n->op == OP_concat || n->op == OP_pad) wish_parts(f, n);
        bool repeats = owner[k] == OWNER_many && f->user_count[k] > 1 && !is_shared_out(f, n);
        if (f->role[k] == ROLE_inside && repeats) wish_dear(f, n);
        nodes[k] = 1;
        for (int j = 0; j < n->arg_count; j++) {
            uint32_t a = n->args[j]->id;
            bool inside = f->role[a] == ROLE_inside;
            reads[k] += inside ? reads[a] : 1;
            nodes[k] += inside ? nodes[a] : 0;
        }
        if (f->role[k] != ROLE_inside || (reads[k] <= READS_AT_MOST && nodes[k] <= EXPENSE_NODES)) continue;
        Expense e = expense_of(f, n);
        reads[k] = e.reads;
        nodes[k] = e.nodes + 1;
        if (e.reads > READS_AT_MOST || e.nodes > EXPENSE_NODES)
            wish(f, n, arena_print(f->arena, "%d values are read for it with %d operators, as many as one kernel takes",
                                   e.reads, e.nodes));
    }
}

/* ---- slopes ---- */

/* The anchors for which a value is read, but those for which `but` is: how many, up to 2. */
static int count_readers(Fusion *f, const Node *x, const Node *but, const Node **reader)
{
    int count = 0;
    for (int k = 0; k < f->user_count[x->id] && count < 2; k++) {
        const Node *u = f->users[x->id][k];
        int *visited = &f->visited[0][u->id];
        if (u == but || *visited == f->stamp) continue;
        *visited = f->stamp;
        if (f->role[u->id] == ROLE_inside) count += count_readers(f, u, but, reader);
        else if (u != *reader) count++, *reader = u;
    }
    return count;
}

/* The one product that the elements of an expression are made of, or NULL. */
static const Node *only_product(const Fusion *f, const Node *x)
{
    int *visited = &f->visited[0][x->id];
    if (*visited == f->stamp) return NULL;
    *visited = f->stamp;
    const Node *product = x->op == OP_einsum ? x : NULL;
    for (int k = 0; f->role[x->id] == ROLE_inside && !product && k < x->arg_count; k++)
        product = only_product(f, x->args[k]);
    return product;
}

/* In u * slope(x), u and x made by products, and x read by one other kernel only, the forward one: that kernel leaves
 * the slope in the place of x, so that nothing of it is computed twice. */
static void keep_slope(Fusion *f, const Node *u, const Node *slope)
{
    if (f->role[slope->id] != ROLE_inside || !op_is_element(slope->op) || f->user_count[slope->id] != 1) return;
    Expense e = expense_of(f, slope);
    f->stamp++;
    const Node *x = e.loads == 1 && e.cost >= SLOPE_COST ? only_product(f, slope) : NULL;
    if (!x || x == u || f->elements[x->id] != f->elements[slope->id]) return;
    const Node *reader = NULL;
    f->stamp++;
    if (count_readers(f, x, slope, &reader) == 1) store(f, slope, "all that is asked of a product after its kernel");
}

static void mark_slopes(Fusion *f)
{
    for (int k = 0; k < f->count; k++) {
        const Node *n = f->graph->nodes.at[k];
        if (!f->live[k] || n->op != OP_mul) continue;
        for (int j = 0; j < 2; j++) {
            const Node *u = fuse_base(n->args[j]);
            if (u->op == OP_einsum) keep_slope(f, u, n->args[1 - j]);
        }
    }
}

void fuse_mark_stored(Fusion *f)
{
    mark_required(f);
    if (!f->is_limited && !f->is_body) mark_slopes(f);
    mark_wishes(f);
    for (int k = 0; k < f->count; k++)
        f->in_parts[k] = f->role[k] == ROLE_store && fuse_fits_parts(f, f->graph->nodes.at[k]);
}
