/* A header that a C programmer reads instead of a manual: what there is, what it takes, how large everything is. */
#include "frontend/cli/header.h"
#include "runtime/core/random.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Header {
    const Shipment *m;
    Arena *arena;
    FILE  *out;
    const char *prefix, *upper;          /* "gpt", "GPT" */
    const char **functions;              /* macro names of what is shipped: "LOGITS" */
} Header;

static void put(const Header *h, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const Header *h, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(h->out, format, args);
    va_end(args);
}

/* A name of the preprocessor's: "wte.weight" gives WTE_WEIGHT. */
static const char *upper(Arena *arena, const char *text)
{
    char *copy = arena_print(arena, "%s", text);
    for (char *c = copy; *c; c++) *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return copy;
}

/* Names of the preprocessor's for some names. Of those that would be the same, "a.b" and "a_b", later ones end in
 * "_". */
static const char **macro_names(Arena *arena, const char *const *names, int count)
{
    Map *seen = map_new(arena);
    const char **macros = arena_array(arena, const char *, count + 1);
    for (int k = 0; k < count; k++) {
        macros[k] = upper(arena, names[k]);
        while (map_get(seen, macros[k])) macros[k] = arena_print(arena, "%s_", macros[k]);
        map_set(seen, macros[k], seen);
    }
    return macros;
}

static const char **function_macros(Arena *arena, const Shipment *m)
{
    const char **names = arena_array(arena, const char *, m->shipped.count + 1);
    for (int k = 0; k < m->shipped.count; k++) names[k] = m->shipped.at[k]->name;
    return macro_names(arena, names, m->shipped.count);
}

static const char *function_macro(const Header *h, const Shipped *f)
{
    int k = 0;
    while (h->m->shipped.at[k] != f) k++;
    return h->functions[k];
}

/* ---- types and shapes ---- */

typedef struct CType {
    const char *name, *note;             /* note: what the bits are, where C has no such type */
} CType;

static CType c_type(int32_t dtype)
{
    switch ((DType)dtype) {
    case DT_f32: return (CType){ "float", "" };
    case DT_f64: return (CType){ "double", "" };
    case DT_bf16: return (CType){ "uint16_t", ", bits of bf16" };
    case DT_f16: return (CType){ "uint16_t", ", bits of f16" };
    case DT_i64: return (CType){ "int64_t", "" };
    case DT_i32: return (CType){ "int32_t", "" };
    case DT_i8: return (CType){ "int8_t", "" };
    case DT_u8: return (CType){ "uint8_t", "" };
    case DT_bool: return (CType){ "uint8_t", ", 0 or 1" };
    case DT_COUNT: break;
    }
    abort();
}

/* "f32[1, 64, 65]" */
static const char *value_text(Arena *arena, const RtValue *v)
{
    const char *text = dtype_name((DType)v->dtype);
    for (int k = 0; k < v->rank; k++)
        text = arena_print(arena, "%s%s%" PRId64, text, k ? ", " : "[", v->shape[k]);
    return v->rank ? arena_print(arena, "%s]", text) : text;
}

static const RtValue *find(const RtValue *at, int count, const char *name)
{
    for (int k = 0; k < count; k++)
        if (!strcmp(at[k].name, name)) return &at[k];
    return NULL;
}

/* The value behind an input or output, in a case; NULL: it has none. */
static const RtValue *value_of(const Shipment *m, const ExportFunction *f, int arg, int number)
{
    const ExportCase *c = &f->cases.at[number];
    const ExportArg *a = &f->args.at[arg];
    for (int k = c->actions.count - 1; k >= 0; k--) {
        if (c->actions.at[k].program < 0) continue;
        const Program *p = export_get(m->export, c->actions.at[k].program);
        const RtValue *v = a->kind == ARG_INPUT ? find(p->inputs, p->input_count, a->value)
                                                : find(p->outputs, p->output_count, a->value);
        if (v) return v;
    }
    return NULL;
}

static const RtValue *any_value(const Shipment *m, const ExportFunction *f, int arg)
{
    const RtValue *v = NULL;
    for (int k = 0; k < f->cases.count && !v; k++) v = value_of(m, f, arg, k);
    return v;
}

static int64_t elements(const RtValue *v)
{
    int64_t count = 1;
    for (int k = 0; k < v->rank; k++) count *= v->shape[k];
    return count;
}

/* How many batches lie one behind the other in an input. */
static int64_t batches(const ExportFunction *f)
{
    int64_t most = 0;
    for (int k = 0; k < f->cases.at[0].actions.count; k++)
        if (f->cases.at[0].actions.at[k].shard > most) most = f->cases.at[0].actions.at[k].shard;
    return most + 1;
}

/* ---- functions ---- */

static const char *argument_text(const Header *h, const Shipped *f, int k)
{
    const ExportArg *a = &f->f.args.at[k];
    const char *name = f->names.at[k];
    const RtValue *v;
    switch (a->kind) {
    case ARG_BLOCK: return arena_print(h->arena, "%svoid *%s", f->writes[a->block] ? "" : "const ", name);
    case ARG_POOL: return arena_print(h->arena, "struct Pool *%s", name);
    case ARG_DIM:
    case ARG_NUMBER: return arena_print(h->arena, "int64_t %s", name);
    case ARG_INPUT:
        v = any_value(h->m, &f->f, k);
        return arena_print(h->arena, "const %s *%s", c_type(v->dtype).name, name);
    case ARG_OUTPUT:
        v = any_value(h->m, &f->f, k);
        return arena_print(h->arena, "%s *%s", c_type(v->dtype).name, name);
    case ARG_FAULT: return arena_print(h->arena, "%s_fault *%s", h->prefix, name);
    }
    abort();
}

/* "B = 1, T = 64" */
static const char *case_text(const Header *h, const Shipped *f, int number)
{
    const char *text = "";
    for (int k = 0; k < f->dims.count; k++)
        text = arena_print(h->arena, "%s%s%s = %" PRId64, text, k ? ", " : "", f->dims.at[k], f->values[number][k]);
    return text;
}

/* Whether an input or output has the same type in all cases. */
static bool is_same(const Shipment *m, const ExportFunction *f, int arg)
{
    const RtValue *first = value_of(m, f, arg, 0);
    for (int c = 1; c < f->cases.count; c++) {
        const RtValue *v = value_of(m, f, arg, c);
        if (!first || !v || first->rank != v->rank || memcmp(first->shape, v->shape, sizeof v->shape)) return false;
    }
    return true;
}

/* "i32[128, 27] for w_1 = 27; i32[128, 20] for w_1 = 20" */
static const char *types_text(const Header *h, const Shipped *f, int arg)
{
    const char *text = "";
    bool same = is_same(h->m, &f->f, arg);
    for (int c = 0; c < (same ? 1 : f->f.cases.count); c++) {
        const RtValue *v = value_of(h->m, &f->f, arg, c);
        if (!v) continue;
        text = arena_print(h->arena, "%s%s%s%s", text, *text ? "; " : "", value_text(h->arena, v),
                           c_type(v->dtype).note);
        if (!same) text = arena_print(h->arena, "%s for %s", text, case_text(h, f, c));
    }
    return text;
}

static const char *argument_note(const Header *h, const Shipped *f, int k)
{
    const ExportArg *a = &f->f.args.at[k];
    switch (a->kind) {
    case ARG_INPUT:
        return arena_print(h->arena, "%s: %s%s", f->names.at[k], types_text(h, f, k),
                           strncmp(a->value, "history.", 8) ? "" : "; what the evaluation has given so far in this "
                           "stage, first one first, NaN for those to come");
    case ARG_OUTPUT: return arena_print(h->arena, "%s: %s; or NULL", f->names.at[k], types_text(h, f, k));
    case ARG_NUMBER:
        return strcmp(a->value, "seed") ? NULL : "seed: of all random numbers; the same seed gives the same numbers";
    case ARG_BLOCK:
        return a->block != BLOCK_work ? NULL
               : arena_print(h->arena, "work: %s_%s_WORK_BYTES", h->upper, function_macro(h, f));
    case ARG_DIM:
    case ARG_POOL:
    case ARG_FAULT: return NULL;
    }
    abort();
}

static void describe(const Header *h, const Shipped *f)
{
    const char *before = "/* ";
    if (f->signature) {
        put(h, "%s%s", before, f->signature);
        if (f->dims.count && f->f.cases.count == 1) put(h, ", %s", case_text(h, f, 0));
        before = "\n * ";
    }
    for (const char *line = f->about; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        put(h, "%s%.*s", before, (int)strcspn(line, "\n"), line);
        before = "\n * ";
    }
    for (int k = 0; k < f->f.args.count; k++) {
        const char *note = argument_note(h, f, k);
        if (!note) continue;
        put(h, "%s%s", before, note);
        before = "\n * ";
    }
    put(h, " */\n");
}

static void declare(const Header *h, const Shipped *f)
{
    const char *line = arena_print(h->arena, "int %s(uint64_t abi", f->f.symbol);
    size_t indent = strlen(f->f.symbol) + 5;
    for (int k = 0; k < f->f.args.count; k++) {
        const char *argument = argument_text(h, f, k);
        if (strlen(line) + strlen(argument) + 4 > 120) {
            put(h, "%s,\n", line);
            line = arena_print(h->arena, "%*s%s", (int)indent, "", argument);
        } else {
            line = arena_print(h->arena, "%s, %s", line, argument);
        }
    }
    put(h, "%s);\n", line);
}

static bool takes_work(const Shipped *f)
{
    for (int k = 0; k < f->f.args.count; k++)
        if (f->f.args.at[k].kind == ARG_BLOCK && f->f.args.at[k].block == BLOCK_work) return true;
    return false;
}

static void write_sizes(const Header *h, const Shipped *f)
{
    const char *name = function_macro(h, f), **arguments = macro_names(h->arena, f->names.at, f->names.count);
    if (takes_work(f))
        put(h, "#define %s_%s_WORK_BYTES %" PRId64 "\n", h->upper, name, export_work_bytes(h->m->export, &f->f));
    for (int k = 0; f->f.cases.count == 1 && k < f->dims.count; k++)
        put(h, "#define %s_%s_%s %" PRId64 "\n", h->upper, name, upper(h->arena, f->dims.at[k]), f->values[0][k]);
    for (int k = 0; k < f->f.args.count; k++) {
        const ExportArg *a = &f->f.args.at[k];
        if (a->kind != ARG_INPUT && a->kind != ARG_OUTPUT) continue;
        int64_t most = 0;
        for (int c = 0; c < f->f.cases.count; c++) {
            const RtValue *v = value_of(h->m, &f->f, k, c);
            if (v && elements(v) > most) most = elements(v);
        }
        const char *argument = arguments[k];
        put(h, "#define %s_%s_%s_COUNT %" PRId64 "%s\n", h->upper, name, argument,
            most * (a->kind == ARG_INPUT ? batches(&f->f) : 1),
            is_same(h->m, &f->f, k) ? "" : " /* of the largest case */");
        const RtValue *v = value_of(h->m, &f->f, k, 0);
        if (!is_same(h->m, &f->f, k) || !v || !v->rank) continue;
        put(h, "#define %s_%s_%s_SHAPE {", h->upper, name, argument);
        for (int axis = 0; axis < v->rank; axis++) put(h, "%s%" PRId64, axis ? ", " : "", v->shape[axis]);
        put(h, "}\n");
    }
}

static void write_functions(const Header *h)
{
    for (int k = 0; k < h->m->shipped.count; k++) {
        const Shipped *f = h->m->shipped.at[k];
        put(h, "\n");
        write_sizes(h, f);
        describe(h, f);
        declare(h, f);
    }
}

/* ---- everything else ---- */

static void write_codes(const Header *h)
{
    put(h, "/* What functions return, and its text. */\nenum {\n");
#define CODE(name, text) \
    put(h, "    %s_%s = %d%s /* %s */\n", h->upper, upper(h->arena, #name), EXPORT_##name, \
        EXPORT_##name + 1 < EXPORT_CODES ? "," : " ", text);
#include "codegen/export.def"
#undef CODE
    put(h, "};\nconst char *%s_error(int code);\n\n", h->prefix);
    put(h, "/* With %s_BAD_INDEX: where in the model an id is used, the id, and how many rows its table has. What the\n"
        " * function writes, the parameters of a training step too, is then not to be used. */\n"
        "typedef struct %s_fault {\n    const char *place;\n    int64_t index, rows;\n} %s_fault;\n\n", h->upper,
        h->prefix, h->prefix);
}

static int64_t end_of(const RtValue *values, int count)
{
    int64_t end = 0;
    for (int k = 0; k < count; k++)
        if (rt_offset(values[k].place) + values[k].bytes > end) end = rt_offset(values[k].place) + values[k].bytes;
    return (end + 63) / 64 * 64;
}

/* "GPT_STATES" for the list gpt_states. */
static void write_list(const Header *h, const ExportList *list)
{
    const char *name = upper(h->arena, list->symbol);
    int64_t bytes = end_of(list->values, list->count);
    size_t length = strlen(name);
    const char *one = arena_print(h->arena, "%.*s", (int)length - 1, name);      /* "GPT_PARAM" */
    put(h, "#define %s_BYTES %" PRId64 "\n#define %s_COUNT %d\n", one, bytes, name, list->count);
    put(h, "extern const %s_value %s[%s_COUNT];\n", h->prefix, list->symbol, name);
    put(h, "/* where each begins */\n");
    const char **names = arena_array(h->arena, const char *, list->count + 1);
    for (int k = 0; k < list->count; k++) names[k] = list->values[k].name;
    const char **macros = macro_names(h->arena, names, list->count);
    for (int k = 0; k < list->count; k++) {
        const RtValue *v = &list->values[k];
        put(h, "#define %s_AT_%s %" PRId64 " /* %s: %s */\n", one, macros[k], rt_offset(v->place), v->name,
            value_text(h->arena, v));
    }
    put(h, "\n");
}

static bool is_quantized(const Layout *layout)
{
    for (int k = 0; layout->narrow && k < map_count(layout->narrow); k++)
        if (((const Narrow *)map_value(layout->narrow, k))->dtype == DT_i8) return true;
    return false;
}

static void write_memory(const Header *h)
{
    const Shipment *m = h->m;
    bool embedded = m->contents.block[BLOCK_param] != NULL;
    int64_t work = 64;
    for (int k = 0; k < m->shipped.count; k++) {
        int64_t own = export_work_bytes(m->export, &m->shipped.at[k]->f);
        if (own > work) work = own;
    }
    put(h, "/* Memory, all of it the caller's. Each block begins at a multiple of %s_ALIGNMENT bytes\n"
        " * (aligned_alloc, posix_memalign). work: of the neediest function; nothing in it has to stay between two\n"
        " * calls. */\n#define %s_ALIGNMENT 64\n#define %s_WORK_BYTES %" PRId64 "\n", h->upper, h->upper, h->upper,
        work);
    if (m->options.pool)
        put(h, "/* pool: rt_pool_new(threads, %s_SCRATCH_BYTES) of libptm-core. */\n#define %s_SCRATCH_BYTES %" PRId64
            "\nstruct Pool;\n", h->upper, h->upper, export_scratch_bytes(m->export));
    put(h, "\n/* A value in a block. dtype: as safetensors files write it (\"F32\"); shape: `rank` numbers. */\n"
        "typedef struct %s_value {\n    const char *name, *dtype;\n    int64_t     rank, shape[8], offset, bytes;\n"
        "} %s_value;\n\n", h->prefix, h->prefix);
    if (embedded) put(h, "/* The parameters are part of the object. */\n");
    if (is_quantized(m->run.layout))
        put(h, "/* A parameter w of I8 holds whole numbers: each stands for itself times the element of w.scale at\n"
            " * the same indices, 0 along axes of which w.scale has one. */\n");
    for (int k = 0; k < m->contents.lists.count; k++) write_list(h, &m->contents.lists.at[k]);
}

static void write_sets(const Header *h)
{
    const Export *e = h->m->export;
    if (export_set_count(e) < 2) {
        put(h, "/* Code for %s alone. */\n\n", export_set_name(e, 0));
        return;
    }
    put(h, "/* The sets of instructions that there is code for. The first call uses the widest that the processor\n"
        " * has; %s_use_instruction_set says otherwise from then on, for every thread, and refuses what the\n"
        " * processor lacks. */\nenum {\n", h->prefix);
    for (int k = 0; k < export_set_count(e); k++)
        put(h, "    %s_SET_%s = %d%s\n", h->upper, upper(h->arena, export_set_name(e, k)), k,
            k + 1 < export_set_count(e) ? "," : "");
    put(h, "};\nint %s_instruction_set(void);\nint %s_use_instruction_set(int set);\n\n", h->prefix, h->prefix);
}

static void write_intro(const Header *h, const char *file)
{
    const Options *o = h->m->s->options;
    const char *slash = strrchr(o->argument, '/');           /* the same header, wherever the model lies */
    put(h, "/* What %s holds: made with this header by ptm %s, `ptm compile %s --entry %s`.\n", file, PTM_VERSION,
        slash ? slash + 1 : o->argument, o->entries);
    put(h, " *\n"
        " * Every function works on memory that the caller gives it and nothing else: it allocates nothing,\n"
        " * prints nothing, keeps no pointer. Calls may run at the same time when what they write (blocks without\n"
        " * `const`, work, results) is apart. The first argument is %s_ABI, by which the object knows that header and\n"
        " * object belong together.\n *\n", h->upper);
    const ExportOptions *options = &h->m->options;
    const char *pin = "\n * Let OpenBLAS use one thread (openblas_set_num_threads(1)): otherwise results depend on "
                      "how many it has.";
    if (options->pool || options->blas == BLAS_openblas)
        put(h, " * It is linked with libptm-core, OpenBLAS and libm.%s */\n", options->pool ? "" : pin);
    else
        put(h, " * It is linked with nothing else, or with libm alone: nm -u shows which. */\n");
}

void header_write(const Shipment *m, const char *file, FILE *out)
{
    Arena *arena = arena_new();
    Header h = { .m = m, .arena = arena, .out = out, .prefix = m->prefix, .upper = upper(arena, m->prefix),
                 .functions = function_macros(arena, m) };
    write_intro(&h, file);
    put(&h, "#ifndef %s_H\n#define %s_H\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n",
        h.upper, h.upper);
    put(&h, "#define %s_ABI UINT64_C(0x%016" PRIx64 ")\n\n", h.upper, m->abi);
    write_codes(&h);
    write_sets(&h);
    write_memory(&h);
    put(&h, "/* ---- functions ---- */\n");
    write_functions(&h);
    put(&h, "\n#ifdef __cplusplus\n}\n#endif\n#endif\n");
    arena_free(arena);
}

uint64_t header_hash(const Shipment *m, const char *file)
{
    char *text = NULL;
    size_t size = 0;
    Shipment without = *m;
    without.abi = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) abort();
    header_write(&without, file, out);
    if (fclose(out)) abort();
    uint64_t hash = rt_random_hash(text);
    free(text);
    return hash;
}
