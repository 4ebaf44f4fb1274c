/* What `ptm compile` ships: programs of the entries, the C functions over them, the blocks and lists that lie in the
 * object. The object (codegen/export.h) and the header (header.h) are made of it. */
#ifndef PTM_CLI_SHIPMENT_H
#define PTM_CLI_SHIPMENT_H

#include "codegen/export.h"
#include "frontend/cli/run.h"

/* A function of the object, with what the header says of it beyond the object's own description. */
typedef struct Shipped {
    ExportFunction  f;
    const char     *about;               /* lines of its comment */
    const char     *name;                /* behind the prefix: "logits", "train_begin" */
    const char     *signature;           /* as the model has it: "logits(ids: i32[B, T])"; NULL: no entry */
    Vec(const char *) names;             /* in C, of its arguments */
    Vec(const char *) dims;              /* of its symbols: "B", "T" */
    int64_t       **values;              /* of these, by case */
    const Plan    **plans;               /* by case: for the types of values. NULL: no entry */
    bool            writes[BLOCK_COUNT];
} Shipped;

typedef struct Shipment {
    Session    *s;
    Run         run;                     /* of the stages that train, and the layout of parameters and tables */
    Job         job;                     /* of the other entries, and their states */
    Export     *export;                  /* owned */
    ExportContents contents;
    Vec(Shipped *) shipped;
    const char *prefix;                  /* of every symbol: "gpt" */
    const RtValue *params;               /* at places of the param block */
    int         param_count;
    ExportOptions options;
    uint64_t    abi;
} Shipment;

/* Whether a list of entries names a step of training. */
bool shipment_trains(const char *entries);

/* Elaborates, plans and makes the tables of what --entry names. False after printing what is wrong; close it all the
 * same. prefix: of every symbol. */
bool shipment_open(Shipment *m, Session *s, const char *prefix, const ExportOptions *options);
void shipment_close(Shipment *m);

#endif
