/* Text from a trained model, as `ptm generate` makes it: the model is read once, and every token costs one token.
 *
 *     cc write.c -o write $(pkg-config --cflags --libs ptm)
 *     ptm train ../gpt.ptm --out run/
 *     ./write ../gpt.ptm "the " 40 --weights run/
 *
 * Up to `context` tokens of the model: its states hold no more. */
#include <ptm.h>

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 4096 };

static void check(bool good, const PtmError *error)
{
    if (good) return;
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

/* What comes behind `id` and all that was read before it. */
static const float *read_one(PtmEntry *next, int32_t id)
{
    PtmError error;
    *(int32_t *)ptm_entry_input(next, "ids")->data = id;
    check(ptm_entry_run(next, &error), &error);
    return ptm_entry_output(next, 0)->data;
}

static void write_text(PtmModel *model, PtmEntry *next, const char *prompt, int length)
{
    PtmError error;
    PtmSampling how = {.temperature = 1};
    int32_t ids[MOST];
    char piece[256];
    int64_t count = ptm_encode(model, prompt, ids, MOST, &error), size = ptm_entry_output(next, 0)->shape[1];
    check(count >= 0, &error);
    if (count < 1 || count + length > MOST) {
        fprintf(stderr, "the prompt has %lld tokens\n", (long long)count);
        exit(1);
    }
    const float *logits = NULL;
    for (int64_t k = 0; k < count; k++) logits = read_one(next, ids[k]);
    fputs(prompt, stdout);
    for (int k = 0; k < length; k++) {
        ids[count] = ptm_choose(model, &how, logits, size, ids, count, k);
        check(ids[count] >= 0 && ptm_decode(model, &ids[count], 1, piece, sizeof piece, &error) >= 0, &error);
        fputs(piece, stdout);
        fflush(stdout);
        logits = read_one(next, ids[count++]);
    }
    putchar('\n');
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s MODEL.ptm PROMPT LENGTH [flags]\n", argv[0]);
        return 2;
    }
    PtmError error;
    PtmModel *model = ptm_open(argv[1], (const char *const *)argv + 4, &error);
    check(model != NULL, &error);
    PtmEntry *next = ptm_entry(model, "next", (const char *const[]){"B=1", "T=1", NULL}, &error);
    check(next != NULL, &error);
    check(ptm_build(model, &error), &error);
    write_text(model, next, argv[2], atoi(argv[3]));
    ptm_close(model);
    return 0;
}
