/* Line tables. A kernel's code carries the places of its nodes: the innermost one in a file of the user's, since files
 * of the prelude are nowhere on disk. */
#include "codegen/debug.h"

#include <llvm-c/DebugInfo.h>

#include <string.h>

typedef struct FileScope {
    const Source   *source;
    LLVMMetadataRef file, block;         /* block: of the function under construction, NULL until used in it */
} FileScope;

struct DebugLines {
    Arena *arena;
    LLVMDIBuilderRef builder;
    LLVMMetadataRef  unit, type;
    LLVMMetadataRef  function;           /* under construction */
    const Source    *function_source;
    Vec(FileScope)   files;
};

Place debug_place(const Node *node)
{
    if (node->origin_count == 0 || !node->origins[0]) return (Place){0};
    const Origin *origin = node->origins[0], *first = origin;
    while (origin && (!origin->place.source || origin->place.source->builtin)) origin = origin->caller;
    return origin ? origin->place : first->place;
}

static LLVMMetadataRef make_file(DebugLines *d, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *folder = slash ? arena_copy_text(d->arena, path, (size_t)(slash - path)) : ".";
    return LLVMDIBuilderCreateFile(d->builder, name, strlen(name), folder, strlen(folder));
}

static FileScope *find_file(DebugLines *d, const Source *source)
{
    for (int k = 0; k < d->files.count; k++)
        if (d->files.at[k].source == source) return &d->files.at[k];
    FileScope made = {source, make_file(d, source && source->path ? source->path : "?"), NULL};
    vec_push(d->arena, &d->files, made);
    return &d->files.at[d->files.count - 1];
}

static void add_flag(Unit *u, const char *name, unsigned value)
{
    LLVMMetadataRef number = LLVMValueAsMetadata(LLVMConstInt(u->i32, value, false));
    LLVMAddModuleFlag(u->module, LLVMModuleFlagBehaviorWarning, name, strlen(name), number);
}

void debug_open(Unit *u, Arena *arena, const char *entry)
{
    DebugLines *d = arena_new_of(arena, DebugLines);
    *d = (DebugLines){.arena = arena, .builder = LLVMCreateDIBuilder(u->module)};
    add_flag(u, "Debug Info Version", LLVMDebugMetadataVersion());
    add_flag(u, "Dwarf Version", 4);
    LLVMMetadataRef file = make_file(d, entry);
    d->unit = LLVMDIBuilderCreateCompileUnit(d->builder, LLVMDWARFSourceLanguageC, file, "ptm", 3, true, "", 0, 0, "",
                                             0, LLVMDWARFEmissionLineTablesOnly, 0, false, false, "", 0, "", 0);
    d->type = LLVMDIBuilderCreateSubroutineType(d->builder, file, NULL, 0, LLVMDIFlagZero);
    u->lines = d;
}

void debug_function(Unit *u, LLVMValueRef function, const Node *node, const char *name)
{
    DebugLines *d = u->lines;
    if (!d) return;
    Place place = debug_place(node);
    for (int k = 0; k < d->files.count; k++) d->files.at[k].block = NULL;
    FileScope *file = find_file(d, place.source);
    d->function =
        LLVMDIBuilderCreateFunction(d->builder, file->file, name, strlen(name), name, strlen(name), file->file,
                                    place.line, d->type, false, true, place.line, LLVMDIFlagZero, true);
    d->function_source = place.source;
    LLVMSetSubprogram(function, d->function);
    LLVMMetadataRef location =
        LLVMDIBuilderCreateDebugLocation(u->context, place.line, place.column, d->function, NULL);
    LLVMSetCurrentDebugLocation2(u->builder, location);
}

void debug_at(const Unit *u, const Node *node)
{
    DebugLines *d = u->lines;
    if (!d) return;
    Place place = debug_place(node);
    if (!place.source) return;
    LLVMMetadataRef scope = d->function;
    if (place.source != d->function_source) {
        FileScope *file = find_file(d, place.source);
        if (!file->block) file->block = LLVMDIBuilderCreateLexicalBlockFile(d->builder, d->function, file->file, 0);
        scope = file->block;
    }
    LLVMMetadataRef location = LLVMDIBuilderCreateDebugLocation(u->context, place.line, place.column, scope, NULL);
    LLVMSetCurrentDebugLocation2(u->builder, location);
}

void debug_close(Unit *u)
{
    if (!u->lines) return;
    LLVMDIBuilderFinalize(u->lines->builder);
    LLVMDisposeDIBuilder(u->lines->builder);
    u->lines = NULL;
    LLVMSetCurrentDebugLocation2(u->builder, NULL);
}
