/* The functions of an object as LLVM's text: checks, cases, runs, what they return. */
#include "codegen/export_parts.h"

#include "runtime/core/random.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

void put(Writer *w, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(w->out, format, args);
    va_end(args);
}

static int find_arg(const ExportFunction *f, ExportArgKind kind, int from)
{
    for (int k = from; k < f->args.count; k++)
        if (f->args.at[k].kind == kind) return k;
    return -1;
}

static int find_block(const ExportFunction *f, RtBlock block)
{
    for (int k = 0; k < f->args.count; k++)
        if (f->args.at[k].kind == ARG_BLOCK && f->args.at[k].block == block) return k;
    return -1;
}

static const RtValue *find_value(const RtValue *at, int count, const char *name)
{
    for (int k = 0; k < count; k++)
        if (!strcmp(at[k].name, name)) return &at[k];
    return NULL;
}

static int64_t most_work(const Export *e, const ExportFunction *f)
{
    int64_t most = 0;
    for (int c = 0; c < f->cases.count; c++)
        for (int a = 0; a < f->cases.at[c].actions.count; a++) {
            int program = f->cases.at[c].actions.at[a].program;
            int64_t bytes = program < 0 ? 0 : e->programs.at[program]->program.block_bytes[BLOCK_work];
            if (bytes > most) most = bytes;
        }
    return (most + 63) / 64 * 64;
}

static int64_t most_scratch(const Export *e, const ExportFunction *f)
{
    int64_t most = 0;
    for (int c = 0; c < f->cases.count; c++)
        for (int a = 0; a < f->cases.at[c].actions.count; a++) {
            int program = f->cases.at[c].actions.at[a].program;
            int64_t bytes = program < 0 ? 0 : e->programs.at[program]->program.scratch_bytes;
            if (bytes > most) most = bytes;
        }
    return (most + 63) / 64 * 64;
}

int64_t export_work_bytes(const Export *e, const ExportFunction *f)
{
    int64_t bytes = most_work(e, f) + f->sum_bytes + (e->options.pool ? 0 : most_scratch(e, f));
    return bytes ? bytes : 64;           /* something to point to */
}

static bool is_pointer(const ExportArg *a)
{
    return a->kind == ARG_BLOCK || a->kind == ARG_POOL || a->kind == ARG_INPUT || a->kind == ARG_OUTPUT ||
           a->kind == ARG_FAULT;
}

static bool is_required(const ExportArg *a)
{
    return a->kind == ARG_BLOCK || a->kind == ARG_POOL || a->kind == ARG_INPUT;
}

static void write_head(Writer *w, const ExportFunction *f)
{
    put(w, "define i32 @%s(i64 %%abi", f->symbol);
    for (int k = 0; k < f->args.count; k++) put(w, ", %s %%a%d", is_pointer(&f->args.at[k]) ? "ptr" : "i64", k);
    put(w, ") #0 {\nentry:\n");
    int cursors = 0;
    for (int p = 0; p < w->e->programs.count; p++)
        if (w->e->programs.at[p]->program.cursor_count > cursors) cursors = w->e->programs.at[p]->program.cursor_count;
    put(w, "  %%block = alloca [%d x ptr], align 16\n  %%fault = alloca [4 x i64], align 8\n"
        "  %%places = alloca ptr, align 8\n", BLOCK_COUNT + cursors);
    put(w, "  %%same = icmp eq i64 %%abi, %" PRIu64 "\n  br i1 %%same, label %%pointers, label %%wrong_abi\n",
        w->contents->abi);
}

/* A chain of conditions, one for each argument that can be wrong. */
static void write_checks(Writer *w, const ExportFunction *f)
{
    put(w, "pointers:\n");
    for (int k = 0; k < f->args.count; k++) {
        if (!is_required(&f->args.at[k])) continue;
        put(w, "  %%null%d = icmp eq ptr %%a%d, null\n  br i1 %%null%d, label %%null_pointer, label %%given%d\n"
            "given%d:\n", k, k, k, k, k);
        if (f->args.at[k].kind != ARG_BLOCK) continue;
        put(w, "  %%bits%d = ptrtoint ptr %%a%d to i64\n  %%low%d = and i64 %%bits%d, 63\n"
            "  %%even%d = icmp eq i64 %%low%d, 0\n  br i1 %%even%d, label %%aligned%d, label %%unaligned\n"
            "aligned%d:\n", k, k, k, k, k, k, k, k, k);
    }
}

/* The places of blocks, in the function's own array; null for those that nothing uses. */
static void write_blocks(Writer *w, const ExportFunction *f)
{
    int work = find_block(f, BLOCK_work);
    for (int b = 0; b < BLOCK_COUNT; b++) {
        int arg = find_block(f, (RtBlock)b);
        put(w, "  %%slot%d = getelementptr ptr, ptr %%block, i64 %d\n", b, b);
        if (b == BLOCK_sum && f->sum_bytes)
            put(w, "  %%sums = getelementptr i8, ptr %%a%d, i64 %" PRId64 "\n  store ptr %%sums, ptr %%slot%d\n", work,
                most_work(w->e, f), b);
        else if (arg >= 0)
            put(w, "  store ptr %%a%d, ptr %%slot%d\n", arg, b);
        else if (w->contents->block[b])
            put(w, "  store ptr @%s, ptr %%slot%d\n", export_block_name(w->arena, (RtBlock)b), b);
        else
            put(w, "  store ptr null, ptr %%slot%d\n", b);
    }
    if (work >= 0)
        put(w, "  %%scratch = getelementptr i8, ptr %%a%d, i64 %" PRId64 "\n", work, most_work(w->e, f) + f->sum_bytes);
    else
        put(w, "  %%scratch = getelementptr i8, ptr null, i64 0\n");
    int seed = -1;
    for (int k = 0; k < f->args.count; k++)
        if (f->args.at[k].kind == ARG_NUMBER && !strcmp(f->args.at[k].value, "seed")) seed = k;
    if (seed >= 0 && f->stage > 0)
        put(w, "  %%seed = call i64 @ptm.key(i64 %%a%d, i64 %d)\n", seed, f->stage);
    else if (seed >= 0)
        put(w, "  %%seed = add i64 %%a%d, 0\n", seed);
}

/* The pointer to a place, in a new temporary. Returns its number. */
static int write_at(Writer *w, int64_t place)
{
    int v = w->values++;
    put(w, "  %%v%d = call ptr @ptm.at(ptr %%block, i64 %" PRId64 ")\n", v, place);
    return v;
}

/* Without an argument of its name an ambient number is 0. */
static void write_ambient(Writer *w, const ExportFunction *f, const Program *p, const char *name)
{
    const RtValue *input = find_value(p->inputs, p->input_count, name);
    for (int k = 0; k < f->args.count; k++)
        if (f->args.at[k].value && !strcmp(f->args.at[k].value, name)) return;
    if (input && rt_block(input->place) == BLOCK_work) put(w, "  store i64 0, ptr %%v%d\n", write_at(w, input->place));
}

/* See runtime/train/step.c: the first shard draws the numbers of a step without shards. */
static const char *shard_seed(Writer *w, int64_t shard)
{
    if (!shard) return "%seed";
    int v = w->values;
    w->values += 2;
    put(w, "  %%v%d = call i64 @ptm.key(i64 %%seed, i64 %" PRId64 ")\n", v, (int64_t)rt_random_hash("shard"));
    put(w, "  %%v%d = call i64 @ptm.key(i64 %%v%d, i64 %" PRId64 ")\n", v + 1, v, shard);
    return arena_print(w->arena, "%%v%d", v + 1);
}

static void write_inputs(Writer *w, const ExportFunction *f, const ExportAction *action)
{
    const Program *p = &w->e->programs.at[action->program]->program;
    for (int k = 0; k < f->args.count; k++) {
        const ExportArg *arg = &f->args.at[k];
        const RtValue *input = arg->value ? find_value(p->inputs, p->input_count, arg->value) : NULL;
        if (!input || rt_block(input->place) != BLOCK_work) continue;
        if (arg->kind == ARG_NUMBER) {
            const char *number = !strcmp(arg->value, "seed") ? shard_seed(w, action->shard)
                                                             : arena_print(w->arena, "%%a%d", k);
            put(w, "  store i64 %s, ptr %%v%d\n", number, write_at(w, input->place));
        } else if (arg->kind == ARG_INPUT) {
            int v = w->values++, to = write_at(w, input->place);
            put(w, "  %%v%d = getelementptr i8, ptr %%a%d, i64 %" PRId64 "\n", v, k, action->shard * input->bytes);
            put(w, "  call void @ptm.move(ptr %%v%d, ptr %%v%d, i64 %" PRId64 ")\n", to, v, input->bytes);
        }
    }
    write_ambient(w, f, p, "seed");
    write_ambient(w, f, p, "step");
}

static void write_run(Writer *w, const ExportFunction *f, const ExportAction *action)
{
    const Export *e = w->e;
    const Program *p = &e->programs.at[action->program]->program;
    write_inputs(w, f, action);
    if (f->sum_bytes) {
        int v = w->values++;
        put(w, "  %%v%d = getelementptr i8, ptr %%sums, i64 %" PRId64 "\n", v, action->sums);
        put(w, "  store ptr %%v%d, ptr %%slot%d\n", v, BLOCK_sum);
    }
    put(w, "  store ptr @ptm.p%d.places, ptr %%places\n", action->program);
    int v = w->values;
    w->values += 4;
    const char *table = e->options.pool ? "program" : "steps";
    if (e->set_count == 1) {
        put(w, "  %%v%d = getelementptr i8, ptr @ptm.p%d.%s.0, i64 0\n", v + 2, action->program, table);
    } else {
        put(w, "  %%v%d = call i32 @ptm.set()\n", v);
        put(w, "  %%v%d = getelementptr ptr, ptr @ptm.p%d.sets, i32 %%v%d\n", v + 1, action->program, v);
        put(w, "  %%v%d = load ptr, ptr %%v%d\n", v + 2, v + 1);
    }
    int done = w->values++;
    if (e->options.pool) {
        put(w, "  %%v%d = call i32 @rt_program_run(ptr %%v%d, ptr %%a%d, ptr %%block, ptr %%fault)\n", v + 3, v + 2,
            find_arg(f, ARG_POOL, 0));
        put(w, "  %%v%d = icmp eq i32 %%v%d, 0\n", done, v + 3);
    } else {
        put(w, "  store [4 x i64] zeroinitializer, ptr %%fault\n");
        put(w, "  %%v%d = call i1 @ptm.walk(ptr %%v%d, i32 0, i32 %d, ptr %%block, ptr %%scratch, ptr %%fault)\n",
            done, v + 2, p->step_count);
    }
    put(w, "  br i1 %%v%d, label %%went%d, label %%bad\nwent%d:\n", done, done, done);
}

static const RtValue *find_output(const Export *e, const ExportCase *c, const char *name)
{
    for (int k = c->actions.count - 1; k >= 0; k--) {
        if (c->actions.at[k].program < 0) continue;
        const Program *p = &e->programs.at[c->actions.at[k].program]->program;
        const RtValue *found = find_value(p->outputs, p->output_count, name);
        if (found) return found;
    }
    return NULL;
}

static void write_outputs(Writer *w, const ExportFunction *f, const ExportCase *c)
{
    for (int k = find_arg(f, ARG_OUTPUT, 0); k >= 0; k = find_arg(f, ARG_OUTPUT, k + 1)) {
        const RtValue *output = find_output(w->e, c, f->args.at[k].value);
        if (!output) continue;
        int v = w->values++;
        put(w, "  %%v%d = icmp eq ptr %%a%d, null\n  br i1 %%v%d, label %%skip%d, label %%take%d\ntake%d:\n", v, k, v,
            v, v, v);
        int from = write_at(w, output->place);
        put(w, "  call void @ptm.move(ptr %%a%d, ptr %%v%d, i64 %" PRId64 ")\n  br label %%skip%d\nskip%d:\n", k, from,
            output->bytes, v, v);
    }
    put(w, "  ret i32 %d\n", EXPORT_ok);
}

static void write_case(Writer *w, const ExportFunction *f, int number)
{
    const ExportCase *c = &f->cases.at[number];
    int dim = 0;
    for (int k = find_arg(f, ARG_DIM, 0); k >= 0; k = find_arg(f, ARG_DIM, k + 1), dim++) {
        int v = w->values++;
        put(w, "  %%v%d = icmp eq i64 %%a%d, %" PRId64 "\n  br i1 %%v%d, label %%fits%d, label %%case%d\nfits%d:\n", v,
            k, c->dims[dim], v, v, number + 1, v);
    }
    for (int k = 0; k < c->actions.count; k++) {
        const ExportAction *action = &c->actions.at[k];
        if (action->program >= 0)
            write_run(w, f, action);
        else
            put(w, "  call void @ptm.clear(ptr %%v%d, i64 %" PRId64 ")\n", write_at(w, action->place), action->bytes);
    }
    write_outputs(w, f, c);
}

static void write_fault(Writer *w, const ExportFunction *f)
{
    int fault = find_arg(f, ARG_FAULT, 0);
    put(w, "bad:\n");
    if (fault < 0) {
        put(w, "  br label %%bad_index\n");
        return;
    }
    put(w, "  %%silent = icmp eq ptr %%a%d, null\n  br i1 %%silent, label %%bad_index, label %%report\nreport:\n",
        fault);
    put(w, "  %%list = load ptr, ptr %%places\n  %%number = load i64, ptr %%fault\n"
        "  %%text.at = getelementptr ptr, ptr %%list, i64 %%number\n  %%text = load ptr, ptr %%text.at\n"
        "  store ptr %%text, ptr %%a%d\n", fault);
    for (int word = 1; word <= 2; word++)
        put(w, "  %%word%d.at = getelementptr i64, ptr %%fault, i64 %d\n  %%word%d = load i64, ptr %%word%d.at\n"
            "  %%out%d = getelementptr i64, ptr %%a%d, i64 %d\n  store i64 %%word%d, ptr %%out%d\n", word, word, word,
            word, word, fault, word, word, word);
    put(w, "  br label %%bad_index\n");
}

static void write_function(Writer *w, const ExportFunction *f)
{
    w->values = 0;
    write_head(w, f);
    write_checks(w, f);
    write_blocks(w, f);
    put(w, "  br label %%case0\n");
    for (int k = 0; k < f->cases.count; k++) {
        put(w, "case%d:\n", k);
        write_case(w, f, k);
    }
    put(w, "case%d:\n  ret i32 %d\n", f->cases.count, EXPORT_no_shape);
    write_fault(w, f);
    static const ExportCode codes[] = {EXPORT_wrong_abi, EXPORT_null_pointer, EXPORT_unaligned, EXPORT_bad_index};
    static const char *const names[] = {"wrong_abi", "null_pointer", "unaligned", "bad_index"};
    for (int k = 0; k < 4; k++) put(w, "%s:\n  ret i32 %d\n", names[k], codes[k]);
    put(w, "}\n\n");
}

/* PREFIX_error: the text of a code. */
static void write_error(Writer *w)
{
    static const char *const texts[] = {
#define CODE(name, text) text,
#include "codegen/export.def"
#undef CODE
    };
    put(w, "@ptm.errors = internal constant [%d x ptr] [", EXPORT_CODES + 1);
    for (int k = 0; k < EXPORT_CODES; k++) put(w, "ptr @ptm.text%d, ", export_text_number(w, texts[k]));
    put(w, "ptr @ptm.text%d]\n", export_text_number(w, "no code that these functions return"));
    put(w, "define ptr @%s_error(i32 %%code) #0 {\n  %%known = icmp ult i32 %%code, %d\n"
        "  %%number = select i1 %%known, i32 %%code, i32 %d\n"
        "  %%at = getelementptr ptr, ptr @ptm.errors, i32 %%number\n  %%text = load ptr, ptr %%at\n"
        "  ret ptr %%text\n}\n\n", w->contents->prefix, EXPORT_CODES, EXPORT_CODES);
}

/* PREFIX_instruction_set, PREFIX_use_instruction_set */
static void write_sets(Writer *w)
{
    const char *prefix = w->contents->prefix;
    fputs(EXPORT_PROCESSOR, w->out);
    put(w, "define i32 @%s_instruction_set() #0 {\n  %%set = call i32 @ptm.set()\n  ret i32 %%set\n}\n\n", prefix);
    put(w, "define i32 @%s_use_instruction_set(i32 %%set) #0 {\n  %%widest = call i32 @ptm.widest()\n"
        "  %%has = icmp ule i32 %%set, %%widest\n  br i1 %%has, label %%use, label %%lacks\nuse:\n"
        "  store atomic i32 %%set, ptr @ptm.chosen monotonic, align 4\n  ret i32 %d\nlacks:\n  ret i32 %d\n}\n\n",
        prefix, EXPORT_ok, EXPORT_no_instructions);
    const char *table = w->e->options.pool ? "program" : "steps";
    for (int p = 0; p < w->e->programs.count; p++) {
        put(w, "@ptm.p%d.sets = internal constant [%d x ptr] [", p, w->e->set_count);
        for (int set = 0; set < w->e->set_count; set++) put(w, "%sptr @ptm.p%d.%s.%d", set ? ", " : "", p, table, set);
        put(w, "]\n");
    }
}

static bool is_runtime(Writer *w, RtKernel *address) { return address && export_kernel(w->e, address) < 0; }

static void declare(Writer *w, Map *declared, RtKernel *address)
{
    if (!is_runtime(w, address)) return;
    const char *name = export_function_name(w, address, 0);
    bool own = !w->e->options.pool && (address == rt_copy || address == rt_zero);
    if (own || map_get(declared, name)) return;
    map_set(declared, name, declared);
    put(w, "declare void %s(ptr, ptr, i64, i64, ptr, ptr)\n", name);
}

static void write_declarations(Writer *w)
{
    Map *declared = map_new(w->arena);
    for (int p = 0; p < w->e->programs.count; p++) {
        const Program *program = &w->e->programs.at[p]->program;
        for (int row = 0; row < program->step_count; row++) {
            declare(w, declared, program->steps[row].run);
            declare(w, declared, program->steps[row].tiled);
        }
    }
    for (int set = 0; set < w->e->set_count; set++)
        for (int k = 0; k < w->e->functions.all.count; k++)
            put(w, "declare void @%s(ptr, ptr, i64, i64, ptr, ptr)\n", export_kernel_name(w->arena, k, set));
    for (int b = 0; b < BLOCK_COUNT; b++)
        if (w->contents->block[b])
            put(w, "@%s = external constant i8, align 64\n", export_block_name(w->arena, (RtBlock)b));
    if (w->e->options.pool) put(w, "declare i32 @rt_program_run(ptr, ptr, ptr, ptr)\n");
    put(w, "\n");
}

void export_write_text(const Export *e, const ExportContents *contents, FILE *out)
{
    Arena *arena = arena_new();
    Writer w = {.e = e, .contents = contents, .out = out, .texts = map_new(arena), .arena = arena};
    fputs(EXPORT_BASE, out);
    if (!e->options.pool) fputs(EXPORT_WALK, out);
    write_declarations(&w);
    for (int p = 0; p < e->programs.count; p++) export_table(&w, p);
    if (e->set_count > 1) write_sets(&w);
    for (int k = 0; k < contents->lists.count; k++) export_list(&w, &contents->lists.at[k]);
    write_error(&w);
    for (int k = 0; k < contents->functions.count; k++) write_function(&w, &contents->functions.at[k]);
    export_texts(&w);
    put(&w, "attributes #0 = { nounwind \"no-builtins\" }\n");
    arena_free(arena);
}
