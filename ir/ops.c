/* What the rows of ops.def say about an operator. */
#include "ir/op_field.h"

#include <string.h>

typedef struct OpRow {
    const char *name, *kind, *attrs, *doc;
    int         arity;
} OpRow;

static const OpRow ROWS[OP_COUNT] = {
#define ELEMENT(name, arity, types, result, value, code, gradient, cost, doc) {#name, "element", "none", doc, arity},
#define STRUCTURAL(name, arity, kind, attrs, shape, gradient, eval, doc) {#name, #kind, #attrs, doc, arity},
#include "ir/ops.def"
#undef ELEMENT
#undef STRUCTURAL
};

static const char *const FIELD_NAMES[FIELD_COUNT] = {
#define FIELD(name) #name,
    ATTR_FIELDS(FIELD)
#undef FIELD
};

const char *op_name(Op op) { return ROWS[op].name; }

const char *op_doc(Op op) { return ROWS[op].doc; }

int op_arity(Op op) { return ROWS[op].arity; }

bool op_is_element(Op op) { return !strcmp(ROWS[op].kind, "element"); }

bool op_is_movement(Op op) { return !strcmp(ROWS[op].kind, "movement"); }

bool op_find(const char *name, Op *out)
{
    for (int i = 0; i < OP_COUNT; i++) {
        if (strcmp(ROWS[i].name, name)) continue;
        *out = (Op)i;
        return true;
    }
    return false;
}

const char *field_name(AttrField field) { return FIELD_NAMES[field]; }

int op_fields(Op op, AttrField fields[FIELD_COUNT])
{
    int count = 0;
    const char *at = ROWS[op].attrs;
    while (*at) {
        size_t length = strcspn(at, " ");
        for (int i = 0; i < FIELD_COUNT; i++)
            if (strlen(FIELD_NAMES[i]) == length && !memcmp(FIELD_NAMES[i], at, length)) fields[count++] = (AttrField)i;
        at += length;
        at += strspn(at, " ");
    }
    return count;
}

int op_list_length(Op op, Node *const *args, int arg_count)
{
    if (op == OP_window) return 1;
    return arg_count ? args[0]->type.rank : 0;
}

static const char *const STORAGE_NAMES[] = {
    [STORE_data] = "data", [STORE_param] = "param", [STORE_state] = "state", [STORE_sum] = "sum",
    [STORE_const] = "const", [STORE_ambient] = "ambient", [STORE_each] = "each", [STORE_carry] = "carry",
    [STORE_outer] = "outer",
};

const char *storage_name(Storage s) { return STORAGE_NAMES[s]; }
