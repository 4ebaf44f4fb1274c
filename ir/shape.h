/* Shape rules: one function for each name in the shape column of ops.def, and one for all elementwise rows. */
#ifndef PTM_SHAPE_H
#define PTM_SHAPE_H

#include "ir/graph.h"

/* A node about to be made. A rule reads everything above `result`, fills it, or refuses with a reason. */
typedef struct ShapeCase {
    Graph       *g;
    Op           op;
    Node *const *args;
    int          arg_count;              /* agrees with the row's arity */
    const Attr  *attr;                   /* unused fields are zero */
    const Type  *given;                  /* NULL when the caller gave none */
    const Graph *region;                 /* scan: its body */
    Type         result;
    const char  *why;
} ShapeCase;

/* Runs the rule of the operator, then checks that no dimension of the result is negative or too large. */
bool shape_check(ShapeCase *c);

/* Sets the reason, "gather: ..."; returns false, so that a rule can `return shape_refuse(...)`. */
bool shape_refuse(ShapeCase *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *shape_text(const ShapeCase *c, const Type *type);
const char *shape_dim_text(const ShapeCase *c, const Dim *d);

/* True when the value is known now and below zero. A symbol without a value decides nothing. */
bool shape_known_negative(const Dim *d);

#define ELEMENT(...)
#define STRUCTURAL(name, arity, kind, attrs, shape, ...) bool shape_##shape(ShapeCase *c);
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL

#endif
