/* ptm train. */
#include "frontend/cli/certificate.h"
#include "frontend/cli/host.h"
#include "frontend/cli/nonfinite.h"
#include "frontend/cli/prove.h"
#include "frontend/cli/recipe.h"
#include "frontend/cli/record.h"
#include "frontend/cli/saved.h"
#include "runtime/train/checkpoint.h"
#include "runtime/train/rundir.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_KEEP = 1 };               /* one more than the last: enough to outlive damage to a file */

/* What the run is, with the stages it goes through. */
static Record *record_now(const Run *r)
{
    Record *record = record_of(r->s, r->seed, run_steps(r));
    for (int i = 0; i < r->train_count; i++) {
        RecordedStage stage = { r->stages[i].name, r->stages[i].steps };
        vec_push(r->s->arena, &record->stages, stage);
    }
    return record;
}

/* The run directory explains itself: the model as it was, how it was run, the tokenizers it was trained with. */
static void describe(Run *r, Recipe *recipe)
{
    Session *s = r->s;
    int constants = model_constant_count(s->model);
    ModelFiles sources = model_files(s->arena, s->ast);
    RtFile *files = arena_array(s->arena, RtFile, constants + sources.count + 1);
    const char *record = record_text(s->arena, record_now(r));
    files[recipe->file_count++] = (RtFile){ "run.json", record, (int64_t)strlen(record), false };
    for (int i = 0; i < sources.count; i++) {
        const Source *source = sources.at[i].source;
        files[recipe->file_count++] = (RtFile){ sources.at[i].name, source->text, (int64_t)source->size, true };
    }
    for (int i = 0; i < constants; i++) {
        HostArg value = model_constant_value(s->model, i);
        if (value.kind != ARG_host || value.value.kind != HOST_tokenizer) continue;
        size_t size;
        char *bytes = rt_tokenizer_save(host_tokenizer(&value.value), &size);
        char *copy = arena_copy_text(s->arena, bytes, size);
        free(bytes);
        const char *name = arena_print(s->arena, "%s.tokenizer", model_constant_name(s->model, i));
        files[recipe->file_count++] = (RtFile){ name, copy, (int64_t)size, true };
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

static void warn(const char *text) { fprintf(stderr, "warning: %s\n", text); }

void recipe_of(Run *r, Recipe *out)
{
    const Options *o = r->s->options;
    *out = (Recipe){
        .pool = r->pool, .param = r->param, .constants = r->constants, .params = r->params,
        .param_count = r->param_count, .stages = r->stages, .stage_count = r->stage_count, .seed = r->seed,
        .out = o->out, .resume = o->resume, .save_every = o->save_every > 0 ? o->save_every : 0,
        .keep = o->keep >= 0 ? o->keep : DEFAULT_KEEP, .progress = o->quiet ? -1 : STDERR_FILENO, .warn = warn,
        .strict = o->trace_nonfinite,
    };
    describe(r, out);
    save_constants(r, out);
}

bool recipe_save_weights(Run *r, const char *path, RtError *error)
{
    Recipe recipe;
    Position position = { .best = NAN, .loss = NAN, .lr = NAN, .grad_norm = NAN };
    recipe_of(r, &recipe);
    recipe.stage_count = 0;              /* nothing of what a resumed run goes on with */
    Saver *saver = saver_new(&recipe, (Held){ 0 }, error);
    bool good = saver && saver_write_weights(saver, path, &position, error);
    saver_free(saver);
    return good;
}

/* How near the result is to what the source allows, where that is known. */
static void print_best_possible(Run *r)
{
    RtData *data = host_data_runtime(r->s->data);
    for (int i = 0; i < rt_data_source_count(data); i++) {
        const DataSource *source = rt_data_source(data, i);
        if (source->file || !(source->best_loss > 0)) continue;
        printf("best possible on the built-in \"%s\": %.4f nats a %s", source->name, source->best_loss,
               rt_corpus_unit(source->kind));
        if (source->best_accuracy > 0) printf(", accuracy %.4f", source->best_accuracy);
        putchar('\n');
    }
}

/* Trains again from a checkpoint, or from step 0, and looks for the first value that is not finite. */
static Culprit train_again(Run *r, const Recipe *recipe, const char *from)
{
    int64_t step = 0;
    RtError error;
    Recipe again = *recipe;
    Nonfinite *n = nonfinite_new(r->s, &step);
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->trains[i].count; v++) nonfinite_add(n, r->trains[i].title, &r->trains[i].builds[v]);
    again.out = NULL, again.resume = false, again.progress = -1, again.warn = NULL;
    again.watch = nonfinite_watch(n), again.from = from, again.step = &step;
    fprintf(stderr, "training again from %s to find the first value that is not finite\n", from ? from : "step 0");
    RtOutcome outcome = run_begin(r) ? rt_train(&again, &error) : RT_INTERRUPTED;
    Culprit culprit = nonfinite_found(n);
    bool came_in = from && culprit == CULPRIT_input;         /* the checkpoint has it already */
    if (outcome == RT_FAILED) session_fail(r->s, "%s", error.text);
    else if (outcome != RT_INTERRUPTED && !came_in) nonfinite_print(n);
    nonfinite_free(n);
    return came_in ? CULPRIT_input : CULPRIT_none;
}

static void trace(Run *r, const Recipe *recipe)
{
    const char *out = recipe->out;
    const char *last = out ? arena_print(r->s->arena, "%s/last.safetensors", out) : NULL;
    if (last && access(last, F_OK)) last = NULL;
    if (train_again(r, recipe, last) == CULPRIT_input) train_again(r, recipe, NULL);
}

static int finish(Run *r, const Recipe *recipe, RtOutcome outcome, const RtError *error)
{
    if (outcome == RT_FAILED) return session_fail(r->s, "%s", error->text);
    if (outcome == RT_DIVERGED) {
        session_fail(r->s, "%s", error->text);
        if (r->s->options->trace_nonfinite) trace(r, recipe);
        return EXIT_BAD_INPUT;
    }
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
    if (!session_data_is_used(s)) return false;
    return !s->record || record_agrees(s, s->record, record_of(s, (uint64_t)s->options->seed, s->options->steps));
}

static int train(Run *r)
{
    const Options *o = r->s->options;
    if (!may_begin(r) || !run_open(r, r->s, true) || !run_memory(r, NULL)) return EXIT_BAD_INPUT;
    Recipe recipe;
    RtError error = { 0 };
    int64_t promised = -1;
    recipe_of(r, &recipe);
    if (!o->quiet) {
        double seconds = process_seconds();
        if (seconds >= 0) printf("ready after %.2f s\n", seconds);
        certificate_print(stdout, r);
    }
    if (o->prove_memory && !prove_memory(stdout, r)) return EXIT_BAD_INPUT;
    if (!o->quiet) promised = process_print(stdout, r);      /* after the proof, whose blocks count too */
    fflush(stdout);
    RtOutcome outcome = rt_train(&recipe, &error);
    process_compare(stdout, promised);
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
    signal(SIGPIPE, SIG_IGN);            /* training goes on when nobody reads what it prints any more */
    RtError error;
    if (options->out && !options->resume && !rundir_is_free(options->out, &error)) {
        fprintf(stderr, "ptm train: %s\n", error.text);
        return EXIT_BAD_INPUT;
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
