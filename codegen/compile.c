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
#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FUNCTIONS_PER_MODULE = 4,            /* fewer are not worth a context and target machine of their own */
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

/* The same in every program: what is compiled once is linked with any. */
static const char *symbol_of(Arena *arena, const char *text)
{
    char *symbol = arena_copy_text(arena, text, strlen(text));
    for (char *c = symbol; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    return symbol;
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
    f->name = symbol_of(arena, text);
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
    emit_kernel(u, arena, f->signature, &f->nest, &f->grid, "kernel_0");
    char *text = LLVMPrintModuleToString(u->module);
    const char *copy = arena_print(arena, "%s", text);
    LLVMDisposeMessage(text);
    unit_free(u);
    return copy;
}

/* What one thread makes at a time: a context, module and target machine of its own. */
typedef struct Module {
    const char *entry;
    const CodeOptions *options;
    const Target *target;
    Functions functions;
    const char *key;                     /* of the cache, where the module alone is an entry; or NULL */
    int64_t cost;
    Object  object;
    Arena  *arena;
} Module;

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

static const char *emit_object(Module *m, Unit *u, LLVMTargetMachineRef machine)
{
    const char *error = unit_optimize(u, m->arena, machine);
    if (error) return error;
    if (m->options->llvm) m->object.llvm = LLVMPrintModuleToString(u->module);
    if (m->options->assembly) m->object.assembly = assembly_text(u->module, machine);
    char *why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, u->module, LLVMObjectFile, &why, &m->object.bytes) == 0)
        return NULL;
    error = arena_print(m->arena, "%s", why);
    LLVMDisposeMessage(why);
    return error;
}

static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void make(Module *m)
{
    double start = thread_seconds();
    m->arena = arena_new();
    Unit *u = unit_new(m->arena, m->entry, m->target->fused);
    LLVMTargetMachineRef machine = target_machine(m->target);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetTarget(u->module, m->target->triple);
    LLVMSetModuleDataLayout(u->module, layout);
    LLVMDisposeTargetData(layout);
    if (m->options->debug_lines) debug_open(u, m->arena, m->entry);
    for (int k = 0; k < m->functions.all.count; k++) {
        const Function *f = m->functions.all.at[k];
        function_emit(u, m->arena, f, f->name, m->target);
    }
    debug_close(u);
    unit_verify(u, m->entry);
    m->object.error = emit_object(m, u, machine);
    LLVMDisposeTargetMachine(machine);
    unit_free(u);
    m->object.seconds = thread_seconds() - start;
}

/* The modules to make, dearest first, and the one that no thread has taken yet. */
typedef struct Work {
    Module     **module;
    int          count;
    _Atomic int  next;
} Work;

static void *work(void *context)
{
    Work *w = context;
    for (int k; (k = atomic_fetch_add(&w->next, 1)) < w->count;) make(w->module[k]);
    return NULL;
}

static int compiler_count(const CodeOptions *options)
{
    long count = options->threads > 0 ? options->threads : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > MAX_COMPILERS ? MAX_COMPILERS : (int)count;
}

static void make_all(Work *w, int threads)
{
    pthread_t thread[MAX_COMPILERS];
    int started = 0;
    if (threads > w->count) threads = w->count;
    while (started + 1 < threads && pthread_create(&thread[started], NULL, work, w) == 0) started++;
    work(w);
    for (int k = 0; k < started; k++) pthread_join(thread[k], NULL);
}

static int by_cost(const void *x, const void *y)
{
    const Function *a = *(Function *const *)x, *b = *(Function *const *)y;
    if (a->cost != b->cost) return a->cost < b->cost ? 1 : -1;
    return strcmp(a->name, b->name);
}

static int dearest_first(const void *x, const void *y)
{
    const Module *a = *(Module *const *)x, *b = *(Module *const *)y;
    if (a->cost != b->cost) return a->cost < b->cost ? 1 : -1;
    return (a > b) - (a < b);            /* both lie in one array */
}

/* The dearest first, each to the module with the least. */
static void share_out(Arena *arena, const Functions *functions, Module *module, int count)
{
    Function **sorted = arena_array(arena, Function *, functions->all.count + 1);
    if (count) memcpy(sorted, functions->all.at, sizeof *sorted * (size_t)functions->all.count);
    qsort(sorted, (size_t)functions->all.count, sizeof *sorted, by_cost);
    for (int k = 0; k < functions->all.count; k++) {
        Module *least = &module[0];
        for (int j = 1; j < count; j++)
            if (module[j].cost < least->cost) least = &module[j];
        least->cost += sorted[k]->cost;
        vec_push(arena, &least->functions.all, sorted[k]);
    }
}

/* Compiling a list of functions, with what the cache has. */
typedef struct Compilation {
    Arena *arena;                        /* of the objects */
    Arena *scratch;
    const char *entry;
    const CodeOptions *options;
    CodeOptions plain;                   /* for what has no lines of a model's */
    const Target *target;
    Functions kernels, products;         /* products are made once for all models: each is a module and an entry */
    const char *key;                     /* of the kernels, which are one entry together; NULL: nothing is kept */
    Objects  known;                      /* the kernels', from there */
    Module  *module;
    int      kernel_modules, count;
} Compilation;

static const char *key_of(const Compilation *c, const Functions *functions, const CodeOptions *options)
{
    bool keep = options->cache && !options->llvm && !options->assembly && functions->all.count > 0;
    return keep ? cache_key(c->scratch, functions, c->entry, options, c->target) : NULL;
}

static bool is_known(const Compilation *c, const char *key, Objects *out)
{
    return key && cache_load(c->arena, c->options->cache, key, out);
}

static Module *add_module(Compilation *c, const CodeOptions *options)
{
    Module *m = &c->module[c->count++];
    *m = (Module){.entry = c->entry, .options = options, .target = c->target};
    return m;
}

/* Products first: the largest of them takes longer than any module of kernels. */
static void plan_modules(Compilation *c)
{
    int threads = compiler_count(c->options), kernels = c->kernels.all.count;
    c->module = arena_array(c->scratch, Module, c->products.all.count + threads);
    for (int k = 0; k < c->products.all.count; k++) {
        Module *m = add_module(c, &c->plain);
        vec_push(c->scratch, &m->functions.all, c->products.all.at[k]);
        m->cost = c->products.all.at[k]->cost;
        m->key = key_of(c, &m->functions, &c->plain);
        Objects found;
        if (!is_known(c, m->key, &found)) continue;
        m->object = found.at[0];
        m->object.cached = true;
    }
    int most = (kernels + FUNCTIONS_PER_MODULE - 1) / FUNCTIONS_PER_MODULE;
    c->key = key_of(c, &c->kernels, c->options);
    if (is_known(c, c->key, &c->known)) return;
    c->kernel_modules = most < threads ? most : threads;
    Module *first = &c->module[c->count];
    for (int k = 0; k < c->kernel_modules; k++) add_module(c, c->options);
    share_out(c->scratch, &c->kernels, first, c->kernel_modules);
}

static void make_missing(Compilation *c)
{
    Work w = {.module = arena_array(c->scratch, Module *, c->count)};
    for (int k = 0; k < c->count; k++)
        if (!c->module[k].object.bytes) w.module[w.count++] = &c->module[k];
    if (!w.count) return;
    qsort(w.module, (size_t)w.count, sizeof *w.module, dearest_first);
    make_all(&w, compiler_count(c->options));
}

static bool all_compiled(const Objects *objects)
{
    for (int k = 0; k < objects->count; k++)
        if (!objects->at[k].bytes) return false;
    return true;
}

static void keep(Compilation *c, const char *key, Object *at, int count)
{
    Objects made = {.count = count, .at = at};
    if (key && count && all_compiled(&made)) cache_store(c->scratch, c->options->cache, key, &made);
}

/* Of all modules, the kernels' last, wherever they come from. */
static Objects collect(Compilation *c)
{
    Objects all = {.at = arena_array(c->arena, Object, c->count + c->known.count + 1)};
    for (int k = 0; k < c->count; k++) {
        Module *m = &c->module[k];
        if (m->object.error) m->object.error = arena_print(c->arena, "%s", m->object.error);
        if (m->object.cached) all.cached++;
        else keep(c, m->key, &m->object, 1);
        all.at[all.count++] = m->object;
        arena_free(m->arena);
    }
    keep(c, c->key, all.at + all.count - c->kernel_modules, c->kernel_modules);
    for (int k = 0; k < c->known.count; k++) all.at[all.count++] = c->known.at[k];
    if (c->known.count) all.cached += c->kernels.all.count;
    return all;
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
    Compilation c = {.arena = arena, .scratch = arena_new(), .entry = entry, .options = options, .plain = *options,
                     .target = &target};
    c.plain.debug_lines = false;
    for (int k = 0; k < functions->all.count; k++) {
        Function *f = functions->all.at[k];
        if (f->role == ROLE_kernel) f->name = arena_print(arena, "kernel_%d", c.kernels.all.count);
        vec_push(c.scratch, f->role == ROLE_kernel ? &c.kernels.all : &c.products.all, f);
    }
    plan_modules(&c);
    make_missing(&c);
    objects = collect(&c);
    arena_free(c.scratch);
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
