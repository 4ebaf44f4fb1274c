/* Programs into one module, the module into bytes. */
#include "codegen/export_parts.h"
#include "codegen/emit.h"

#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Linker.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- targets ---- */

/* What code is made for unless one processor is named: by architecture, the narrowest first. */
typedef struct SetName {
    const char *architecture, *name, *cpu;
} SetName;
static const SetName sets[] = {
    {"x86_64", "x86-64", "x86-64"},
    {"x86_64", "avx2", "x86-64-v3"},
    {"x86_64", "avx512", "x86-64-v4"},
};

static const char *add_set(Export *e, const char *name, const char *cpu)
{
    const char *features = e->options.features ? e->options.features : "";
    Target *target = &e->set[e->set_count];
    char *why = target_named(e->options.triple, cpu, features, target);
    if (why) {
        const char *copy = arena_print(e->arena, "%s", why);
        LLVMDisposeMessage(why);
        return copy;
    }
    e->set_name[e->set_count++] = name ? name : arena_print(e->arena, "%s", target->cpu);
    return NULL;
}

static const char *add_sets(Export *e)
{
    const char *why = add_set(e, NULL, e->options.cpu);
    if (why || e->options.cpu || e->options.features) return why;
    const char *triple = e->set[0].triple;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        if (strncmp(triple, sets[k].architecture, strlen(sets[k].architecture))) continue;
        if (!strcmp(sets[k].cpu, e->set[0].cpu)) e->set_name[0] = sets[k].name;
        else if ((why = add_set(e, sets[k].name, sets[k].cpu))) return why;
    }
    return NULL;
}

/* Tables have 64-bit pointers, and blocks of data are bytes of a little-endian host. */
static bool has_layout(const Export *e)
{
    LLVMTargetMachineRef machine = target_machine(&e->set[0]);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    bool good = LLVMPointerSize(layout) == 8 && LLVMByteOrder(layout) == LLVMLittleEndian;
    LLVMDisposeTargetData(layout);
    LLVMDisposeTargetMachine(machine);
    return good;
}

Export *export_new(Arena *arena, const ExportOptions *options, Diagnostics *d)
{
    Export *e = arena_new_of(arena, Export);
    *e = (Export){.arena = arena, .options = *options};
    const char *why = add_sets(e);
    if (!why && !has_layout(e)) why = "code is made for 64-bit little-endian processors";
    if (!why) return e;
    diag_error(d, (Place){0}, "target %s: %s", options->triple ? options->triple : "of this host", why);
    export_free(e);
    return NULL;
}

void export_free(Export *e)
{
    if (!e) return;
    for (int k = 0; k < e->set_count; k++) target_free(&e->set[k]);
    if (e->bytes) LLVMDisposeMemoryBuffer(e->bytes);
    if (e->text) LLVMDisposeMessage(e->text);
    e->set_count = 0;
    e->bytes = NULL;
    e->text = NULL;
}

int export_set_count(const Export *e) { return e->set_count; }

const char *export_set_name(const Export *e, int set) { return e->set_name[set]; }

/* ---- programs ---- */

int export_kernel(const Export *e, RtKernel *address)
{
    uintptr_t number = (uintptr_t)address;
    return number >= 1 && number <= (uintptr_t)e->functions.all.count ? (int)number - 1 : -1;
}

/* In place of an address each function has its number, from 1 on. */
static void number_functions(Functions *functions)
{
    for (int k = 0; k < functions->all.count; k++)
        functions->all.at[k]->address = (RtKernel *)(uintptr_t)(k + 1);
}

int export_program(Export *e, const Plan *plan, const char *entry, Diagnostics *d)
{
    ExportProgram *p = arena_new_of(e->arena, ExportProgram);
    const Calls *calls = calls_find(e->arena, &e->functions, plan, e->options.blas);
    number_functions(&e->functions);
    const char *why = table_build(e->arena, plan, entry, calls, &p->program, &p->rows);
    if (why) {
        diag_error(d, (Place){0}, "entry %s cannot be compiled: %s", entry, why);
        return -1;
    }
    vec_push(e->arena, &e->programs, p);
    return e->programs.count - 1;
}

const Program *export_get(const Export *e, int program) { return &e->programs.at[program]->program; }

int64_t export_scratch_bytes(const Export *e)
{
    int64_t most = 0;
    for (int k = 0; k < e->programs.count; k++)
        if (e->programs.at[k]->program.scratch_bytes > most) most = e->programs.at[k]->program.scratch_bytes;
    return most;
}

/* ---- the module ---- */

const char *export_kernel_name(Arena *arena, int kernel, int set)
{
    return arena_print(arena, "ptm.kernel%d.%d", kernel, set);
}

const char *export_block_name(Arena *arena, RtBlock block)
{
    return arena_print(arena, "ptm.block.%s", block_name((MemoryBlock)block));
}

static void add_kernels(const Export *e, Unit *u)
{
    Arena *arena = arena_new();
    for (int set = 0; set < e->set_count; set++)
        for (int k = 0; k < e->functions.all.count; k++)
            function_emit(u, arena, e->functions.all.at[k], export_kernel_name(arena, k, set), &e->set[set]);
    arena_free(arena);
}

static void add_blocks(const Export *e, const ExportContents *contents, Unit *u)
{
    for (int b = 0; b < BLOCK_COUNT; b++) {
        if (!contents->block[b]) continue;
        LLVMValueRef bytes = LLVMConstStringInContext2(u->context, contents->block[b], (size_t)contents->block_bytes[b],
                                                       true);
        LLVMValueRef block = LLVMAddGlobal(u->module, LLVMTypeOf(bytes), export_block_name(e->arena, (RtBlock)b));
        LLVMSetInitializer(block, bytes);
        LLVMSetGlobalConstant(block, true);
        LLVMSetAlignment(block, 64);
    }
}

/* What the text and the kernels know of each other by name is nobody else's. */
static void hide(const Export *e, const ExportContents *contents, Unit *u)
{
    for (int set = 0; set < e->set_count; set++)
        for (int k = 0; k < e->functions.all.count; k++)
            LLVMSetLinkage(LLVMGetNamedFunction(u->module, export_kernel_name(e->arena, k, set)), LLVMInternalLinkage);
    for (int b = 0; b < BLOCK_COUNT; b++)
        if (contents->block[b])
            LLVMSetLinkage(LLVMGetNamedGlobal(u->module, export_block_name(e->arena, (RtBlock)b)), LLVMInternalLinkage);
}

static void add_text(const Export *e, const ExportContents *contents, Unit *u)
{
    char *text = NULL, *why = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        perror("ptm");
        exit(1);
    }
    export_write_text(e, contents, out);
    if (fclose(out)) {
        perror("ptm");
        exit(1);
    }
    LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, size, "tables");
    LLVMModuleRef module = NULL;
    if (LLVMParseIRInContext(u->context, buffer, &module, &why)) {
        fprintf(stderr, "ptm: internal error: the text of an object's tables is wrong: %s\n", why);
        abort();
    }
    free(text);
    LLVMSetTarget(module, LLVMGetTarget(u->module));
    LLVMSetDataLayout(module, LLVMGetDataLayoutStr(u->module));
    if (LLVMLinkModules2(u->module, module)) {
        fprintf(stderr, "ptm: internal error: an object's tables do not fit its kernels\n");
        abort();
    }
}

static Unit *make_unit(const Export *e, const ExportContents *contents, LLVMTargetMachineRef machine)
{
    Unit *u = unit_new(e->arena, contents->prefix, false);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetTarget(u->module, e->set[0].triple);
    LLVMSetModuleDataLayout(u->module, layout);
    LLVMDisposeTargetData(layout);
    add_kernels(e, u);
    add_blocks(e, contents, u);
    add_text(e, contents, u);
    hide(e, contents, u);
    unit_verify(u, contents->prefix);
    return u;
}

static const char *emit(Export *e, Unit *u, LLVMTargetMachineRef machine, ExportForm form)
{
    const char *why = unit_optimize(u, e->arena, machine);
    if (why) return why;
    if (form == FORM_llvm) {
        e->text = LLVMPrintModuleToString(u->module);
        return NULL;
    }
    char *message = NULL;
    LLVMCodeGenFileType type = form == FORM_asm ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, u->module, type, &message, &e->bytes) == 0) return NULL;
    why = arena_print(e->arena, "%s", message);
    LLVMDisposeMessage(message);
    return why;
}

const char *export_emit(Export *e, const ExportContents *contents, ExportForm form, int64_t *size, Diagnostics *d)
{
    LLVMTargetMachineRef machine = target_machine(&e->set[0]);
    Unit *u = make_unit(e, contents, machine);
    const char *why = emit(e, u, machine, form);
    unit_free(u);
    LLVMDisposeTargetMachine(machine);
    if (why) {
        diag_error(d, (Place){0}, "%s cannot be compiled: %s", contents->prefix, why);
        return NULL;
    }
    *size = e->text ? (int64_t)strlen(e->text) : (int64_t)LLVMGetBufferSize(e->bytes);
    return e->text ? e->text : LLVMGetBufferStart(e->bytes);
}
