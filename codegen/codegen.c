/* From a plan to a Program: distinct kernels, object bytes, linked code, table. */
#include "codegen/codegen.h"
#include "codegen/compile.h"

#include <llvm-c/Core.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct CodeTable {
    Arena *arena;
    Map   *by_text;                      /* Functions without what they were made of */
    Vec(Linked *) linked;
};

CodeTable *code_table_new(void)
{
    Arena *arena = arena_new();
    CodeTable *table = arena_new_of(arena, CodeTable);
    *table = (CodeTable){.arena = arena, .by_text = map_new(arena)};
    return table;
}

void code_table_free(CodeTable *table)
{
    if (!table) return;
    for (int k = 0; k < table->linked.count; k++) link_free(table->linked.at[k]);
    arena_free(table->arena);
}

/* The linked code of these functions goes over to the table. */
static void table_take(CodeTable *table, const Functions *functions, Linked *linked)
{
    for (int k = 0; k < functions->all.count; k++) {
        Function *f = arena_new_of(table->arena, Function);
        *f = *functions->all.at[k];
        f->signature = NULL;
        f->nest = (Nest){0};
        f->text = arena_print(table->arena, "%s", f->text);
        f->name = arena_print(table->arena, "%s", f->name);
        map_set(table->by_text, f->text, f);
    }
    vec_push(table->arena, &table->linked, linked);
}

struct Code {
    Arena   *arena;                      /* of the table and everything it points to */
    Program  program;
    const CodeRow *rows;
    Objects  objects;
    Linked  *linked;
    CodeStatistics statistics;
};

static void write_dumps(const Objects *objects, const CodeOptions *options)
{
    for (int k = 0; k < objects->count; k++) {
        if (options->llvm && objects->at[k].llvm) fputs(objects->at[k].llvm, options->llvm);
        if (options->assembly && objects->at[k].assembly) fputs(objects->at[k].assembly, options->assembly);
    }
}

static const char *first_error(const Objects *objects)
{
    for (int k = 0; k < objects->count; k++)
        if (objects->at[k].error) return objects->at[k].error;
    return NULL;
}

static void fill_statistics(Code *code, const Functions *functions)
{
    for (int k = 0; k < code->program.step_count; k++) {
        const RtStep *step = &code->program.steps[k];
        code->statistics.kernels += step->loop ? 0 : step->beside + 1;
        code->statistics.groups += !step->loop;
        k += step->beside;
    }
    code->statistics.functions = functions->all.count;
    code->statistics.cached = code->objects.cached;
    for (int k = 0; k < code->objects.count; k++) {
        code->statistics.llvm_seconds += code->objects.at[k].seconds;
        code->statistics.code_bytes += (int64_t)LLVMGetBufferSize(code->objects.at[k].bytes);
    }
}

static bool compile_and_link(Code *code, Functions *functions, const char *entry, const CodeOptions *options,
                             Diagnostics *d)
{
    code->objects = compile_functions(code->arena, functions, entry, options);
    const char *why = first_error(&code->objects);
    write_dumps(&code->objects, options);
    CodeTable *table = options->table;
    Linked *linked = NULL;
    if (!why && functions->all.count > 0)
        linked = link_objects(table ? table->arena : code->arena, &code->objects, functions, options->debug_lines,
                              &why);
    if (linked && table) table_take(table, functions, linked);
    else code->linked = linked;
    if (why) diag_error(d, (Place){0}, "entry %s cannot be compiled: %s", entry, why);
    return !why;
}

/* Products run elsewhere, a scan is rows of its own, and tensors without elements need no code. */
static bool has_function(const Kernel *kernel)
{
    bool writes = false;
    for (int k = 0; k < kernel->outputs.count; k++)
        writes = writes || type_value_elements(&kernel->outputs.at[k]->type) != 0;
    return kernel->kind != KERNEL_contract && kernel->kind != KERNEL_scan && writes;
}

/* On the tiles that it can run on, if their columns are one axis of its nest. */
static Signature *find_signature(Arena *arena, const Plan *plan, int position, Blas blas, Tiles *tiles)
{
    *tiles = tiles_before(plan, position, blas);
    Signature *s = signature_tiled(arena, plan, plan->kernels.at[position], *tiles);
    if (!s->tiles.columns) return s;
    Nest nest = nest_find(arena, s);
    if (nest_fits_tiles(s, &nest)) return s;
    *tiles = (Tiles){0};
    return signature_new(arena, plan, plan->kernels.at[position]);
}

bool code_on_tiles(const Plan *plan, int position, Blas blas)
{
    Tiles tiles;
    Arena *scratch = arena_new();
    bool on = plan->kernels.at[position]->kind == KERNEL_loop &&
              find_signature(scratch, plan, position, blas, &tiles)->tiles.columns > 0;
    arena_free(scratch);
    return on;
}

static ProductCalls find_product(Arena *arena, Functions *functions, const Kernel *kernel, Blas blas)
{
    View a, b;
    Contraction c;
    bool fits = kernel_product(kernel, &a, &b, &c);
    assert(fits);
    if (product_server(&c.types, blas) != BLAS_none) return (ProductCalls){0};
    ProductCalls p = {.run = function_of_product(arena, functions, ROLE_product, c.types)};
    if (kernel->parts >= 0) p.sum = function_of_product(arena, functions, ROLE_product_sum, c.types);
    return p;
}

Calls *calls_find(Arena *arena, Functions *functions, const Plan *plan, Blas blas)
{
    int count = plan->kernels.count;
    Calls *calls = arena_new_of(arena, Calls);
    calls->blas = blas;
    calls->product = arena_array(arena, ProductCalls, count + 1);
    calls->function = arena_array(arena, Function *, count + 1);
    calls->signature = arena_array(arena, Signature *, count + 1);
    calls->body = arena_array(arena, Calls *, count + 1);
    calls->tiles = arena_array(arena, Tiles, count + 1);
    for (int k = 0; k < count; k++) {
        const Kernel *kernel = plan->kernels.at[k];
        if (kernel->kind == KERNEL_scan) calls->body[k] = calls_find(arena, functions, kernel->body, blas);
        if (kernel->kind == KERNEL_contract) calls->product[k] = find_product(arena, functions, kernel, blas);
        if (!has_function(kernel)) continue;
        calls->signature[k] = find_signature(arena, plan, k, blas, &calls->tiles[k]);
        calls->function[k] = function_find(arena, functions, calls->signature[k]);
        if (calls->tiles[k].columns && calls->product[k - 1].run)
            calls->product[k - 1].tiled = function_of_product(arena, functions, ROLE_product_tiled, (ProductTypes){0});
    }
    return calls;
}

Code *code_compile(const Plan *plan, const char *entry, const CodeOptions *options, Diagnostics *d)
{
    Arena *arena = arena_new(), *scratch = arena_new();
    Code *code = arena_new_of(arena, Code);
    *code = (Code){.arena = arena};
    Functions functions = {.known = options->table ? options->table->by_text : NULL};
    const Calls *calls = calls_find(scratch, &functions, plan, options->blas);
    bool done = compile_and_link(code, &functions, entry, options, d);
    if (done) {
        const char *why = table_build(arena, plan, entry, calls, &code->program, &code->rows);
        if (why) diag_error(d, (Place){0}, "entry %s cannot be compiled: %s", entry, why);
        done = !why;
    }
    if (done) fill_statistics(code, &functions);
    arena_free(scratch);
    if (done) return code;
    code_free(code);
    return NULL;
}

const Program *code_program(const Code *code) { return &code->program; }

const CodeRow *code_rows(const Code *code) { return code->rows; }

CodeStatistics code_statistics(const Code *code) { return code->statistics; }

void code_free(Code *code)
{
    if (!code) return;
    link_free(code->linked);
    objects_free(&code->objects);
    arena_free(code->arena);
}
