/* The token stream that the grammar reads. The scanner knows characters; layout decides which newlines end a
 * statement, keeps the open brackets, closes what a file forgot to close, and skips to the next statement after a
 * syntax error. */
#ifndef PTM_LAYOUT_H
#define PTM_LAYOUT_H

#include "frontend/parser.h"
#include "parse.h"

typedef struct Token {
    int     kind;
    YYSTYPE value;
    Place   place;
    bool    first_on_line;
    bool    invented;                    /* closes a bracket the file left open: nothing about it is reported */
} Token;

typedef struct Bracket {
    char  open;                          /* ( [ { */
    Place place;
    uint32_t indent;                     /* column of the first token of its line */
} Bracket;

struct Parser {
    Arena        *arena;
    const Source *source;
    Diagnostics  *d;
    Ast          *ast;                   /* being built */
    Import       *last_import;
    FnDecl       *last_fn;
    StmtList      items;
    bool          any;                   /* a declaration was read */
    int           errors;
    bool          stopped;               /* read no further, report no further */

    void    *scanner;
    uint32_t line, column;               /* of the next character */
    uint32_t scan_error_line;            /* of the latest error in a token */
    uint32_t indent;                     /* column of the first token of this line */
    bool     line_begun;                 /* a token stands on this line already */

    Bracket  brackets[BRACKET_LIMIT];
    int      depth;
    Place    doubtful;                   /* of a { whose } stands further left than its line: line 0 for none */
    Place    passed_over;                /* of the ( or [ that the latest } left open: line 0 for none */
    int      last_kind;                  /* of the last token from the scanner that was kept */
    Place    last_place;
    bool     skipping;                   /* a statement with an error is being left */
    bool     in_header;                  /* between `fn` and its body */
    bool     head_broken;                /* a syntax error was found there: go on with the body */
    bool     brace_missed;               /* a missing } was reported at the block that should have followed it */
    Token    pending[BRACKET_LIMIT + 8]; /* to be read before the scanner's, a queue */
    int      pending_first, pending_count;

    Token    current, previous;          /* what the grammar has in its hands */
    Token    earlier;                    /* what it had before them */
    Token    statement;                  /* the first token of the statement being read */
};

/* The grammar's yylex. */
int layout_next(YYSTYPE *value, Place *place, Parser *p);

/* After an error in a statement (inside braces or at file level): true when the grammar shall drop its lookahead. */
bool layout_recover(Parser *p, int lookahead, bool inside_braces);

/* Text that an unclosed string took with it: what it may have closed is not missed. */
void layout_swallowed(Parser *p, const char *text, size_t length);

/* Can a token of this kind be the last one of a statement? */
bool layout_ends_statement(int kind);

/* The innermost open bracket, or NULL. */
const Bracket *layout_open_bracket(const Parser *p);

/* The scanner (scan.l). */
int  scan_token(Token *token, Parser *p);
void scan_begin(Parser *p);
void scan_end(Parser *p);

/* Syntax errors (complain.c). Each counts; the first SYNTAX_ERROR_LIMIT are reported. complain_token is for the
 * scanner. */
void complain(Parser *p, Place place, const char *format, ...) __attribute__((format(printf, 3, 4)));
void complain_token(Parser *p, Place place, const char *format, ...) __attribute__((format(printf, 3, 4)));
void complain_syntax(Parser *p, const char *const *expected, int count);

#endif
