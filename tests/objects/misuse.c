/* What libptm says to callers who are wrong: every one an error with its text, and none an end of the program.
 * usage: misuse MODEL.ptm */
#include <ptm.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static PtmError error;
static int wrong;

/* The call before failed, and said why. */
static void said(bool failed, const char *why)
{
    if (failed && strstr(error.text, why)) return;
    printf("not \"%s\" but \"%s\"\n", why, failed ? error.text : "no error");
    wrong = 1;
}

static void opening(const char *path)
{
    said(!ptm_open("nothing.ptm", NULL, &error), "cannot read nothing.ptm");
    said(!ptm_open("--nothing", NULL, &error), "cannot read ./--nothing");
    said(!ptm_open(path, (const char *const[]){"--nothing", NULL}, &error), "there is no flag --nothing here");
    said(!ptm_open(path, (const char *const[]){"--set", "nothing=3", NULL}, &error), "there is no constant nothing");
}

static void asking(PtmModel *model)
{
    said(!ptm_entry(model, "logit", NULL, &error), "did you mean logits?");
    said(!ptm_entry(model, "logits", NULL, &error), "what is B?");
    said(!ptm_entry(model, "logits", (const char *const[]){"B=0", NULL}, &error), "\"B=0\": a dimension is");
    said(!ptm_entry(model, "logits", (const char *const[]){"B=99999999999999999999", NULL}, &error),
         "a dimension is NAME=N, a whole number");
    said(!ptm_entry(model, "logits", (const char *const[]){"C=3", NULL}, &error), "no input has a dimension C");
    said(!ptm_save(model, "x", &error), "not built yet");
}

static void running(PtmModel *model, PtmEntry *next)
{
    *(int32_t *)ptm_entry_input(next, "ids")->data = 12345;
    said(!ptm_entry_run(next, &error), "index 12345 is outside");
    said(!ptm_build(model, &error), "built already");
    said(!ptm_training(model, &error), "ask for training before");
    said(!ptm_entry_input(next, "nothing") && !ptm_entry_output(next, 1) && !ptm_param(model, -1), "");
    said(!ptm_save(model, "nowhere/x", &error), "nowhere/x");
}

/* Ids that are none have no logit to change. */
static void choosing(PtmModel *model)
{
    PtmSampling how = {.temperature = 0, .repetition_penalty = 2};
    float logits[3] = {1, 3, 2};
    const int32_t ids[] = {-1, -100000000, 1, 100000000};
    said(ptm_choose(model, &how, logits, 3, ids, 4, 0) == 2 && ptm_choose(model, &how, logits, 3, ids, 2, 0) == 1, "");
    logits[0] = NAN;
    said(ptm_choose(model, &how, logits, 3, ids, 4, 0) == -1, "");
    said(ptm_choose(model, &how, logits, 0, ids, 4, 0) == -1, "");
    said(ptm_decode(model, ids, 1, NULL, 0, &error) == -1, "id -1 is outside the vocabulary");
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    opening(argv[1]);
    PtmModel *model = ptm_open(argv[1], NULL, &error);
    if (!model) return puts(error.text), 1;
    asking(model);
    PtmEntry *next = ptm_entry(model, "next", (const char *const[]){"B=1", "T=1", NULL}, &error);
    if (!next || ptm_entry_run(next, &error) || !ptm_build(model, &error)) return puts(error.text), 1;
    running(model, next);
    choosing(model);
    ptm_close(model);
    ptm_close(NULL);
    return wrong;
}
