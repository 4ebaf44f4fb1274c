/* From units to kernels: what each computes, reads, writes, and over which axes; then a buffer for everything
 * stored. */
#include "passes/fuse.h"

#include <stdlib.h>

typedef struct Build {
    Fusion *f;
    Kernel *kernel;
    Vec(Node *) inputs;                  /* leaves from outside, once for each place */
    Vec(Node *) astray;                  /* those of them that are asked at another index */
    Vec(Node *) full;                    /* nodes inside that stand full */
} Build;

static bool build_leaf(void *context, Node *leaf, Stand stand)
{
    Build *b = context;
    Arena *arena = b->f->arena;
    const Node *base = fuse_base(leaf);
    bool own = b->f->role[base->id] != ROLE_input && b->f->unit[base->id] == b->f->unit[b->kernel->nodes.at[0]->id];
    if (own) return true;
    vec_push(arena, &b->inputs, leaf);
    if (stand == STAND_other) vec_push(arena, &b->astray, leaf);
    return true;
}

static void build_inner(void *context, Node *node, Stand stand)
{
    Build *b = context;
    vec_push(b->f->arena, &b->kernel->nodes, node);
    if (stand == STAND_full) vec_push(b->f->arena, &b->full, node);
}

static int by_id(const void *x, const void *y)
{
    uint32_t a = (*(Node *const *)x)->id, b = (*(Node *const *)y)->id;
    return (a > b) - (a < b);
}

static int sort_nodes(Node **at, int count)                  /* by id, each once; returns how many are left */
{
    if (count > 1) qsort(at, (size_t)count, sizeof *at, by_id);
    int n = 0;
    for (int k = 0; k < count; k++)
        if (n == 0 || at[n - 1] != at[k]) at[n++] = at[k];
    return n;
}

/* ---- the parts of a kernel ---- */

static void set_axes(Kernel *k, const Type *type, int a_rank, int r_rank)
{
    k->a_rank = a_rank;
    k->r_rank = r_rank;
    k->c_rank = type->rank - a_rank - r_rank;
    for (int i = 0; i < type->rank; i++) k->space[i] = type->dim[i];
}

static void set_reduced_axes(Kernel *k, const Unit *u, const Node *reduction)
{
    const Type *type = &reduction->args[0]->type;
    int first = 0, end = type->rank;
    while (!(reduction->attr.axes >> first & 1)) first++;
    if (u->space.form == FORM_columns)
        while (!(reduction->attr.axes >> (end - 1) & 1)) end--;
    set_axes(k, type, first, end - first);
}

static void set_space(const Fusion *f, Kernel *k, const Unit *u)
{
    const Node *widest = u->anchors.at[0];
    if (f->in_parts[widest->id]) widest = widest->args[0];
    if (widest->op == OP_scan) {
        set_axes(k, &(Type){.rank = 1, .dim = {widest->attr.count}}, 1, 0);
        return;
    }
    for (int i = 0; i < u->anchors.count; i++) {
        const Node *n = u->anchors.at[i];
        bool reduced = u->space.form == FORM_rows || u->space.form == FORM_columns;
        if (reduced && node_is_reduction(n)) {
            set_reduced_axes(k, u, n);
            return;
        }
        if (n->type.rank > widest->type.rank && !f->in_parts[n->id]) widest = n;
    }
    set_axes(k, &widest->type, widest->type.rank, 0);
}

static void set_inputs(Build *b)
{
    Kernel *k = b->kernel;
    Arena *arena = b->f->arena;
    int count = sort_nodes(b->inputs.at, b->inputs.count), astray = sort_nodes(b->astray.at, b->astray.count);
    for (int i = 0, j = 0; i < count; i++) {
        Node *n = b->inputs.at[i];
        while (j < astray && b->astray.at[j]->id < n->id) j++;
        vec_push(arena, &k->inputs, n);
        if (j == astray || b->astray.at[j] != n) vec_push(arena, &k->aligned, n);
    }
}

int fuse_slot(const Fusion *f, const Kernel *k, const Node *node)
{
    int i = f->slot[node->id];
    return i < k->nodes.count && k->nodes.at[i] == node ? i : -1;
}

bool fuse_is_output(const Kernel *k, const Node *node)
{
    for (int i = 0; i < k->outputs.count; i++)
        if (k->outputs.at[i] == node) return true;
    return false;
}

static bool *find_full(Build *b, const Unit *u)
{
    const Kernel *k = b->kernel;
    bool *full = arena_array(b->f->arena, bool, k->nodes.count + 1);
    for (int i = 0; i < b->full.count; i++) full[b->f->slot[b->full.at[i]->id]] = true;
    for (int i = 0; i < u->anchors.count; i++) {
        Node *n = u->anchors.at[i];
        if (fuse_anchor_stand(b->f, &u->space, n) == STAND_full) full[b->f->slot[n->id]] = true;
    }
    return full;
}

/* See KernelKind in ir/plan.h. */
static void set_passes(Build *b, const bool *full)
{
    Kernel *k = b->kernel;
    k->pass = arena_array(b->f->arena, int, k->nodes.count + 1);
    for (int i = 0; i < k->nodes.count; i++) {
        const Node *n = k->nodes.at[i];
        for (int j = 0; j < n->arg_count; j++) {
            int a = fuse_slot(b->f, k, n->args[j]);
            int pass = a < 0 ? 0 : k->pass[a] + node_is_reduction(n->args[j]);
            if (pass > k->pass[i]) k->pass[i] = pass;
        }
        bool counts = node_is_reduction(n) || (full[i] && fuse_is_output(k, n));
        if (counts && k->pass[i] > k->last_pass) k->last_pass = k->pass[i];
    }
}

static KernelKind kind_of(const Node *anchor)
{
    switch ((int)anchor->op) {
    case OP_einsum: return KERNEL_contract;
    case OP_scatter: return KERNEL_scatter;
    case OP_scan: return KERNEL_scan;
    default: return KERNEL_loop;
    }
}

/* The outputs of a scan's kernel end with the scan. */
static void set_body(Fusion *f, Kernel *k)
{
    Node *scan = k->outputs.at[0];
    for (int i = 1; i < k->outputs.count; i++) k->outputs.at[i - 1] = k->outputs.at[i];
    k->outputs.at[k->outputs.count - 1] = scan;
    k->body = fuse_body(f->arena, scan->region);
}

static Kernel *build_kernel(Fusion *f, const Unit *u)
{
    Kernel *k = arena_new_of(f->arena, Kernel);
    k->parts = -1;
    Build b = {.f = f, .kernel = k};
    Walk w = {f, u, u->space, &b, build_leaf, build_inner, false};
    k->kind = kind_of(u->anchors.at[0]);
    for (int i = 0; i < u->anchors.count; i++) {
        vec_push(f->arena, &k->nodes, u->anchors.at[i]);
        if (f->stored[u->anchors.at[i]->id]) vec_push(f->arena, &k->outputs, u->anchors.at[i]);
    }
    for (int i = 0; i < u->anchors.count; i++) fuse_walk(&w, u->anchors.at[i]);
    k->nodes.count = sort_nodes(k->nodes.at, k->nodes.count);
    set_inputs(&b);
    set_space(f, k, u);
    for (int i = 0; i < k->nodes.count; i++) f->slot[k->nodes.at[i]->id] = i;
    const bool *full = find_full(&b, u);
    set_passes(&b, full);
    if (u->space.form == FORM_rows) fuse_keep(f, u, full, k);
    if (k->kind == KERNEL_scan) set_body(f, k);
    k->refusals = u->refusals;
    return k;
}

/* ---- buffers ---- */

/* How large a loop's own memory is shows once its body is placed. */
static Buffer *add_buffer(Plan *p, const Node *node, const char *category)
{
    Buffer *b = arena_new_of(p->arena, Buffer);
    int64_t bytes = node->op == OP_scan ? 0 : type_value_bytes(&node->type);
    *b = (Buffer){.id = p->buffers.count, .node = node, .bytes = bytes, .offset = -1, .first = -1, .last = -1,
                  .category = category};
    vec_push(p->arena, &p->buffers, b);
    p->buffer_of[node->id] = b;
    return b;
}

static void add_buffers(const Fusion *f, Plan *p)
{
    for (int k = 0; k < f->count; k++) {
        const Node *n = f->graph->nodes.at[k];
        if (n->op == OP_input || f->stored[k]) add_buffer(p, n, NULL)->why = f->why[k];
        else if (n->op == OP_reshape) p->buffer_of[k] = p->buffer_of[n->args[0]->id];
    }
}

/* An anchor is stored when it must be, or when another kernel reads it. */
static void decide_stored(Fusion *f)
{
    for (int k = 0; k < f->count; k++) f->stored[k] = f->role[k] == ROLE_store;
    for (int k = 0; k < f->units.count; k++) {
        const Unit *u = f->units.at[k];
        for (int i = 0; i < u->sources.count; i++)
            if (f->unit[u->sources.at[i]->id]) f->stored[u->sources.at[i]->id] = true;
    }
}

void fuse_build_kernels(Fusion *f, const UnitList *order, Plan *plan)
{
    decide_stored(f);
    add_buffers(f, plan);
    for (int k = 0; k < order->count; k++) {
        Kernel *kernel = build_kernel(f, order->at[k]);
        kernel->id = plan->kernels.count;
        vec_push(plan->arena, &plan->kernels, kernel);
    }
}
