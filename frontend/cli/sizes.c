/* Checking sizes. */
#include "frontend/cli/sizes.h"
#include "frontend/cli/certificate.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

int64_t sizes_machine(void)
{
    struct sysinfo info;
    struct rlimit limit;
    int64_t most = INT64_MAX;
    if (sysinfo(&info) == 0) most = (int64_t)((info.totalram + info.totalswap) * info.mem_unit);
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < (rlim_t)most) most = (int64_t)limit.rlim_cur;
    return most;
}

/* Products are called with extents of 32 bits: of the rows, the columns and what is summed, each one or several axes
 * that the same operands have. In the gradient each of them is summed. */
static bool product_fits(const Node *einsum)
{
    int64_t extent[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };          /* by who has the letter: 1 left, 2 right, 4 result */
    const char *left = einsum->attr.text, *comma = strchr(left, ','), *arrow = strstr(left, "->");
    if (!comma || !arrow) return true;
    for (const char *at = left; at < arrow; at++) {
        bool in_left = at < comma, again = !in_left && memchr(left, *at, (size_t)(comma - left));
        if (at == comma || again) continue;
        int who = (in_left ? 1 : 2) | (in_left && memchr(comma, *at, (size_t)(arrow - comma)) ? 2 : 0)
                | (strchr(arrow + 2, *at) ? 4 : 0);
        const Type *type = &einsum->args[in_left ? 0 : 1]->type;
        int64_t n = dim_value(type->dim[at - (in_left ? left : comma + 1)]);
        if (__builtin_mul_overflow(extent[who], n, &extent[who])) return false;
    }
    for (int who = 1; who < 7; who++)
        if (extent[who] > INT_MAX) return false;
    return true;
}

static void report(Session *s, const Node *n, const char *what)
{
    Place place = n->origin_count ? n->origins[0]->place : (Place){ 0 };
    const char *name = n->op == OP_input ? arena_print(s->arena, "%s: ", n->attr.text) : "";
    diag_error(s->diagnostics, place, "%s%s %s", name, type_text(s->arena, &n->type), what);
}

static bool node_fits(Session *s, const Node *n, int64_t machine)
{
    int64_t bytes = type_value_bytes(&n->type);
    if (n->op == OP_einsum && !product_fits(n)) {
        report(s, n, "is a product of more than 2147483647 rows, columns or terms");
    } else if (bytes < 0) {
        report(s, n, "has more bytes than can be counted");
    } else if (n->op == OP_input && bytes > machine) {
        report(s, n, arena_print(s->arena, "takes %s; this process can have %s", certificate_amount(s->arena, bytes),
                                 certificate_amount(s->arena, machine)));
    } else {
        return true;
    }
    return false;
}

bool sizes_check(Session *s, const Graph *graph)
{
    int64_t machine = sizes_machine();
    for (int i = 0; i < graph->nodes.count; i++) {
        const Node *n = graph->nodes.at[i];
        if (!node_fits(s, n, machine) || (n->region && !sizes_check(s, n->region))) return false;
    }
    return true;
}
