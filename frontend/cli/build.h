/* Graphs to running code, and where what outlives a call lies. */
#ifndef PTM_CLI_BUILD_H
#define PTM_CLI_BUILD_H

#include "codegen/codegen.h"
#include "frontend/cli/session.h"
#include "passes/passes.h"

typedef Vec(const Graph *) Graphs;

typedef struct Build {
    const Graph *graph;                  /* as elaborated */
    Plan  *plan;
    Code  *code;                         /* owned; NULL before */
    const Program *program;
    PassNotes notes;                     /* of the passes */
} Build;

/* What the flags say of products, and of compiling. */
Blas        build_blas(const Options *options);
DType       build_precision(const Options *options);         /* PassOptions.precision */
CodeOptions build_options(const Session *s);

/* Runs the passes; compiles; both. The options' layout is required. False after printing diagnostics. */
bool build_plan(Session *s, const Graph *graph, const PassOptions *passes, Build *out);
bool build_code(Session *s, Build *out);
bool build_graph(Session *s, const Graph *graph, const PassOptions *passes, Build *out);
void build_free(Build *b);

/* A graph of all tables: they have their place whether or not another one reads them, since a checkpoint holds them. */
const Graph *build_tables(Session *s);

/* The graphs' parameters as they lie in memory: some of them narrower, as --weight-type says. */
const Graph *build_params(Session *s, const Graphs *graphs, Map **narrow);

/* Places of the parameters of these graphs and of all tables: one layout for everything that a command runs. States
 * have places of their own (job.h). */
Layout *build_layout(Session *s, const Graphs *graphs);

/* Adds to a graph of initial values the one that `code` computes: an update of the input `name`. */
void build_initial_value(Graph *into, Storage storage, const char *name, Type type, const Graph *code);

/* A graph that gives every parameter of the layout its initial value from "seed"; the program of it. */
Graph *build_initial_graph(Session *s, const Layout *layout);
bool build_initial(Session *s, const Layout *layout, Build *out);

#endif
