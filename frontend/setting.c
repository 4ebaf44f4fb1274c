/* The settings of `train`, by the table settings.def. A line replaces or adds to what the stage has from the lines
 * above it; two lines of one turn that say the same thing are a mistake. */
#include "frontend/elab.h"

#include <string.h>

typedef struct Reading {
    Elab  *e;
    Model *m;
    Stage *stage;
    int    turn;
} Reading;

typedef void (*SettingCode)(Reading *r, const Stmt *s);

typedef struct SettingRow {
    const char *name, *doc;
    SettingCode code;                    /* NULL: reserved */
} SettingRow;

/* reading arguments */

static bool one_value(Reading *r, const Stmt *s)
{
    if (s->values && !s->values->next && !s->values->keyword) return true;
    elab_error(r->e, s->place, "%s takes one value", s->text);
    return false;
}

static bool once(Reading *r, Line *line, const Stmt *s)
{
    if (!line->stmt || line->turn != r->turn) {
        *line = (Line){ s, r->turn };
        return true;
    }
    bool same = !strcmp(line->stmt->text, s->text);
    if (same) elab_error(r->e, s->place, "%s is given twice", s->text);
    else elab_error(r->e, s->place, "%s and %s both say how long: give one of them", line->stmt->text, s->text);
    diag_note(r->e->d, line->stmt->place, same ? "it is given first here" : "the other one");
    return false;
}

/* Patterns stand before what has a name; `also`: whether something with a name must follow them. */
static bool only_patterns(Reading *r, const Stmt *s, bool also)
{
    bool pattern = false, keyword = false;
    for (const Expr *x = s->values; x; x = x->next) {
        keyword = keyword || x->keyword;
        pattern = pattern || (!x->keyword && x->kind == EXPR_string);
        if (!x->keyword && x->kind != EXPR_string) {
            elab_error(r->e, x->place, "%s takes patterns of parameter paths as strings%s", s->text,
                       also ? ", then name = value" : ": freeze \"emb.**\"");
            return false;
        }
    }
    if (pattern && keyword == also) return true;
    elab_error(r->e, s->place, "%s takes patterns%s", s->text,
               also ? " and what to change for them: group \"**.bias\", decay = 0" : " alone: freeze \"emb.**\"");
    return false;
}

static const char *read_pattern(Reading *r, const Expr *x)
{
    PatternUse use = { x, pattern_fill(r->e, x->text) };
    vec_push(r->m->arena, &r->m->patterns, use);
    return use.pattern;
}

/* minimize */

bool setting_stream(Elab *e, const Expr *x, StreamUse *out)
{
    if (x->kind != EXPR_name) {
        elab_error(e, x->place,
                   "expected the name of a stream of data; other values go in by name, after `;` in the signature");
        return false;
    }
    Value v = elab_name(e, x->text, x->place);
    *out = (StreamUse){ .name = x->text, .place = x->place };
    if (v.kind == VALUE_host && v.host->kind == HOST_stream) {
        out->stream = *v.host;
        return true;
    }
    if (v.kind == VALUE_unknown) return true;
    if (v.kind != VALUE_error)
        elab_error(e, x->place,
                   "entries take streams; %s is %s, which windows(…), streams(…) or batches(…) makes a stream of",
                   x->text, value_text(e->arena, &v));
    return false;
}

static const Callable *entry_of(Elab *e, const Expr *call)
{
    if (call->kind != EXPR_call || call->left->kind != EXPR_name) {
        elab_error(e, call->place, "minimize takes the call of a fn on streams: `minimize loss(batch)`");
        return NULL;
    }
    const char *name = call->left->text;
    Callable *c = map_get(e->model->root->fns, name);
    if (c && c->file == e->model->root && !c->fn->module) return c;
    const Map *fns = e->model->root->fns;
    const char **names = arena_array(e->arena, const char *, map_count(fns));
    for (int i = 0; i < map_count(fns); i++) names[i] = map_key(fns, i);
    const char *near = suggest(name, names, map_count(fns));
    elab_error(e, call->left->place, "%s is not a fn of this file%s%s%s", name, near ? "; did you mean " : "",
               near ? near : "", near ? "?" : "");
    return NULL;
}

/* "loss(smooth)"; stages and loops may give the same argument other values. */
static const char *use_key(const Model *m, const char *fn, const char *keyword)
{
    const char *key = arena_print(m->arena, "%s(%s)", fn, keyword), *spelling = key;
    for (int n = 2; map_get(m->uses, spelling); n++) spelling = arena_print(m->arena, "%s %d", key, n);
    return spelling;
}

static Use *read_use(Elab *e, const Expr *call)
{
    Model *m = e->model;
    const Callable *c = entry_of(e, call);
    if (!c) return NULL;
    int streams = 0, inputs = entry_input_count(c->fn);
    const char *keyword = NULL;
    StreamUse *uses = arena_array(m->arena, StreamUse, inputs + 1);
    for (const Expr *x = call->first; x; x = x->next) {
        if (x->keyword) {
            keyword = x->keyword;
        } else if (streams == inputs) {
            elab_error(e, x->place, "%s takes %d tensor%s", c->fn->name, inputs, inputs == 1 ? "" : "s");
            return NULL;
        } else if (!setting_stream(e, x, &uses[streams++])) {
            return NULL;
        }
    }
    if (streams != inputs || !entry_is_complete(c->fn)) {
        elab_error(e, call->place, "%s needs a stream for each of its %d tensor%s", c->fn->name, inputs,
                   inputs == 1 ? "" : "s");
        diag_note(e->d, c->fn->place, "%s is declared here", c->fn->name);
        return NULL;
    }
    Use *use = arena_new_of(m->arena, Use);
    *use = (Use){ .key = c->fn->name, .callable = c, .call = call, .stream_count = streams, .streams = uses };
    use->scope = elab_scope(e);
    if (keyword) {
        use->key = use_key(m, c->fn->name, keyword);
        map_set(m->uses, use->key, use);
    }
    return use;
}

static void set_minimize(Reading *r, const Stmt *s)
{
    StageSpec *spec = &r->stage->spec;
    if (!once(r, &r->stage->minimize, s)) return;
    spec->minimize = NULL;
    const Use *use = one_value(r, s) ? read_use(r->e, s->values) : NULL;
    if (!use) return;
    spec->minimize = use->key;
    spec->streams = use->streams;
    spec->stream_count = use->stream_count;
}

/* the others */

static void set_using(Reading *r, const Stmt *s)
{
    if (one_value(r, s) && once(r, &r->stage->using, s)) r->stage->using_scope = elab_scope(r->e);
}

static void set_clip(Reading *r, const Stmt *s)
{
    if (!one_value(r, s) || !once(r, &r->stage->clip, s)) return;
    Value v = elab_expr(r->e, s->values);
    r->stage->spec.clip = 0;
    if (v.kind == VALUE_none) return;
    if (v.kind == VALUE_number && !v.dim && v.number > 0) {
        r->stage->spec.clip = v.number;
    } else if (v.kind != VALUE_error) {
        elab_error(r->e, s->values->place, "clip takes a positive number, found %s", value_text(r->e->arena, &v));
    }
}

/* A whole number of 1 or more; 0 after an error. */
static int64_t read_count(Reading *r, Line *line, const Stmt *s)
{
    int64_t count = 0;
    if (!one_value(r, s) || !once(r, line, s)) return 0;
    Value v = elab_expr(r->e, s->values);
    if (!elab_whole(r->e, &v, s->values->place, s->text, &count)) return 0;
    if (count < 1) elab_error(r->e, s->values->place, "%s must be at least 1", s->text);
    return count;
}

static int64_t read_length(Reading *r, const Stmt *s)
{
    int64_t length = read_count(r, &r->stage->length, s);
    if (length) r->stage->spec.steps = r->stage->spec.epochs = 0;
    return length;
}

static void set_steps(Reading *r, const Stmt *s)
{
    int64_t length = read_length(r, s);
    if (length) r->stage->spec.steps = length;
}

static void set_epochs(Reading *r, const Stmt *s)
{
    int64_t length = read_length(r, s);
    if (length) r->stage->spec.epochs = length;
}

static void set_accumulate(Reading *r, const Stmt *s)
{
    int64_t count = read_count(r, &r->stage->accumulate, s);
    if (count) r->stage->spec.accumulate = count;
}

/* In place of an inherited one of the same name, or behind all others. */
static void set_evaluate(Reading *r, const Stmt *s)
{
    Evaluation evaluation;
    Evaluations *all = &r->stage->evaluations;
    if (!evaluate_read(r->e, s, &evaluation)) return;
    for (int i = 0; i < all->count; i++) {
        if (strcmp(all->at[i].name, evaluation.name)) continue;
        if (r->stage->evaluation_turns.at[i] != r->turn) {
            all->at[i] = evaluation;
            r->stage->evaluation_turns.at[i] = r->turn;
            return;
        }
        elab_error(r->e, s->place, "two evaluations are named %s", evaluation.name);
        diag_note(r->e->d, all->at[i].place, "the other one");
        return;
    }
    vec_push(r->m->arena, all, evaluation);
    vec_push(r->m->arena, &r->stage->evaluation_turns, r->turn);
}

static void set_group(Reading *r, const Stmt *s)
{
    if (!only_patterns(r, s, true)) return;
    Group group = { .stmt = s, .scope = elab_scope(r->e) };
    for (const Expr *x = s->values; x; x = x->next)
        if (!x->keyword) vec_push(r->m->arena, &group.patterns, read_pattern(r, x));
    vec_push(r->m->arena, &r->stage->groups, group);
}

static void set_freeze(Reading *r, const Stmt *s)
{
    if (!only_patterns(r, s, false)) return;
    for (const Expr *x = s->values; x; x = x->next) vec_push(r->m->arena, &r->stage->frozen, read_pattern(r, x));
}

/* the table */

static const SettingRow ROWS[] = {
#define SETTING(name, doc) { #name, doc, set_##name },
#define RESERVED(name, doc) { #name, doc " (not built yet)", NULL },
#include "frontend/settings.def"
#undef SETTING
#undef RESERVED
};

int setting_count(void) { return (int)(sizeof ROWS / sizeof *ROWS); }

const char *setting_name(int i) { return ROWS[i].name; }

const char *setting_doc(int i) { return ROWS[i].doc; }

void setting_read(Elab *e, Stage *stage, int turn, const Stmt *s)
{
    const char *names[sizeof ROWS / sizeof *ROWS];
    Reading r = { e, e->model, stage, turn };
    for (int i = 0; i < setting_count(); i++) {
        names[i] = ROWS[i].name;
        if (strcmp(ROWS[i].name, s->text)) continue;
        if (ROWS[i].code) ROWS[i].code(&r, s);
        else elab_error(e, s->place, "the setting %s is reserved: not built yet", s->text);
        return;
    }
    const char *near = suggest(s->text, names, setting_count());
    elab_error(e, s->place, "unknown setting %s%s%s%s", s->text, near ? "; did you mean " : "", near ? near : "",
               near ? "?" : "");
}
