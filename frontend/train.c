/* The train block: settings by the table settings.def. */
#include "frontend/elab.h"

#include <string.h>

typedef struct Train {
    Elab         *e;
    Model        *m;
    const Stmt   *clip, *length;
    Evaluations   evaluations;
} Train;

typedef void (*SettingCode)(Train *t, const Stmt *s);

typedef struct SettingRow {
    const char *name, *doc;
    SettingCode code;                    /* NULL: reserved */
} SettingRow;

/* reading arguments */

static bool one_value(Train *t, const Stmt *s)
{
    if (s->values && !s->values->next && !s->values->keyword) return true;
    elab_error(t->e, s->place, "%s takes one value", s->text);
    return false;
}

static bool once(Train *t, const Stmt **slot, const Stmt *s)
{
    if (!*slot) {
        *slot = s;
        return true;
    }
    elab_error(t->e, s->place, "%s is given twice", s->text);
    diag_note(t->e->d, (*slot)->place, "it is given first here");
    return false;
}

/* minimize */

bool train_stream(Elab *e, const Expr *x, StreamUse *out)
{
    if (x->kind != EXPR_name) {
        elab_error(e, x->place,
                   "expected the name of a stream of data; other values go in by name, after `;` in the signature");
        return false;
    }
    Value v = elab_name(e, x->text, x->place);
    *out = (StreamUse){ .name = x->text };
    if (v.kind == VALUE_host && v.host->kind == HOST_stream) {
        out->stream = *v.host;
        return true;
    }
    if (v.kind == VALUE_unknown) return true;
    if (v.kind != VALUE_error)
        elab_error(e, x->place, "entries take streams; %s is %s, which windows(…) or batches(…) makes a stream of",
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
        } else if (!train_stream(e, x, &uses[streams++])) {
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
        use->key = arena_print(m->arena, "%s(%s)", c->fn->name, keyword);
        map_set(m->uses, use->key, use);
    }
    return use;
}

static void set_minimize(Train *t, const Stmt *s)
{
    if (!once(t, &t->m->minimize, s) || !one_value(t, s)) return;
    const Use *use = read_use(t->e, s->values);
    if (!use) return;
    t->m->train.minimize = use->key;
    t->m->train.streams = use->streams;
    t->m->train.stream_count = use->stream_count;
}

/* the others */

static void set_using(Train *t, const Stmt *s)
{
    if (one_value(t, s) && once(t, &t->m->using, s)) t->m->using_scope = elab_scope(t->e);
}

static void set_clip(Train *t, const Stmt *s)
{
    if (!one_value(t, s) || !once(t, &t->clip, s)) return;
    Value v = elab_expr(t->e, s->values);
    if (v.kind == VALUE_none) return;
    if (v.kind == VALUE_number && !v.dim && v.number > 0) {
        t->m->train.clip = v.number;
    } else if (v.kind != VALUE_error) {
        elab_error(t->e, s->values->place, "clip takes a positive number, found %s", value_text(t->e->arena, &v));
    }
}

static void set_length(Train *t, const Stmt *s, int64_t *out)
{
    if (!one_value(t, s) || !once(t, &t->length, s)) return;
    Value v = elab_expr(t->e, s->values);
    if (!elab_whole(t->e, &v, s->values->place, s->text, out)) return;
    if (*out < 1) elab_error(t->e, s->values->place, "%s must be at least 1", s->text);
}

static void set_steps(Train *t, const Stmt *s) { set_length(t, s, &t->m->train.steps); }

static void set_epochs(Train *t, const Stmt *s) { set_length(t, s, &t->m->train.epochs); }

static void set_evaluate(Train *t, const Stmt *s)
{
    Evaluation evaluation;
    if (!evaluate_read(t->e, s, &evaluation)) return;
    for (int i = 0; i < t->evaluations.count; i++) {
        if (strcmp(t->evaluations.at[i].name, evaluation.name)) continue;
        elab_error(t->e, s->place, "two evaluations are named %s", evaluation.name);
        diag_note(t->e->d, t->evaluations.at[i].place, "the other one");
        return;
    }
    vec_push(t->m->arena, &t->evaluations, evaluation);
}

static void set_group(Train *t, const Stmt *s)
{
    bool pattern = false, keyword = false;
    for (const Expr *x = s->values; x; x = x->next) {
        keyword = keyword || x->keyword;
        pattern = pattern || (!x->keyword && x->kind == EXPR_string);
        if (!x->keyword && x->kind != EXPR_string) {
            elab_error(t->e, x->place, "group takes patterns of parameter paths as strings, then name = value");
            return;
        }
    }
    if (!pattern || !keyword) {
        elab_error(t->e, s->place, "group takes patterns and what to change for them: group \"**.bias\", decay = 0");
        return;
    }
    Group group = { .stmt = s, .scope = elab_scope(t->e) };
    for (const Expr *x = s->values; x; x = x->next)
        if (!x->keyword) vec_push(t->m->arena, &group.patterns, pattern_fill(t->e, x->text));
    vec_push(t->m->arena, &t->m->groups, group);
}

/* the table */

static const SettingRow ROWS[] = {
#define SETTING(name, doc) { #name, doc, set_##name },
#define RESERVED(name, doc) { #name, doc, NULL },
#include "frontend/settings.def"
#undef SETTING
#undef RESERVED
};

int setting_count(void) { return (int)(sizeof ROWS / sizeof *ROWS); }

const char *setting_name(int i) { return ROWS[i].name; }

const char *setting_doc(int i) { return ROWS[i].doc; }

static void read_setting(Train *t, const Stmt *s)
{
    const char *names[sizeof ROWS / sizeof *ROWS];
    for (int i = 0; i < setting_count(); i++) {
        names[i] = ROWS[i].name;
        if (strcmp(ROWS[i].name, s->text)) continue;
        if (ROWS[i].code) ROWS[i].code(t, s);
        else elab_error(t->e, s->place, "the setting %s is reserved: not built yet", s->text);
        return;
    }
    const char *near = suggest(s->text, names, setting_count());
    elab_error(t->e, s->place, "unknown setting %s%s%s%s", s->text, near ? "; did you mean " : "", near ? near : "",
               near ? "?" : "");
}

static void read_block(Train *t, const Stmt *body);

static void read_for(Train *t, const Stmt *s)
{
    List list;
    if (!elab_loop_range(t->e, s->values, s->place, &list)) return;
    for (int i = 0; i < list.count && !t->e->stopped; i++) {
        if (!elab_loop_names(t->e, s->names, &list.at[i], s->place)) return;
        read_block(t, s->body);
    }
}

static void read_block(Train *t, const Stmt *body)
{
    for (const Stmt *s = body; s && elab_spend(t->e, 1, s->place); s = s->next) {
        bool truth;
        switch (s->kind) {
        case STMT_setting: read_setting(t, s); break;
        case STMT_if:
            if (elab_truth(t->e, s->values, &truth)) read_block(t, truth ? s->body : s->otherwise);
            break;
        case STMT_block: elab_error(t->e, s->place, "%s is reserved: not built yet", s->text); break;
        case STMT_for: read_for(t, s); break;
        default: elab_error(t->e, s->place, "train holds settings such as `steps 2000`"); break;
        }
    }
}

static void check_complete(Train *t, const Stmt *block)
{
    const TrainSpec *spec = &t->m->train;
    if (!t->m->minimize && t->length)
        elab_error(t->e, block->place, "train does not say what for: `minimize loss(batch)`");
    if (!t->m->minimize) return;
    if (!t->m->using) elab_error(t->e, block->place, "train has no optimizer: `using adamw(lr = 1e-3)`");
    if (!t->length && spec->minimize)
        elab_error(t->e, block->place, "train does not say how long: `steps 2000` or `epochs 3`");
}

void train_read(Model *m, Diagnostics *d)
{
    const Stmt *first = NULL;
    for (const Stmt *s = m->ast->items; s; s = s->next) {
        if (s->kind != STMT_block || strcmp(s->text, "train")) continue;
        Train t = { .e = elab_new(m, MODE_settings, NULL, d), .m = m };
        elab_push(t.e, NULL, m->root, "", (Place){0});
        if (first) {
            elab_error(t.e, s->place, "a second train block");
            diag_note(d, first->place, "the first one is here");
            return;
        }
        first = s;
        m->train.present = true;
        m->train.place = s->place;
        read_block(&t, s->body);
        m->train.evaluations = t.evaluations.at;
        m->train.evaluation_count = t.evaluations.count;
        check_complete(&t, s);
    }
}
