/* ptm help: a command's text, or a list printed from its table. */
#include "frontend/cli/session.h"
#include "frontend/cli/shell.h"
#include "passes/passes.h"
#include "runtime/data/data.h"

#include <stdio.h>
#include <string.h>

enum { HELP_WIDTH = 120, HELP_INDENT = 2, HELP_DETAIL = 6 };

/* The columns of a UTF-8 text of so many bytes. */
static int columns(const char *text, int length)
{
    int width = 0;
    for (int i = 0; i < length; i++) width += (text[i] & 0xC0) != 0x80;
    return width;
}

/* A text in lines of HELP_WIDTH, broken at spaces; `at` is the column where it begins, `hang` that of further lines. */
static void print_wrapped(const char *text, int at, int hang)
{
    int begun = at;
    while (*text) {
        int length = (int)strcspn(text, " "), width = columns(text, length);
        if (at > begun && at + 1 + width > HELP_WIDTH) {
            printf("\n%*s", hang, "");
            at = begun = hang;
        }
        if (at > begun) putchar(' ');
        at += width + (at > begun);
        printf("%.*s", length, text);
        text += length + strspn(text + length, " ");
    }
    putchar('\n');
}

/* Rows of a name and a line about it, the lines in one column. */
typedef struct Row {
    const char *name, *doc;
} Row;
typedef Vec(Row) Rows;

static void print_rows(const Rows *rows)
{
    int widest = 0;
    for (int i = 0; i < rows->count; i++) {
        int width = columns(rows->at[i].name, (int)strlen(rows->at[i].name));
        if (width > widest) widest = width;
    }
    int column = HELP_INDENT + widest + 2;
    for (int i = 0; i < rows->count; i++) {
        printf("%*s%s%*s", HELP_INDENT, "", rows->at[i].name,
               column - HELP_INDENT - columns(rows->at[i].name, (int)strlen(rows->at[i].name)), "");
        print_wrapped(rows->at[i].doc, column, column);
    }
}

static void print_function(const char *signature, const char *doc)
{
    printf("%*s", HELP_INDENT, "");
    print_wrapped(signature, HELP_INDENT, HELP_DETAIL + 4);
    if (!*doc) return;
    printf("%*s", HELP_DETAIL, "");
    print_wrapped(doc, HELP_DETAIL, HELP_DETAIL);
}

static void help_commands(Arena *arena)
{
    Rows rows = { 0 };
    for (const Command *c = commands; c->name; c++)
        vec_push(arena, &rows, ((Row){ arena_print(arena, "%s %s", c->name, c->argument), c->summary }));
    print_rows(&rows);
}

static void help_ops(Arena *arena)
{
    Rows rows = { 0 };
    for (int op = 0; op < OP_COUNT; op++) vec_push(arena, &rows, ((Row){ op_name((Op)op), op_doc((Op)op) }));
    print_rows(&rows);
}

static void help_passes(Arena *arena)
{
    Rows rows = { 0 };
    for (int i = 0; i < pass_count(); i++) vec_push(arena, &rows, ((Row){ pass_name(i), pass_doc(i) }));
    print_rows(&rows);
}

static void help_stages(Arena *arena)
{
    Rows rows = { 0 };
    vec_push(arena, &rows, ((Row){ "ast", "the file as it was read" }));
    vec_push(arena, &rows, ((Row){ "graph", "the entry's operators, before any pass" }));
    for (int i = 0; i < pass_count(); i++) vec_push(arena, &rows, ((Row){ pass_name(i), pass_doc(i) }));
    vec_push(arena, &rows, ((Row){ "llvm", "the code of its kernels for LLVM" }));
    vec_push(arena, &rows, ((Row){ "asm", "the same as machine code" }));
    print_rows(&rows);
}

static void help_settings(Arena *arena)
{
    Rows rows = { 0 }, larger = { 0 };
    for (int i = 0; i < setting_count(); i++) vec_push(arena, &rows, ((Row){ setting_name(i), setting_doc(i) }));
    print_rows(&rows);
    puts("\nstage NAME { … } holds settings of its own and inherits the lines above it. Stages run one after the other."
         "\n\nThe first `evaluate` line (of the last stage) chooses the weights that best.safetensors keeps. A smaller "
         "value\nis better, but of these names a larger one:");
#define LARGER(name, doc) vec_push(arena, &larger, ((Row){ #name, doc }));
#include "frontend/cli/metrics.def"
#undef LARGER
    print_rows(&larger);
}

static void help_sources(Arena *arena)
{
    int count;
    const DataReader *readers = rt_data_readers(&count);
    for (int i = 0; i < count; i++)
        print_function(arena_print(arena, "%s%s", readers[i].name, readers[i].signature), readers[i].help);
}

static void help_functions(Arena *arena)
{
    int count;
    const FunctionDoc *at = function_list(arena, &count);
    const char *group = "";
    for (int i = 0; i < count; i++) {
        if (strcmp(group, at[i].group)) printf("%s%s:\n", i ? "\n" : "", at[i].group);
        group = at[i].group;
        print_function(at[i].signature, at[i].doc);
    }
}

/* Those modules of the prelude that are optimizers, or its fns whose first argument is the rate. */
static void print_steering(Arena *arena, const char *group, bool module)
{
    int count;
    const FunctionDoc *at = function_list(arena, &count);
    for (int i = 0; i < count; i++) {
        if (strcmp(at[i].group, group) || at[i].module != module) continue;
        if (module || !strncmp(at[i].signature + strlen(at[i].name), "(lr", 3))
            print_function(at[i].signature, at[i].doc);
    }
}

static void help_optimizers(Arena *arena)
{
    print_steering(arena, "prelude/optimizer.ptm", true);
    puts("\nAn optimizer is a module (w: f32[..S], g: f32[..S]; ...) -> f32[..S] that returns the new w; a file may "
         "have its own.");
}

static void help_schedules(Arena *arena)
{
    print_steering(arena, "prelude/schedule.ptm", false);
    puts("\nA schedule is a fn that returns the rate from `step` and `steps`; a model file may have its own.");
}

static void help_words(Arena *arena)
{
    int count, readers;
    const Word *at = word_list(arena, &count);
    const DataReader *reader = rt_data_readers(&readers);
    Rows rows = { 0 };
    for (int i = 0; i < count; i++) {
        Row *last = rows.count ? &rows.at[rows.count - 1] : NULL;
        if (last && !strcmp(last->name, at[i].kind))
            last->doc = arena_print(arena, "%s %s", last->doc, at[i].name);
        else
            vec_push(arena, &rows, ((Row){ at[i].kind, at[i].name }));
    }
    const char *names = "";
    for (int i = 0; i < readers; i++)
        if (reader[i].name[0] >= 'a') names = arena_print(arena, "%s %s", names, reader[i].name);
    vec_push(arena, &rows, ((Row){ "source", names + 1 }));
    print_rows(&rows);
}

static void help_man(Arena *arena) { (void)arena, shell_man(stdout); }
static void help_bash(Arena *arena) { (void)arena, shell_bash(stdout); }
static void help_fish(Arena *arena) { (void)arena, shell_fish(stdout); }
static void help_zsh(Arena *arena) { (void)arena, shell_zsh(stdout); }

static const struct {
    const char *name;
    void (*print)(Arena *arena);
} topics[] = { { "bash", help_bash }, { "commands", help_commands }, { "fish", help_fish },
               { "functions", help_functions }, { "man", help_man }, { "ops", help_ops },
               { "optimizers", help_optimizers }, { "passes", help_passes }, { "schedules", help_schedules },
               { "settings", help_settings }, { "sources", help_sources }, { "stages", help_stages },
               { "words", help_words }, { "zsh", help_zsh } };
enum { TOPIC_COUNT = sizeof topics / sizeof *topics };

int command_help(const Options *options)
{
    const char *names[64], *topic = options->argument;
    int count = 0;
    const Command *command = command_find(topic);
    if (command) return command_usage(command), EXIT_GOOD;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        if (!strcmp(topics[i].name, topic)) return topics[i].print(options->arena), EXIT_GOOD;
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
