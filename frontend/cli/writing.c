/* Words stand apart by a space, and the mark that ends a line is the end of one. */
#include "frontend/cli/writing.h"

#include <string.h>
#include <strings.h>

#define LINE_END "</s>"                  /* the mark of words that ends a line */

void writing_begin(Writing *w, RtText prompt)
{
    vec_push(w->arena, &w->text, 0);                         /* so that there is an array */
    w->text.count = w->shown = 0;
    w->stopped = false;
    w->in_line = prompt.size && !memchr(" \t\n\v\f\r", prompt.bytes[prompt.size - 1], 6);
}

static void append(Writing *w, const char *bytes, int64_t size)
{
    for (int64_t i = 0; i < size; i++) vec_push(w->arena, &w->text, bytes[i]);
}

/* Whether a stop string is complete in what was added from `old` on: the first one ends the text. */
static bool find_stop(Writing *w, int old)
{
    int end = w->text.count;
    for (int i = 0; i < w->stops->count; i++) {
        const char *stop = w->stops->at[i];
        int size = (int)strlen(stop), from = old - size + 1;
        for (int at = from > 0 ? from : 0; at + size <= w->text.count && at < end; at++)
            if (!memcmp(w->text.at + at, stop, (size_t)size)) end = at;
    }
    w->stopped = end < w->text.count;
    w->text.count = end;
    return w->stopped;
}

bool writing_add(Writing *w, int32_t token)
{
    RtText piece = rt_tokenizer_piece(w->tokenizer, token);
    bool words = rt_tokenizer_rule(w->tokenizer) == TOKENIZER_words;
    int64_t mark = (int64_t)strlen(LINE_END);
    bool ends = words && piece.size == mark && !strncasecmp(piece.bytes, LINE_END, (size_t)mark);
    int old = w->text.count;
    if (words && w->in_line && !ends) append(w, " ", 1);
    if (ends) append(w, "\n", 1);
    else append(w, piece.bytes, piece.size);
    w->in_line = !ends;
    return !find_stop(w, old);
}

/* Bytes at the end that may be the beginning of a stop string. */
static int stop_begun(const Writing *w)
{
    int most = 0;
    for (int i = 0; i < w->stops->count; i++) {
        const char *stop = w->stops->at[i];
        int size = (int)strlen(stop) - 1;
        for (; size > most; size--) {
            if (size > w->text.count) continue;
            if (!memcmp(w->text.at + w->text.count - size, stop, (size_t)size)) most = size;
        }
    }
    return most;
}

/* Bytes before `end` that begin a character and do not complete it. */
static int character_begun(const Writing *w, int end)
{
    for (int size = 1; size < 4 && size <= end; size++) {
        unsigned char first = (unsigned char)w->text.at[end - size];
        if ((first & 0xC0) == 0x80) continue;
        int whole = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1;
        return first < 0xF5 && size < whole ? size : 0;
    }
    return 0;
}

RtText writing_take(Writing *w, bool all)
{
    int end = w->text.count;
    if (!all) {
        end -= stop_begun(w);
        end -= character_begun(w, end);
    }
    RtText text = { w->text.at + w->shown, end > w->shown ? end - w->shown : 0 };
    w->shown = end > w->shown ? end : w->shown;
    return text;
}
