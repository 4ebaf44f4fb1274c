/* Loaded before the C library (LD_PRELOAD): counts what is asked of the allocator and of the system (mmap, mremap,
 * sbrk), and writes the count into the file $COUNT_ALLOC, a line whenever a line of metrics is written. So the lines
 * say what the steps between them allocated. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size), *__libc_calloc(size_t count, size_t size),
    *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_long count;

void *malloc(size_t size) { return atomic_fetch_add(&count, 1), __libc_malloc(size); }
void *calloc(size_t items, size_t size) { return atomic_fetch_add(&count, 1), __libc_calloc(items, size); }
void *realloc(void *old, size_t size) { return atomic_fetch_add(&count, 1), __libc_realloc(old, size); }
void *memalign(size_t alignment, size_t size) { return atomic_fetch_add(&count, 1), __libc_memalign(alignment, size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    atomic_fetch_add(&count, 1);
    return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}

void *mmap64(void *at, size_t size, int protection, int flags, int file, off_t offset)
{
    return mmap(at, size, protection, flags, file, offset);
}

void *mremap(void *at, size_t old, size_t size, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    void *wanted = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
    va_end(rest);
    atomic_fetch_add(&count, 1);
    return (void *)syscall(SYS_mremap, at, old, size, flags, wanted);
}

void *sbrk(intptr_t bytes)
{
    static void *(*real)(intptr_t);
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "sbrk");
    atomic_fetch_add(&count, 1);
    return real(bytes);
}

static void note(void)
{
    const char *path = getenv("COUNT_ALLOC");
    char line[32];
    int size = snprintf(line, sizeof line, "%ld\n", atomic_load(&count));
    int file = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666) : -1;
    if (file < 0) return;
    syscall(SYS_write, file, line, (size_t)size);
    close(file);
}

ssize_t write(int file, const void *bytes, size_t size)
{
    static const char start[] = "{\"step\": ";
    if (size >= sizeof start && !memcmp(bytes, start, sizeof start - 1)) note();
    return syscall(SYS_write, file, bytes, size);
}
