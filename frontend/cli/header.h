/* The C header of a shipped object. */
#ifndef PTM_CLI_HEADER_H
#define PTM_CLI_HEADER_H

#include "frontend/cli/shipment.h"

/* Writes the header, with m->abi in it. file: the object's name, for the comment. C99 and C++. */
void header_write(const Shipment *m, const char *file, FILE *out);

/* What m->abi is to be: a hash of everything else that the header says. */
uint64_t header_hash(const Shipment *m, const char *file);

#endif
