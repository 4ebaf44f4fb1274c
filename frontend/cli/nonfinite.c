/* Looking for the first value that is not finite. A row of a program is suspected when it writes an infinity or a NaN
 * that it did not write in a run that ended well; the operators of its kernel are then evaluated one by one on what the
 * kernel has read. What is found in a run counts only when the run ends badly. */
#include "frontend/cli/nonfinite.h"
#include "ir/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a value holds beside finite numbers, as bits. */
enum { HOLDS_INF = 1, HOLDS_NAN = 2 };

enum { LOOPS_SHOWN = 4, ANALYSES = 16 };

/* A program that is looked at. The arrays go by row, and by input. */
typedef struct Watched {
    const char    *title;
    const Build   *build;
    const CodeRow *rows;
    uint8_t *seen, *known;               /* what rows have written in this run, and in runs that ended well */
    uint8_t *known_input;
    uint8_t *analyses;                   /* how often a row was suspected for nothing */
} Watched;

typedef struct Finding {
    const Watched *in;                   /* NULL: nothing is found */
    const RtValue *input;                /* it came in; else */
    const Node    *node;                 /* it was made here */
    int64_t element;
    double  value, args[3];              /* args: of an element operator */
    int     arg_count;
    int32_t row;
    int64_t step, place[LOOPS_SHOWN];    /* place: along the loops around, the innermost first */
    int     loops;
} Finding;

/* A value in a kernel while it is evaluated: freed after its last use. */
typedef struct Inner {
    const Node *node;
    Tensor *tensor;
    Arena  *arena;
    int     last;                        /* number of the last node that asks for it */
} Inner;

/* What a row reads in the bytes that it writes, as it was before. */
typedef struct Kept {
    char   *bytes;
    int64_t room;
} Kept;

struct Nonfinite {
    Session       *s;
    const int64_t *step;
    RtWatch        watch;
    Vec(Watched *) all;
    Watched       *now;                  /* NULL: a program that is not looked at */
    Kept          *kept;                 /* by input of the row that runs */
    int            kept_count;
    Finding        suspect, found;
};

/* ---- numbers ---- */

static int holds(double x) { return isnan(x) ? HOLDS_NAN : isinf(x) ? HOLDS_INF : 0; }

static int tensor_holds(const Tensor *t)
{
    int bits = 0;
    for (int64_t k = 0; t->f && k < t->count; k++) bits |= holds(t->f[k]);
    return bits;
}

static int words16_hold(const char *bytes, int64_t count, uint16_t exponent)
{
    int bits = 0;
    for (int64_t k = 0; k < count; k++) {
        uint16_t word;
        memcpy(&word, bytes + 2 * k, sizeof word);
        if ((word & exponent) == exponent) bits |= word & 0x7FFF & ~exponent ? HOLDS_NAN : HOLDS_INF;
    }
    return bits;
}

/* Of `count` packed elements. */
static int bytes_hold(DType dtype, const char *bytes, int64_t count)
{
    int bits = 0;
    switch (dtype) {
    case DT_f32:
        for (int64_t k = 0; k < count; k++) bits |= holds((double)((const float *)bytes)[k]);
        return bits;
    case DT_f64:
        for (int64_t k = 0; k < count; k++) bits |= holds(((const double *)bytes)[k]);
        return bits;
    case DT_bf16: return words16_hold(bytes, count, 0x7F80);
    case DT_f16: return words16_hold(bytes, count, 0x7C00);
    case DT_i64: case DT_i32: case DT_i8: case DT_u8: case DT_bool: case DT_COUNT: break;
    }
    return 0;
}

static int node_holds(const Node *node, const char *bytes)
{
    return bytes_hold(node->type.dtype, bytes, type_value_elements(&node->type));
}

static int value_holds(const RtValue *v, char *const *block)
{
    return bytes_hold((DType)v->dtype, rt_at(block, v->place), v->bytes / dtype_bytes((DType)v->dtype));
}

/* ---- inside a kernel ---- */

static bool newly(double out, int in) { return isnan(out) ? !(in & HOLDS_NAN) : isinf(out) && !in; }

/* What the arguments of an element operator or a cast hold at element k; `where` takes one side. */
static int arguments_hold(const Node *node, Tensor *const *args, int64_t k, Finding *out)
{
    int bits = 0;
    out->arg_count = 0;
    for (int j = 0; j < node->arg_count; j++) {
        if (node->op == OP_where && j != (args[0]->i[k] ? 1 : 2)) continue;
        out->args[out->arg_count] = args[j]->f ? args[j]->f[k] : (double)args[j]->i[k];
        bits |= holds(out->args[out->arg_count++]);
    }
    return bits;
}

/* Whether the node makes a value that is not finite: of arguments that are, or a NaN of infinities. Fills element,
 * value and args. */
static bool makes(const Node *node, Tensor *const *args, const Tensor *value, Finding *out)
{
    bool element = op_is_element(node->op) || node->op == OP_cast;
    bool passes = op_is_movement(node->op) || node->op == OP_const || node->op == OP_gather || node->op == OP_stop;
    int bits = 0;
    if (!value->f || passes || !tensor_holds(value)) return false;
    for (int j = 0; !element && j < node->arg_count; j++) bits |= tensor_holds(args[j]);
    out->arg_count = 0;
    for (int64_t k = 0; k < value->count; k++) {
        if (isfinite(value->f[k]) || !newly(value->f[k], element ? arguments_hold(node, args, k, out) : bits)) continue;
        out->node = node;
        out->element = k;
        out->value = value->f[k];
        return true;
    }
    return false;
}

static Inner *inner_of(Inner *at, int count, const Node *node)
{
    for (int k = 0; k < count; k++)
        if (at[k].node == node) return &at[k];
    return NULL;
}

/* The bytes of the row's input j as the kernel has read them. */
static const char *read_bytes(const Nonfinite *n, const CodeRow *row, int j, char *const *block)
{
    return n->kept[j].bytes ? n->kept[j].bytes : rt_at(block, row->inputs[j]);
}

static Inner *open_inner(const Nonfinite *n, Arena *arena, const CodeRow *row, char *const *block)
{
    const Kernel *k = row->kernel;
    Inner *at = arena_array(arena, Inner, k->inputs.count + k->nodes.count + 1);
    for (int j = 0; j < k->inputs.count; j++) {
        const Node *input = k->inputs.at[j];
        at[j] = (Inner){ .node = input, .arena = arena_new() };
        at[j].tensor = tensor_from_bytes(at[j].arena, input->type, read_bytes(n, row, j, block));
    }
    for (int j = 0; j < k->nodes.count; j++) {
        const Node *node = k->nodes.at[j];
        at[k->inputs.count + j] = (Inner){ .node = node, .last = j };
        for (int i = 0; i < node->arg_count; i++) inner_of(at, k->inputs.count + j, node->args[i])->last = j;
    }
    return at;
}

static void close_inner(Inner *inner)
{
    if (inner->arena) arena_free(inner->arena);
    inner->arena = NULL;
}

/* The first operator of the row's kernel that makes such a value. */
static bool find_operator(const Nonfinite *n, const CodeRow *row, char *const *block, Finding *out)
{
    const Kernel *k = row->kernel;
    Arena *scratch = arena_new();
    Inner *at = open_inner(n, scratch, row, block);
    int inputs = k->inputs.count, total = inputs + k->nodes.count;
    bool found = false;
    for (int j = 0; j < k->nodes.count && !found; j++) {
        const Node *node = k->nodes.at[j];
        Inner *inner = &at[inputs + j];
        Tensor **args = arena_array(scratch, Tensor *, node->arg_count + 1);
        const char *why = NULL;
        for (int i = 0; i < node->arg_count; i++) args[i] = inner_of(at, inputs + j, node->args[i])->tensor;
        inner->arena = arena_new();
        inner->tensor = node_eval(node, args, inner->arena, &why);
        if (!inner->tensor) break;
        found = makes(node, args, inner->tensor, out);
        for (int i = 0; i < inputs + j; i++)
            if (at[i].last == j) close_inner(&at[i]);
    }
    for (int i = 0; i < total; i++) close_inner(&at[i]);
    arena_free(scratch);
    return found;
}

/* Whether what the row wrote can have come with what it read, or from a constant. */
static bool passes_on(const Nonfinite *n, const CodeRow *row, char *const *block)
{
    const Kernel *k = row->kernel;
    for (int j = 0; j < k->inputs.count; j++)
        if (node_holds(k->inputs.at[j], read_bytes(n, row, j, block))) return true;
    for (int j = 0; j < k->nodes.count; j++)
        if (k->nodes.at[j]->op == OP_const && holds(k->nodes.at[j]->attr.f)) return true;
    return false;
}

static bool find_output(const CodeRow *row, char *const *block, Finding *out)
{
    for (int j = 0; j < row->kernel->outputs.count; j++) {
        const Node *node = row->kernel->outputs.at[j];
        const char *bytes = rt_at(block, row->outputs[j]);
        if (!node_holds(node, bytes)) continue;
        int size = dtype_bytes(node->type.dtype);
        int64_t at = 0;
        while (!bytes_hold(node->type.dtype, bytes + at * size, 1)) at++;
        Arena *scratch = arena_new();
        *out = (Finding){ .node = node, .element = at };
        out->value = tensor_from_bytes(scratch, type_scalar(node->type.dtype), bytes + at * size)->f[0];
        arena_free(scratch);
        return true;
    }
    return false;
}

/* ---- the watch ---- */

static void watch_begin(void *context, const Program *program, char *const *block)
{
    Nonfinite *n = context;
    n->now = NULL;
    for (int k = 0; k < n->all.count; k++)
        if (n->all.at[k]->build->program == program) n->now = n->all.at[k];
    if (n->found.in) n->now = NULL;
    if (!n->now) return;
    memset(n->now->seen, 0, (size_t)program->step_count);
    n->suspect = (Finding){ 0 };
    for (int k = 0; k < program->input_count && !n->suspect.in; k++) {
        const RtValue *input = &program->inputs[k];
        int bits = value_holds(input, block) & ~n->now->known_input[k];
        bool param = rt_block(input->place) == BLOCK_param;
        if (rt_block(input->place) == BLOCK_sum) continue;   /* left by a program that has been looked at */
        if (!(bits & HOLDS_NAN) && !(bits && param)) continue;
        n->suspect = (Finding){ .in = n->now, .input = input, .step = n->step ? *n->step : 0 };
    }
}

static bool overlap(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes)
{
    return rt_block(a) == rt_block(b) && a < b + b_bytes && b < a + a_bytes;
}

static bool is_written(const CodeRow *row, int input)
{
    int64_t bytes = type_value_bytes(&row->kernel->inputs.at[input]->type);
    for (int k = 0; k < row->kernel->outputs.count; k++)
        if (overlap(row->inputs[input], bytes, row->outputs[k], type_value_bytes(&row->kernel->outputs.at[k]->type)))
            return true;
    return false;
}

static void drop_kept(Nonfinite *n)
{
    for (int k = 0; k < n->kept_count; k++) free(n->kept[k].bytes);
    free(n->kept);
    n->kept = NULL;
    n->kept_count = 0;
}

static void *get(size_t bytes)
{
    void *p = calloc(1, bytes + 1);
    if (p) return p;
    fputs("ptm: out of memory\n", stderr);
    exit(EXIT_BAD_INPUT);
}

static void watch_before(void *context, int32_t number, char *const *block, const RtIteration *in)
{
    Nonfinite *n = context;
    (void)in;
    const CodeRow *row = n->now ? &n->now->rows[number] : NULL;
    if (!row || !row->kernel || n->suspect.in) return;
    drop_kept(n);
    n->kept_count = row->kernel->inputs.count;
    n->kept = get((size_t)n->kept_count * sizeof *n->kept);
    for (int j = 0; j < n->kept_count; j++) {
        if (!is_written(row, j)) continue;
        size_t bytes = (size_t)type_value_bytes(&row->kernel->inputs.at[j]->type);
        n->kept[j].bytes = get(bytes);
        memcpy(n->kept[j].bytes, rt_at(block, row->inputs[j]), bytes);
    }
}

static void suspect(Nonfinite *n, int32_t number, char *const *block, const RtIteration *in)
{
    const CodeRow *row = &n->now->rows[number];
    Finding f = { 0 };
    uint8_t *analyses = &n->now->analyses[number];
    if (*analyses >= ANALYSES) return;
    if (!find_operator(n, row, block, &f) && (passes_on(n, row, block) || !find_output(row, block, &f))) {
        ++*analyses;
        return;
    }
    f.in = n->now;
    f.row = number;
    f.step = n->step ? *n->step : 0;
    for (; in && f.loops < LOOPS_SHOWN; in = in->around) f.place[f.loops++] = in->t;
    n->suspect = f;
}

static void watch_after(void *context, int32_t number, char *const *block, const RtIteration *in)
{
    Nonfinite *n = context;
    const CodeRow *row = n->now ? &n->now->rows[number] : NULL;
    int bits = 0;
    if (!row || !row->kernel) return;
    for (int j = 0; j < row->kernel->outputs.count; j++)
        bits |= node_holds(row->kernel->outputs.at[j], rt_at(block, row->outputs[j]));
    n->now->seen[number] |= (uint8_t)bits;
    if (!n->suspect.in && (bits & ~n->now->known[number])) suspect(n, number, block, in);
}

/* Good runs say what is usual. */
static void watch_end(void *context, char *const *block)
{
    Nonfinite *n = context;
    Watched *w = n->now;
    bool bad = false;
    if (!w) return;
    const Program *p = w->build->program;
    for (int k = 0; k < p->output_count; k++) bad = bad || value_holds(&p->outputs[k], block);
    for (int k = 0; k < p->input_count; k++) {
        RtBlock kept = rt_block(p->inputs[k].place);         /* of gradients: sums that other programs go on with */
        if (kept == BLOCK_param || kept == BLOCK_sum) bad = bad || value_holds(&p->inputs[k], block);
    }
    if (bad) {
        n->found = n->suspect;
        return;
    }
    for (int k = 0; k < p->step_count; k++) w->known[k] |= w->seen[k];
    for (int k = 0; k < p->input_count; k++) w->known_input[k] |= (uint8_t)value_holds(&p->inputs[k], block);
}

Nonfinite *nonfinite_new(Session *s, const int64_t *step)
{
    Nonfinite *n = arena_new_of(s->arena, Nonfinite);
    *n = (Nonfinite){ .s = s, .step = step };
    n->watch = (RtWatch){ n, watch_begin, watch_before, watch_after, watch_end };
    return n;
}

void nonfinite_add(Nonfinite *n, const char *title, const Build *build)
{
    if (!build->program) return;
    Watched *w = arena_new_of(n->s->arena, Watched);
    int rows = build->program->step_count;
    *w = (Watched){ .title = title, .build = build, .rows = code_rows(build->code) };
    w->seen = arena_array(n->s->arena, uint8_t, rows + 1);
    w->known = arena_array(n->s->arena, uint8_t, rows + 1);
    w->analyses = arena_array(n->s->arena, uint8_t, rows + 1);
    w->known_input = arena_array(n->s->arena, uint8_t, build->program->input_count + 1);
    vec_push(n->s->arena, &n->all, w);
}

const RtWatch *nonfinite_watch(Nonfinite *n) { return &n->watch; }

Culprit nonfinite_found(const Nonfinite *n)
{
    return !n->found.in ? CULPRIT_none : n->found.input ? CULPRIT_input : CULPRIT_operator;
}

void nonfinite_free(Nonfinite *n) { drop_kept(n); }

/* ---- telling ---- */

static const char *number_text(Arena *arena, double x) { return isnan(x) ? "NaN" : arena_print(arena, "%.6g", x); }

static const char *arguments_text(Arena *arena, const Finding *f)
{
    const char *text = f->arg_count ? " of " : "";
    for (int k = 0; k < f->arg_count; k++)
        text = arena_print(arena, "%s%s%s", text, !k ? "" : k + 1 == f->arg_count ? " and " : ", ",
                           number_text(arena, f->args[k]));
    return text;
}

static const char *where_text(Arena *arena, const Finding *f)
{
    const char *text = f->step ? arena_print(arena, "step %lld", (long long)f->step) : f->in->title;
    for (int k = 0; k < f->loops; k++)
        text = arena_print(arena, "%s, %s t = %lld", text, k ? "in" : "iteration", (long long)f->place[k]);
    return text;
}

static void print_operator(Nonfinite *n)
{
    const Finding *f = &n->found;
    Arena *arena = n->s->arena;
    const Program *p = f->in->build->program;
    const Origin *origin = f->node->origin_count ? f->node->origins[0] : NULL;
    const RtStep *step = &p->steps[f->row];
    const Type *type = &f->node->type;
    const char *at = type->rank ? arena_print(arena, " at %s of %s", type_index_text(arena, type, f->element),
                                              type_text(arena, type)) : "";
    Diagnostics *d = diag_new(arena);
    Place place = origin ? origin->place : (Place){ 0 };
    diag_error(d, place, "%s makes %s%s%s: the first value that is not finite, in %s", op_name(f->node->op),
               number_text(arena, f->value), arguments_text(arena, f), at, where_text(arena, f));
    if (origin && origin->path && *origin->path) diag_note(d, place, "under the label path %s", origin->path);
    if (origin) diag_chain(d, origin);
    diag_print(d, stderr);
    fprintf(stderr, "kernel: %s, row %d of the %d of %s\n", p->names[step->name], f->row, p->step_count, f->in->title);
}

void nonfinite_print(Nonfinite *n)
{
    const Finding *f = &n->found;
    if (!f->in) {
        session_fail(n->s, "no operator made it of finite numbers");
    } else if (f->input) {
        const char *kind = rt_block(f->input->place) == BLOCK_param ? "parameter" : "input";
        session_fail(n->s, "the %s %s is not finite before %s", kind, f->input->name,
                     f->step ? arena_print(n->s->arena, "step %lld", (long long)f->step) : f->in->title);
    } else {
        print_operator(n);
    }
}
