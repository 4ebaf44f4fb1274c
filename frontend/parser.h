/* What the scanner, the layout between scanner and grammar, the grammar and the loader share. One Parser lives as
 * long as the reading of one file; nothing outside these files sees it. */
#ifndef PTM_PARSER_H
#define PTM_PARSER_H

#include "frontend/ast.h"

enum {
    BRACKET_LIMIT = 200,                 /* open ( [ { at one place */
    DEPTH_LIMIT = 1000,                  /* height of an expression's tree, `else if`s of one chain */
    SYNTAX_ERROR_LIMIT = 30,             /* then the rest of the file is not read */
    FILE_LIMIT = 16 << 20                /* bytes */
};

typedef struct Parser Parser;

/* Lists under construction: appended at the end. */
typedef struct ExprList { Expr *first, *last; } ExprList;
typedef struct StmtList { Stmt *first, *last; } StmtList;
typedef struct NameList { Name *first, *last; } NameList;
typedef struct DimList { DimExpr *first, *last; } DimList;
typedef struct TypeList { TypeExpr *first, *last; } TypeList;
typedef struct ParamList { ParamDecl *first, *last; } ParamList;
typedef struct Number { const char *text; int64_t integer; double real; } Number;
typedef struct IfChain { Stmt *first, *last; int count; } IfChain;

/* Constructors (ast.c): one call for each rule of the grammar. */
ExprList  expr_list(ExprList list, Expr *e);
StmtList  stmt_list(StmtList list, Stmt *s);                 /* appends s and what is linked to it; s may be NULL */
NameList  name_list(Parser *p, NameList list, const char *text, Place place);
DimList   dim_list(DimList list, DimExpr *dim);
TypeList  type_list(TypeList list, TypeExpr *type);
ParamList param_list(ParamList list, ParamDecl *param);

Expr *expr_leaf(Parser *p, ExprKind kind, const char *text, Place place);
Expr *expr_number(Parser *p, ExprKind kind, Number number, Place place);
Expr *expr_unary(Parser *p, Operator op, Expr *left, Place place);
Expr *expr_binary(Parser *p, Operator op, Expr *left, Expr *right, Place place);
Expr *expr_group(Parser *p, ExprKind kind, Expr *left, ExprList items, Place place);     /* list, call, index */
Expr *expr_member(Parser *p, Expr *left, const char *text, Place place);
Expr *expr_spread(Parser *p, Expr *left, Place place);
Expr *expr_label(Parser *p, bool share, Expr *path, Expr *call, Place place);
Expr *expr_slice(Parser *p, Expr *start, Expr *stop, Expr *step, Place place);
Expr *expr_scan(Parser *p, NameList names, ExprList sources, NameList carrying, Expr *until, StmtList body,
                Place place);
Expr *expr_names(Parser *p, NameList names);                 /* the names as linked EXPR_name */

DimExpr   *dim_new(Parser *p, int kind, Expr *value, const char *rank, Place place);
TypeExpr  *type_new(Parser *p, const char *name, DimList dims, bool bracketed, Place place);
ParamDecl *param_new(Parser *p, const char *name, TypeExpr *type, Expr *value, Place place);

Stmt *stmt_new(Parser *p, StmtKind kind, ExprList targets, ExprList values, Place place);
Stmt *stmt_assign(Parser *p, StmtKind kind, Expr *targets, ExprList values, bool add, Place place);
Stmt *stmt_local(Parser *p, const char *name, TypeExpr *type, ExprList values, Place place);
Stmt *stmt_store(Parser *p, StmtKind kind, NameList names, TypeExpr *type, Expr *value, Place place);
Stmt *stmt_for(Parser *p, NameList names, Expr *range, StmtList body, Place place);
Stmt *stmt_const(Parser *p, NameList names, Expr *value, Place place);
Stmt *stmt_check(Parser *p, const char *word, ExprList args, Place place);   /* NULL after reporting */
Stmt *stmt_setting(Parser *p, const char *word, ExprList args, Place place);
Stmt *stmt_block(Parser *p, const char *word, const char *label, StmtList body, Place place);
IfChain if_chain(Parser *p, IfChain chain, Expr *condition, StmtList body, Place place);
Stmt *if_end(IfChain chain, StmtList otherwise);

void ast_add_import(Parser *p, const char *path, const char *alias, ExprList args, Place place);
void ast_add_fn(Parser *p, bool module, const char *name, ParamList tensors, ParamList statics, TypeList results,
                StmtList body, Place place);
void ast_add_items(Parser *p, Stmt *items);

/* The words that are no names, in the order of parse.y; NULL behind the last. */
const char *reserved_word(int i);

#endif
