/* Writes what arrays_fuzz begins with into a directory: a .npy of each version and order, archives stored and deflated.
 * usage: arrays_seeds DIR */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "runtime/train/arrays_write.h"
#include "runtime/data/value.h"

enum { PATH_ROOM = 4096, FILE_ROOM = 1024 };

static const int16_t  small[6] = {-3, 0, 1, 2, 300, 5};
static const float    numbers[6] = {1, 2, 3, -4, 5.5f, 1e-40f};
static const RtTensor two[] = {
    {.name = "w", .dtype = RT_f32, .rank = 2, .shape = {2, 3}, .bytes = 24, .data = (const char *)numbers},
    {.name = "h.0.b", .dtype = RT_bf16, .rank = 1, .shape = {6}, .bytes = 12, .data = (const char *)small},
};

static void check(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "arrays_seeds: %s\n", what);
    exit(1);
}

static void spill(const char *path, const unsigned char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    check(out && fwrite(bytes, 1, size, out) == size && fclose(out) == 0, path);
}

/* A .npy of this version: 2 and 3 have a length of 4 bytes. */
static size_t npy(unsigned char *out, int version, const char *literal, const void *elements, size_t bytes)
{
    size_t size = strlen(literal), prefix = version == 1 ? 10 : 12;
    memset(out, 0, prefix);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[8] = (unsigned char)size;
    memcpy(out + prefix, literal, size);
    memcpy(out + prefix + size, elements, bytes);
    return prefix + size + bytes;
}

static unsigned char *put(unsigned char *at, int bytes, uint64_t number)
{
    for (int i = 0; i < bytes; i++) *at++ = (unsigned char)(number >> (8 * i));
    return at;
}

static size_t deflated(unsigned char *out, const unsigned char *bytes, size_t size)
{
    z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (uInt)size, .next_out = out, .avail_out = FILE_ROOM};
    check(deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, "deflateInit2");
    check(deflate(&z, Z_FINISH) == Z_STREAM_END, "deflate");
    deflateEnd(&z);
    return z.total_out;
}

/* What the header of a member and its entry share. */
static unsigned char *put_common(unsigned char *at, uint32_t crc, size_t packed, size_t size)
{
    at = put(put(put(put(at, 2, 20), 2, 0), 2, 8), 4, 0x210000);
    at = put(put(put(at, 4, crc), 4, packed), 4, size);
    return put(put(at, 2, 5), 2, 0);
}

/* An archive of one deflated member, a.npy. */
static size_t archive(unsigned char *out, const unsigned char *bytes, size_t size)
{
    unsigned char packed[FILE_ROOM], *at = out;
    size_t packed_size = deflated(packed, bytes, size);
    uint32_t crc = (uint32_t)crc32(0, bytes, (uInt)size);
    at = put_common(put(at, 4, 0x04034b50), crc, packed_size, size);
    memcpy(at, "a.npy", 5);
    memcpy(at + 5, packed, packed_size);
    unsigned char *directory = at += 5 + packed_size;
    at = put_common(put(put(at, 4, 0x02014b50), 2, 20), crc, packed_size, size);
    at = put(put(put(put(put(at, 2, 0), 2, 0), 2, 0), 4, 0), 4, 0);
    memcpy(at, "a.npy", 5);
    at += 5;
    uint64_t directory_size = (uint64_t)(at - directory);
    at = put(put(put(put(at, 4, 0x06054b50), 4, 0), 2, 1), 2, 1);
    at = put(put(put(at, 4, directory_size), 4, (uint64_t)(directory - out)), 2, 0);
    return (size_t)(at - out);
}

int main(int argc, char **argv)
{
    static const char *const literals[] = {
        "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n",
        "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n",
        "{'descr': '<u2', 'fortran_order': True, 'shape': (1, 2, 3), }\n",
        "{'descr': '|b1', 'fortran_order': False, 'shape': (12,), }\n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n",
    };
    check(argc == 2, "usage: arrays_seeds DIR");
    mkdir(argv[1], 0777);
    char path[PATH_ROOM];
    unsigned char plain[FILE_ROOM], packed[FILE_ROOM];
    for (int i = 0; i < 5; i++) {
        size_t size = npy(plain, i % 3 + 1, literals[i], small, sizeof small);
        snprintf(path, sizeof path, "%s/%d.npy", argv[1], i);
        spill(path, plain, size);
        snprintf(path, sizeof path, "%s/%d.npz", argv[1], i);
        spill(path, packed, archive(packed, plain, size));
    }
    RtError e = {{0}};
    snprintf(path, sizeof path, "%s/stored.npz", argv[1]);
    check(rt_npz_write(path, two, 2, &e), e.text);
    return 0;
}
