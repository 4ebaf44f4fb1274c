/* What the inputs of an entry get from outside: arrays from files, or a text through the model's tokenizer. */
#ifndef PTM_CLI_FEED_H
#define PTM_CLI_FEED_H

#include "frontend/cli/session.h"
#include "runtime/data/tensor.h"

typedef struct Feed {
    const char *name;                    /* of the input */
    Type        wanted;                  /* as the signature says it */
    bool        any_rank, optional;      /* any leading axes in place of its first; has a default */
    const char *from;                    /* for messages: "x.npy", "ids in all.npz", "--text"; NULL: nothing yet */
    RtTensor    array;                   /* of the wanted element type; its data is the arena's */
} Feed;

typedef struct Feeds {
    Feed *at;                            /* those with an array, in the order of the entry's parameters */
    int   count;
} Feeds;

/* Reads what --input and --text say for this entry: every input that it must have, and perhaps others, with an array of
 * its element type, rank and known dimensions. False after saying all that is wrong. */
bool feeds_open(Session *s, const char *entry, Feeds *out);

#endif
