/* Finding the tokenizer, and what it does not know. */
#include "frontend/cli/tokens.h"
#include "frontend/cli/host.h"

#include <string.h>
#include <strings.h>

const RtTokenizer *tokens_tokenizer(Session *s)
{
    HostArg tok;
    bool known = model_constant(s->model, "tok", &tok, s->diagnostics);
    if (diag_error_count(s->diagnostics)) {
        session_report(s);
        return NULL;
    }
    if (known && tok.kind == ARG_host && tok.value.kind == HOST_tokenizer) return host_tokenizer(&tok.value);
    session_fail(s, "the model has no tokenizer: `const tok = ...` in its data block");
    return NULL;
}

static bool text_is(RtText text, RtText is)
{
    return text.size == is.size && !strncasecmp(text.bytes, is.bytes, (size_t)is.size);
}

void tokens_name_unknown(Session *s, const RtTokenizer *tokenizer, RtText all, const char *from)
{
    static const char white[] = " \t\n\v\f\r";
    if (rt_tokenizer_rule(tokenizer) != TOKENIZER_words) return;
    const char *text = arena_copy_text(s->arena, all.bytes, (size_t)all.size);
    for (const char *at = text + strspn(text, white); *at; at += strspn(at, white)) {
        RtText word = { at, (int64_t)strcspn(at, white) };
        RtIds ids = { 0 };
        RtError error;
        if (!rt_tokenizer_encode(tokenizer, word, &ids, &error)) return;
        RtText piece = ids.count ? rt_tokenizer_piece(tokenizer, ids.ids[0]) : (RtText){ "", 0 };
        if (!text_is(piece, word))
            fprintf(stderr, "warning: %s: \"%.*s\" is not in the vocabulary and %s%.*s\n", from, (int)word.size,
                    word.bytes, ids.count ? "read as " : "left out", (int)piece.size, piece.bytes);
        rt_ids_free(&ids);
        at += word.size;
    }
}
