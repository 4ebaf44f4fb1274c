/* From a plan to a Program: distinct kernels, object bytes, linked code, table. */
#include "codegen/codegen.h"
#include "codegen/compile.h"

#include <llvm-c/Core.h>

#include <stdlib.h>
#include <string.h>

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
    if (!why && functions->all.count > 0)
        code->linked = link_objects(code->arena, &code->objects, functions, options->debug_lines, &why);
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

static Calls *find_calls(Arena *arena, Functions *functions, const Plan *plan)
{
    int count = plan->kernels.count;
    Calls *calls = arena_new_of(arena, Calls);
    calls->function = arena_array(arena, Function *, count + 1);
    calls->signature = arena_array(arena, Signature *, count + 1);
    calls->body = arena_array(arena, Calls *, count + 1);
    for (int k = 0; k < count; k++) {
        const Kernel *kernel = plan->kernels.at[k];
        if (kernel->kind == KERNEL_scan) calls->body[k] = find_calls(arena, functions, kernel->body);
        if (!has_function(kernel)) continue;
        calls->signature[k] = signature_new(arena, plan, kernel);
        calls->function[k] = function_find(arena, functions, calls->signature[k]);
    }
    return calls;
}

Code *code_compile(const Plan *plan, const char *entry, const CodeOptions *options, Diagnostics *d)
{
    Arena *arena = arena_new(), *scratch = arena_new();
    Code *code = arena_new_of(arena, Code);
    *code = (Code){.arena = arena};
    Functions functions = {0};
    const Calls *calls = find_calls(scratch, &functions, plan);
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
