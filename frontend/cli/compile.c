/* ptm compile: functions of a model as an object file with a C header. */
#include "frontend/cli/header.h"
#include "runtime/train/replace.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Wanted {
    ExportForm  form;
    bool        shared;                  /* linked */
    ExportOptions options;
    const char *output, *header, *prefix;
} Wanted;

static int misuse(const char *format, const char *what)
{
    fputs("ptm compile: ", stderr);
    fprintf(stderr, format, what);
    fputs("\nusage: ptm compile MODEL.ptm [flags]   (ptm compile --help lists them)\n", stderr);
    return EXIT_MISUSE;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* dir/gpt-2.o: dir/gpt-2.h, and gpt_2 before every name. */
static void name_files(Arena *arena, const char *output, Wanted *out)
{
    const char *base = base_name(output), *dot = strrchr(base, '.');
    size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
    char *prefix = arena_print(arena, "%s%.*s", isdigit((unsigned char)*base) ? "_" : "", (int)length, base);
    for (char *c = prefix; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    out->output = output;
    out->header = arena_print(arena, "%.*s.h", (int)(base - output + (ptrdiff_t)length), output);
    out->prefix = prefix;
}

static bool is(const char *given, const char *word) { return given && !strcmp(given, word); }

static int read_options(const Options *o, Wanted *out)
{
    *out = (Wanted){ .options = { .triple = o->target, .cpu = o->cpu, .features = o->features } };
    if (!o->entries) return misuse("which functions? --entry %s is missing", "NAME[,NAME...]");
    if (!o->object) return misuse("where to? -o %s is missing", "FILE");
    if (is(o->object, "-")) return misuse("-o %s: an object and its header are two files", o->object);
    if (o->cpu && !strcmp(o->cpu, "native") && o->target)
        return misuse("--cpu native is %s", "no processor of another --target");
    if (!options_weights_are_read(o, o->entries && shipment_trains(o->entries))) return EXIT_MISUSE;
    if (o->weights && o->embed_weights) return misuse("give --weights or --embed-weights%s", "");
    out->form = is(o->form, "asm") ? FORM_asm : is(o->form, "llvm") ? FORM_llvm : FORM_obj;
    out->shared = is(o->form, "shared");
    out->options.pool = is(o->object_threads, "pool");
    out->options.blas = is(o->object_blas, "openblas") ? BLAS_openblas : BLAS_none;
    name_files(o->arena, o->object, out);
    if (!strcmp(out->header, out->output)) return misuse("-o %s is where the header goes: name the object", o->object);
    return EXIT_GOOD;
}

/* ---- files ---- */

/* Both files or none: what is written goes beside each, and a failure of either leaves what was there. */
static bool write_files(const Shipment *m, const Wanted *wanted, const char *bytes, int64_t size)
{
    Session *s = m->s;
    RtError error;
    Replacement object, header;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) return session_fail(s, "%s", strerror(errno)) && false;
    header_write(m, base_name(wanted->output), out);
    if (fclose(out)) return session_fail(s, "%s", strerror(errno)) && false;
    bool good = replace_begin(&object, wanted->output, &error);
    if (good && !replace_begin(&header, wanted->header, &error)) {
        object.error = EIO;
        RtError ignored;
        replace_end(&object, &ignored);
        good = false;
    } else if (good) {
        replace_write(&object, bytes, size);
        replace_write(&header, text, (int64_t)length);
        if (object.error) header.error = object.error;
        else object.error = header.error;
        RtError second;
        good = replace_end(&object, &error);
        if (!replace_end(&header, good ? &error : &second)) good = false;
    }
    free(text);
    if (!good) session_fail(s, "%s", error.text);
    return good;
}

/* ---- linking ---- */

/* The system's compiler, for the target; it alone knows how the system links. */
static const char *linker_name(Arena *arena, const char *triple)
{
    return triple ? arena_print(arena, "%s-gcc", triple) : "cc";
}

/* Waits for the linker. Its exit status, or 127 when there is none. */
static int run_linker(const char *linker, const char *from, const char *to)
{
    pid_t child = fork();
    if (child == 0) {
        execlp(linker, linker, "-shared", "-nostartfiles", "-o", to, from, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static char *read_all(const char *path, int64_t *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes = NULL;
    if (file && !fseek(file, 0, SEEK_END) && (*size = ftell(file)) >= 0 && !fseek(file, 0, SEEK_SET) &&
        (bytes = malloc((size_t)*size + 1)) && fread(bytes, 1, (size_t)*size, file) != (size_t)*size) {
        free(bytes);
        bytes = NULL;
    }
    if (file) fclose(file);
    return bytes;
}

/* The object in a file of the system's own, linked there. NULL after saying why not. */
static char *link_shared(const Shipment *m, const char *object, int64_t size, int64_t *linked_size)
{
    Session *s = m->s;
    const char *linker = linker_name(s->arena, s->options->target), *home = getenv("TMPDIR");
    char *directory = arena_print(s->arena, "%s/ptm-XXXXXX", home && *home ? home : "/tmp");
    if (!mkdtemp(directory)) return session_fail(s, "%s: %s", directory, strerror(errno)), NULL;
    const char *from = arena_print(s->arena, "%s/x.o", directory), *to = arena_print(s->arena, "%s/x.so", directory);
    RtError error;
    Replacement file;
    char *bytes = NULL;
    if (!replace_begin(&file, from, &error)) {
        session_fail(s, "%s", error.text);
    } else {
        replace_write(&file, object, size);
        int status = replace_end(&file, &error) ? run_linker(linker, from, to) : -1;
        if (status < 0) session_fail(s, "%s", error.text);
        else if (status == 127)
            session_fail(s, "--emit shared needs a C compiler to link with, and there is no %s here; --emit obj needs "
                         "none", linker);
        else if (status || !(bytes = read_all(to, linked_size))) session_fail(s, "%s cannot link the object", linker);
    }
    unlink(from);
    unlink(to);
    rmdir(directory);
    return bytes;
}

/* ---- the command ---- */

/* What was made, and how much memory it wants. */
static void report(const Shipment *m, const Wanted *wanted, int64_t size)
{
    const char *sets = "";
    for (int k = 0; k < export_set_count(m->export); k++)
        sets = arena_print(m->s->arena, "%s%s%s", sets, k ? ", " : "", export_set_name(m->export, k));
    printf("%s: %lld bytes, for %s; %s\n", wanted->output, (long long)size, sets, wanted->header);
    for (int k = 0; k < m->shipped.count; k++) {
        const Shipped *f = m->shipped.at[k];
        if (f->signature)
            printf("  %-24s %lld bytes of work\n", f->f.symbol, (long long)export_work_bytes(m->export, &f->f));
    }
}

static bool write_form(Shipment *m, const Wanted *wanted)
{
    Session *s = m->s;
    int64_t size = 0;
    m->abi = m->contents.abi = header_hash(m, base_name(wanted->output));
    const char *bytes = export_emit(m->export, &m->contents, wanted->form, &size, s->diagnostics);
    if (!bytes) return session_report(s) && false;
    char *linked = wanted->shared ? link_shared(m, bytes, size, &size) : NULL;
    bool good = (linked || !wanted->shared) && write_files(m, wanted, linked ? linked : bytes, size);
    free(linked);
    if (good) report(m, wanted, size);
    return good;
}

int command_compile(const Options *given)
{
    Session s;
    Shipment m = { 0 };
    Wanted wanted;
    Options options = *given;
    int status = read_options(&options, &wanted);
    if (status) return status;
    if (options.embed_weights) options.weights = options.embed_weights;
    status = EXIT_BAD_INPUT;
    if (session_open(&s, &options) && shipment_open(&m, &s, wanted.prefix, &wanted.options) && write_form(&m, &wanted))
        status = EXIT_GOOD;
    if (m.s) shipment_close(&m);
    session_close(&s);
    return status;
}
