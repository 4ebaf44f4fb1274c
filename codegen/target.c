/* The host and other processors: names and features, target machines for the compiler threads. */
#include "codegen/codegen.h"
#include "codegen/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool begins(const char *text, const char *with) { return !strncmp(text, with, strlen(with)); }

/* What the features of the host say. */
static void read_features(Target *t)
{
    t->wide = strstr(t->features, "+avx512f") != NULL;
    t->dots = t->wide && strstr(t->features, "+avx512bf16") != NULL;
    t->fused = strstr(t->features, "+fma") != NULL || begins(t->triple, "aarch64");
}

/* A multiply-add of 16 lanes, and rounding to bf16: what becomes of them says what a processor has, whatever its name
 * implies. */
static const char PROBE[] =
    "define <16 x float> @probe(<16 x float> %a, <16 x float> %b, <16 x float> %c) \"prefer-vector-width\"=\"512\"\n"
    "    \"min-legal-vector-width\"=\"512\" {\n"
    "  %r = call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %b, <16 x float> %c)\n"
    "  ret <16 x float> %r\n"
    "}\n"
    "define <16 x bfloat> @round(<16 x float> %a) \"prefer-vector-width\"=\"512\"\n"
    "    \"min-legal-vector-width\"=\"512\" {\n"
    "  %r = fptrunc <16 x float> %a to <16 x bfloat>\n"
    "  ret <16 x bfloat> %r\n"
    "}\n"
    "declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)\n";

static void probe(Target *t)
{
    LLVMContextRef context = LLVMContextCreate();
    LLVMTargetMachineRef machine = target_machine(t);
    LLVMMemoryBufferRef text = LLVMCreateMemoryBufferWithMemoryRangeCopy(PROBE, sizeof PROBE - 1, "probe");
    LLVMMemoryBufferRef assembly = NULL;
    LLVMModuleRef module = NULL;
    char *why = NULL;
    if (LLVMParseIRInContext(context, text, &module, &why) == 0 &&
        LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &why, &assembly) == 0) {
        const char *code = LLVMGetBufferStart(assembly);
        t->wide = strstr(code, "zmm") != NULL;
        t->fused = strstr(code, "fmaf") == NULL;
        t->dots = t->wide && strstr(code, "vcvtneps2bf16") != NULL;
        LLVMDisposeMemoryBuffer(assembly);
    }
    if (why) LLVMDisposeMessage(why);
    if (module) LLVMDisposeModule(module);
    LLVMDisposeTargetMachine(machine);
    LLVMContextDispose(context);
}

bool target_find(Target *target)
{
    *target = (Target){0};
    if (LLVMInitializeNativeTarget() || LLVMInitializeNativeAsmPrinter()) return false;
    target->triple = LLVMGetDefaultTargetTriple();
    target->cpu = LLVMGetHostCPUName();
    target->features = LLVMGetHostCPUFeatures();
    read_features(target);
    char *why = NULL;
    if (LLVMGetTargetFromTriple(target->triple, &target->handle, &why) == 0) return true;
    LLVMDisposeMessage(why);
    target_free(target);
    return false;
}

static void initialize_all(void)
{
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
    LLVMInitializeAllAsmParsers();
    LLVMInitializeAllDisassemblers();
}

/* LLVM's word on names that it does not know goes to standard error, and code generation goes on without them, or ends
 * the process: so they are asked for once, and what it says is taken from there. NULL, or the reason, in its memory. */
static char *find_complaint(const Target *t)
{
    char text[4096];
    int ends[2], kept = dup(STDERR_FILENO);
    if (kept < 0 || pipe(ends)) return LLVMCreateMessage(strerror(errno));
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    LLVMDisasmContextRef context = LLVMCreateDisasmCPUFeatures(t->triple, t->cpu, t->features, NULL, 0, NULL, NULL);
    if (context) LLVMDisasmDispose(context);
    dup2(kept, STDERR_FILENO);
    close(kept);
    ssize_t size = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    if (size <= 0) return NULL;
    text[size] = 0;
    char *end = strstr(text, " (ignoring");
    if (end) *end = 0;
    return LLVMCreateMessage(text);
}

static char *features_of(const char *cpu, const char *features)
{
    if (!cpu || strcmp(cpu, "native")) return LLVMCreateMessage(features);
    char *host = LLVMGetHostCPUFeatures(), *all = malloc(strlen(host) + strlen(features) + 2);
    if (!all) abort();
    sprintf(all, "%s%s%s", host, *features ? "," : "", features);
    char *copy = LLVMCreateMessage(all);
    free(all);
    LLVMDisposeMessage(host);
    return copy;
}

char *target_named(const char *triple, const char *cpu, const char *features, Target *target)
{
    initialize_all();
    *target = (Target){.triple = triple ? LLVMNormalizeTargetTriple(triple) : LLVMGetDefaultTargetTriple()};
    const char *least = begins(target->triple, "x86_64") ? "x86-64" : "generic";
    target->features = features_of(cpu, features);
    target->cpu = cpu && !strcmp(cpu, "native") ? LLVMGetHostCPUName() : LLVMCreateMessage(cpu ? cpu : least);
    char *why = NULL;
    if (LLVMGetTargetFromTriple(target->triple, &target->handle, &why) == 0 && !(why = find_complaint(target))) {
        probe(target);
        return NULL;
    }
    target_free(target);
    return why;
}

RegisterTile target_register_tile(const Target *target, int64_t element_bytes)
{
    bool neon = !strncmp(target->triple, "aarch64", 7), avx = strstr(target->features, "+avx2") != NULL;
    bool narrow = element_bytes == 4;
    if (target->wide) return narrow ? (RegisterTile){12, 2} : (RegisterTile){12, 1};     /* 32 registers of 64 bytes */
    if (neon) return narrow ? (RegisterTile){6, 1} : (RegisterTile){3, 1};               /* 32 of 16 */
    if (avx) return narrow ? (RegisterTile){6, 1} : (RegisterTile){3, 1};                /* 16 of 32 */
    return narrow ? (RegisterTile){3, 1} : (RegisterTile){1, 1};                         /* 16 of 16 */
}

void target_free(Target *target)
{
    if (target->triple) LLVMDisposeMessage(target->triple);
    if (target->cpu) LLVMDisposeMessage(target->cpu);
    if (target->features) LLVMDisposeMessage(target->features);
    *target = (Target){0};
}

LLVMTargetMachineRef target_machine(const Target *target)
{
    return LLVMCreateTargetMachine(target->handle, target->triple, target->cpu, target->features,
                                   LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall);
}

const char *code_target(Arena *arena)
{
    Target target;
    if (!target_find(&target)) return "none";
    const char *vectors = target.wide ? "avx512" : strstr(target.features, "+avx2") ? "avx2" : "baseline vectors";
    const char *text = arena_print(arena, "%s, %s, 16 lanes", target.cpu, vectors);
    target_free(&target);
    return text;
}
