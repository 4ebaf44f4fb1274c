/* Kernels that run on what the product before them has just made, while it is in a cache: a map over the product's
 * elements on each tile, a kernel of rows on the rows of each row of tiles, which one thread then makes all of. The
 * kernel keeps its own row in the table, for whoever looks into a run. Everything follows from the plan, and the bits
 * are those of two kernels one after the other. */
#include "codegen/compile.h"

enum { ENOUGH_ROWS = 8 };                /* of tiles, to share out among threads */

static bool share_bytes(const Buffer *x, const Buffer *y)
{
    if (x->block != y->block) return false;
    if (x->block == MEMORY_bound) return buffer_home(x) == buffer_home(y);
    return x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes;
}

static bool reads_aligned(const Plan *p, const Kernel *k, const Buffer *b)
{
    bool reads = false;
    for (int i = 0; i < k->inputs.count; i++) {
        if (kernel_buffer(p, k, k->inputs.at[i]) != b) continue;
        bool aligned = false;
        for (int j = 0; j < k->aligned.count; j++) aligned = aligned || k->aligned.at[j] == k->inputs.at[i];
        if (!aligned) return false;
        reads = true;
    }
    return reads;
}

/* What the follower writes while other tiles are still to come: nothing that the product reads or writes, but in place
 * of the result itself. */
static bool writes_apart(const Plan *p, const Kernel *product, const Kernel *follower, const Buffer *result)
{
    for (int i = 0; i < follower->outputs.count; i++) {
        const Buffer *out = kernel_buffer(p, follower, follower->outputs.at[i]);
        if (out->takes_over != result && share_bytes(out, result)) return false;
        for (int j = 0; j < product->inputs.count; j++)
            if (share_bytes(out, kernel_buffer(p, product, product->inputs.at[j]))) return false;
    }
    return true;
}

static bool has_whole_rows(const Contraction *c)
{
    bool whole = c->c_row % c->n == 0;
    for (int k = 0; k < c->batch_rank; k++) whole = whole && c->c_batch[k] % c->n == 0;
    return whole;
}

/* Whether every row of tiles can be one thread's. */
static bool shares_rows(const Contraction *c, const Tiling *t)
{
    int64_t rows = (c->m + t->tile_m - 1) / t->tile_m;
    for (int k = 0; k < c->batch_rank; k++) rows *= c->batch[k];
    return rows >= ENOUGH_ROWS || t->tile_n == c->n;
}

Tiles tiles_before(const Plan *p, int position, Blas blas)
{
    static const Tiles none = {0};
    const Kernel *k = p->kernels.at[position], *product = position ? p->kernels.at[position - 1] : k;
    View a, b;
    Contraction c;
    if (k->kind != KERNEL_loop || k->c_rank > 0 || product->kind != KERNEL_contract) return none;
    const Node *einsum = product->outputs.at[0];
    int64_t elements = type_value_elements(&einsum->type);
    if (elements <= 0 || kernel_extent(k, 0, k->a_rank + k->r_rank) != elements) return none;
    if (!kernel_product(product, &a, &b, &c) || c.k <= 0 || !has_whole_rows(&c)) return none;
    Tiling t = tiling_of(&c, blas);
    bool fits = k->r_rank == 0 || (kernel_extent(k, k->a_rank, k->r_rank) == c.n && shares_rows(&c, &t));
    const Buffer *result = kernel_buffer(p, product, einsum);
    if (t.parts > 1 || !fits || !reads_aligned(p, k, result) || !writes_apart(p, product, k, result)) return none;
    return (Tiles){c.n, k->r_rank ? c.n : t.tile_n};
}
