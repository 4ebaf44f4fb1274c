/* A command's view of one model file: parsed, its data read, elaborated, with the diagnostics so far. */
#ifndef PTM_CLI_SESSION_H
#define PTM_CLI_SESSION_H

#include "codegen/codegen.h"
#include "frontend/ast.h"
#include "frontend/cli/options.h"
#include "passes/passes.h"

#include <time.h>

struct HostData;
struct Record;

typedef struct Session {
    Arena           *arena;
    const Options   *options;            /* as given, or completed: see record */
    Diagnostics     *diagnostics;
    const Ast       *ast;
    Model           *model;
    struct HostData *data;               /* what `data` has read; owned */
    const struct Record *record;         /* of the run that --resume goes on with, whose flags complete the options; or
                                            NULL */
    struct timespec  opened;
    Host             host;
} Session;

/* Opens options->argument. False after printing what is wrong; close it all the same. */
bool session_open(Session *s, const Options *options);
/* Only parses: s->model stays NULL. */
bool session_parse(Session *s, const Options *options);
void session_close(Session *s);

/* Gives dimensions the values of --dim. False after saying which has another one already. */
bool session_bind_dimensions(const Session *s, Dims *dims);

/* Prints the diagnostics to standard error; true when there is no error among them. */
bool session_report(Session *s);

/* The clock since the session was opened. */
double session_seconds(const Session *s);

/* Prints an error of the command itself ("ptm train: ...") and returns EXIT_BAD_INPUT. */
int session_fail(const Session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A compiled entry. */
typedef struct Build {
    const Graph *graph;                  /* as elaborated */
    Plan  *plan;
    Code  *code;                         /* owned; NULL before */
    const Program *program;
} Build;

/* Runs the passes and compiles. The options' layout is required. False after printing diagnostics. */
bool build_graph(Session *s, const Graph *graph, PassOptions *passes, Build *out);
void build_free(Build *b);

/* The training step of the model's `train` block: its graph, the optimizer's code for each parameter, the pass options
 * that go with them. */
typedef struct StepSource {
    Graph       *graph;
    PassOptions  passes;
    int64_t      steps, epoch_steps;
} StepSource;
bool step_source(Session *s, StepSource *out);

/* One layout for everything the model's graphs keep between calls. */
Layout *session_layout(Session *s, const StepSource *step, Graph *const *others, int other_count);

/* A program that gives every parameter (and every state of `states`, the step's graphs) its initial value from
 * "seed". */
bool build_initial(Session *s, const StepSource *step, const Layout *layout, Build *out);

#endif
