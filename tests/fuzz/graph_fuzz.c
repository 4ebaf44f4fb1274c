/* Fuzzer of the graph reader: no text may crash it, and what it accepts prints, reads back identically and verifies. */
#include "ir/graph.h"

#include <stdlib.h>
#include <string.h>

static char *print(const Graph *g)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) abort();
    graph_print(g, out);
    fclose(out);
    return text;
}

static void check(Graph *g, Arena *arena)
{
    const char *why = graph_verify(g, arena);
    if (why) {
        fprintf(stderr, "accepted, but %s\n", why);
        abort();
    }
    char *text = print(g);
    Diagnostics *d = diag_new(arena);
    Source source = {.path = "printed", .text = text, .size = strlen(text)};
    Graph *again = graph_read(arena, &source, d);
    if (!again) {
        fprintf(stderr, "printed text is refused:\n%s", text);
        diag_print(d, stderr);
        abort();
    }
    char *second = print(again);
    if (strcmp(text, second)) {
        fprintf(stderr, "printed:\n%sand read back:\n%s", text, second);
        abort();
    }
    free(text);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new();
    Diagnostics *d = diag_new(arena);
    Source source = {.path = "fuzz", .text = arena_copy_text(arena, (const char *)data, size), .size = size};
    Graph *g = graph_read(arena, &source, d);
    if (g) check(g, arena);
    FILE *null = fopen("/dev/null", "w");
    if (!null) abort();
    diag_print(d, null);
    fclose(null);
    arena_free(arena);
    return 0;
}
