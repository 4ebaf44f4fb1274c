/* Graphs as text for ptm dump. */
#ifndef PTM_CLI_DUMP_H
#define PTM_CLI_DUMP_H

#include "frontend/cli/build.h"

/* What goes through the passes, and how. */
typedef struct DumpSource {
    Graph      *graph;
    PassOptions passes;
} DumpSource;

/* Whether the file is a graph's text: its first word, comments left out, is `graph`. */
bool graph_text_is(const char *path);

/* Reads the graph in options->argument, gives its dimensions the values of --dim, and with --training takes its first
 * result as the loss and all its parameters as trained. The session has no model. False after printing what is wrong;
 * close it all the same. */
bool graph_text_open(Session *s, const Options *options, DumpSource *out);

#endif
