/* Streams of one call have the same variant, and rows that belong together, at every step. Those of another call go
 * with them as long as each takes its rows in its own order; rows that are grouped by width have none. */
#include "frontend/cli/variants.h"
#include "frontend/cli/host.h"
#include "runtime/data/groups.h"

static const RtStream *stream_at(const Variants *v, int k) { return host_stream(&v->uses[k].stream); }

static bool is_used(const Variants *v, const RtStream *stream, int variant)
{
    return v->training ? stream->variants[variant].trains : stream->variants[variant].passes;
}

static int used_count(const Variants *v, const RtStream *stream)
{
    int count = 0;
    for (int i = 0; i < stream->variant_count; i++) count += is_used(v, stream, i);
    return count;
}

static bool is_grouped(const RtStream *stream) { return stream->groups && stream->groups->count > 1; }

static bool goes_along(const Variants *v, const RtStream *stream, const RtStream *leader)
{
    if (stream->key == leader->key) return true;
    if (is_grouped(stream) || is_grouped(leader)) return false;
    return v->training || rt_stream_pass_batches(stream) == rt_stream_pass_batches(leader);
}

bool variants_open(Session *s, const StreamUse *uses, int count, bool training, Variants *out)
{
    *out = (Variants){ .uses = uses, .use_count = count, .training = training, .leader = count ? 0 : -1, .count = 1 };
    for (int k = 1; k < count; k++)
        if (used_count(out, stream_at(out, k)) > used_count(out, stream_at(out, out->leader))) out->leader = k;
    if (count) out->count = stream_at(out, out->leader)->variant_count;
    for (int k = 0; k < count; k++) {
        if (goes_along(out, stream_at(out, k), stream_at(out, out->leader))) continue;
        diag_error(s->diagnostics, uses[k].place, "the batches of %s and %s do not go together: make both streams by "
                   "one call", uses[out->leader].name, uses[k].name);
        return session_report(s) && false;
    }
    return true;
}

bool variants_has(const Variants *v, int variant)
{
    return v->leader < 0 || is_used(v, stream_at(v, v->leader), variant);
}

/* Which variant stream k has where the leader has this one. */
static int own_variant(const Variants *v, const RtStream *stream, int variant)
{
    if (stream->key == stream_at(v, v->leader)->key || used_count(v, stream) > 1) return variant;
    int own = 0;
    while (own + 1 < stream->variant_count && !is_used(v, stream, own)) own++;
    return own;
}

Type variants_type(const Variants *v, Dims *dims, int k, int variant)
{
    const RtStream *stream = stream_at(v, k);
    int64_t shape[RT_MAX_RANK];
    rt_stream_shape(stream, own_variant(v, stream, variant), shape);
    Type type = { .dtype = (DType)stream->dtype, .rank = stream->rank };
    for (int i = 0; i < type.rank; i++) type.dim[i] = dim_int(dims, shape[i]);
    return type;
}
