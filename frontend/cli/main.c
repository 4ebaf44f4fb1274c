/* ptm: the command. Finds the command's row, reads its flags, runs it. */
#include "codegen/codegen.h"
#include "frontend/cli/options.h"
#include "ir/base/source.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void overview(FILE *out)
{
    fprintf(out, "ptm " PTM_VERSION ": a compiler and runtime for language models\n\nusage: ptm COMMAND ...\n\n");
    for (const Command *c = commands; c->name; c++) fprintf(out, "  %-10s %s\n", c->name, c->summary);
    fprintf(out, "\n`ptm COMMAND --help` explains one, `ptm help TOPIC` lists functions, ops, settings and more.\n");
}

static int unknown(const char *name)
{
    const char *names[32];
    int count = 0;
    for (const Command *c = commands; c->name; c++) names[count++] = c->name;
    const char *near = suggest(name, names, count);
    fprintf(stderr, "ptm: there is no command \"%s\"", name);
    if (near) fprintf(stderr, "; did you mean %s?", near);
    fprintf(stderr, "\n`ptm help` lists them.\n");
    return EXIT_MISUSE;
}

/* What was printed must have arrived: a full disk or a closed pipe is not success. */
static int flushed(int status)
{
    bool lost = ferror(stdout);
    if (!fflush(stdout) && !lost) return status;
    if (lost) fputs("ptm: cannot write the output\n", stderr);
    else perror("ptm: cannot write the output");
    return status == EXIT_GOOD ? EXIT_BAD_INPUT : status;
}

static int run_command(const Command *command, int argc, char **argv)
{
    Options options = { .arena = arena_new() };
    int status = EXIT_MISUSE;
    if (options_read(command, argc, argv, &options)) {
        status = options.help ? EXIT_GOOD : command->run(&options);
        if (options.help) command_usage(command);
    }
    arena_free(options.arena);
    return flushed(status);
}

/* Where standard input, output or error is closed, the next file that is opened would get its number, and messages
 * would go into it. */
static void hold_standard_files(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) _exit(EXIT_BAD_INPUT);
}

/* OpenBLAS starts threads when it is loaded, before main, which ask for 128 MiB of addresses each, and where these are
 * not to be had ask for ever. None of them is ever used, the pool has its own: where addresses are limited, begin again
 * without them. */
static void begin_without_threads(char **argv)
{
    struct rlimit limit;
    const char *threads = getenv("OPENBLAS_NUM_THREADS");
    if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY || (threads && !strcmp(threads, "1"))) return;
    if (!setenv("OPENBLAS_NUM_THREADS", "1", 1)) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    begin_without_threads(argv);
    hold_standard_files();
    code_report_ends();
    signal(SIGXFSZ, SIG_IGN);            /* a file that may not grow is an error of write, as on a full disk */
    if (argc < 2) {
        overview(stderr);
        return EXIT_MISUSE;
    }
    if (!strcmp(argv[1], "--help") || (!strcmp(argv[1], "help") && argc == 2)) {
        overview(stdout);
        return EXIT_GOOD;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("ptm " PTM_VERSION);
        return EXIT_GOOD;
    }
    const Command *command = command_find(argv[1]);
    if (!command) return unknown(argv[1]);
    return run_command(command, argc - 2, argv + 2);
}
