/* Trace events, and boxes in SVG. */
#include "frontend/cli/drawing.h"
#include "frontend/cli/certificate.h"

#include <jansson.h>
#include <string.h>

/* In pixels of the page. */
enum { PAGE_WIDTH = 1600, MARGIN = 20, TIME_HEIGHT = 120, MEMORY_HEIGHT = 600, TEXT_HEIGHT = 24 };

static const RtStep *step_of(const Timer *t, const Visit *v)
{
    return &t->programs.at[v->program].build->program->steps[v->row];
}

static const char *name_of(const Timer *t, const Visit *v)
{
    return t->programs.at[v->program].build->program->names[step_of(t, v)->name];
}

static const char *place_of(const Timer *t, const Visit *v)
{
    return t->programs.at[v->program].build->program->places[step_of(t, v)->place];
}

void drawing_trace(FILE *out, const Timer *timer)
{
    fputs("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[", out);
    for (int k = 0; k < timer->visits.count; k++) {
        const Visit *v = &timer->visits.at[k];
        json_t *event = json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i, s:{s:s}}", "name", name_of(timer, v), "cat",
                                  "kernel", "ph", "X", "ts", 1e6 * v->begin_s, "dur", 1e6 * (v->end_s - v->begin_s),
                                  "pid", 1, "tid", v->program + 1, "args", "place", place_of(timer, v));
        fputs(k ? ",\n" : "\n", out);
        if (event) json_dumpf(event, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
        json_decref(event);
    }
    fputs("\n]}\n", out);
}

static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
    }
}

/* One hue for each kind: the first word of a name. */
static const char *colour_of(const char *name)
{
    static const struct { const char *kind, *colour; } kinds[] = {
        { "contract", "#4878a8" }, { "rows", "#c8843c" }, { "columns", "#b85450" }, { "scatter", "#8a5aa8" },
        { "map", "#6a9a5b" },      { "copy", "#9a9a9a" }, { "parameters", "#4878a8" },
        { "gradients", "#b85450" }, { "saved activations", "#c8843c" },
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (!strncmp(name, kinds[k].kind, strlen(kinds[k].kind))) return kinds[k].colour;
    return "#b0a890";
}

static void box(FILE *out, double x, double y, double width, double height, const char *colour)
{
    fprintf(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"><title>", x, y, width, height,
            colour);
}

static void end_box(FILE *out) { fputs("</title></rect>\n", out); }

static void caption(FILE *out, int y, const char *text)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\">", MARGIN, y);
    put_text(out, text);
    fputs("</text>\n", out);
}

static void draw_time(FILE *out, Arena *arena, const Timer *t, int top)
{
    double last = 0;
    for (int k = 0; k < t->visits.count; k++)
        if (t->visits.at[k].end_s > last) last = t->visits.at[k].end_s;
    caption(out, top, arena_print(arena, "kernels of one step, one at a time: %.3f ms", 1e3 * last));
    double scale = last > 0 ? (PAGE_WIDTH - 2 * MARGIN) / last : 0;
    for (int k = 0; k < t->visits.count; k++) {
        const Visit *v = &t->visits.at[k];
        box(out, MARGIN + v->begin_s * scale, top + TEXT_HEIGHT / 2.0, (v->end_s - v->begin_s) * scale, TIME_HEIGHT,
            colour_of(name_of(t, v)));
        put_text(out, arena_print(arena, "%s, %.1f us, %s", name_of(t, v), 1e6 * (v->end_s - v->begin_s),
                                  place_of(t, v)));
        end_box(out);
    }
}

static const char *buffer_text(Arena *arena, const Buffer *b)
{
    const Origin *o = b->node->origin_count ? b->node->origins[0] : NULL;
    while (o && o->caller && (!o->place.source || o->place.source->builtin)) o = o->caller;
    const char *text = arena_print(arena, "%%%u %s %s, %s", b->node->id, op_name(b->node->op),
                                   type_text(arena, &b->node->type), certificate_amount(arena, b->bytes));
    if (b->category) text = arena_print(arena, "%s, %s", text, b->category);
    if (!o || !o->place.source) return text;
    return arena_print(arena, "%s, %s:%u %s", text, o->place.source->path, o->place.line, o->path ? o->path : "");
}

static void draw_memory(FILE *out, Arena *arena, const Plan *plan, int top)
{
    double bytes = (double)plan->block_bytes[MEMORY_work], kernels = plan->kernels.count;
    caption(out, top, arena_print(arena, "work of %d kernels, from the first to the last: %s (least possible: %s)",
                                  plan->kernels.count, certificate_amount(arena, plan->block_bytes[MEMORY_work]),
                                  certificate_amount(arena, plan->lower_bound)));
    if (bytes <= 0 || kernels <= 0) return;
    double x_scale = (PAGE_WIDTH - 2 * MARGIN) / kernels, y_scale = MEMORY_HEIGHT / bytes;
    for (int k = 0; k < plan->buffers.count; k++) {
        const Buffer *b = plan->buffers.at[k];
        if (b->block != MEMORY_work || b->offset < 0 || !b->node) continue;
        double first = b->first < 0 ? 0 : b->first, last = b->last >= plan->kernels.count ? kernels : b->last + 1;
        box(out, MARGIN + first * x_scale, top + TEXT_HEIGHT / 2.0 + (double)b->offset * y_scale,
            (last - first) * x_scale, (double)b->bytes * y_scale, colour_of(b->category ? b->category : ""));
        put_text(out, buffer_text(arena, b));
        end_box(out);
    }
}

void drawing_svg(FILE *out, Arena *arena, const Timer *timer, const Plan *plan, const char *title)
{
    int memory_top = 3 * TEXT_HEIGHT + TIME_HEIGHT + 2 * MARGIN;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"14\">\n<style>rect { stroke: white; stroke-width: 0.3 }</style>\n",
            PAGE_WIDTH, memory_top + MEMORY_HEIGHT + 2 * MARGIN);
    caption(out, TEXT_HEIGHT, title);
    draw_time(out, arena, timer, 2 * TEXT_HEIGHT);
    draw_memory(out, arena, plan, memory_top);
    fputs("</svg>\n", out);
}
