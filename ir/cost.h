/* What work costs: floating-point operations, as column `cost` of ops.def counts them for one element, and bytes. */
#ifndef PTM_COST_H
#define PTM_COST_H

#include "ir/plan.h"

typedef struct Cost {
    double  operations;                  /* all of them; a multiply-add is two */
    double  products;                    /* of these: in einsums */
    int64_t read, written;               /* bytes of the values in memory that are read and made, each once */
} Cost;

double node_operations(const Node *node);                    /* of one evaluation; movement is none */
Cost   kernel_cost(const Kernel *kernel);                    /* of one run; of a scan: its arguments and results */
/* Of all kernels, loops as often as they go around at most. Of what a scatter changes in place the changes count. */
Cost   plan_cost(const Plan *p);

#endif
