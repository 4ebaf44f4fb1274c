/* Shortest augmenting paths (Edmonds and Karp, Theoretical Improvements in Algorithmic Efficiency for Network Flow
 * Problems, 1972): flow is sent from the source to the sink until no path has room; what the sink can still be reached
 * from is its side of the cut. Arcs lie in pairs, 2k and 2k + 1, one for each direction. */
#include "passes/min_cut.h"

typedef struct Arc {
    int     to, next;                    /* next: of the same vertex, or -1 */
    int64_t room;
} Arc;

struct MinCut {
    Arena *arena;
    int    vertices;
    int   *first;                        /* arc of each vertex, or -1 */
    Vec(Arc) arcs;
    int   *reached;                      /* by the search: the arc that led there, or -1 */
    int   *queue;
};

MinCut *min_cut_new(Arena *arena, int vertices)
{
    MinCut *cut = arena_new_of(arena, MinCut);
    cut->arena = arena;
    cut->vertices = vertices;
    cut->first = arena_array(arena, int, vertices);
    cut->reached = arena_array(arena, int, vertices);
    cut->queue = arena_array(arena, int, vertices);
    for (int k = 0; k < vertices; k++) cut->first[k] = -1;
    return cut;
}

static void add_arc(MinCut *cut, int from, int to, int64_t room)
{
    vec_push(cut->arena, &cut->arcs, ((Arc){to, cut->first[from], room}));
    cut->first[from] = cut->arcs.count - 1;
}

void min_cut_arc(MinCut *cut, int from, int to, int64_t price)
{
    add_arc(cut, from, to, price);
    add_arc(cut, to, from, 0);
}

/* A shortest path with room from the source to the sink. */
static bool find_path(MinCut *cut)
{
    int count = 0;
    for (int k = 0; k < cut->vertices; k++) cut->reached[k] = -1;
    cut->queue[count++] = MIN_CUT_SOURCE;
    for (int k = 0; k < count && cut->reached[MIN_CUT_SINK] < 0; k++) {
        for (int a = cut->first[cut->queue[k]]; a >= 0; a = cut->arcs.at[a].next) {
            int to = cut->arcs.at[a].to;
            if (to == MIN_CUT_SOURCE || cut->reached[to] >= 0 || cut->arcs.at[a].room == 0) continue;
            cut->reached[to] = a;
            cut->queue[count++] = to;
        }
    }
    return cut->reached[MIN_CUT_SINK] >= 0;
}

/* As much as the path found has room for. */
static void send(MinCut *cut)
{
    Arc *arcs = cut->arcs.at;
    int64_t room = MIN_CUT_NEVER;
    for (int v = MIN_CUT_SINK; v != MIN_CUT_SOURCE; v = arcs[cut->reached[v] ^ 1].to)
        if (arcs[cut->reached[v]].room < room) room = arcs[cut->reached[v]].room;
    for (int v = MIN_CUT_SINK; v != MIN_CUT_SOURCE; v = arcs[cut->reached[v] ^ 1].to) {
        arcs[cut->reached[v]].room -= room;
        arcs[cut->reached[v] ^ 1].room += room;
    }
}

bool *min_cut_find(MinCut *cut)
{
    bool *side = arena_array(cut->arena, bool, cut->vertices);
    int count = 0;
    while (find_path(cut)) send(cut);
    side[MIN_CUT_SINK] = true;
    cut->queue[count++] = MIN_CUT_SINK;
    for (int k = 0; k < count; k++) {
        for (int a = cut->first[cut->queue[k]]; a >= 0; a = cut->arcs.at[a].next) {
            int from = cut->arcs.at[a].to;
            if (side[from] || cut->arcs.at[a ^ 1].room == 0) continue;
            side[from] = true;
            cut->queue[count++] = from;
        }
    }
    return side;
}
