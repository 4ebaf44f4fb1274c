/* Replacing a file: what is written goes beside it, is flushed to the disk and renamed over it, so that there is the
 * old file or the new one, whole. Where there is something other than a file, a pipe or a device, it is written to as
 * it is, and so is standard output, "-". Allocates nothing. */
#ifndef PTM_RUNTIME_REPLACE_H
#define PTM_RUNTIME_REPLACE_H

#include "runtime/text/tokenizer.h"

enum { REPLACE_PATH_BYTES = 4096 };

typedef struct Replacement {
    char path[REPLACE_PATH_BYTES], part[REPLACE_PATH_BYTES];         /* part "": written in place */
    int  fd, error;                      /* error: the errno of the first call that failed; 0: none yet */
} Replacement;

bool replace_begin(Replacement *r, const char *path, RtError *e);
void replace_write(Replacement *r, const char *bytes, int64_t size);         /* replace_end reports what went wrong */
bool replace_end(Replacement *r, RtError *e);                /* after a failure, the old file is as it was */

#endif
