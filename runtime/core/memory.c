/* Blocks of memory from the system, one mapping each: guard page, whole pages of data, guard page. */
#include "runtime/core/memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20 };            /* below this, asking for huge pages gains nothing */

static int64_t page_bytes(void) { return (int64_t)sysconf(_SC_PAGESIZE); }

/* Bytes of data pages for a request; the guards come on top. */
static int64_t data_bytes(int64_t bytes)
{
    int64_t page = page_bytes();
    return (bytes + page - 1) / page * page;
}

char *rt_memory_new(int64_t bytes)
{
    int64_t page = page_bytes();
    if (bytes < 0 || bytes > INT64_MAX - 4 * page) return NULL;
    int64_t data = data_bytes(bytes);
    char *map = mmap(NULL, (size_t)(data + 2 * page), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return NULL;
    char *memory = map + page;
    if (data > 0 && mprotect(memory, (size_t)data, PROT_READ | PROT_WRITE) != 0) {
        munmap(map, (size_t)(data + 2 * page));
        return NULL;
    }
#ifdef MADV_HUGEPAGE
    if (data >= HUGE_PAGE) madvise(memory, (size_t)data, MADV_HUGEPAGE);     /* only a hint: failure changes nothing */
#endif
    return memory;
}

void rt_memory_free(char *memory, int64_t bytes)
{
    if (!memory) return;
    int64_t page = page_bytes();
    munmap(memory - page, (size_t)(data_bytes(bytes) + 2 * page));
}

void rt_memory_clear(char *memory, int64_t bytes)
{
    if (bytes < HUGE_PAGE || madvise(memory, (size_t)data_bytes(bytes), MADV_DONTNEED))
        memset(memory, 0, (size_t)bytes);
}
