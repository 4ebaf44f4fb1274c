/* Reading graphs back. */
#include "frontend/cli/subject.h"
#include "runtime/data/parts.h"

#include <stdlib.h>
#include <string.h>

bool graph_text_is(const char *path)
{
    char line[512];
    bool found = false, goes_on = true;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    while (goes_on && fgets(line, sizeof line, file)) {
        const char *word = line + strspn(line, " \t\r\n");
        found = !strncmp(word, "graph", 5) && strchr(" \t\r\n", word[5]);
        goes_on = *word == '#' || !*word;
        if (goes_on && !strchr(line, '\n')) goes_on = false;    /* a comment longer than any of ours: a model's */
    }
    fclose(file);
    return found;
}

static const Source *read_source(Session *s, const char *path)
{
    RtError error;
    RtText text;
    char *bytes;
    if (!file_read(path, &bytes, &text, &error)) {
        session_fail(s, "%s", error.text);
        return NULL;
    }
    Source *source = arena_new_of(s->arena, Source);
    *source = (Source){ .path = path, .text = arena_copy_text(s->arena, text.bytes, (size_t)text.size),
                        .size = (size_t)text.size };
    free(bytes);
    return source;
}

static bool train_all(Session *s, Subject *out)
{
    const Graph *graph = out->graph;
    const Output *loss = graph->outputs.count ? &graph->outputs.at[0] : NULL;
    const char **names = arena_array(s->arena, const char *, graph->inputs.count + 1);
    if (!loss || loss->kind != OUTPUT_result || loss->node->type.rank || !dtype_is_float(loss->node->type.dtype)) {
        session_fail(s, "--training: the first output of %s is no loss: a result that is one real number",
                     s->options->argument);
        return false;
    }
    for (int i = 0; i < graph->inputs.count; i++)
        if (graph->inputs.at[i]->attr.storage == STORE_param)
            names[out->passes.trained_count++] = graph->inputs.at[i]->attr.text;
    out->passes.loss = loss->name;
    out->passes.trained = names;
    return true;
}

bool graph_text_open(Session *s, const Options *options, Subject *out)
{
    *s = (Session){ .arena = arena_new(), .options = options };
    *out = (Subject){ 0 };
    s->diagnostics = diag_new(s->arena);
    const Source *source = read_source(s, options->argument);
    if (!source) return false;
    out->graph = graph_read(s->arena, source, s->diagnostics);
    if (!out->graph) return session_report(s) && false;
    const char *reason = graph_verify(out->graph, s->arena);
    if (reason) return session_fail(s, "%s: %s", options->argument, reason) && false;
    return session_bind_dimensions(s, out->graph->dims) && (!options->training || train_all(s, out));
}
