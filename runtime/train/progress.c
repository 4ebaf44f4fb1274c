/* Progress lines: put together in a fixed buffer and written at once. */
#include "runtime/train/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 1024, BAR_WIDTH = 24 };

static const double DRAW_EVERY_S = 0.1, LINE_EVERY_S = 2.0;

#define CLEAR_LINE "\r\x1b[K"

typedef struct Line {
    char text[LINE_BYTES];
    int  size;
} Line;

double clock_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void add_list(Line *line, const char *format, va_list list)
{
    int room = LINE_BYTES - line->size;
    int size = vsnprintf(line->text + line->size, (size_t)room, format, list);
    if (size > 0) line->size += size < room ? size : room - 1;
}

__attribute__((format(printf, 2, 3)))
static void add(Line *line, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add_list(line, format, list);
    va_end(list);
}

/* Nothing depends on whether the person sees it. */
static void emit(const Progress *p, const Line *line)
{
    for (int at = 0; at < line->size; ) {
        ssize_t done = write(p->fd, line->text + at, (size_t)(line->size - at));
        if (done <= 0) return;
        at += (int)done;
    }
}

static void add_bar(Line *line, int64_t step, int64_t steps)
{
    int filled = steps > 0 ? (int)(step * BAR_WIDTH / steps) : BAR_WIDTH;
    add(line, "[");
    for (int i = 0; i < BAR_WIDTH; i++) add(line, "%c", i < filled ? '=' : i == filled ? '>' : ' ');
    add(line, "] ");
}

/* "1:02:03" or "2:03" */
static void add_duration(Line *line, double seconds)
{
    int64_t s = (int64_t)ceil(seconds);
    if (s >= 3600) add(line, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
    else add(line, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

static void add_rate(Line *line, double rate)
{
    if (rate >= 1e6) add(line, "%.2fM", rate * 1e-6);
    else if (rate >= 1e3) add(line, "%.1fk", rate * 1e-3);
    else add(line, "%.3g", rate);
}

static void add_speed(Line *line, const Progress *p, int64_t step, double now)
{
    double made = (double)(step - p->first), timed = (double)(step - p->timed_from);
    if (p->timed_s <= 0) return;
    add(line, "  ");
    add_rate(line, timed * (double)(p->items > 0 ? p->items : 1) / p->timed_s);
    add(line, " %s/s", p->items > 0 ? p->unit : "steps");
    if (step == p->steps) {
        add(line, "  took ");
        add_duration(line, now - p->start_s);
    } else {
        add(line, "  ETA ");
        add_duration(line, (now - p->start_s) / made * (double)(p->steps - step));
    }
}

static int digits_of(int64_t number)
{
    int digits = 1;
    for (; number >= 10; number /= 10) digits++;
    return digits;
}

Progress progress_begin(int fd, int64_t first, int64_t steps, int64_t items, const char *unit)
{
    return (Progress){.fd = fd, .terminal = fd >= 0 && isatty(fd), .first = first, .steps = steps, .items = items,
                      .unit = unit, .timed_from = first, .start_s = clock_s()};
}

void progress_stage(Progress *p, int64_t step, int64_t items, const char *unit)
{
    p->items = items;
    p->unit = unit;
    p->timed_from = step;
    p->timed_s = 0;
}

void progress_step(Progress *p, int64_t step, double seconds, double loss, double lr)
{
    p->training_s += seconds;
    p->timed_s += seconds;
    double now = clock_s();
    bool due = now - p->shown_s >= (p->terminal ? DRAW_EVERY_S : LINE_EVERY_S) || step == p->steps;
    if (p->fd < 0 || !due) return;
    p->shown_s = now;
    Line line = {.size = 0};
    if (p->terminal) add(&line, CLEAR_LINE);
    add(&line, "step %*" PRId64 "/%" PRId64 "  ", digits_of(p->steps), step, p->steps);
    if (p->terminal) add_bar(&line, step, p->steps);
    add(&line, "loss %.4f", loss);
    if (!isnan(lr)) add(&line, "  lr %.3g", lr);
    add_speed(&line, p, step, now);
    if (!p->terminal) add(&line, "\n");
    p->drawn = p->terminal;
    emit(p, &line);
}

void progress_line(Progress *p, const char *format, ...)
{
    if (p->fd < 0) return;
    Line line = {.size = 0};
    if (p->drawn) add(&line, CLEAR_LINE);
    va_list list;
    va_start(list, format);
    add_list(&line, format, list);
    va_end(list);
    add(&line, "\n");
    p->drawn = false;
    emit(p, &line);
}

void progress_end(Progress *p)
{
    Line line = {.size = 0};
    if (p->drawn) add(&line, "\n");
    p->drawn = false;
    emit(p, &line);
}
