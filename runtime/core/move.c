/* Rows that move bytes: what a loop begins with, and the values that it hands on by copying. */
#include "runtime/core/program.h"

#include <string.h>

/* Bytes [first, first + count) of `bytes` that units [begin, end) stand for. */
typedef struct Piece {
    int64_t first;
    size_t  count;
} Piece;

static Piece find_piece(int64_t begin, int64_t end, int64_t bytes)
{
    int64_t first = begin * RT_MOVE_BYTES, last = end * RT_MOVE_BYTES;
    return (Piece){first, (size_t)((last < bytes ? last : bytes) - first)};
}

void rt_copy(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)scratch, (void)fault;
    Piece piece = find_piece(begin, end, args[2]);
    memcpy(rt_at(block, args[1]) + piece.first, rt_at(block, args[0]) + piece.first, piece.count);
}

void rt_zero(char *const *block, const int64_t *args, int64_t begin, int64_t end, char *scratch, RtFault *fault)
{
    (void)scratch, (void)fault;
    Piece piece = find_piece(begin, end, args[1]);
    memset(rt_at(block, args[0]) + piece.first, 0, piece.count);
}
