/* ptm data: what the model would be trained on. Most training bugs live there. */
#include "frontend/cli/host.h"
#include "frontend/cli/session.h"
#include "runtime/train/recipe.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_SHOWN = 4, VALUES_SHOWN = 16, PIECES_SHOWN = 8 };

static void print_escaped(RtText text)
{
    putchar('"');
    for (int64_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c == '\n') fputs("\\n", stdout);
        else if (c == '\t') fputs("\\t", stdout);
        else if (c == '"' || c == '\\') printf("\\%c", c);
        else if (c < 32 || c == 127) printf("\\x%02x", c);
        else putchar(c);
    }
    putchar('"');
}

static void print_tokenizer(const RtTokenizer *t)
{
    int32_t size = rt_tokenizer_size(t);
    printf("%s, %d pieces:", rt_tokenizer_rule_name(rt_tokenizer_rule(t)), size);
    for (int32_t i = 0; i < size && i < PIECES_SHOWN; i++) {
        putchar(' ');
        print_escaped(rt_tokenizer_piece(t, i));
    }
    puts(size > PIECES_SHOWN ? " ..." : "");
}

static void print_array(Session *s, const HostValue *value)
{
    const DataArray *a = host_array(value);
    int64_t count = data_array_count(a);
    printf("%s", type_text(s->arena, &value->type));
    for (int64_t i = 0; i < count && i < PIECES_SHOWN; i++)
        printf(i ? " %.6g" : ": %.6g", rt_element(a->data, a->dtype, i));
    puts(count > PIECES_SHOWN ? " ..." : "");
}

static void print_constant(Session *s, const char *name, const HostArg *value)
{
    printf("%-10s ", name);
    if (value->kind == ARG_number) printf("%.10g\n", value->number);
    else if (value->kind == ARG_bool) puts(value->number != 0 ? "true" : "false");
    else if (value->kind == ARG_text) printf("\"%s\"\n", value->text);
    else if (value->kind != ARG_host) puts(value->kind == ARG_list ? "a list" : "none");
    else if (value->value.kind == HOST_tokenizer) print_tokenizer(host_tokenizer(&value->value));
    else if (value->value.kind == HOST_array || value->value.kind == HOST_ids) print_array(s, &value->value);
    else puts("a value of the data phase");
}

static void print_row(const RtStream *stream, const char *row, int64_t per_row)
{
    printf("  [");
    for (int64_t i = 0; i < per_row && i < VALUES_SHOWN; i++)
        printf(i ? " %g" : "%g", rt_element(row, stream->dtype, i));
    fputs(per_row > VALUES_SHOWN ? " ...]" : "]", stdout);
    if (stream->tokenizer && stream->dtype == RT_i32) {
        int64_t size;
        char *text = rt_tokenizer_decode(stream->tokenizer, (const int32_t *)row, per_row, &size);
        fputs("  ", stdout);
        print_escaped((RtText){ text, size });
        free(text);
    }
    putchar('\n');
}

/* "[128, 40]" */
static void print_shape(const RtStream *stream, int variant)
{
    int64_t shape[RT_MAX_RANK];
    rt_stream_shape(stream, variant, shape);
    for (int i = 0; i < stream->rank; i++) printf(i ? ", %lld" : "[%lld", (long long)shape[i]);
    putchar(']');
}

/* Whether a variant before this one has its shape. */
static bool is_same_shape(const RtStream *stream, int variant)
{
    int64_t shape[RT_MAX_RANK], other[RT_MAX_RANK];
    rt_stream_shape(stream, variant, shape);
    for (int v = 0; v < variant; v++) {
        rt_stream_shape(stream, v, other);
        if (!memcmp(shape, other, sizeof *shape * (size_t)stream->rank)) return true;
    }
    return false;
}

/* "i32[128, 40]; also [128, 20], [3, 40]": the shapes of its batches in training, or in a finite pass. */
static void print_shapes(const RtStream *stream, bool training)
{
    int shown = 0;
    fputs(dtype_name((DType)stream->dtype), stdout);
    for (int v = 0; v < stream->variant_count; v++) {
        bool used = training ? stream->variants[v].trains : stream->variants[v].passes;
        if (!used || is_same_shape(stream, v)) continue;
        fputs(shown == 0 ? "" : shown == 1 ? "; also " : ", ", stdout);
        print_shape(stream, v);
        shown++;
    }
}

static void print_batch(Session *s, const StreamUse *use, int64_t step, uint64_t seed)
{
    const RtStream *stream = host_stream(&use->stream);
    char *batch = arena_alloc(s->arena, (size_t)rt_stream_bytes(stream) + 1);
    int variant = rt_stream_variant(stream, seed, step);
    rt_stream_batch(stream, seed, step, batch);
    printf("%s: ", use->name);
    print_shapes(stream, true);
    printf(", batch %lld of %lld a pass, %lld rows\n", (long long)step, (long long)rt_stream_steps(stream),
           (long long)stream->rows);
    int64_t rows = stream->variants[variant].rows, per_row = rt_stream_variant_bytes(stream, variant) / rows;
    for (int64_t r = 0; r < rows && r < ROWS_SHOWN; r++)
        print_row(stream, batch + r * per_row, per_row / rt_dtype_bytes(stream->dtype));
    if (rows > ROWS_SHOWN) printf("  ... %lld more rows\n", (long long)(rows - ROWS_SHOWN));
}

/* Whether a stage before this one minimizes over the stream too. */
static bool is_shown(const TrainSpec *train, int stage, const StreamUse *use)
{
    for (int i = 0; i < stage; i++)
        for (int k = 0; k < train->stages[i].stream_count; k++)
            if (!strcmp(train->stages[i].streams[k].name, use->name)) return true;
    return false;
}

/* The batches that a stage begins with. */
static bool show_stage(Session *s, const TrainSpec *train, int stage)
{
    const StageSpec *spec = &train->stages[stage];
    int64_t batches = s->options->steps > 0 ? s->options->steps : 1;
    uint64_t seed = s->options->seed > 0 ? (uint64_t)s->options->seed : 0;
    if (*spec->name) printf("stage %s\n", spec->name);
    for (int64_t step = 0; step < batches; step++)
        for (int i = 0; i < spec->stream_count; i++) {
            if (is_shown(train, stage, &spec->streams[i])) continue;
            if (host_stream_batches(&spec->streams[i].stream) < 1)
                return session_fail(s, "%s is too short for one batch", spec->streams[i].name) && false;
            print_batch(s, &spec->streams[i], step, rt_stage_seed(seed, stage));
        }
    return true;
}

/* The streams that evaluations go through, each once. */
static void show_evaluations(Session *s, const TrainSpec *train)
{
    Map *shown = map_new(s->arena);
    for (int i = 0; i < train->stage_count; i++)
        for (int k = 0; k < train->stages[i].evaluation_count; k++) {
            const Evaluation *evaluation = &train->stages[i].evaluations[k];
            for (int t = 0; t < evaluation->term_count; t++)
                for (int u = 0; u < evaluation->terms[t].stream_count; u++) {
                    const StreamUse *use = &evaluation->terms[t].streams[u];
                    if (map_get(shown, use->name)) continue;
                    map_set(shown, use->name, (void *)use);
                    printf("%s: ", use->name);
                    print_shapes(host_stream(&use->stream), false);
                    printf(", %lld batches in an evaluation\n",
                           (long long)rt_stream_pass_batches(host_stream(&use->stream)));
                }
        }
}

static int show(Session *s)
{
    for (int i = 0; i < model_constant_count(s->model); i++) {
        HostArg value = model_constant_value(s->model, i);
        print_constant(s, model_constant_name(s->model, i), &value);
    }
    RtData *data = host_data_runtime(s->data);
    for (int i = 0; i < rt_data_source_count(data); i++) {
        const DataSource *source = rt_data_source(data, i);
        printf("%-10s %s, %lld bytes\n", source->name, source->file ? source->file : "built-in corpus",
               (long long)source->text.size);
    }
    const TrainSpec *train = model_train(s->model);
    for (int i = 0; i < train->stage_count; i++)
        if (!show_stage(s, train, i)) return EXIT_BAD_INPUT;
    show_evaluations(s, train);
    return session_data_is_used(s) ? EXIT_GOOD : EXIT_BAD_INPUT;
}

int command_data(const Options *options)
{
    Session s;
    int status = EXIT_BAD_INPUT;
    if (session_open(&s, options)) status = show(&s);
    session_close(&s);
    return status;
}
