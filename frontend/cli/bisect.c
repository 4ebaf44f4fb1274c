/* ptm bisect: which pass changes a result, and the smallest graph that shows it. What is compared is the compiled code
 * and every program on the way to it with the reference evaluator; or a command of the user's says what fails. */
#include "frontend/cli/host.h"
#include "frontend/cli/build.h"
#include "frontend/cli/small.h"
#include "frontend/cli/subject.h"

#include "codegen/trial.h"
#include "passes/bisect.h"
#include "runtime/core/random.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 2000 };

typedef struct Bisecting {
    Session    *s;
    Subject     subject;
    Small       small;                   /* of a model's training step; else count is 0 */
    int         below;                   /* bound of whole numbers in random inputs */
    Bisect      bisect;
    const char *stage;                   /* what the shrunk graph must show */
    const char *command, *path;          /* of the user; the file that it is given */
    const Graph *before, *failing;       /* the graph behind `update`; the first that the command fails on */
} Bisecting;

/* values */

static const HostValue *find_table(const Session *s, const Node *input)
{
    for (int i = 0; s->model && i < model_table_count(s->model); i++)
        if (!strcmp(model_table(s->model, i)->name, input->attr.text)) return model_table(s->model, i);
    return NULL;
}

static bool same_shape(const Type *a, const Type *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int k = 0; same && k < a->rank; k++) same = dim_value(a->dim[k]) == dim_value(b->dim[k]);
    return same;
}

/* Batches and tables as they are; everything else from the seed and the name. */
static Tensor *value(void *context, Arena *arena, const Node *input)
{
    const Bisecting *b = context;
    const HostValue *table = find_table(b->s, input);
    for (int k = 0; k < b->small.count; k++)
        if (!strcmp(b->small.names[k], input->attr.text) && same_shape(&b->small.batch[k]->type, &input->type))
            return b->small.batch[k];
    if (table && same_shape(&table->type, &input->type))
        return tensor_from_bytes(arena, input->type, host_array(table)->data);
    int64_t seed = b->s->options->seed > 0 ? b->s->options->seed : 0;
    uint64_t key = rt_random_key((uint64_t)seed, rt_random_hash(input->attr.text));
    return tensor_some(arena, input, (int)(key % 1000003), b->below);
}

static const char *run(void *context, const Plan *plan, Tensor *const *inputs, Tensor **results, Arena *arena)
{
    const Bisecting *b = context;
    const Graph *g = plan->graph;
    CodeOptions code = build_options(b->s);
    Diagnostics *d = diag_new(arena);
    const char *why = NULL;
    Trial t;
    if (!trial_open(&t, plan, code.threads, &code, d)) {
        diag_print(d, stderr);
        trial_close(&t);
        return "it cannot be compiled";
    }
    for (int k = 0; k < g->inputs.count; k++) trial_set(&t, g->inputs.at[k]->attr.text, inputs[k]);
    if (!trial_run(&t)) why = arena_print(arena, "index %lld is outside its axis of %lld", (long long)t.fault.value,
                                          (long long)t.fault.bound);
    for (int k = 0; k < g->outputs.count && !why; k++) results[k] = trial_get(&t, arena, &g->outputs.at[k]);
    trial_close(&t);
    return why;
}

/* comparing */

static bool compare(Bisecting *b, Arena *arena, const Graph *g, PassOptions passes)
{
    passes.layout = passes.updates ? subject_layout(b->s, &b->subject) : layout_new(arena, &g, 1);
    b->bisect.value = value;
    b->bisect.run = run;
    b->bisect.context = b;
    return bisect_passes(arena, &b->bisect, g, passes, b->s->diagnostics);
}

static bool still_differs(void *context, const Graph *g)
{
    Bisecting *b = context;
    Arena *arena = arena_new();
    bool same = compare(b, arena, g, (PassOptions){ 0 }) && !strcmp(b->bisect.stage, b->stage);
    arena_free(arena);
    return same;
}

/* a command */

static bool write_graph(const char *path, const Graph *g)
{
    FILE *out = fopen(path, "w");
    if (!out) return false;
    graph_print(g, out);
    return !fclose(out);
}

static bool command_fails(void *context, const Graph *g)
{
    Bisecting *b = context;
    if (!write_graph(b->path, g)) {
        session_fail(b->s, "%s cannot be written", b->path);
        return false;
    }
    return system(b->command) != 0;
}

/* Every {} in the command becomes the path; what it prints is not shown. */
static const char *command_text(Arena *arena, const char *command, const char *path)
{
    const char *text = "", *rest = command;
    for (const char *at; (at = strstr(rest, "{}")); rest = at + 2)
        text = arena_print(arena, "%s%.*s'%s'", text, (int)(at - rest), rest, path);
    return arena_print(arena, "(%s%s) >/dev/null 2>&1", text, rest);
}

static void try_command(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Bisecting *b = context;
    (void)plan;
    if (!after || !graph || b->failing || !command_fails(b, graph)) return;
    b->failing = graph;
    b->stage = pass;
}

static void keep_graph(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Bisecting *b = context;
    (void)plan;
    if (after && graph && (!strcmp(pass, "grad") || !strcmp(pass, "update"))) b->before = graph;
}

/* telling */

static void print_shrunk(Bisecting *b, const Graph *g, Shows *shows)
{
    const Graph *small = graph_shrink(b->s->arena, g, b->bisect.output, shows, b, TRIES);
    printf("# the smallest graph found that shows it; read by ptm dump and ptm bisect\n");
    graph_print(small, stdout);
}

/* The command is not asked about plans: it reads graphs. */
static const char *last_graph_pass(void)
{
    const char *last = NULL;
#define GRAPH(name, function, doc) last = #name;
#define LOWER(name, function, doc)
#define PLAN(name, function, doc)
#include "passes/passes.def"
#undef GRAPH
#undef LOWER
#undef PLAN
    return last;
}

static int bisect_command(Bisecting *b)
{
    const char *folder = getenv("TMPDIR");
    char *path = arena_print(b->s->arena, "%s/ptm-bisect-XXXXXX", folder && *folder ? folder : "/tmp");
    int file = mkstemp(path);
    if (file < 0) return session_fail(b->s, "%s: no file can be made there", path);
    close(file);
    b->path = path;
    b->command = command_text(b->s->arena, b->s->options->check_command, path);
    PassOptions passes = b->subject.passes;
    passes.observe = try_command;
    passes.context = b;
    passes.stop_after = last_graph_pass();
    if (command_fails(b, b->subject.graph)) b->failing = b->subject.graph;
    else passes_run(b->s->arena, b->subject.graph, &passes, b->s->diagnostics);
    if (b->failing) {
        printf("# the command fails on the graph %s\n", b->stage ? arena_print(b->s->arena, "after %s, not before",
                                                                               b->stage) : "before every pass");
        print_shrunk(b, b->failing, command_fails);
    } else {
        printf("the command succeeds on the graph before and after every pass\n");
    }
    unlink(path);
    return b->failing ? EXIT_BAD_INPUT : EXIT_GOOD;
}

static void print_difference(const Bisecting *b)
{
    const Bisect *f = &b->bisect;
    if (f->why) {
        printf("# %s: %s\n", f->stage, f->why);
        return;
    }
    const char *at = f->type.rank ? type_index_text(b->s->arena, &f->type, f->element) : "";
    printf("# first changed by %s: \"%s\"%s is %.9g, and was %.9g\n", f->stage, f->output, at, f->have, f->want);
}

/* Random ids may be too large for a table of few rows. */
static bool find_difference(Bisecting *b)
{
    bool found;
    for (b->below = 8; ; b->below /= 2) {
        found = compare(b, b->s->arena, b->subject.graph, b->subject.passes);
        if (!found || strcmp(b->bisect.stage, "graph") || b->below == 1) return found;
    }
}

static int bisect_passes_of(Bisecting *b)
{
    Session *s = b->s;
    if (!find_difference(b)) {
        if (!session_report(s)) return EXIT_BAD_INPUT;
        printf("compiled code and evaluator agree after every pass, on %d outputs\n", b->bisect.known.count);
        return EXIT_GOOD;
    }
    if (!strcmp(b->bisect.stage, "graph")) return session_fail(s, "%s", b->bisect.why);
    print_difference(b);
    b->stage = b->bisect.stage;
    PassOptions passes = b->subject.passes;
    passes.observe = keep_graph;
    passes.context = b;
    passes.stop_after = passes.updates ? "update" : "grad";
    b->before = b->subject.graph;
    if (passes.loss) passes_run(s->arena, b->subject.graph, &passes, s->diagnostics);
    if (still_differs(b, b->before)) {
        print_shrunk(b, b->before, still_differs);
    } else {
        printf("# the graph that shows it, whole\n");
        graph_print(b->subject.graph, stdout);
    }
    return EXIT_BAD_INPUT;
}

/* A training step on a small batch; --entry with the dimensions given. */
static bool open_subject(Bisecting *b)
{
    Session *s = b->s;
    if (s->options->entry) return subject_open(s, &b->subject);
    StepSource *step = subject_step(s);
    if (!step || !small_open(s, step, &b->small) || !step_optimizer(s, step)) return false;
    b->subject = (Subject){ step->graphs[0], step->passes[0] };
    return true;
}

int command_bisect(const Options *options)
{
    Session s;
    Bisecting b = { .s = &s, .below = 8 };
    int status = EXIT_BAD_INPUT;
    if (options->check_command && !strstr(options->check_command, "{}")) {
        fputs("ptm bisect: --command wants {} where the file's name goes\n", stderr);
        return EXIT_MISUSE;
    }
    bool text = graph_text_is(options->argument);
    bool open = text ? graph_text_open(&s, options, &b.subject) : session_open(&s, options) && open_subject(&b);
    if (open && subject_is_valued(&s, b.subject.graph))
        status = options->check_command ? bisect_command(&b) : bisect_passes_of(&b);
    session_close(&s);
    return status;
}
