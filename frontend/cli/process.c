/* The time and the memory of the process. Compiling is over when the latter is asked, so what the program, its
 * libraries, the compiler and the data take is measured; what the arena adds when it is used first is known; OpenBLAS's
 * packing buffers are told from its block sizes. */
#include "frontend/cli/certificate.h"
#include "frontend/cli/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of a thread's packing buffer: the panels of A and B of our largest tile, 640 x 384 and 384 x 768 floats. */
enum { PACKING_BYTES = 4 * 384 * (640 + 768) };

/* "VmRSS" or "VmHWM" in bytes; -1 where the system does not say. */
static int64_t status_bytes(const char *name)
{
    char line[256];
    long long kib = -1;
    size_t length = strlen(name);
    FILE *in = fopen("/proc/self/status", "r");
    while (in && kib < 0 && fgets(line, sizeof line, in))
        if (!strncmp(line, name, length) && line[length] == ':') sscanf(line + length + 1, "%lld", &kib);
    if (in) fclose(in);
    return kib < 0 ? -1 : (int64_t)kib * 1024;
}

/* The system counts them in hundredths: the value of the 22nd field of the line, of which the second is a name in
 * parentheses. */
double process_seconds(void)
{
    enum { FIRST = 3, BEGAN = 22 };
    char line[1024];
    struct timespec now;
    FILE *in = fopen("/proc/self/stat", "r");
    char *at = in && fgets(line, sizeof line, in) ? strrchr(line, ')') : NULL;
    if (in) fclose(in);
    for (int field = FIRST; at && field <= BEGAN; field++) at = strchr(at + 1, ' ');
    if (!at || clock_gettime(CLOCK_BOOTTIME, &now)) return -1;
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - strtod(at, NULL) / (double)sysconf(_SC_CLK_TCK);
}

static int64_t code_bytes(const Run *r)
{
    int64_t bytes = 0;
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->trains[i].count; v++)
            if (r->trains[i].builds[v].code) bytes += code_statistics(r->trains[i].builds[v].code).code_bytes;
    return bytes;
}

int64_t process_print(FILE *out, const Run *r)
{
    int64_t now = status_bytes("VmRSS"), most = status_bytes("VmHWM");
    int64_t arena = run_needs(r).arena, filled = r->layout->bytes[MEMORY_param] + r->layout->bytes[MEMORY_const];
    int64_t data = rt_data_bytes(host_data_runtime(r->s->data)), code = code_bytes(r);
    bool library = build_blas(r->s->options) == BLAS_openblas;
    int64_t packing = library ? (int64_t)rt_pool_threads(r->pool) * PACKING_BYTES : 0;
    int64_t total = now + arena - filled + packing;
    if (now < 0) return -1;
    if (total < most) total = most;
    fputs("memory of the process\n", out);
    certificate_line(out, "arena", arena, "");
    certificate_line(out, "data", data, "");
    certificate_line(out, "code", code, "");
    if (library) certificate_line(out, "library buffers", packing, "  (OpenBLAS packs operands)");
    certificate_line(out, "program and compiler", now - filled - data - code, "  (measured, with their libraries)");
    certificate_line(out, "in all", total, most > now + arena - filled + packing ? "  (reached by now)" : "");
    return total;
}

void process_compare(FILE *out, int64_t promised)
{
    Arena *arena = arena_new();
    int64_t most = status_bytes("VmHWM");
    if (most >= 0 && promised >= 0)
        fprintf(out, "peak resident memory %s, of %s promised\n", certificate_amount(arena, most),
                certificate_amount(arena, promised));
    arena_free(arena);
}
