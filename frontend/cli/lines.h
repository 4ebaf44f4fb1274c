/* A text file, whole or by its lines. */
#ifndef PTM_CLI_LINES_H
#define PTM_CLI_LINES_H

#include "ir/base/arena.h"
#include "runtime/text/tokenizer.h"

typedef Vec(RtText) Texts;

/* All bytes of a file; "-" is standard input. False after an error that names it. */
bool text_read(Arena *arena, const char *path, RtText *out, RtError *e);

/* Its lines, without what ends them: LF, or CR LF. The last one may do without. */
Texts text_lines(Arena *arena, RtText text);

#endif
