/* UTF-8: one code point at a time, strictly (no overlong forms, surrogates or numbers above U+10FFFF; RFC 3629, section
 * 4). */
#ifndef PTM_RUNTIME_UTF8_H
#define PTM_RUNTIME_UTF8_H

#include <stdint.h>

/* Bytes of the code point that starts at text[0], of `size` > 0 bytes left; 0 when it is not UTF-8. */
static inline int utf8_length(const char *text, int64_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) return 1;
    int length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || length > size) return 0;
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
    }
    if (s[0] == 0xE0 && s[1] < 0xA0) return 0;
    if (s[0] == 0xED && s[1] > 0x9F) return 0;
    if (s[0] == 0xF0 && s[1] < 0x90) return 0;
    if (s[0] == 0xF4 && s[1] > 0x8F) return 0;
    return length;
}

#endif
