/* Labels and the paths they give. Sharing is never silent: one path written at two places of an entry, or a label under
 * a `for` without an index, is an error unless the later one says `share`. Calling one fn twice shares what it labels.
 */
#include "frontend/elab.h"

#include <string.h>

enum { LONGEST_PATH = 1024 };

const char *elab_join_path(Elab *e, const char *path, const char *name)
{
    return *path ? arena_print(e->arena, "%s.%s", path, name) : name;
}

/* `h[i]`, `a.b`: "h.0", "a.b". NULL after reporting. */
static const char *label_text(Elab *e, const Expr *label)
{
    if (label->kind == EXPR_name) return label->text;
    const char *base = label->kind == EXPR_index || label->kind == EXPR_member ? label_text(e, label->left) : NULL;
    if (label->kind == EXPR_member && base) return arena_print(e->arena, "%s.%s", base, label->text);
    int64_t i;
    if (label->kind == EXPR_index && base && label->first && !label->first->next) {
        Value v = elab_expr(e, label->first);
        if (v.kind == VALUE_string) return arena_print(e->arena, "%s.%s", base, v.text);
        if (!elab_whole(e, &v, label->first->place, "the index of a label", &i)) return NULL;
        return arena_print(e->arena, "%s.%lld", base, (long long)i);
    }
    if (base || (label->kind != EXPR_index && label->kind != EXPR_member))
        elab_error(e, label->place, "a label is a name with indices, such as h[i]");
    return NULL;
}

const char *elab_label_path(Elab *e, const Expr *label)
{
    const Expr *head = label;
    while (head->kind == EXPR_index || head->kind == EXPR_member) head = head->left;
    Binding *b = head->kind == EXPR_name ? elab_find(e->frame, head->text) : NULL;
    if (b) {
        elab_error(e, head->place, "%s is a value here; values and labels share their names", head->text);
        diag_note(e->d, b->place, "%s is bound here", head->text);
        return NULL;
    }
    if (e->frame->fn && !e->frame->fn->module && e->frame->file->plain_import) {
        elab_error(e, label->place,
                   "a fn of a file imported without `as` may not hold a label: two users would share weights by "
                   "accident; make %s a module",
                   e->frame->fn->name);
        return NULL;
    }
    const char *text = label_text(e, label);
    return text ? elab_join_path(e, e->frame->path, text) : NULL;
}

/* Every leading part of the path becomes known as an instance. */
static void mark_heads(Elab *e, const char *path, Place place)
{
    char part[LONGEST_PATH];
    Place *copy = arena_new_of(e->arena, Place);
    *copy = place;
    for (size_t n = strlen(path); n > 0 && n < sizeof part; n--) {
        if (path[n] && path[n] != '.') continue;
        memcpy(part, path, n);
        part[n] = 0;
        if (map_get(e->heads, part)) return;
        map_set(e->heads, part, copy);
    }
}

bool elab_enter_label(Elab *e, const char *path, Place place, bool share, const FnDecl *module)
{
    Site *site = map_get(e->sites, path);
    if (!site) {
        site = arena_new_of(e->arena, Site);
        *site = (Site){ .place = place, .frame = e->frame, .module = module };
        map_set(e->sites, path, site);
        mark_heads(e, path, place);
        return true;
    }
    if (share && (!site->module || !module || site->module == module)) return true;
    if (elab_same_place(&site->place, &place)) {
        if (site->frame != e->frame) return true;
        elab_error(
            e, place,
            "the label %s is reached again by its `for`; index it as in h[i]: …, or write `share` to use one set of "
            "parameters",
            path);
        return false;
    }
    if (share) {
        elab_error(e, place, "share: %s is an instance of %s, not of %s", path, site->module->name, module->name);
    } else {
        elab_error(e, place,
                   "the label %s is used twice in this entry; write `share` before the later one to use its parameters "
                   "again",
                   path);
    }
    diag_note(e->d, site->place, "it is used first here");
    return false;
}

/* Labels are visible in the file that writes them. */
Value elab_label_value(Elab *e, const char *name)
{
    char path[LONGEST_PATH];
    const Frame *f = e->frame;
    size_t before = strlen(f->path), own = strlen(name), dot = before > 0, length = before + dot + own;
    if (!map_count(e->heads) || length >= sizeof path) return value_none();
    memcpy(path, f->path, before);
    if (dot) path[before] = '.';
    memcpy(path + before + dot, name, own + 1);
    const Place *place = map_get(e->heads, path);
    if (!place || place->source != f->file->ast->source) return value_none();
    return (Value){ .kind = VALUE_instance, .text = arena_copy_text(e->arena, path, length) };
}

/* Whether a module on the way to `path` was reported. */
static bool has_failed(Elab *e, const char *path)
{
    for (size_t n = strlen(path); n > 0; n--) {
        if (path[n] && path[n] != '.') continue;
        const Site *site = map_get(e->sites, arena_copy_text(e->arena, path, n));
        if (site && site->failed) return true;
    }
    return false;
}

Value elab_instance_member(Elab *e, const char *path, const char *member, Place place)
{
    const char *whole = elab_join_path(e, path, member);
    Site *site = map_get(e->sites, whole);
    if (site && site->stored) return elab_site_value(e, site, place);
    if (map_get(e->heads, whole)) return (Value){ .kind = VALUE_instance, .text = whole };
    if (site || has_failed(e, path)) return value_error();   /* reported where it was declared */
    size_t length = strlen(path);
    Vec(const char *) names = {0};
    for (int i = 0; i < map_count(e->sites); i++) {
        const char *key = map_key(e->sites, i);
        if (!strncmp(key, path, length) && key[length] == '.' && !strchr(key + length + 1, '.'))
            vec_push(e->arena, &names, key + length + 1);
    }
    const char *near = suggest(member, names.at, names.count);
    if (!near && names.count == 1) near = names.at[0];
    return elab_error(e, place, "%s has no parameter or label %s%s%s%s", path, member, near ? "; did you mean " : "",
                      near ? near : "", near ? "?" : "");
}
