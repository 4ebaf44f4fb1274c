/* Source files, places in them, and the diagnostics that point there. Every node, kernel, tensor and message
 * leads back to a Place. */
#ifndef PTM_SOURCE_H
#define PTM_SOURCE_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Source {
    const char *path;                  /* as the user named it; "prelude/nn.ptm" for built-in files */
    const char *text;                  /* zero-terminated */
    size_t      size;
    bool        builtin;               /* belongs to the prelude: call chains end their visible part here */
} Source;

/* line and column count from 1; column counts bytes; length is the caret's width (at least 1). line 0: no place. */
typedef struct Place {
    const Source *source;
    uint32_t line, column, length;
} Place;

/* Where a value came from: the innermost place first, then the calls that led there. Immutable, shared. */
typedef struct Origin Origin;
struct Origin {
    Place         place;
    const char   *callee;              /* name of the fn or module that `place` stands in, or NULL at file level */
    const char   *path;                /* label path, such as "h.0.attn"; "" at the root */
    const Origin *caller;              /* the call, or NULL */
};

typedef struct Diagnostics Diagnostics;

Diagnostics *diag_new(Arena *arena);
/* Each call adds one message. Notes belong to the latest error or warning. Messages repeat neither place nor
 * "error:". */
void diag_error(Diagnostics *d, Place place, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_warning(Diagnostics *d, Place place, const char *format, ...) __attribute__((format(printf, 3, 4)));
void diag_note(Diagnostics *d, Place place, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Adds "in call of X" notes for every caller of an origin; calls inside the prelude are left out. */
void diag_chain(Diagnostics *d, const Origin *origin);
int  diag_error_count(const Diagnostics *d);
int  diag_warning_count(const Diagnostics *d);
/* Prints in the order of (file, line, column): `path:line:column: error: text`, the source line, and a caret line. An
 * identical message at the same place is printed once. */
void diag_print(const Diagnostics *d, FILE *out);

/* The candidate nearest to `name` but not the same (Damerau-Levenshtein, at most a third of its length away, one more
 * where a name of four letters or more begins with the same two), or NULL. */
const char *suggest(const char *name, const char *const *candidates, int count);

#endif
