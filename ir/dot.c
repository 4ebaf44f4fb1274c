/* The graph as a drawing for `dot`. */
#include "ir/text.h"

#include <string.h>

static const char *colour(const Node *node)
{
    if (node->op == OP_einsum) return "lightsalmon";
    if (node->op == OP_input) return node->attr.storage == STORE_param ? "gold" : "lightyellow";
    if (op_is_element(node->op)) return "lightblue";
    return op_is_movement(node->op) ? "white" : "palegreen";
}

/* Label texts hold quotes and backslashes of their own, so the label is quoted as a whole; \n is dot's new line. */
static void print_node(Arena *arena, const Node *node, FILE *out)
{
    const char *head = arena_print(arena, "%%%u %s%s", node->id, op_name(node->op), text_attrs(arena, node));
    const char *label = text_quoted(arena, head);
    fprintf(out, "  n%u [fillcolor=%s, label=%.*s\\n%s", node->id, colour(node), (int)strlen(label) - 1, label,
            type_text(arena, &node->type));
    if (node->origin_count) {
        const char *origin = text_quoted(arena, origin_text(arena, node->origins[0]));
        fprintf(out, "\\n%.*s", (int)strlen(origin) - 2, origin + 1);
    }
    fprintf(out, "\"];\n");
    for (int i = 0; i < node->arg_count; i++) fprintf(out, "  n%u -> n%u;\n", node->args[i]->id, node->id);
}

void graph_print_dot(const Graph *g, FILE *out)
{
    Arena *arena = arena_new();
    fprintf(out, "digraph %s {\n  node [shape=box, style=filled, fontname=monospace];\n", text_quoted(arena, g->name));
    for (int i = 0; i < g->nodes.count; i++) print_node(arena, g->nodes.at[i], out);
    for (int i = 0; i < g->outputs.count; i++) {
        const Output *output = &g->outputs.at[i];
        const char *kind = output->kind == OUTPUT_update ? "update" : "result";
        fprintf(out, "  o%d [shape=ellipse, fillcolor=lightgrey, label=%s];\n  n%u -> o%d;\n", i,
                text_quoted(arena, arena_print(arena, "%s %s", kind, output->name)), output->node->id, i);
    }
    fprintf(out, "}\n");
    arena_free(arena);
}
