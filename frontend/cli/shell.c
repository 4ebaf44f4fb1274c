/* The manual page and the completion scripts. */
#include "frontend/cli/shell.h"
#include "frontend/cli/options.h"

#include <string.h>

/* ---- man ---- */

/* Text for troff: backslashes and hyphens as they are, no line that begins like a request. */
static void put_troff(FILE *out, const char *text)
{
    bool begins = true;
    for (; *text; text++) {
        if (begins && (*text == '.' || *text == '\'')) fputs("\\&", out);
        if (*text == '\\') fputs("\\e", out);
        else if (*text == '-') fputs("\\-", out);
        else fputc(*text, out);
        begins = *text == '\n';
    }
}

/* Lines that belong together are one paragraph; indented ones stand as they are. */
static void put_detail(FILE *out, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        bool shown = *line == ' ';
        if (shown) fputs(".nf\n", out);
        put_troff(out, line);
        fputs(shown ? "\n.fi\n" : "\n", out);
        text += length + (text[length] == '\n');
    }
}

static void put_command(FILE *out, const Command *c)
{
    FlagText flag;
    fprintf(out, ".SS ptm %s ", c->name);
    put_troff(out, c->argument);
    fputc('\n', out);
    put_troff(out, c->summary);
    fputs(".\n.PP\n", out);
    put_detail(out, c->detail);
    for (int k = 0; command_flag(c, k, &flag); k++) {
        fputs(".TP\n.B \\-\\-", out);
        put_troff(out, flag.spelling);
        fputc(' ', out);
        put_troff(out, flag.value);
        fputc('\n', out);
        put_troff(out, flag.doc);
        fputc('\n', out);
    }
}

void shell_man(FILE *out)
{
    fputs(".TH PTM 1 \"\" \"ptm " PTM_VERSION "\"\n.SH NAME\nptm \\- a compiler and runtime for language models\n"
          ".SH SYNOPSIS\n.B ptm\n.I COMMAND\n[arguments] [flags]\n.SH DESCRIPTION\n"
          "A model is one small text file (.ptm). ptm parses it into a dataflow graph, differentiates it, fuses it, "
          "plans its memory and turns it into machine code, then trains and runs that code on the CPU.\n.SH COMMANDS\n",
          out);
    for (const Command *c = commands; c->name; c++) put_command(out, c);
    fputs(".SH EXIT STATUS\n0 when all went well, 1 for bad input, 2 for misuse of the command line.\n"
          ".SH ENVIRONMENT\n.TP\n.B PTM_CACHE\nthe directory that keeps machine code from one command to the next; "
          "off: none (default: ptm in $XDG_CACHE_HOME or ~/.cache)\n", out);
}

/* ---- completion ---- */

/* Whether the value of a flag is a file. */
static bool is_file(const FlagText *flag) { return strstr(flag->value, "FILE") || strstr(flag->value, "DIR"); }

static void put_flags(FILE *out, const Command *c)
{
    FlagText flag;
    for (int k = 0; command_flag(c, k, &flag); k++) fprintf(out, "%s--%s", k ? " " : "", flag.spelling);
}

static void put_names(FILE *out)
{
    for (const Command *c = commands; c->name; c++) fprintf(out, "%s%s", c == commands ? "" : " ", c->name);
}

void shell_bash(FILE *out)
{
    fputs("# bash completion for ptm\n_ptm() {\n    local word=${COMP_WORDS[COMP_CWORD]} flags=\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n        mapfile -t COMPREPLY < <(compgen -W '", out);
    put_names(out);
    fputs("' -- \"$word\")\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n", out);
    for (const Command *c = commands; c->name; c++) {
        fprintf(out, "    %s) flags='", c->name);
        put_flags(out, c);
        fputs("' ;;\n", out);
    }
    fputs("    esac\n    case $word in\n    -*) mapfile -t COMPREPLY < <(compgen -W \"$flags\" -- \"$word\") ;;\n"
          "    *) mapfile -t COMPREPLY < <(compgen -f -- \"${word#*=}\") ;;\n    esac\n}\n"
          "complete -o filenames -F _ptm ptm\n", out);
}

/* Within single quotes. */
static void put_quoted(FILE *out, const char *text, const char *special)
{
    for (; *text; text++) {
        if (*text == '\'') fputs("'\\''", out);
        else if (strchr(special, *text)) fprintf(out, "\\%c", *text);
        else fputc(*text, out);
    }
}

void shell_fish(FILE *out)
{
    FlagText flag;
    fputs("# fish completion for ptm\n", out);
    for (const Command *c = commands; c->name; c++) {
        fprintf(out, "complete -c ptm -n __fish_use_subcommand -a %s -d '", c->name);
        put_quoted(out, c->summary, "");
        fputs("'\n", out);
        for (int k = 0; command_flag(c, k, &flag); k++) {
            fprintf(out, "complete -c ptm -n '__fish_seen_subcommand_from %s' -l %s%s -d '", c->name, flag.spelling,
                    !*flag.value ? "" : is_file(&flag) ? " -r" : " -x");
            put_quoted(out, flag.doc, "");
            fputs("'\n", out);
        }
    }
}

void shell_zsh(FILE *out)
{
    FlagText flag;
    fputs("#compdef ptm\n_ptm() {\n    local -a names\n    names=(\n", out);
    for (const Command *c = commands; c->name; c++) {
        fprintf(out, "        '%s:", c->name);
        put_quoted(out, c->summary, "");
        fputs("'\n", out);
    }
    fputs("    )\n    if ((CURRENT == 2)); then\n        _describe command names\n        return\n    fi\n"
          "    case $words[2] in\n", out);
    for (const Command *c = commands; c->name; c++) {
        fprintf(out, "    %s) _arguments '*:file:_files'", c->name);
        for (int k = 0; command_flag(c, k, &flag); k++) {
            fprintf(out, " \\\n        '*--%s[", flag.spelling);
            put_quoted(out, flag.doc, "[]:\\");
            fputc(']', out);
            if (*flag.value) {
                fputc(':', out);
                put_quoted(out, flag.value, "[]:\\");
                fputs(is_file(&flag) ? ":_files" : ":", out);
            }
            fputc('\'', out);
        }
        fputs(" ;;\n", out);
    }
    fputs("    esac\n}\n_ptm \"$@\"\n", out);
}
