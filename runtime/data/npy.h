/* The header of a .npy file (NumPy Enhancement Proposal 1; numpy/lib/format: versions 1.0, 2.0 and 3.0): a mark, a
 * version, a length, and a Python literal such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }. */
#ifndef PTM_RUNTIME_NPY_H
#define PTM_RUNTIME_NPY_H

#include "runtime/data/value.h"

#define NPY_MARK "\x93NUMPY"
enum {
    NPY_MARK_BYTES = 6,
    NPY_PREFIX_MOST = 12,                /* mark, version, and the length of 2 or 4 bytes */
    NPY_HEADER_MOST = 1 << 16,           /* of the literal; numpy itself refuses more than 10,000 bytes unasked */
    NPY_ALIGN = 64                       /* the elements of a file that we write begin at a multiple of this */
};

/* Element types in files. The first row of a dtype is how it is written; others are widened. numpy has no bf16: its
 * elements are 2 bytes of no type there. */
typedef struct NpyKind {
    const char *name;                    /* as in 'descr', behind the byte order */
    RtDtype     dtype;
    int         bytes;                   /* in the file */
} NpyKind;
extern const NpyKind npy_kinds[];        /* ends with name NULL */

typedef struct NpyHeader {
    const NpyKind *kind;
    bool    swapped, fortran;            /* the other byte order; first axis innermost */
    int32_t rank;
    int64_t shape[RT_MAX_RANK];
    int64_t count, file_bytes;           /* elements, and their bytes in the file */
} NpyHeader;

/* Whether these bytes begin a .npy file; and if so, those of prefix and literal together: 0 when it is of an unknown
 * version. prefix: NPY_PREFIX_MOST bytes. */
bool    npy_begins(const unsigned char *bytes, int64_t size);
int64_t npy_prefix_bytes(const unsigned char *prefix);
int64_t npy_literal_bytes(const unsigned char *prefix);

/* Reads the literal. False with a message that says what it holds instead; the caller adds file and array. */
bool npy_parse(const char *literal, int64_t size, NpyHeader *out, RtError *e);

/* The header of an array that is packed with its first axis outermost, as this machine orders bytes. Writes at most
 * NPY_WRITTEN_MOST bytes and returns how many. */
enum { NPY_WRITTEN_MOST = 512 };
int64_t npy_header(char *out, int32_t dtype, int32_t rank, const int64_t *shape);

bool npy_is_plain(const NpyKind *kind);  /* its elements are read as they lie */

/* One element from the file (already in this machine's byte order) as its dtype. False: it does not fit. */
bool npy_widen(const NpyKind *kind, const char *from, char *to);

#endif
