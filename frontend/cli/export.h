/* Writing parameters under the names and in the shapes of a weights block: its lines run backwards. */
#ifndef PTM_CLI_EXPORT_H
#define PTM_CLI_EXPORT_H

#include "frontend/cli/mapping.h"

/* Writes the parameters that `from` reads to a safetensors file, or to a .npz, as the block says; floats as `dtype`, or
 * as they are (-1). like: a file whose tensors have the shapes to be, where these do not follow from the parameters; or
 * NULL. Nothing is written when a line has no way back, when tensors would have holes, or when two lines say different
 * things of one element. Returns an exit status, after saying what is wrong. */
int export_weights(const Mapping *from, int block, const RtWeights *like, int dtype, const char *path);

#endif
