/* Dimensions that are the same. Identity of normal forms holds for every value of the symbols of a call; a constant of
 * data has one value, so that a table of 65 rows fits where V = 65 is declared. The graph knows identity only: where it
 * matters a reshape gives a tensor the dimensions that are declared. */
#include "frontend/elab.h"

bool elab_call_symbol(const Elab *e, const Dim *d)
{
    for (int i = 0; i < dims_symbol_count(e->dims); i++) {
        const char *name = dims_symbol_name(e->dims, i);
        if (dim_mentions(d, name) && !map_get(e->model->constant_symbols, name)) return true;
    }
    return false;
}

bool elab_same_dim(const Elab *e, const Dim *p, const Dim *q)
{
    if (p == q) return true;
    int64_t a, b;
    if (!elab_known(p, &a) || !elab_known(q, &b) || a != b) return false;
    return !elab_call_symbol(e, dim_sub(e->dims, p, q));
}

bool elab_same_shape(const Elab *e, const Type *a, const Type *b)
{
    if (a->rank != b->rank) return false;
    for (int k = 0; k < a->rank; k++)
        if (!elab_same_dim(e, a->dim[k], b->dim[k])) return false;
    return true;
}

Node *elab_renamed(Elab *e, Node *n, const Type *shape, Place place)
{
    if (type_same_shape(&n->type, shape)) return n;
    if (!elab_same_shape(e, &n->type, shape)) return NULL;
    Type type = *shape;
    type.dtype = n->type.dtype;
    return elab_node(e, OP_reshape, &n, 1, NULL, &type, place);
}
