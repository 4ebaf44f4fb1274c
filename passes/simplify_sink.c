/* What is computed after a loop from values that it stacks.
 *   A carry that is only added to, and whose final value alone is asked for, is the sum of what is added: where that is
 *   a contraction, a sum over axes or a scatter into zeros, or movement of those, it is done once, over the iterations
 *   as well: the gradient of a weight is one product. The order of additions changes.
 *   What no carry needs, and so goes into results only, is computed for all places at once from its first contraction
 *   on.
 * A loop that may end early keeps its results: behind its end they are zero. */
#include "passes/simplify_scan.h"

#include <string.h>

/* Stacking an operand in place of a result is worth this many times the result's elements. */
enum { STACK_FACTOR = 4 };

typedef struct Sinks {
    Loop *l;
    int   count;                         /* of the body's nodes */
    bool *head;                          /* goes into the new value of a carry that stays one */
    bool *stays;                         /* inside, because of what it is or what it goes into */
    bool *wanted;                        /* will be stacked anyway */
    int  *users;                         /* of live nodes and outputs */
    char *there;                         /* of available(): 0 not asked yet, 1 no, 2 yes */
    bool *met;                           /* every() of it can be built */
    Vec(const Node *) todo;              /* of need, recall and available */
} Sinks;

static bool is_carried(const Loop *l, const Node *node) { return l->pace[node->id] == PACE_carried; }

/* ---- liveness ---- */

static void mark_below(const Loop *l, bool *mark)
{
    for (int k = l->body->nodes.count - 1; k >= 0; k--) {
        const Node *node = l->body->nodes.at[k];
        for (int j = 0; mark[k] && j < node->arg_count; j++) mark[node->args[j]->id] = true;
    }
}

static bool picks_result(const Loop *l, int k) { return l->picked[l->carry_count + k]; }

static void find_live(Loop *l)
{
    for (int k = 0; k < l->result_count; k++)
        if (picks_result(l, k)) l->live[l->results[k]->node->id] = true;
    for (bool more = true; more;) {
        more = false;
        mark_below(l, l->live);
        for (int k = 0; k < l->carry_count; k++) {
            Carry *c = &l->carries[k];
            if (c->live || !is_carried(l, c->input)) continue;
            c->live = c->ends || l->picked[k] || l->live[c->input->id];
            if (!c->live) continue;
            l->live[c->next->id] = more = true;
        }
    }
}

static void count_users(Sinks *s)
{
    Loop *l = s->l;
    for (int k = 0; k < s->count; k++) {
        const Node *node = l->body->nodes.at[k];
        for (int j = 0; l->live[k] && j < node->arg_count; j++) s->users[node->args[j]->id]++;
    }
    for (int k = 0; k < l->result_count; k++)
        if (picks_result(l, k)) s->users[l->results[k]->node->id]++;
    for (int k = 0; k < l->carry_count; k++)
        if (l->carries[k].live) s->users[l->carries[k].next->id]++;
}

/* ---- sums ---- */

/* Whether the carry's new value is its old one and what is added to it, and neither goes anywhere else. */
static void find_parts(Sinks *s, Carry *c)
{
    Loop *l = s->l;
    bool *above = arena_array(l->g->arena, bool, s->count + 1);
    above[c->input->id] = true;
    for (int k = 0; k < s->count; k++) {
        const Node *node = l->body->nodes.at[k];
        for (int j = 0; j < node->arg_count; j++) above[k] = above[k] || above[node->args[j]->id];
    }
    const Node *at = c->next;
    while (at != c->input && at->op == OP_add && s->users[at->id] == 1 &&
           above[at->args[0]->id] != above[at->args[1]->id]) {
        int way = above[at->args[1]->id];
        vec_push(l->g->arena, &c->parts, at->args[1 - way]);
        at = at->args[way];
    }
    c->summed = at == c->input && c->parts.count && s->users[at->id] == 1;
}

/* What is to be stacked so that every() of the node can be built. */
static const Node *stack_base(const Node *node)
{
    while (is_whole_view(node)) node = node->args[0];
    return node;
}

static bool has_room(const Node *node) { return node->type.rank < MAX_RANK && stack_base(node)->type.rank < MAX_RANK; }

/* Calls `visit` for every value that the total of a part is made of, with the kind that it has there; false when any
 * of these calls is. */
static bool visit_total(Sinks *s, const Node *part, bool (*visit)(Sinks *s, const Node *part, TotalKind kind))
{
    Loop *l = s->l;
    TotalKind kind = loop_total_kind(l, part);
    if (l->pace[part->id] < PACE_carried) return part->type.rank < MAX_RANK;
    if (kind != TOTAL_linear) return visit(s, part, kind);
    for (int k = 0; k < part->arg_count; k++)
        if (!visit_total(s, part->args[k], visit)) return false;
    return true;
}

static bool visit_parts(Sinks *s, const Carry *c, bool (*visit)(Sinks *s, const Node *part, TotalKind kind))
{
    for (int k = 0; k < c->parts.count; k++)
        if (!visit_total(s, c->parts.at[k], visit)) return false;
    return true;
}

/* Operands of products and rows of scatters are stacked for the sake of the one product. */
static bool want(Sinks *s, const Node *part, TotalKind kind)
{
    for (int k = 0; k < part->arg_count; k++) {
        const Node *arg = part->args[k];
        if (kind == TOTAL_plain || kind == TOTAL_sum || !is_carried(s->l, arg)) continue;
        if (!has_room(arg)) return false;
        s->wanted[stack_base(arg)->id] = true;
    }
    return true;
}

/* ---- what comes after the loop ---- */

static void find_head(Sinks *s)
{
    Loop *l = s->l;
    memset(s->head, 0, sizeof *s->head * (size_t)s->count);
    for (int k = 0; k < l->carry_count; k++)
        if (l->carries[k].live && !l->carries[k].summed) s->head[l->carries[k].next->id] = true;
    mark_below(l, s->head);
}

static void find_staying(Sinks *s)
{
    Loop *l = s->l;
    for (int k = 0; k < s->count; k++) s->stays[k] = s->head[k] || !loop_can_lift(l, l->body->nodes.at[k]);
    for (int k = s->count - 1; k >= 0; k--) {
        const Node *node = l->body->nodes.at[k];
        for (int j = 0; l->live[k] && s->stays[k] && j < node->arg_count; j++) s->stays[node->args[j]->id] = true;
    }
}

static bool goes_after(const Loop *l, const Node *node)
{
    for (int k = 0; k < node->arg_count; k++)
        if (l->after[node->args[k]->id]) return true;
    return false;
}

static bool product_pays(const Sinks *s, const Node *einsum)
{
    const Loop *l = s->l;
    const Dim *more = dim_int(l->body->dims, 0);
    for (int k = 0; k < 2; k++) {
        const Node *base = stack_base(einsum->args[k]);
        if (!has_room(einsum->args[k])) return false;
        if (!is_carried(l, base) || s->wanted[base->id]) continue;
        more = dim_add(l->body->dims, more, type_elements(l->body->dims, &base->type));
    }
    return dim_value(more) <= STACK_FACTOR * type_value_elements(&einsum->type);
}

static void find_after(Sinks *s)
{
    Loop *l = s->l;
    memset(l->after, 0, sizeof *l->after * (size_t)s->count);
    if (l->may_skip) return;
    for (int k = 0; k < s->count; k++) {
        const Node *node = l->body->nodes.at[k];
        if (!l->live[k] || s->stays[k] || !is_carried(l, node)) continue;
        l->after[k] = goes_after(l, node) || (node->op == OP_einsum && product_pays(s, node));
    }
}

/* Sees to it that every() of the node can be built, by stacking it or what it is made of: of a view what it shows, if
 * there is room for one more axis. */
static void need(Sinks *s, const Node *node)
{
    Loop *l = s->l;
    int first = s->todo.count;
    vec_push(l->g->arena, &s->todo, node);
    while (s->todo.count > first) {
        node = s->todo.at[--s->todo.count];
        if (!is_carried(l, node) || s->met[node->id]) continue;
        s->met[node->id] = true;
        bool here = !l->after[node->id] && !(is_whole_view(node) && has_room(node));
        *(here ? &l->stacked[node->id] : &l->after[node->id]) = true;
        for (int k = 0; !here && k < node->arg_count; k++) vec_push(l->g->arena, &s->todo, node->args[k]);
    }
}

static bool need_operands(Sinks *s, const Node *part, TotalKind kind)
{
    for (int k = 0; k < part->arg_count; k++)
        if (kind != TOTAL_plain && kind != TOTAL_sum) need(s, part->args[k]);
    return true;
}

/* As `there`. */
static int known_there(const Sinks *s, const Node *node)
{
    const Loop *l = s->l;
    bool built = !is_carried(l, node) || l->stacked[node->id] || l->after[node->id];
    return built ? 2 : s->there[node->id];
}

/* Decides a node whose arguments are decided; else returns one that is not. */
static const Node *decide_there(Sinks *s, const Node *node)
{
    bool cheap = op_is_element(node->op) || node->op == OP_cast || op_is_movement(node->op);
    cheap = cheap && loop_can_lift(s->l, node);
    for (int k = 0; cheap && k < node->arg_count; k++) {
        int there = known_there(s, node->args[k]);
        if (!there) return node->args[k];
        cheap = there == 2;
    }
    s->there[node->id] = cheap ? 2 : 1;
    return NULL;
}

/* Whether every() can be built without stacking more: from what is there by element operators and movement. */
static bool available(Sinks *s, const Node *node)
{
    if (!known_there(s, node)) vec_push(s->l->g->arena, &s->todo, node);
    while (s->todo.count) {
        const Node *before = decide_there(s, s->todo.at[s->todo.count - 1]);
        if (before) vec_push(s->l->g->arena, &s->todo, before);
        else s->todo.count--;
    }
    return known_there(s, node) == 2;
}

/* Has what is available computed again outside. */
static void recall(Sinks *s, const Node *node)
{
    Loop *l = s->l;
    vec_push(l->g->arena, &s->todo, node);
    while (s->todo.count) {
        node = s->todo.at[--s->todo.count];
        if (!is_carried(l, node) || s->met[node->id]) continue;
        if (l->after[node->id]) {
            need(s, node);
            continue;
        }
        s->met[node->id] = l->after[node->id] = true;
        for (int k = 0; k < node->arg_count; k++) vec_push(l->g->arena, &s->todo, node->args[k]);
    }
}

static bool recall_sum(Sinks *s, const Node *part, TotalKind kind)
{
    if (kind != TOTAL_plain && kind != TOTAL_sum) return true;
    const Node *x = kind == TOTAL_sum ? part->args[0] : part;
    if (!has_room(x) || !available(s, x)) return false;
    recall(s, x);
    return true;
}

/* Runs `visit` on the parts of all sums; a carry for which it fails stays a carry. */
static bool all_sums(Sinks *s, bool (*visit)(Sinks *s, const Node *part, TotalKind kind))
{
    bool good = true;
    for (int k = 0; k < s->l->carry_count; k++) {
        Carry *c = &s->l->carries[k];
        if (!c->summed || visit_parts(s, c, visit)) continue;
        c->summed = good = false;
    }
    return good;
}

static void stack_results(Sinks *s)
{
    Loop *l = s->l;
    for (int k = 0; k < l->result_count; k++) {
        const Node *node = l->results[k]->node;
        if (!picks_result(l, k)) continue;
        if (l->attr->axis)
            l->stacked[node->id] = true;
        else
            need(s, node);
    }
}

/* One attempt with the sums that are left; false when one of them turned out not to be one. */
static bool decide(Sinks *s)
{
    Loop *l = s->l;
    memset(l->stacked, 0, sizeof *l->stacked * (size_t)s->count);
    memset(s->wanted, 0, sizeof *s->wanted * (size_t)s->count);
    memset(s->there, 0, (size_t)s->count);
    memset(s->met, 0, sizeof *s->met * (size_t)s->count);
    find_head(s);
    find_staying(s);
    for (int k = 0; k < l->result_count; k++)
        if (picks_result(l, k)) s->wanted[l->results[k]->node->id] = true;
    if (!all_sums(s, want)) return false;
    find_after(s);
    stack_results(s);
    return all_sums(s, need_operands) && all_sums(s, recall_sum);
}

void loop_find_sinks(Loop *l)
{
    Arena *arena = l->g->arena;
    int count = l->body->nodes.count;
    Sinks s = {.l = l, .count = count};
    s.head = arena_array(arena, bool, count + 1);
    s.stays = arena_array(arena, bool, count + 1);
    s.wanted = arena_array(arena, bool, count + 1);
    s.users = arena_array(arena, int, count + 1);
    s.there = arena_array(arena, char, count + 1);
    s.met = arena_array(arena, bool, count + 1);
    find_live(l);
    count_users(&s);
    for (int k = 0; k < l->carry_count && !l->may_skip; k++)
        if (l->carries[k].live && l->picked[k] && !l->carries[k].ends) find_parts(&s, &l->carries[k]);
    while (!decide(&s)) continue;
}
