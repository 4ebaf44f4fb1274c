/* Contractions: a row of arguments for the runtime's products or for our own. */
#include "codegen/table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t view_word(const Frame *f, const View *view)
{
    return frame_word(f, view->base) + view->offset * dtype_bytes(view->base->type.dtype);
}

static RtProduct arguments(const Contraction *c, int64_t first, int64_t second, int64_t result)
{
    RtProduct p = {.a = c->swapped ? second : first,
                   .b = c->swapped ? first : second,
                   .c = result,
                   .m = c->m,
                   .n = c->n,
                   .k = c->k};
    p.a_row = c->a_row, p.a_column = c->a_column;
    p.b_row = c->b_row, p.b_column = c->b_column;
    p.c_row = c->c_row;
    p.batch_rank = c->batch_rank;
    for (int k = 0; k < c->batch_rank; k++) {
        p.batch[k] = c->batch[k];
        p.a_batch[k] = c->a_batch[k];
        p.b_batch[k] = c->b_batch[k];
        p.c_batch[k] = c->c_batch[k];
    }
    return p;
}

Product product_of(const Frame *f, const Kernel *kernel, Blas blas, const ProductCalls *own)
{
    const Node *einsum = kernel->nodes.at[kernel->nodes.count - 1];
    View a, b;
    Contraction c;
    if (!kernel_product(kernel, &a, &b, &c)) {
        fprintf(stderr, "ptm: internal error: plan: einsum %%%u \"%s\" is not a product\n", einsum->id,
                einsum->attr.text);
        abort();
    }
    Tiling t = tiling_of(&c, blas);
    bool narrow = einsum->type.dtype == DT_f32;
    Product p = {.args = arguments(&c, view_word(f, &a), view_word(f, &b), frame_word(f, einsum)),
                 .run = narrow ? rt_product_f32 : rt_product_f64, .units = t.units, .sum_units = t.sum_units};
    if (own->run) p.run = own->run->address;
    if (own->run) p.scratch = product_scratch(&t, &c.types);
    p.args.tile_m = t.tile_m, p.args.tile_n = t.tile_n;
    p.args.parts = t.parts;
    if (t.parts == 1) return p;
    p.args.partial = frame_place(f, f->plan->buffers.at[kernel->parts]);
    p.args.sum_rows = t.sum_rows;
    p.sum = own->sum ? own->sum->address : narrow ? rt_product_sum_f32 : rt_product_sum_f64;
    return p;
}
