/* What an expression is while a program is elaborated. Everything but tensors is gone afterwards. */
#ifndef PTM_VALUE_H
#define PTM_VALUE_H

#include "frontend/ast.h"

typedef enum ValueKind {
    VALUE_error,     /* reported already: whatever is done with it stays silent */
    VALUE_none,
    VALUE_bool,      /* truth */
    VALUE_number,    /* number, or dim where it depends on a symbol */
    VALUE_string,    /* text */
    VALUE_list,      /* list */
    VALUE_function,  /* function: a fn, module or primitive, with the arguments given so far */
    VALUE_tensor,    /* node */
    VALUE_instance,  /* text: the path of a label */
    VALUE_host,      /* host: text, ids, tokenizers, streams */
    VALUE_unknown    /* a constant of `data` while data is not evaluated; text: its name. As a number: the symbol of
                        that name */
} ValueKind;

typedef struct Value Value;
typedef struct Function Function;

typedef struct List {
    const Value *at;
    int          count;
} List;

struct Value {
    ValueKind   kind;
    bool        truth;
    bool        real;                    /* of a number: written with a point or exponent, or made from such a one */
    double      number;                  /* whole numbers are exact to 2^53 */
    const Dim  *dim;                     /* of a number: never a literal; NULL when `number` holds the value */
    union {
        const char      *text;
        List             list;
        const Function  *function;
        Node            *node;
        const HostValue *host;
    };
};

/* An argument of a call, evaluated. */
typedef struct Argument {
    const char *keyword;                 /* or NULL */
    Value       value;
    Place       place;
} Argument;

struct File;
struct Builtin;

struct Function {
    const FnDecl         *fn;            /* or NULL */
    struct File          *file;          /* that fn stands in */
    const struct Builtin *builtin;       /* when fn is NULL */
    const Argument       *args;          /* given so far */
    int                   arg_count;
};

Value value_error(void);
Value value_none(void);
Value value_bool(bool truth);
Value value_number(double number);
Value value_dim(const Dim *dim);         /* a literal becomes a plain number */
Value value_string(const char *text);
Value value_list(const Value *at, int count);
Value value_tensor(Node *node);
Value value_host(const HostValue *host);

/* Whether it is a number without symbols and without a fraction. */
bool value_is_whole(const Value *v, int64_t *out);

/* For messages: "f32[B, T]", "the number 3", "a string". */
const char *value_text(Arena *arena, const Value *v);

#endif
