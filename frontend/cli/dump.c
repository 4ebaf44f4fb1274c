/* ptm dump: the program after any stage or pass. */
#include "frontend/cli/build.h"
#include "frontend/cli/subject.h"

#include <string.h>

/* Which moment of the pipeline is wanted, and whether it came. */
typedef struct Wanted {
    const char *pass;
    bool        after, dot, explain, shown;
    PassNotes   notes;                   /* of the passes so far */
} Wanted;

static void explain(const Wanted *wanted, const Plan *plan)
{
    for (int k = 0; k < wanted->notes.count; k++) printf("%s\n", wanted->notes.at[k]);
    plan_explain(plan, stdout);
}

static void show(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Wanted *wanted = context;
    if (strcmp(pass, wanted->pass) || after != wanted->after) return;
    wanted->shown = true;
    if (wanted->explain) explain(wanted, plan);
    else if (plan) plan_print(plan, stdout);
    else if (wanted->dot) graph_print_dot(graph, stdout);
    else graph_print(graph, stdout);
}

static bool is_pass(const char *name)
{
    for (int i = 0; i < pass_count(); i++)
        if (!strcmp(pass_name(i), name)) return true;
    return false;
}

static int unknown_stage(const Options *options, const char *flag, const char *name)
{
    static const char *const others[] = { "ast", "graph", "llvm", "asm" };
    const char *names[64];
    int count = 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) names[count++] = others[i];
    for (int i = 0; i < pass_count(); i++) names[count++] = pass_name(i);
    const char *near = suggest(name, names, count);
    fprintf(stderr, "ptm %s: --%s %s is not a stage", options->command, flag, name);
    if (near) fprintf(stderr, "; did you mean %s?", near);
    fputs("\nstages:", stderr);
    for (int i = 0; i < count; i++) fprintf(stderr, " %s", names[i]);
    fputc('\n', stderr);
    return EXIT_MISUSE;
}

/* Whether the program is a graph there; afterwards it is a plan. */
static bool is_graph(const char *stage, bool after)
{
#define GRAPH(name, function, doc) if (!strcmp(stage, #name)) return true;
#define LOWER(name, function, doc) if (!strcmp(stage, #name)) return !after;
#define PLAN(name, function, doc)
#include "passes/passes.def"
#undef GRAPH
#undef LOWER
#undef PLAN
    return !strcmp(stage, "graph");
}

static int compile_and_show(Session *s, Subject *source, bool assembly)
{
    Plan *plan = passes_run(s->arena, source->graph, &source->passes, s->diagnostics);
    if (!plan) return session_report(s), EXIT_BAD_INPUT;
    CodeOptions code = build_options(s);
    code.threads = 1;
    code.debug_lines = true;
    if (assembly) code.assembly = stdout;
    else code.llvm = stdout;
    Code *compiled = code_compile(plan, source->graph->name, &code, s->diagnostics);
    if (!compiled) return session_report(s), EXIT_BAD_INPUT;
    code_free(compiled);
    return EXIT_GOOD;
}

static int dump_source(Session *s, Subject *source, const char *stage, bool after)
{
    if (!strcmp(stage, "graph")) {
        if (s->options->dot) graph_print_dot(source->graph, stdout);
        else graph_print(source->graph, stdout);
        return EXIT_GOOD;
    }
    if (!subject_is_valued(s, source->graph)) return EXIT_BAD_INPUT;
    if (s->model) source->passes.layout = subject_layout(s, source);
    source->passes.verify = true;
    source->passes.precision = build_precision(s->options);
    source->passes.memory = s->options->memory > 0 ? s->options->memory : 0;
    if (!strcmp(stage, "llvm") || !strcmp(stage, "asm")) return compile_and_show(s, source, stage[0] == 'a');

    Wanted wanted = { .pass = stage, .after = after, .dot = s->options->dot, .explain = s->options->explain };
    source->passes.notes = &wanted.notes;
    source->passes.observe = show;
    source->passes.context = &wanted;
    source->passes.stop_after = stage;
    passes_run(s->arena, source->graph, &source->passes, s->diagnostics);
    if (!session_report(s)) return EXIT_BAD_INPUT;
    if (!wanted.shown)
        return session_fail(s, "this entry does not go through %s (%s)", stage,
                            !strcmp(stage, "recompute") ? "it wants --memory SIZE"
                            : !strcmp(stage, "narrow")  ? "it wants --weight-type bf16 or i8"
                            : !strcmp(stage, "precision") ? "it wants --precision bf16"
                                                        : "it belongs to the training step");
    return EXIT_GOOD;
}

static int dump_ast(Session *s, const Options *options)
{
    if (!session_parse(s, options)) return EXIT_BAD_INPUT;
    ast_print(s->ast, stdout);
    return EXIT_GOOD;
}

static int dump_model(Session *s, const Options *options, const char *stage, bool after)
{
    Subject source;
    if (!session_open(s, options) || !subject_open(s, &source)) return EXIT_BAD_INPUT;
    return dump_source(s, &source, stage, after);
}

static int dump_text(Session *s, const Options *options, const char *stage, bool after)
{
    Subject source;
    if (!graph_text_open(s, options, &source)) return EXIT_BAD_INPUT;
    if (!strcmp(stage, "ast")) return session_fail(s, "%s is a graph's text, which has no ast", options->argument);
    return dump_source(s, &source, stage, after);
}

int command_dump(const Options *options)
{
    if (!!options->stage + !!options->before + !!options->after > 1) {
        fputs("ptm dump: give one of --stage, --before and --after\n", stderr);
        return EXIT_MISUSE;
    }
    if (!options_weights_are_read(options, !options->entry)) return EXIT_MISUSE;
    const char *flag = options->before ? "before" : options->after ? "after" : "stage";
    const char *stage = options->before ? options->before : options->after ? options->after : options->stage;
    if (!stage) stage = options->explain ? "fuse" : "graph";
    bool front = !options->before && !options->after
              && (!strcmp(stage, "ast") || !strcmp(stage, "graph") || !strcmp(stage, "llvm") || !strcmp(stage, "asm"));
    bool after = !options->before;
    if (!front && !is_pass(stage)) return unknown_stage(options, flag, stage);
    if (options->dot && !is_graph(stage, after)) {
        fprintf(stderr, "ptm dump: --dot draws graphs, and --%s %s shows none\n", flag, stage);
        return EXIT_MISUSE;
    }
    if (options->explain && (front || is_graph(stage, after))) {
        fprintf(stderr, "ptm dump: --explain is about kernels, and --%s %s shows none\n", flag, stage);
        return EXIT_MISUSE;
    }

    Session s;
    int status = graph_text_is(options->argument) ? dump_text(&s, options, stage, after)
               : !strcmp(stage, "ast")            ? dump_ast(&s, options)
                                                  : dump_model(&s, options, stage, after);
    session_close(&s);
    return status;
}
