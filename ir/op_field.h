/* The fields of Attr that an operator uses, for those who treat attributes field by field: the maker, the printer and
 * the reader. */
#ifndef PTM_OP_FIELD_H
#define PTM_OP_FIELD_H

#include "ir/graph.h"

#define ATTR_FIELDS(X) X(axis) X(axes) X(map) X(start) X(step) X(text) X(f) X(i) X(storage) X(count)

typedef enum AttrField {
#define FIELD(name) FIELD_##name,
    ATTR_FIELDS(FIELD)
#undef FIELD
    FIELD_COUNT
} AttrField;

/* The fields in the order of the row's column; returns how many. */
int op_fields(Op op, AttrField fields[FIELD_COUNT]);
const char *field_name(AttrField field);

/* How many entries of map, start or step a node with this first argument has. */
int op_list_length(Op op, Node *const *args, int arg_count);

#endif
