/* The grammar, as the language reference (README.md) shows it; precedence is in the table of %left and %right.
 * Everything is allocated in the arena, so nothing needs a destructor. An error ends its statement: layout.c finds
 * the next one. */
%require "3.8"
%define api.pure full
%define api.token.prefix {T_}
%define api.location.type {Place}
%define parse.error custom
%define parse.lac full
%locations
%param { Parser *p }

%code requires {
#include "frontend/parser.h"
}

%code {
#include "frontend/layout.h"

static int yylex(YYSTYPE *value, Place *place, Parser *p)
{
    return layout_next(value, place, p);
}

/* Only for what yyreport_syntax_error does not see: the parser's stack is full. */
static void yyerror(const Place *place, Parser *p, const char *message)
{
    (void)message;
    complain(p, *place, "this is nested too deeply to be read");
    p->stopped = true;
}

/* A rule's place is its first symbol's, up to the end of the line's last. */
#define YYLLOC_DEFAULT(all, rhs, n) \
    ((all) = (n) ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0))

#define RECOVER(inside) \
    do { \
        if (p->stopped || ((inside) && yychar == T_YYEOF)) \
            YYABORT; \
        if (layout_recover(p, yychar, inside)) \
            yyclearin; \
        yyerrok; \
    } while (0)
}

%union {
    const char *text;
    Number      number;
    Expr       *expr;
    ExprList    exprs;
    Stmt       *stmt;
    StmtList    stmts;
    NameList    names;
    DimExpr    *dim;
    DimList     dims;
    TypeExpr   *type;
    TypeList    types;
    ParamDecl  *param;
    ParamList   params;
    IfChain     chain;
    bool        flag;
}

%token YYEOF 0 "the end of the file"
%token NL "the end of the line"
%token <text> NAME "a name" STRING "a string"
%token <number> INT "a whole number" FLOAT "a number"
/* The reserved words stand in one run, from IMPORT to NONE: complain.c asks for the range. */
%token IMPORT "import" AS "as" FN "fn" MODULE "module" PARAM "param" STATE "state" CONST "const"
%token UPDATE "update" RESET "reset" EMIT "emit" RETURN "return" FOR "for" IN "in" IF "if" ELSE "else"
%token SCAN "scan" CARRYING "carrying" UNTIL "until"
%token SHARE "share" OR "or" AND "and" NOT "not" TRUE "true" FALSE "false" NONE "none"
%token ARROW "->" DOTS ".." ADD_TO "+=" LE "<=" GE ">=" EQ "==" NE "!=" FLOOR_DIV "//"

%nonassoc ".."
%left "or"
%left "and"
%precedence "not"
%nonassoc '<' '>' "<=" ">=" "==" "!="
%left '+' '-'
%left '*' '/' "//" '%' '@'
%precedence NEGATE
%right '^'

%type <text> alias
%type <exprs> import_args args args_opt elems lelems lelems_opt subs targets sources strings rhs
%type <expr> arg elem lelem sub expr expr_opt post target value_opt scan until_opt
%type <stmt> stmt store item
%type <stmts> body stmts block items const cbinds
%type <names> names carrying_opt
%type <dim> dim
%type <dims> dims
%type <type> type
%type <types> types results
%type <param> par
%type <params> plist plist_opt statics_opt
%type <chain> if_chain iif_chain
%type <stmt> if iif
%type <flag> fn_word store_word

%%

file: %empty
    | tops nl_opt
    ;
nl_opt: %empty | NL ;
tops: top
    | tops NL top
    ;
top: "import" STRING alias import_args
                                    { ast_add_import(p, $2, $3, $4, @2); }
    | store                         { ast_add_items(p, $1); }
    | item                          { ast_add_items(p, $1); }
    | const                         { ast_add_items(p, $1.first); }
    | fn_word NAME '(' plist_opt statics_opt ')' results body
                                    { ast_add_fn(p, $1, $2, $4, $5, $7, $8, @2); }
    | fn_word error body            { p->any = true; }
    | error                         { RECOVER(false); }
    ;
alias: %empty                       { $$ = NULL; }
    | "as" NAME                     { $$ = $2; }
    ;
import_args: %empty                 { $$ = (ExprList){ 0 }; }
    | '(' args_opt ')'              { $$ = $2; }
    ;
fn_word: "fn"                       { $$ = false; }
    | "module"                      { $$ = true; }
    ;

/* Parameters: tensors; then, behind a semicolon, statics. */
plist_opt: %empty                   { $$ = (ParamList){ 0 }; }
    | plist
    ;
statics_opt: %empty                 { $$ = (ParamList){ 0 }; }
    | ';' plist                     { $$ = $2; }
    ;
plist: par                          { $$ = param_list((ParamList){ 0 }, $1); }
    | plist ',' par                 { $$ = param_list($1, $3); }
    ;
par: NAME value_opt                 { $$ = param_new(p, $1, NULL, $2, @1); }
    | NAME ':' type value_opt       { $$ = param_new(p, $1, $3, $4, @1); }
    ;
value_opt: %empty                   { $$ = NULL; }
    | '=' expr                      { $$ = $2; }
    ;
results: %empty                     { $$ = (TypeList){ 0 }; }
    | "->" type                     { $$ = type_list((TypeList){ 0 }, $2); }
    | "->" '(' types ')'            { $$ = $3; }
    ;
types: type                         { $$ = type_list((TypeList){ 0 }, $1); }
    | types ',' type                { $$ = type_list($1, $3); }
    ;
type: NAME                          { $$ = type_new(p, $1, (DimList){ 0 }, false, @1); }
    | NAME '[' dims ']'             { $$ = type_new(p, $1, $3, true, @1); }
    ;
dims: dim                           { $$ = dim_list((DimList){ 0 }, $1); }
    | dims ',' dim                  { $$ = dim_list($1, $3); }
    ;
dim: expr                           { $$ = dim_new(p, DIMEXPR_value, $1, NULL, $1->place); }
    | ".." NAME                     { $$ = dim_new(p, DIMEXPR_rank, NULL, $2, @2); }
    | '*'                           { $$ = dim_new(p, DIMEXPR_ragged, NULL, NULL, @1); }
    ;
store: store_word names ':' type value_opt
                                    { $$ = stmt_store(p, $1 ? STMT_state : STMT_param, $2, $4, $5, @1); }
    ;
store_word: "param"                 { $$ = false; }
    | "state"                       { $$ = true; }
    ;
names: NAME                         { $$ = name_list(p, (NameList){ 0 }, $1, @1); }
    | names ',' NAME                { $$ = name_list(p, $1, $3, @3); }
    ;

/* Statements of a fn or module. */
body: '{' '}'                       { $$ = (StmtList){ 0 }; }
    | '{' stmts nl_opt '}'          { $$ = $2; }
    ;
stmts: stmt                         { $$ = stmt_list((StmtList){ 0 }, $1); }
    | stmts NL stmt                 { $$ = stmt_list($1, $3); }
    ;
stmt: targets '=' rhs               { $$ = stmt_assign(p, STMT_assign, $1.first, $3, false, @2); }
    | target "+=" expr              { $$ = stmt_assign(p, STMT_add, $1, expr_list((ExprList){ 0 }, $3), true, @2); }
    | NAME ':' type '=' rhs         { $$ = stmt_local(p, $1, $3, $5, @1); }
    | "update" targets '=' rhs      { $$ = stmt_assign(p, STMT_update, $2.first, $4, false, @1); }
    | "update" target "+=" expr     { $$ = stmt_assign(p, STMT_update, $2, expr_list((ExprList){ 0 }, $4), true, @1); }
    | "reset" targets               { $$ = stmt_new(p, STMT_reset, $2, (ExprList){ 0 }, @1); }
    | store
    | scan                          { $$ = stmt_new(p, STMT_scan, (ExprList){ 0 }, (ExprList){ $1, $1 }, @1); }
    | "emit" elems                  { $$ = stmt_new(p, STMT_emit, (ExprList){ 0 }, $2, @1); }
    | NAME '(' args_opt ')'         { $$ = stmt_check(p, $1, $3, @1); }
    | "return" rhs                  { $$ = stmt_new(p, STMT_return, (ExprList){ 0 }, $2, @1); }
    | "for" names "in" expr body    { $$ = stmt_for(p, $2, $4, $5, @1); }
    | if
    | error                         { RECOVER(true); $$ = NULL; }
    ;
if: if_chain                        { $$ = if_end($1, (StmtList){ 0 }); }
    | if_chain "else" body          { $$ = if_end($1, $3); }
    ;
if_chain: "if" expr body            { $$ = if_chain(p, (IfChain){ 0 }, $2, $3, @1); }
    | if_chain "else" "if" expr body
                                    { $$ = if_chain(p, $1, $4, $5, @3); }
    ;
scan: "scan" names "in" sources carrying_opt until_opt body
                                    { $$ = expr_scan(p, $2, $4, $5, $6, $7, @1); }
    ;
sources: expr                       { $$ = expr_list((ExprList){ 0 }, $1); }
    | sources ',' expr              { $$ = expr_list($1, $3); }
    ;
carrying_opt: %empty                { $$ = (NameList){ 0 }; }
    | "carrying" names              { $$ = $2; }
    ;
until_opt: %empty                   { $$ = NULL; }
    | "until" expr                  { $$ = $2; }
    ;
targets: target                     { $$ = expr_list((ExprList){ 0 }, $1); }
    | targets ',' target            { $$ = expr_list($1, $3); }
    ;
target: NAME                        { $$ = expr_leaf(p, EXPR_name, $1, @1); }
    | target '[' subs ']'           { $$ = expr_group(p, EXPR_index, $1, $3, @1); }
    | target '.' NAME               { $$ = expr_member(p, $1, $3, @3); }
    ;
rhs: elems
    | scan                          { $$ = expr_list((ExprList){ 0 }, $1); }
    ;
elems: elem                         { $$ = expr_list((ExprList){ 0 }, $1); }
    | elems ',' elem                { $$ = expr_list($1, $3); }
    ;
elem: expr
    | expr ':' expr                 { $$ = expr_label(p, false, $1, $3, $1->place); }
    | "share" expr ':' expr         { $$ = expr_label(p, true, $2, $4, $2->place); }
    ;

/* Lines of a block: data, train, stage x, weights x. */
block: '{' '}'                      { $$ = (StmtList){ 0 }; }
    | '{' items nl_opt '}'          { $$ = $2; }
    ;
items: item                         { $$ = stmt_list((StmtList){ 0 }, $1); }
    | const
    | items NL item                 { $$ = stmt_list($1, $3); }
    | items NL const                { $$ = stmt_list($1, $3.first); }
    | error                         { RECOVER(true); $$ = (StmtList){ 0 }; }
    | items NL error                { RECOVER(true); $$ = $1; }
    ;
item: names '=' rhs                 { $$ = stmt_assign(p, STMT_assign, expr_names(p, $1), $3, false, @2); }
    | strings '=' rhs               { $$ = stmt_assign(p, STMT_map, $1.first, $3, false, @2); }
    | NAME args                     { $$ = stmt_setting(p, $1, $2, @1); }
    | NAME block                    { $$ = stmt_block(p, $1, NULL, $2, @1); }
    | NAME NAME block               { $$ = stmt_block(p, $1, $2, $3, @1); }
    | "for" names "in" expr block   { $$ = stmt_for(p, $2, $4, $5, @1); }
    | iif
    ;
iif: iif_chain                      { $$ = if_end($1, (StmtList){ 0 }); }
    | iif_chain "else" block        { $$ = if_end($1, $3); }
    ;
iif_chain: "if" expr block          { $$ = if_chain(p, (IfChain){ 0 }, $2, $3, @1); }
    | iif_chain "else" "if" expr block
                                    { $$ = if_chain(p, $1, $4, $5, @3); }
    ;
const: "const" cbinds               { $$ = $2; }
    ;
cbinds: names '=' elem              { $$ = stmt_list((StmtList){ 0 }, stmt_const(p, $1, $3, @1)); }
    | cbinds ',' names '=' elem     { $$ = stmt_list($1, stmt_const(p, $3, $5, @3)); }
    ;
strings: STRING                     { $$ = expr_list((ExprList){ 0 }, expr_leaf(p, EXPR_string, $1, @1)); }
    | strings ',' STRING            { $$ = expr_list($1, expr_leaf(p, EXPR_string, $3, @3)); }
    ;

expr: post
    | expr ".." expr                { $$ = expr_binary(p, OPERATOR_range, $1, $3, @2); }
    | expr "or" expr                { $$ = expr_binary(p, OPERATOR_or, $1, $3, @2); }
    | expr "and" expr               { $$ = expr_binary(p, OPERATOR_and, $1, $3, @2); }
    | expr '<' expr                 { $$ = expr_binary(p, OPERATOR_lt, $1, $3, @2); }
    | expr '>' expr                 { $$ = expr_binary(p, OPERATOR_gt, $1, $3, @2); }
    | expr "<=" expr                { $$ = expr_binary(p, OPERATOR_le, $1, $3, @2); }
    | expr ">=" expr                { $$ = expr_binary(p, OPERATOR_ge, $1, $3, @2); }
    | expr "==" expr                { $$ = expr_binary(p, OPERATOR_eq, $1, $3, @2); }
    | expr "!=" expr                { $$ = expr_binary(p, OPERATOR_ne, $1, $3, @2); }
    | expr '+' expr                 { $$ = expr_binary(p, OPERATOR_add, $1, $3, @2); }
    | expr '-' expr                 { $$ = expr_binary(p, OPERATOR_sub, $1, $3, @2); }
    | expr '*' expr                 { $$ = expr_binary(p, OPERATOR_mul, $1, $3, @2); }
    | expr '/' expr                 { $$ = expr_binary(p, OPERATOR_div, $1, $3, @2); }
    | expr "//" expr                { $$ = expr_binary(p, OPERATOR_floordiv, $1, $3, @2); }
    | expr '%' expr                 { $$ = expr_binary(p, OPERATOR_mod, $1, $3, @2); }
    | expr '@' expr                 { $$ = expr_binary(p, OPERATOR_matmul, $1, $3, @2); }
    | expr '^' expr                 { $$ = expr_binary(p, OPERATOR_pow, $1, $3, @2); }
    | "not" expr                    { $$ = expr_unary(p, OPERATOR_not, $2, @1); }
    | '-' expr %prec NEGATE         { $$ = expr_unary(p, OPERATOR_negate, $2, @1); }
    ;
post: NAME                          { $$ = expr_leaf(p, EXPR_name, $1, @1); }
    | INT                           { $$ = expr_number(p, EXPR_int, $1, @1); }
    | FLOAT                         { $$ = expr_number(p, EXPR_float, $1, @1); }
    | STRING                        { $$ = expr_leaf(p, EXPR_string, $1, @1); }
    | "true"                        { $$ = expr_leaf(p, EXPR_true, NULL, @1); }
    | "false"                       { $$ = expr_leaf(p, EXPR_false, NULL, @1); }
    | "none"                        { $$ = expr_leaf(p, EXPR_none, NULL, @1); }
    | '(' elem ')'                  { $$ = $2; }
    | '[' lelems_opt ']'            { $$ = expr_group(p, EXPR_list, NULL, $2, @1); }
    | post '(' args_opt ')'         { $$ = expr_group(p, EXPR_call, $1, $3, $1->place); }
    | post '[' subs ']'             { $$ = expr_group(p, EXPR_index, $1, $3, $1->place); }
    | post '.' NAME                 { $$ = expr_member(p, $1, $3, @3); }
    ;
lelems_opt: %empty                  { $$ = (ExprList){ 0 }; }
    | lelems
    ;
lelems: lelem                       { $$ = expr_list((ExprList){ 0 }, $1); }
    | lelems ',' lelem              { $$ = expr_list($1, $3); }
    ;
lelem: elem
    | ".." expr                     { $$ = expr_spread(p, $2, @1); }
    ;
args_opt: %empty                    { $$ = (ExprList){ 0 }; }
    | args
    ;
args: arg                           { $$ = expr_list((ExprList){ 0 }, $1); }
    | args ',' arg                  { $$ = expr_list($1, $3); }
    ;
arg: elem
    | NAME '=' expr                 { $$ = $3; $$->keyword = $1; $$->keyword_place = @1; }
    ;
subs: sub                           { $$ = expr_list((ExprList){ 0 }, $1); }
    | subs ',' sub                  { $$ = expr_list($1, $3); }
    ;
sub: expr
    | ".."                          { $$ = expr_leaf(p, EXPR_ellipsis, NULL, @1); }
    | expr_opt ':' expr_opt         { $$ = expr_slice(p, $1, $3, NULL, @2); }
    | expr_opt ':' expr_opt ':' expr_opt
                                    { $$ = expr_slice(p, $1, $3, $5, @2); }
    ;
expr_opt: %empty                    { $$ = NULL; }
    | expr
    ;

%%

const char *reserved_word(int i)
{
    return i <= YYSYMBOL_NONE - YYSYMBOL_IMPORT ? yysymbol_name(YYSYMBOL_IMPORT + i) : NULL;
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p)
{
    yysymbol_kind_t kinds[YYNTOKENS];
    const char *expected[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
    for (int i = 0; i < count; i++) {
        const char *name = yysymbol_name(kinds[i]);          /* Bison's '+' has its quotes in it */
        expected[i] = name[0] == '\'' ? arena_print(p->arena, "%c", name[1]) : name;
    }
    complain_syntax(p, expected, count < 0 ? 0 : count);
    return 0;
}
