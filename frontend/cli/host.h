/* The data phase for the elaborator: the runtime's host functions behind the frontend's Host interface. */
#ifndef PTM_CLI_HOST_H
#define PTM_CLI_HOST_H

#include "codegen/codegen.h"
#include "frontend/cli/options.h"
#include "frontend/frontend.h"
#include "runtime/data/data.h"

typedef struct HostData HostData;

/* data: what --data gave. saved: the run directory or file whose constants stand in for those of `data`, or NULL.
 * code: for what data computes. */
HostData *host_data_new(Arena *arena, const Pairs *data, const char *saved, CodeOptions code);
void      host_data_free(HostData *data);
struct Saved *host_data_saved(const HostData *data);         /* or NULL */
RtData   *host_data_runtime(HostData *data);
Host      host_make(HostData *data);

/* A value for the elaborator. dims: may be NULL when it is no array. */
HostArg   host_arg(HostData *data, Dims *dims, const DataValue *value);
/* The array behind a value of the elaborator. */
const DataArray *host_array(const HostValue *value);

/* The --data name that no reader asked for, or NULL. */
const char *host_data_unused(const HostData *data);

const RtStream    *host_stream(const HostValue *value);      /* of a HOST_stream */
const RtTokenizer *host_tokenizer(const HostValue *value);   /* of a HOST_tokenizer */
int64_t host_stream_batches(const HostValue *value);         /* of a training pass */

#endif
