/* The weights blocks of a model file: how parameters are made of the tensors of a file that has other names and shapes
 * (the language reference, "Weights"). The frontend knows lines, names and shapes; whoever reads files gives theirs. */
#ifndef PTM_WEIGHTS_H
#define PTM_WEIGHTS_H

#include "frontend/frontend.h"

typedef struct WeightLine WeightLine;

/* A line of a block, for one text of its wildcards: targets = expression of sources. What no line mentions is a rule of
 * one target and one source of that name. */
typedef struct WeightRule {
    Place              place;            /* of the line, or of the block */
    const Param      **targets;          /* NULL: not a parameter of the model, or given by a later line */
    int                target_count;
    const char       **sources;          /* names in the file, each once */
    int                source_count;
    const WeightLine  *line;             /* NULL: no line mentions the target */
    const char *const *parts;            /* the texts of the wildcards */
    int                part_count;
} WeightRule;

/* Blocks, in the order of the file. In what follows, block -1 stands for files with the model's own names. */
int         weights_count(const Model *m);
const char *weights_name(const Model *m, int block);
const char *weights_setting(int i);      /* the words of their settings; NULL behind the last */

/* The names that a file has: an answer of false makes a name with the block's prefix be tried without. NULL: all. */
typedef bool WeightNames(void *context, const char *name);

/* The rules for all parameters that the model has by now, each parameter in one of them. */
const WeightRule *weights_rules(Model *m, int block, WeightNames *has, void *context, int *count);

/* Does an `ignore` line of the block match this name of the file? */
bool weights_ignores(const Model *m, int block, const char *name);

/* The rule as a graph that only moves elements (reshape, permute, slice, concat): inputs by the names of the sources,
 * which have these types; results "0", "1" … of the targets' shapes. NULL after reporting. */
Graph *weights_graph(Model *m, const WeightRule *r, const Type *types, Diagnostics *d);

/* The shapes of sources that follow from those of the targets. `shapes` has one for each source: what is known already
 * grows by what this rule needs. False when some stay unknown (rank -1). */
typedef struct WeightShape {
    int     rank;
    int64_t dim[MAX_RANK];
} WeightShape;
bool weights_shapes(Model *m, const WeightRule *rule, WeightShape *shapes);

/* The type of a source that has this shape. */
Type weights_type(const Model *m, const WeightRule *rule, const WeightShape *shape);

/* Elaborates every entry that its signature describes, so that the model has all its parameters. False when one of them
 * fails; then it says nothing of it: `ptm check` does. */
bool weights_reach(Model *m);

/* What `ptm check` reports of the blocks: patterns that match nothing, lines that cannot be. The model has all its
 * parameters. */
void weights_check(Model *m, Diagnostics *d);

#endif
