/* Constructors of the syntax tree, one for each rule of the grammar. All nodes live in the parser's arena. */
#include "frontend/layout.h"

#include <string.h>

const char *operator_text(Operator op)
{
    static const char *const text[] = {
        [OPERATOR_range] = "..", [OPERATOR_or] = "or", [OPERATOR_and] = "and", [OPERATOR_not] = "not",
        [OPERATOR_lt] = "<", [OPERATOR_gt] = ">", [OPERATOR_le] = "<=", [OPERATOR_ge] = ">=",
        [OPERATOR_eq] = "==", [OPERATOR_ne] = "!=", [OPERATOR_add] = "+", [OPERATOR_sub] = "-",
        [OPERATOR_mul] = "*", [OPERATOR_div] = "/", [OPERATOR_floordiv] = "//", [OPERATOR_mod] = "%",
        [OPERATOR_matmul] = "@", [OPERATOR_negate] = "-", [OPERATOR_pow] = "^",
    };
    return text[op];
}

#define APPEND(list, item) \
    do { \
        if ((list).last) \
            (list).last->next = (item); \
        else \
            (list).first = (item); \
        (list).last = (item); \
    } while (0)

ExprList expr_list(ExprList list, Expr *e)
{
    APPEND(list, e);
    return list;
}

StmtList stmt_list(StmtList list, Stmt *s)
{
    for (; s; s = s->next)
        APPEND(list, s);
    return list;
}

NameList name_list(Parser *p, NameList list, const char *text, Place place)
{
    Name *name = arena_new_of(p->arena, Name);
    *name = (Name){ text, place, NULL };
    APPEND(list, name);
    return list;
}

DimList dim_list(DimList list, DimExpr *dim)
{
    APPEND(list, dim);
    return list;
}

TypeList type_list(TypeList list, TypeExpr *type)
{
    APPEND(list, type);
    return list;
}

ParamList param_list(ParamList list, ParamDecl *param)
{
    APPEND(list, param);
    return list;
}

static int depth_of(const Expr *e)
{
    return e ? e->depth : 0;
}

static int greater(int a, int b)
{
    return a > b ? a : b;
}

/* The depth of the highest of a list. */
static int list_depth(const Expr *e)
{
    int depth = 0;
    for (; e; e = e->next)
        depth = greater(depth, e->depth);
    return depth;
}

/* Sets the depth of a node over `below`; one message ends the reading of a file that nests too deeply. */
static Expr *raised(Parser *p, Expr *e, int below)
{
    e->depth = below + 1;
    if (e->depth > DEPTH_LIMIT && !p->stopped) {
        complain(p, e->place, "this expression nests more than %d deep: give a part of it a name", DEPTH_LIMIT);
        p->stopped = true;
    }
    return e;
}

static Expr *expr_new(Parser *p, ExprKind kind, Place place)
{
    Expr *e = arena_new_of(p->arena, Expr);
    e->kind = kind;
    e->place = place;
    return e;
}

Expr *expr_leaf(Parser *p, ExprKind kind, const char *text, Place place)
{
    Expr *e = expr_new(p, kind, place);
    e->text = text;
    return raised(p, e, 0);
}

Expr *expr_number(Parser *p, ExprKind kind, Number number, Place place)
{
    Expr *e = expr_leaf(p, kind, number.text, place);
    e->integer = number.integer;
    e->number = number.real;
    return e;
}

Expr *expr_unary(Parser *p, Operator op, Expr *left, Place place)
{
    Expr *e = expr_new(p, EXPR_unary, place);
    e->operator = op;
    e->left = left;
    return raised(p, e, left->depth);
}

Expr *expr_binary(Parser *p, Operator op, Expr *left, Expr *right, Place place)
{
    Expr *e = expr_new(p, EXPR_binary, place);
    e->operator = op;
    e->left = left;
    e->right = right;
    return raised(p, e, greater(left->depth, right->depth));
}

Expr *expr_group(Parser *p, ExprKind kind, Expr *left, ExprList items, Place place)
{
    Expr *e = expr_new(p, kind, place);
    e->left = left;
    e->first = items.first;
    return raised(p, e, greater(depth_of(left), list_depth(items.first)));
}

Expr *expr_member(Parser *p, Expr *left, const char *text, Place place)
{
    Expr *e = expr_new(p, EXPR_member, place);
    e->left = left;
    e->text = text;
    return raised(p, e, left->depth);
}

Expr *expr_spread(Parser *p, Expr *left, Place place)
{
    Expr *e = expr_new(p, EXPR_spread, place);
    e->left = left;
    return raised(p, e, left->depth);
}

Expr *expr_label(Parser *p, bool share, Expr *path, Expr *call, Place place)
{
    Expr *e = expr_new(p, EXPR_label, place);
    e->share = share;
    e->left = path;
    e->right = call;
    return raised(p, e, greater(path->depth, call->depth));
}

Expr *expr_slice(Parser *p, Expr *start, Expr *stop, Expr *step, Place place)
{
    Expr *e = expr_new(p, EXPR_slice, place);
    e->left = start;
    e->right = stop;
    e->third = step;
    return raised(p, e, greater(depth_of(start), greater(depth_of(stop), depth_of(step))));
}

Expr *expr_scan(Parser *p, NameList names, ExprList sources, NameList carrying, Expr *until, StmtList body, Place place)
{
    Expr *e = expr_new(p, EXPR_scan, place);
    e->scan = arena_new_of(p->arena, ScanExpr);
    *e->scan = (ScanExpr){ names.first, sources.first, carrying.first, until, body.first };
    return raised(p, e, greater(list_depth(sources.first), depth_of(until)));
}

Expr *expr_names(Parser *p, NameList names)
{
    ExprList list = { 0 };
    for (const Name *name = names.first; name; name = name->next)
        list = expr_list(list, expr_leaf(p, EXPR_name, name->text, name->place));
    return list.first;
}

DimExpr *dim_new(Parser *p, int kind, Expr *value, const char *rank, Place place)
{
    DimExpr *dim = arena_new_of(p->arena, DimExpr);
    dim->kind = kind;
    dim->value = value;
    dim->rank = rank;
    dim->place = place;
    return dim;
}

TypeExpr *type_new(Parser *p, const char *name, DimList dims, bool bracketed, Place place)
{
    TypeExpr *type = arena_new_of(p->arena, TypeExpr);
    *type = (TypeExpr){ name, dims.first, bracketed, place, NULL };
    return type;
}

ParamDecl *param_new(Parser *p, const char *name, TypeExpr *type, Expr *value, Place place)
{
    ParamDecl *param = arena_new_of(p->arena, ParamDecl);
    param->name = name;
    param->type = type;
    param->value = value;
    param->place = place;
    return param;
}

Stmt *stmt_new(Parser *p, StmtKind kind, ExprList targets, ExprList values, Place place)
{
    Stmt *s = arena_new_of(p->arena, Stmt);
    s->kind = kind;
    s->targets = targets.first;
    s->values = values.first;
    s->place = place;
    return s;
}

Stmt *stmt_assign(Parser *p, StmtKind kind, Expr *targets, ExprList values, bool add, Place place)
{
    Stmt *s = stmt_new(p, kind, (ExprList){ targets, NULL }, values, place);
    s->add = add;
    return s;
}

Stmt *stmt_local(Parser *p, const char *name, TypeExpr *type, ExprList values, Place place)
{
    Stmt *s = stmt_assign(p, STMT_local, expr_leaf(p, EXPR_name, name, place), values, false, place);
    s->type = type;
    return s;
}

Stmt *stmt_store(Parser *p, StmtKind kind, NameList names, TypeExpr *type, Expr *value, Place place)
{
    Stmt *s = stmt_new(p, kind, (ExprList){ 0 }, (ExprList){ value, value }, place);
    s->names = names.first;
    s->type = type;
    return s;
}

Stmt *stmt_for(Parser *p, NameList names, Expr *range, StmtList body, Place place)
{
    Stmt *s = stmt_new(p, STMT_for, (ExprList){ 0 }, (ExprList){ range, range }, place);
    s->names = names.first;
    s->body = body.first;
    return s;
}

Stmt *stmt_const(Parser *p, NameList names, Expr *value, Place place)
{
    Stmt *s = stmt_new(p, STMT_const, (ExprList){ 0 }, (ExprList){ value, value }, place);
    s->names = names.first;
    return s;
}

Stmt *stmt_check(Parser *p, const char *word, ExprList args, Place place)
{
    if (strcmp(word, "check") && strcmp(word, "fail")) {
        complain(p, place, "an expression alone is no statement: write `name = …` or `return …`");
        return NULL;
    }
    Stmt *s = stmt_new(p, STMT_check, (ExprList){ 0 }, args, place);
    s->text = word;
    return s;
}

Stmt *stmt_setting(Parser *p, const char *word, ExprList args, Place place)
{
    Stmt *s = stmt_new(p, STMT_setting, (ExprList){ 0 }, args, place);
    s->text = word;
    return s;
}

Stmt *stmt_block(Parser *p, const char *word, const char *label, StmtList body, Place place)
{
    Stmt *s = stmt_new(p, STMT_block, (ExprList){ 0 }, (ExprList){ 0 }, place);
    s->text = word;
    s->label = label;
    s->body = body.first;
    return s;
}

IfChain if_chain(Parser *p, IfChain chain, Expr *condition, StmtList body, Place place)
{
    Stmt *s = stmt_new(p, STMT_if, (ExprList){ 0 }, (ExprList){ condition, condition }, place);
    s->body = body.first;
    if (chain.last)
        chain.last->otherwise = s;
    else
        chain.first = s;
    chain.last = s;
    if (++chain.count > DEPTH_LIMIT && !p->stopped) {
        complain(p, place, "this chain has more than %d `else if`", DEPTH_LIMIT);
        p->stopped = true;
    }
    return chain;
}

Stmt *if_end(IfChain chain, StmtList otherwise)
{
    if (otherwise.first)
        chain.last->otherwise = otherwise.first;
    return chain.first;
}

void ast_add_import(Parser *p, const char *path, const char *alias, ExprList args, Place place)
{
    Import *import = arena_new_of(p->arena, Import);
    *import = (Import){ .path = path, .alias = alias, .args = args.first, .place = place };
    if (p->last_import)
        p->last_import->next = import;
    else
        p->ast->imports = import;
    p->last_import = import;
    p->any = true;
}

/* No parameter stands twice; `_` may. */
static void check_parameters(Parser *p, const ParamDecl *params)
{
    Map *seen = map_new(p->arena);
    for (const ParamDecl *param = params; param; param = param->next) {
        const ParamDecl *first = map_get(seen, param->name);
        if (first && strcmp(param->name, "_") != 0) {
            complain(p, param->place, "the parameter %s stands twice", param->name);
            if (!p->stopped)
                diag_note(p->d, first->place, "it stands here first");
        }
        map_set(seen, param->name, (void *)param);
    }
}

void ast_add_fn(Parser *p, bool module, const char *name, ParamList tensors, ParamList statics, TypeList results,
                StmtList body, Place place)
{
    FnDecl *fn = arena_new_of(p->arena, FnDecl);
    for (ParamDecl *param = statics.first; param; param = param->next)
        param->after_semicolon = true;
    if (tensors.last)
        tensors.last->next = statics.first;
    *fn = (FnDecl){ .name = name, .module = module, .params = tensors.first ? tensors.first : statics.first,
                    .results = results.first, .body = body.first, .place = place, .file = p->ast };
    check_parameters(p, fn->params);
    if (p->last_fn)
        p->last_fn->next = fn;
    else
        p->ast->fns = fn;
    p->last_fn = fn;
    p->any = true;
}

void ast_add_items(Parser *p, Stmt *items)
{
    p->items = stmt_list(p->items, items);
    p->ast->items = p->items.first;
    p->any = true;
}
