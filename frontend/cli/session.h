/* A command's view of one model file: parsed, its data read, elaborated, with the diagnostics so far. */
#ifndef PTM_CLI_SESSION_H
#define PTM_CLI_SESSION_H

#include "frontend/ast.h"
#include "frontend/cli/options.h"
#include "frontend/frontend.h"


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
    const char      *layout;             /* of --weights NAME:FILE: the weights block; or NULL */
    Host             host;
    struct CodeTable *codes;             /* of all programs that the command compiles; owned */
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

/* Whether every --data was read by then, and whether --weights is given. False after saying what is wrong. */
bool session_data_is_used(const Session *s);
bool session_has_weights(const Session *s);

/* Prints an error of the command itself ("ptm train: ...") and returns EXIT_BAD_INPUT. */
int session_fail(const Session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
