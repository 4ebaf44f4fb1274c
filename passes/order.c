/* The table of passes, as texts. */
#include "passes/passes.h"

static const char *const names[] = {
#define GRAPH(name, function, doc) #name,
#define LOWER(name, function, doc) #name,
#define PLAN(name, function, doc) #name,
#include "passes/passes.def"
#undef GRAPH
#undef LOWER
#undef PLAN
};

static const char *const docs[] = {
#define GRAPH(name, function, doc) doc,
#define LOWER(name, function, doc) doc,
#define PLAN(name, function, doc) doc,
#include "passes/passes.def"
#undef GRAPH
#undef LOWER
#undef PLAN
};

int pass_count(void) { return (int)(sizeof names / sizeof *names); }
const char *pass_name(int i) { return names[i]; }
const char *pass_doc(int i) { return docs[i]; }
