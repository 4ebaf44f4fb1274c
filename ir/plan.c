/* The plan as text, what its kernels may do in place, and where parameters lie. */
#include "ir/plan.h"

#include <inttypes.h>

/* ---- questions about kernels ---- */

static bool holds(Node *const *at, int count, const Node *node)
{
    for (int i = 0; i < count; i++)
        if (at[i] == node) return true;
    return false;
}

Buffer *kernel_buffer(const Plan *p, const Kernel *k, const Node *node)
{
    Buffer *b = p->buffer_of[node->id];
    for (int i = 0; b && i < k->instead.count; i++)
        if (k->instead.at[i].from == b->id) return p->buffers.at[k->instead.at[i].to];
    return b;
}

int plan_made_again(const Plan *p)
{
    int count = 0;
    for (int k = 0; k < p->kernels.count; k++) {
        const Kernel *kernel = p->kernels.at[k];
        const Node *made = kernel->outputs.at[0];
        count += kernel->kind != KERNEL_copy && kernel_buffer(p, kernel, made) != p->buffer_of[made->id];
    }
    return count;
}

bool node_is_reduction(const Node *node) { return node->op == OP_sum || node->op == OP_reduce_max; }

int64_t kernel_extent(const Kernel *k, int first, int count)
{
    int64_t n = 1;
    for (int i = first; i < first + count; i++) n *= dim_value(k->space[i]);
    return n;
}

/* As the code generator lays it out: each value padded, those that lie in their own output excepted. */
static int64_t kernel_held(const Kernel *k)
{
    int64_t bytes = k->body ? plan_scratch(k->body) : 0, row = kernel_extent(k, k->a_rank, k->r_rank);
    for (int i = 0; i < k->keep.count; i++) {
        const Node *kept = k->keep.at[i];
        int64_t held = (row * dtype_bytes(kept->type.dtype) + 63) / 64 * 64;
        if (!holds(k->outputs.at, k->outputs.count, kept)) bytes += held;
    }
    return bytes;
}

int64_t plan_scratch(const Plan *p)
{
    int64_t most = 0;
    for (int k = 0; k < p->kernels.count; k++) {
        int64_t bytes = kernel_held(p->kernels.at[k]);
        if (bytes > most) most = bytes;
    }
    return most;
}

int kernel_parts(const Kernel *k, const Node *output)
{
    bool map = k->kind == KERNEL_loop && k->r_rank == 0 && k->c_rank == 0;
    bool whole = !map || type_value_elements(&output->type) == kernel_extent(k, 0, k->a_rank);
    return whole ? 1 : output->arg_count;
}

const Buffer *buffer_home(const Buffer *b)
{
    while (b->takes_over) b = b->takes_over;
    return b;
}

static bool is_read(void *context, const Node *node)
{
    const Kernel *k = context;
    return holds(k->inputs.at, k->inputs.count, node);
}

bool kernel_product(const Kernel *k, View *a, View *b, Contraction *c)
{
    const Node *e = k->nodes.at[k->nodes.count - 1];
    return e->op == OP_einsum && view_find(e->args[0], is_read, (void *)k, a) &&
           view_find(e->args[1], is_read, (void *)k, b) && contraction_find(e, a, b, c);
}

static const Node *scan_of(const Kernel *k) { return k->outputs.at[k->outputs.count - 1]; }

const Node *kernel_pick(const Kernel *k, int result)
{
    for (int i = 0; i < k->outputs.count - 1; i++)
        if (k->outputs.at[i]->attr.i == result) return k->outputs.at[i];
    return NULL;
}

bool kernel_carry_in_place(const Kernel *k, int carry)
{
    const Node *scan = scan_of(k);
    const Buffer *value = k->body->buffer_of[scan_output(scan, carry)->node->id];
    return value->takes_over && buffer_home(value) == k->body->buffer_of[scan_carry(scan, carry)->id];
}

/* The final value of a carry that is written in place, of an argument that is asked for nothing else. */
static bool scan_may_take_over(const Plan *p, const Kernel *k, const Node *output, const Buffer *old)
{
    const Node *scan = scan_of(k);
    int carry = (int)output->attr.i, asks = 0;
    for (int i = 0; i < scan->arg_count; i++) asks += kernel_buffer(p, k, scan->args[i]) == old;
    if (asks == 0 || output == scan) return output != scan;
    if (asks > 1 || carry >= scan_carry_count(scan) || !kernel_carry_in_place(k, carry)) return false;
    return kernel_buffer(p, k, scan->args[scan_argument(scan, scan_carry(scan, carry))]) == old;
}

bool kernel_may_take_over(const Plan *p, const Kernel *k, const Node *output, const Buffer *old)
{
    const Type *to = &output->type, *from = &old->node->type;
    int64_t elements = type_value_elements(to);
    if (elements != type_value_elements(from) || dtype_bytes(to->dtype) != dtype_bytes(from->dtype)) return false;
    if (k->kind == KERNEL_scan) return scan_may_take_over(p, k, output, old);
    bool reads = false;
    for (int i = 0; i < k->inputs.count; i++) {
        if (kernel_buffer(p, k, k->inputs.at[i]) != old) continue;
        if (!holds(k->aligned.at, k->aligned.count, k->inputs.at[i])) return false;
        reads = true;
    }
    if (!reads) return true;
    if (k->kind == KERNEL_scatter) return true;
    if (k->kind != KERNEL_loop || holds(k->keep.at, k->keep.count, output)) return false;
    /* in rows a value of the whole row may be read again after the row's results are written */
    bool rows = k->r_rank > 0 && k->c_rank == 0;
    return !rows || elements == kernel_extent(k, 0, k->a_rank + k->r_rank);
}

const char *kernel_kind_name(const Kernel *k)
{
    switch (k->kind) {
    case KERNEL_loop: return k->c_rank > 0 && k->r_rank > 0 ? "columns" : k->r_rank > 0 ? "rows" : "map";
    case KERNEL_contract: return "contract";
    case KERNEL_scatter: return "scatter";
    case KERNEL_copy: return "copy";
    case KERNEL_scan: return "scan";
    }
    return NULL;
}

MemoryBlock block_of_storage(int storage)
{
    switch ((Storage)storage) {
    case STORE_param: return MEMORY_param;
    case STORE_state: return MEMORY_state;
    case STORE_sum: return MEMORY_sum;
    case STORE_const: return MEMORY_const;
    case STORE_each:
    case STORE_carry:
    case STORE_outer: return MEMORY_bound;
    case STORE_data:
    case STORE_ambient: return MEMORY_work;
    }
    return MEMORY_work;
}

const char *kernel_space_text(Arena *arena, const Kernel *k)
{
    const char *text = "[";
    for (int i = 0; i < k->a_rank + k->r_rank + k->c_rank; i++) {
        bool bar = (i == k->a_rank && k->r_rank > 0) || (i == k->a_rank + k->r_rank && k->c_rank > 0);
        text = arena_print(arena, "%s%s%s", text, bar ? i ? " | " : "| " : i ? ", " : "", dim_text(arena, k->space[i]));
    }
    return arena_print(arena, "%s]", text);
}

const char *block_name(MemoryBlock block)
{
    static const char *const names[] = {
#define BLOCK(name, doc) #name,
#include "runtime/core/block.def"
#undef BLOCK
    };
    return names[block];
}

/* ---- layout ---- */

static void place_input(Arena *arena, Layout *l, const Node *input)
{
    MemoryBlock block = block_of_storage(input->attr.storage);
    if (block == MEMORY_work || block == MEMORY_bound || map_get(l->offset, input->attr.text)) return;
    int64_t *offset = arena_new_of(arena, int64_t), *bytes = &l->bytes[block];
    *offset = *bytes;
    *bytes = (*bytes + type_value_bytes(&input->type) + 63) / 64 * 64;
    map_set(l->offset, input->attr.text, offset);
}

Layout *layout_new(Arena *arena, const Graph *const *graphs, int count)
{
    Layout *l = arena_new_of(arena, Layout);
    l->offset = map_new(arena);
    for (int g = 0; g < count; g++)
        for (int k = 0; k < graphs[g]->inputs.count; k++) place_input(arena, l, graphs[g]->inputs.at[k]);
    return l;
}

/* ---- text ---- */

typedef struct Printer {
    const Plan *p;
    Arena *arena;                        /* for texts of dimensions; freed at the end */
    FILE  *out;
    int    depth;                        /* blanks before every line: bodies stand deeper */
} Printer;

static void begin_line(const Printer *w, int indent) { fprintf(w->out, "%*s", w->depth + indent, ""); }

static void print_space(const Printer *w, const Kernel *k) { fputs(kernel_space_text(w->arena, k), w->out); }

static void print_value(const Printer *w, const Kernel *k, const Node *n)
{
    fprintf(w->out, "%%%u", n->id);
    if (n->op == OP_input) fprintf(w->out, " \"%s\"", n->attr.text);
    fprintf(w->out, " %s", type_text(w->arena, &n->type));
    const Buffer *b = kernel_buffer(w->p, k, n);
    if (b) fprintf(w->out, " in b%d", b->id);
}

static void print_values(const Printer *w, const Kernel *k, const char *title, Node *const *at, int count)
{
    if (!count) return;
    begin_line(w, 2);
    fprintf(w->out, "%-6s ", title);
    for (int i = 0; i < count; i++) {
        if (i) fputs(", ", w->out);
        print_value(w, k, at[i]);
    }
    fputc('\n', w->out);
}

static void print_nodes(const Printer *w, const Kernel *k)
{
    for (int i = 0; i < k->nodes.count; i++) {
        const Node *n = k->nodes.at[i];
        begin_line(w, 4);
        fprintf(w->out, "%%%u = %s", n->id, op_name(n->op));
        if (n->op == OP_const && dtype_is_float(n->type.dtype)) fprintf(w->out, " %.9g", n->attr.f);
        else if (n->op == OP_const) fprintf(w->out, " %" PRId64, n->attr.i);
        if (n->op == OP_pick) fprintf(w->out, " %s", scan_output(n->args[0], (int)n->attr.i)->name);
        if (n->attr.text) fprintf(w->out, " \"%s\"", n->attr.text);
        for (int j = 0; j < n->arg_count; j++) fprintf(w->out, " %%%u", n->args[j]->id);
        fprintf(w->out, " : %s\n", type_text(w->arena, &n->type));
    }
}

static void print_place(const Printer *w, const Node *n)
{
    const Origin *o = n->origin_count ? n->origins[0] : NULL;
    if (!o || !o->place.source || !o->place.line) return;
    fprintf(w->out, "  @ %s:%u:%u", o->place.source->path, o->place.line, o->place.column);
    if (o->path && *o->path) fprintf(w->out, " %s", o->path);
}

/* Where a result lies that no pick holds, and the second place of a carry. */
static void print_loop_memory(const Printer *w, const Kernel *k)
{
    const Node *scan = scan_of(k);
    for (int i = 0; k->home && i < scan_result_count(scan); i++) {
        begin_line(w, 2);
        fprintf(w->out, "%-6s \"%s\"", i < scan_carry_count(scan) ? "carry" : "emits", scan_output(scan, i)->name);
        if (k->home[i] >= 0) fprintf(w->out, ", lies at + %" PRId64, k->home[i]);
        if (k->spare[i] >= 0) fprintf(w->out, ", and at + %" PRId64 " by turns", k->spare[i]);
        else if (i < scan_carry_count(scan)) fputs(", in place", w->out);
        fputc('\n', w->out);
    }
}

/* The first that was refused. */
static void print_end(const Printer *w, const Kernel *k)
{
    begin_line(w, 2);
    if (!k->refusals.count) {
        fputs("ends   nothing else reads what it makes\n", w->out);
        return;
    }
    const Refusal *r = &k->refusals.at[0];
    fprintf(w->out, "ends   %%%u %s %s: %s\n", r->node->id, op_name(r->node->op), type_text(w->arena, &r->node->type),
            r->why);
}

static void print_plan(const Printer *w);

static void print_kernel(const Printer *w, const Kernel *k)
{
    begin_line(w, 0);
    fprintf(w->out, "kernel %d %s ", k->id, kernel_kind_name(k));
    print_space(w, k);
    if (k->outputs.count) print_place(w, k->outputs.at[k->outputs.count - 1]);
    fputc('\n', w->out);
    print_values(w, k, "reads", k->inputs.at, k->inputs.count);
    print_values(w, k, "writes", k->outputs.at, k->outputs.count);
    print_values(w, k, "keeps", k->keep.at, k->keep.count);
    print_nodes(w, k);
    if (k->body) {
        Printer inner = {k->body, w->arena, w->out, w->depth + 4};
        print_loop_memory(w, k);
        print_plan(&inner);
    }
    print_end(w, k);
}

static void print_offset(const Printer *w, const Buffer *b)
{
    if (b->block == MEMORY_bound) fputs("the loop's, ", w->out);
    else if (b->offset >= 0) fprintf(w->out, "%s + %" PRId64 ", ", block_name(b->block), b->offset);
}

static void print_buffer(const Printer *w, const Buffer *b)
{
    begin_line(w, 0);
    fprintf(w->out, "b%d ", b->id);
    print_offset(w, b);
    fprintf(w->out, "%" PRId64 " bytes", b->bytes);
    if (b->offset >= 0) fprintf(w->out, ", kernels %d to %d", b->first, b->last);
    if (b->takes_over) fprintf(w->out, ", in place of b%d", b->takes_over->id);
    if (b->category) fprintf(w->out, ", %s", b->category);
    fprintf(w->out, ": %%%u %s", b->node->id, op_name(b->node->op));
    if (b->node->op == OP_input) fprintf(w->out, " \"%s\"", b->node->attr.text);
    fprintf(w->out, " %s\n", type_text(w->arena, &b->node->type));
}

static void print_totals(const Printer *w)
{
    const Plan *p = w->p;
    int64_t work = p->block_bytes[MEMORY_work];
    if (p->buffers.count == 0 || p->buffers.at[0]->offset < 0) return;
    for (MemoryBlock b = 0; b < MEMORY_COUNT; b++) {
        if (!p->block_bytes[b]) continue;
        begin_line(w, 0);
        fprintf(w->out, "block %s: %" PRId64 " bytes\n", block_name(b), p->block_bytes[b]);
    }
    begin_line(w, 0);
    fprintf(w->out, "lower bound of work: %" PRId64 " bytes, efficiency %.1f %%\n", p->lower_bound,
            work ? 100.0 * (double)p->lower_bound / (double)work : 100.0);
}

static void print_plan(const Printer *w)
{
    const Plan *p = w->p;
    begin_line(w, 0);
    fprintf(w->out, "plan %s: %d kernels, %d buffers", p->graph->name, p->kernels.count, p->buffers.count);
    if (p->order) fprintf(w->out, ", order: %s", p->order);
    fputc('\n', w->out);
    for (int k = 0; k < p->kernels.count; k++) print_kernel(w, p->kernels.at[k]);
    for (int k = 0; k < p->buffers.count; k++) print_buffer(w, p->buffers.at[k]);
    print_totals(w);
}

void plan_print(const Plan *p, FILE *out)
{
    Printer w = {p, arena_new(), out, 0};
    print_plan(&w);
    arena_free(w.arena);
}
