/* Blocks between guard pages, painted; what a program touches of them. */
#include "frontend/cli/prove.h"
#include "runtime/core/memory.h"
#include "runtime/train/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { RUNS = 2, PROOF_SEED = 0 };
static const unsigned char colours[RUNS] = { 0xA5, 0x5A };

/* A block of one run. */
typedef struct Ground {
    char    *memory;                     /* from rt_memory_new: whole pages */
    char    *base;                       /* the block: `bytes` from the first, or up to the last byte of the pages */
    int64_t  bytes, pages;
    bool    *touched;                    /* by page */
} Ground;

typedef struct Trial {
    Ground ground[BLOCK_COUNT];
    char  *block[BLOCK_COUNT];
} Trial;

typedef struct Proof {
    FILE       *out;
    const Run  *r;
    Arena      *arena;                   /* of one program */
    const char *title;
    const Build *build;
    Trial       trial[RUNS];
    bool        good;
} Proof;

/* ---- pages ---- */

static int64_t page_bytes(void) { return (int64_t)sysconf(_SC_PAGESIZE); }

/* The trial whose pages are watched, and of which program: a handler of signals gets no argument of ours. */
static Trial *watched;
static const char *watched_title;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) _exit(EXIT_BAD_INPUT);
}

/* The first access to a page of a watched block notes it and opens it. Any other access is out of bounds. */
static void note_access(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    char *at = info->si_addr;
    for (int b = 0; watched && b < BLOCK_COUNT; b++) {
        Ground *g = &watched->ground[b];
        int64_t page = (at - g->memory) / page_bytes();
        if (!g->memory || at < g->memory || page >= g->pages) continue;
        g->touched[page] = true;
        mprotect(g->memory + page * page_bytes(), (size_t)page_bytes(), PROT_READ | PROT_WRITE);
        return;
    }
    say("ptm: ");
    say(watched_title);
    say(": memory outside of the program's blocks is touched\n");
    _exit(EXIT_BAD_INPUT);
}

static bool ground_new(Arena *arena, int64_t bytes, bool at_end, Ground *g)
{
    int64_t page = page_bytes();
    *g = (Ground){ .memory = rt_memory_new(bytes), .bytes = bytes, .pages = (bytes + page - 1) / page };
    if (!g->memory) return false;
    g->base = at_end ? g->memory + g->pages * page - bytes : g->memory;
    g->touched = arena_array(arena, bool, g->pages + 1);
    return true;
}

static bool is_watched(int block) { return block != BLOCK_work; }

static void protect(Trial *t, int protection)
{
    for (int b = 0; b < BLOCK_COUNT; b++)
        if (is_watched(b) && t->ground[b].pages)
            mprotect(t->ground[b].memory, (size_t)(t->ground[b].pages * page_bytes()), protection);
}

/* ---- a trial ---- */

static const char *contents(const Proof *p, const Job *job, int block)
{
    if (block == BLOCK_param) return p->r->param;
    if (block == BLOCK_const) return p->r->constants;
    return block == BLOCK_state ? job->states.initial : NULL;
}

static bool trial_new(Proof *p, const Job *job, int k)
{
    Trial *t = &p->trial[k];
    for (int b = 0; b < BLOCK_COUNT; b++) {
        Ground *g = &t->ground[b];
        const char *from = contents(p, job, b);
        if (!ground_new(p->arena, p->build->program->block_bytes[b], k == 1, g)) return false;
        if (from && g->bytes) memcpy(g->base, from, (size_t)g->bytes);
        if (b == BLOCK_work) memset(g->base, colours[k], (size_t)g->bytes);
        t->block[b] = g->base;
    }
    return true;
}

static void trial_free(Trial *t)
{
    for (int b = 0; b < BLOCK_COUNT; b++)
        if (t->ground[b].memory) rt_memory_free(t->ground[b].memory, t->ground[b].bytes);
    *t = (Trial){ 0 };
}

/* A batch of the variant; false when no step, or no pass, has one. */
static bool fill(const Job *job, const RtRun *run, bool training, char *const *block)
{
    RtRuns runs = job_runs(job);
    const RtStream *stream = runs_stream(&runs);
    int64_t count = !stream ? 1 : training ? rt_stream_steps(stream) : rt_stream_pass_batches(stream), batch = 0;
    bool by_batch = run->feed_count > 0;
    while (by_batch && batch < count &&
           run != (training ? runs_step(&runs, PROOF_SEED, batch) : runs_pass(&runs, batch))) batch++;
    if (by_batch && batch == count) return false;
    if (training) {
        run_fill_ambient(run, block, PROOF_SEED, 0);
        run_fill_batch(run, block, PROOF_SEED, batch);
    } else {
        run_fill_pass(run, block, PROOF_SEED, 0, batch);
    }
    for (int32_t i = 0; i < run->program->input_count; i++) {            /* what no evaluation has given yet */
        const RtValue *input = &run->program->inputs[i];
        if (!strncmp(input->name, "history.", 8) && rt_block(input->place) == BLOCK_work)
            memset(rt_at(block, input->place), 0, (size_t)input->bytes);
    }
    return true;
}

static bool run_trial(Proof *p, Trial *t)
{
    struct sigaction action = { .sa_sigaction = note_access, .sa_flags = SA_SIGINFO | SA_NODEFER }, before;
    RtFault fault = { 0 };
    RtError error;
    sigemptyset(&action.sa_mask);
    watched = t;
    watched_title = p->title;
    sigaction(SIGSEGV, &action, &before);
    protect(t, PROT_NONE);
    int failed = rt_program_run(p->build->program, p->r->pool, t->block, &fault);
    sigaction(SIGSEGV, &before, NULL);
    watched = NULL;
    protect(t, PROT_READ | PROT_WRITE);
    if (!failed) return true;
    rt_fault_text(p->build->program, &fault, &error);
    return session_fail(p->r->s, "%s", error.text) && false;
}

/* ---- what belongs to values ---- */

static void cover(bool *covered, int64_t from, int64_t bytes) { memset(covered + from, true, (size_t)bytes); }

static void cover_plan(const Plan *plan, bool *covered, int64_t base);

/* What a loop keeps for itself: the work of its body, and results that no pick holds. The second place of a carry is
 * used from the second iteration on. */
static void cover_loop(const Kernel *k, bool *covered, int64_t base)
{
    const Node *scan = k->outputs.at[k->outputs.count - 1];
    cover_plan(k->body, covered, base);
    for (int i = 0; i < scan_result_count(scan); i++) {
        int64_t bytes = type_value_bytes(&scan_output(scan, i)->node->type);
        if (k->home[i] >= 0) cover(covered, base + k->home[i], bytes);
        if (k->spare[i] >= 0 && dim_value(scan->attr.count) > 1) cover(covered, base + k->spare[i], bytes);
    }
}

static void cover_plan(const Plan *plan, bool *covered, int64_t base)
{
    for (int i = 0; i < plan->buffers.count; i++) {
        const Buffer *b = plan->buffers.at[i];
        if (b->block == MEMORY_work && b->node->op != OP_scan) cover(covered, base + b->offset, b->bytes);
    }
    for (int i = 0; i < plan->kernels.count; i++) {
        const Kernel *k = plan->kernels.at[i];
        if (k->kind != KERNEL_scan) continue;
        cover_loop(k, covered, base + kernel_buffer(plan, k, k->outputs.at[k->outputs.count - 1])->offset);
    }
}

static bool wrong(Proof *p, const char *what, const char *block, int64_t at)
{
    p->good = session_fail(p->r->s, "%s: %s, at %s + %lld", p->title, what, block, (long long)at) && false;
    return false;
}

/* A byte that has both colours at the end was written by nobody. Returns the bytes of padding, or -1. */
static int64_t check_work(Proof *p)
{
    int64_t bytes = p->build->program->block_bytes[BLOCK_work], padding = 0;
    bool *covered = arena_array(p->arena, bool, bytes + 1);
    const unsigned char *a = (unsigned char *)p->trial[0].block[BLOCK_work],
                        *b = (unsigned char *)p->trial[1].block[BLOCK_work];
    cover_plan(p->build->plan, covered, 0);
    for (int64_t i = 0; i < bytes; i++) {
        bool touched = a[i] != colours[0] || b[i] != colours[1];
        if (covered[i] && !touched) return wrong(p, "a value has a byte that nobody writes", "work", i) - 1;
        if (!covered[i] && touched) return wrong(p, "a byte is written that belongs to no value", "work", i) - 1;
        padding += !covered[i];
    }
    return padding;
}

/* ---- pages of what stays ---- */

typedef struct Pages {
    int64_t touched, spared;             /* spared: of tables, without a row that was asked for */
} Pages;

static void want(const Ground *g, bool *wanted, int64_t offset, int64_t bytes)
{
    int64_t first = (g->base - g->memory) + offset;
    for (int64_t page = first / page_bytes(); bytes > 0 && page <= (first + bytes - 1) / page_bytes(); page++)
        wanted[page] = true;
}

static const Node *moved(const Node *n)
{
    while (op_is_movement(n->op) && n->op != OP_concat) n = n->args[0];
    return n;
}

/* Whether rows of an input are looked up or written by number, so that a run may need some of them only. */
static bool has_rows(const Plan *plan, const Node *input)
{
    for (int i = 0; i < plan->kernels.count; i++) {
        const Kernel *k = plan->kernels.at[i];
        for (int j = 0; j < k->nodes.count; j++) {
            const Node *n = k->nodes.at[j];
            if ((n->op == OP_gather || n->op == OP_scatter) && moved(n->args[0]) == input) return true;
            for (int a = 0; n->op == OP_scan && a < n->arg_count; a++)
                if (moved(n->args[a]) == input && has_rows(k->body, scan_input(n, a))) return true;
        }
    }
    return false;
}

/* The pages of the program's inputs, those that it reads or updates, are touched, and no others; of tables, perhaps not
 * all. */
static bool check_pages(Proof *p, int block, int trial, Pages *pages)
{
    const Plan *plan = p->build->plan;
    const char *name = block_name((MemoryBlock)block);
    const Ground *g = &p->trial[trial].ground[block];
    bool *allowed = arena_array(p->arena, bool, g->pages + 1), *wanted = arena_array(p->arena, bool, g->pages + 1);
    for (int32_t i = 0; i < plan->graph->inputs.count; i++) {
        const RtValue *v = &p->build->program->inputs[i];
        if (rt_block(v->place) != (RtBlock)block) continue;
        want(g, allowed, rt_offset(v->place), v->bytes);
        if (!has_rows(plan, plan->graph->inputs.at[i])) want(g, wanted, rt_offset(v->place), v->bytes);
    }
    for (int64_t page = 0; page < g->pages; page++) {
        int64_t at = page * page_bytes() - (g->base - g->memory);
        if (wanted[page] && !g->touched[page]) return wrong(p, "a page of an input is not touched", name, at);
        if (!allowed[page] && g->touched[page]) return wrong(p, "a page is touched that holds no input", name, at);
        pages->touched += g->touched[page];
        pages->spared += allowed[page] && !g->touched[page];
    }
    return true;
}

static bool check_same(Proof *p)
{
    const Program *program = p->build->program;
    char *const *a = p->trial[0].block, *const *b = p->trial[1].block;
    for (int k = 0; k < BLOCK_COUNT; k++)
        if (is_watched(k) && memcmp(a[k], b[k], (size_t)program->block_bytes[k]))
            return wrong(p, "what a step leaves depends on what lay there before", block_name((MemoryBlock)k), 0);
    for (int32_t i = 0; i < program->output_count; i++) {
        const RtValue *v = &program->outputs[i];
        if (memcmp(rt_at(a, v->place), rt_at(b, v->place), (size_t)v->bytes))
            return wrong(p, "a result depends on what lay there before", "work", rt_offset(v->place));
    }
    return true;
}

static void check(Proof *p)
{
    int64_t padding = check_work(p);
    Pages pages[RUNS] = { 0 };
    if (padding < 0) return;
    for (int b = 0; b < BLOCK_COUNT; b++)
        for (int k = 0; is_watched(b) && k < RUNS; k++)
            if (!check_pages(p, b, k, &pages[k])) return;
    if (!check_same(p)) return;
    fprintf(p->out, "proved: %s: %lld bytes of work, %lld of them padding; %lld pages of what stays", p->title,
            (long long)p->build->program->block_bytes[BLOCK_work], (long long)padding, (long long)pages[0].touched);
    if (pages[0].spared) fprintf(p->out, ", %lld of tables not asked for", (long long)pages[0].spared);
    fputc('\n', p->out);
}

static void prove_program(Proof *p, const Job *job, int number, bool training)
{
    p->build = &job->builds[number];
    p->arena = arena_new();
    p->title = number == 0 ? job->title : arena_print(p->arena, "%s, program %d", job->title, number + 1);
    bool ran = true, some = true;
    for (int k = 0; k < RUNS && ran && some; k++) {
        ran = trial_new(p, job, k) || session_fail(p->r->s, "not enough memory for the proof") == EXIT_GOOD;
        some = ran && fill(job, &job->run[number], training, p->trial[k].block);
        ran = ran && (!some || run_trial(p, &p->trial[k]));
    }
    if (ran && some) check(p);
    p->good = p->good && ran;
    for (int k = 0; k < RUNS; k++) trial_free(&p->trial[k]);
    arena_free(p->arena);
}

bool prove_memory(FILE *out, const Run *r)
{
    Proof p = { .out = out, .r = r, .good = true };
    for (int i = 0; i < r->train_count; i++)
        for (int v = 0; v < r->trains[i].count && p.good; v++)
            if (r->trains[i].builds[v].program) prove_program(&p, &r->trains[i], v, true);
    for (int i = 0; i < r->measures.count; i++) {
        const Measure *m = &r->measures.at[i];
        for (int t = 0; t < m->from->term_count; t++)
            for (int v = 0; v < m->jobs[t].count && p.good; v++)
                if (m->jobs[t].builds[v].program) prove_program(&p, &m->jobs[t], v, false);
    }
    return p.good;
}
