/* The tables of programs as LLVM's text: constants of the layout that runtime/core/program.h has in C on a 64-bit
 * target. */
#include "codegen/export_parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(RtStep) == 64 && sizeof(RtLoop) == 48 && sizeof(RtCursor) == 32, "as %Step, %Loop, %Cursor");
_Static_assert(offsetof(RtStep, tiled) == 40 && offsetof(RtStep, place) == 56, "as %Step");
_Static_assert(offsetof(RtProduct, run) % 8 == 0 && sizeof(RtProduct) == offsetof(RtProduct, run) + 32,
               "behind a product's words come two functions, the arguments of the second, and a number");
_Static_assert(offsetof(RtValue, shape) == 16 && sizeof(RtValue) == 32 + 8 * RT_MAX_RANK, "as write_value writes it");
_Static_assert(offsetof(Program, steps) == 32 && offsetof(Program, block_bytes) == 72, "as write_program writes it");

int export_text_number(Writer *w, const char *text)
{
    int *known = map_get(w->texts, text);
    if (known) return *known;
    int *number = arena_new_of(w->arena, int);
    *number = map_count(w->texts);
    map_set(w->texts, text, number);
    return *number;
}

void export_texts(Writer *w)
{
    for (int k = 0; k < map_count(w->texts); k++) {
        const char *text = map_key(w->texts, k);
        put(w, "@ptm.text%d = private unnamed_addr constant [%zu x i8] c\"", k, strlen(text) + 1);
        for (const char *c = text; *c; c++) {
            bool plain = isprint((unsigned char)*c) && *c != '"' && *c != '\\';
            put(w, plain ? "%c" : "\\%02X", (unsigned char)*c);
        }
        put(w, "\\00\"\n");
    }
}

/* "@ptm.kernel3.1", "@rt_copy" */
const char *export_function_name(Writer *w, RtKernel *address, int set)
{
    static const struct { RtKernel *address; const char *name; } known[] = {
        {rt_copy, "rt_copy"}, {rt_zero, "rt_zero"},
        {rt_product_f32, "rt_product_f32"}, {rt_product_f64, "rt_product_f64"},
        {rt_product_tiled, "rt_product_tiled"},
        {rt_product_sum_f32, "rt_product_sum_f32"}, {rt_product_sum_f64, "rt_product_sum_f64"},
    };
    if (!address) return "null";
    int kernel = export_kernel(w->e, address);
    if (kernel >= 0) return arena_print(w->arena, "@%s", export_kernel_name(w->arena, kernel, set));
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        if (known[k].address == address) return arena_print(w->arena, "@%s", known[k].name);
    abort();
}

static void write_words(Writer *w, const int64_t *words, int64_t count)
{
    put(w, "[%" PRId64 " x i64] [", count);
    for (int64_t k = 0; k < count; k++) put(w, "%si64 %" PRId64, k ? ", " : "", words[k]);
    put(w, "]");
}

/* A product that runs what follows it on its tiles has pointers among its words, and so a copy for each set. */
static void write_arguments(Writer *w, int program, int row)
{
    const ExportProgram *p = w->e->programs.at[program];
    const RtStep *step = &p->program.steps[row];
    if (step->loop) return;
    for (int set = 0; set < (step->tiled ? w->e->set_count : 1); set++) {
        put(w, "@ptm.p%d.args%d.%d = internal constant ", program, row, set);
        if (!step->tiled) {
            write_words(w, step->args, p->rows[row].words);
        } else {
            const RtProduct *product = (const RtProduct *)step->args;
            int words = offsetof(RtProduct, run) / 8;
            put(w, "{ [%d x i64], ptr, ptr, ptr, i64 } { ", words);
            write_words(w, step->args, words);
            put(w, ", ptr %s", export_function_name(w, product->run, set));
            put(w, ", ptr %s, ptr @ptm.p%d.args%d.0, i64 %" PRId64 " }", export_function_name(w, product->then, set),
                program, row + 1, product->then_columns);
        }
        put(w, ", align 8\n");
    }
}

static void write_loop(Writer *w, int program, int row)
{
    const RtLoop *loop = w->e->programs.at[program]->program.steps[row].loop;
    if (!loop) return;
    put(w, "@ptm.p%d.cursors%d = internal constant [%d x %%Cursor] [", program, row, loop->cursor_count);
    for (int k = 0; k < loop->cursor_count; k++) {
        const RtCursor *c = &loop->cursors[k];
        put(w, "%s%%Cursor { i64 %" PRId64 ", [2 x i64] [i64 %" PRId64 ", i64 %" PRId64 "], i64 %" PRId64 " }",
            k ? ", " : "", c->first, c->base[0], c->base[1], c->stride);
    }
    put(w, "]\n@ptm.p%d.loop%d = internal constant %%Loop { i64 %" PRId64 ", i32 %d, i32 %d, i32 %d, i32 %d, "
        "ptr @ptm.p%d.cursors%d, i64 %" PRId64 ", i64 %" PRId64 " }\n", program, row, loop->count, loop->steps,
        loop->backwards, loop->first_cursor, loop->cursor_count, program, row, loop->index, loop->until);
}

static void write_step(Writer *w, int program, int row, int set)
{
    const RtStep *s = &w->e->programs.at[program]->program.steps[row];
    if (s->loop) {
        put(w, "%%Step { ptr @ptm.p%d.loop%d, ptr null, ptr null, i64 0, i64 0, ptr null, ", program, row);
    } else {
        put(w, "%%Step { ptr null, ptr %s, ", export_function_name(w, s->run, set));
        put(w, "ptr @ptm.p%d.args%d.%d, i64 %" PRId64 ", i64 %" PRId64 ", ptr %s, ", program, row, s->tiled ? set : 0,
            s->extent, s->tile, export_function_name(w, s->tiled, set));
    }
    put(w, "i32 %d, i32 %d, i32 %d }", s->beside, s->name, s->place);
}

static void write_strings(Writer *w, int program, const char *what, const char *const *at, int count)
{
    put(w, "@ptm.p%d.%s = internal constant [%d x ptr] [", program, what, count);
    for (int k = 0; k < count; k++) put(w, "%sptr @ptm.text%d", k ? ", " : "", export_text_number(w, at[k]));
    put(w, "]\n");
}

static void write_values(Writer *w, int program, const char *what, const RtValue *at, int count)
{
    put(w, "@ptm.p%d.%s = internal constant [%d x { ptr, i32, i32, [%d x i64], i64, i64 }] [", program, what, count,
        RT_MAX_RANK);
    for (int k = 0; k < count; k++) {
        put(w, "%s{ ptr, i32, i32, [%d x i64], i64, i64 } { ptr @ptm.text%d, i32 %d, i32 %d, ", k ? ", " : "",
            RT_MAX_RANK, export_text_number(w, at[k].name), at[k].dtype, at[k].rank);
        write_words(w, at[k].shape, RT_MAX_RANK);
        put(w, ", i64 %" PRId64 ", i64 %" PRId64 " }", at[k].place, at[k].bytes);
    }
    put(w, "]\n");
}

/* The Program for libptm-core. */
static void write_program(Writer *w, int program, int set)
{
    const Program *p = &w->e->programs.at[program]->program;
    put(w, "@ptm.p%d.program.%d = internal constant { ptr, i32, i32, i32, i32, i32, ptr, ptr, ptr, ptr, ptr, "
        "[%d x i64], i64, i32 } { ptr @ptm.text%d, i32 %d, i32 %d, i32 %d, i32 %d, i32 %d, ptr @ptm.p%d.steps.%d, ",
        program, set, BLOCK_COUNT, export_text_number(w, p->entry), p->step_count, p->input_count, p->output_count,
        p->name_count, p->place_count, program, set);
    put(w, "ptr @ptm.p%d.inputs, ptr @ptm.p%d.outputs, ptr @ptm.p%d.names, ptr @ptm.p%d.places, ", program, program,
        program, program);
    write_words(w, p->block_bytes, BLOCK_COUNT);
    put(w, ", i64 %" PRId64 ", i32 %d }\n", p->scratch_bytes, p->cursor_count);
}

void export_table(Writer *w, int program)
{
    const Program *p = &w->e->programs.at[program]->program;
    for (int row = 0; row < p->step_count; row++) {
        write_arguments(w, program, row);
        write_loop(w, program, row);
    }
    for (int set = 0; set < w->e->set_count; set++) {
        put(w, "@ptm.p%d.steps.%d = internal constant [%d x %%Step] [", program, set, p->step_count);
        for (int row = 0; row < p->step_count; row++) {
            put(w, row ? ",\n  " : "\n  ");
            write_step(w, program, row, set);
        }
        put(w, "]\n");
    }
    write_strings(w, program, "places", p->places, p->place_count);
    if (!w->e->options.pool) return;
    write_strings(w, program, "names", p->names, p->name_count);
    write_values(w, program, "inputs", p->inputs, p->input_count);
    write_values(w, program, "outputs", p->outputs, p->output_count);
    for (int set = 0; set < w->e->set_count; set++) write_program(w, program, set);
}

static const char *upper(Writer *w, const char *text)
{
    char *copy = arena_print(w->arena, "%s", text);
    for (char *c = copy; *c; c++) *c = (char)toupper((unsigned char)*c);
    return copy;
}

/* {name, dtype as safetensors writes it, rank, shape, offset in its block, bytes} */
void export_list(Writer *w, const ExportList *list)
{
    put(w, "@%s = constant [%d x { ptr, ptr, i64, [%d x i64], i64, i64 }] [", list->symbol, list->count, RT_MAX_RANK);
    for (int k = 0; k < list->count; k++) {
        const RtValue *v = &list->values[k];
        put(w, "%s{ ptr, ptr, i64, [%d x i64], i64, i64 } { ptr @ptm.text%d, ptr @ptm.text%d, i64 %d, ",
            k ? ",\n  " : "", RT_MAX_RANK, export_text_number(w, v->name),
            export_text_number(w, upper(w, dtype_name((DType)v->dtype))), v->rank);
        write_words(w, v->shape, RT_MAX_RANK);
        put(w, ", i64 %" PRId64 ", i64 %" PRId64 " }", rt_offset(v->place), v->bytes);
    }
    put(w, "]\n");
}
