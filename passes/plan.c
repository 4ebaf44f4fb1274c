/* Gives every stored value its place. Needs: a plan from `schedule`, and a layout of parameters, states and tables
 * (without one, the graph's own inputs in order). Guarantees what plan_verify proves. Values that take each other's
 * place form a chain, which is placed as one; chains are placed in several ways, and the placement that needs the
 * fewest bytes stays. */
#include "passes/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

Plan *plan_copy(Arena *arena, const Plan *from)
{
    Plan *p = arena_new_of(arena, Plan);
    *p = *from;
    p->arena = arena;
    memset(&p->kernels, 0, sizeof p->kernels);
    memset(&p->buffers, 0, sizeof p->buffers);
    for (int k = 0; k < from->kernels.count; k++) {
        Kernel *kernel = arena_new_of(arena, Kernel);
        *kernel = *from->kernels.at[k];
        vec_push(arena, &p->kernels, kernel);
    }
    for (int k = 0; k < from->buffers.count; k++) {
        Buffer *b = arena_new_of(arena, Buffer);
        *b = *from->buffers.at[k];
        vec_push(arena, &p->buffers, b);
    }
    for (int k = 0; k < p->buffers.count; k++) {
        Buffer *b = p->buffers.at[k];
        if (b->takes_over) b->takes_over = p->buffers.at[b->takes_over->id];
    }
    p->buffer_of = arena_array(arena, Buffer *, from->graph->nodes.count + 1);
    for (int k = 0; k < from->graph->nodes.count; k++)
        if (from->buffer_of[k]) p->buffer_of[k] = p->buffers.at[from->buffer_of[k]->id];
    return p;
}

Kernel *plan_new_copy(Arena *arena, Node *value, Node *place)
{
    Kernel *k = arena_new_of(arena, Kernel);
    k->kind = KERNEL_copy;
    k->parts = -1;
    vec_push(arena, &k->inputs, value);
    vec_push(arena, &k->aligned, value);
    vec_push(arena, &k->outputs, place);
    k->a_rank = value->type.rank;
    for (int i = 0; i < value->type.rank; i++) k->space[i] = value->type.dim[i];
    static const char why[] = "the old value is read elsewhere, or at other elements, when the new one is written";
    vec_push(arena, &k->refusals, ((Refusal){value, why}));
    return k;
}

/* ---- lifetimes ---- */

static void find_lifetimes(Placing *w)
{
    Plan *p = w->p;
    int end = p->kernels.count;
    for (int b = 0; b < p->buffers.count; b++) p->buffers.at[b]->first = p->buffers.at[b]->last = -1;
    for (int k = 0; k < end; k++) {
        const Kernel *kernel = p->kernels.at[k];
        for (int i = 0; i < kernel->inputs.count; i++) kernel_buffer(p, kernel, kernel->inputs.at[i])->last = k;
        for (int i = 0; i < kernel->outputs.count && kernel->kind != KERNEL_copy; i++) {
            Buffer *b = kernel_buffer(p, kernel, kernel->outputs.at[i]);
            b->first = b->last = k;
        }
    }
    for (int k = 0; k < end; k++) {
        int parts = p->kernels.at[k]->parts;
        if (parts >= 0) p->buffers.at[parts]->first = p->buffers.at[parts]->last = k;
    }
    for (int b = 0; b < p->buffers.count; b++)
        if (graph_input_stays(p->buffers.at[b]->node)) p->buffers.at[b]->last = end;
    for (int k = 0; k < p->graph->outputs.count; k++) {
        const Output *o = &p->graph->outputs.at[k];
        Buffer *b = p->buffer_of[o->node->id];
        if (o->kind == OUTPUT_result || b->takes_over || plan_is_carry(p->graph, o)) b->last = end;
    }
    for (int b = 0; b < p->buffers.count; b++) {             /* a parameter's old value ends where the new one begins */
        Buffer *value = p->buffers.at[b];
        if (value->takes_over) value->takes_over->last = value->first;
    }
}

/* ---- blocks outside of work ---- */

static void place_inputs(Placing *w, const Layout *layout)
{
    Plan *p = w->p;
    memcpy(p->block_bytes, layout->bytes, sizeof p->block_bytes);
    for (int b = 0; b < p->buffers.count; b++) {
        Buffer *x = p->buffers.at[b];
        x->block = x->node->op == OP_input ? block_of_storage(x->node->attr.storage) : MEMORY_work;
        if (x->block == MEMORY_bound) x->offset = 0;
        if (x->block == MEMORY_work || x->block == MEMORY_bound) continue;
        const int64_t *offset = map_get(layout->offset, x->node->attr.text);
        assert(offset && "the layout has every parameter, state and table");
        x->offset = *offset;
    }
    for (int b = 0; b < p->buffers.count; b++) {
        Buffer *x = p->buffers.at[b];
        if (!x->takes_over) continue;
        x->block = buffer_home(x)->block;
        x->offset = buffer_home(x)->offset;
    }
}

static void bind_outputs(Plan *p)
{
    for (int k = 0; k < p->graph->outputs.count; k++) {
        Buffer *b = p->buffer_of[p->graph->outputs.at[k].node->id];
        b->block = MEMORY_bound;
        b->offset = 0;
    }
}

/* ---- chains ---- */

/* Outputs of a kernel take the place of inputs that die there. */
static void take_over(Placing *w, int position)
{
    Plan *p = w->p;
    const Kernel *k = p->kernels.at[position];
    for (int i = 0; i < k->outputs.count && k->kind != KERNEL_copy; i++) {
        Buffer *b = kernel_buffer(p, k, k->outputs.at[i]);
        for (int j = 0; j < k->inputs.count && !b->takes_over && b->block == MEMORY_work; j++) {
            Buffer *old = kernel_buffer(p, k, k->inputs.at[j]);
            bool dies =
                old->block == MEMORY_work && old->last == position && old->first < position && !w->taken[old->id];
            if (!dies || old->bytes != b->bytes || !kernel_may_take_over(p, k, k->outputs.at[i], old)) continue;
            b->takes_over = old;
            w->taken[old->id] = true;
        }
    }
}

static void find_chains(Placing *w)
{
    Plan *p = w->p;
    int *chain_of = arena_array(w->arena, int, p->buffers.count + 1);
    w->taken = arena_array(w->arena, bool, p->buffers.count + 1);
    for (int k = 0; k < p->kernels.count; k++) take_over(w, k);
    for (int b = 0; b < p->buffers.count; b++) {             /* heads of chains: what takes nothing over */
        const Buffer *x = p->buffers.at[b];
        if (x->block != MEMORY_work || x->takes_over) continue;
        chain_of[b] = w->chains.count;
        vec_push(w->arena, &w->chains,
                 ((Chain){.bytes = (x->bytes + 63) / 64 * 64, .first = x->first, .last = x->last}));
    }
    for (int k = 0; k < p->kernels.count; k++) { /* in order of execution, so that what is taken over has its chain */
        const Kernel *kernel = p->kernels.at[k];
        for (int i = 0; i < kernel->outputs.count && kernel->kind != KERNEL_copy; i++) {
            const Buffer *x = kernel_buffer(p, kernel, kernel->outputs.at[i]);
            if (x->block != MEMORY_work || !x->takes_over) continue;
            chain_of[x->id] = chain_of[x->takes_over->id];
            Chain *c = &w->chains.at[chain_of[x->id]];
            if (x->last > c->last) c->last = x->last;
        }
    }
    w->chain_of = chain_of;
}

/* ---- the certificate ---- */

/* What the memory of loops has beyond the lower bounds of their bodies is not counted: change[k + 1] and [k + 2] are
 * the bytes that come at kernel k and that are gone behind it. */
static void leave_out_slack(const Plan *p, int64_t *change)
{
    for (int k = 0; k < p->kernels.count; k++) {
        const Plan *body = p->kernels.at[k]->body;
        int64_t slack = body ? body->block_bytes[MEMORY_work] - body->lower_bound : 0;
        change[k + 1] -= slack;
        change[k + 2] += slack;
    }
}

/* Bytes of chains alive at kernel k as [k + 1]; before the first and after the last count too. */
static int64_t *find_live(const Placing *w)
{
    int end = w->p->kernels.count;
    int64_t *live = arena_array(w->arena, int64_t, end + 4);
    leave_out_slack(w->p, live);
    for (int k = 0; k < w->chains.count; k++) {
        live[w->chains.at[k].first + 1] += w->chains.at[k].bytes;
        live[w->chains.at[k].last + 2] -= w->chains.at[k].bytes;
    }
    for (int k = 1; k < end + 2; k++) live[k] += live[k - 1];
    return live;
}

static int64_t find_lower_bound(const Placing *w)
{
    int64_t *live = find_live(w), most = 0;
    for (int k = 0; k < w->p->kernels.count + 2; k++)
        if (live[k] > most) most = live[k];
    return most;
}

static bool is_optimizer_state(const Node *input)
{
    return input->attr.storage == STORE_state && !strncmp(input->attr.text, "optimizer.", 10);
}

static const char *input_category(const Node *input)
{
    switch ((Storage)input->attr.storage) {
    case STORE_param: return "parameters";
    case STORE_state: return is_optimizer_state(input) ? "optimizer state" : "state";
    case STORE_sum: return "gradients";
    case STORE_const: return "tables";
    case STORE_each:
    case STORE_carry:
    case STORE_outer: return "loop";
    case STORE_data:
    case STORE_ambient: return "batch";
    }
    return NULL;
}

/* What the kernel that makes a new parameter or moment reads from work in the parameter's size is its gradient. */
static void mark_gradients(Plan *p, const Output *o)
{
    const Node *place = graph_find_input(p->graph, o->name);
    const Buffer *value = p->buffer_of[o->node->id];
    if (o->kind != OUTPUT_update || value->first < 0) return;
    if (place->attr.storage != STORE_param && !is_optimizer_state(place)) return;
    const Kernel *k = p->kernels.at[value->first];
    for (int i = 0; i < k->inputs.count; i++) {
        Buffer *b = kernel_buffer(p, k, k->inputs.at[i]);
        if (b->block == MEMORY_work && !b->category && b->bytes == value->bytes) b->category = "gradients";
    }
}

/* The kernel that makes the loss; without a name, no kernel. */
static int find_loss(const Plan *p, const PassOptions *options)
{
    const char *name = !options ? NULL : options->sums ? SHARD_LOSS : options->loss;
    for (int k = 0; name && k < p->graph->outputs.count; k++) {
        const Output *o = &p->graph->outputs.at[k];
        if (!strcmp(o->name, name)) return p->buffer_of[o->node->id]->first;
    }
    return p->kernels.count;
}

static void categorize(Placing *w, const PassOptions *options)
{
    Plan *p = w->p;
    int loss = find_loss(p, options);
    for (int b = 0; b < p->buffers.count; b++) {
        Buffer *x = p->buffers.at[b];
        const Buffer *place = x->block == MEMORY_work ? x : buffer_home(x);      /* a new parameter counts as one */
        x->category = place->node->op == OP_input ? input_category(place->node) : NULL;
        if (x->block == MEMORY_bound) x->category = "loop";
    }
    for (int k = 0; k < p->graph->outputs.count; k++) {
        const Output *o = &p->graph->outputs.at[k];
        Buffer *b = p->buffer_of[o->node->id];
        if (o->kind == OUTPUT_result && !b->category) b->category = "results";
        mark_gradients(p, o);
    }
    for (int b = 0; b < p->buffers.count; b++) {
        Buffer *x = p->buffers.at[b];
        if (!x->category) x->category = x->first < loss && x->last > loss ? "saved activations" : "scratch";
    }
}

/* ---- the pass ---- */

static Placing placing_new(Arena *arena, const Plan *plan)
{
    return (Placing){.arena = arena, .p = plan_copy(arena, plan)};
}

static void place_work(Placing *w)
{
    Plan *p = w->p;
    find_chains(w);
    p->lower_bound = find_lower_bound(w);
    p->block_bytes[MEMORY_work] = plan_place(w, p->lower_bound);
    for (int b = 0; b < p->buffers.count; b++)
        if (p->buffers.at[b]->block == MEMORY_work) p->buffers.at[b]->offset = w->chains.at[w->chain_of[b]].offset;
}

Lives plan_lives(Arena *arena, const Plan *plan)
{
    Placing w = placing_new(arena, plan);
    find_lifetimes(&w);
    place_inputs(&w, layout_new(arena, &plan->graph, 1));
    find_chains(&w);
    return (Lives){w.p, find_live(&w) + 1};
}

Plan *plan_body(Arena *arena, Plan *body)
{
    Placing w = placing_new(arena, body);
    find_lifetimes(&w);
    place_inputs(&w, layout_new(arena, &body->graph, 1));
    bind_outputs(w.p);
    place_work(&w);
    categorize(&w, NULL);
    return w.p;
}

Plan *pass_plan(Arena *arena, Plan *plan, const PassOptions *options, Diagnostics *d)
{
    (void)d;
    Placing w = placing_new(arena, plan);
    find_lifetimes(&w);
    place_inputs(&w, options && options->layout ? options->layout : layout_new(arena, &plan->graph, 1));
    place_work(&w);
    categorize(&w, options);
    return w.p;
}
