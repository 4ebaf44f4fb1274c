/* The bytes of a binary file, at any offset. A pipe is read to its end first, since it has no offsets. */
#ifndef PTM_RUNTIME_BYTES_H
#define PTM_RUNTIME_BYTES_H

#include "runtime/text/tokenizer.h"

typedef struct FileBytes {
    const char *path;                    /* for messages; borrowed */
    int         fd;                      /* -1: closed */
    char       *held;                    /* all of it, of a pipe; NULL: read from fd */
    int64_t     size;
} FileBytes;

/* "-" is standard input. False after an error that names the file; nothing is then open. */
bool bytes_open(FileBytes *b, const char *path, RtError *e);
void bytes_close(FileBytes *b);

/* Exactly `size` bytes from `offset` on; an error names file and offset. */
bool bytes_read(const FileBytes *b, int64_t offset, void *out, int64_t size, RtError *e);

#endif
