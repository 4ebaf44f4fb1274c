/* The syntax tree: what the grammar (frontend/parse.y, the language reference) says and nothing more. Which blocks
 * and settings stand where, that a label is a path, and what an assignment may target is left to the elaborator.
 * Lists are linked through `next`. */
#ifndef PTM_AST_H
#define PTM_AST_H

#include "frontend/frontend.h"

typedef enum ExprKind {
    EXPR_name,       /* text */
    EXPR_int,        /* integer, number */
    EXPR_float,      /* number; text: as written */
    EXPR_string,     /* text, escapes resolved */
    EXPR_true, EXPR_false, EXPR_none,
    EXPR_list,       /* first: elements; an element may be EXPR_spread */
    EXPR_spread,     /* left: `..xs` inside [ ] */
    EXPR_call,       /* left: what is called; first: arguments; an argument with `text` set is a keyword argument */
    EXPR_index,      /* left; first: subscripts */
    EXPR_member,     /* left, text */
    EXPR_unary,      /* operator, left */
    EXPR_binary,     /* operator, left, right */
    EXPR_label,      /* left: path, right: call; `share` when the word stands before it */
    EXPR_slice,      /* in subscripts: left, right, third: start, stop, step, each may be NULL */
    EXPR_ellipsis,   /* in subscripts: `..` */
    EXPR_scan        /* scan: see ScanExpr (reserved by the elaborator) */
} ExprKind;

typedef enum Operator {
    OPERATOR_range, OPERATOR_or, OPERATOR_and, OPERATOR_not,
    OPERATOR_lt, OPERATOR_gt, OPERATOR_le, OPERATOR_ge, OPERATOR_eq, OPERATOR_ne,
    OPERATOR_add, OPERATOR_sub, OPERATOR_mul, OPERATOR_div, OPERATOR_floordiv, OPERATOR_mod, OPERATOR_matmul,
    OPERATOR_negate, OPERATOR_pow
} Operator;
const char *operator_text(Operator op);                      /* "+", "not" … */

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Name Name;

struct Name {                            /* in `for a, b in`, `carrying`, `param u, v`, const a, b */
    const char *text;
    Place       place;
    Name       *next;
};

typedef struct ScanExpr {
    Name *names;
    Expr *sources;                       /* linked */
    Name *carrying;
    Expr *until;                         /* or NULL */
    Stmt *body;
} ScanExpr;

struct Expr {
    ExprKind    kind;
    Place       place;                   /* of its most telling token: the operator, the name, of a call the callee */
    const char *text;                    /* name, member, string; of an argument: see keyword */
    const char *keyword;                 /* set when this expression is a keyword argument */
    Place       keyword_place;
    double      number;
    int64_t     integer;
    Operator    operator;
    bool        share;
    Expr       *left, *right, *third;
    Expr       *first;                   /* elements, arguments, subscripts */
    ScanExpr   *scan;
    int         depth;                   /* height of the tree below, at most 1000: walks may recurse */
    Expr       *next;                    /* in a list */
};

/* A dimension in a type: an expression, `..S` (rank variable) or `*` (ragged axis). */
typedef struct DimExpr DimExpr;
struct DimExpr {
    enum { DIMEXPR_value, DIMEXPR_rank, DIMEXPR_ragged } kind;
    Expr       *value;
    const char *rank;
    Place       place;
    DimExpr    *next;
};

typedef struct TypeExpr TypeExpr;
struct TypeExpr {
    const char *name;                    /* "f32", "text", … */
    DimExpr    *dims;
    bool        bracketed;               /* `text[N]` or plain */
    Place       place;
    TypeExpr   *next;                    /* in a list of results */
};

typedef enum StmtKind {
    STMT_assign,     /* targets = values (elems or one scan) */
    STMT_add,        /* targets (one) += values */
    STMT_local,      /* targets (one name) : type = values */
    STMT_update,     /* targets = values; `add` for += */
    STMT_reset,      /* targets */
    STMT_param, STMT_state,   /* names : type [= values] */
    STMT_scan,       /* values: one EXPR_scan whose value is dropped */
    STMT_emit,       /* values */
    STMT_return,     /* values */
    STMT_check,      /* text ("check" or "fail"), values: arguments */
    STMT_for,        /* names in values: body */
    STMT_if,         /* values (condition), body, otherwise (linked statements, or NULL; `else if` nests one STMT_if) */
    /* in blocks only */
    STMT_const,      /* names = values: one statement for each cbind */
    STMT_setting,    /* text args: `minimize loss(batch)`, `clip 1.0`; an argument with a keyword is `every = 250` */
    STMT_block,      /* text [label] { body }: train, data, stage x, weights x */
    STMT_map         /* strings = values: a line of a weights block; targets are EXPR_string */
} StmtKind;

struct Stmt {
    StmtKind    kind;
    Place       place;
    Expr       *targets;                 /* linked */
    Expr       *values;                  /* linked */
    bool        add;
    Name       *names;
    TypeExpr   *type;
    const char *text;                    /* setting or block word, check or fail */
    const char *label;                   /* `stage pretrain {`: "pretrain" */
    Stmt       *body, *otherwise;
    Stmt       *next;
};

typedef struct Param_ ParamDecl;
struct Param_ {
    const char *name;
    TypeExpr   *type;                    /* NULL: a template */
    Expr       *value;                   /* default, or NULL */
    bool        after_semicolon;
    Place       place;
    ParamDecl  *next;
};

typedef struct FnDecl FnDecl;
struct FnDecl {
    const char *name;
    bool        module;
    ParamDecl  *params;
    TypeExpr   *results;                 /* linked; NULL: not declared */
    Stmt       *body;
    Place       place;
    const Ast  *file;
    FnDecl     *next;
};

typedef struct Import Import;
struct Import {
    const char *path;                    /* as written */
    const char *alias;                   /* or NULL */
    Expr       *args;
    const Ast  *file;
    Place       place;
    Import     *next;
};

struct Ast {
    const Source *source;
    Import *imports;
    FnDecl *fns;
    Stmt   *items;                       /* file-level param, state, const, settings (`ptm 1`) and blocks, in order */
};

#endif
