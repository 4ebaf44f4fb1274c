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

/* `pattern` against `path`, with what its wildcards stand for: a component or a part of one for `*`, one or more
 * components for `**`, an alternative for {a,b}. The shortest text that fits, from the left. */
static bool capture(Arena *arena, const char *p, const char *t, Captures *out)
{
    int before = out->count;
    if (!*p) return !*t;
    if (*p == '{' && strchr(p, '}')) {
        const char *end = strchr(p, '}');
        for (const char *at = p + 1; at <= end; at += strcspn(at, ",}") + 1) {
            size_t n = strcspn(at, ",}");
            if (strncmp(at, t, n)) continue;
            vec_push(arena, out, arena_copy_text(arena, t, n));
            if (capture(arena, end + 1, t + n, out)) return true;
            out->count = before;
        }
        return false;
    }
    if (*p != '*') return *p == *t && capture(arena, p + 1, t + 1, out);
    bool many = p[1] == '*';
    for (size_t n = many; n <= strlen(t) && (many || !memchr(t, '.', n)); n++) {
        vec_push(arena, out, arena_copy_text(arena, t, n));
        if (capture(arena, p + 1 + many, t + n, out)) return true;
        out->count = before;
    }
    return false;
}

bool pattern_capture(Arena *arena, const char *pattern, const char *path, Captures *out)
{
    out->count = 0;
    return capture(arena, pattern, path, out);
}

static size_t wildcard(const char *p)
{
    if (*p == '*') return p[1] == '*' ? 2 : 1;
    const char *end = *p == '{' ? strchr(p, '}') : NULL;
    return end ? (size_t)(end - p) + 1 : 0;
}

int pattern_wildcards(const char *pattern)
{
    int n = 0;
    for (const char *p = pattern; *p; p += wildcard(p) ? wildcard(p) : 1) n += wildcard(p) > 0;
    return n;
}

const char *pattern_with(Arena *arena, const char *pattern, const char *const *parts, int count)
{
    const char *out = "", *from = pattern;
    int n = 0;
    for (const char *p = pattern; *p;) {
        size_t length = wildcard(p);
        if (length && n < count) {
            out = arena_print(arena, "%s%.*s%s", out, (int)(p - from), from, parts[n++]);
            from = p + length;
        }
        p += length ? length : 1;
    }
    return arena_print(arena, "%s%s", out, from);
}
