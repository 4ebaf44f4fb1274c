/* Distinct kernels to object bytes: shared out over compiler threads by cost, one context, module and target machine
 * each. */
#include "codegen/cache.h"
#include "codegen/compile.h"
#include "codegen/debug.h"
#include "codegen/emit.h"
#include "codegen/product.h"
#include "codegen/target.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FUNCTIONS_PER_THREAD = 4,            /* fewer are not worth a thread's own context and target machine */
    PRODUCT_COST = 400,                  /* of a product's functions, as the cost of kernels counts */
    MAX_COMPILERS = 64
};

/* The emitter places code outside loops itself; these remove what it built twice. */
static const char *const PASSES = "function(early-cse,instcombine<no-verify-fixpoint>,early-cse)";

static Function *find(Arena *arena, Functions *functions, const char *text)
{
    if (!functions->by_text) functions->by_text = map_new(arena);
    Function *known = map_get(functions->by_text, text);
    return known || !functions->known ? known : map_get(functions->known, text);
}

static Function *add(Arena *arena, Functions *functions, const char *text)
{
    Function *f = arena_new_of(arena, Function);
    f->text = text;
    snprintf(f->name, sizeof f->name, "kernel_%d", functions->all.count);
    map_set(functions->by_text, text, f);
    vec_push(arena, &functions->all, f);
    return f;
}

Function *function_find(Arena *arena, Functions *functions, const Signature *s)
{
    Function *f = find(arena, functions, s->text);
    if (f) return f;
    f = add(arena, functions, s->text);
    f->signature = s;
    f->nest = nest_find(arena, s);
    f->grid = nest_grid(s, &f->nest);
    f->cost = 8 + 2 * s->members.count * (1 + s->kernel->r_rank + (f->grid.lane_extent % LANES != 0));
    return f;
}

Function *function_of_product(Arena *arena, Functions *functions, Role role, ProductTypes types)
{
    static const char *const roles[] = {"", "tiles", "tiles and then", "sum of parts"};
    const char *of = role == ROLE_product_tiled ? "any" : dtype_name(types.out);
    if (role == ROLE_product) of = product_name(arena, &types);
    const char *text = arena_print(arena, "product %s: %s", of, roles[role]);
    Function *f = find(arena, functions, text);
    if (f) return f;
    f = add(arena, functions, text);
    f->role = role;
    f->types = types;
    f->cost = role == ROLE_product ? PRODUCT_COST : PRODUCT_COST / 20;
    return f;
}

const char *code_kernel_llvm(Arena *arena, const Plan *plan, int kernel)
{
    Functions functions = {0};
    const Function *f = function_find(arena, &functions, signature_new(arena, plan, plan->kernels.at[kernel]));
    Unit *u = unit_new(arena, "kernel", true);
    emit_kernel(u, arena, f->signature, &f->nest, &f->grid, f->name);
    char *text = LLVMPrintModuleToString(u->module);
    const char *copy = arena_print(arena, "%s", text);
    LLVMDisposeMessage(text);
    unit_free(u);
    return copy;
}

/* One compiler thread. */
typedef struct Worker {
    const char *entry;
    const CodeOptions *options;
    const Target *target;
    Vec(Function *) functions;
    int64_t cost;
    Object  object;
    Arena  *arena;
    pthread_t thread;
} Worker;

static void add_attribute(const Unit *u, LLVMValueRef function, const char *name, const char *value)
{
    LLVMAttributeRef attribute =
        LLVMCreateStringAttribute(u->context, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

static void add_attributes(const Unit *u, LLVMValueRef function, const Target *target)
{
    if (LLVMIsDeclaration(function)) return;
    add_attribute(u, function, "target-cpu", target->cpu);
    add_attribute(u, function, "target-features", target->features);
    add_attribute(u, function, "no-builtins", "");
    const char *width = target->wide ? "512" : "256";
    add_attribute(u, function, "prefer-vector-width", width);
    add_attribute(u, function, "min-legal-vector-width", width);
    unsigned nounwind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(u->context, nounwind, 0));
}

LLVMValueRef function_emit(Unit *u, Arena *arena, const Function *f, const char *name, const Target *target)
{
    u->fused = target->fused;
    LLVMValueRef before = LLVMGetLastFunction(u->module), function;
    if (f->role == ROLE_kernel) {
        function = emit_kernel(u, arena, f->signature, &f->nest, &f->grid, name);
    } else {
        LLVMSetCurrentDebugLocation2(u->builder, NULL);      /* no line of a model's */
        function = product_emit(u, arena, f, name, target);
    }
    LLVMValueRef made = before ? LLVMGetNextFunction(before) : LLVMGetFirstFunction(u->module);
    for (; made; made = LLVMGetNextFunction(made)) add_attributes(u, made, target);
    return function;
}

void unit_verify(const Unit *u, const char *entry)
{
    char *why = NULL;
    if (LLVMVerifyModule(u->module, LLVMReturnStatusAction, &why)) {
        fprintf(stderr, "ptm: internal error: entry %s: the code generator made a wrong module\n%s\n", entry, why);
        abort();
    }
    LLVMDisposeMessage(why);
}

const char *unit_optimize(const Unit *u, Arena *arena, LLVMTargetMachineRef machine)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(u->module, PASSES, machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return NULL;
    char *message = LLVMGetErrorMessage(error);
    const char *copy = arena_print(arena, "%s", message);
    LLVMDisposeErrorMessage(message);
    return copy;
}

/* Code generation changes the module, so the assembly comes from a copy. */
static char *assembly_text(LLVMModuleRef module, LLVMTargetMachineRef machine)
{
    LLVMModuleRef copy = LLVMCloneModule(module);
    LLVMMemoryBufferRef buffer = NULL;
    char *why = NULL, *text = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, copy, LLVMAssemblyFile, &why, &buffer) == 0) {
        text = LLVMCreateMessage(LLVMGetBufferStart(buffer));
        LLVMDisposeMemoryBuffer(buffer);
    } else {
        LLVMDisposeMessage(why);
    }
    LLVMDisposeModule(copy);
    return text;
}

static const char *emit_object(Worker *w, Unit *u, LLVMTargetMachineRef machine)
{
    const char *error = unit_optimize(u, w->arena, machine);
    if (error) return error;
    if (w->options->llvm) w->object.llvm = LLVMPrintModuleToString(u->module);
    if (w->options->assembly) w->object.assembly = assembly_text(u->module, machine);
    char *why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, u->module, LLVMObjectFile, &why, &w->object.bytes) == 0)
        return NULL;
    error = arena_print(w->arena, "%s", why);
    LLVMDisposeMessage(why);
    return error;
}

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *work(void *context)
{
    Worker *w = context;
    double start = thread_seconds();
    Unit *u = unit_new(w->arena, w->entry, w->target->fused);
    LLVMTargetMachineRef machine = target_machine(w->target);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetTarget(u->module, w->target->triple);
    LLVMSetModuleDataLayout(u->module, layout);
    LLVMDisposeTargetData(layout);
    if (w->options->debug_lines) debug_open(u, w->arena, w->entry);
    for (int k = 0; k < w->functions.count; k++) {
        const Function *f = w->functions.at[k];
        function_emit(u, w->arena, f, f->name, w->target);
    }
    debug_close(u);
    unit_verify(u, w->entry);
    w->object.error = emit_object(w, u, machine);
    LLVMDisposeTargetMachine(machine);
    unit_free(u);
    w->object.seconds = thread_seconds() - start;
    return NULL;
}

static int worker_count(const Functions *functions, const CodeOptions *options)
{
    long count = options->threads > 0 ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    int useful = (functions->all.count + FUNCTIONS_PER_THREAD - 1) / FUNCTIONS_PER_THREAD;
    if (count > useful) count = useful;
    if (count > MAX_COMPILERS) count = MAX_COMPILERS;
    return count < 1 ? 1 : (int)count;
}

static int by_cost(const void *x, const void *y)
{
    const Function *a = *(Function *const *)x, *b = *(Function *const *)y;
    if (a->cost != b->cost) return a->cost < b->cost ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* The dearest first, each to the worker with the least. */
static void share_out(Arena *arena, const Functions *functions, Worker *worker, int count)
{
    Function **sorted = arena_array(arena, Function *, functions->all.count + 1);
    memcpy(sorted, functions->all.at, sizeof *sorted * (size_t)functions->all.count);
    qsort(sorted, (size_t)functions->all.count, sizeof *sorted, by_cost);
    for (int k = 0; k < functions->all.count; k++) {
        Worker *least = &worker[0];
        for (int j = 1; j < count; j++)
            if (worker[j].cost < least->cost) least = &worker[j];
        least->cost += sorted[k]->cost;
        vec_push(arena, &least->functions, sorted[k]);
    }
}

static void run_workers(Worker *worker, int count)
{
    bool started[MAX_COMPILERS] = {0};
    for (int k = 1; k < count; k++) started[k] = pthread_create(&worker[k].thread, NULL, work, &worker[k]) == 0;
    work(&worker[0]);
    for (int k = 1; k < count; k++) {
        if (started[k])
            pthread_join(worker[k].thread, NULL);
        else
            work(&worker[k]);
    }
}

/* Compiles; the objects are as many as there are workers. */
static Objects compile_afresh(Arena *arena, const Functions *functions, const char *entry, const CodeOptions *options,
                              const Target *target)
{
    Objects objects = {.count = worker_count(functions, options)};
    objects.at = arena_array(arena, Object, objects.count);
    Worker *worker = arena_array(arena, Worker, objects.count);
    for (int k = 0; k < objects.count; k++)
        worker[k] = (Worker){.entry = entry, .options = options, .target = target, .arena = arena_new()};
    share_out(arena, functions, worker, objects.count);
    run_workers(worker, objects.count);
    for (int k = 0; k < objects.count; k++) {
        objects.at[k] = worker[k].object;
        if (worker[k].object.error) objects.at[k].error = arena_print(arena, "%s", worker[k].object.error);
        arena_free(worker[k].arena);
    }
    return objects;
}

static bool all_compiled(const Objects *objects)
{
    for (int k = 0; k < objects->count; k++)
        if (!objects->at[k].bytes) return false;
    return true;
}

Objects compile_functions(Arena *arena, const Functions *functions, const char *entry, const CodeOptions *options)
{
    Objects objects = {0};
    if (functions->all.count == 0) return objects;
    Target target;
    if (!target_find(&target)) {
        objects.at = arena_new_of(arena, Object);
        objects.count = 1;
        objects.at[0].error = "LLVM was built without a code generator for this processor";
        return objects;
    }
    Arena *scratch = arena_new();
    bool keep = options->cache && !options->llvm && !options->assembly;
    const char *key = keep ? cache_key(scratch, functions, entry, options, &target) : NULL;
    objects.cached = key && cache_load(arena, options->cache, key, &objects);
    if (!objects.cached) objects = compile_afresh(arena, functions, entry, options, &target);
    if (!objects.cached && key && all_compiled(&objects)) cache_store(scratch, options->cache, key, &objects);
    arena_free(scratch);
    target_free(&target);
    return objects;
}

void objects_free(Objects *objects)
{
    for (int k = 0; k < objects->count; k++) {
        Object *o = &objects->at[k];
        if (o->bytes) LLVMDisposeMemoryBuffer(o->bytes);
        if (o->llvm) LLVMDisposeMessage(o->llvm);
        if (o->assembly) LLVMDisposeMessage(o->assembly);
        *o = (Object){0};
    }
}
