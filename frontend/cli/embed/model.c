/* Opening, building, saving and closing models. */
#include "frontend/cli/embed/embed.h"
#include "frontend/cli/recipe.h"
#include "runtime/core/memory.h"
#include "runtime/train/tensors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)PTM_bool == (int)DT_bool && (int)PTM_MAX_RANK == (int)RT_MAX_RANK, "types are numbered alike");

const char *ptm_version(void) { return PTM_VERSION; }

bool embed_fail(PtmError *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return false;
}

bool embed_failed(PtmModel *model, PtmError *error)
{
    fflush(model->options.messages);
    size_t size = model->said_bytes;
    while (size > 0 && model->said[size - 1] == '\n') size--;
    embed_fail(error, "%.*s", (int)size, size ? model->said : "");
    (void)fseek(model->options.messages, 0, SEEK_SET);
    if (model->session.arena) model->session.diagnostics = diag_new(model->session.arena);  /* said once */
    return false;
}

/* The flags as the command line has them. A file is one whatever its name begins with. */
static bool read_flags(PtmModel *model, const char *path, const char *const *flags, FILE *messages)
{
    int count = 0;
    while (flags && flags[count]) count++;
    char **argv = arena_array(model->arena, char *, count + 1);
    for (int k = 0; k < count; k++) argv[k] = arena_print(model->arena, "%s", flags[k]);
    argv[count] = arena_print(model->arena, "%s%s", *path == '-' ? "./" : "", path);
    const Command library = { "libptm", NULL, "MODEL.ptm", "data set weights seed threads memory steps", "", "",
                              messages };
    return options_read(&library, count + 1, argv, &model->options);
}

PtmModel *ptm_open(const char *path, const char *const *flags, PtmError *error)
{
    PtmModel *model = calloc(1, sizeof *model);
    FILE *messages = model ? open_memstream(&model->said, &model->said_bytes) : NULL;
    if (!messages) {
        free(model);
        embed_fail(error, "out of memory");
        return NULL;
    }
    model->arena = arena_new();
    model->options = (Options){ .arena = model->arena, .messages = messages };
    model->opened = read_flags(model, path, flags, messages);
    if (model->opened && session_open(&model->session, &model->options)) {
        uint64_t seed = model->options.seed > 0 ? (uint64_t)model->options.seed : 0;
        model->run = (Run){ .s = &model->session, .seed = seed };
        (void)fseek(messages, 0, SEEK_SET);
        return model;
    }
    embed_failed(model, error);
    ptm_close(model);
    return NULL;
}

void ptm_close(PtmModel *model)
{
    if (!model) return;
    for (int k = 0; k < model->entries.count; k++) entry_close(model->entries.at[k]);
    if (model->training) training_close(model->training);
    rt_memory_free(model->work, model->work_bytes);
    run_close(&model->run);
    if (model->opened) session_close(&model->session);
    fclose(model->options.messages);
    arena_free(model->arena);
    free(model->said);
    free(model);
}

PtmArray embed_array(const RtValue *value, char *const *block)
{
    PtmArray a = { .name = value->name, .type = (PtmType)value->dtype, .rank = value->rank, .bytes = value->bytes,
                   .data = rt_at(block, value->place) };
    memcpy(a.shape, value->shape, sizeof a.shape);
    return a;
}

static void list_params(PtmModel *model)
{
    const Run *r = &model->run;
    char *block[BLOCK_COUNT] = { [BLOCK_param] = r->param };
    model->params = arena_array(model->session.arena, PtmArray, r->param_count + 1);
    for (int k = 0; k < r->param_count; k++) model->params[k] = embed_array(&r->params[k], block);
}

static bool build(PtmModel *model)
{
    Run *r = &model->run;
    Arena *arena = model->session.arena;
    for (int k = 0; k < model->entries.count; k++) vec_push(arena, &r->also_graphs, model->entries.at[k]->graph);
    if (model->training ? !run_open_rest(r, true) : !(r->layout = build_layout(&model->session, &r->also_graphs)))
        return false;
    for (int k = 0; k < model->entries.count; k++) {
        if (!entry_compile(model->entries.at[k])) return false;
        vec_push(arena, &r->also, &model->entries.at[k]->job);
    }
    if (!run_memory(r, NULL)) return false;
    for (int k = 0; k < model->entries.count; k++) {
        int64_t bytes = model->entries.at[k]->job.run[0].program->block_bytes[BLOCK_work];
        if (bytes > model->work_bytes) model->work_bytes = bytes;
    }
    model->work = rt_memory_new(model->work_bytes);
    if (!model->work) return session_fail(&model->session, "not enough memory") && false;
    for (int k = 0; k < model->entries.count; k++)
        if (!entry_allocate(model->entries.at[k])) return false;
    list_params(model);
    return !model->training || training_open(model->training);
}

bool ptm_build(PtmModel *model, PtmError *error)
{
    if (model->built) return embed_fail(error, "the model is built already");
    model->built = true;
    return build(model) || embed_failed(model, error);
}

const PtmArray *ptm_param(const PtmModel *model, int k)
{
    return model->params && k >= 0 && k < model->run.param_count ? &model->params[k] : NULL;
}

const PtmArray *ptm_param_named(const PtmModel *model, const char *name)
{
    for (int k = 0; model->params && k < model->run.param_count; k++)
        if (!strcmp(model->params[k].name, name)) return &model->params[k];
    return NULL;
}

bool ptm_save(PtmModel *model, const char *path, PtmError *error)
{
    RtError e = { 0 };
    if (!model->params) return embed_fail(error, "the model is not built yet");
    return recipe_save_weights(&model->run, path, &e) || embed_fail(error, "%s", e.text);
}
