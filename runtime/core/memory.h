/* Memory for the blocks of a Program: page aligned, zeroed, between guard pages, so that a kernel which leaves its
 * block stops at once instead of changing a neighbour. */
#ifndef PTM_RUNTIME_MEMORY_H
#define PTM_RUNTIME_MEMORY_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* bytes may be 0. NULL when the system has no such memory left. */
char *rt_memory_new(int64_t bytes);
void  rt_memory_free(char *memory, int64_t bytes);
/* Zeros again. Pages of large blocks go back to the system, which brings zeros where they are used next. */
void  rt_memory_clear(char *memory, int64_t bytes);

#ifdef __cplusplus
}
#endif

#endif
