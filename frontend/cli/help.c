/* ptm help: a command's text, or a list printed from its table. */
#include "frontend/cli/session.h"
#include "passes/passes.h"
#include "runtime/data/data.h"

#include <stdio.h>
#include <string.h>

static void help_ops(void)
{
    for (int op = 0; op < OP_COUNT; op++) printf("  %-12s %s\n", op_name((Op)op), op_doc((Op)op));
}

static void help_passes(void)
{
    for (int i = 0; i < pass_count(); i++) printf("  %-12s %s\n", pass_name(i), pass_doc(i));
}

static void help_sources(void)
{
    int count;
    const DataReader *readers = rt_data_readers(&count);
    for (int i = 0; i < count; i++)
        printf("  %s%s\n      %s\n", readers[i].name, readers[i].signature, readers[i].help);
}

static void help_settings(void)
{
    for (int i = 0; i < setting_count(); i++) printf("  %-12s %s\n", setting_name(i), setting_doc(i));
    puts("\nstage NAME { … } holds settings of its own and inherits the lines above it. Stages run one after the other."
         "\n\nThe first `evaluate` line (of the last stage) chooses the weights that best.safetensors keeps. A smaller "
         "value\nis better, but of these names a larger one:");
#define LARGER(name, doc) printf("  %-12s %s\n", #name, doc);
#include "frontend/cli/metrics.def"
#undef LARGER
}

static void help_functions(void)
{
    int count;
    Arena *arena = arena_new();
    const FunctionDoc *at = function_list(arena, &count);
    const char *group = "";
    for (int i = 0; i < count; i++) {
        if (strcmp(group, at[i].group)) printf("%s%s:\n", i ? "\n" : "", at[i].group);
        group = at[i].group;
        printf("  %s\n", at[i].signature);
        if (*at[i].doc) printf("      %s\n", at[i].doc);
    }
    arena_free(arena);
}

static const struct {
    const char *name;
    void (*print)(void);
} topics[] = { { "functions", help_functions }, { "ops", help_ops }, { "passes", help_passes },
               { "settings", help_settings }, { "sources", help_sources } };
enum { TOPIC_COUNT = sizeof topics / sizeof *topics };

int command_help(const Options *options)
{
    const char *names[64], *topic = options->argument;
    int count = 0;
    const Command *command = command_find(topic);
    if (command) return command_usage(command), EXIT_GOOD;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        if (!strcmp(topics[i].name, topic)) return topics[i].print(), EXIT_GOOD;
        names[count++] = topics[i].name;
    }
    for (const Command *c = commands; c->name; c++) names[count++] = c->name;
    const char *near = suggest(topic, names, count);
    fprintf(stderr, "ptm help: there is nothing about \"%s\"", topic);
    if (near) fprintf(stderr, "; did you mean %s?", near);
    fputs("\ntopics:", stderr);
    for (int i = 0; i < count; i++) fprintf(stderr, " %s", names[i]);
    fputc('\n', stderr);
    return EXIT_MISUSE;
}
