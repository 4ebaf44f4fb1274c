/* Pieces of the text form that several files write. */
#ifndef PTM_TEXT_H
#define PTM_TEXT_H

#include "ir/graph.h"

/* The attributes as they stand between arguments and type: ` start=[0, 1] step=[1, 1]`; "" when there are none. */
const char *text_attrs(Arena *arena, const Node *node);

/* A string literal with escapes, and the inverse. */
const char *text_quoted(Arena *arena, const char *text);

/* The text itself when it is a word of letters, digits and _ . / + - only; else quoted. */
const char *text_word(Arena *arena, const char *text);
bool        text_is_word_char(char c);

#endif
