/* Entries to programs, programs to C functions. */
#include "frontend/cli/shipment.h"
#include "frontend/cli/cases.h"
#include "frontend/cli/host.h"
#include "frontend/cli/saved.h"
#include "runtime/train/step.h"

#include <ctype.h>
#include <string.h>

#define NUMBER_SEED "seed"
#define NUMBER_STEP "step"

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

/* ---- functions ---- */

static const char *words_of_c[] = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float",
    "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed", "sizeof",
    "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "and", "asm", "bool",
    "catch", "class", "delete", "explicit", "export", "false", "friend", "mutable", "namespace", "new", "not",
    "operator", "or", "private", "protected", "public", "template", "this", "throw", "true", "try", "typename", "using",
    "virtual", "xor", "abi", "param", "state", "tables", "work", "pool", "fault", NULL,
};

/* A name that C and C++ accept, and that no other argument has. */
static const char *c_name(Session *s, const Shipped *f, const char *name)
{
    char *text = arena_print(s->arena, "%s%s", isdigit((unsigned char)*name) ? "out_" : "", name);
    for (char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    const char *out = text;
    for (int k = 0; words_of_c[k]; k++)
        if (!strcmp(words_of_c[k], out)) out = arena_print(s->arena, "%s_", out);
    for (int k = 0; f && k < f->names.count; k++)
        if (!strcmp(f->names.at[k], out)) out = arena_print(s->arena, "%s_", out);
    return out;
}

static Shipped *add_function(Shipment *m, const char *name, const char *about)
{
    Session *s = m->s;
    Shipped *f = arena_new_of(s->arena, Shipped);
    f->name = c_name(s, NULL, name);
    f->f.symbol = arena_print(s->arena, "%s_%s", m->prefix, f->name);
    f->about = about;
    vec_push(s->arena, &m->shipped, f);
    return f;
}

static void add_argument(Shipment *m, Shipped *f, const char *name, ExportArg arg)
{
    vec_push(m->s->arena, &f->f.args, arg);
    vec_push(m->s->arena, &f->names, name);
}

static void add_block(Shipment *m, Shipped *f, RtBlock block)
{
    static const char *const names[BLOCK_COUNT] = {
        [BLOCK_param] = "param", [BLOCK_state] = "state", [BLOCK_work] = "work"
    };
    if (m->contents.block[block]) return;
    add_argument(m, f, names[block], (ExportArg){ .kind = ARG_BLOCK, .block = block });
}

static void add_work(Shipment *m, Shipped *f)
{
    add_block(m, f, BLOCK_work);
    if (m->options.pool) add_argument(m, f, "pool", (ExportArg){ .kind = ARG_POOL });
}

static void add_number(Shipment *m, Shipped *f, const char *name)
{
    add_argument(m, f, name, (ExportArg){ .kind = ARG_NUMBER, .value = name });
}

static void add_value(Shipment *m, Shipped *f, ExportArgKind kind, const char *name)
{
    add_argument(m, f, c_name(m->s, f, name), (ExportArg){ .kind = kind, .value = name });
}

static ExportCase *add_case(Shipment *m, Shipped *f, const int64_t *dims)
{
    vec_push(m->s->arena, &f->f.cases, (ExportCase){ .dims = dims });
    return &f->f.cases.at[f->f.cases.count - 1];
}

static void add_run(Shipment *m, ExportCase *c, int program)
{
    vec_push(m->s->arena, &c->actions, (ExportAction){ .program = program });
}

/* ---- what programs read and write ---- */

static bool reads_storage(const Plan *p, Storage storage)
{
    for (int i = 0; i < p->graph->inputs.count; i++)
        if (p->graph->inputs.at[i]->attr.storage == (int)storage) return true;
    return false;
}

static bool reads_ambient(const Plan *p, const char *name)
{
    const Node *input = graph_find_input(p->graph, name);
    return input && input->attr.storage == STORE_ambient;
}

static bool writes_storage(const Plan *p, Storage storage)
{
    for (int i = 0; i < p->graph->outputs.count; i++) {
        const Output *o = &p->graph->outputs.at[i];
        const Node *input = o->kind == OUTPUT_update ? graph_find_input(p->graph, o->name) : NULL;
        if (input && input->attr.storage == (int)storage) return true;
    }
    return false;
}

typedef bool Question(const Plan *p, Storage storage);
static bool any(const Plan *const *plans, int count, Question *question, Storage storage)
{
    for (int i = 0; i < count; i++)
        if (plans[i] && question(plans[i], storage)) return true;
    return false;
}

static bool any_ambient(const Plan *const *plans, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (plans[i] && reads_ambient(plans[i], name)) return true;
    return false;
}

/* The blocks of some plans, then numbers: of a training step both, always. */
static bool add_memory(Shipment *m, Shipped *f, const Plan *const *plans, int count, bool trains)
{
    f->writes[BLOCK_param] = any(plans, count, writes_storage, STORE_param);
    f->writes[BLOCK_state] = any(plans, count, writes_storage, STORE_state);
    f->writes[BLOCK_work] = true;
    if (f->writes[BLOCK_param] && m->contents.block[BLOCK_param])
        return session_fail(m->s, "%s writes parameters, and --embed-weights makes them constants: compile it without",
                            f->name) && false;
    if (any(plans, count, reads_storage, STORE_param)) add_block(m, f, BLOCK_param);
    if (any(plans, count, reads_storage, STORE_state)) add_block(m, f, BLOCK_state);
    add_work(m, f);
    if (trains || any_ambient(plans, count, NUMBER_SEED)) add_number(m, f, NUMBER_SEED);
    if (trains || any_ambient(plans, count, NUMBER_STEP)) add_number(m, f, NUMBER_STEP);
    return true;
}

static int make_program(Shipment *m, const Plan *plan, const char *name)
{
    int program = export_program(m->export, plan, name, m->s->diagnostics);
    if (program < 0) session_report(m->s);
    return program;
}

/* Ambient inputs other than seed and step: what evaluations have given, for rates that follow them. */
static void add_histories(Shipment *m, Shipped *f, const Plan *const *plans, int count)
{
    for (int k = 0; k < count; k++)
        for (int i = 0; plans[k] && i < plans[k]->graph->inputs.count; i++) {
            const Node *input = plans[k]->graph->inputs.at[i];
            const char *name = input->attr.text;
            bool known = !strcmp(name, NUMBER_SEED) || !strcmp(name, NUMBER_STEP);
            for (int a = 0; a < f->f.args.count; a++)
                known = known || (f->f.args.at[a].value && !strcmp(f->f.args.at[a].value, name));
            if (input->attr.storage == STORE_ambient && !known) add_value(m, f, ARG_INPUT, name);
        }
}

static void add_results(Shipment *m, Shipped *f, const Plan *const *plans, int count)
{
    for (int k = 0; k < count; k++)
        for (int i = 0; plans[k] && i < plans[k]->graph->outputs.count; i++) {
            const Output *o = &plans[k]->graph->outputs.at[i];
            bool known = o->kind != OUTPUT_result;
            for (int a = 0; a < f->f.args.count; a++)
                known = known || (f->f.args.at[a].kind == ARG_OUTPUT && !strcmp(f->f.args.at[a].value, o->name));
            if (!known) add_value(m, f, ARG_OUTPUT, o->name);
        }
    add_argument(m, f, "fault", (ExportArg){ .kind = ARG_FAULT });
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
    Shipped *f = add_function(m, c->entry, "");
    f->signature = signature_text(s, c);
    f->values = c->values;
    f->plans = (const Plan **)plans;
    for (int i = 0; i < c->symbols.count; i++) vec_push(s->arena, &f->dims, c->symbols.at[i]);
    for (int i = 0; c->count > 1 && i < c->symbols.count; i++)
        add_argument(m, f, c_name(s, f, c->symbols.at[i]), (ExportArg){ .kind = ARG_DIM });
    if (!add_memory(m, f, plans, c->count, false)) return false;
    for (int k = 0; k < c->inputs; k++) add_value(m, f, ARG_INPUT, model_entry_parameter(s->model, c->entry, k));
    add_histories(m, f, plans, c->count);
    add_results(m, f, plans, c->count);
    for (int k = 0; k < c->count; k++) {
        int program = make_program(m, plans[k], c->entry);
        if (program < 0) return false;
        add_run(m, add_case(m, f, c->values[k]), program);
    }
    return true;
}

/* ---- training steps ---- */

/* The first batch shape that there is. */
static int first_variant(const Job *job)
{
    int v = 0;
    while (!job->graphs[v]) v++;
    return v;
}

/* "batch_1" for the axes along which the shapes of batches differ. */
static bool add_shapes(Shipment *m, Shipped *f, const StepSource *step)
{
    Session *s = m->s;
    const StageSpec *stage = step->stage;
    int first = 0;
    while (!variants_has(&step->variants, first)) first++;
    for (int k = 0; k < stage->stream_count; k++) {
        Type type = variants_type(&step->variants, model_dims(s->model), k, first);
        for (int axis = 0; axis < type.rank; axis++) {
            bool differs = false;
            for (int v = first; v < step->variants.count; v++)
                if (variants_has(&step->variants, v))
                    differs = differs || variants_type(&step->variants, model_dims(s->model), k, v).dim[axis]
                                             != type.dim[axis];
            if (!differs) continue;
            const char *name = model_entry_parameter(s->model, stage->minimize, k);
            name = arena_print(s->arena, "%s_%d", name, axis);
            vec_push(s->arena, &f->dims, name);
            add_argument(m, f, c_name(s, f, name), (ExportArg){ .kind = ARG_DIM });
        }
    }
    return true;
}

static int64_t *shape_values(Shipment *m, const Shipped *f, const StepSource *step, int variant)
{
    Session *s = m->s;
    int64_t *values = arena_array(s->arena, int64_t, f->dims.count + 1);
    int count = 0;
    for (int k = 0; k < step->stage->stream_count && count < f->dims.count; k++) {
        Type type = variants_type(&step->variants, model_dims(s->model), k, variant);
        const char *name = model_entry_parameter(s->model, step->stage->minimize, k);
        for (int axis = 0; axis < type.rank && count < f->dims.count; axis++)
            if (!strcmp(f->dims.at[count], arena_print(s->arena, "%s_%d", name, axis)))
                values[count++] = dim_value(type.dim[axis]);
    }
    return values;
}

/* As runtime/train/step.c adds up shards: two sums of as many become one, after the last one all do. */
static void add_shards(Shipment *m, Shipped *f, ExportCase *c, int64_t shards, const int *programs)
{
    enum { BATCH, MERGE, UPDATE };
    Session *s = m->s;
    int64_t slot = f->f.sum_bytes / step_slots(shards);
    int held = 0;
    for (int64_t shard = 0; shard < shards; shard++) {
        bool last = shard == shards - 1;
        vec_push(s->arena, &c->actions,
                 ((ExportAction){ .program = programs[BATCH], .shard = shard, .sums = held * slot }));
        held++;
        for (int64_t bits = shard; held > 1 && (last || bits & 1); bits >>= 1) {
            held--;
            vec_push(s->arena, &c->actions,
                     ((ExportAction){ .program = programs[MERGE], .sums = (held - 1) * slot }));
        }
    }
    add_run(m, c, programs[UPDATE]);
}

static bool add_step_cases(Shipment *m, Shipped *f, const StepSource *step, const Job *job, const char *name)
{
    int more[3] = { -1, -1, -1 };
    for (int k = job->shapes; k < job->count; k++)
        if ((more[1 + k - job->shapes] = make_program(m, job->builds[k].plan, name)) < 0) return false;
    int cases = 0;
    f->values = arena_array(m->s->arena, int64_t *, job->shapes);
    f->plans = arena_array(m->s->arena, const Plan *, job->shapes);
    for (int v = 0; v < job->shapes; v++) {
        if (!job->graphs[v]) continue;
        if ((more[0] = make_program(m, job->builds[v].plan, name)) < 0) return false;
        f->values[cases] = shape_values(m, f, step, v);
        f->plans[cases] = job->builds[v].plan;
        ExportCase *c = add_case(m, f, f->values[cases++]);
        if (step->shards > 1) add_shards(m, f, c, step->shards, more);
        else add_run(m, c, more[0]);
    }
    return true;
}

static bool add_step(Shipment *m, int stage, const char *entry)
{
    Session *s = m->s;
    const StepSource *step = &m->run.steps[stage];
    const Job *job = &m->run.trains[stage];
    const StageSpec *spec = step->stage;
    const Plan **plans = arena_array(s->arena, const Plan *, job->count);
    for (int k = 0; k < job->count; k++) plans[k] = job->builds[k].plan;
    const char *about = arena_print(s->arena,
        "One step of training: gradients, optimizer, random numbers and schedule; param and state are new afterwards.\n"
        "step: how many were made before this one, of %lld that the schedule knows of.%s", (long long)step->steps,
        step->shards > 1 ? arena_print(s->arena, "\nInputs are %lld batches, one behind the other.",
                                       (long long)step->shards) : "");
    Shipped *f = add_function(m, entry, about);
    f->signature = arena_print(s->arena, "minimize %s", spec->minimize);
    f->f.stage = stage;
    if (step->shards > 1)
        f->f.sum_bytes = (step_slots(step->shards) * (job->layout->bytes[MEMORY_sum] / 2) + 63) / 64 * 64;
    if (step->shards > 1 && job->graphs[first_variant(job)] && step->variants.count > 1 && job->shapes > 1) {
        int used = 0;
        for (int v = 0; v < job->shapes; v++) used += job->graphs[v] != NULL;
        if (used > 1)
            return session_fail(s, "%s: a step of several batches is compiled for batches of one shape: use widths = 1",
                                entry) && false;
    }
    if (!add_shapes(m, f, step) || !add_memory(m, f, plans, job->count, true)) return false;
    for (int k = 0; k < spec->stream_count; k++)
        add_value(m, f, ARG_INPUT, model_entry_parameter(s->model, spec->minimize, k));
    add_histories(m, f, plans, job->count);
    add_results(m, f, plans, job->count);
    return add_step_cases(m, f, step, job, entry);
}

/* ---- beginnings ---- */

/* A function that runs one program of initial values, which may be NULL, after zeroing a block of states. */
static bool add_beginning(Shipment *m, const char *name, const char *about, const Plan *plan, int stage,
                          int64_t state_bytes)
{
    Session *s = m->s;
    Shipped *f = add_function(m, name, about);
    f->f.stage = stage;
    f->writes[BLOCK_work] = true;
    f->writes[BLOCK_state] = state_bytes > 0 || (plan && writes_storage(plan, STORE_state));
    f->writes[BLOCK_param] = plan && writes_storage(plan, STORE_param);
    if (plan && reads_storage(plan, STORE_param)) add_block(m, f, BLOCK_param);
    if (f->writes[BLOCK_state]) add_block(m, f, BLOCK_state);
    if (plan) {
        add_work(m, f);
        add_number(m, f, NUMBER_SEED);
    }
    ExportCase *c = add_case(m, f, NULL);
    if (state_bytes)
        vec_push(s->arena, &c->actions,
                 ((ExportAction){ .program = -1, .place = RT_PLACE(BLOCK_state, 0), .bytes = state_bytes }));
    int program = plan ? make_program(m, plan, name) : -1;
    if (program >= 0) add_run(m, c, program);
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

static void list_params(Shipment *m)
{
    Session *s = m->s;
    const Layout *layout = m->run.layout;
    RtValue *values = arena_array(s->arena, RtValue, map_count(layout->offset) + 1);
    for (int i = 0; i < map_count(layout->offset); i++) {
        const Param *param = model_find_param(s->model, map_key(layout->offset, i));
        if (!param) continue;
        RtValue *v = &values[m->param_count++];
        *v = (RtValue){ .name = param->path, .dtype = (int32_t)param->type.dtype, .rank = param->type.rank,
                        .place = RT_PLACE(BLOCK_param, *(int64_t *)map_value(layout->offset, i)),
                        .bytes = type_value_bytes(&param->type) };
        for (int k = 0; k < param->type.rank; k++) v->shape[k] = dim_value(param->type.dim[k]);
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
        const char *name = c_name(m->s, NULL, names[i]);
        if (!add_step(m, stages[i], names[i])) return false;
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
