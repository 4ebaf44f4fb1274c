/* The state of reading a graph's text, shared by ir/read.c (lines) and ir/read_token.c (words, numbers, lists,
 * origins). */
#ifndef PTM_READER_H
#define PTM_READER_H

#include "ir/graph.h"

typedef struct Reader {
    Arena        *arena;
    const Source *source;
    Diagnostics  *diagnostics;
    Graph        *graph;
    Map          *nodes;                 /* "%12" -> Node, or `broken` after an error in its line */
    Node         *broken;
    Map          *sources;               /* path in an origin -> Source */
    const char   *at;                    /* never past the end of the line */
    const char   *line_start;
    uint32_t      line;
    const char   *next;                  /* where the next line begins */
    uint32_t      lines;                 /* before it */
    int           depth;                 /* bodies around this line */
    int           most_errors;           /* then reading stops */
} Reader;

/* Reports at the place `at` of the current line; returns false. */
bool reader_fail(Reader *r, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

void reader_skip(Reader *r);
bool reader_at_end(Reader *r);             /* after blanks */
bool reader_accept(Reader *r, const char *token);
bool reader_expect(Reader *r, const char *token);

/* Each of these reports and returns false or NULL when the text is something else. */
const char *reader_word(Reader *r, const char *what);          /* text_is_word_char */
const char *reader_string(Reader *r);                          /* a quoted text */
const char *reader_name(Reader *r, const char *what);          /* a word or a quoted text */
bool reader_integer(Reader *r, int64_t *value);
const Dim *reader_dim(Reader *r);
bool reader_type(Reader *r, Type *type);

/* origins = "@" origin { ";" origin } .  origin = place [ name ] { "<" place } .  place = "-" | name ":" INT ":" INT .
 */
bool reader_origins(Reader *r, Node *holder);                  /* sets holder's origins; none when there is no "@" */

#endif
