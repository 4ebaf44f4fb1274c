/* What was saved with weights of the model they belong to: the constants of `data`. Commands that use the weights take
 * them from there (and the flags from the record beside them), so that `ptm generate model.ptm --weights run/` needs no
 * other flag. */
#ifndef PTM_CLI_SAVED_H
#define PTM_CLI_SAVED_H

#include "frontend/cli/host.h"
#include "runtime/train/weightfile.h"

/* The safetensors file that --weights DIR|FILE means: best, then last of a directory. */
const char *saved_file(Arena *arena, const char *weights);

/* That file, or one of arrays. NULL after an error. */
RtWeights *saved_weights(Arena *arena, const char *weights, RtError *e);

/* The constants of `data` in a checkpoint. Its metadata has a text of JSON for each: a number, true, false, null, a
 * list; an array is the text of its type and lies in the tensor "const.NAME" (inside lists "const.NAME.0.1"); a string
 * is {"text": "..."}, a tokenizer {"tokenizer": pieces, "hash": "..."} and lies beside the file as NAME.tokenizer, with
 * that hash of its bytes. */
typedef struct Saved Saved;
Saved *saved_open(Arena *arena, const char *weights);        /* opens the file when first asked */
void   saved_close(Saved *saved);
RtWeights *saved_file_open(Saved *saved, RtError *e);        /* that file, proved once; NULL after an error */

/* False when it was not saved, or not as a whole; *why is set when it was, but cannot be used now: made from the data
 * again, it might not be what the weights belong to. */
bool saved_constant(Saved *saved, HostData *data, const char *name, Dims *dims, HostArg *out, const char **why);

/* The text for a constant's metadata, or NULL for one that is not saved (a text, a stream, ragged rows). */
const char *saved_text(Arena *arena, const HostArg *value);

#endif
