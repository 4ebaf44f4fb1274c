/* Patterns over parameter paths: `*` within a component, `**` across components, {a,b} either, {i} the value of a
 * static. */
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

/* The text of the static `name` of the present frame or file, or NULL. */
static const char *static_text(Elab *e, const char *name, size_t length)
{
    const char *text = arena_copy_text(e->arena, name, length);
    const ItemName *item = map_get(e->frame->file->consts, text);
    int64_t whole;
    if (!elab_find(e->frame, text) && !item) return NULL;
    Value v = elab_name(e, text, item ? item->name->place : (Place){0});
    if (v.kind == VALUE_string) return v.text;
    bool known = v.kind == VALUE_number && v.dim ? elab_known(v.dim, &whole) : value_is_whole(&v, &whole);
    return known ? arena_print(e->arena, "%lld", (long long)whole) : NULL;
}

const char *pattern_fill(Elab *e, const char *pattern)
{
    Vec(char) out = {0};
    for (const char *at = pattern; *at;) {
        size_t length = *at == '{' ? strcspn(at + 1, "{,}") : 0;
        const char *value = length && at[1 + length] == '}' ? static_text(e, at + 1, length) : NULL;
        if (!value) {
            vec_push(e->arena, &out, *at++);
            continue;
        }
        for (; *value; value++) vec_push(e->arena, &out, *value);
        at += length + 2;
    }
    vec_push(e->arena, &out, 0);
    return out.at;
}
