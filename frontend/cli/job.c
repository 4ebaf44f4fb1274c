/* States are placed once a job: a checkpoint of one stage knows nothing of another's, and an evaluation never touches
 * those of training. */
#include "frontend/cli/job.h"
#include "frontend/cli/host.h"
#include "runtime/core/memory.h"

#include <math.h>
#include <string.h>

/* which states there are */

static bool same_values(const Type *a, const Type *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int k = 0; same && k < a->rank; k++) same = dim_value(a->dim[k]) == dim_value(b->dim[k]);
    return same;
}

/* "f32[20, 200]": with the values of its dimensions. */
static const char *valued_text(Session *s, Type type)
{
    for (int k = 0; k < type.rank; k++) type.dim[k] = dim_int(model_dims(s->model), dim_value(type.dim[k]));
    return type_text(s->arena, &type);
}

/* What two types of a state are for, and what can be done. */
typedef struct Clash {
    const char *one, *other, *hint;
} Clash;

static Clash find_clash(const Session *s)
{
    if (!strcmp(s->options->command, "generate"))
        return (Clash){ "the prompt", "one token", "its type must not depend on how many tokens are read at once" };
    if (!strcmp(s->options->command, "compile"))
        return (Clash){ "one function, or set of dimensions,", "another", "functions of an object share their states: "
                        "compile them into objects of their own" };
    return (Clash){ "one shape of batches", "another", "begin it anew (`reset`, `carry = false` of the library's "
                    "modules), or make batches of one shape: by streams(…), or by batches(…, widths = 1)" };
}

/* Returns false. */
static bool report_types(Session *s, const char *title, const Node *known, const Node *input)
{
    Clash clash = find_clash(s);
    Place place = input->origin_count ? input->origins[0]->place : (Place){ 0 };
    diag_error(s->diagnostics, place,
               "%s: the state %s is %s for %s and %s for %s, so it cannot go from one to the other", title,
               input->attr.text, valued_text(s, known->type), clash.one, valued_text(s, input->type), clash.other);
    diag_note(s->diagnostics, (Place){ 0 }, "%s", clash.hint);
    return session_report(s) && false;
}

/* The states and sums of a graph into `all`, a graph of nothing else. */
static bool collect(Session *s, const char *title, Graph *all, const Graph *graph)
{
    for (int i = 0; i < graph->inputs.count; i++) {
        const Node *input = graph->inputs.at[i];
        bool sum = input->attr.storage == STORE_sum;
        if (input->attr.storage != STORE_state && !sum) continue;
        const Node *known = graph_find_input(all, input->attr.text);
        if (!known) {
            make_input(all, sum ? STORE_sum : STORE_state, input->attr.text, input->type);
        } else if (!same_values(&known->type, &input->type)) {
            return report_types(s, title, known, input);
        }
    }
    return true;
}

/* where they lie */

static RtValue value_of(const Node *input, int64_t offset)
{
    RtValue v = { .name = input->attr.text, .dtype = (int32_t)input->type.dtype, .rank = input->type.rank,
                  .place = RT_PLACE(BLOCK_state, offset), .bytes = type_value_bytes(&input->type) };
    for (int k = 0; k < input->type.rank; k++) v.shape[k] = dim_value(input->type.dim[k]);
    return v;
}

static bool place(Session *s, Job *job, const Graph *all, const Layout *shared)
{
    Layout *own = layout_new(s->arena, (const Graph *const *)&all, 1);
    RtValue *values = arena_array(s->arena, RtValue, all->inputs.count + 1);
    for (int i = 0; i < all->inputs.count; i++) {
        const char *name = all->inputs.at[i]->attr.text;
        if (all->inputs.at[i]->attr.storage == STORE_sum) continue;
        if (map_get(shared->offset, name))
            return session_fail(s, "%s: %s is a state here and a parameter elsewhere", job->title, name) && false;
        values[job->states.count++] = value_of(all->inputs.at[i], *(const int64_t *)map_get(own->offset, name));
    }
    for (int i = 0; i < map_count(shared->offset); i++)
        map_set(own->offset, map_key(shared->offset, i), map_value(shared->offset, i));
    own->narrow = shared->narrow;
    own->bytes[MEMORY_param] = shared->bytes[MEMORY_param];
    own->bytes[MEMORY_const] = shared->bytes[MEMORY_const];
    job->layout = own;
    job->states.bytes = own->bytes[MEMORY_state];
    job->states.values = values;
    return true;
}

/* what they begin with */

/* Is the initial value zero all over? It is neither computed nor copied then. */
static bool is_zero(const Graph *initial)
{
    const Node *n = initial->outputs.at[0].node;
    while (n->op == OP_expand || n->op == OP_reshape) n = n->args[0];
    return n->op == OP_const && n->attr.f == 0 && !signbit(n->attr.f) && n->attr.i == 0;
}

/* The graph of what is not zero. The values are in the order of `all`, without its sums. */
static bool find_drawn(Session *s, Job *job, const Graph *all)
{
    Graph *graph = graph_new(s->arena, model_dims(s->model), "states");
    bool *drawn = arena_array(s->arena, bool, all->inputs.count);
    int number = 0;
    for (int i = 0; i < all->inputs.count; i++) {
        const Node *input = all->inputs.at[i];
        if (input->attr.storage == STORE_sum) continue;
        const Graph *code = model_state_initial(s->model, input);
        if (!code) return session_fail(s, "%s: no initial value for %s", job->title, input->attr.text) && false;
        drawn[number] = !is_zero(code);
        if (drawn[number++]) build_initial_value(graph, STORE_state, input->attr.text, input->type, code);
    }
    job->states.drawn = drawn;
    if (graph->outputs.count) job->drawn = graph;
    return true;
}

bool job_open(Session *s, const char *title, Graph *const *graphs, int shapes, int more, const Graphs *kept,
              const Layout *shared, Job *out)
{
    *out = (Job){ .title = title, .graphs = graphs, .count = shapes + more, .shapes = shapes };
    Graph *all = graph_new(s->arena, model_dims(s->model), "states");
    for (int i = 0; kept && i < kept->count; i++)
        if (!collect(s, title, all, kept->at[i])) return false;
    out->states.kept = all->inputs.count;
    for (int i = 0; i < out->count; i++)
        if (graphs[i] && !collect(s, title, all, graphs[i])) return false;
    return place(s, out, all, shared) && find_drawn(s, out, all);
}

static void free_builds(Job *job)
{
    for (int v = 0; job->builds && v < job->count; v++) build_free(&job->builds[v]);
    build_free(&job->drawing);
}

bool job_plan(Session *s, const PassOptions *passes, Job *job)
{
    free_builds(job);
    job->builds = arena_array(s->arena, Build, job->count);
    job->run = arena_array(s->arena, RtRun, job->count);
    for (int v = 0; v < job->count; v++) {
        PassOptions options = passes ? passes[v] : (PassOptions){ 0 };
        options.layout = job->layout;
        options.precision = build_precision(s->options);
        if (job->graphs[v] && !build_plan(s, job->graphs[v], &options, &job->builds[v])) return false;
    }
    return true;
}

bool job_compile(Session *s, Job *job)
{
    for (int v = 0; v < job->count; v++) {
        if (!job->graphs[v]) continue;
        if (!build_code(s, &job->builds[v])) return false;
        job->run[v].program = job->builds[v].program;
    }
    PassOptions options = { .layout = job->layout };
    return !job->drawn || build_graph(s, job->drawn, &options, &job->drawing);
}

bool job_build(Session *s, const PassOptions *passes, Job *job)
{
    return job_plan(s, passes, job) && job_compile(s, job);
}

/* feeding */

static void add_feed(RtRun *run, RtFeed *feeds, const StreamUse *use, const char *name)
{
    const RtValue *input = rt_program_input(run->program, name);
    if (input) feeds[run->feed_count++] = (RtFeed){ input, host_stream(&use->stream) };
}

void job_feed(Session *s, Job *job, const Variants *variants, const char *const *names)
{
    int leader = variants->leader;
    for (int v = 0; v < job->shapes; v++) {
        RtRun *run = &job->run[v];
        if (!run->program) continue;
        RtFeed *feeds = arena_array(s->arena, RtFeed, variants->use_count + 1);
        run->feeds = feeds;
        if (leader >= 0) add_feed(run, feeds, &variants->uses[leader], names[leader]);
        for (int k = 0; k < variants->use_count; k++)
            if (k != leader) add_feed(run, feeds, &variants->uses[k], names[k]);
    }
}

RtRuns job_runs(const Job *job) { return (RtRuns){ job->run, job->shapes }; }

/* beginning */

char *job_draw_work(const Program *p, uint64_t seed)
{
    char *block[BLOCK_COUNT] = { [BLOCK_work] = rt_memory_new(p->block_bytes[BLOCK_work]) };
    const RtValue *input = rt_program_input(p, "seed");      /* step is 0, as new memory is */
    if (block[BLOCK_work] && input) *(int64_t *)rt_at(block, input->place) = (int64_t)seed;
    return block[BLOCK_work];
}

bool job_draw(Session *s, const Program *p, Pool *pool, char *const *block, uint64_t seed)
{
    char *all[BLOCK_COUNT];
    memcpy(all, block, sizeof all);
    if (!(all[BLOCK_work] = job_draw_work(p, seed)))
        return session_fail(s, "not enough memory for the initial values") && false;
    RtFault fault = { 0 };
    int failed = rt_program_run(p, pool, all, &fault);
    rt_memory_free(all[BLOCK_work], p->block_bytes[BLOCK_work]);
    if (!failed) return true;
    RtError error;
    rt_fault_text(p, &fault, &error);
    return session_fail(s, "%s", error.text) && false;
}

bool job_initial(Session *s, Job *job, Pool *pool, char *const *block, uint64_t seed)
{
    if (!job->drawn) return true;
    job->initial = rt_memory_new(job->states.bytes);
    job->states.initial = job->initial;
    if (!job->initial)
        return session_fail(s, "not enough memory: the states of %s need %lld bytes", job->title,
                            (long long)job->states.bytes) && false;
    char *all[BLOCK_COUNT];
    memcpy(all, block, sizeof all);
    all[BLOCK_state] = job->initial;
    return job_draw(s, job->drawing.program, pool, all, seed);
}

static void raise_to(int64_t *most, const Build *build)
{
    if (build->program && build->program->scratch_bytes > *most) *most = build->program->scratch_bytes;
}

int64_t job_scratch(const Job *job)
{
    int64_t most = 0;
    raise_to(&most, &job->drawing);
    for (int v = 0; job->builds && v < job->count; v++) raise_to(&most, &job->builds[v]);
    return most;
}

void job_close(Job *job)
{
    free_builds(job);
    if (job->initial) rt_memory_free(job->initial, job->states.bytes);
}
