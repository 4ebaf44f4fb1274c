/* What a run directory says of the model it trained: the settings it was trained with, the data, the tokenizers. Commands that
 * use the weights take them from there, so that `ptm generate model.ptm --weights run/` needs no other flag. */
#ifndef PTM_CLI_SAVED_H
#define PTM_CLI_SAVED_H

#include "frontend/cli/host.h"

/* Adds what DIR/run.json says under "set" (and "data") to the pairs that do not name it already. A file, or a directory without run.json,
 * adds nothing. False when run.json is damaged, with the reason. */
bool saved_settings(Arena *arena, const char *directory, Pairs *set, Pairs *data, const char **why);

/* The tokenizer that the run was trained with: DIR/NAME.tokenizer. False when there is none; *why is set when it is damaged. */
bool saved_constant(HostData *data, const char *directory, const char *name, HostArg *out, const char **why);

#endif
