/* The plan in reasons: for each kernel what it did not take in and why, and what it leaves in memory and why. */
#include "ir/plan.h"

#include <inttypes.h>

typedef struct Writer {
    const Plan *p;
    Arena *arena;
    FILE  *out;
    int    depth;
} Writer;

static void write_node(const Writer *w, const Node *n)
{
    fprintf(w->out, "%*s%%%u %s %s", w->depth + 4, "", n->id, op_name(n->op), type_text(w->arena, &n->type));
}

/* Where the model's own lines ask for it: what stands in the prelude is the callers'. */
static void write_place(const Writer *w, const Node *n)
{
    const Origin *o = n->origin_count ? n->origins[0] : NULL;
    const char *path = o && o->path ? o->path : "";
    while (o && o->caller && o->place.source && o->place.source->builtin) o = o->caller;
    if (o && o->place.source && o->place.line)
        fprintf(w->out, "  @ %s:%u:%u", o->place.source->path, o->place.line, o->place.column);
    fprintf(w->out, "%s%s\n", *path ? " " : "", path);
}

static const char *amount(const Writer *w, int64_t bytes)
{
    if (bytes < 10240) return arena_print(w->arena, "%" PRId64 " bytes", bytes);
    if (bytes < 10485760) return arena_print(w->arena, "%.1f KiB", (double)bytes / 1024);
    return arena_print(w->arena, "%.1f MiB", (double)bytes / 1048576);
}

static bool reads(const Plan *p, const Kernel *k, const Buffer *b)
{
    for (int i = 0; i < k->inputs.count; i++)
        if (kernel_buffer(p, k, k->inputs.at[i]) == b) return true;
    return false;
}

static void write_readers(const Writer *w, const Buffer *b)
{
    const char *between = "; read by kernel ";
    for (int k = 0; k < w->p->kernels.count; k++) {
        if (!reads(w->p, w->p->kernels.at[k], b)) continue;
        fprintf(w->out, "%s%d", between, k);
        between = ", ";
    }
}

static void write_stored(const Writer *w, const Kernel *k)
{
    fprintf(w->out, "%*sleaves in memory\n", w->depth + 2, "");
    for (int i = 0; i < k->outputs.count; i++) {
        const Node *n = k->outputs.at[i];
        const Buffer *b = kernel_buffer(w->p, k, n);
        write_node(w, n);
        fprintf(w->out, ", %s: %s", amount(w, b->bytes), b->why ? b->why : "its place is an input's");
        write_readers(w, b);
        write_place(w, n);
    }
}

static void write_refused(const Writer *w, const Kernel *k)
{
    if (k->refusals.count) fprintf(w->out, "%*sdid not take in\n", w->depth + 2, "");
    for (int i = 0; i < k->refusals.count; i++) {
        const Refusal *r = &k->refusals.at[i];
        write_node(w, r->node);
        fprintf(w->out, ": %s", r->why);
        write_place(w, r->node);
    }
}

static void explain(const Writer *w)
{
    for (int i = 0; i < w->p->kernels.count; i++) {
        const Kernel *k = w->p->kernels.at[i];
        fprintf(w->out, "%*skernel %d %s", w->depth, "", i, kernel_kind_name(k));
        write_place(w, k->outputs.at[k->outputs.count - 1]);
        write_stored(w, k);
        write_refused(w, k);
        const Writer body = {k->body, w->arena, w->out, w->depth + 4};
        if (k->body) explain(&body);
    }
}

void plan_explain(const Plan *p, FILE *out)
{
    Writer w = {p, arena_new(), out, 0};
    fprintf(out, "plan %s: %d kernels\n", p->graph->name, p->kernels.count);
    explain(&w);
    arena_free(w.arena);
}
