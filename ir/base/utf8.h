/* UTF-8, strictly (no overlong forms, surrogates or numbers above U+10FFFF; RFC 3629, section 4). */
#ifndef PTM_UTF8_H
#define PTM_UTF8_H

#include <stddef.h>

/* Bytes of the character at `text`, of which `left` > 0 bytes remain; 0 when it is none. */
static inline size_t utf8_character(const char *text, size_t left)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t bytes = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if (!bytes || bytes > left) return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0;      /* overlong; a surrogate */
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;      /* overlong; above U+10FFFF */
    return bytes;
}

#endif
