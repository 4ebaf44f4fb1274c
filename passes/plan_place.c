/* Offsets for chains, first-fit: each takes the lowest gap that no chain alive at the same time touches. The order
 * of placing decides how well this packs, so several are tried. */
#include "passes/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct Item {
    const Chain *chain;
    int     index;                       /* in placing->chains */
    int64_t offset;
} Item;

static int compare(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int by_index(const Item *a, const Item *b) { return compare(a->index, b->index); }

static int by_size(const void *x, const void *y)
{
    const Item *a = x, *b = y;
    int c = compare(b->chain->bytes, a->chain->bytes);
    if (!c) c = compare(a->chain->first, b->chain->first);
    return c ? c : by_index(a, b);
}

static int by_start(const void *x, const void *y)
{
    const Item *a = x, *b = y;
    int c = compare(a->chain->first, b->chain->first);
    if (!c) c = compare(b->chain->last, a->chain->last);
    return c ? c : by_index(a, b);
}

static int64_t duration(const Chain *c) { return c->last - c->first + 1; }

static int by_duration(const void *x, const void *y)
{
    const Item *a = x, *b = y;
    int c = compare(duration(b->chain), duration(a->chain));
    if (!c) c = compare(b->chain->bytes, a->chain->bytes);
    return c ? c : by_index(a, b);
}

static int by_area(const void *x, const void *y)
{
    const Item *a = x, *b = y;
    double p = (double)duration(a->chain) * (double)a->chain->bytes,
           q = (double)duration(b->chain) * (double)b->chain->bytes;
    return p != q ? (p < q) - (p > q) : by_index(a, b);
}

static bool meet(const Chain *a, const Chain *b) { return a->first <= b->last && b->first <= a->last; }

/* The lowest offset for `item` among those placed, which lie in the order of their offsets; inserts it there. */
static int64_t insert_item(Item *placed, int count, Item item)
{
    int64_t top = 0;                     /* end of what is alive together with the item, so far */
    for (int k = 0; k < count; k++) {
        if (!meet(placed[k].chain, item.chain)) continue;
        if (placed[k].offset - top >= item.chain->bytes) break;
        int64_t end = placed[k].offset + placed[k].chain->bytes;
        if (end > top) top = end;
    }
    item.offset = top;
    int at = count;
    for (; at > 0 && placed[at - 1].offset > top; at--) placed[at] = placed[at - 1];
    placed[at] = item;
    return top + item.chain->bytes;
}

static int64_t place_all(const Item *order, int count, Item *placed)
{
    int64_t bytes = 0;
    for (int k = 0; k < count; k++) {
        int64_t end = insert_item(placed, k, order[k]);
        if (end > bytes) bytes = end;
    }
    return bytes;
}

int64_t plan_place(Placing *w, int64_t enough)
{
    static int (*const orders[])(const void *, const void *) = {by_size, by_start, by_duration, by_area};
    int count = w->chains.count;
    Item *order = arena_array(w->arena, Item, count + 1), *placed = arena_array(w->arena, Item, count + 1);
    int64_t best = INT64_MAX;
    for (int k = 0; k < count; k++) order[k] = (Item){&w->chains.at[k], k, 0};
    for (size_t o = 0; o < sizeof orders / sizeof *orders && best > enough && count; o++) {
        qsort(order, (size_t)count, sizeof *order, orders[o]);
        int64_t bytes = place_all(order, count, placed);
        if (bytes >= best) continue;
        best = bytes;
        for (int k = 0; k < count; k++) w->chains.at[placed[k].index].offset = placed[k].offset;
    }
    return count ? best : 0;
}
