/* A model inside of a program: trains it, says how good it became, and asks it what comes next.
 *
 *     cc inside.c -o inside $(pkg-config --cflags --libs ptm)
 *     ./inside ../gpt.ptm --steps 300
 *
 * Everything behind the model's name are flags of the command line, such as --data text=book.txt. */
#include <ptm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(bool good, const PtmError *error)
{
    if (good) return;
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

static void train(PtmTraining *training)
{
    PtmError error;
    double loss, value;
    const char *name;
    int64_t steps = ptm_training_steps(training);
    for (int64_t step = 1; step <= steps; step++) {
        check(ptm_training_step(training, &loss, &error), &error);
        if (step == 1 || step % 100 == 0 || step == steps) printf("step %lld  loss %.9g\n", (long long)step, loss);
    }
    check(ptm_training_evaluate(training, 0, &name, &value, &error), &error);
    printf("%s %.9g\n", name, value);
}

/* The likeliest id behind eight times the first one. */
static void predict(PtmEntry *logits)
{
    PtmError error;
    const PtmArray *ids = ptm_entry_input(logits, "ids"), *out = ptm_entry_output(logits, 0);
    memset(ids->data, 0, (size_t)ids->bytes);
    check(ptm_entry_run(logits, &error), &error);
    int64_t size = out->shape[2];
    const float *last = (const float *)out->data + (out->shape[1] - 1) * size;
    int best = 0;
    for (int id = 1; id < size; id++)
        if (last[id] > last[best]) best = id;
    printf("of %lld ids, %d is the likeliest (%.6g)\n", (long long)size, best, last[best]);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s MODEL.ptm [flags]\n", argv[0]);
        return 2;
    }
    PtmError error;
    PtmModel *model = ptm_open(argv[1], (const char *const *)argv + 2, &error);
    check(model != NULL, &error);
    PtmTraining *training = ptm_training(model, &error);
    check(training != NULL, &error);
    PtmEntry *logits = ptm_entry(model, "logits", (const char *const[]){"B=1", "T=8", NULL}, &error);
    check(logits != NULL, &error);
    check(ptm_build(model, &error), &error);
    train(training);
    predict(logits);
    check(ptm_save(model, "inside.safetensors", &error), &error);
    ptm_close(model);
    return 0;
}
