/* Groups: cutting rows by length, and finding the rows of a batch. */
#include "runtime/data/groups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/random.h"

enum { WIDTH_STEP = 4 };

/* Cutting. */

static int64_t rounded(int64_t length)
{
    return ((length > 1 ? length : 1) + WIDTH_STEP - 1) / WIDTH_STEP * WIDTH_STEP;
}

static int by_length(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The rounded quantiles of the lengths, each width once, from the narrowest; the last is that of the longest row.
 * sorted: room for all lengths. */
static int cut_widths(const int64_t *lengths, int64_t rows, int count, int64_t *sorted, int64_t *cuts)
{
    memcpy(sorted, lengths, (size_t)rows * sizeof *sorted);
    qsort(sorted, (size_t)rows, sizeof *sorted, by_length);
    int made = 0;
    for (int i = 1; i <= count; i++) {
        int64_t place = rows / count * i + rows % count * i / count;
        int64_t width = rounded(sorted[place > 0 ? place - 1 : 0]);
        if (made == 0 || width > cuts[made - 1]) cuts[made++] = width;
    }
    return made;
}

/* Appends the rows wider than `above`, up to `width`, to the order; returns how many. */
static int64_t add_rows(const int64_t *lengths, int64_t rows, int64_t above, int64_t width, int64_t *order)
{
    int64_t count = 0;
    for (int64_t row = 0; row < rows; row++) {
        int64_t wanted = rounded(lengths[row]);
        if (wanted > above && wanted <= width) order[count++] = row;
    }
    return count;
}

/* A group that has no batch of its own is one with the next. */
static void join_small(RtGroups *g)
{
    int count = 0;
    int64_t left = 0;
    for (int i = 0; i < g->count; i++) {
        RtGroup *next = &g->group[i];
        if (i + 1 < g->count && left + next->own < g->size) {
            next[1].first = next->first;
            next[1].own += next->own;
            continue;
        }
        left = (left + next->own) % g->size;
        g->group[count++] = *next;
    }
    g->count = count;
}

/* Shares the rows out. The widest group must have a batch, or its rows, the longest of all, would never be trained on:
 * where it has too few it takes what another batch of the group before would have. */
static void count_batches(RtGroups *g)
{
    int64_t left = 0, batch = 0;
    for (int i = 0; i < g->count; i++) {
        RtGroup *at = &g->group[i];
        at->taken = left;
        at->batches = (left + at->own) / g->size;
        left = (left + at->own) % g->size;
        if (i == g->count - 2 && left + g->group[i + 1].own < g->size) {
            at->batches--;
            left += g->size;
        }
        at->first_batch = batch;
        batch += at->batches;
    }
}

RtGroups groups_of(const int64_t *lengths, int64_t rows, int64_t size, int widths, int64_t *order)
{
    assert(rows > 0 && size > 0 && widths > 0 && widths <= RT_MAX_WIDTHS);
    RtGroups g = { .order = order, .rows = rows, .size = size };
    int64_t cuts[RT_MAX_WIDTHS], next = 0;
    g.count = cut_widths(lengths, rows, widths, order, cuts);
    for (int i = 0; i < g.count; i++) {
        int64_t own = add_rows(lengths, rows, i > 0 ? cuts[i - 1] : 0, cuts[i], order + next);
        g.group[i] = (RtGroup){ .first = next, .own = own };
        next += own;
    }
    assert(next == rows);
    join_small(&g);
    count_batches(&g);
    return g;
}

void groups_widths(const RtGroups *g, const int64_t *lengths, int64_t padded, int64_t *widths)
{
    int64_t longest = 0;
    for (int i = 0; i < g->count; i++) {
        const RtGroup *at = &g->group[i];
        for (int64_t k = at->first; k < at->first + at->own; k++) {
            if (lengths[g->order[k]] > longest) longest = lengths[g->order[k]];
        }
        widths[i] = rounded(longest) < padded ? rounded(longest) : padded;
    }
}

/* Finding. */

int64_t groups_batches(const RtGroups *g)
{
    return g->rows / g->size;
}

int64_t groups_rest(const RtGroups *g)
{
    return g->rows % g->size;
}

/* The place of a batch in the order that is not shuffled. */
static int64_t batch_place(const RtGroups *g, const RtOrder *order, int64_t index)
{
    int64_t batches = groups_batches(g);
    if (!order->shuffled || index == batches) return index;
    return rt_stream_permute(rt_random_key(order->key, 0), order->epoch, index, batches);
}

static int group_at(const RtGroups *g, int64_t place)
{
    int i = 0;
    while (i + 1 < g->count && place >= g->group[i].first_batch + g->group[i].batches) i++;
    return i;
}

int groups_find(const RtGroups *g, const RtOrder *order, int64_t index)
{
    return group_at(g, batch_place(g, order, index));
}

/* Item `item` of a group's list, whose own shuffle decides which rows are left for the next. */
static int64_t list_row(const RtGroups *g, const RtOrder *order, int group, int64_t item)
{
    for (;; group--) {
        const RtGroup *at = &g->group[group];
        if (order->shuffled) {
            uint64_t key = rt_random_key(order->key, 1 + (uint64_t)group);
            item = rt_stream_permute(key, order->epoch, item, at->taken + at->own);
        }
        if (item >= at->taken) return g->order[at->first + item - at->taken];
        item += g->group[group - 1].batches * g->size;
    }
}

int64_t groups_row(const RtGroups *g, const RtOrder *order, int64_t index, int64_t row)
{
    int64_t place = batch_place(g, order, index);
    int group = group_at(g, place);
    return list_row(g, order, group, (place - g->group[group].first_batch) * g->size + row);
}
