/* .npy and .npz files: every kind that numpy writes is read, numpy reads what is written, what cannot be read ends in
 * one message with file, array and offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/data/arrays.h"
#include "runtime/data/value.h"
#include "runtime/train/arrays_write.h"

enum { FILE_MOST = 1 << 16, MANY = 66000 };

static char directory[64], path[96];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/ptm-arrays-XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/x", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", directory);
    return system(command);
}

static RtArrays *open_good(const char *file)
{
    RtError   e = {{0}};
    RtArrays *a = rt_arrays_open(file, &e);
    if (!a) fail_msg("%s", e.text);
    return a;
}

static char *read_good(const RtArrays *a, const RtTensor *t)
{
    RtError e = {{0}};
    char   *out = malloc((size_t)t->bytes + 1);
    if (!rt_arrays_read(a, t, out, &e)) fail_msg("%s", e.text);
    return out;
}

static void spill(const char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(out);
}

static size_t slurp(char *bytes)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    size_t size = fread(bytes, 1, FILE_MOST, in);
    fclose(in);
    return size;
}

/* Opens `path` and reads all arrays; one of the two must fail with a message that names the file and has `says`. */
static void refuses(const char *says)
{
    RtError   e = {{0}};
    RtArrays *a = rt_arrays_open(path, &e);
    bool      good = a != NULL;
    for (int i = 0; good && i < rt_arrays_count(a); i++) {
        char *out = malloc((size_t)rt_arrays_at(a, i)->bytes + 1);
        good = rt_arrays_read(a, rt_arrays_at(a, i), out, &e);
        free(out);
    }
    rt_arrays_close(a);
    if (good) fail_msg("this should have been refused: %s", says);
    if (!strstr(e.text, path) || !strstr(e.text, says)) fail_msg("%s\n  wanted: %s", e.text, says);
}

/* numpy */

static const char *python(void)
{
    static const char *const all[] = {"python3", "/usr/bin/python3"};
    for (int i = 0; i < 2; i++) {
        char command[96];
        snprintf(command, sizeof command, "%s -c 'import numpy' 2>/dev/null", all[i]);
        if (system(command) == 0) return all[i];
    }
    return NULL;
}

static void run_numpy(const char *what)
{
    char command[512];
    snprintf(command, sizeof command, "%s %s/runtime/arrays_numpy.py %s %s", python(), TESTS, what, directory);
    assert_int_equal(system(command), 0);
}

static void compare(const RtArrays *a, const RtTensor *t, const char *name)
{
    char  file[160];
    char *found = read_good(a, t), *wanted = malloc((size_t)t->bytes + 1);
    snprintf(file, sizeof file, "%s/%s.want", directory, name);
    FILE *in = fopen(file, "rb");
    assert_non_null(in);
    assert_int_equal(fread(wanted, 1, (size_t)t->bytes + 1, in), t->bytes);
    fclose(in);
    if (t->bytes) assert_memory_equal(found, wanted, (size_t)t->bytes);
    free(found);
    free(wanted);
}

static void compare_archive(const char *name)
{
    char file[160];
    snprintf(file, sizeof file, "%s/%s", directory, name);
    RtArrays *a = open_good(file);
    assert_true(rt_arrays_archive(a));
    assert_int_equal(rt_arrays_count(a), 12 * 7);
    for (int i = 0; i < rt_arrays_count(a); i++) compare(a, rt_arrays_at(a, i), rt_arrays_at(a, i)->name);
    rt_arrays_close(a);
}

/* Each array of the archive, from its own .npy file; and all of them written again, in one file and in many. */
static void compare_files(void)
{
    char file[200];
    snprintf(file, sizeof file, "%s/stored.npz", directory);
    RtArrays *a = open_good(file);
    int       count = rt_arrays_count(a);
    RtTensor *copies = calloc((size_t)count, sizeof *copies);
    RtError   e = {{0}};
    for (int i = 0; i < count; i++) {
        const RtTensor *t = rt_arrays_at(a, i);
        snprintf(file, sizeof file, "%s/%s.npy", directory, t->name);
        RtArrays *one = open_good(file);
        assert_false(rt_arrays_archive(one));
        assert_int_equal(rt_arrays_count(one), 1);
        assert_int_equal(rt_arrays_at(one, 0)->rank, t->rank);
        assert_memory_equal(rt_arrays_at(one, 0)->shape, t->shape, sizeof t->shape);
        compare(one, rt_arrays_at(one, 0), t->name);
        rt_arrays_close(one);
        copies[i] = *t;
        copies[i].data = read_good(a, t);
        snprintf(file, sizeof file, "%s/written_%s.npy", directory, t->name);
        assert_true(rt_npy_write(file, &copies[i], &e));
    }
    snprintf(file, sizeof file, "%s/written.npz", directory);
    assert_true(rt_npz_write(file, copies, count, &e));
    for (int i = 0; i < count; i++) free((char *)copies[i].data);
    free(copies);
    rt_arrays_close(a);
}

/* More members than the directory of a plain archive can count. */
static void write_many(void)
{
    RtTensor *many = calloc(MANY, sizeof *many);
    char    (*names)[16] = calloc(MANY, sizeof *names);
    uint8_t  *bytes = calloc(MANY, 1);
    char      file[160];
    RtError   e = {{0}};
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "a%d", i);
        bytes[i] = (uint8_t)i;
        many[i] = (RtTensor){.name = names[i], .dtype = RT_u8, .rank = 1, .shape = {1}, .bytes = 1,
                             .data = (char *)&bytes[i]};
    }
    snprintf(file, sizeof file, "%s/many.npz", directory);
    assert_true(rt_npz_write(file, many, MANY, &e));
    RtArrays *a = open_good(file);
    assert_int_equal(rt_arrays_count(a), MANY);
    const RtTensor *last = rt_arrays_find(a, "a65999");
    char           *byte = read_good(a, last);
    assert_int_equal((uint8_t)*byte, (uint8_t)(MANY - 1));
    free(byte);
    rt_arrays_close(a);
    free(bytes);
    free(names);
    free(many);
}

static void numpy_both_ways(void **state)
{
    (void)state;
    write_many();
    if (!python()) {
        print_message("skipped: python3 has no numpy\n");
        skip();
    }
    run_numpy("write");
    compare_archive("stored.npz");
    compare_archive("packed.npz");
    compare_files();
    run_numpy("check");
}

/* our own */

static const float    weights[6] = {1, 2, 3, -4, 5.5f, 1e-40f};
static const uint16_t halves[2] = {0x3f80, 0xc000};
static const RtTensor two[] = {
    {.name = "h.0.w", .dtype = RT_f32, .rank = 2, .shape = {2, 3}, .bytes = 24, .data = (const char *)weights},
    {.name = "\xc3\xa9", .dtype = RT_bf16, .rank = 1, .shape = {2}, .bytes = 4, .data = (const char *)halves},
};

static void round_trip(void **state)
{
    (void)state;
    RtError e = {{0}};
    assert_true(rt_npz_write(path, two, 2, &e));
    RtArrays *a = open_good(path);
    assert_int_equal(rt_arrays_count(a), 2);
    for (int i = 0; i < 2; i++) {
        const RtTensor *t = rt_arrays_find(a, two[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, two[i].dtype);
        assert_int_equal(t->rank, two[i].rank);
        assert_memory_equal(t->shape, two[i].shape, sizeof t->shape);
        char *out = read_good(a, t);
        assert_memory_equal(out, two[i].data, (size_t)t->bytes);
        free(out);
    }
    assert_null(rt_arrays_find(a, "absent"));
    rt_arrays_close(a);
    assert_true(rt_npz_write(path, NULL, 0, &e));
    a = open_good(path);
    assert_int_equal(rt_arrays_count(a), 0);
    rt_arrays_close(a);
}

static void places_that_are_no_files(void **state)
{
    (void)state;
    RtError e = {{0}};
    assert_false(rt_npy_write("/dev/full", two, &e));
    assert_non_null(strstr(e.text, "/dev/full: cannot write: No space left"));
    assert_true(rt_npy_write("/dev/null", two, &e));
    struct stat status;
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));
    assert_false(rt_npy_write(directory, two, &e));
    assert_non_null(strstr(e.text, directory));
    assert_null(rt_arrays_open(directory, &e));
    assert_non_null(strstr(e.text, "is a directory"));
    snprintf(path, sizeof path, "%s/none/x.npy", directory);
    assert_false(rt_npy_write(path, two, &e));
    assert_null(rt_arrays_open(path, &e));
    assert_non_null(strstr(e.text, "No such file"));
    snprintf(path, sizeof path, "%s/x", directory);
}

/* A .npy file of version 1 with this literal and `bytes` zeros behind it. */
static void write_literal(const char *literal, size_t bytes)
{
    char   file[1024] = "\x93NUMPY\1";
    size_t size = strlen(literal);
    file[8] = (char)size;
    file[9] = (char)(size >> 8);
    memcpy(file + 10, literal, size);
    spill(file, 10 + size + bytes);
}

static void literals(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
        "{ \"shape\" :(2L,3L,) , \"fortran_order\":True,\"descr\":\"=f4\" }  \n",
        "{'descr': 'f4', 'fortran_order': False, 'shape': (1, 2, 1, 3, 1, 1, 1, 1)}",
    };
    for (int i = 0; i < 3; i++) {
        write_literal(good[i], 24);
        RtArrays *a = open_good(path);
        assert_int_equal(rt_arrays_at(a, 0)->bytes, 24);
        rt_arrays_close(a);
    }
    static const struct {
        const char *literal, *says;
    } bad[] = {
        {"", "{ is missing"},
        {"{}", "one of descr, fortran_order and shape is missing"},
        {"{'descr': '<f4', 'shape': (2, 3)}", "one of descr, fortran_order and shape is missing"},
        {"{'descr': '<f4', 'descr': '<f4', 'shape': (2, 3)}", "a key other than"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", "a key other than"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}", "True or False"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}", "a whole number from 0 on"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", ") of 'shape' is missing"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': 6}", "( of 'shape' is missing"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)", "} is missing"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", "the end behind } is missing"},
        {"{'descr': '<f4, 'fortran_order': False", "elements of another type"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2, 3)}", "Python objects (pickled)"},
        {"{'descr': '<U7', 'fortran_order': False, 'shape': (2, 3)}", "texts ('<U7')"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}", "complex numbers ('<c8')"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (2, 3)}", "elements of another type ('<f16')"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3)}", "records of several fields"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775808,)}", "more elements than"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "more elements"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}", "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", "there are 24: cut off, at byte 67"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", "say 16 bytes of elements, but there are 24"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_literal(bad[i].literal, 24);
        refuses(bad[i].says);
    }
    write_literal("{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }", 8);
    char   bytes[FILE_MOST];
    size_t size = slurp(bytes);
    memset(bytes + size - 8, 0xFF, 8);
    spill(bytes, size);
    refuses("beyond 64 bits with a sign");
}

static void other_files(void **state)
{
    (void)state;
    spill("", 0);
    refuses("neither a .npy nor a .npz");
    spill("\x93NUMP", 5);
    refuses("neither a .npy nor a .npz");
    spill("\x93NUMPY\1", 7);
    refuses("too short");
    spill("\x93NUMPY\4\0\0\0\0\0", 12);
    refuses("version 4, known are 1 to 3");
    spill("\x93NUMPY\2\0\xff\xff\xff\x7f", 12);
    refuses("says that its header has 2147483647 bytes, but 0 are left");
    spill("PK", 2);
    refuses("not a zip archive, or cut off");
    spill("{\"a\": 1}", 8);
    refuses("neither a .npy nor a .npz");
}

/* Whatever is cut off or changed in one byte of an archive is either noticed, or harmless: a date, say. */
static void damage(void **state)
{
    (void)state;
    static char before[FILE_MOST], bytes[FILE_MOST];
    RtError     e = {{0}};
    assert_true(rt_npz_write(path, two, 2, &e));
    size_t size = slurp(before);
    for (size_t cut = 0; cut < size; cut++) {
        spill(before, cut);
        refuses("");
    }
    int noticed = 0;
    for (size_t at = 0; at < size; at++) {
        memcpy(bytes, before, size);
        bytes[at] = (char)(bytes[at] ^ 0x41);
        spill(bytes, size);
        RtArrays *a = rt_arrays_open(path, &e);
        bool      good = a != NULL;
        for (int i = 0; good && i < 2; i++) {
            char            out[64];
            const RtTensor *t = rt_arrays_find(a, two[i].name);
            assert_true(!t || t->bytes <= 64);
            good = t && rt_arrays_read(a, t, out, &e);
            if (good) assert_memory_equal(out, two[i].data, (size_t)two[i].bytes);
        }
        if (!good) noticed++;
        rt_arrays_close(a);
    }
    assert_true(noticed > (int)size / 2);
}

/* An archive that is whole but for what is said of its first member at `at` of the directory entry. */
static void change_entry(const char *before, size_t size, size_t at, int bytes, uint64_t value, const char *says)
{
    static char changed[FILE_MOST];
    memcpy(changed, before, size);
    size_t entry = 0;
    while (entry + 4 < size && memcmp(changed + entry, "PK\1\2", 4) != 0) entry++;
    assert_true(entry + at + 8 < size);
    for (int i = 0; i < bytes; i++) changed[entry + at + (size_t)i] = (char)(value >> (8 * i));
    spill(changed, size);
    refuses(says);
}

static void malicious_archives(void **state)
{
    (void)state;
    static char before[FILE_MOST];
    RtError     e = {{0}};
    assert_true(rt_npz_write(path, two, 2, &e));
    size_t size = slurp(before);
    change_entry(before, size, 8, 2, 1, "is encrypted");
    change_entry(before, size, 10, 2, 12, "neither stored nor deflated");
    change_entry(before, size, 16, 4, 1, "CRC is not what its bytes give");
    change_entry(before, size, 20, 4, 1 << 20, "reach beyond the file");
    change_entry(before, size, 24, 4, 1 << 20, "cannot hold as many as it says");
    change_entry(before, size, 24, 4, 0xFFFFFFFF, "cannot hold as many as it says");
    change_entry(before, size, 42, 4, 1, "its header is damaged");
    change_entry(before, size, 46, 1, '\n', "control bytes");
    RtTensor same[2] = {two[0], two[0]};
    assert_true(rt_npz_write(path, same, 2, &e));
    refuses("there are two arrays h.0.w");
}

/* Members that are no arrays of numbers do not stand in the way of the others. */
static void refused_members(void **state)
{
    (void)state;
    static char bytes[FILE_MOST];
    RtError     e = {{0}};
    assert_true(rt_npz_write(path, two, 2, &e));
    size_t size = slurp(bytes);
    for (size_t i = 0; i + 3 < size; i++)
        if (memcmp(bytes + i, "<f4", 3) == 0) memcpy(bytes + i, "|O'", 3);
    spill(bytes, size);
    RtArrays *a = open_good(path);
    assert_int_equal(rt_arrays_count(a), 1);
    assert_null(rt_arrays_find(a, "h.0.w"));
    assert_non_null(strstr(rt_arrays_refused(a, "h.0.w"), "Python objects"));
    assert_null(rt_arrays_refused(a, "absent"));
    rt_arrays_close(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_both_ways),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(places_that_are_no_files),
        cmocka_unit_test(literals),
        cmocka_unit_test(other_files),
        cmocka_unit_test(damage),
        cmocka_unit_test(malicious_archives),
        cmocka_unit_test(refused_members),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
