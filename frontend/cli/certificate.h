/* What training takes of the machine's memory, said before it begins. */
#ifndef PTM_CLI_CERTIFICATE_H
#define PTM_CLI_CERTIFICATE_H

#include "frontend/cli/run.h"

/* The arena, with the step's peak. */
void certificate_print(FILE *out, const Run *r);

/* largest.c: the kernel at which most work is alive, the bytes of a category there, and the largest that are alive,
 * with their lines. Bytes that one value takes over from another count once. */
int     certificate_peak(const Plan *plan);
int64_t certificate_category(const Plan *plan, const char *category);
void    certificate_largest(FILE *out, const Plan *plan);

const char *certificate_amount(Arena *arena, int64_t bytes); /* "25.7 MiB" */
void        certificate_line(FILE *out, const char *what, int64_t bytes, const char *rest);

/* process.c: seconds since the system began this process, its libraries not loaded yet; -1 where it does not say. */
double      process_seconds(void);
/* The whole process: prints what it takes now and what the arena will add, and returns the sum, the most
 * that the system will find resident. */
int64_t process_print(FILE *out, const Run *r);
/* What was resident at most, beside what was promised. */
void    process_compare(FILE *out, int64_t promised);

#endif
