/* ptm explain: what one line of the source becomes: values, kernels with their decisions, places in memory. */
#include "frontend/cli/subject.h"
#include "frontend/cli/build.h"
#include "codegen/codegen.h"
#include "ir/cost.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_PATHS = 4, SHOWN_ROWS = 40, SHOWN_ENDS = 4 };

/* How a value belongs to the line: made there, by the prelude for it, or in what it calls. */
typedef enum Belongs { BELONGS_not, BELONGS_called, BELONGS_here } Belongs;

/* Values of one kind. */
typedef struct Row {
    const char *text, *where;            /* "add f32[B, T]"; the place inside the prelude, or "" */
    int         count;
    Vec(const char *) paths;             /* label paths, each once */
} Row;
typedef Vec(Row *) Rows;

typedef struct Explain {
    Session    *s;
    const char *file;                    /* as given; a source matches when its path ends so */
    uint32_t    line;
    const Source *source;                /* the first that matched */
    Map        *near;                    /* lines of that file that values belong to: number -> int * */
    Graph      *simplified;              /* of the subject */
    Plan       *plan;
    double      own, all;                /* operations of the line, of everything */
    int64_t     stored;                  /* bytes */
    int         kernels;
    Map        *seen;                    /* what kernels do -> number of the first that does it */
} Explain;

/* ---- what belongs to the line ---- */

static bool is_file(const char *path, const char *name)
{
    size_t length = strlen(path), tail = strlen(name);
    if (length < tail || strcmp(path + length - tail, name)) return false;
    return length == tail || path[length - tail - 1] == '/';
}

static bool is_of_file(Explain *e, const Origin *o)
{
    if (!o->place.source || !is_file(o->place.source->path, e->file)) return false;
    if (!e->source) e->source = o->place.source;
    return true;
}

static void note_line(Explain *e, uint32_t line)
{
    char name[16];
    snprintf(name, sizeof name, "%u", line);
    int *count = map_get(e->near, name);
    if (!count) map_set(e->near, name, count = arena_new_of(e->s->arena, int));
    ++*count;
}

/* inner: the user's own place that the line has called, where it has. */
static Belongs belongs(Explain *e, const Origin *origin, const Origin **inner)
{
    const Origin *user = NULL;
    for (const Origin *o = origin; o; o = o->caller) {
        if (is_of_file(e, o) && o->place.line == e->line) {
            *inner = user;
            return user ? BELONGS_called : BELONGS_here;
        }
        if (!user && o->place.source && !o->place.source->builtin) user = o;
    }
    return BELONGS_not;
}

/* The closest of a node's origins, with the one that says so. */
static Belongs node_belongs(Explain *e, const Node *node, const Origin **origin, const Origin **inner)
{
    Belongs best = BELONGS_not;
    for (int k = 0; k < node->origin_count; k++) {
        const Origin *user = NULL;
        Belongs b = node->origins[k] ? belongs(e, node->origins[k], &user) : BELONGS_not;
        if (b > best) best = b, *origin = node->origins[k], *inner = user;
    }
    return best;
}

static void note_lines(Explain *e, const Graph *g)
{
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        if (node->region) note_lines(e, node->region);
        for (int j = 0; j < node->origin_count; j++)
            for (const Origin *o = node->origins[j]; o; o = o->caller)
                if (is_of_file(e, o)) note_line(e, o->place.line);
    }
}

/* ---- values ---- */

static void add_row(Arena *arena, Rows *rows, const char *text, const char *where, const char *path)
{
    Row *row = NULL;
    for (int k = 0; k < rows->count && !row; k++)
        if (!strcmp(rows->at[k]->text, text) && !strcmp(rows->at[k]->where, where)) row = rows->at[k];
    if (!row) {
        row = arena_new_of(arena, Row);
        row->text = text;
        row->where = where;
        vec_push(arena, rows, row);
    }
    row->count++;
    for (int k = 0; k < row->paths.count; k++)
        if (!strcmp(row->paths.at[k], path)) return;
    if (*path) vec_push(arena, &row->paths, path);
}

static const char *place_text(Arena *arena, const Place *place)
{
    return arena_print(arena, "%s:%u", place->source->path, place->line);
}

static void add_values(Explain *e, const Graph *g, Rows *here, Rows *called)
{
    Arena *arena = e->s->arena;
    for (int k = 0; k < g->nodes.count; k++) {
        const Node *node = g->nodes.at[k];
        const Origin *origin = NULL, *inner = NULL;
        Belongs b = node_belongs(e, node, &origin, &inner);
        if (node->region) add_values(e, node->region, here, called);
        if (b == BELONGS_not) continue;
        const char *path = origin->path ? origin->path : "";
        if (b == BELONGS_called) {
            add_row(arena, called, place_text(arena, &inner->place), "", inner->path ? inner->path : "");
            continue;
        }
        bool builtin = origin->place.source->builtin && !is_of_file(e, origin);
        bool input = node->op == OP_input;
        const char *name = input ? arena_print(arena, "input \"%s\"", node->attr.text) : op_name(node->op);
        add_row(arena, here, arena_print(arena, "%s %s", name, type_text(arena, &node->type)),
                builtin ? place_text(arena, &origin->place) : "", path);
    }
}

static int total_of(const Rows *rows)
{
    int total = 0;
    for (int k = 0; k < rows->count; k++) total += rows->at[k]->count;
    return total;
}

static const char *paths_text(Arena *arena, const Row *row)
{
    const char *text = "";
    for (int k = 0; k < row->paths.count && k < SHOWN_PATHS; k++)
        text = arena_print(arena, "%s%s%s", text, k ? ", " : "", row->paths.at[k]);
    int more = row->paths.count - SHOWN_PATHS;
    return more > 0 ? arena_print(arena, "%s and %d more", text, more) : text;
}

static void print_rows(Explain *e, const Rows *rows)
{
    for (int k = 0; k < rows->count && k < SHOWN_ROWS; k++) {
        const Row *row = rows->at[k];
        printf("  %5d  %-40s %-24s %s\n", row->count, row->text, row->where, paths_text(e->s->arena, row));
    }
    if (rows->count > SHOWN_ROWS) printf("         ... and %d kinds more\n", rows->count - SHOWN_ROWS);
}

/* Whether there are any. */
static bool print_values(Explain *e, const char *title, const Graph *g)
{
    Rows here = { 0 }, called = { 0 };
    add_values(e, g, &here, &called);
    if (!here.count && !called.count) return false;
    printf("\n%s: %d values made here\n", title, total_of(&here));
    print_rows(e, &here);
    if (called.count) printf("  and %d in what it calls:\n", total_of(&called));
    print_rows(e, &called);
    return true;
}

static const char *amount(Arena *arena, double x, const char *unit)
{
    static const char *const prefix[] = { "", "k", "M", "G", "T" };
    int k = 0;
    for (; x >= 1000 && k < 4; k++) x /= 1000;
    const char *gap = k || *unit ? " " : "";
    return arena_print(arena, k && x < 100 ? "%.1f%s%s%s" : "%.0f%s%s%s", x, gap, prefix[k], unit);
}

/* ---- kernels ---- */

/* What is the same wherever it is written belongs to no line. */
static bool is_here(Explain *e, const Node *node)
{
    if (node->op == OP_const || node->op == OP_iota) return false;
    const Origin *origin = NULL, *inner = NULL;
    return node_belongs(e, node, &origin, &inner) == BELONGS_here;
}

static const char *first_path(const Node *node)
{
    const char *path = node->origin_count && node->origins[0] ? node->origins[0]->path : NULL;
    return path ? path : "";
}

/* Where a value lies, from when to when. */
static void print_stored(Explain *e, const Plan *p, const Kernel *k, const Node *node, int depth)
{
    const Buffer *b = kernel_buffer(p, k, node);
    if (!b || !is_here(e, node) || node->op == OP_scan) return;
    printf("%*s    stores %%%u %s %s, %s", depth, "", node->id, op_name(node->op),
           type_text(e->s->arena, &node->type), amount(e->s->arena, (double)b->bytes, "B"));
    if (b->block == MEMORY_bound) printf(" where the loop says");
    else if (b->offset >= 0) printf(" at %s + %lld", block_name(b->block), (long long)b->offset);
    if (b->takes_over) printf(", in place of %%%u", b->takes_over->node->id);
    printf(", %s%d to %s", b->first < 0 ? "alive before kernel " : "alive from kernel ", b->first < 0 ? 0 : b->first,
           b->last >= p->kernels.count ? "the end" : arena_print(e->s->arena, "kernel %d", b->last));
    printf("%s%s%s\n", b->category ? " (" : "", b->category ? b->category : "", b->category ? ")" : "");
    if (b->why) printf("%*s      it is in memory: %s\n", depth, "", b->why);
    e->stored += b->bytes;
}

static void print_ends(Explain *e, const Kernel *k, int depth)
{
    if (k->refusals.count > SHOWN_ENDS)
        printf("%*s    ends before %d values, the first of them\n", depth, "", k->refusals.count);
    for (int i = 0; i < k->refusals.count && i < SHOWN_ENDS; i++) {
        const Refusal *r = &k->refusals.at[i];
        printf("%*s    ends before %%%u %s %s: %s\n", depth, "", r->node->id, op_name(r->node->op),
               type_text(e->s->arena, &r->node->type), r->why);
    }
}

/* The operators of the line first, then the others. */
static void print_nodes(Explain *e, const Kernel *k, int depth)
{
    for (int here = 1; here >= 0; here--) {
        int count = 0;
        for (int i = 0; i < k->nodes.count; i++) {
            const Node *node = k->nodes.at[i];
            bool dull = node->op == OP_const || node->op == OP_iota || (!here && op_is_movement(node->op));
            if (is_here(e, node) != here || dull) continue;
            if (!count++) printf("%*s    %s", depth, "", here ? "makes for this line:" : "and for others:");
            printf(" %s", op_name(node->op));
        }
        if (count) putchar('\n');
    }
}

/* The first kernel of the same kind, space, inputs and operators: that of another layer; its own number if it is. */
static const char *first_alike(Explain *e, const Kernel *k, const char *number)
{
    Arena *arena = e->s->arena;
    const char *text = arena_print(arena, "%s %s", kernel_kind_name(k), kernel_space_text(arena, k));
    for (int i = 0; i < k->inputs.count; i++)
        text = arena_print(arena, "%s %s", text, type_text(arena, &k->inputs.at[i]->type));
    for (int i = 0; i < k->nodes.count; i++) text = arena_print(arena, "%s %d", text, (int)k->nodes.at[i]->op);
    if (!map_get(e->seen, text)) map_set(e->seen, text, (void *)number);
    return map_get(e->seen, text);
}

/* A kernel at work for the line, and how often it runs in a step. */
typedef struct Work {
    const Kernel *k;
    const char   *number;                /* "4.0": kernel 0 of the loop that is kernel 4 */
    double        times, own, all;       /* operations of each time */
    bool          on_tiles;              /* of the product before it */
} Work;

static void print_kernel(Explain *e, const Plan *p, const Work *w, int depth)
{
    Arena *arena = e->s->arena;
    const Kernel *k = w->k;
    const char *first = first_alike(e, k, w->number), *path = first_path(k->outputs.at[k->outputs.count - 1]);
    bool alike = strcmp(first, w->number) != 0;
    printf("%*s  kernel %s %s %s%s%s", depth, "", w->number, kernel_kind_name(k), kernel_space_text(arena, k),
           *path ? "  " : "", path);
    printf(alike ? ": like kernel %s\n" : "\n", first);
    if (w->on_tiles)
        printf("%*s    runs on each tile of the product before it, while that is in a cache\n", depth, "");
    if (!alike) {
        print_nodes(e, k, depth);
        Cost cost = kernel_cost(k);
        printf("%*s    %s of %s operations, reads %s, writes %s", depth, "", amount(arena, w->own, ""),
               amount(arena, w->all, ""), amount(arena, (double)cost.read, "B"),
               amount(arena, (double)cost.written, "B"));
        printf(w->times > 1 ? ", %.0f times\n" : "\n", w->times);
    }
    for (int i = 0; i < k->outputs.count; i++) print_stored(e, p, k, k->outputs.at[i], depth);
    if (!alike) print_ends(e, k, depth);
}

/* around: "4." inside kernel 4. times: how often the plan runs in a step. */
static void print_plan(Explain *e, const Plan *p, const char *around, double times, int depth)
{
    for (int i = 0; i < p->kernels.count; i++) {
        const Kernel *k = p->kernels.at[i];
        Work w = { .k = k, .number = arena_print(e->s->arena, "%s%d", around, k->id), .times = times };
        w.on_tiles = code_on_tiles(p, i, build_blas(e->s->options));
        bool here = false;
        for (int j = 0; j < k->nodes.count; j++) {
            const Node *node = k->nodes.at[j];
            w.all += node_operations(node);
            if (!is_here(e, node)) continue;
            w.own += node_operations(node);
            here = true;
        }
        e->own += w.own * times;
        e->all += w.all * times;
        e->kernels += here;
        if (here) print_kernel(e, p, &w, depth);
        const Node *scan = k->outputs.at[k->outputs.count - 1];
        if (k->body)
            print_plan(e, k->body, arena_print(e->s->arena, "%s.", w.number),
                       times * (double)dim_value(scan->attr.count), depth + 2);
    }
}

/* ---- all of it ---- */

static void print_source_line(const Explain *e)
{
    const char *at = e->source->text, *end = at + e->source->size;
    for (uint32_t line = 1; line < e->line && at < end; line++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : end;
    }
    const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    if (!stop) stop = end;
    printf("%s:%u\n%.*s\n", e->source->path, e->line, (int)(stop - at), at);
}

/* The nearest lines on either side that have values. */
static int print_near(const Explain *e)
{
    uint32_t below = 0, above = 0;
    for (int k = 0; k < map_count(e->near); k++) {
        uint32_t line = (uint32_t)atoi(map_key(e->near, k));
        if (line < e->line && line > below) below = line;
        if (line > e->line && (!above || line < above)) above = line;
    }
    printf("\nno value of this program is made in line %u", e->line);
    if (below || above) printf("; near it: line");
    if (below) printf(" %u", below);
    if (above) printf("%s %u", below ? " and" : "", above);
    printf("\n--entry NAME looks at another fn than what `train` minimizes\n");
    return EXIT_GOOD;
}

static void keep(void *context, const char *pass, bool after, const Graph *graph, const Plan *plan)
{
    Explain *e = context;
    (void)plan;
    if (after && graph && !strcmp(pass, "simplify")) e->simplified = (Graph *)graph;
}

static int explain(Explain *e, Subject *subject)
{
    Session *s = e->s;
    if (!subject_is_valued(s, subject->graph)) return EXIT_BAD_INPUT;
    note_lines(e, subject->graph);
    if (!e->source) return session_fail(s, "no value of this program is made in a file %s", e->file);
    PassOptions passes = subject->passes;
    passes.layout = subject_layout(s, subject);
    passes.observe = keep;
    passes.context = e;
    e->plan = passes_run(s->arena, subject->graph, &passes, s->diagnostics);
    if (!e->plan) return session_report(s), EXIT_BAD_INPUT;
    note_lines(e, e->simplified);
    print_source_line(e);
    bool any = print_values(e, "elaborated", subject->graph);
    any = print_values(e, passes.loss ? "simplified, with gradient and update" : "simplified", e->simplified) || any;
    if (!any) return print_near(e);
    printf("\nkernels, of the %d of the plan:\n", e->plan->kernels.count);
    print_plan(e, e->plan, "", 1, 0);
    if (!e->kernels)
        printf("  none: what it calls makes it (ptm explain %s:FILE:LINE), or it is gone\n", s->options->argument);
    else
        printf("\nin all: %s operations of %s (%.1f %%), %s stored\n", amount(s->arena, e->own, ""),
               amount(s->arena, e->all, ""), e->all > 0 ? 100 * e->own / e->all : 0,
               amount(s->arena, (double)e->stored, "B"));
    return EXIT_GOOD;
}

/* "MODEL:LINE" or "MODEL:FILE:LINE", where FILE is one that the model imports or a file of the prelude. */
static bool read_argument(Explain *e, Options *o)
{
    const char *colon = strrchr(o->argument, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    if (!digits || colon[1 + digits]) return false;
    e->line = (uint32_t)strtoul(colon + 1, NULL, 10);
    char *model = arena_copy_text(o->arena, o->argument, (size_t)(colon - o->argument));
    char *inner = strrchr(model, ':');
    if (inner && access(model, F_OK)) *inner = 0;
    else inner = NULL;
    o->argument = model;
    e->file = inner ? inner + 1 : model;
    return true;
}

int command_explain(const Options *options)
{
    Session s;
    Subject subject;
    Options o = *options;
    Explain e = { .s = &s };
    int status = EXIT_BAD_INPUT;
    if (!read_argument(&e, &o)) {
        fprintf(stderr, "ptm explain: which line? MODEL.ptm:LINE, or MODEL.ptm:FILE:LINE for a file that it imports\n");
        return EXIT_MISUSE;
    }
    bool open = session_open(&s, &o) && subject_open(&s, &subject);
    if (open) {
        e.near = map_new(s.arena);
        e.seen = map_new(s.arena);
        status = explain(&e, &subject);
    }
    session_close(&s);
    return status;
}
