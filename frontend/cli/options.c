/* Reading the command line. */
#include "frontend/cli/options.h"
#include "ir/base/source.h"
#include "runtime/core/program.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const Command commands[] = {
#define COMMAND(name, function, argument, flags, summary, detail) \
    { #name, function, argument, flags, summary, detail, NULL },
#include "frontend/cli/commands.def"
#undef COMMAND
    { 0 },
};

/* Limits of numbers that nothing else limits: beyond them, arithmetic on steps or the memory for tokens would. */
#define FLAG_MANY   INT64_C(1000000000000)
#define FLAG_TOKENS INT64_C(1000000000)
#define FLAG_KEPT   INT64_C(1000000)

typedef enum FlagKind {
    FLAG_YES, FLAG_TEXT, FLAG_CHOICE, FLAG_WHOLE, FLAG_REAL, FLAG_BYTES, FLAG_PAIRS, FLAG_NAMED, FLAG_SETS, FLAG_TEXTS
} FlagKind;

typedef struct Flag {
    const char *spelling;
    FlagKind    kind;
    int64_t     most;                    /* of a whole number */
    const char *value, *doc;
    size_t      offset;                  /* of the field in Options */
} Flag;

static const Flag flags[] = {
#define FLAG(field, spelling, kind, most, value, doc) \
    { spelling, FLAG_##kind, most, value, doc, offsetof(Options, field) },
#include "frontend/cli/flags.def"
#undef FLAG
};
enum { FLAG_COUNT = sizeof flags / sizeof *flags };

static FILE *messages(const Command *command) { return command->messages ? command->messages : stderr; }

FILE *messages_of(const Options *options) { return options->messages ? options->messages : stderr; }

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

/* What is typed behind the two dashes: "dim@compile" is the --dim of one command. */
static int typed_length(const char *spelling) { return (int)strcspn(spelling, "@"); }

bool command_flag(const Command *command, int k, FlagText *out)
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (!accepts(command, &flags[i]) || k-- > 0) continue;
        *out = (FlagText){ .value = flags[i].value, .doc = flags[i].doc };
        snprintf(out->spelling, sizeof out->spelling, "%.*s", typed_length(flags[i].spelling), flags[i].spelling);
        return true;
    }
    return false;
}

void command_usage(const Command *command)
{
    FlagText flag;
    printf("usage: ptm %s %s [flags]\n\n%s: %s.\n\n%s\n\nflags:\n", command->name, command->argument, command->name,
           command->summary, command->detail);
    for (int k = 0; command_flag(command, k, &flag); k++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", flag.spelling, flag.value);
        printf("  %-22s %s\n", left, flag.doc);
    }
}

static bool misuse(const Command *command, const char *format, const char *what, const char *hint)
{
    fprintf(messages(command), "ptm %s: ", command->name);
    fprintf(messages(command), format, what);
    if (hint) fprintf(messages(command), "; did you mean --%s?", hint);
    fprintf(messages(command), "\nusage: ptm %s %s [flags]   (ptm %s --help lists them)\n", command->name,
            command->argument, command->name);
    return false;
}

static const Flag *find_flag(const Command *command, const char *spelling)
{
    size_t length = strlen(spelling);
    for (int i = 0; i < FLAG_COUNT; i++) {
        bool same = !strncmp(flags[i].spelling, spelling, length) && strchr("@", flags[i].spelling[length]);
        if (same && accepts(command, &flags[i])) return &flags[i];
    }
    return NULL;
}

static const char *nearest_flag(const Command *command, const char *spelling)
{
    const char *names[FLAG_COUNT];
    int count = 0;
    for (int i = 0; i < FLAG_COUNT; i++)
        if (accepts(command, &flags[i]) && !strchr(flags[i].spelling, '@')) names[count++] = flags[i].spelling;
    return suggest(spelling, names, count);
}

/* With what it may have been meant for: another flag of this command, or the commands that have it. */
static bool unknown_flag(const Command *command, const char *spelling, Arena *arena)
{
    const char *near = nearest_flag(command, spelling), *owners = "";
    for (const Command *c = commands; c->name && !near; c++)
        if (find_flag(c, spelling))
            owners = arena_print(arena, "%s%s%s", owners, *owners ? ", " : "; it belongs to ", c->name);
    return misuse(command, "there is no flag --%s", arena_print(arena, "%s here%s", spelling, owners), near);
}

/* One of the words that help shows with bars between them. */
static bool read_choice(const Command *command, const Flag *flag, const char *text, const char **out)
{
    size_t length = strlen(text);
    for (const char *word = flag->value; word; word = strchr(word, '|')) {
        if (*word == '|') word++;
        if (!strncmp(word, text, length) && (word[length] == '|' || !word[length])) {
            *out = text;
            return true;
        }
    }
    fprintf(stderr, "ptm %s: --%.*s wants one of %s, not \"%s\"\n", command->name, typed_length(flag->spelling),
            flag->spelling, flag->value, text);
    return false;
}

static bool read_whole(const Command *command, const Flag *flag, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!*end && end != text && value >= 0 && value <= flag->most && !errno) {
        *out = value;
        return true;
    }
    if (flag->most == INT64_MAX)
        fprintf(messages(command), "ptm %s: --%s wants a whole number, 0 or more, not \"%s\"\n", command->name,
                flag->spelling, text);
    else
        fprintf(messages(command), "ptm %s: --%s wants a whole number from 0 to %lld, not \"%s\"\n", command->name,
                flag->spelling, (long long)flag->most, text);
    return false;
}

static bool read_real(const Command *command, const Flag *flag, const char *text, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    if (!*end && end != text && !errno && isfinite(*out) && *out >= 0) return true;
    fprintf(messages(command), "ptm %s: --%s wants a number, 0 or more, not \"%s\"\n", command->name, flag->spelling,
            text);
    return false;
}

/* "600M", "1.5G": of 1024 each. */
static bool read_bytes(const Command *command, const Flag *flag, const char *text, int64_t *out)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    for (int i = 0; unit && i <= unit - units; i++) value *= 1024;
    bool good = end != text && !errno && value >= 1 && value < 0x1p62 && !end[unit != NULL];
    *out = good ? (int64_t)value : -1;
    if (!good)
        fprintf(messages(command), "ptm %s: --%s wants a size such as 600M or 1.5G, not \"%s\"\n", command->name,
                flag->spelling, text);
    return good;
}

/* A name twice is a mistake: one of the two values would do nothing. */
static bool read_pair(const Command *command, const Flag *flag, const char *text, Arena *arena, Pairs *out)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text) {
        fprintf(messages(command), "ptm %s: --%.*s wants %s, not \"%s\"\n", command->name, typed_length(flag->spelling),
                flag->spelling, flag->value, text);
        return false;
    }
    Pair pair = { arena_copy_text(arena, text, (size_t)(equals - text)), equals + 1 };
    for (int i = 0; i < out->count; i++) {
        if (strcmp(out->at[i].name, pair.name)) continue;
        fprintf(messages(command), "ptm %s: --%s says %s twice: %s and %s\n", command->name, flag->spelling, pair.name,
                out->at[i].value, pair.value);
        return false;
    }
    vec_push(arena, out, pair);
    return true;
}

/* "ids=x.npy", or "x.npy" alone. What stands before `=` is a name only when it could be one. */
static bool read_named(const Command *command, const Flag *flag, const char *text, Arena *arena, Pairs *out)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    if (length && text[length] == '=') return read_pair(command, flag, text, arena, out);
    vec_push(arena, out, ((Pair){ "", text }));
    return true;
}

static bool has_pair(const Pairs *pairs, const char *name)
{
    for (int i = 0; i < pairs->count; i++)
        if (!strcmp(pairs->at[i].name, name)) return true;
    return false;
}

/* "B=1,T=128". A name that the set has begins the next one. */
static bool read_sets(const Command *command, const Flag *flag, const char *text, Arena *arena, PairSets *out)
{
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        const char *item = arena_copy_text(arena, at, strcspn(at, ","));
        const char *equals = strchr(item, '=');
        const char *name = equals ? arena_copy_text(arena, item, (size_t)(equals - item)) : "";
        if (!out->count || has_pair(&out->at[out->count - 1], name)) vec_push(arena, out, (Pairs){ 0 });
        if (!read_pair(command, flag, item, arena, &out->at[out->count - 1])) return false;
    }
    return true;
}

static bool read_value(const Command *command, const Flag *flag, const char *value, Options *out)
{
    void *field = (char *)out + flag->offset;
    switch (flag->kind) {
    case FLAG_YES: break;
    case FLAG_TEXT: *(const char **)field = value; return true;
    case FLAG_CHOICE: return read_choice(command, flag, value, field);
    case FLAG_WHOLE: return read_whole(command, flag, value, field);
    case FLAG_REAL: return read_real(command, flag, value, field);
    case FLAG_BYTES: return read_bytes(command, flag, value, field);
    case FLAG_PAIRS: return read_pair(command, flag, value, out->arena, field);
    case FLAG_NAMED: return read_named(command, flag, value, out->arena, field);
    case FLAG_SETS: return read_sets(command, flag, value, out->arena, field);
    case FLAG_TEXTS: vec_push(out->arena, (Strings *)field, value); return true;
    }
    return false;
}

bool options_weights_are_read(const Options *options, bool trains)
{
    if (!options->weight_type || !trains) return true;
    fprintf(messages_of(options), "ptm %s: --weight-type is for weights that are only read, and a training step writes "
            "them: name another function with --entry\n", options->command);
    return false;
}

static void set_absent(Options *out)
{
    for (int i = 0; i < FLAG_COUNT; i++) {
        if (flags[i].kind == FLAG_WHOLE || flags[i].kind == FLAG_BYTES)
            *(int64_t *)((char *)out + flags[i].offset) = -1;
        if (flags[i].kind == FLAG_REAL) *(double *)((char *)out + flags[i].offset) = NAN;
    }
}

/* Reads the flag at argv[*at], with its value after `=` or in the next argument. -o is short for --output. */
static bool read_flag(const Command *command, int argc, char **argv, int *at, Options *out)
{
    const char *text = !strcmp(argv[*at], "-o") ? "output" : argv[*at] + 2;
    size_t length = strcspn(text, "=");
    const char *spelling = arena_copy_text(out->arena, text, length);
    const Flag *flag = find_flag(command, spelling);
    if (!flag) return unknown_flag(command, spelling, out->arena);
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
    *out = (Options){ .arena = arena, .command = command->name, .messages = command->messages };
    set_absent(out);
    for (int i = 0; i < argc; i++) {
        if ((!strncmp(argv[i], "--", 2) && argv[i][2]) || !strcmp(argv[i], "-o")) {
            if (!read_flag(command, argc, argv, &i, out)) return false;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return misuse(command, "flags begin with two dashes: %s", argv[i], NULL);
        } else if (out->argument && !strstr(command->argument, "...")) {
            return misuse(command, "one argument is enough: %s", argv[i], NULL);
        } else {
            if (!out->argument) out->argument = argv[i];
            vec_push(arena, &out->arguments, argv[i]);
        }
    }
    if (!out->argument && !out->help && command->argument[0] != '[')
        return misuse(command, "which file? %s is missing", command->argument, NULL);
    return true;
}
