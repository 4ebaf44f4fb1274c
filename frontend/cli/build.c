/* Compiling graphs; the layout that they share; the program of initial values. */
#include "frontend/cli/build.h"
#include "frontend/cli/sizes.h"
#include "passes/build.h"

#include <string.h>

bool build_plan(Session *s, const Graph *graph, const PassOptions *passes, Build *out)
{
    *out = (Build){ .graph = graph };
    if (!sizes_check(s, graph)) return session_report(s) && false;
    PassOptions noted = *passes;
    noted.notes = &out->notes;
    out->plan = passes_run(s->arena, graph, &noted, s->diagnostics);
    return out->plan || (session_report(s) && false);
}

Blas build_blas(const Options *options)
{
    return options->blas && !strcmp(options->blas, "openblas") ? BLAS_openblas : BLAS_none;
}

DType build_precision(const Options *options)
{
    return options->precision && !strcmp(options->precision, "bf16") ? DT_bf16 : DT_f32;
}

CodeOptions build_options(const Session *s)
{
    return (CodeOptions){ .threads = s->options->threads > 0 ? (int)s->options->threads : 0,
                          .blas = build_blas(s->options) };
}

bool build_code(Session *s, Build *out)
{
    CodeOptions code = build_options(s);
    code.debug_lines = true;
    code.table = s->codes;
    code.cache = code_cache_directory(s->arena);
    out->code = code_compile(out->plan, out->graph->name, &code, s->diagnostics);
    if (!out->code) return session_report(s) && false;
    out->program = code_program(out->code);
    return true;
}

bool build_graph(Session *s, const Graph *graph, const PassOptions *passes, Build *out)
{
    return build_plan(s, graph, passes, out) && build_code(s, out);
}

void build_free(Build *b)
{
    if (b->code) code_free(b->code);
    *b = (Build){ 0 };
}

const Graph *build_tables(Session *s)
{
    Graph *graph = graph_new(s->arena, model_dims(s->model), "tables");
    for (int i = 0; i < model_table_count(s->model); i++) {
        const HostValue *table = model_table(s->model, i);
        make_input(graph, STORE_const, table->name, table->type);
    }
    return graph;
}

static void place_param(Graph *shared, const Node *input, const Map *narrow)
{
    const char *name = input->attr.text;
    const Narrow *n = narrow ? map_get(narrow, name) : NULL;
    Type type = input->type;
    if (n) type.dtype = n->dtype;
    make_input(shared, STORE_param, name, type);
    if (n && n->dtype == DT_i8)
        make_input(shared, STORE_param, narrow_scale_name(shared->arena, name),
                   narrow_scale_type(shared->dims, n, type));
}

const Graph *build_params(Session *s, const Graphs *graphs, Map **narrow)
{
    Graph *shared = graph_new(s->arena, model_dims(s->model), "shared");
    const char *word = s->options->weight_type;
    DType dtype = DT_f32;
    if (word) dtype_find(word, &dtype);
    *narrow = dtype == DT_f32 ? NULL : narrow_choose(s->arena, graphs->at, graphs->count, dtype);
    for (int g = 0; g < graphs->count; g++) {
        for (int i = 0; i < graphs->at[g]->inputs.count; i++) {
            const Node *input = graphs->at[g]->inputs.at[i];
            bool seen = graph_find_input(shared, input->attr.text) != NULL;
            if (input->attr.storage == STORE_param && !seen) place_param(shared, input, *narrow);
        }
    }
    return shared;
}

Layout *build_layout(Session *s, const Graphs *graphs)
{
    Map *narrow;
    const Graph *all[2] = { build_tables(s), build_params(s, graphs, &narrow) };
    Layout *layout = layout_new(s->arena, all, 2);
    layout->narrow = narrow;
    return layout;
}

static Node *initial_value(Graph *into, const Graph *code)
{
    return graph_copy_nodes(into, code)[code->outputs.at[0].node->id];
}

void build_initial_value(Graph *into, Storage storage, const char *name, Type type, const Graph *code)
{
    make_input(into, storage, name, type);
    graph_output(into, OUTPUT_update, name, initial_value(into, code));
}

Graph *build_initial_graph(Session *s, const Layout *layout)
{
    Graph *graph = graph_new(s->arena, model_dims(s->model), "initial");
    for (int i = 0; i < model_param_count(s->model); i++) {
        const Param *param = model_param(s->model, i);
        if (!map_get(layout->offset, param->path)) continue;
        const Narrow *n = layout->narrow ? map_get(layout->narrow, param->path) : NULL;
        graph->origin = param->origin;
        if (n) narrow_update(graph, param->path, initial_value(graph, param->initial), n);
        else build_initial_value(graph, STORE_param, param->path, param->type, param->initial);
    }
    return graph;
}

bool build_initial(Session *s, const Layout *layout, Build *out)
{
    PassOptions passes = { .layout = layout };
    return build_graph(s, build_initial_graph(s, layout), &passes, out);
}
