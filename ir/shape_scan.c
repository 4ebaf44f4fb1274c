/* Shape rules of scan and pick. */
#include "ir/shape.h"

#include <string.h>

static const Dim *check_count(ShapeCase *c)
{
    const Dim *count = c->attr->count;
    const char *why = !count                      ? "expected how many iterations"
                      : dim_is_overflow(count)    ? "there are too many iterations"
                      : shape_known_negative(count) ? "found a negative number of iterations"
                                                    : NULL;
    if (why) shape_refuse(c, "%s", why);
    return why ? NULL : count;
}

/* The type of values of this type, one for each iteration. */
static bool stack_type(ShapeCase *c, const Type *element, const Dim *count, Type *stacked)
{
    if (element->rank == MAX_RANK)
        return shape_refuse(c, "found %s for each iteration, expected at most %d axes", shape_text(c, element),
                            MAX_RANK - 1);
    *stacked = (Type){.dtype = element->dtype, .rank = element->rank + 1, .dim = {count}};
    for (int i = 0; i < element->rank; i++) stacked->dim[i + 1] = element->dim[i];
    return true;
}

static bool check_argument(ShapeCase *c, const Node *input, const Node *arg)
{
    Type wanted = input->type;
    if (input->attr.storage == STORE_each && !stack_type(c, &input->type, c->attr->count, &wanted)) return false;
    return type_equal(&arg->type, &wanted) ||
           shape_refuse(c, "found %s for %s \"%s\", expected %s", shape_text(c, &arg->type),
                        storage_name((Storage)input->attr.storage), input->attr.text, shape_text(c, &wanted));
}

static bool check_ambient(ShapeCase *c, const Node *input)
{
    Type wanted = type_scalar(DT_i64);
    return (!strcmp(input->attr.text, "index") && type_equal(&input->type, &wanted)) ||
           shape_refuse(c, "found ambient \"%s\" : %s in its body, expected \"index\" : i64 only", input->attr.text,
                        shape_text(c, &input->type));
}

/* The body's inputs in order, beside the arguments. */
static bool check_inputs(ShapeCase *c)
{
    int next = 0;
    for (int i = 0; i < c->region->inputs.count; i++) {
        const Node *input = c->region->inputs.at[i];
        Storage storage = (Storage)input->attr.storage;
        if (storage == STORE_ambient) {
            if (!check_ambient(c, input)) return false;
            continue;
        }
        if (storage != STORE_each && storage != STORE_carry && storage != STORE_outer)
            return shape_refuse(c, "found %s \"%s\" in its body, expected each, carry or outer", storage_name(storage),
                                input->attr.text);
        if (next == c->arg_count) return shape_refuse(c, "found no argument for \"%s\"", input->attr.text);
        if (!check_argument(c, input, c->args[next++])) return false;
    }
    return next == c->arg_count ||
           shape_refuse(c, "found %d arguments, expected %d as its body has", c->arg_count, next);
}

static const Node *find_carry(const Graph *body, const char *name)
{
    const Node *input = graph_find_input(body, name);
    return input && input->attr.storage == STORE_carry ? input : NULL;
}

static bool check_update(ShapeCase *c, const Output *update)
{
    const Node *carry = find_carry(c->region, update->name);
    if (!carry) return shape_refuse(c, "found an update of \"%s\", which its body does not carry", update->name);
    return type_equal(&carry->type, &update->node->type) ||
           shape_refuse(c, "found %s as the new value of carry \"%s\", expected %s", shape_text(c, &update->node->type),
                        update->name, shape_text(c, &carry->type));
}

static bool check_outputs(ShapeCase *c)
{
    for (int i = 0; i < c->region->outputs.count; i++) {
        const Output *output = &c->region->outputs.at[i];
        Type stacked;
        if (output->node->op == OP_scan)
            return shape_refuse(c, "found a scan as output \"%s\" of its body, expected one of its picks",
                                output->name);
        bool good = output->kind == OUTPUT_update ? check_update(c, output)
                                                  : stack_type(c, &output->node->type, c->attr->count, &stacked);
        if (!good) return false;
    }
    return true;
}

/* Every carry has one new value. */
static bool check_carries(ShapeCase *c)
{
    for (int i = 0; i < c->region->inputs.count; i++) {
        const Node *carry = c->region->inputs.at[i];
        if (carry->attr.storage != STORE_carry) continue;
        int updates = 0;
        for (int k = 0; k < c->region->outputs.count; k++) {
            const Output *output = &c->region->outputs.at[k];
            updates += output->kind == OUTPUT_update && !strcmp(output->name, carry->attr.text);
        }
        if (updates != 1)
            return shape_refuse(c, "found %d updates of carry \"%s\", expected one", updates, carry->attr.text);
    }
    return true;
}

static bool check_until(ShapeCase *c)
{
    if (!c->attr->axis) return true;
    int left = c->attr->axis - 1;
    Type wanted = type_scalar(DT_bool);
    for (int i = 0; i < c->region->inputs.count; i++) {
        const Node *input = c->region->inputs.at[i];
        if (input->attr.storage != STORE_carry || left--) continue;
        return type_equal(&input->type, &wanted) ||
               shape_refuse(c, "found carry \"%s\" : %s as what ends it, expected bool", input->attr.text,
                            shape_text(c, &input->type));
    }
    return shape_refuse(c, "found axis %d, expected 0 or 1 + the number of a carry", c->attr->axis);
}

bool shape_scan(ShapeCase *c)
{
    if (!c->region) return shape_refuse(c, "expected a body");
    if (c->region->dims != c->g->dims) return shape_refuse(c, "found a body over other dimensions");
    if (c->region->scan_depth >= MAX_SCAN_DEPTH)
        return shape_refuse(c, "found more than %d scans within each other", MAX_SCAN_DEPTH);
    if (!check_count(c)) return false;
    if (c->attr->i != 0 && c->attr->i != 1)
        return shape_refuse(c, "found direction %lld, expected 0 or 1 for backwards", (long long)c->attr->i);
    if (!check_inputs(c) || !check_outputs(c) || !check_carries(c) || !check_until(c)) return false;
    c->result = type_scalar(DT_i64);
    return true;
}

bool shape_pick(ShapeCase *c)
{
    const Node *scan = c->args[0];
    if (scan->op != OP_scan) return shape_refuse(c, "found %s, expected a scan", op_name(scan->op));
    int count = scan_result_count(scan);
    if (c->attr->i < 0 || c->attr->i >= count)
        return shape_refuse(c, "found result %lld, expected one of %d", (long long)c->attr->i, count);
    const Output *output = scan_output(scan, (int)c->attr->i);
    c->result = output->node->type;
    return output->kind == OUTPUT_update || stack_type(c, &output->node->type, scan->attr.count, &c->result);
}
