/* The model's tokenizer, for commands that read a text. */
#ifndef PTM_CLI_TOKENS_H
#define PTM_CLI_TOKENS_H

#include "frontend/cli/session.h"
#include "runtime/text/tokenizer.h"

/* `const tok` of the model's data. NULL after saying that there is none, or why. */
const RtTokenizer *tokens_tokenizer(Session *s);

/* Warns of the words of a text that the vocabulary lacks. from: where the text is, for the message. */
void tokens_name_unknown(Session *s, const RtTokenizer *tokenizer, RtText all, const char *from);

#endif
