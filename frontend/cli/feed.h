/* What the inputs of an entry get from outside: arrays from files, or a text through the model's tokenizer. */
#ifndef PTM_CLI_FEED_H
#define PTM_CLI_FEED_H

#include "frontend/cli/session.h"
#include "runtime/data/tensor.h"

typedef struct Feed {
    const char *name;                    /* of the input */
    Type        wanted;                  /* as the signature says it */
    const char *from;                    /* for messages: "x.npy", "ids in all.npz", "--text"; NULL: nothing yet */
    RtTensor    array;                   /* of the wanted element type; its data is the arena's */
} Feed;

typedef struct Feeds {
    Feed *at;                            /* as the entry's parameters */
    int   count;
} Feeds;

/* Reads what --input and --text say for this entry: every input has an array afterwards, of its element type, rank and
 * known dimensions. False after saying all that is wrong. */
bool feeds_open(Session *s, const char *entry, Feeds *out);

#endif
