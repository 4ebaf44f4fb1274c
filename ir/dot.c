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

/* What a node is called within dot: "n7", "n7_2" in the body of the scan n7. */
static const char *name_of(Arena *arena, const char *prefix, const Node *node)
{
    return arena_print(arena, "%s%u", prefix, node->id);
}

/* Label texts hold quotes and backslashes of their own, so the label is quoted as a whole; \n is dot's new line. */
static const char *label_of(Arena *arena, const Node *node)
{
    const char *head = arena_print(arena, "%%%u %s%s", node->id, op_name(node->op), text_attrs(arena, node));
    const char *quoted = text_quoted(arena, head);
    const char *label = arena_print(arena, "%.*s\\n%s", (int)strlen(quoted) - 1, quoted, type_text(arena, &node->type));
    if (node->origin_count) {
        const char *origin = text_quoted(arena, origin_text(arena, node->origins[0]));
        label = arena_print(arena, "%s\\n%.*s", label, (int)strlen(origin) - 2, origin + 1);
    }
    return arena_print(arena, "%s\"", label);
}

static void print_nodes(Arena *arena, const Graph *g, const char *prefix, FILE *out);

/* A scan is a box around its body; its arguments lead to the body's inputs. */
static void print_scan(Arena *arena, const Node *scan, const char *prefix, FILE *out)
{
    const char *name = name_of(arena, prefix, scan), *inner = arena_print(arena, "%s_", name);
    fprintf(out, "  subgraph cluster_%s {\n  label=%s;\n", name, label_of(arena, scan));
    print_nodes(arena, scan->region, inner, out);
    fprintf(out, "  }\n");
    for (int i = 0; i < scan->arg_count; i++)
        fprintf(out, "  %s -> %s;\n", name_of(arena, prefix, scan->args[i]),
                name_of(arena, inner, scan_input(scan, i)));
}

/* The body's node that a result of the scan is made of. */
static void print_pick_edge(Arena *arena, const Node *pick, const char *prefix, FILE *out)
{
    const Node *scan = pick->args[0], *from = scan_output(scan, (int)pick->attr.i)->node;
    const char *inner = arena_print(arena, "%s_", name_of(arena, prefix, scan));
    fprintf(out, "  %s -> %s;\n", name_of(arena, inner, from), name_of(arena, prefix, pick));
}

static void print_node(Arena *arena, const Node *node, const char *prefix, FILE *out)
{
    const char *name = name_of(arena, prefix, node);
    fprintf(out, "  %s [fillcolor=%s, label=%s];\n", name, colour(node), label_of(arena, node));
    if (node->op == OP_pick) {
        print_pick_edge(arena, node, prefix, out);
        return;
    }
    for (int i = 0; i < node->arg_count; i++)
        fprintf(out, "  %s -> %s;\n", name_of(arena, prefix, node->args[i]), name);
}

static void print_nodes(Arena *arena, const Graph *g, const char *prefix, FILE *out)
{
    for (int i = 0; i < g->nodes.count; i++) {
        const Node *node = g->nodes.at[i];
        if (node->op == OP_scan)
            print_scan(arena, node, prefix, out);
        else
            print_node(arena, node, prefix, out);
    }
}

void graph_print_dot(const Graph *g, FILE *out)
{
    Arena *arena = arena_new();
    fprintf(out, "digraph %s {\n  node [shape=box, style=filled, fontname=monospace];\n", text_quoted(arena, g->name));
    print_nodes(arena, g, "n", out);
    for (int i = 0; i < g->outputs.count; i++) {
        const Output *output = &g->outputs.at[i];
        const char *kind = output->kind == OUTPUT_update ? "update" : "result";
        fprintf(out, "  o%d [shape=ellipse, fillcolor=lightgrey, label=%s];\n  n%u -> o%d;\n", i,
                text_quoted(arena, arena_print(arena, "%s %s", kind, output->name)), output->node->id, i);
    }
    fprintf(out, "}\n");
    arena_free(arena);
}
