/* What a built run is for the runtime: its programs with what describes them in files. */
#ifndef PTM_CLI_RECIPE_H
#define PTM_CLI_RECIPE_H

#include "frontend/cli/run.h"

void recipe_of(Run *r, Recipe *out);

/* The parameters and tables as a checkpoint without states. */
bool recipe_save_weights(Run *r, const char *path, RtError *error);

#endif
