/* The optimizer's code for one parameter: the module that `using` names, called with (w, g), its arguments overridden
 * by the groups that match the parameter's path. */
#include "frontend/elab.h"

#include <string.h>

static bool group_matches(const Group *g, const char *path)
{
    for (int i = 0; i < g->patterns.count; i++)
        if (pattern_matches(g->patterns.at[i], path)) return true;
    return false;
}

bool model_check_patterns(Model *m, Diagnostics *d)
{
    int errors = diag_error_count(d);
    if (m->patterns_checked) return true;
    m->patterns_checked = true;
    for (int i = 0; i < m->patterns.count; i++) {
        const PatternUse *use = &m->patterns.at[i];
        bool matched = false, trained = false;
        for (int k = 0; k < m->params.count && !trained; k++) {
            if (!pattern_matches(use->pattern, m->params.at[k]->path)) continue;
            matched = true;
            trained = m->params.at[k]->trained;
        }
        if (!matched)
            diag_error(d, use->x->place, "the pattern \"%s\" matches no parameter of the model", use->pattern);
        else if (!trained)
            diag_warning(d, use->x->place, "the program itself updates what the pattern \"%s\" matches, no optimizer: "
                         "this does nothing", use->pattern);
    }
    return diag_error_count(d) == errors;
}

bool model_frozen(const Model *m, const StageSpec *stage, const Param *param)
{
    (void)m;
    for (int i = 0; i < stage->frozen_count; i++)
        if (pattern_matches(stage->frozen[i], param->path)) return true;
    return false;
}

static const ParamDecl *find_param(const FnDecl *fn, const char *name)
{
    for (const ParamDecl *p = fn->params; p; p = p->next)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}

typedef struct Arguments {
    Argument *at;
    int       count;
} Arguments;

static Argument *find_argument(Arguments *args, const char *name)
{
    for (int i = 0; i < args->count; i++)
        if (args->at[i].keyword && !strcmp(args->at[i].keyword, name)) return &args->at[i];
    return NULL;
}

static void set_argument(Arguments *args, const char *name, Value v, Place place)
{
    Argument *old = find_argument(args, name);
    if (!old) old = &args->at[args->count++];
    *old = (Argument){ name, v, place };
}

/* What groups say beside arguments of the optimizer. */
typedef struct Beside {
    Value rate;                          /* multiplies the learning rate */
    Value lazy;                          /* rows without gradient stay as they are */
} Beside;

/* Later groups win. */
static bool apply_groups(Elab *e, const Stage *stage, const Function *f, const char *path, Arguments *args,
                         Beside *beside)
{
    for (int i = 0; i < stage->groups.count; i++) {
        const Group *g = &stage->groups.at[i];
        if (!group_matches(g, path)) continue;
        elab_bind_scope(e, &g->scope);
        for (const Expr *x = g->stmt->values; x; x = x->next) {
            if (!x->keyword) continue;
            Value v = elab_expr(e, x);
            if (v.kind == VALUE_error) return false;
            if (!strcmp(x->keyword, "rate")) {
                beside->rate = v;
            } else if (!strcmp(x->keyword, "lazy") && v.kind == VALUE_bool) {
                beside->lazy = v;
            } else if (!strcmp(x->keyword, "lazy")) {
                elab_error(e, x->place, "lazy is true or false, found %s", value_text(e->arena, &v));
                return false;
            } else if (find_param(f->fn, x->keyword)) {
                set_argument(args, x->keyword, v, x->keyword_place);
            } else {
                elab_error(e, x->keyword_place, "%s has no parameter %s", f->fn->name, x->keyword);
                return false;
            }
        }
    }
    return true;
}

/* The learning rate as given or by default, times the group's rate; none when the optimizer has no such parameter. */
static Value learning_rate(Elab *e, const Function *f, Arguments *args, const Value *rate, Place place)
{
    const ParamDecl *p = find_param(f->fn, "lr");
    if (!p) return value_none();
    Argument *given = find_argument(args, "lr");
    Value lr = given ? given->value : p->value ? elab_expr(e, p->value) : value_none();
    if (lr.kind == VALUE_none) return lr;
    if (rate->kind != VALUE_none) lr = elab_binary(e, OPERATOR_mul, lr, *rate, place);
    set_argument(args, "lr", lr, place);
    return lr;
}

static bool check_optimizer(Elab *e, const Value *v, const Expr *x)
{
    bool module = v->kind == VALUE_function && v->function->fn && v->function->fn->module;
    bool good = module && find_param(v->function->fn, "w") && find_param(v->function->fn, "g");
    if (!good && v->kind != VALUE_error)
        elab_error(e, x->place, "using takes an optimizer, a module of (w, g) such as adamw(lr = 1e-3), found %s",
                   value_text(e->arena, v));
    return good;
}

static bool run_optimizer(Elab *e, const Stage *stage, const Function *f, const Param *param, const Expr *x)
{
    enum { OWN_ARGUMENTS = 16 };
    Arguments args = { arena_array(e->arena, Argument, f->arg_count + OWN_ARGUMENTS), f->arg_count };
    if (f->arg_count) memcpy(args.at, f->args, sizeof *f->args * (size_t)f->arg_count);
    Beside beside = { value_none(), value_none() };
    if (!apply_groups(e, stage, f, param->path, &args, &beside)) return false;
    Value lr = learning_rate(e, f, &args, &beside.rate, x->place);
    if (lr.kind == VALUE_error) return false;
    set_argument(&args, "w", value_tensor(make_input(e->graph, STORE_data, "w", param->type)), x->place);
    set_argument(&args, "g", value_tensor(make_input(e->graph, STORE_data, "g", param->type)), x->place);
    Function bare = { .fn = f->fn, .file = f->file };
    Value w = elab_apply(e, &bare, args.at, args.count, arena_print(e->arena, "optimizer.%s", param->path), x->place);
    if (w.kind == VALUE_error) return false;
    Node *n = elab_tensor(e, &w, x->place, "the result of the optimizer");
    if (!n || !type_equal(&n->type, &param->type)) {
        elab_error(e, x->place, "%s: the new value is not %s", f->fn->name, type_text(e->arena, &param->type));
        return false;
    }
    graph_output(e->graph, OUTPUT_result, "w", n);
    Node *rate_node = lr.kind == VALUE_none ? NULL : elab_tensor(e, &lr, x->place, "lr");
    if (rate_node) graph_output(e->graph, OUTPUT_result, "lr", rate_node);
    bool lazy = beside.lazy.kind == VALUE_bool && beside.lazy.truth;
    if (lazy) graph_output(e->graph, OUTPUT_result, "lazy", make_whole(e->graph, DT_bool, 1));
    elab_output_updates(e, true);
    return true;
}

static Graph *update_graph(Model *m, const Stage *stage, const Param *param, int64_t steps, int64_t epoch_steps,
                           Diagnostics *d)
{
    int errors = diag_error_count(d);
    m->work = 0;
    const Expr *x = stage->using.stmt->values;
    Elab *e =
        elab_new(m, MODE_optimizer, graph_new(m->arena, m->dims, arena_print(m->arena, "update %s", param->path)), d);
    e->steps = (double)steps;
    e->epoch = (double)epoch_steps;
    e->stage = &stage->spec;
    elab_push(e, NULL, m->root, "", (Place){0});
    elab_bind_scope(e, &stage->using_scope);
    elab_at(e, x->place);
    Value v = elab_expr(e, x);
    if (!check_optimizer(e, &v, x) || !run_optimizer(e, stage, v.function, param, x)) return NULL;
    return diag_error_count(d) == errors ? e->graph : NULL;
}

Graph *model_update(Model *m, const StageSpec *stage, const Param *param, int64_t steps, int64_t epoch_steps,
                    Diagnostics *d)
{
    return update_graph(m, m->stages.at[stage->number], param, steps, epoch_steps, d);
}

void update_check_using(Model *m, const Stage *stage, Diagnostics *d)
{
    const Dim *one = dim_int(m->dims, 1);
    const Param sample = { .path = "w", .type = type_of(m->options.real, 1, &one), .trained = true };
    if (stage->using.stmt) update_graph(m, stage, &sample, stage->spec.steps ? stage->spec.steps : 1, 1, d);
}
