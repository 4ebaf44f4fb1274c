/* Patterns over parameter paths: `*` within a component, `**` across components, {a,b} either. */
#include "frontend/elab.h"

#include <string.h>

static bool match(const char *p, const char *t);

/* {a,b}rest against t: any alternative, then the rest. */
static bool match_alternatives(const char *p, const char *t)
{
    const char *end = strchr(p, '}');
    if (!end) return false;
    for (const char *at = p + 1; at <= end;) {
        size_t n = strcspn(at, ",}");
        if (!strncmp(at, t, n) && match(end + 1, t + n)) return true;
        at += n + 1;
    }
    return false;
}

static bool match(const char *p, const char *t)
{
    if (!*p) return !*t;
    if (!strncmp(p, "**.", 3) && match(p + 3, t)) return true;  /* no component at all */
    if (!strncmp(p, "**", 2)) {
        for (;; t++) {
            if (match(p + 2, t)) return true;
            if (!*t) return false;
        }
    }
    if (*p == '*') {
        for (;; t++) {
            if (match(p + 1, t)) return true;
            if (!*t || *t == '.') return false;
        }
    }
    if (*p == '{') return match_alternatives(p, t);
    return *p == *t && match(p + 1, t + 1);
}

bool pattern_matches(const char *pattern, const char *path) { return match(pattern, path); }
