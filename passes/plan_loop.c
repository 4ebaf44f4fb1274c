/* The memory of loops: a body is ordered and placed first, then the scan's buffer gets room for the body's work and for
 * what no pick holds. See Kernel.home in ir/plan.h. */
#include "passes/plan.h"

bool plan_is_carry(const Graph *graph, const Output *o)
{
    return o->kind == OUTPUT_update && graph_find_input(graph, o->name)->attr.storage == STORE_carry;
}

static int64_t padded(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/* Takes room for one value from the end of the scan's buffer. */
static int64_t add_room(Buffer *memory, const Node *value)
{
    int64_t offset = memory->bytes;
    memory->bytes += padded(type_value_bytes(&value->type));
    return offset;
}

static void place_results(Arena *arena, Kernel *k, const Node *scan, Buffer *memory)
{
    int count = scan_result_count(scan), carries = scan_carry_count(scan);
    k->home = arena_array(arena, int64_t, count + 1);
    k->spare = arena_array(arena, int64_t, count + 1);
    for (int i = 0; i < count; i++) {
        const Node *value = scan_output(scan, i)->node;
        bool turns = i < carries && !kernel_carry_in_place(k, i);
        k->home[i] = kernel_pick(k, i) ? -1 : add_room(memory, value);
        k->spare[i] = turns ? add_room(memory, value) : -1;
    }
}

void plan_loops(Arena *arena, Plan *p, Diagnostics *d)
{
    static const PassOptions none = {0};
    for (int i = 0; i < p->kernels.count; i++) {
        Kernel *k = p->kernels.at[i];
        if (k->kind != KERNEL_scan) continue;
        const Node *scan = k->outputs.at[k->outputs.count - 1];
        k->body = plan_body(arena, pass_schedule(arena, k->body, &none, d));
        Buffer *memory = p->buffer_of[scan->id];
        memory->bytes = padded(k->body->block_bytes[MEMORY_work]);
        place_results(arena, k, scan, memory);
    }
}
