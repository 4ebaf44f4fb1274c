/* What a shell wants to know of the command line, printed from its tables: the manual page, and scripts that complete
 * what is typed. */
#ifndef PTM_CLI_SHELL_H
#define PTM_CLI_SHELL_H

#include <stdio.h>

void shell_man(FILE *out);               /* troff, macros of man(7) */
void shell_bash(FILE *out);
void shell_fish(FILE *out);
void shell_zsh(FILE *out);

#endif
