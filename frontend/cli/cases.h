/* An entry of `ptm compile` and its cases: the sets of values of its dimensions. */
#ifndef PTM_CLI_CASES_H
#define PTM_CLI_CASES_H

#include "frontend/cli/session.h"

typedef struct Cases {
    const char *entry;
    int         inputs;
    Type       *types;                   /* of the inputs, in the symbols of the signature */
    Vec(const char *) symbols;
    int         count;
    int64_t   **values;                  /* of the symbols, by case */
    Graph     **graphs;                  /* by case */
} Cases;

/* Reads --dim for fns of the model: all of them before one is elaborated, since that gives symbols their values. False
 * after saying which dimensions lack a value, or which name no entry has. */
bool cases_open(Session *s, const char *const *entries, int count, Cases *out);
bool cases_elaborate(Session *s, Cases *cases, int count);

#endif
