/* Entries to programs, programs to C functions. */
#include "frontend/cli/shipped.h"
#include "frontend/cli/cases.h"
#include "frontend/cli/host.h"
#include "frontend/cli/saved.h"

#include <string.h>

/* ---- which entries ---- */

/* A stage by the name behind "train.", or the only one for "train". -1 after an error. */
static int find_stage(Shipment *m, const char *entry)
{
    Session *s = m->s;
    const TrainSpec *train = model_train(s->model);
    const char *names[64];
    int count = 0;
    for (int i = 0; i < train->stage_count && count < 64; i++) {
        const char *name = train->stages[i].name;
        names[count] = *name ? arena_print(s->arena, "train.%s", name) : "train";
        if (!strcmp(names[count++], entry)) return i;
    }
    if (!count) return session_fail(s, "%s has no `train` block", s->options->argument), -1;
    if (!strcmp(entry, "train") && count == 1) return 0;
    const char *near = suggest(entry, names, count), *list = "";
    for (int i = 0; i < count; i++) list = arena_print(s->arena, "%s%s%s", list, i ? ", " : "", names[i]);
    session_fail(s, "--entry %s: no such stage%s%s%s; there is %s", entry, near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "", list);
    return -1;
}

static bool is_stage(const char *entry) { return !strncmp(entry, "train", 5) && (!entry[5] || entry[5] == '.'); }

bool shipment_trains(const char *entries)
{
    for (const char *at = entries; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, "train", 5) && strchr(",.", at[5])) return true;
    return false;
}

typedef struct Names {
    const char **fns, **stages;
    int fn_count, stage_count;
} Names;

static bool read_names(Shipment *m, Names *out)
{
    Session *s = m->s;
    const char *text = s->options->entries;
    int room = (int)strlen(text) + 1;
    *out = (Names){ .fns = arena_array(s->arena, const char *, room),
                    .stages = arena_array(s->arena, const char *, room) };
    Map *seen = map_new(s->arena);
    for (const char *at = text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        const char *name = arena_copy_text(s->arena, at, strcspn(at, ","));
        if (!*name) return session_fail(s, "--entry %s: a name is missing", text) && false;
        if (map_get(seen, name)) return session_fail(s, "--entry %s: %s stands there twice", text, name) && false;
        map_set(seen, name, seen);
        if (is_stage(name)) out->stages[out->stage_count++] = name;
        else out->fns[out->fn_count++] = name;
    }
    return true;
}

/* ---- entries that are fns ---- */

static const char *signature_text(Session *s, const Cases *c)
{
    const char *text = arena_print(s->arena, "%s(", c->entry);
    for (int k = 0; k < c->inputs; k++)
        text = arena_print(s->arena, "%s%s%s: %s", text, k ? ", " : "", model_entry_parameter(s->model, c->entry, k),
                           type_text(s->arena, &c->types[k]));
    return arena_print(s->arena, "%s)", text);
}

/* plans: of its cases. */
static bool add_entry(Shipment *m, const Cases *c, const Plan *const *plans)
{
    Session *s = m->s;
    Shipped *f = ship_function(m, c->entry, "");
    f->signature = signature_text(s, c);
    f->values = c->values;
    f->plans = (const Plan **)plans;
    for (int i = 0; i < c->symbols.count; i++) vec_push(s->arena, &f->dims, c->symbols.at[i]);
    for (int i = 0; c->count > 1 && i < c->symbols.count; i++)
        ship_argument(m, f, ship_name(s, f, c->symbols.at[i]), (ExportArg){ .kind = ARG_DIM });
    if (!ship_memory(m, f, plans, c->count, false)) return false;
    for (int k = 0; k < c->inputs; k++) ship_value(m, f, ARG_INPUT, model_entry_parameter(s->model, c->entry, k));
    ship_histories(m, f, plans, c->count);
    ship_results(m, f, plans, c->count);
    for (int k = 0; k < c->count; k++) {
        int program = ship_program(m, plans[k], c->entry);
        if (program < 0) return false;
        ship_run(m, ship_case(m, f, c->values[k]), program);
    }
    return true;
}

/* ---- beginnings ---- */

/* A function that runs one program of initial values, which may be NULL, after zeroing a block of states. */
static bool add_beginning(Shipment *m, const char *name, const char *about, const Plan *plan, int stage,
                          int64_t state_bytes)
{
    Session *s = m->s;
    Shipped *f = ship_function(m, name, about);
    f->f.stage = stage;
    f->writes[BLOCK_work] = true;
    f->writes[BLOCK_state] = state_bytes > 0 || (plan && plan_writes(plan, STORE_state));
    f->writes[BLOCK_param] = plan && plan_writes(plan, STORE_param);
    if (plan && plan_reads(plan, STORE_param)) ship_block(m, f, BLOCK_param);
    if (f->writes[BLOCK_state]) ship_block(m, f, BLOCK_state);
    if (plan) {
        ship_work(m, f);
        ship_number(m, f, NUMBER_SEED);
    }
    ExportCase *c = ship_case(m, f, NULL);
    if (state_bytes)
        vec_push(s->arena, &c->actions,
                 ((ExportAction){ .program = -1, .place = RT_PLACE(BLOCK_state, 0), .bytes = state_bytes }));
    int program = plan ? ship_program(m, plan, name) : -1;
    if (program >= 0) ship_run(m, c, program);
    return !plan || program >= 0;
}

static bool plan_graph(Session *s, const Graph *graph, const Layout *layout, Build *out)
{
    PassOptions passes = { .layout = layout };
    return build_plan(s, graph, &passes, out);
}

/* What each state begins with, from number `first` on; NULL: there are none. */
static Graph *states_graph(Session *s, const Job *job, int first)
{
    Graph *graph = graph_new(s->arena, model_dims(s->model), "states");
    for (int i = first; i < job->states.count; i++) {
        const char *name = job->states.values[i].name;
        const Node *input = NULL;
        for (int k = 0; k < job->count && !input; k++)
            if (job->builds[k].plan) input = graph_find_input(job->builds[k].plan->graph, name);
        if (input) build_initial_value(graph, STORE_state, name, input->type, model_state_initial(s->model, input));
    }
    return graph->outputs.count ? graph : NULL;
}

static bool add_begin(Shipment *m, const char *name, Job *job, int stage)
{
    if (!job->states.bytes) return true;
    if (job->drawn && !plan_graph(m->s, job->drawn, job->layout, &job->drawing)) return false;
    return add_beginning(m, name, "Fills state with what it begins with.", job->drawing.plan, stage,
                         job->states.bytes);
}

/* Between two passes over the data the states of the model begin anew, those of the optimizer do not. */
static bool add_begin_pass(Shipment *m, const char *name, const Job *job, int stage)
{
    Graph *graph = states_graph(m->s, job, job->states.kept);
    Build build = { 0 };
    if (!graph) return true;
    return plan_graph(m->s, graph, job->layout, &build)
        && add_beginning(m, name, "Fills the states of the model with what they begin with, before a new pass over the "
                         "data;\nthose of the optimizer stay.", build.plan, stage, 0);
}

static bool add_init(Shipment *m)
{
    Session *s = m->s;
    Build build = { 0 };
    if (m->contents.block[BLOCK_param] || !m->param_count) return true;
    return plan_graph(s, build_initial_graph(s, m->run.layout), m->run.layout, &build)
        && add_beginning(m, "init", "Fills param with the initial values that the model says.", build.plan, 0, 0);
}

/* ---- lists and blocks ---- */

static void list_param(Shipment *m, RtValue *values, const char *name, Type type)
{
    const Layout *layout = m->run.layout;
    RtValue *v = &values[m->param_count++];
    *v = (RtValue){ .name = name, .dtype = (int32_t)type.dtype, .rank = type.rank,
                    .place = RT_PLACE(BLOCK_param, *(int64_t *)map_get(layout->offset, name)),
                    .bytes = type_value_bytes(&type) };
    for (int k = 0; k < type.rank; k++) v->shape[k] = dim_value(type.dim[k]);
}

static void list_params(Shipment *m)
{
    Session *s = m->s;
    const Layout *layout = m->run.layout;
    RtValue *values = arena_array(s->arena, RtValue, map_count(layout->offset) + 1);
    for (int i = 0; i < map_count(layout->offset); i++) {
        const Param *param = model_find_param(s->model, map_key(layout->offset, i));
        if (!param) continue;
        const Narrow *n = layout->narrow ? map_get(layout->narrow, param->path) : NULL;
        Type type = param->type;
        if (n) type.dtype = n->dtype;
        list_param(m, values, param->path, type);
        if (n && n->dtype == DT_i8)
            list_param(m, values, narrow_scale_name(s->arena, param->path),
                       narrow_scale_type(model_dims(s->model), n, type));
    }
    m->params = values;
}

static bool embed_params(Shipment *m)
{
    int64_t bytes = m->run.layout->bytes[MEMORY_param];
    if (!m->s->options->embed_weights) return true;
    char *block = arena_array(m->s->arena, char, bytes + 1);
    m->contents.block[BLOCK_param] = block;
    m->contents.block_bytes[BLOCK_param] = bytes;
    return run_read(m->s, m->params, m->param_count, block, m->s->options->weights);
}

/* Weights that only say what the data block made must be there too. */
static bool check_weights(const Session *s)
{
    RtError error;
    if (!s->options->weights) return true;
    RtWeights *weights = saved_weights(s->arena, s->options->weights, &error);
    if (!weights) return session_fail(s, "%s", error.text) && false;
    rt_weights_close(weights);
    return true;
}

static void embed_tables(Shipment *m)
{
    const Model *model = m->s->model;
    int64_t bytes = m->run.layout->bytes[MEMORY_const];
    if (!bytes) return;
    char *block = arena_array(m->s->arena, char, bytes);
    for (int i = 0; i < model_table_count(model); i++) {
        const HostValue *table = model_table(model, i);
        const DataArray *array = host_array(table);
        const int64_t *offset = map_get(m->run.layout->offset, table->name);
        memcpy(block + *offset, array->data, (size_t)(data_array_count(array) * rt_dtype_bytes(array->dtype)));
    }
    m->contents.block[BLOCK_const] = block;
    m->contents.block_bytes[BLOCK_const] = bytes;
}

static void add_list(Shipment *m, const char *name, const RtValue *values, int count)
{
    if (!count) return;
    const char *symbol = arena_print(m->s->arena, "%s_%s", m->prefix, name);
    vec_push(m->s->arena, &m->contents.lists, ((ExportList){ symbol, values, count }));
}

/* ---- all of it ---- */

static bool make_layout(Shipment *m, const Cases *cases, int count, const int *stages, int stage_count)
{
    Session *s = m->s;
    Graphs all = { 0 };
    for (int e = 0; e < count; e++)
        for (int k = 0; k < cases[e].count; k++) vec_push(s->arena, &all, cases[e].graphs[k]);
    for (int i = 0; i < stage_count; i++) {
        const StepSource *step = &m->run.steps[stages[i]];
        for (int v = 0; v < step->variants.count; v++)
            if (step->graphs[v]) vec_push(s->arena, &all, step->graphs[v]);
    }
    m->run.layout = build_layout(s, &all);
    return true;
}

static bool plan_entries(Shipment *m, const Cases *cases, int count)
{
    Session *s = m->s;
    int total = 0, n = 0;
    for (int e = 0; e < count; e++) total += cases[e].count;
    Graph **graphs = arena_array(s->arena, Graph *, total + 1);
    for (int e = 0; e < count; e++)
        for (int k = 0; k < cases[e].count; k++) graphs[n++] = cases[e].graphs[k];
    return job_open(s, "the entries", graphs, total, 0, NULL, m->run.layout, &m->job) && job_plan(s, NULL, &m->job);
}

static bool add_entries(Shipment *m, const Cases *cases, int count)
{
    int n = 0;
    for (int e = 0; e < count; e++) {
        const Plan **plans = arena_array(m->s->arena, const Plan *, cases[e].count);
        for (int k = 0; k < cases[e].count; k++) plans[k] = m->job.builds[n++].plan;
        if (!add_entry(m, &cases[e], plans)) return false;
    }
    add_list(m, "states", m->job.states.values, m->job.states.count);
    return add_begin(m, "begin", &m->job, 0);
}

static bool add_steps(Shipment *m, const int *stages, const char *const *names, int count)
{
    Arena *arena = m->s->arena;
    for (int i = 0; i < count; i++) {
        Job *job = &m->run.trains[stages[i]];
        const char *name = ship_name(m->s, NULL, names[i]);
        if (!ship_step(m, stages[i], names[i])) return false;
        add_list(m, arena_print(arena, "%s_states", name), job->states.values, job->states.count);
        if (!add_begin(m, arena_print(arena, "%s_begin", name), job, stages[i])) return false;
        if (!add_begin_pass(m, arena_print(arena, "%s_begin_pass", name), job, stages[i])) return false;
    }
    return true;
}

/* Names of entries may not be those of functions that every object has. */
static bool check_symbols(Shipment *m)
{
    static const char *const own[] = { "error", "instruction_set", "use_instruction_set", "value", "fault", "params",
                                       "states" };
    for (int i = 0; i < m->shipped.count; i++) {
        const char *name = m->shipped.at[i]->name;
        bool taken = false;
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) taken = taken || !strcmp(own[k], name);
        for (int k = 0; k < i; k++) taken = taken || !strcmp(m->shipped.at[k]->name, name);
        if (taken)
            return session_fail(m->s, "--entry: %s_%s is a name that the object needs for itself: rename the fn",
                                m->prefix, name) && false;
    }
    return true;
}

bool shipment_open(Shipment *m, Session *s, const char *prefix, const ExportOptions *options)
{
    *m = (Shipment){ .s = s, .run = { .s = s }, .prefix = prefix, .options = *options };
    Names names;
    if (!read_names(m, &names) || !check_weights(s)) return false;
    int *stages = arena_array(s->arena, int, names.stage_count + 1);
    for (int i = 0; i < names.stage_count; i++)
        if ((stages[i] = find_stage(m, names.stages[i])) < 0) return false;
    Cases *cases = arena_array(s->arena, Cases, names.fn_count + 1);
    if (!cases_open(s, names.fns, names.fn_count, cases)) return false;
    if (names.stage_count && !run_open_steps(&m->run)) return false;
    if (!cases_elaborate(s, cases, names.fn_count)) return false;
    if (!make_layout(m, cases, names.fn_count, stages, names.stage_count)) return false;
    m->run.trains = arena_array(s->arena, Job, m->run.train_count + 1);
    for (int i = 0; i < names.stage_count; i++)
        if (!run_open_step(&m->run, stages[i])) return false;
    if (!plan_entries(m, cases, names.fn_count)) return false;
    list_params(m);
    embed_tables(m);
    if (!embed_params(m)) return false;
    m->export = export_new(s->arena, options, s->diagnostics);
    if (!m->export) return session_report(s) && false;
    add_list(m, "params", m->params, m->param_count);
    if (!add_entries(m, cases, names.fn_count) || !add_steps(m, stages, names.stages, names.stage_count)) return false;
    if (!add_init(m) || !check_symbols(m)) return false;
    for (int i = 0; i < m->shipped.count; i++) vec_push(s->arena, &m->contents.functions, m->shipped.at[i]->f);
    m->contents.prefix = prefix;
    return session_report(s);
}

void shipment_close(Shipment *m)
{
    export_free(m->export);
    job_close(&m->job);
    for (int i = 0; m->run.trains && i < m->run.train_count; i++) job_close(&m->run.trains[i]);
}
