/* ptm train. */
#include "frontend/cli/host.h"
#include "frontend/cli/record.h"
#include "frontend/cli/run.h"
#include "frontend/cli/saved.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const RtValue *output(const Program *program, const char *name)
{
    for (int i = 0; i < program->output_count; i++)
        if (!strcmp(program->outputs[i].name, name)) return &program->outputs[i];
    return NULL;
}

static void train_feeds(Run *r, RtRun *out)
{
    const TrainSpec *train = model_train(r->s->model);
    const Program *program = r->train.program;
    RtFeed *feeds = arena_array(r->s->arena, RtFeed, train->stream_count + 1);
    *out = (RtRun){ .program = program, .feeds = feeds };
    for (int k = 0; k < train->stream_count; k++) {
        const char *name = model_entry_parameter(r->s->model, train->minimize, k);
        for (int i = 0; i < program->input_count; i++)
            if (!strcmp(program->inputs[i].name, name))
                feeds[out->feed_count++] = (RtFeed){ &program->inputs[i], host_stream(&train->streams[k].stream) };
    }
}

/* What a step works through: predicted tokens of windows (which overlap by one), rows of anything else. */
static int64_t tokens_per_step(const TrainSpec *train)
{
    const RtStream *stream = host_stream(&train->streams[0].stream);
    bool windows = stream->rank == 2 && stream->row_stride != stream->row_bytes;
    return windows ? stream->shape[0] * (stream->shape[1] - 1) : stream->shape[0];
}

/* The run directory explains itself: the model as it was, how it was run, the tokenizers it was trained with. */
static void describe(Run *r, Recipe *recipe)
{
    Session *s = r->s;
    int constants = model_constant_count(s->model);
    ModelFiles sources = model_files(s->arena, s->ast);
    RtFile *files = arena_array(s->arena, RtFile, constants + sources.count + 1);
    const char *record = record_text(s->arena, record_of(s, r->seed, r->step.steps));
    files[recipe->file_count++] = (RtFile){ "run.json", record, (int64_t)strlen(record) };
    for (int i = 0; i < sources.count; i++) {
        const Source *source = sources.at[i].source;
        files[recipe->file_count++] = (RtFile){ sources.at[i].name, source->text, (int64_t)source->size };
    }
    for (int i = 0; i < constants; i++) {
        HostArg value = model_constant_value(s->model, i);
        if (value.kind != ARG_host || value.value.kind != HOST_tokenizer) continue;
        size_t size;
        char *bytes = rt_tokenizer_save(host_tokenizer(&value.value), &size);
        char *copy = arena_copy_text(s->arena, bytes, size);
        free(bytes);
        const char *name = arena_print(s->arena, "%s.tokenizer", model_constant_name(s->model, i));
        files[recipe->file_count++] = (RtFile){ name, copy, (int64_t)size };
    }
    recipe->files = files;
}

/* The constants of `data` for the checkpoint: tables are tensors there, and everything has its text. */
static void save_constants(Run *r, Recipe *recipe)
{
    Session *s = r->s;
    int count = model_constant_count(s->model);
    RtMeta *metadata = arena_array(s->arena, RtMeta, count + 1);
    for (int i = 0; i < count; i++) {
        HostArg value = model_constant_value(s->model, i);
        const char *text = saved_text(s->arena, &value);
        if (!text) continue;
        metadata[recipe->metadata_count++] =
            (RtMeta){ arena_print(s->arena, "const.%s", model_constant_name(s->model, i)), text };
    }
    recipe->metadata = metadata;
    recipe->tables = r->tables;
    recipe->table_count = r->table_count;
}

static void make_recipe(Run *r, Recipe *out)
{
    const Options *o = r->s->options;
    const TrainSpec *train = model_train(r->s->model);
    *out = (Recipe){
        .pool = r->pool, .param = r->param, .state = r->state, .constants = r->constants,
        .params = r->params, .param_count = r->param_count, .states = r->states, .state_count = r->state_count,
        .loss = output(r->train.program, r->step.passes.loss),
        .lr = output(r->train.program, "lr"), .grad_norm = output(r->train.program, "grad_norm"),
        .steps = r->step.steps, .epoch_steps = r->step.epoch_steps, .tokens = tokens_per_step(train), .seed = r->seed,
        .evaluations = r->evaluations, .evaluation_count = r->evaluation_count,
        .out = o->out, .resume = o->resume, .save_every = o->save_every > 0 ? o->save_every : 0,
        .progress = o->quiet ? -1 : STDERR_FILENO,
    };
    train_feeds(r, &out->train);
    describe(r, out);
    save_constants(r, out);
}

/* How near the result is to what the source allows, where that is known. */
static void print_best_possible(Run *r)
{
    RtData *data = host_data_runtime(r->s->data);
    for (int i = 0; i < rt_data_source_count(data); i++) {
        const DataSource *source = rt_data_source(data, i);
        if (source->file || !(source->best_loss > 0)) continue;
        printf("best possible on the built-in \"%s\": %.4f nats", source->name, source->best_loss);
        if (source->best_accuracy > 0) printf(", accuracy %.4f", source->best_accuracy);
        putchar('\n');
    }
}

static int finish(Run *r, const Recipe *recipe, RtOutcome outcome, const RtError *error)
{
    if (outcome == RT_FAILED) return session_fail(r->s, "%s", error->text);
    if (outcome == RT_INTERRUPTED) {
        if (recipe->out)
            fprintf(stderr, "stopped; go on with: ptm train %s --out %s --resume\n", r->s->options->argument,
                    recipe->out);
        return EXIT_GOOD;
    }
    if (!r->s->options->quiet) print_best_possible(r);
    return EXIT_GOOD;
}

static bool may_begin(const Run *r)
{
    Session *s = r->s;
    const char *unused = host_data_unused(s->data);
    if (unused)
        return session_fail(s, "nothing in %s reads \"%s\" (--data %s=...)", s->options->argument, unused, unused)
            && false;
    return !s->record || record_agrees(s, s->record, record_of(s, (uint64_t)s->options->seed, s->options->steps));
}

static int train(Run *r)
{
    const Options *o = r->s->options;
    if (!may_begin(r) || !run_open(r, r->s, true) || !run_memory(r, NULL, 0)) return EXIT_BAD_INPUT;
    Recipe recipe;
    RtError error = { 0 };
    make_recipe(r, &recipe);
    RtMemory memory = rt_recipe_memory(&recipe);
    if (!o->quiet) {
        printf("ready after %.2f s\n", session_seconds(r->s));
        certificate_print(stdout, r, &memory);
    }
    fflush(stdout);
    RtOutcome outcome = rt_train(&recipe, &error);
    return finish(r, &recipe, outcome, &error);
}

int command_train(const Options *options)
{
    if (options->resume && !options->out) {
        fputs("ptm train: --resume needs --out DIR, the run to go on with\n", stderr);
        return EXIT_MISUSE;
    }
    if (options->resume && options->weights) {
        fputs("ptm train: --resume takes the weights from --out; leave out --weights\n", stderr);
        return EXIT_MISUSE;
    }
    Session s;
    Run r = { 0 };
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) {
        r.s = &s;
        status = train(&r);
    }
    run_close(&r);
    session_close(&s);
    return status;
}
