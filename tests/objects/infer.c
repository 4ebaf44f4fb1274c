/* Calls the function `logits` of model.o, whose parameters are part of it: on ids that it writes to ids.npy too, for
 * `ptm run`; the result goes to out.raw. With STATE the function takes states, which begin first. With CASES it takes B
 * and T. Then everything that can be wrong about a call, and every set of instructions: SETS of them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

#ifdef STATE
#define STATE_ARGUMENT state,
#else
#define STATE_ARGUMENT
#endif
#ifdef CASES
#define DIMS(b, t) b, t,
#else
#define DIMS(b, t)
#endif
#ifdef BLAS
extern void openblas_set_num_threads(int);
#endif

enum { COUNT = MODEL_LOGITS_IDS_COUNT, RESULTS = MODEL_LOGITS_LOGITS_COUNT };

static void *block(size_t bytes)
{
    void *memory = aligned_alloc(MODEL_ALIGNMENT, (bytes + 127) / 64 * 64);
    if (!memory) exit(2);
    memset(memory, 0xA5, bytes);
    return memory;
}

static void want(int code, int wanted, const char *what)
{
    if (code == wanted) return;
    fprintf(stderr, "%s: %s, not %s\n", what, model_error(code), model_error(wanted));
    exit(1);
}

static void write_all(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file)) exit(2);
}

static void write_npy(const char *path, const int32_t *ids)
{
    char bytes[128 + COUNT * 4], text[100];
    int size = snprintf(text, sizeof text, "{'descr': '<i4', 'fortran_order': False, 'shape': (%d, %d), }",
                        (int)LOGITS_B, (int)LOGITS_T);
    memset(bytes, ' ', 127);
    bytes[127] = '\n';
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    memcpy(bytes + 10, text, (size_t)size);
    memcpy(bytes + 128, ids, COUNT * 4);
    write_all(path, bytes, sizeof bytes);
}

/* A line that count_alloc.so takes for one of metrics, and writes its count at. */
static void mark(int number)
{
    char line[32];
    int size = snprintf(line, sizeof line, "{\"step\": %d}\n", number), file = open("/dev/null", O_WRONLY);
    if (write(file, line, (size_t)size) != size) exit(2);
    close(file);
}

int main(void)
{
    char *work = block(MODEL_WORK_BYTES);
#ifdef STATE
    char *state = block(MODEL_STATE_BYTES);
    want(model_begin(MODEL_ABI, state), MODEL_OK, "begin");
#endif
    int32_t ids[COUNT];
    static float out[RESULTS], again[RESULTS];
    model_fault fault = {"", 0, 0};
    for (int k = 0; k < COUNT; k++) ids[k] = k * 7 % 29;
    write_npy("ids.npy", ids);
#define CALL(abi, work, ids, out) \
    model_logits(abi, DIMS(LOGITS_B, LOGITS_T) STATE_ARGUMENT work, ids, out, &fault)
#ifdef BLAS                              /* it maps a buffer for its first product */
    openblas_set_num_threads(1);
    want(CALL(MODEL_ABI, work, ids, out), MODEL_OK, "the first product");
#ifdef STATE
    want(model_begin(MODEL_ABI, state), MODEL_OK, "begin");
#endif
#endif
    mark(0);
    want(CALL(MODEL_ABI, work, ids, out), MODEL_OK, "logits");
    mark(1);
    write_all("out.raw", out, sizeof out);

    want(CALL(MODEL_ABI + 1, work, ids, out), MODEL_WRONG_ABI, "another hash");
    want(CALL(MODEL_ABI, NULL, ids, out), MODEL_NULL_POINTER, "no work");
    want(CALL(MODEL_ABI, work, NULL, out), MODEL_NULL_POINTER, "no ids");
    want(CALL(MODEL_ABI, work + 4, ids, out), MODEL_UNALIGNED, "work between lines");
    want(CALL(MODEL_ABI, work, ids, NULL), MODEL_OK, "no result wanted");
#ifdef CASES
    want(model_logits(MODEL_ABI, DIMS(LOGITS_B, LOGITS_T + 1) STATE_ARGUMENT work, ids, out, &fault), MODEL_NO_SHAPE,
         "one more token");
    want(model_logits(MODEL_ABI, DIMS(LOGITS_B, 1) STATE_ARGUMENT work, ids, out, &fault), MODEL_OK, "one token");
#endif
    ids[3] = 29;
    want(CALL(MODEL_ABI, work, ids, out), MODEL_BAD_INDEX, "an id behind the table");
    if (fault.index != 29 || fault.rows != 29 || !strstr(fault.place, ".ptm:")) {
        fprintf(stderr, "the fault is %s, %d of %d\n", fault.place, (int)fault.index, (int)fault.rows);
        return 1;
    }
    ids[3] = 21;
#if SETS > 1
    want(model_use_instruction_set(SETS), MODEL_NO_INSTRUCTIONS, "a set that there is not");
    int best = model_instruction_set();
    for (int set = 0; set <= best; set++) {
        want(model_use_instruction_set(set), MODEL_OK, "a set of instructions");
#ifdef STATE
        want(model_begin(MODEL_ABI, state), MODEL_OK, "begin");
#endif
        memset(work, 0x5A, MODEL_WORK_BYTES);
        want(CALL(MODEL_ABI, work, ids, set ? again : out), MODEL_OK, "logits");
        float most = 0;
        for (int k = 0; set && k < RESULTS; k++)
            if (again[k] - out[k] > most || out[k] - again[k] > most) most = again[k] > out[k] ? again[k] - out[k]
                                                                                              : out[k] - again[k];
        if (!(most < 1e-4f)) return fprintf(stderr, "set %d differs by %g\n", set, most), 1;
        if (set == 1) write_all("avx2.raw", again, sizeof again);
    }
    printf("%d sets\n", best + 1);
#else
    (void)again;
#endif
    return 0;
}
