/* Reading the command line. */
#include "frontend/cli/options.h"
#include "ir/base/source.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const Command commands[] = {
#define COMMAND(name, function, argument, flags, summary, detail) { #name, function, argument, flags, summary, detail },
#include "frontend/cli/commands.def"
#undef COMMAND
    { 0 },
};

typedef enum FlagKind { FLAG_YES, FLAG_TEXT, FLAG_WHOLE, FLAG_REAL, FLAG_PAIRS } FlagKind;

typedef struct Flag {
    const char *spelling;
    FlagKind    kind;
    const char *value, *doc;
    size_t      offset;                  /* of the field in Options */
} Flag;

static const Flag flags[] = {
#define FLAG(field, spelling, kind, value, doc) { spelling, FLAG_##kind, value, doc, offsetof(Options, field) },
#include "frontend/cli/flags.def"
#undef FLAG
};
enum { FLAG_COUNT = sizeof flags / sizeof *flags };

const Command *command_find(const char *name)
{
    for (const Command *c = commands; c->name; c++)
        if (!strcmp(c->name, name)) return c;
    return NULL;
}

static bool listed(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += length)
        if ((p == list || p[-1] == ' ') && (p[length] == ' ' || !p[length])) return true;
    return false;
}

static bool accepts(const Command *command, const Flag *flag)
{
    return !strcmp(flag->spelling, "help") || listed(command->flags, flag->spelling);
}

void command_usage(const Command *command)
{
    printf("usage: ptm %s %s [flags]\n\n%s: %s.\n\n%s\n\nflags:\n", command->name, command->argument, command->name,
           command->summary, command->detail);
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (!accepts(command, &flags[i])) continue;
        char left[64];
        snprintf(left, sizeof left, "--%s %s", flags[i].spelling, flags[i].value);
        printf("  %-22s %s\n", left, flags[i].doc);
    }
}

static bool misuse(const Command *command, const char *format, const char *what, const char *hint)
{
    fprintf(stderr, "ptm %s: ", command->name);
    fprintf(stderr, format, what);
    if (hint) fprintf(stderr, "; did you mean --%s?", hint);
    fprintf(stderr, "\nusage: ptm %s %s [flags]   (ptm %s --help lists them)\n", command->name, command->argument, command->name);
    return false;
}

static const Flag *find_flag(const Command *command, const char *spelling)
{
    for (int i = 0; i < FLAG_COUNT; i++)
        if (accepts(command, &flags[i]) && !strcmp(flags[i].spelling, spelling)) return &flags[i];
    return NULL;
}

static const char *nearest_flag(const Command *command, const char *spelling)
{
    const char *names[FLAG_COUNT];
    int count = 0;
    for (int i = 0; i < FLAG_COUNT; i++)
        if (accepts(command, &flags[i])) names[count++] = flags[i].spelling;
    return suggest(spelling, names, count);
}

static bool read_number(const char *text, FlagKind kind, void *field)
{
    char *end;
    errno = 0;
    if (kind == FLAG_WHOLE) {
        long long v = strtoll(text, &end, 10);
        if (*end || end == text || errno || v < 0) return false;
        *(int64_t *)field = v;
    } else {
        double v = strtod(text, &end);
        if (*end || end == text || errno || !isfinite(v) || v < 0) return false;
        *(double *)field = v;
    }
    return true;
}

static bool read_value(const Command *command, const Flag *flag, const char *value, Options *out)
{
    void *field = (char *)out + flag->offset;
    if (flag->kind == FLAG_TEXT) {
        *(const char **)field = value;
        return true;
    }
    if (flag->kind != FLAG_PAIRS) {
        if (read_number(value, flag->kind, field)) return true;
        fprintf(stderr, "ptm %s: --%s wants %s, not \"%s\"\n", command->name, flag->spelling,
                flag->kind == FLAG_WHOLE ? "a whole number, 0 or more" : "a number, 0 or more", value);
        return false;
    }
    const char *equals = strchr(value, '=');
    if (!equals || equals == value) {
        fprintf(stderr, "ptm %s: --%s wants %s, not \"%s\"\n", command->name, flag->spelling, flag->value, value);
        return false;
    }
    Pair pair = { arena_copy_text(out->arena, value, (size_t)(equals - value)), equals + 1 };
    vec_push(out->arena, (Pairs *)field, pair);
    return true;
}

static void set_absent(Options *out)
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (flags[i].kind == FLAG_WHOLE) *(int64_t *)((char *)out + flags[i].offset) = -1;
        if (flags[i].kind == FLAG_REAL) *(double *)((char *)out + flags[i].offset) = NAN;
    }
}

/* Reads the flag at argv[*at], with its value after `=` or in the next argument. */
static bool read_flag(const Command *command, int argc, char **argv, int *at, Options *out)
{
    const char *text = argv[*at] + 2;
    size_t length = strcspn(text, "=");
    const char *spelling = arena_copy_text(out->arena, text, length);
    const Flag *flag = find_flag(command, spelling);
    if (!flag) return misuse(command, "there is no flag --%s here", spelling, nearest_flag(command, spelling));
    if (flag->kind == FLAG_YES) {
        if (text[length]) return misuse(command, "--%s takes no value", spelling, NULL);
        *(bool *)((char *)out + flag->offset) = true;
        return true;
    }
    const char *value = text[length] ? text + length + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    if (!value) return misuse(command, "--%s wants a value", spelling, NULL);
    return read_value(command, flag, value, out);
}

bool options_read(const Command *command, int argc, char **argv, Options *out)
{
    Arena *arena = out->arena;
    *out = (Options){ .arena = arena, .command = command->name };
    set_absent(out);
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "--", 2) && argv[i][2]) {
            if (!read_flag(command, argc, argv, &i, out)) return false;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return misuse(command, "flags begin with two dashes: %s", argv[i], NULL);
        } else if (out->argument) {
            return misuse(command, "one argument is enough: %s", argv[i], NULL);
        } else {
            out->argument = argv[i];
        }
    }
    if (!out->argument && !out->help && command->argument[0] != '[')
        return misuse(command, "which file? %s is missing", command->argument, NULL);
    return true;
}
