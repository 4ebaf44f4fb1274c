/* Visits every expression of a piece of syntax, without values. */
#include "frontend/elab.h"

#include <string.h>

static bool walk_type(const TypeExpr *type, ExprVisitor visit, void *context)
{
    if (!type) return false;
    for (const DimExpr *d = type->dims; d; d = d->next)
        if (d->value && walk_expr(d->value, visit, context)) return true;
    return false;
}

static bool walk_scan(const ScanExpr *scan, ExprVisitor visit, void *context)
{
    return walk_exprs(scan->sources, visit, context) || walk_expr(scan->until, visit, context)
        || walk_body(scan->body, visit, context);
}

bool walk_expr(const Expr *x, ExprVisitor visit, void *context)
{
    if (!x) return false;
    if (visit(context, x)) return true;
    if (walk_expr(x->left, visit, context) || walk_expr(x->right, visit, context)) return true;
    if (walk_expr(x->third, visit, context) || walk_exprs(x->first, visit, context)) return true;
    return x->scan && walk_scan(x->scan, visit, context);
}

bool walk_exprs(const Expr *list, ExprVisitor visit, void *context)
{
    for (; list; list = list->next)
        if (walk_expr(list, visit, context)) return true;
    return false;
}

bool walk_body(const Stmt *body, ExprVisitor visit, void *context)
{
    for (; body; body = body->next) {
        if (walk_exprs(body->targets, visit, context) || walk_exprs(body->values, visit, context)) return true;
        if (walk_type(body->type, visit, context)) return true;
        if (walk_body(body->body, visit, context) || walk_body(body->otherwise, visit, context)) return true;
    }
    return false;
}

static bool walk_fn(const FnDecl *fn, ExprVisitor visit, void *context)
{
    for (const ParamDecl *p = fn->params; p; p = p->next)
        if (walk_type(p->type, visit, context) || walk_expr(p->value, visit, context)) return true;
    for (const TypeExpr *t = fn->results; t; t = t->next)
        if (walk_type(t, visit, context)) return true;
    return walk_body(fn->body, visit, context);
}

static bool is_name(void *context, const Expr *x) { return x->kind == EXPR_name && !strcmp(x->text, context); }

bool expr_mentions(const Expr *x, const char *name) { return walk_expr(x, is_name, (void *)name); }

bool items_mention(const Stmt *items, const char *name) { return walk_body(items, is_name, (void *)name); }

bool fn_mentions(const FnDecl *fn, const char *name) { return walk_fn(fn, is_name, (void *)name); }
