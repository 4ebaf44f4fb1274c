/* Tensor files: what is written reads back, equal tensors are equal bytes, and damaged files end in one clear error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/data/value.h"
#include "runtime/train/tensors.h"

typedef struct Bytes {
    char  *bytes;
    size_t size;
} Bytes;

static char directory[64], path[96];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/ptm-tensors-XXXXXX");
    if (!mkdtemp(directory)) return -1;
    snprintf(path, sizeof path, "%s/x.safetensors", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);                                 /* fails when something was left beside the file */
}

static Bytes slurp(void)
{
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    Bytes b = {malloc(1 << 20), 0};
    b.size = fread(b.bytes, 1, 1 << 20, in);
    fclose(in);
    return b;
}

static void spill(const char *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    fclose(out);
}

static const float   weights[6] = {1, 2, 3, -4, 5.5f, 1e-40f};
static const double  wide[1] = {0.1};
static const uint8_t flags[3] = {1, 0, 1};
static const int64_t ids[2] = {-1, INT64_MAX};

static const RtTensor four[] = {
    {.name = "h.0.weight", .dtype = RT_f32, .rank = 2, .shape = {2, 3}, .bytes = 24, .data = (const char *)weights},
    {.name = "flags \"q\" \n", .dtype = RT_bool, .rank = 1, .shape = {3}, .bytes = 3, .data = (const char *)flags},
    {.name = "scalar", .dtype = RT_f64, .rank = 0, .bytes = 8, .data = (const char *)wide},
    {.name = "ids", .dtype = RT_i64, .rank = 1, .shape = {2}, .bytes = 16, .data = (const char *)ids},
};
static const RtTensor empty = {.name = "none", .dtype = RT_f32, .rank = 2, .shape = {0, 4}, .data = ""};
static const RtMeta metadata[] = {{"step", "12"}, {"note", "tab\t\"quoted\" \\ \xc3\xa9"}};

static void write_four(void)
{
    RtError e = {{0}};
    char *buffer = malloc((size_t)rt_tensors_header_bytes(four, 4, metadata, 2));
    if (!rt_tensors_write(path, four, 4, metadata, 2, buffer, &e)) fail_msg("%s", e.text);
    free(buffer);
}

static void round_trip(void **state)
{
    (void)state;
    RtError e = {{0}};
    write_four();
    RtTensors *t = rt_tensors_open(path, &e);
    if (!t) fail_msg("%s", e.text);
    assert_int_equal(rt_tensors_count(t), 4);
    assert_string_equal(rt_tensors_metadata(t, "step"), "12");
    assert_string_equal(rt_tensors_metadata(t, "note"), metadata[1].value);
    assert_null(rt_tensors_metadata(t, "absent"));
    assert_null(rt_tensors_find(t, "absent"));
    assert_true(rt_tensors_verify(t, RT_CHECKSUM_REQUIRED, &e));
    for (int i = 0; i < 4; i++) {
        const RtTensor *found = rt_tensors_find(t, four[i].name);
        assert_non_null(found);
        assert_int_equal(found->dtype, four[i].dtype);
        assert_int_equal(found->rank, four[i].rank);
        assert_int_equal(found->bytes, four[i].bytes);
        assert_memory_equal(found->shape, four[i].shape, (size_t)found->rank * sizeof(int64_t));
        int64_t element = rt_dtype_bytes(found->dtype);
        assert_int_equal(found->offset % element, 0);        /* aligned for whoever maps the file */
        char out[24];
        assert_true(rt_tensors_read(t, found, out, &e));
        assert_memory_equal(out, four[i].data, (size_t)found->bytes);
    }
    rt_tensors_close(t);
}

static void equal_tensors_are_equal_bytes(void **state)
{
    (void)state;
    write_four();
    Bytes first = slurp();
    write_four();
    Bytes second = slurp();
    assert_int_equal(first.size, second.size);
    assert_memory_equal(first.bytes, second.bytes, first.size);
    free(first.bytes);
    free(second.bytes);
}

static void empty_tensors(void **state)
{
    (void)state;
    RtError e = {{0}};
    RtTensor two[] = {empty, four[0]};
    char buffer[2000];
    assert_true(rt_tensors_write(path, two, 2, NULL, 0, buffer, &e));
    RtTensors *t = rt_tensors_open(path, &e);
    if (!t) fail_msg("%s", e.text);
    assert_true(rt_tensors_verify(t, RT_CHECKSUM_REQUIRED, &e));
    assert_int_equal(rt_tensors_find(t, "none")->bytes, 0);
    rt_tensors_close(t);
    assert_true(rt_tensors_write(path, NULL, 0, NULL, 0, buffer, &e));
    t = rt_tensors_open(path, &e);
    if (!t) fail_msg("%s", e.text);
    assert_int_equal(rt_tensors_count(t), 0);
    rt_tensors_close(t);
}

/* Wherever one byte changes, the file is refused or its checksum differs. */
static void every_changed_byte_is_noticed(void **state)
{
    (void)state;
    write_four();
    Bytes b = slurp();
    for (size_t i = 0; i < b.size; i++) {
        b.bytes[i] ^= 0x01;
        spill(b.bytes, b.size);
        b.bytes[i] ^= 0x01;
        RtError e = {{0}};
        RtTensors *t = rt_tensors_open(path, &e);
        if (t && rt_tensors_verify(t, RT_CHECKSUM_REQUIRED, &e)) fail_msg("byte %zu", i);
        rt_tensors_close(t);
    }
    free(b.bytes);
}

static void load_names_what_differs(void **state)
{
    (void)state;
    RtError e = {{0}};
    write_four();
    RtTensors *t = rt_tensors_open(path, &e);
    float out[6];
    RtValue wanted = {.name = "h.0.weight", .dtype = RT_f32, .rank = 2, .shape = {2, 3}, .bytes = 24};
    assert_true(rt_tensors_load(t, &wanted, (char *)out, &e));
    assert_memory_equal(out, weights, sizeof weights);
    wanted.shape[0] = 3, wanted.shape[1] = 2;
    assert_false(rt_tensors_load(t, &wanted, (char *)out, &e));
    assert_non_null(strstr(e.text, "tensor h.0.weight is f32[2, 3], the model wants f32[3, 2]"));
    wanted.name = "h.1.weight";
    assert_false(rt_tensors_load(t, &wanted, (char *)out, &e));
    assert_non_null(strstr(e.text, "there is no tensor h.1.weight"));
    rt_tensors_close(t);
}

/* A header and some bytes of data after it, as a file; the wanted words of the error ("" when the file is good). */
typedef struct Damage {
    const char *header;
    int         data;
    const char *error;
} Damage;

static const Damage damages[] = {
    {"{}", 0, ""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ", 8, ""},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, ""},
    {"", 0, "not valid JSON"},
    {"[]", 0, "not a JSON object"},
    {"{\"a\":", 0, "not valid JSON"},
    {"{\"a\":3}", 0, "tensor a: its entry is not a JSON object"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not a JSON object"},
    {"{\"__metadata__\":{\"x\":1}}", 0, "__metadata__: x is not a text"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor a: dtype is missing"},
    {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor a: dtype F33 is not supported"},
    {"{\"a\":{\"dtype\":4,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "tensor a: dtype is missing or not a text"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, "tensor a: shape is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "tensor a: shape holds something other"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, "tensor a: shape holds something other"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
     "tensor a: shape has 9 dimensions"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0,
     "more bytes than there can be"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,0]}}", 0, "not valid JSON"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "tensor a: data_offsets is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8,
     "tensor a: data_offsets is missing or not two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8,
     "tensor a: data_offsets is missing or not two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,\"8\"]}}", 8,
     "tensor a: data_offsets is missing or not two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "data_offsets 8 to 0 are no range"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "data_offsets -8 to 0 are no range"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7,
     "tensor a: its bytes end at 8 but the file holds 7"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9223372036854775807]}}", 8, "it is cut off"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 8,
     "tensor a: 4 bytes at offset 0, but its type and shape say 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9,
     "1 bytes after the last tensor belong to none"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_"
     "offsets\":[3,7]}}",
     7, "tensor b: shares bytes with tensor a at offset 3"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_"
     "offsets\":[0,4]}}",
     4, "tensor b: shares bytes with tensor a at offset 0"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
     "offsets\":[5,7]}}",
     7, "tensor b: the bytes before it, from offset 4 on, belong to no tensor"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
     "offsets\":[4,6]}}",
     6, "not valid JSON: duplicate object key"},
    {"{\"\x1b[31m\":{}}", 0, "not valid JSON"},
    {"{\"\\u001b[31m\":{}}", 0, "tensor ?[31m: dtype is missing"},
};

static void spill_damage(const Damage *d)
{
    char file[600] = {0};
    size_t size = strlen(d->header);
    file[0] = (char)size, file[1] = (char)(size >> 8);
    memcpy(file + 8, d->header, size);
    spill(file, 8 + size + (size_t)d->data);
}

static void damaged_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        spill_damage(&damages[i]);
        RtError e = {{0}};
        RtTensors *t = rt_tensors_open(path, &e);
        if ((t != NULL) != (*damages[i].error == '\0') || !strstr(e.text, damages[i].error)) {
            fail_msg("%s: got \"%s\", wanted \"%s\"", damages[i].header, e.text, damages[i].error);
        }
        if (!t) assert_non_null(strstr(e.text, path));
        rt_tensors_close(t);
    }
}

static void refuse(const char *wanted)
{
    RtError e = {{0}};
    assert_null(rt_tensors_open(path, &e));
    if (!strstr(e.text, wanted)) fail_msg("got \"%s\", wanted \"%s\"", e.text, wanted);
}

static void damaged_lengths(void **state)
{
    (void)state;
    spill("", 0);
    refuse("only 0 bytes");
    spill("1234567", 7);
    refuse("only 7 bytes");
    spill("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
    refuse("not a safetensors file, or cut off");
    spill("\x00\x00\x00\x00\x00\x00\x00\x80{}", 10);
    refuse("not a safetensors file, or cut off");
    spill("\x03\0\0\0\0\0\0\0{}", 10);
    refuse("not a safetensors file, or cut off");
    unlink(path);
    refuse("No such file");
    RtError e = {{0}};
    assert_null(rt_tensors_open(directory, &e));
    assert_non_null(strstr(e.text, "not a file"));
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    write_four();
    Bytes b = slurp();
    for (size_t size = 0; size < b.size; size++) {
        spill(b.bytes, size);
        RtError e = {{0}};
        assert_null(rt_tensors_open(path, &e));
    }
    free(b.bytes);
}

/* When writing fails in the middle, the old file is as it was and nothing is left beside it. */
static void full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    write_four();
    Bytes before = slurp();
    static char zeros[100000];
    RtTensor large = {
        .name = "large", .dtype = RT_u8, .rank = 1, .shape = {sizeof zeros}, .bytes = sizeof zeros, .data = zeros};
    struct rlimit old, small = {.rlim_cur = 50000};
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    char buffer[1000];
    RtError e = {{0}};
    bool written = rt_tensors_write(path, &large, 1, NULL, 0, buffer, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_false(written);
    assert_non_null(strstr(e.text, "cannot write"));
    Bytes after = slurp();
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.bytes, after.bytes, before.size);
    free(before.bytes);
    free(after.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(equal_tensors_are_equal_bytes),
        cmocka_unit_test(empty_tensors),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(load_names_what_differs),
        cmocka_unit_test(damaged_headers),
        cmocka_unit_test(damaged_lengths),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(full_disk_keeps_the_old_file),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
