/* Training without a framework: the whole step of a model, gradients and optimizer included, as one call.
 *
 *   ptm compile models/gpt.ptm --data text=book.txt --steps 2000 --entry train -o gpt.o
 *   cc -O2 models/embed/train.c gpt.o -I. -lm -o train
 *   ./train book.txt 2000 gpt.safetensors
 *   ptm eval models/gpt.ptm --data text=book.txt --weights gpt.safetensors
 *
 * book.txt is plain ASCII; its characters are numbered in their order, as the model's data block does it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpt.h"

static const int shape[] = GPT_TRAIN_IDS_SHAPE;              /* windows of a batch, tokens of a window */

static void *block(size_t bytes)
{
    void *memory = aligned_alloc(GPT_ALIGNMENT, (bytes + GPT_ALIGNMENT - 1) / GPT_ALIGNMENT * GPT_ALIGNMENT);
    if (memory) return memory;
    fprintf(stderr, "not enough memory\n");
    exit(1);
}

static void check(int code, const gpt_fault *fault)
{
    if (code == GPT_OK) return;
    fprintf(stderr, "%s", gpt_error(code));
    if (code == GPT_BAD_INDEX)
        fprintf(stderr, ": %s, id %lld of %lld", fault->place, (long long)fault->index, (long long)fault->rows);
    fprintf(stderr, "\n");
    exit(1);
}

/* The ids of a text, and how many. */
static int32_t *read_ids(const char *path, long *count)
{
    int number[256] = {0}, known = 0, c;
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) || (*count = ftell(file)) <= shape[1]) {
        fprintf(stderr, "%s: no text, or a short one\n", path);
        exit(1);
    }
    int32_t *ids = malloc((size_t)*count * sizeof *ids);
    if (!ids) exit(1);
    rewind(file);
    for (long k = 0; k < *count && (c = fgetc(file)) != EOF; k++) number[ids[k] = c] = 1;
    fclose(file);
    for (c = 0; c < 256; c++) number[c] = number[c] ? known++ : -1;
    for (long k = 0; k < *count; k++) ids[k] = number[ids[k]];
    return ids;
}

/* A file that `ptm --weights` and others read: the length of a header, the header, all tensors. */
static void write_safetensors(const char *path, const char *param)
{
    static char header[256 * GPT_PARAMS_COUNT];
    int size = 0;
    long long at = 0;
    for (int k = 0; k < GPT_PARAMS_COUNT; k++) {
        const gpt_value *v = &gpt_params[k];
        size += snprintf(header + size, sizeof header - (size_t)size, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[",
                         k ? ',' : '{', v->name, v->dtype);
        for (int axis = 0; axis < v->rank; axis++)
            size += snprintf(header + size, sizeof header - (size_t)size, "%s%lld", axis ? "," : "",
                             (long long)v->shape[axis]);
        size += snprintf(header + size, sizeof header - (size_t)size, "],\"data_offsets\":[%lld,%lld]}", at,
                         at + (long long)v->bytes);
        at += v->bytes;
    }
    header[size++] = '}';
    while (size % 8) header[size++] = ' ';
    unsigned char length[8] = {0};
    for (int k = 0; k < 4; k++) length[k] = (unsigned char)(size >> 8 * k);
    FILE *file = fopen(path, "wb");
    if (!file) exit((perror(path), 1));
    fwrite(length, 1, 8, file);
    fwrite(header, 1, (size_t)size, file);
    for (int k = 0; k < GPT_PARAMS_COUNT; k++)
        fwrite(param + gpt_params[k].offset, 1, (size_t)gpt_params[k].bytes, file);
    if (fclose(file)) exit((perror(path), 1));
}

int main(int argc, char **argv)
{
    if (argc != 4) return fprintf(stderr, "usage: train TEXT STEPS WEIGHTS\n"), 2;
    long count, steps = atol(argv[2]);
    int32_t *text = read_ids(argv[1], &count), ids[GPT_TRAIN_IDS_COUNT];
    char *param = block(GPT_PARAM_BYTES), *state = block(GPT_TRAIN_STATE_BYTES), *work = block(GPT_WORK_BYTES);
    const int64_t seed = 1;
    unsigned random = 1;
    float loss = 0, lr = 0;
    gpt_fault fault;
    check(gpt_init(GPT_ABI, param, work, seed), &fault);
    check(gpt_train_begin(GPT_ABI, state), &fault);
    for (long step = 0; step < steps; step++) {
        for (int row = 0; row < shape[0]; row++) {
            random = random * 1664525u + 1013904223u;
            long from = (long)(random >> 4) % (count - shape[1] + 1);
            memcpy(ids + row * shape[1], text + from, (size_t)shape[1] * sizeof *ids);
        }
        check(gpt_train(GPT_ABI, param, state, work, seed, step, ids, &loss, NULL, &lr, &fault), &fault);
        if (step % 100 == 0 || step + 1 == steps) printf("step %ld  loss %.4f  lr %.2g\n", step + 1, loss, lr);
    }
    write_safetensors(argv[3], param);
    return 0;
}
