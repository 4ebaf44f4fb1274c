/* What a command looks at: the graph of an entry, of the training step, or read from its text, and what the passes are
 * to do with it. */
#ifndef PTM_CLI_SUBJECT_H
#define PTM_CLI_SUBJECT_H

#include "frontend/cli/build.h"
#include "frontend/cli/step.h"

typedef struct Subject {
    Graph      *graph;
    PassOptions passes;                  /* for all but the layout */
} Subject;

/* That of --entry, with symbolic dimensions that --dim may have given values; else the step of the first stage that
 * trains, with its widest batches. False after printing what is wrong. */
bool subject_open(Session *s, Subject *out);

/* The first stage that trains; the graphs of the others are made too, since the settings of one may name parameters of
 * another. NULL after printing that there is none. */
StepSource *subject_step(Session *s);

/* Whether every dimension has a value; says which lack it. */
bool subject_is_valued(Session *s, const Graph *graph);

/* Places for all that the entry, or the step with its optimizer, keeps. */
Layout *subject_layout(Session *s, const Subject *subject);

/* Whether the file is a graph's text: its first word, comments left out, is `graph`. */
bool graph_text_is(const char *path);

/* Reads the graph in options->argument, gives its dimensions the values of --dim, and with --training takes its first
 * result as the loss and all its parameters as trained. The session has no model. False after printing what is wrong;
 * close it all the same. */
bool graph_text_open(Session *s, const Options *options, Subject *out);

#endif
