/* Fuzzes what is read back from the directory of a run: run.json (a record, or a reason why it is none; a record that
 * is written says the same when it is read again) and metrics.jsonl (what stays is a beginning of whole lines, and
 * opening it again cuts nothing more). The first byte says which, and up to which step lines stay. */
#include "frontend/cli/record.h"
#include "runtime/train/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One for the whole process; in memory where the system has such a place. */
static const char *directory(void)
{
    static char path[64];
    if (*path) return path;
    strcpy(path, access("/dev/shm", W_OK) ? "/tmp/ptm-fuzz-XXXXXX" : "/dev/shm/ptm-fuzz-XXXXXX");
    if (!mkdtemp(path)) abort();
    return path;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *out = fopen(path, "w");
    if (!out || (size && fwrite(bytes, size, 1, out) != 1) || fclose(out) != 0) abort();
}

static const Record *reread(Arena *arena, const char *text)
{
    const char *why = NULL;
    write_file(arena_print(arena, "%s/run.json", directory()), text, strlen(text));
    const Record *record = record_read(arena, directory(), &why);
    if (!record) fprintf(stderr, "written, but refused: %s\n%s\n", why, text);
    return record;
}

static void check_record(Arena *arena, const uint8_t *data, size_t size)
{
    const char *why = NULL;
    write_file(arena_print(arena, "%s/run.json", directory()), data, size);
    const Record *record = record_read(arena, directory(), &why);
    if ((record == NULL) == (why == NULL)) abort();
    if (!record) return;
    const char *once = record_text(arena, record);
    const Record *again = reread(arena, once);
    if (!again || strcmp(once, record_text(arena, again))) abort();
}

/* The file's bytes, in the arena. */
static const char *content(Arena *arena, const char *path, size_t *size)
{
    FILE *in = fopen(path, "r");
    if (!in || fseek(in, 0, SEEK_END) != 0) abort();
    *size = (size_t)ftell(in);
    rewind(in);
    char *bytes = arena_alloc(arena, *size + 1);
    if (*size && fread(bytes, *size, 1, in) != 1) abort();
    fclose(in);
    return bytes;
}

static const char *opened(Arena *arena, const char *path, int64_t keep_step, size_t *size)
{
    Metrics m;
    RtError e = { { 0 } };
    if (!metrics_open(&m, path, keep_step, 1000, &e)) abort();
    metrics_close(&m);
    return content(arena, path, size);
}

static void check_metrics(Arena *arena, const uint8_t *data, size_t size, int64_t keep_step)
{
    size_t kept, again;
    const char *path = arena_print(arena, "%s/metrics.jsonl", directory());
    write_file(path, data, size);
    const char *text = opened(arena, path, keep_step, &kept);
    if (kept > size || (kept && memcmp(text, data, kept)) || (kept && text[kept - 1] != '\n')) abort();
    opened(arena, path, keep_step, &again);
    if (again != kept) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    if (size && data[0] & 1) check_record(arena, data + 1, size - 1);
    else if (size) check_metrics(arena, data + 1, size - 1, data[0] / 2 - 1);
    arena_free(arena);
    return 0;
}
