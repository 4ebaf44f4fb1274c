/* Texts of the command line's files. */
#include "frontend/cli/lines.h"
#include "runtime/data/bytes.h"

#include <string.h>

bool text_read(Arena *arena, const char *path, RtText *out, RtError *e)
{
    FileBytes in;
    if (!bytes_open(&in, path, e)) return false;
    char *bytes = arena_alloc(arena, (size_t)in.size + 1);
    bool good = bytes_read(&in, 0, bytes, in.size, e);
    *out = (RtText){ bytes, in.size };
    bytes_close(&in);
    return good;
}

Texts text_lines(Arena *arena, RtText text)
{
    Texts lines = { 0 };
    const char *end = text.bytes + text.size;
    for (const char *at = text.bytes; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        RtText line = { at, (stop ? stop : end) - at };
        if (line.size && line.bytes[line.size - 1] == '\r') line.size--;
        vec_push(arena, &lines, line);
        at = stop ? stop + 1 : end;
    }
    return lines;
}
