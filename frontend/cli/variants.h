/* The shapes that an entry's batches may have: those of its streams, which change together. */
#ifndef PTM_CLI_VARIANTS_H
#define PTM_CLI_VARIANTS_H

#include "frontend/cli/session.h"
#include "runtime/data/stream.h"

typedef struct Variants {
    const StreamUse *uses;
    int              use_count;
    bool             training;           /* batches of training steps; else of finite passes */
    int              leader;             /* the stream that says which variant a batch has; -1: there are no streams */
    int              count;              /* of the leader, at least 1 */
} Variants;

/* False after saying which streams do not go together. */
bool variants_open(Session *s, const StreamUse *uses, int count, bool training, Variants *out);

/* Whether there are batches of this variant. */
bool variants_has(const Variants *v, int variant);

/* The type of the batches of stream k in a variant. */
Type variants_type(const Variants *v, Dims *dims, int k, int variant);

#endif
