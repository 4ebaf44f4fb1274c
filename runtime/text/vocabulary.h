/* A vocabulary: distinct pieces of text, numbered in order of arrival, each with a count. Owns its bytes. */
#ifndef PTM_RUNTIME_VOCABULARY_H
#define PTM_RUNTIME_VOCABULARY_H

#include "runtime/text/tokenizer.h"

typedef struct Vocabulary {
    char    *bytes;                      /* of all pieces, one after the other */
    int64_t *at;                         /* piece i is bytes[at[i] .. at[i + 1]) */
    int64_t *counts;
    int32_t  size;
    int64_t  bytes_room;
    int32_t  room;                       /* pieces that fit in `at` and `counts` */
    int32_t *slots;                      /* open addressing with linear probing: id + 1, 0 is free */
    int64_t  slot_count;                 /* a power of two, at least twice `size` */
    int32_t  single[256];                /* of the pieces of one byte, by that byte: id + 1, 0 when absent */
} Vocabulary;

void    vocabulary_init(Vocabulary *v);
void    vocabulary_free(Vocabulary *v);
int32_t vocabulary_find(const Vocabulary *v, RtText piece);              /* -1 when absent */
/* Id of the piece, new or old; its count grows by `count`. */
int32_t vocabulary_add(Vocabulary *v, RtText piece, int64_t count);
RtText  vocabulary_piece(const Vocabulary *v, int32_t id);

int  text_compare(RtText a, RtText b);                                   /* by bytes, a prefix first */
bool text_equal(RtText a, RtText b);
/* Room for `wanted` items of `item` bytes; never fails. */
void *rt_grow(void *block, int64_t *room, int64_t wanted, int64_t item);

#endif
