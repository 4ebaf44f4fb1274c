/* Where the results of an entry go: files of arrays, standard output, or a reader's eye. */
#ifndef PTM_CLI_RESULT_H
#define PTM_CLI_RESULT_H

#include "frontend/cli/session.h"
#include "runtime/data/tensor.h"

/* Whether --output asks for results that there are, each file for once. False after saying what does not fit. */
bool results_check(Session *s, const char *entry, const RtTensor *results, int count);

/* Writes them where --output says; without it, prints them, large ones in part. */
bool results_write(Session *s, const RtTensor *results, int count);

#endif
