/* Entries of the cache: files "HASH.code" with a header, the key and the objects. Machine code is run as it stands in
 * the file, so directory and file must belong to the user and be writable by nobody else. */
#define _GNU_SOURCE                      /* dl_iterate_phdr, mkostemp */
#include "codegen/cache.h"
#include "codegen/debug.h"
#include "runtime/core/checksum.h"

#include <llvm-c/Core.h>

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRY_SUFFIX ".code"

enum {
    MAX_OBJECTS = 64,
    MAX_ENTRY = 1 << 28,                 /* bytes of an entry */
    CACHE_BYTES = 1 << 28,               /* of all entries, after a new one was stored */
    CACHE_PATH = 4096
};

typedef struct EntryHeader {
    char     magic[8];
    uint64_t checksum;                   /* of all that follows this field */
    int64_t  key_bytes, count, bytes[MAX_OBJECTS];
} EntryHeader;

static const char MAGIC[8] = "ptmcode";
enum { UNSUMMED = offsetof(EntryHeader, key_bytes) };

/* The build */

typedef struct Build {
    uintptr_t inside;                    /* an address in the file looked for */
    char      id[2 * 64 + 1];            /* hexadecimal; "" until found */
} Build;

static void read_notes(const char *note, size_t size, Build *build)
{
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
        ElfW(Nhdr) head;
        memcpy(&head, note + at, sizeof head);
        const unsigned char *text = (const unsigned char *)note + at + sizeof head + ((head.n_namesz + 3u) & ~3u);
        if (head.n_type == NT_GNU_BUILD_ID && head.n_descsz <= 64)
            for (unsigned k = 0; k < head.n_descsz; k++) snprintf(build->id + 2 * k, 3, "%02x", text[k]);
        at += sizeof head + ((head.n_namesz + 3u) & ~3u) + ((head.n_descsz + 3u) & ~3u);
    }
}

static int read_build(struct dl_phdr_info *file, size_t size, void *context)
{
    (void)size;
    Build *build = context;
    bool here = false;
    for (int k = 0; k < file->dlpi_phnum; k++) {
        const ElfW(Phdr) *part = &file->dlpi_phdr[k];
        here = here || (part->p_type == PT_LOAD && build->inside - (file->dlpi_addr + part->p_vaddr) < part->p_memsz);
    }
    for (int k = 0; here && k < file->dlpi_phnum; k++) {
        const ElfW(Phdr) *part = &file->dlpi_phdr[k];
        if (part->p_type == PT_NOTE)
            read_notes((const char *)(file->dlpi_addr + part->p_vaddr), part->p_memsz, build);
    }
    return here;
}

/* The linker's hash of the program or library that this code is in. */
static const char *build_id(Arena *arena)
{
    Build build = {.inside = (uintptr_t)MAGIC};
    dl_iterate_phdr(read_build, &build);
    return *build.id ? arena_print(arena, "%s", build.id) : NULL;
}

/* The key */

typedef Vec(char) Bytes;

static void put(Arena *arena, Bytes *out, const char *text)
{
    for (; *text; text++) vec_push(arena, out, *text);
    vec_push(arena, out, '\n');
}

static void put_lines(Arena *arena, Bytes *out, const Signature *s)
{
    for (int k = 0; k < s->members.count; k++) {
        Place place = debug_place(s->members.at[k]->node);
        const char *path = place.source ? place.source->path : "";
        put(arena, out, arena_print(arena, "%s:%u:%u", path, place.line, place.column));
    }
}

const char *cache_key(Arena *arena, const Functions *functions, const char *entry, const CodeOptions *options,
                      const Target *target)
{
    const char *id = build_id(arena);
    if (!id) return NULL;
    unsigned major, minor, patch;
    LLVMGetVersion(&major, &minor, &patch);
    Bytes key = {0};
    put(arena, &key, arena_print(arena, "%s %u.%u.%u %s %s %s", id, major, minor, patch, target->triple, target->cpu,
                                 target->features));
    if (options->debug_lines) put(arena, &key, entry);
    for (int k = 0; k < functions->all.count; k++) {
        const Function *f = functions->all.at[k];
        put(arena, &key, f->text);
        if (options->debug_lines && f->signature) put_lines(arena, &key, f->signature);
    }
    vec_push(arena, &key, 0);
    return key.at;
}

/* Files */

static const char *entry_path(Arena *arena, const char *directory, const char *key)
{
    return arena_print(arena, "%s/%016" PRIx64 ENTRY_SUFFIX, directory, checksum_of(key, (int64_t)strlen(key)));
}

static bool is_private(int fd, mode_t type, struct stat *s)
{
    return fstat(fd, s) == 0 && (s->st_mode & S_IFMT) == type && s->st_uid == geteuid() && (s->st_mode & 022) == 0;
}

static bool directory_is_private(const char *directory)
{
    struct stat s;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool right = fd >= 0 && is_private(fd, S_IFDIR, &s);
    if (fd >= 0) close(fd);
    return right;
}

/* The file whole, *size bytes; NULL when it cannot be trusted or read. */
static char *read_entry(Arena *arena, const char *path, int64_t *size)
{
    struct stat s;
    char *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return NULL;
    if (is_private(fd, S_IFREG, &s) && s.st_size >= (off_t)sizeof(EntryHeader) && s.st_size <= MAX_ENTRY) {
        bytes = arena_array(arena, char, s.st_size);
        int64_t done = 0;
        for (ssize_t n = 1; n > 0 && done < s.st_size; done += n > 0 ? n : 0)
            n = read(fd, bytes + done, (size_t)(s.st_size - done));
        *size = s.st_size;
        if (done < s.st_size) bytes = NULL;
        futimens(fd, NULL);
    }
    close(fd);
    return bytes;
}

static bool is_sound(const char *bytes, int64_t size, const char *key)
{
    EntryHeader head;
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.magic, MAGIC, sizeof MAGIC) || head.checksum != checksum_of(bytes + UNSUMMED, size - UNSUMMED))
        return false;
    int64_t length = (int64_t)strlen(key), rest = size - (int64_t)sizeof head - length;
    if (head.key_bytes != length || rest < 0 || head.count < 0 || head.count > MAX_OBJECTS) return false;
    if (memcmp(bytes + sizeof head, key, (size_t)length)) return false;
    for (int k = 0; k < head.count; k++) {
        if (head.bytes[k] < 0 || head.bytes[k] > rest) return false;
        rest -= head.bytes[k];
    }
    return rest == 0;
}

bool cache_load(Arena *arena, const char *directory, const char *key, Objects *out)
{
    int64_t size = 0;
    if (!directory_is_private(directory)) return false;
    const char *bytes = read_entry(arena, entry_path(arena, directory, key), &size);
    if (!bytes || !is_sound(bytes, size, key)) return false;
    EntryHeader head;
    memcpy(&head, bytes, sizeof head);
    const char *at = bytes + sizeof head + head.key_bytes;
    *out = (Objects){.count = (int)head.count, .at = arena_array(arena, Object, head.count + 1)};
    for (int k = 0; k < out->count; k++) {
        out->at[k].bytes = LLVMCreateMemoryBufferWithMemoryRangeCopy(at, (size_t)head.bytes[k], "cached");
        at += head.bytes[k];
    }
    return true;
}

/* Its parents too. */
static void make_directory(const char *directory)
{
    char path[CACHE_PATH];
    if (snprintf(path, sizeof path, "%s", directory) >= (int)sizeof path) return;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0700);
        *slash = '/';
    }
    mkdir(path, 0700);
}

typedef struct Entry {
    const char *path;
    int64_t bytes;
    struct timespec used;
} Entry;

static int by_use(const void *x, const void *y)
{
    const Entry *a = x, *b = y;
    if (a->used.tv_sec != b->used.tv_sec) return a->used.tv_sec < b->used.tv_sec ? 1 : -1;
    if (a->used.tv_nsec != b->used.tv_nsec) return a->used.tv_nsec < b->used.tv_nsec ? 1 : -1;
    return strcmp(a->path, b->path);
}

/* Keeps the entries used last, of CACHE_BYTES together. */
static void remove_oldest(Arena *arena, const char *directory)
{
    DIR *all = opendir(directory);
    if (!all) return;
    Vec(Entry) entries = {0};
    for (struct dirent *one = readdir(all); one; one = readdir(all)) {
        const char *suffix = strstr(one->d_name, ENTRY_SUFFIX);
        struct stat s;
        const char *path = arena_print(arena, "%s/%s", directory, one->d_name);
        if (!suffix || lstat(path, &s) || !S_ISREG(s.st_mode)) continue;
        vec_push(arena, &entries, ((Entry){path, s.st_size, s.st_mtim}));
    }
    closedir(all);
    if (entries.count > 0) qsort(entries.at, (size_t)entries.count, sizeof *entries.at, by_use);
    int64_t kept = 0;
    for (int k = 0; k < entries.count; k++) {
        kept += entries.at[k].bytes;
        if (kept > CACHE_BYTES) unlink(entries.at[k].path);
    }
}

static bool write_all(int fd, const char *bytes, int64_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, (size_t)size);
        if (n <= 0) return false;
        bytes += n;
        size -= n;
    }
    return true;
}

void cache_store(Arena *arena, const char *directory, const char *key, const Objects *objects)
{
    EntryHeader head = {.key_bytes = (int64_t)strlen(key), .count = objects->count};
    if (objects->count > MAX_OBJECTS) return;
    memcpy(head.magic, MAGIC, sizeof MAGIC);
    int64_t size = (int64_t)sizeof head + head.key_bytes;
    for (int k = 0; k < objects->count; k++) size += head.bytes[k] = (int64_t)LLVMGetBufferSize(objects->at[k].bytes);
    if (size > MAX_ENTRY) return;
    char *bytes = arena_array(arena, char, size), *at = bytes + sizeof head + head.key_bytes;
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, key, (size_t)head.key_bytes);
    for (int k = 0; k < objects->count; k++) {
        memcpy(at, LLVMGetBufferStart(objects->at[k].bytes), (size_t)head.bytes[k]);
        at += head.bytes[k];
    }
    uint64_t checksum = checksum_of(bytes + UNSUMMED, size - UNSUMMED);
    memcpy(bytes + offsetof(EntryHeader, checksum), &checksum, sizeof checksum);

    make_directory(directory);
    if (!directory_is_private(directory)) return;
    char *part = arena_print(arena, "%s/part" ENTRY_SUFFIX "XXXXXX", directory);
    int fd = mkostemp(part, O_CLOEXEC);
    if (fd < 0) return;
    bool whole = write_all(fd, bytes, size);
    whole = close(fd) == 0 && whole;
    if (!whole || rename(part, entry_path(arena, directory, key))) unlink(part);
    remove_oldest(arena, directory);
}

const char *code_cache_directory(Arena *arena)
{
    const char *own = getenv("PTM_CACHE"), *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own) return *own == '/' ? own : NULL;
    if (base && *base == '/') return arena_print(arena, "%s/ptm", base);
    return home && *home == '/' ? arena_print(arena, "%s/.cache/ptm", home) : NULL;
}
