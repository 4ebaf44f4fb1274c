/* From a plan to a Program: distinct kernels, object bytes, linked code, table. */
#include "codegen/codegen.h"
#include "codegen/compile.h"

#include <llvm-c/Core.h>

#include <stdlib.h>
#include <string.h>

struct Code {
    Arena   *arena;                      /* of the table and everything it points to */
    Program  program;
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

static void fill_statistics(Code *code, const Functions *functions, const Plan *plan)
{
    code->statistics.product_bytes = code->program.block_bytes[BLOCK_work] - plan->block_bytes[MEMORY_work];
    code->statistics.kernels = code->program.step_count;
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

/* Products run elsewhere, and tensors without elements need no code. */
static bool has_function(const Kernel *kernel)
{
    bool writes = false;
    for (int k = 0; k < kernel->outputs.count; k++)
        writes = writes || type_value_elements(&kernel->outputs.at[k]->type) != 0;
    return kernel->kind != KERNEL_contract && writes;
}

Code *code_compile(const Plan *plan, const char *entry, const CodeOptions *options, Diagnostics *d)
{
    Arena *arena = arena_new(), *scratch = arena_new();
    Code *code = arena_new_of(arena, Code);
    *code = (Code){.arena = arena};
    int count = plan->kernels.count;
    Functions functions = {0};
    Function **function_of = arena_array(scratch, Function *, count + 1);
    Signature **signatures = arena_array(scratch, Signature *, count + 1);
    for (int k = 0; k < count; k++) {
        if (!has_function(plan->kernels.at[k])) continue;
        signatures[k] = signature_new(scratch, plan, plan->kernels.at[k]);
        function_of[k] = function_find(scratch, &functions, signatures[k]);
    }
    bool done = compile_and_link(code, &functions, entry, options, d);
    if (done) {
        table_build(arena, plan, entry, function_of, signatures, &code->program);
        fill_statistics(code, &functions, plan);
    }
    arena_free(scratch);
    if (done) return code;
    code_free(code);
    return NULL;
}

const Program *code_program(const Code *code) { return &code->program; }

CodeStatistics code_statistics(const Code *code) { return code->statistics; }

void code_free(Code *code)
{
    if (!code) return;
    link_free(code->linked);
    objects_free(&code->objects);
    arena_free(code->arena);
}
