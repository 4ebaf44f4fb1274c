/* The loop nest of a kernel. The dimensions of its space are split where a reshape inside takes them apart and merged
 * where every access walks through them in one line, so that most kernels become one flat loop, and index expressions
 * stay affine. Then the axes are shared out: units of work for the threads, loops inside a unit, and one axis along the
 * 16 lanes. */
#ifndef PTM_CODEGEN_NEST_H
#define PTM_CODEGEN_NEST_H

#include "codegen/index.h"
#include "codegen/signature.h"

enum { LANES = 16, MAX_PARTS = MAX_TERMS };

/* rows: the indexed axes of a scatter's base */
typedef enum Group { GROUP_a, GROUP_r, GROUP_c, GROUP_rows, GROUP_COUNT } Group;

/* A factor of a dimension of the space; a dimension is the mixed-radix number of its parts, and so is an axis. */
typedef struct Part {
    int     dim, axis;
    int64_t extent;
    int64_t in_dim, in_axis;             /* product of the extents of the parts behind it */
} Part;

typedef struct Axis {
    int64_t extent;                      /* at least 2 */
    Group   group;
} Axis;

typedef struct Nest {
    int     dim_count;
    int64_t dim[MAX_PARTS];
    Group   group[MAX_PARTS];            /* of the dimensions; groups are adjacent and in order */
    int     part_count;                  /* in order of dimensions, parts of extent 1 left out */
    Part    part[MAX_PARTS];
    int     axis_count;
    Axis    axis[MAX_PARTS];
} Nest;

Nest nest_find(Arena *arena, const Signature *s);

/* The index of a node whose axes are the dimensions of some groups (or reshape them), given a variable a part. */
void nest_index(Indexer *x, const Nest *nest, Var *const *part, unsigned groups, const Type *type, Affine *index);
/* The index of a reduction's argument: its own index on the axes that stay, the r dimensions on those that go. */
void nest_operand(Indexer *x, const Nest *nest, Var *const *part, const Node *reduction, const Affine *index,
                  Affine *operand);
/* Row-major position in the dimensions of some groups. */
Affine nest_flat(const Nest *nest, Var *const *part, unsigned groups);

/* What is written of an output, piece by piece: mostly one, the value itself; a map may write a concat argument by
 * argument (kernel_parts in ir/plan.h). */
typedef struct Piece {
    const Node *node;
    Affine      index[MAX_RANK];
    Affine      position;                /* of its element in the output */
} Piece;
Piece nest_piece(Indexer *x, const Nest *nest, Var *const *part, unsigned groups, const Kernel *kernel,
                 const Node *output, int number);

/* rows: whether an output has a value for every element of the row, not one for the row. */
bool     nest_spans(const Signature *s, const Node *output);

/* How the axes are shared out. Everything here follows from the shape alone, and so do the results. */
typedef struct Grid {
    int     outer[MAX_PARTS], outer_count;   /* axes of a unit's number, outermost first */
    int     inner[MAX_PARTS], inner_count;   /* loops inside a unit, around the lanes */
    int     lane;                            /* the axis along the lanes; -1: one lane only */
    int64_t lane_extent;                     /* 1 without an axis */
    /* elements of the lane axis in a unit; parts of the axis, innermost in the unit's number */
    int64_t chunk, chunks;
    bool    flat;                            /* a map over one axis: units are its vectors (whole) or its elements */
    bool    whole;
    bool    tiled;                       /* a map on tiles: chunks are outermost in the unit's number, then rows */
    bool    resident;                        /* rows: so short that all its vectors are taken at once */
    int64_t units, tile;
} Grid;

Grid nest_grid(const Signature *s, const Nest *nest);
bool nest_fits_tiles(const Signature *s, const Nest *nest);  /* the columns that they cut are one axis */

/* Bytes of scratch for the values that a row holds across passes. held: by canonical number their offsets, -1 for none;
 * may be NULL. */
int64_t kernel_scratch(const Signature *s, int64_t *held);

#endif
