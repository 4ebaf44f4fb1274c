/* Generated tokens as text: whole characters only, and nothing of a stop string. */
#ifndef PTM_CLI_WRITING_H
#define PTM_CLI_WRITING_H

#include "frontend/cli/options.h"
#include "runtime/text/tokenizer.h"

typedef struct Writing {
    const RtTokenizer *tokenizer;
    const Strings *stops;               /* none of them is empty */
    Arena      *arena;
    Vec(char)   text;                    /* what was generated, up to a stop string */
    int         shown;                   /* bytes of it that writing_take has given */
    bool        in_line;                 /* what stands last has not ended its line, nor has a space behind it */
    bool        stopped;
} Writing;

/* Begins behind the text of a prompt. */
void writing_begin(Writing *w, RtText prompt);
/* Adds a token; false when a stop string is complete, before which the text then ends. */
bool writing_add(Writing *w, int32_t token);
/* The bytes that are new and sure: not the beginning of a character or of a stop string, unless this is all. */
RtText writing_take(Writing *w, bool all);

#endif
