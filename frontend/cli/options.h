/* The command line, read by the tables flags.def and commands.def. */
#ifndef PTM_CLI_OPTIONS_H
#define PTM_CLI_OPTIONS_H

#include "ir/base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Pair {
    const char *name, *value;            /* name "": not said, of NAMED */
} Pair;
typedef Vec(Pair) Pairs;
typedef Vec(Pairs) PairSets;
typedef Vec(const char *) Strings;

/* Not given: false, NULL, -1, NAN or an empty list. */
typedef struct Options {
    Arena      *arena;
    const char *command;
    const char *argument;                /* the model file, or help's topic; NULL when not given */
    FILE       *messages;                /* where errors and warnings go; NULL: to standard error */
    Strings     arguments;               /* all of them, of a command that takes several */
#define FIELD_YES    bool
#define FIELD_TEXT   const char *
#define FIELD_CHOICE const char *
#define FIELD_WHOLE  int64_t
#define FIELD_REAL   double
#define FIELD_BYTES  int64_t
#define FIELD_PAIRS  Pairs
#define FIELD_NAMED  Pairs
#define FIELD_SETS   PairSets
#define FIELD_TEXTS  Strings
#define FLAG(field, spelling, kind, most, value, doc) FIELD_##kind field;
#include "frontend/cli/flags.def"
#undef FLAG
} Options;

typedef struct Command {
    const char *name;
    int (*run)(const Options *options);
    const char *argument, *flags, *summary, *detail;
    FILE       *messages;                /* where errors of its command line go; NULL: to standard error */
} Command;

extern const Command commands[];         /* ends with name NULL */
const Command *command_find(const char *name);
void command_usage(const Command *command);                  /* the text of --help, to standard output */

/* A row of flags.def, for whoever lists them; value "": it takes none. */
typedef struct FlagText {
    char        spelling[32];            /* as typed, without the dashes */
    const char *value, *doc;
} FlagText;

/* The k-th flag of a command, from 0; false when there are no more. */
bool command_flag(const Command *command, int k, FlagText *out);

/* Reads argv after the command's name. False after saying on standard error what is wrong: misuse, exit status 2. */
bool options_read(const Command *command, int argc, char **argv, Options *out);

/* False after saying that a step, which writes weights, has them as f32: misuse too. */
bool options_weights_are_read(const Options *options, bool trains);

FILE *messages_of(const Options *options);

/* The exit statuses of every command. */
enum { EXIT_GOOD = 0, EXIT_BAD_INPUT = 1, EXIT_MISUSE = 2 };

#define COMMAND(name, function, argument, flags, summary, detail) int function(const Options *options);
#include "frontend/cli/commands.def"
#undef COMMAND

#endif
