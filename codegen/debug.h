/* Line tables that point into the model's file, so that debuggers and profilers show its lines. Nothing happens when
 * the unit was made without them. */
#ifndef PTM_CODEGEN_DEBUG_H
#define PTM_CODEGEN_DEBUG_H

#include "codegen/emit.h"

typedef struct DebugLines DebugLines;

Place debug_place(const Node *node);      /* the line that a node's code is said to come from */

void debug_open(Unit *u, Arena *arena, const char *entry);
void debug_function(Unit *u, LLVMValueRef function, const Node *node, const char *name);
void debug_at(const Unit *u, const Node *node);              /* the builder's next instructions come from this node */
void debug_close(Unit *u);

#endif
