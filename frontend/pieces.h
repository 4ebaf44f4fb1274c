/* A file as its author wrote it, for the formatter: every token and comment with what the layout of the text depends
 * on. Private to pieces.c and format.c. */
#ifndef PTM_PIECES_H
#define PTM_PIECES_H

#include "frontend/layout.h"

enum { PIECE_comment = -1 };             /* a kind beside those of tokens */

/* What a bracket encloses. */
typedef enum Role {
    ROLE_none,
    ROLE_call,       /* ( behind what is called, and of a fn's head */
    ROLE_group,      /* any other ( */
    ROLE_list,       /* [ of a list */
    ROLE_index,      /* [ of subscripts */
    ROLE_type,       /* [ of a type */
    ROLE_block,      /* { of lines: data, train, stage … */
    ROLE_body        /* { of statements */
} Role;

typedef struct Piece {
    int         kind;                    /* of the token, or PIECE_comment */
    const char *text;                    /* in the source; `length` bytes */
    int         length, width;           /* width: columns it takes */
    uint32_t    line, column;            /* where the author put it */
    bool        first;                   /* begins a statement; of a comment: one may begin here */
    bool        binary;                  /* an operator with an operand on its left */
    bool        hugs_left, hugs_right;   /* wants no space on this side */
    bool        setting;                 /* the word of `clip 1.0`, in front of its arguments */
    Role        role;
    int         parent;                  /* the bracket around it; -1: none. Of a bracket: around the pair */
    int         partner;                 /* of a bracket: the other one */
    int         nesting;                 /* brackets around it, those of types and subscripts counted several times */
    int         longest;                 /* of a {: the width of its longest setting word */
    /* format.c: */
    bool        flat;                    /* of a {: its block stands in one line */
    bool        breaks, blank;           /* begins a line; stands below a blank line */
    int         at;                      /* column, from 0 */
    int         content, close;          /* of a bracket: the indent of lines inside it, and of its partner's line */
} Piece;

typedef struct Pieces {
    Piece *at;
    int    count, capacity;
} Pieces;

/* The source has no syntax errors. `;` between statements is no piece: what follows is `first`. */
Pieces pieces_read(Arena *arena, const Source *source);

#endif
