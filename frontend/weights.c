/* Reading weights blocks: their settings and lines. */
#include "frontend/elab.h"

#include <string.h>

/* reading the blocks */

typedef struct Reading {
    Elab        *e;
    WeightBlock *block;
    WeightLine  *line;                   /* whose expression is being walked */
    Vec(const Expr *) leaves;
} Reading;

static bool only_strings(Reading *r, const Stmt *s, const char *example)
{
    bool good = s->values != NULL;
    for (const Expr *x = s->values; x; x = x->next) good = good && x->kind == EXPR_string && !x->keyword;
    if (!good) elab_error(r->e, s->place, "%s takes names of the file as strings: %s", s->text, example);
    return good;
}

static void read_prefix(Reading *r, const Stmt *s)
{
    if (!only_strings(r, s, "prefix \"transformer.\"")) return;
    if (s->values->next) {
        elab_error(r->e, s->values->next->place, "a block has one prefix");
    } else if (r->block->prefix_place.source) {
        elab_error(r->e, s->place, "prefix is given twice");
        diag_note(r->e->d, r->block->prefix_place, "it is given first here");
    } else {
        r->block->prefix = s->values->text;
        r->block->prefix_place = s->place;
    }
}

static void read_ignore(Reading *r, const Stmt *s)
{
    if (!only_strings(r, s, "ignore \"h.*.attn.bias\"")) return;
    for (const Expr *x = s->values; x; x = x->next)
        vec_push(r->e->arena, &r->block->ignored, ((PatternUse){ x, pattern_fill(r->e, x->text) }));
}

static const struct WeightSetting {
    const char *name;
    void      (*read)(Reading *r, const Stmt *s);
} SETTINGS[] = { { "prefix", read_prefix }, { "ignore", read_ignore } };

enum { SETTING_COUNT = sizeof SETTINGS / sizeof *SETTINGS };

const char *weights_setting(int i) { return i < SETTING_COUNT ? SETTINGS[i].name : NULL; }

static void read_setting(Reading *r, const Stmt *s)
{
    const char *names[SETTING_COUNT];
    for (int i = 0; i < SETTING_COUNT; i++) {
        names[i] = SETTINGS[i].name;
        if (strcmp(names[i], s->text)) continue;
        SETTINGS[i].read(r, s);
        return;
    }
    const char *near = suggest(s->text, names, SETTING_COUNT);
    elab_error(r->e, s->place, "unknown setting %s; weights has prefix, ignore and lines \"ours\" = \"theirs\"%s%s%s",
               s->text, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* A string that stands by itself is a tensor of the file; one given by name is a text. */
static bool add_leaf(void *context, const Expr *x)
{
    Reading *r = context;
    if (x->kind == EXPR_string && !x->keyword) vec_push(r->e->arena, &r->leaves, x);
    return false;
}

/* Alternatives stand in the first string; the others have a `*` for what was taken. */
static bool check_braces(Reading *r, const WeightLine *line)
{
    for (int i = 1; i < line->target_count + line->leaf_count; i++) {
        int leaf = i - line->target_count;
        const char *pattern = leaf < 0 ? line->targets[i] : line->leaf_patterns[leaf];
        if (!strchr(pattern, '{')) continue;
        elab_error(r->e, leaf < 0 ? line->stmt->place : line->leaves[leaf]->place,
                   "\"%s\": alternatives stand in the first string of a line; here a * is the one that was taken",
                   pattern);
        return false;
    }
    return true;
}

/* Every string has the wildcards that the first target has, or fewer where the same tensor serves several. */
static bool check_wildcards(Reading *r, const WeightLine *line)
{
    int first = pattern_wildcards(line->targets[0]);
    if (!check_braces(r, line)) return false;
    for (int i = 1; i < line->target_count; i++) {
        if (pattern_wildcards(line->targets[i]) == first) continue;
        elab_error(r->e, line->stmt->place,
                   "\"%s\" has %d wildcards and \"%s\" %d: parameters of one line have equally many",
                   line->targets[0], first, line->targets[i], pattern_wildcards(line->targets[i]));
        return false;
    }
    for (int i = 0; i < line->leaf_count; i++) {
        int count = pattern_wildcards(line->leaf_patterns[i]);
        if (count <= first) continue;
        elab_error(r->e, line->leaves[i]->place, "\"%s\" has %d wildcards, but on the left there %s %d",
                   line->leaf_patterns[i], count, first == 1 ? "is" : "are", first);
        return false;
    }
    return true;
}

static bool check_count(Reading *r, const WeightLine *line)
{
    int count = 0;
    for (const Expr *x = line->stmt->values; x; x = x->next) count++;
    if (count == 1 || count == line->target_count) return true;
    elab_error(r->e, line->stmt->place, "%d parameters on the left, but %d tensors on the right", line->target_count,
               count);
    return false;
}

static void read_line(Reading *r, const Stmt *s)
{
    Arena *arena = r->e->arena;
    WeightLine *line = arena_new_of(arena, WeightLine);
    *line = (WeightLine){ .stmt = s, .scope = elab_scope(r->e), .block = r->block };
    for (const Expr *t = s->targets; t; t = t->next) line->target_count++;
    line->targets = arena_array(arena, const char *, line->target_count);
    int n = 0;
    for (const Expr *t = s->targets; t; t = t->next) line->targets[n++] = pattern_fill(r->e, t->text);
    r->leaves.count = 0;
    walk_exprs(s->values, add_leaf, r);
    if (!r->leaves.count) {
        elab_error(r->e, s->values->place, "no tensor of the file stands on the right: \"ours\" = \"theirs\".T");
        return;
    }
    line->leaf_count = r->leaves.count;
    line->leaves = arena_array(arena, const Expr *, line->leaf_count);
    line->leaf_patterns = arena_array(arena, const char *, line->leaf_count);
    for (int i = 0; i < line->leaf_count; i++) {
        line->leaves[i] = r->leaves.at[i];
        line->leaf_patterns[i] = pattern_fill(r->e, line->leaves[i]->text);
    }
    if (!check_wildcards(r, line) || !check_count(r, line)) return;
    vec_push(arena, &r->block->lines, line);
}

static void read_lines(Reading *r, const Stmt *body);

static void read_for(Reading *r, const Stmt *s)
{
    List list;
    if (!elab_loop_range(r->e, s->values, s->place, &list)) return;
    for (int i = 0; i < list.count && !r->e->stopped; i++) {
        if (!elab_loop_names(r->e, s->names, &list.at[i], s->place)) return;
        read_lines(r, s->body);
    }
}

static void read_lines(Reading *r, const Stmt *body)
{
    for (const Stmt *s = body; s && elab_spend(r->e, 1, s->place); s = s->next) {
        bool truth;
        switch (s->kind) {
        case STMT_map: read_line(r, s); break;
        case STMT_setting: read_setting(r, s); break;
        case STMT_for: read_for(r, s); break;
        case STMT_if:
            if (elab_truth(r->e, s->values, &truth)) read_lines(r, truth ? s->body : s->otherwise);
            break;
        default:
            elab_error(r->e, s->place, "weights holds lines such as \"ours\" = \"theirs\".T, prefix and ignore");
            break;
        }
    }
}

void weights_read(Model *m, Diagnostics *d)
{
    for (const Stmt *s = m->ast->items; s; s = s->next) {
        if (s->kind != STMT_block || strcmp(s->text, "weights")) continue;
        for (int i = 0; s->label && i < m->weights.count; i++) {
            if (strcmp(m->weights.at[i]->name, s->label)) continue;
            diag_error(d, s->place, "a second weights block of the name %s", s->label);
            diag_note(d, m->weights.at[i]->place, "the first one is here");
        }
        if (!s->label) {
            diag_error(d, s->place,
                       "a weights block has a name, that of the layout which it describes: `weights hf { … }`");
            continue;
        }
        WeightBlock *block = arena_new_of(m->arena, WeightBlock);
        *block = (WeightBlock){ .name = s->label, .place = s->place, .prefix = "" };
        Reading r = { .e = elab_new(m, MODE_entry, NULL, d), .block = block };
        elab_push(r.e, NULL, m->root, "", (Place){0});
        read_lines(&r, s->body);
        vec_push(m->arena, &m->weights, block);
    }
}

int weights_count(const Model *m) { return m->weights.count; }

const char *weights_name(const Model *m, int block) { return m->weights.at[block]->name; }
