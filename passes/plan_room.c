/* Memory that kernels have for themselves. Of loops: a body is ordered and placed first, then the scan's buffer gets
 * room for the body's work and for what no pick holds (Kernel.home in ir/plan.h). Of products: what the parts of a
 * summed axis give before they are added. */
#include "passes/plan.h"

#include <assert.h>

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

static void plan_loop(Arena *arena, Plan *p, Kernel *k, Diagnostics *d)
{
    static const PassOptions none = {0};
    const Node *scan = k->outputs.at[k->outputs.count - 1];
    k->body = plan_body(arena, pass_schedule(arena, k->body, &none, d));
    Buffer *memory = p->buffer_of[scan->id];
    memory->bytes = padded(k->body->block_bytes[MEMORY_work]);
    place_results(arena, k, scan, memory);
}

static void plan_parts(Arena *arena, Plan *p, Kernel *k)
{
    View a, b;
    Contraction c;
    const Node *e = k->nodes.at[k->nodes.count - 1];
    bool fits = kernel_product(k, &a, &b, &c);
    assert(fits);
    int64_t elements = contraction_tiling(&c).partial_elements;
    if (!elements) return;
    Buffer *parts = arena_new_of(arena, Buffer);
    *parts = (Buffer){.id = p->buffers.count, .node = e, .bytes = elements * dtype_bytes(e->type.dtype), .offset = -1,
                      .block = MEMORY_work};
    vec_push(arena, &p->buffers, parts);
    k->parts = parts->id;
}

void plan_rooms(Arena *arena, Plan *p, Diagnostics *d)
{
    for (int i = 0; i < p->kernels.count; i++) {
        Kernel *k = p->kernels.at[i];
        if (k->kind == KERNEL_scan) plan_loop(arena, p, k, d);
        if (k->kind == KERNEL_contract) plan_parts(arena, p, k);
    }
}
