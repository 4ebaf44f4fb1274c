/* Members of a zip archive (PKWARE, APPNOTE.TXT 6.3.10, sections 4.3 to 4.5): stored or deflated, also with the sizes
 * of zip64. Archives are untrusted: one that opened has been checked as a whole, so every member lies inside the file,
 * shares no byte with another, and can hold as many bytes as it says. */
#ifndef PTM_RUNTIME_ZIP_H
#define PTM_RUNTIME_ZIP_H

#include <zlib.h>

#include "runtime/data/bytes.h"

typedef enum ZipMethod { ZIP_stored = 0, ZIP_deflated = 8 } ZipMethod;

typedef struct ZipMember {
    char    *name;                       /* of an archive: owned by it, without control bytes; NULL: the whole file */
    int64_t  header;                     /* in the file, of its own header */
    int64_t  offset, packed;             /* in the file, of its bytes, and how many */
    int64_t  size;                       /* unpacked */
    uint32_t method, crc;                /* a ZipMethod; CRC-32 of the unpacked bytes */
    bool     checked;                    /* has a CRC */
} ZipMember;

typedef struct Zip {
    ZipMember *members;                  /* in the order of the file's bytes */
    int64_t    count;
} Zip;

bool zip_open(const FileBytes *file, Zip *out, RtError *e);  /* close it all the same after an error */
void zip_close(Zip *z);

/* A member from its first byte to its last. */
enum { ZIP_PIECE = 1 << 15 };
typedef struct ZipReader {
    const FileBytes *file;
    const ZipMember *member;
    int64_t   taken, given;              /* bytes: of the packed ones, of the unpacked ones */
    uint32_t  crc;                       /* of what was given */
    z_stream  inflation;                 /* of a deflated member */
    unsigned char piece[ZIP_PIECE];      /* of its packed bytes */
} ZipReader;

bool zip_begin(ZipReader *r, const FileBytes *file, const ZipMember *member, RtError *e);
/* The next `size` bytes; out NULL: leaves them out. */
bool zip_read(ZipReader *r, char *out, int64_t size, RtError *e);
bool zip_finish(ZipReader *r, RtError *e);                   /* everything was read; compares the CRC */
void zip_end(ZipReader *r);                                  /* always, once it began */

#endif
