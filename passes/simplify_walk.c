/* Values of a loop's body in the order in which they are made: each after those that it is made of. Bodies are as deep
 * as a program repeats itself, so the way down is a list and not the machine's stack. */
#include "passes/simplify_scan.h"

typedef struct Step {
    const Node *node;
    Way way;
    int next;                            /* of its parts: what is looked at next */
} Step;

/* Part k of all arguments in the way of the node. */
static bool argument(const Node *node, Way way, int k, Step *part)
{
    if (k >= node->arg_count) return false;
    *part = (Step){node->args[k], way, 0};
    return true;
}

static bool only(const Node *node, Way way, int k, Step *part)
{
    *part = (Step){node, way, 0};
    return k == 0;
}

static bool part_of_every(const Loop *l, const Node *node, int k, Step *part)
{
    if (!loop_varies(l, node)) return only(node, WAY_whole, k, part);
    if (l->stacked[node->id] && l->pace[node->id] == PACE_carried) return false;
    const Carry *late = node->op == OP_input ? loop_delay(l, node) : NULL;
    if (late) return only(late->next, WAY_every, k, part);
    return argument(node, k < node->arg_count && loop_varies(l, node->args[k]) ? WAY_every : WAY_whole, k, part);
}

static bool part_of_inside(const Loop *l, const Node *node, int k, Step *part)
{
    if (node->op == OP_input || !loop_leaves(l, node)) return argument(node, WAY_inside, k, part);
    return only(node, l->pace[node->id] < PACE_place ? WAY_whole : WAY_every, k, part);
}

/* Part k of what a value in its way is made of; false when there are no more. */
static bool part_of(const Loop *l, const Step *step, int k, Step *part)
{
    switch (step->way) {
    case WAY_inside: return part_of_inside(l, step->node, k, part);
    case WAY_whole: return argument(step->node, WAY_whole, k, part);
    case WAY_every: return part_of_every(l, step->node, k, part);
    }
    return false;
}

static Node *make(Loop *l, const Node *node, Way way)
{
    switch (way) {
    case WAY_inside: return loop_make_inside(l, node);
    case WAY_whole: return loop_make_whole(l, node);
    case WAY_every: return loop_make_every(l, node);
    }
    return NULL;
}

Node *loop_made(Loop *l, const Node *node, Way way)
{
    Vec(Step) steps = {0};
    Step part = {node, way, 0};
    if (l->made[way][node->id]) return l->made[way][node->id];
    vec_push(l->g->arena, &steps, part);
    while (steps.count) {
        Step *top = &steps.at[steps.count - 1];
        if (part_of(l, top, top->next, &part)) {
            top->next++;
            if (!l->made[part.way][part.node->id]) vec_push(l->g->arena, &steps, part);
            continue;
        }
        l->made[top->way][top->node->id] = make(l, top->node, top->way);
        steps.count--;
    }
    return l->made[way][node->id];
}
