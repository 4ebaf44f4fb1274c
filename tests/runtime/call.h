/* Calls of host functions as a model's data block makes them, and the values to call them with. */
#ifndef PTM_TESTS_CALL_H
#define PTM_TESTS_CALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/data.h"

/* One call: its results, or the message. */
typedef struct Reply {
    bool      good;
    DataValue values[DATA_MAX_RESULTS];
    int       count;
    RtError   error;
} Reply;

#define CALL(d, name, ...)                                                                                             \
    call(d, name, (DataValue[]){ __VA_ARGS__ }, sizeof((DataValue[]){ __VA_ARGS__ }) / sizeof(DataValue))

static inline Reply call(RtData *d, const char *name, const DataValue *args, size_t count)
{
    Reply r = { .error = { "" } };
    r.good = rt_data_call(d, name, args, (int)count, r.values, &r.count, &r.error);
    if (r.good) assert_string_equal(r.error.text, "");
    return r;
}

static inline DataValue one(Reply r)
{
    if (!r.good) print_message("%s\n", r.error.text);
    assert_true(r.good);
    assert_int_equal(r.count, 1);
    return r.values[0];
}

static inline void assert_error(Reply r, const char *wanted)
{
    assert_false(r.good);
    if (!strstr(r.error.text, wanted)) print_message("got: %s\n", r.error.text);
    assert_non_null(strstr(r.error.text, wanted));
}

static inline DataValue text(const char *s) { return data_text((RtText){ s, (int64_t)strlen(s) }); }
static inline DataValue number(double x) { return data_number(x); }
static inline DataValue truth(bool b) { return (DataValue){ .kind = DATA_bool, .truth = b }; }
static inline DataValue none(void) { return (DataValue){ .kind = DATA_none }; }

static inline DataValue named(const char *name, DataValue v)
{
    v.name = name;
    return v;
}

static inline DataValue list(const DataValue *items, int count)
{
    return (DataValue){ .kind = DATA_list, .list = { items, count } };
}

static inline void assert_text(RtText t, const char *wanted)
{
    assert_int_equal(t.size, strlen(wanted));
    assert_memory_equal(t.bytes, wanted, (size_t)t.size);
}

static inline void assert_ids(const int32_t *ids, int64_t count, const char *wanted)
{
    char out[500] = "";
    for (int64_t i = 0; i < count; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%d", i ? " " : "", ids[i]);
    assert_string_equal(out, wanted);
}

static inline void assert_array(DataValue v, const char *wanted)
{
    assert_int_equal(v.kind, DATA_array);
    assert_int_equal(v.array.dtype, RT_i32);
    assert_ids(v.array.data, data_array_count(&v.array), wanted);
}

static inline DataValue column_of(RtData *d, const char *lines)
{
    return one(CALL(d, "lines", text(lines)));
}

static inline DataValue range(RtData *d, int32_t count)
{
    int32_t *ids = rt_data_alloc(d, count, sizeof *ids);
    for (int32_t i = 0; i < count; i++) ids[i] = i;
    return data_ids(ids, count, NULL);
}

#endif
