/* What the parts of a scan are: its body's inputs beside its arguments, its carries, its results. */
#include "ir/graph.h"

#include <string.h>

/* Whether an argument of the scan gives this input of its body: not "index", which the loop itself counts. */
static bool is_bound(const Node *input) { return input->attr.storage != STORE_ambient; }

const Node *scan_input(const Node *scan, int k)
{
    const Graph *body = scan->region;
    for (int i = 0; i < body->inputs.count; i++)
        if (is_bound(body->inputs.at[i]) && k-- == 0) return body->inputs.at[i];
    return NULL;
}

int scan_argument(const Node *scan, const Node *input)
{
    const Graph *body = scan->region;
    int k = 0;
    if (!is_bound(input)) return -1;
    for (int i = 0; i < body->inputs.count && body->inputs.at[i] != input; i++) k += is_bound(body->inputs.at[i]);
    return k;
}

int scan_carry_count(const Node *scan)
{
    int count = 0;
    for (int i = 0; i < scan->region->inputs.count; i++)
        count += scan->region->inputs.at[i]->attr.storage == STORE_carry;
    return count;
}

int scan_result_count(const Node *scan)
{
    int count = scan_carry_count(scan);
    for (int i = 0; i < scan->region->outputs.count; i++) count += scan->region->outputs.at[i].kind == OUTPUT_result;
    return count;
}

const Node *scan_carry(const Node *scan, int k)
{
    const Graph *body = scan->region;
    for (int i = 0; i < body->inputs.count; i++)
        if (body->inputs.at[i]->attr.storage == STORE_carry && k-- == 0) return body->inputs.at[i];
    return NULL;
}

const Output *scan_output(const Node *scan, int k)
{
    const Graph *body = scan->region;
    const Node *carry = scan_carry(scan, k);
    int left = k - scan_carry_count(scan);
    for (int i = 0; i < body->outputs.count; i++) {
        const Output *output = &body->outputs.at[i];
        bool updates = output->kind == OUTPUT_update;
        if (carry ? updates && !strcmp(output->name, carry->attr.text) : !updates && left-- == 0) return output;
    }
    return NULL;
}
