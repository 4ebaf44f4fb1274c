/* The train block: its lines, and the stages in it. A stage inherits the lines above it and replaces or adds; one that
 * contains stages does nothing itself. */
#include "frontend/elab.h"

#include <string.h>

enum { MOST_STAGES = 1000 };

typedef struct Train {
    Elab         *e;
    Model        *m;
    Stage        *stage;                 /* the innermost one being read; the block itself is one without name */
    int           turn;                  /* see Line */
    int           finished;              /* stages read to their end */
    Vec(const Stmt *) waiting, used;     /* lines that no stage has yet, and those that one has */
    Map          *names;                 /* of finished stages -> Stage */
} Train;

/* inheritance */

static Stage *inherit(Arena *arena, const Stage *from)
{
    Stage *s = arena_new_of(arena, Stage);
    *s = (Stage){ .spec = from->spec, .minimize = from->minimize, .using = from->using, .clip = from->clip,
                  .length = from->length, .accumulate = from->accumulate, .using_scope = from->using_scope };
    for (int i = 0; i < from->groups.count; i++) vec_push(arena, &s->groups, from->groups.at[i]);
    for (int i = 0; i < from->frozen.count; i++) vec_push(arena, &s->frozen, from->frozen.at[i]);
    for (int i = 0; i < from->evaluations.count; i++) {
        vec_push(arena, &s->evaluations, from->evaluations.at[i]);
        vec_push(arena, &s->evaluation_turns, from->evaluation_turns.at[i]);
    }
    return s;
}

/* "tune", "classify.thaw" */
static const char *stage_path(const Train *t, const char *name)
{
    const char *above = t->stage->spec.name;
    return *above ? arena_print(t->m->arena, "%s.%s", above, name) : name;
}

static const char *unique_name(const Train *t, const char *name)
{
    const char *spelling = name;
    for (int n = 2; map_get(t->names, spelling); n++) spelling = arena_print(t->m->arena, "%s_%d", name, n);
    return spelling;
}

/* the end of a stage */

/* What a message calls it: "train", "stage tune". */
static const char *title(const Train *t, const Stage *s)
{
    return *s->spec.name ? arena_print(t->m->arena, "stage %s", s->spec.name) : "train";
}

static void check_complete(Train *t, const Stage *s, Place place)
{
    const char *name = title(t, s);
    bool trains = s->minimize.stmt != NULL;
    if (!trains && (s->length.stmt || *s->spec.name))
        elab_error(t->e, place, "%s does not say what for: `minimize loss(batch)`", name);
    if (trains && !s->using.stmt) elab_error(t->e, place, "%s has no optimizer: `using adamw(lr = 1e-3)`", name);
    if (trains && !s->length.stmt && s->spec.minimize)
        elab_error(t->e, place, "%s does not say how long: `steps 2000` or `epochs 3`", name);
}

static void use_lines(Train *t)
{
    for (int i = 0; i < t->waiting.count; i++) vec_push(t->m->arena, &t->used, t->waiting.at[i]);
    t->waiting.count = 0;
}

static void finish(Train *t, Stage *s, Place place)
{
    Model *m = t->m;
    bool says_nothing = !s->minimize.stmt && !s->using.stmt && !s->length.stmt && !s->evaluations.count;
    t->finished++;
    use_lines(t);
    if (!*s->spec.name && says_nothing) return;
    if (m->stages.count == MOST_STAGES) {
        elab_error(t->e, place, "more than %d stages", MOST_STAGES);
        t->e->stopped = true;
        return;
    }
    check_complete(t, s, place);
    s->spec.name = unique_name(t, s->spec.name);
    map_set(t->names, s->spec.name, s);
    s->spec.frozen = s->frozen.at;
    s->spec.frozen_count = s->frozen.count;
    s->spec.evaluations = s->evaluations.at;
    s->spec.evaluation_count = s->evaluations.count;
    s->spec.number = m->stages.count;
    s->spec.place = place;
    vec_push(m->arena, &m->stages, s);
}

static bool was_used(const Train *t, const Stmt *s)
{
    for (int i = 0; i < t->used.count; i++)
        if (t->used.at[i] == s) return true;
    return false;
}

/* Lines below the last stage of a block that has stages. */
static void report_idle(Train *t)
{
    for (int i = 0; i < t->waiting.count; i++)
        if (!was_used(t, t->waiting.at[i]))
            diag_warning(t->e->d, t->waiting.at[i]->place, "no stage stands below this line, so it does nothing");
    t->waiting.count = 0;
}

/* the lines */

static void read_block(Train *t, const Stmt *body);

/* The body of the block or of a stage. */
static void read_stage(Train *t, const Stmt *body, Place place)
{
    int before = t->finished;
    read_block(t, body);
    if (t->finished > before) report_idle(t);
    else finish(t, t->stage, place);
}

static void nest(Train *t, const Stmt *s)
{
    Stage *outer = t->stage;
    if (!s->label) {
        elab_error(t->e, s->place, "a stage has a name: `stage tune { … }`");
        return;
    }
    Stage *inner = inherit(t->m->arena, outer);
    inner->spec.name = stage_path(t, s->label);
    t->stage = inner;
    t->turn++;
    read_stage(t, s->body, s->place);
    t->turn++;
    t->stage = outer;
}

static void read_inner_block(Train *t, const Stmt *s)
{
    static const char *const name = "stage";
    if (!strcmp(s->text, name)) {
        nest(t, s);
        return;
    }
    const char *near = suggest(s->text, &name, 1);
    elab_error(t->e, s->place, "unknown block %s in train, which holds settings and stages%s%s%s", s->text,
               near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

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
        case STMT_setting:
            vec_push(t->m->arena, &t->waiting, s);
            setting_read(t->e, t->stage, t->turn, s);
            break;
        case STMT_if:
            if (elab_truth(t->e, s->values, &truth)) read_block(t, truth ? s->body : s->otherwise);
            break;
        case STMT_block: read_inner_block(t, s); break;
        case STMT_for: read_for(t, s); break;
        default: elab_error(t->e, s->place, "train holds settings such as `steps 2000`, and stages"); break;
        }
    }
}

static void read_train(Model *m, const Stmt *block, Diagnostics *d)
{
    Train t = { .e = elab_new(m, MODE_settings, NULL, d), .m = m, .stage = arena_new_of(m->arena, Stage) };
    elab_push(t.e, NULL, m->root, "", (Place){0});
    t.stage->spec.name = "";
    t.names = map_new(m->arena);
    m->train.present = true;
    m->train.place = block->place;
    read_stage(&t, block->body, block->place);
    StageSpec *specs = arena_array(m->arena, StageSpec, m->stages.count + 1);
    for (int i = 0; i < m->stages.count; i++) specs[i] = m->stages.at[i]->spec;
    m->train.stages = specs;
    m->train.stage_count = m->stages.count;
}

void train_read(Model *m, Diagnostics *d)
{
    const Stmt *first = NULL;
    for (const Stmt *s = m->ast->items; s; s = s->next) {
        if (s->kind != STMT_block || strcmp(s->text, "train")) continue;
        if (first) {
            diag_error(d, s->place, "a second train block");
            diag_note(d, first->place, "the first one is here");
            return;
        }
        first = s;
        read_train(m, s, d);
    }
}
