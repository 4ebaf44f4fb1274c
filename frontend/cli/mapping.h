/* Which parameter is made of which tensors of a file: by the names of the model, or by a weights block of its file. */
#ifndef PTM_CLI_MAPPING_H
#define PTM_CLI_MAPPING_H

#include "frontend/cli/session.h"
#include "frontend/weights.h"
#include "runtime/train/transfer.h"
#include "runtime/train/weightfile.h"

typedef struct MappedRule {
    const WeightRule *rule;
    const RtTensor  **tensors;           /* of the rule's sources; NULL: the file has none of that name */
    const Graph      *graph;             /* from tensors to parameters; NULL: one is missing, or they do not fit */
    bool              missing;
} MappedRule;

typedef struct Mapping {
    Session         *s;
    const RtWeights *file;
    const char      *path;
    int              block;              /* of the model; -1: the model's own names */
    MappedRule      *rules;
    int              rule_count;
    Map             *names;              /* of the file's tensors -> RtTensor */
    bool            *used;               /* of each tensor of the file, in its order */
    Diagnostics     *d;                  /* what lines of the block say to shapes that do not fit */
} Mapping;

/* The block that --weights NAME:FILE names; else the first of the model's own names and its blocks by which most
 * parameters find tensors that fit. wanted: paths of the parameters that count, or NULL for all that the model has. */
void mapping_find(Session *s, const RtWeights *file, const char *path, const Map *wanted, Mapping *out);
bool mapping_fits(const Mapping *m);

/* "by their own names", "as hf": how the file was read. */
const char *mapping_title(const Mapping *m);

/* Says what does not fit, if anything; and, of files that ptm did not write, which tensors nothing reads. */
bool mapping_report(const Mapping *m);

/* Reads the tensors into the places of these values in `block`, as the types that they have there: of an i8 value of an
 * f32 parameter the scales are a value too. Values that no rule gives stay as they are. */
bool mapping_load(const Mapping *m, const RtValue *values, int count, char *block, RtError *e);

/* The one table of what matches and what does not, both ways. True when all parameters have what they need. */
bool mapping_print(const Mapping *m, FILE *out);

/* A name from a file, without what a terminal would obey. */
const char *mapping_shown(Arena *arena, const char *name);

/* "f32[2, 3]", of a tensor of a file and of a parameter with the values of its dimensions. */
const char *mapping_tensor_text(Arena *arena, const RtTensor *t);
const char *mapping_param_text(Arena *arena, const Param *p);

#endif
