/* Random draws. The key of a draw is its label path, the fns that led to it and its ordinal there: no two draws share a
 * key, and a layer more moves no other draw. Seed and step are inputs; an initialiser draws at step 0 with the
 * parameter's path as key, a line of data with seed and step 0 and its own name. */
#include "frontend/builtin.h"

/* "loss.body.block.dropout" */
static const char *call_chain(Elab *e, const Frame *f)
{
    if (!f || !f->fn) return "";
    const char *before = call_chain(e, f->caller);
    return *before ? arena_print(e->arena, "%s.%s", before, f->fn->name) : f->fn->name;
}

static const char *draw_key(Elab *e)
{
    const Frame *f = e->frame;
    const char *base = e->draw_prefix;
    if (e->mode == MODE_data) base = arena_print(e->arena, "data.%s/%s", e->draw_prefix, call_chain(e, f));
    else if (e->mode != MODE_initial) base = arena_print(e->arena, "%s/%s", f->path, call_chain(e, f));
    int *count = map_get(e->draws, base);
    if (!count) {
        count = arena_new_of(e->arena, int);
        map_set(e->draws, base, count);
    }
    int ordinal = (*count)++;
    return ordinal ? arena_print(e->arena, "%s#%d", base, ordinal) : base;
}

static bool draw_shape(Elab *e, const Value *given, DType dtype, Place place, Type *out)
{
    return builtin_read_shape(e, given->kind == VALUE_none ? e->shape : given, dtype, place, out);
}

/* Without a shape, and not in an initialiser, which has one, a draw is a function that awaits it. */
static Value awaiting(Elab *e, const char *name, const Value *a, Place place)
{
    Function *f = arena_new_of(e->arena, Function);
    Argument *args = arena_array(e->arena, Argument, 2);
    int count = 0;
    for (int i = 0; i < 2; i++)
        if (a[i].kind != VALUE_none) args[count++] = (Argument){ i ? "high" : "low", a[i], place };
    *f = (Function){ .builtin = builtin_find(name), .args = args, .arg_count = count };
    return (Value){ .kind = VALUE_function, .function = f };
}

static Node *draw(Elab *e, Op op, const Type *type, Node *low, Node *high, Place place)
{
    elab_at(e, place);
    Node *step = e->mode == MODE_initial ? make_whole(e->graph, DT_i64, 0) : elab_ambient(e, "step");
    Node *args[5] = { elab_ambient(e, "seed"), step, low, high }, *iteration = elab_iteration(e);
    int count = op == OP_integers ? 4 : 2;
    if (iteration) args[count++] = iteration;
    Attr attr = { .text = draw_key(e) };
    return elab_node(e, op, args, count, &attr, type, place);
}

Value builtin_uniform(Elab *e, const Value *a, Place place)
{
    Type type;
    if (a[2].kind == VALUE_none && !e->shape) return awaiting(e, "uniform", a, place);
    if (!e->graph) return elab_error(e, place, "no random numbers here: they are drawn in data or in a fn");
    if (!draw_shape(e, &a[2], elab_real(e), place, &type)) return value_error();
    Node *u = draw(e, OP_uniform, &type, NULL, NULL, place);
    if (!u) return value_error();
    Value low = a[0].kind == VALUE_none ? value_number(0) : a[0],
          high = a[1].kind == VALUE_none ? value_number(1) : a[1];
    bool unit = low.kind == VALUE_number && high.kind == VALUE_number && !low.dim && !high.dim && !low.number &&
                high.number == 1;
    if (unit) return value_tensor(u);
    Value range = elab_binary(e, OPERATOR_sub, high, low, place);
    Value scaled = elab_binary(e, OPERATOR_mul, value_tensor(u), range, place);
    return elab_binary(e, OPERATOR_add, scaled, low, place);
}

/* A bound as an i32 scalar. */
static Node *bound(Elab *e, const Value *v, Place place)
{
    Node *n = v->kind == VALUE_number ? elab_number_node(e, v, DT_i32, place) : elab_tensor(e, v, place, "integers");
    return n ? make_cast(e->graph, n, DT_i32) : NULL;
}

/* What is known now must leave something to draw; what is known later is drawn as if high were low + 1. */
static bool check_range(Elab *e, const Node *low, const Node *high, Place place)
{
    if (low->op != OP_const || high->op != OP_const || low->attr.i < high->attr.i) return true;
    elab_error(e, place, "integers draws from low up to high - 1: found low %lld and high %lld, expected low < high",
               (long long)low->attr.i, (long long)high->attr.i);
    return false;
}

Value builtin_integers(Elab *e, const Value *a, Place place)
{
    Type type;
    if (a[2].kind == VALUE_none && !e->shape) return awaiting(e, "integers", a, place);
    if (!e->graph) return elab_error(e, place, "no random numbers here: they are drawn in data or in a fn");
    if (!draw_shape(e, &a[2], DT_i32, place, &type)) return value_error();
    Node *low = bound(e, &a[0], place), *high = low ? bound(e, &a[1], place) : NULL;
    if (high && !check_range(e, low, high, place)) return value_error();
    Node *n = high ? draw(e, OP_integers, &type, low, high, place) : NULL;
    return n ? value_tensor(n) : value_error();
}
