/* The arena put to the proof: every program of a run works through one batch on blocks of exactly the bytes that the
 * certificate says. */
#ifndef PTM_CLI_PROVE_H
#define PTM_CLI_PROVE_H

#include "frontend/cli/run.h"

/* For every program of training and evaluation, once with the blocks right behind a guard page and once right before
 * one, the work painted in two colours:
 *   - no byte outside of the blocks is touched, or the process ends with a message;
 *   - every byte of work that the plan gives to a value is written, and no other: those are listed as padding;
 *   - of parameters, states, sums and tables exactly the pages are touched that hold what the program reads or updates;
 *   - the results are the same both times, so nothing depends on what lay there before.
 * Prints a line for each. False after saying what is wrong. */
bool prove_memory(FILE *out, const Run *r);

#endif
