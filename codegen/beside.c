/* Which rows of a table run at the same time: neighbours of which none writes a byte that another one reads or
 * writes. It follows from the plan alone, never from the number of threads. */
#include "codegen/table.h"

enum { CACHE_LINE = 64 };

/* Bytes of a block, whole cache lines. */
typedef struct Range {
    RtBlock block;
    int64_t from, to;
} Range;

typedef Vec(Range) Ranges;

/* What the rows of a group read and write so far. */
typedef struct Bytes {
    Ranges read, written;
    bool   keeps;                        /* writes what outlives the run */
    bool   checks;                       /* may find a bad index, which ends the run */
} Bytes;

static void add_range(Arena *arena, Ranges *ranges, int64_t place, int64_t bytes)
{
    int64_t from = rt_offset(place), to = from + bytes + CACHE_LINE - 1;
    Range r = {rt_block(place), from / CACHE_LINE * CACHE_LINE, to / CACHE_LINE * CACHE_LINE};
    if (bytes > 0) vec_push(arena, ranges, r);
}

static bool overlap(const Ranges *x, const Ranges *y)
{
    for (int i = 0; i < x->count; i++)
        for (int j = 0; j < y->count; j++) {
            const Range *a = &x->at[i], *b = &y->at[j];
            if (a->block == b->block && a->from < b->to && b->from < a->to) return true;
        }
    return false;
}

static void add_all(Arena *arena, Ranges *to, const Ranges *from)
{
    for (int k = 0; k < from->count; k++) vec_push(arena, to, from->at[k]);
}

static void add_bytes(Arena *arena, Bytes *to, const Bytes *from)
{
    add_all(arena, &to->read, &from->read);
    add_all(arena, &to->written, &from->written);
    to->keeps = to->keeps || from->keeps;
    to->checks = to->checks || from->checks;
}

static bool may_fault(const Kernel *kernel)
{
    for (int k = 0; k < kernel->nodes.count; k++) {
        Op op = kernel->nodes.at[k]->op;
        if (op == OP_gather || op == OP_scatter) return true;
    }
    return false;
}

static Bytes bytes_of(Arena *arena, const Frame *f, const CodeRow *row)
{
    Bytes b = {0};
    const Kernel *k = row->kernel;
    for (int i = 0; i < k->inputs.count; i++)
        add_range(arena, &b.read, row->inputs[i], type_value_bytes(&k->inputs.at[i]->type));
    for (int i = 0; i < k->outputs.count; i++) {
        add_range(arena, &b.written, row->outputs[i], type_value_bytes(&k->outputs.at[i]->type));
        b.keeps = b.keeps || rt_block(row->outputs[i]) != BLOCK_work;
    }
    b.checks = may_fault(k);
    if (k->kind != KERNEL_contract || k->parts < 0) return b;
    const Buffer *parts = f->plan->buffers.at[k->parts];
    add_range(arena, &b.written, frame_place(f, parts), parts->bytes);
    return b;
}

/* Both rows of a product whose parts are added have the description of the second. NULL: moves bytes. */
static const CodeRow *description(const Table *t, int row)
{
    const RtStep *step = &t->steps.at[row];
    bool moves = step->loop || step->run == rt_copy || step->run == rt_zero;
    bool parts = !t->rows.at[row].kernel && !moves && row + 1 < t->steps.count;
    const CodeRow *found = &t->rows.at[row + parts];
    return found->kernel ? found : NULL;
}

/* A value that outlives the run is not written beside a row that may end it. */
static bool are_apart(const Bytes *x, const Bytes *y)
{
    if ((x->keeps && y->checks) || (x->checks && y->keeps)) return false;
    return !overlap(&x->written, &y->written) && !overlap(&x->written, &y->read) && !overlap(&x->read, &y->written);
}

/* What a row and the one that runs on its tiles, if there is one, read and write. */
static Bytes bytes_at(Table *t, const Frame *f, int row)
{
    Bytes b = bytes_of(t->arena, f, description(t, row));
    if (!t->steps.at[row].tiled) return b;
    Bytes then = bytes_of(t->arena, f, description(t, row + 1));
    add_bytes(t->arena, &b, &then);
    return b;
}

/* How many rows from the given one on run at the same time. Rows of loops run one by one, since what cursors stand for
 * changes, and so do rows that only move bytes. */
static int group_length(Table *t, const Frame *f, int row)
{
    Bytes all = {0};
    int count = 0;
    while (row + count < t->steps.count) {
        const RtStep *next = &t->steps.at[row + count];
        if (next->loop || !description(t, row + count)) break;
        Bytes own = bytes_at(t, f, row + count);
        if (count && !are_apart(&own, &all)) break;
        add_bytes(t->arena, &all, &own);
        count += next->tiled ? 2 : 1;
    }
    return count > 0 ? count : 1;
}

void table_group(Table *t, const Frame *f)
{
    for (int row = 0; row < t->steps.count;) {
        RtStep *step = &t->steps.at[row];
        int count = group_length(t, f, row);
        step->beside = count - 1;
        row += step->loop ? step->loop->steps + 1 : count;
    }
}
