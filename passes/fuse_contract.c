/* Which products are rounded once with what they feed: a * b + c, and sums of a * b. A multiply-add has other bits
 * than a multiplication and an addition, and a value may be computed in several kernels, which must agree to the bit;
 * so this is settled here, once for a node and before kernels are cut, never by what a kernel computes beside it. */
#include "passes/fuse.h"

/* Neither stored nor asked for by anything else. */
static bool is_free_product(const Fusion *f, const Node *n)
{
    bool wide = n->type.dtype == DT_f32 || n->type.dtype == DT_f64;
    return n->op == OP_mul && wide && f->role[n->id] == ROLE_inside && f->user_count[n->id] == 1;
}

/* The argument that is contracted into an addition or a sum, or NULL. */
static const Node *find_product(const Fusion *f, const Node *n)
{
    Node *const *args = n->args;
    if (n->op == OP_sum) return is_free_product(f, args[0]) && n->type.dtype == args[0]->type.dtype ? args[0] : NULL;
    if (n->op != OP_add || args[0] == args[1]) return NULL;
    return is_free_product(f, args[0]) ? args[0] : is_free_product(f, args[1]) ? args[1] : NULL;
}

void fuse_contract(Fusion *f)
{
    f->contracted = arena_array(f->arena, bool, f->count + 1);
    for (int k = 0; k < f->count; k++) {
        const Node *product = f->live[k] ? find_product(f, f->graph->nodes.at[k]) : NULL;
        if (product) f->contracted[product->id] = true;
    }
}
