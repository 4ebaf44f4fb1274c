/* The files a model was read from, as a run directory keeps them: under "model/", each where its import finds it. */
#ifndef PTM_CLI_SOURCES_H
#define PTM_CLI_SOURCES_H

#include "frontend/ast.h"

typedef struct ModelFile {
    const char   *name;                  /* "model/gpt.ptm", "model/lib/transformer.ptm" */
    const Source *source;
} ModelFile;
typedef Vec(ModelFile) ModelFiles;

/* The root file first; then its imports, each before its own, in the order in which they stand. Not the prelude. */
ModelFiles model_files(Arena *arena, const Ast *ast);

#endif
