/* Building the functions of a shipment: arguments in the order of C, memory first, results last. */
#ifndef PTM_CLI_SHIPPED_H
#define PTM_CLI_SHIPPED_H

#include "frontend/cli/shipment.h"

#define NUMBER_SEED "seed"
#define NUMBER_STEP "step"

/* A name that C and C++ accept, and that no argument of f has, which may be NULL. */
const char *ship_name(Session *s, const Shipped *f, const char *name);
/* name: behind the prefix; about: lines of its comment. */
Shipped    *ship_function(Shipment *m, const char *name, const char *about);
void        ship_argument(Shipment *m, Shipped *f, const char *name, ExportArg arg);
void        ship_block(Shipment *m, Shipped *f, RtBlock block);          /* unless it lies in the object */
void        ship_work(Shipment *m, Shipped *f);                          /* and the pool */
void        ship_number(Shipment *m, Shipped *f, const char *name);
void        ship_value(Shipment *m, Shipped *f, ExportArgKind kind, const char *name);

/* The table of a plan: its number, or -1 after an error. */
int         ship_program(Shipment *m, const Plan *plan, const char *name);
ExportCase *ship_case(Shipment *m, Shipped *f, const int64_t *dims);
void        ship_run(Shipment *m, ExportCase *c, int program);

bool        plan_reads(const Plan *p, Storage storage);
bool        plan_writes(const Plan *p, Storage storage);

/* What some plans, those of a function's cases, need: blocks, then seed and step, of a training step both, always.
 * False after saying that it writes parameters which are constants. */
bool        ship_memory(Shipment *m, Shipped *f, const Plan *const *plans, int count, bool trains);
void        ship_histories(Shipment *m, Shipped *f, const Plan *const *plans, int count);
void        ship_results(Shipment *m, Shipped *f, const Plan *const *plans, int count);      /* and the fault */

/* ship_step.c: the training step of a stage. False after an error. */
bool        ship_step(Shipment *m, int stage, const char *entry);

#endif
