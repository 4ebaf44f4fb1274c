/* Histories: which ones a stage's step reads, and their numbers. */
#include "runtime/train/history.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/value.h"
#include "runtime/train/run.h"

static bool is_history(const RtRun *run, const RtValue *input)
{
    return strncmp(input->name, HISTORY_PREFIX, strlen(HISTORY_PREFIX)) == 0 && rt_block(input->place) == BLOCK_work
        && !run_feed(run, input);
}

static const HistoryRow *find_row(const History *h, const RtValue *input)
{
    for (int i = 0; i < h->count; i++) {
        if (strcmp(h->rows[i].input->name, input->name) == 0) return &h->rows[i];
    }
    return NULL;
}

static int find_evaluation(const RtStage *stage, const char *name)
{
    int i = stage->evaluation_count - 1;
    while (i >= 0 && strcmp(stage->evaluations[i].name, name) != 0) i--;
    return i;
}

/* One row for each name, however many variants of the step read it. */
static bool add_rows(const RtStage *stage, const RtRun *run, History *h, RtError *e)
{
    for (int32_t i = 0; run->program && i < run->program->input_count; i++) {
        const RtValue *input = &run->program->inputs[i];
        if (!is_history(run, input)) continue;
        const HistoryRow *known = find_row(h, input);
        assert(input->dtype == RT_f32 && input->rank == 1 && (!known || known->input->bytes == input->bytes));
        if (known) continue;
        int evaluation = find_evaluation(stage, input->name + strlen(HISTORY_PREFIX));
        if (evaluation < 0) return rt_fail(e, "%s: the stage does not evaluate this", input->name);
        h->rows[h->count++] = (HistoryRow){.input = input, .evaluation = evaluation};
    }
    return true;
}

void history_cut(const HistoryRow *row, int64_t place)
{
    for (int64_t i = place; i < row->input->shape[0]; i++) row->numbers[i] = NAN;
}

bool history_new(const RtStage *stage, History *h, RtError *e)
{
    *h = (History){.rows = calloc((size_t)stage->evaluation_count + 1, sizeof *h->rows)};
    if (!h->rows) return rt_fail(e, "out of memory");
    for (int i = 0; i < stage->train.count; i++) {
        if (!add_rows(stage, &stage->train.run[i], h, e)) return false;
    }
    if (!add_rows(stage, &stage->update, h, e)) return false;
    int64_t bytes = 0;
    for (int i = 0; i < h->count; i++) bytes += h->rows[i].input->bytes;
    h->numbers = malloc((size_t)bytes + 1);
    if (!h->numbers) return rt_fail(e, "out of memory");
    float *next = h->numbers;
    for (int i = 0; i < h->count; i++) {
        h->rows[i].numbers = next;
        history_cut(&h->rows[i], 0);
        next += h->rows[i].input->shape[0];
    }
    return true;
}

void history_free(History *h)
{
    free(h->rows);
    free(h->numbers);
    *h = (History){0};
}

void history_note(History *h, int evaluation, int64_t place, double value)
{
    for (int i = 0; i < h->count; i++) {
        const HistoryRow *row = &h->rows[i];
        if (row->evaluation != evaluation) continue;
        assert(place >= 0 && place < row->input->shape[0]);
        row->numbers[place] = (float)value;
    }
}

void history_fill(const History *h, const RtRun *run, char *const *block)
{
    if (h->count == 0) return;
    for (int32_t i = 0; i < run->program->input_count; i++) {
        const RtValue *input = &run->program->inputs[i];
        if (!is_history(run, input)) continue;
        memcpy(rt_at(block, input->place), find_row(h, input)->numbers, (size_t)input->bytes);
    }
}
