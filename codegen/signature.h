/* What makes two kernels the same code. A kernel is printed in canonical form: nodes numbered in the order in which its
 * outputs need them, without names, offsets or keys of draws; kernels with equal text share one function, and what the
 * text leaves out becomes words of the step's arguments. Kernels that touch every element once, wherever it lies, leave
 * their shapes out as well. */
#ifndef PTM_CODEGEN_SIGNATURE_H
#define PTM_CODEGEN_SIGNATURE_H

#include "ir/plan.h"

/* One argument word of a kernel. */
typedef enum WordKind {
    WORD_place,                          /* where the stored value lies */
    WORD_key,                            /* the hash of a draw's key text */
    WORD_site                            /* index in Program.places of an indexing operator, for faults */
} WordKind;

typedef struct Word {
    WordKind    kind;
    const Node *node;
} Word;

/* A node as one kernel sees it. */
typedef struct Member {
    const Node *node;
    bool inside;                         /* computed here; otherwise read from memory */
    bool keep;                           /* held across passes */
    bool output;                         /* written to memory here */
    int  pass;                           /* Kernel.pass */
    int  number;                         /* in canonical order; -1: not reached yet */
    int  place, key, site;               /* words, or -1 */
} Member;

/* What a kernel runs on: tiles of `wide` columns of so many in all; every row of one is a unit. columns 0: on none. */
typedef struct Tiles {
    int64_t columns, wide;
} Tiles;

typedef struct Signature {
    const Plan   *plan;
    const Kernel *kernel;
    const char   *text;
    Vec(Word)     words;
    Vec(Member *) members;               /* in canonical order */
    Member      **slots;                 /* open addressing by node */
    int           slot_count;            /* a power of two */
    bool          flat;                  /* a map whose every access is element i at step i */
    bool          in_place;              /* scatter: the base is the result's own memory */
    Tiles         tiles;                 /* of a map; rows are taken whole */
} Signature;

Signature    *signature_new(Arena *arena, const Plan *plan, const Kernel *kernel);
Signature    *signature_tiled(Arena *arena, const Plan *plan, const Kernel *kernel, Tiles tiles);
const Member *signature_member(const Signature *s, const Node *node);    /* NULL: neither inside nor input */
bool          signature_is_stored(const Signature *s, const Node *node); /* read from memory by this kernel */
bool          signature_contracts(const Signature *s, const Node *node); /* Plan.contracted */

#endif
