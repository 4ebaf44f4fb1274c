/* Offsets for chains: each takes a gap that no chain alive at the same time touches, the lowest (first fit) or the
 * narrowest (best fit). The order of placing decides how well this packs, so several are tried with both. */
#include "passes/plan.h"

#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS = 64,                         /* of improvement, for each fit */
    EFFORT = 30000000                    /* but no more comparisons of chains than this */
};

typedef struct Item {
    const Chain *chain;
    int     index;                       /* in placing->chains */
} Item;

/* A chain in its place, with all that the search for gaps reads. */
typedef struct Placed {
    int     first, last;                 /* of the chain */
    int64_t offset, end;
    int     index;
} Placed;

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

static bool meet(const Placed *a, const Chain *b) { return (a->first <= b->last) & (b->first <= a->last); }

typedef enum Fit { FIT_first, FIT_best, FIT_COUNT } Fit;

/* The offset for a chain among those placed, which lie in the order of their offsets. */
static int64_t find_gap(const Placed *placed, int count, const Chain *chain, Fit fit)
{
    int64_t top = 0, best = -1, best_room = INT64_MAX;       /* top: end of what is alive together with it, so far */
    for (int k = 0; k < count; k++) {
        if (!meet(&placed[k], chain)) continue;
        int64_t room = placed[k].offset - top;
        if (room >= chain->bytes && room < best_room) {
            best = top, best_room = room;
            if (fit == FIT_first) break;
        }
        if (placed[k].end > top) top = placed[k].end;
    }
    return best >= 0 ? best : top;
}

static int64_t insert_item(Placed *placed, int count, const Item *item, Fit fit)
{
    const Chain *chain = item->chain;
    int at = count;
    int64_t offset = find_gap(placed, count, chain, fit), end = offset + chain->bytes;
    while (at > 0 && placed[at - 1].offset > offset) at--;
    memmove(placed + at + 1, placed + at, sizeof *placed * (size_t)(count - at));
    placed[at] = (Placed){chain->first, chain->last, offset, end, item->index};
    return end;
}

static int64_t place_all(const Item *order, int count, Placed *placed, Fit fit)
{
    int64_t bytes = 0;
    for (int k = 0; k < count; k++) {
        int64_t end = insert_item(placed, k, &order[k], fit);
        if (end > bytes) bytes = end;
    }
    return bytes;
}

typedef struct Search {
    Placing *w;
    Item    *order, *next;               /* chains as they are placed; as they are placed next */
    Placed  *placed;                     /* by their offsets */
    bool    *reaches;                    /* by chain: past the bound */
    int      count;
    int64_t  enough, best;
} Search;

/* Places the chains in the present order; the best placement so far stays with them. */
static void try_order(Search *s, Fit fit)
{
    int64_t bytes = place_all(s->order, s->count, s->placed, fit);
    if (bytes >= s->best) return;
    s->best = bytes;
    for (int k = 0; k < s->count; k++) s->w->chains.at[s->placed[k].index].offset = s->placed[k].offset;
}

static void try_orders(Search *s)
{
    static int (*const orders[])(const void *, const void *) = {by_size, by_start, by_duration, by_area};
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        qsort(s->order, (size_t)s->count, sizeof *s->order, orders[o]);
        for (Fit fit = FIT_first; fit < FIT_COUNT && s->best > s->enough; fit++) try_order(s, fit);
    }
}

/* What reached past the bound is placed before all others the next time. False: nothing did, or the order is the
 * same. */
static bool put_trouble_first(Search *s)
{
    int front = 0, back = 0, moved = 0;
    for (int k = 0; k < s->count; k++) {
        const Placed *placed = &s->placed[k];
        s->reaches[placed->index] = placed->end > s->enough;
        back += s->reaches[placed->index];
    }
    for (int k = 0; k < s->count; k++) {
        int at = s->reaches[s->order[k].index] ? front++ : back++;
        moved += at != k;
        s->next[at] = s->order[k];
    }
    memcpy(s->order, s->next, sizeof *s->next * (size_t)s->count);
    return moved > 0;
}

/* "Squeaky wheel" optimization (Joslin, Clements, JAIR 10, 1999): what turned out badly gets its turn earlier. */
static void improve(Search *s, Fit fit)
{
    int rounds = EFFORT / s->count / s->count + 1;
    if (rounds > ROUNDS) rounds = ROUNDS;
    for (int round = 0; round < rounds && s->best > s->enough && put_trouble_first(s); round++) try_order(s, fit);
}

int64_t plan_place(Placing *w, int64_t enough)
{
    int count = w->chains.count;
    Search s = {.w = w, .count = count, .enough = enough, .best = INT64_MAX};
    if (count == 0) return 0;
    s.order = arena_array(w->arena, Item, count);
    s.placed = arena_array(w->arena, Placed, count);
    s.next = arena_array(w->arena, Item, count);
    s.reaches = arena_array(w->arena, bool, count);
    for (int k = 0; k < count; k++) s.order[k] = (Item){&w->chains.at[k], k};
    try_orders(&s);
    for (Fit fit = FIT_first; fit < FIT_COUNT && s.best > enough; fit++) {
        qsort(s.order, (size_t)count, sizeof *s.order, by_area);
        try_order(&s, fit);
        improve(&s, fit);
    }
    return s.best;
}
