/* The code of the rows of builtin.def: arguments in the order of the row, none where absent. */
#ifndef PTM_BUILTIN_H
#define PTM_BUILTIN_H

#include "frontend/elab.h"

enum { MAX_BUILTIN_PARAMETERS = 8 };

#define BUILTIN(name, required, parameters, doc) Value builtin_##name(Elab *e, const Value *args, Place place);
#define ELEMENTWISE(name)
#define RESERVED(name)
#include "frontend/builtin.def"
#undef BUILTIN
#undef ELEMENTWISE
#undef RESERVED

/* A list of dimensions, or one. */
bool builtin_read_shape(Elab *e, const Value *v, DType dtype, Place place, Type *out);

#endif
