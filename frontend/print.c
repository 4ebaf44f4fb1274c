/* The stage "ast": a tree as source text, laid out one way whatever the file looked like. Reading the text gives the
 * same tree again. Declarations come in the order of the file, after its imports. */
#include "frontend/ast.h"

#include <inttypes.h>

/* Strength of binding, weakest first, as in the table of parse.y. */
enum { WEAKEST = 0, RANGE, OR, AND, NOT, COMPARE, SUM, PRODUCT, NEGATION, POWER, POSTFIX };

static int strength(const Expr *e)
{
    if (e->kind == EXPR_label)
        return WEAKEST;
    if (e->kind != EXPR_unary && e->kind != EXPR_binary)
        return POSTFIX;
    switch (e->operator) {
    case OPERATOR_range: return RANGE;
    case OPERATOR_or: return OR;
    case OPERATOR_and: return AND;
    case OPERATOR_not: return NOT;
    case OPERATOR_lt: case OPERATOR_gt: case OPERATOR_le: case OPERATOR_ge:
    case OPERATOR_eq: case OPERATOR_ne: return COMPARE;
    case OPERATOR_add: case OPERATOR_sub: return SUM;
    case OPERATOR_mul: case OPERATOR_div: case OPERATOR_floordiv: case OPERATOR_mod:
    case OPERATOR_matmul: return PRODUCT;
    case OPERATOR_negate: return NEGATION;
    case OPERATOR_pow: return POWER;
    }
    return POSTFIX;
}

static void print_expr(const Expr *e, FILE *out);
static void print_body(const Stmt *body, int indent, FILE *out);

/* e, in parentheses when it binds more weakly than `least`. */
static void print_at(const Expr *e, int least, FILE *out)
{
    bool parentheses = strength(e) < least;
    fputs(parentheses ? "(" : "", out);
    print_expr(e, out);
    fputs(parentheses ? ")" : "", out);
}

static void print_string(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++)
        switch (*text) {
        case '\n': fputs("\\n", out); break;
        case '\t': fputs("\\t", out); break;
        case '\r': fputs("\\r", out); break;
        case '"': fputs("\\\"", out); break;
        case '\\': fputs("\\\\", out); break;
        default: fputc(*text, out);
        }
    fputc('"', out);
}

/* Elements or arguments. A label needs no parentheses here, except behind a keyword. */
static void print_list(const Expr *e, FILE *out)
{
    for (; e; e = e->next) {
        if (e->keyword)
            fprintf(out, "%s = ", e->keyword);
        print_at(e, e->keyword ? RANGE : WEAKEST, out);
        fputs(e->next ? ", " : "", out);
    }
}

static void print_slice(const Expr *e, FILE *out)
{
    if (e->left)
        print_at(e->left, RANGE, out);
    fputc(':', out);
    if (e->right)
        print_at(e->right, RANGE, out);
    if (e->third) {
        fputc(':', out);
        print_at(e->third, RANGE, out);
    }
}

static void print_subscripts(const Expr *e, FILE *out)
{
    for (; e; e = e->next) {
        if (e->kind == EXPR_slice)
            print_slice(e, out);
        else if (e->kind == EXPR_ellipsis)
            fputs("..", out);
        else
            print_at(e, RANGE, out);
        fputs(e->next ? ", " : "", out);
    }
}

static void print_binary(const Expr *e, FILE *out)
{
    int own = strength(e);
    bool chains = own != RANGE && own != COMPARE;            /* a op b op c may be written without parentheses */
    bool sign = e->operator == OPERATOR_pow && e->right->kind == EXPR_unary && e->right->operator == OPERATOR_negate;
    bool tight = own == POWER || own == RANGE;
    print_at(e->left, own == POWER || !chains ? own + 1 : own, out);
    fprintf(out, tight ? "%s" : " %s ", operator_text(e->operator));
    print_at(e->right, sign ? NEGATION : own == POWER ? own : own + 1, out);
}

static void print_unary(const Expr *e, FILE *out)
{
    fputs(e->operator == OPERATOR_not ? "not " : "-", out);
    print_at(e->left, e->operator == OPERATOR_not ? NOT : NEGATION + 1, out);
}

static void print_expr(const Expr *e, FILE *out)
{
    switch (e->kind) {
    case EXPR_name: case EXPR_float: fputs(e->text, out); break;
    case EXPR_int: fprintf(out, "%" PRId64, e->integer); break;
    case EXPR_string: print_string(e->text, out); break;
    case EXPR_true: fputs("true", out); break;
    case EXPR_false: fputs("false", out); break;
    case EXPR_none: fputs("none", out); break;
    case EXPR_ellipsis: fputs("..", out); break;
    case EXPR_slice: print_slice(e, out); break;
    case EXPR_unary: print_unary(e, out); break;
    case EXPR_binary: print_binary(e, out); break;
    case EXPR_list:
        fputc('[', out);
        print_list(e->first, out);
        fputc(']', out);
        break;
    case EXPR_spread:
        fputs("..", out);
        print_at(e->left, RANGE, out);
        break;
    case EXPR_call:
        print_at(e->left, POSTFIX, out);
        fputc('(', out);
        print_list(e->first, out);
        fputc(')', out);
        break;
    case EXPR_index:
        print_at(e->left, POSTFIX, out);
        fputc('[', out);
        print_subscripts(e->first, out);
        fputc(']', out);
        break;
    case EXPR_member:
        print_at(e->left, POSTFIX, out);
        fprintf(out, ".%s", e->text);
        break;
    case EXPR_label:
        fputs(e->share ? "share " : "", out);
        print_at(e->left, RANGE, out);
        fputs(": ", out);
        print_at(e->right, RANGE, out);
        break;
    case EXPR_scan:
        break;                                               /* only as a whole right-hand side: print_scan */
    }
}

static void print_names(const Name *name, FILE *out)
{
    for (; name; name = name->next)
        fprintf(out, "%s%s", name->text, name->next ? ", " : "");
}

static void print_scan(const ScanExpr *scan, int indent, FILE *out)
{
    fputs("scan ", out);
    print_names(scan->names, out);
    fputs(" in ", out);
    for (const Expr *source = scan->sources; source; source = source->next) {
        print_at(source, RANGE, out);
        fputs(source->next ? ", " : "", out);
    }
    if (scan->carrying) {
        fputs(" carrying ", out);
        print_names(scan->carrying, out);
    }
    if (scan->until) {
        fputs(" until ", out);
        print_at(scan->until, RANGE, out);
    }
    print_body(scan->body, indent, out);
}

static void print_values(const Expr *values, int indent, FILE *out)
{
    if (values && values->kind == EXPR_scan)
        print_scan(values->scan, indent, out);
    else
        print_list(values, out);
}

static void print_type(const TypeExpr *type, FILE *out)
{
    fputs(type->name, out);
    if (!type->bracketed)
        return;
    fputc('[', out);
    for (const DimExpr *dim = type->dims; dim; dim = dim->next) {
        switch (dim->kind) {
        case DIMEXPR_value: print_at(dim->value, RANGE, out); break;
        case DIMEXPR_rank: fprintf(out, "..%s", dim->rank); break;
        case DIMEXPR_ragged: fputc('*', out); break;
        }
        fputs(dim->next ? ", " : "", out);
    }
    fputc(']', out);
}

static void print_if(const Stmt *s, int indent, FILE *out)
{
    fputs("if ", out);
    print_at(s->values, RANGE, out);
    print_body(s->body, indent, out);
    if (!s->otherwise)
        return;
    fputs(" else", out);
    if (s->otherwise->kind == STMT_if && !s->otherwise->next) {
        fputc(' ', out);
        print_if(s->otherwise, indent, out);
    } else {
        print_body(s->otherwise, indent, out);
    }
}

static void print_stmt(const Stmt *s, int indent, FILE *out)
{
    switch (s->kind) {
    case STMT_assign: case STMT_map: case STMT_add: case STMT_update:
        fputs(s->kind == STMT_update ? "update " : "", out);
        print_list(s->targets, out);
        fputs(s->add ? " += " : " = ", out);
        print_values(s->values, indent, out);
        break;
    case STMT_local:
        fprintf(out, "%s: ", s->targets->text);
        print_type(s->type, out);
        fputs(" = ", out);
        print_values(s->values, indent, out);
        break;
    case STMT_reset:
        fputs("reset ", out);
        print_list(s->targets, out);
        break;
    case STMT_param: case STMT_state:
        fputs(s->kind == STMT_param ? "param " : "state ", out);
        print_names(s->names, out);
        fputs(": ", out);
        print_type(s->type, out);
        if (s->values) {
            fputs(" = ", out);
            print_at(s->values, RANGE, out);
        }
        break;
    case STMT_scan:
        print_values(s->values, indent, out);
        break;
    case STMT_emit: case STMT_return:
        fputs(s->kind == STMT_emit ? "emit " : "return ", out);
        print_values(s->values, indent, out);
        break;
    case STMT_check:
        fprintf(out, "%s(", s->text);
        print_list(s->values, out);
        fputc(')', out);
        break;
    case STMT_for:
        fputs("for ", out);
        print_names(s->names, out);
        fputs(" in ", out);
        print_at(s->values, RANGE, out);
        print_body(s->body, indent, out);
        break;
    case STMT_if:
        print_if(s, indent, out);
        break;
    case STMT_const:
        fputs("const ", out);
        print_names(s->names, out);
        fputs(" = ", out);
        print_list(s->values, out);
        break;
    case STMT_setting:
        fprintf(out, "%s ", s->text);
        print_list(s->values, out);
        break;
    case STMT_block:
        fprintf(out, "%s%s%s", s->text, s->label ? " " : "", s->label ? s->label : "");
        print_body(s->body, indent, out);
        break;
    }
}

/* ` { … }`, one statement a line. */
static void print_body(const Stmt *body, int indent, FILE *out)
{
    if (!body) {
        fputs(" { }", out);
        return;
    }
    fputs(" {\n", out);
    for (const Stmt *s = body; s; s = s->next) {
        fprintf(out, "%*s", (indent + 1) * 2, "");
        print_stmt(s, indent + 1, out);
        fputc('\n', out);
    }
    fprintf(out, "%*s}", indent * 2, "");
}

static void print_import(const Import *import, FILE *out)
{
    fputs("import ", out);
    print_string(import->path, out);
    if (import->alias)
        fprintf(out, " as %s", import->alias);
    if (import->args) {
        fputc('(', out);
        print_list(import->args, out);
        fputc(')', out);
    }
    fputc('\n', out);
}

static void print_params(const ParamDecl *param, FILE *out)
{
    bool statics = false;
    for (const char *between = ""; param; param = param->next, between = ", ") {
        if (param->after_semicolon && !statics) {
            between = "; ";
            statics = true;
        }
        fprintf(out, "%s%s", between, param->name);
        if (param->type) {
            fputs(": ", out);
            print_type(param->type, out);
        }
        if (param->value) {
            fputs(" = ", out);
            print_at(param->value, RANGE, out);
        }
    }
}

static void print_fn(const FnDecl *fn, FILE *out)
{
    fprintf(out, "%s %s(", fn->module ? "module" : "fn", fn->name);
    print_params(fn->params, out);
    fputc(')', out);
    bool several = fn->results && fn->results->next;
    fputs(fn->results ? several ? " -> (" : " -> " : "", out);
    for (const TypeExpr *type = fn->results; type; type = type->next) {
        print_type(type, out);
        fputs(type->next ? ", " : "", out);
    }
    fputs(several ? ")" : "", out);
    print_body(fn->body, 0, out);
    fputc('\n', out);
}

static bool before(Place a, Place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void ast_print(const Ast *ast, FILE *out)
{
    const Stmt *item = ast->items;
    const FnDecl *fn = ast->fns;
    for (const Import *import = ast->imports; import; import = import->next)
        print_import(import, out);
    while (item || fn) {
        if (item && (!fn || before(item->place, fn->place))) {
            print_stmt(item, 0, out);
            fputc('\n', out);
            item = item->next;
        } else {
            print_fn(fn, out);
            fn = fn->next;
        }
    }
}
