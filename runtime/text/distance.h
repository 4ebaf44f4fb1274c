/* How many bytes must be changed, added or taken away to make one text of another. */
#ifndef PTM_RUNTIME_DISTANCE_H
#define PTM_RUNTIME_DISTANCE_H

#include "runtime/text/tokenizer.h"

/* The distance, or `enough` when it is that or more or a text is longer than 64 bytes. */
int64_t rt_text_distance(RtText a, RtText b, int64_t enough);

#endif
