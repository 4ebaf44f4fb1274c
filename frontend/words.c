/* Every word that the language knows, with its kind: for editors. */
#include "frontend/builtin.h"
#include "frontend/parser.h"
#include "frontend/weights.h"
#include "ir/graph.h"

#include <string.h>

typedef Vec(Word) Words;

static void add(Arena *arena, Words *out, const char *kind, const char *name)
{
    vec_push(arena, out, ((Word){ kind, name }));
}

static void add_reserved(Arena *arena, Words *out)
{
    const char *kind = "keyword", *name;
    for (int i = 0; (name = reserved_word(i)) != NULL; i++) {
        if (!strcmp(name, "or")) kind = "operator";
        if (!strcmp(name, "true")) kind = "literal";
        add(arena, out, kind, name);
    }
}

static void add_tables(Arena *arena, Words *out)
{
    for (int t = 0; t < DT_COUNT; t++) add(arena, out, "type", dtype_name((DType)t));
    add(arena, out, "type", "text");
#define BLOCK(name) add(arena, out, "block", #name);
#define CONSTANT(name, value) add(arena, out, "constant", #name);
#define AMBIENT(name) add(arena, out, "value", #name);
#include "frontend/words.def"
#undef BLOCK
#undef CONSTANT
#undef AMBIENT
    for (int i = 0; i < setting_count(); i++) add(arena, out, "setting", setting_name(i));
    for (int i = 0; weights_setting(i); i++) add(arena, out, "setting", weights_setting(i));
    for (int i = 0; i < builtin_count(); i++) add(arena, out, "primitive", builtin_name(builtin_at(i)));
    add(arena, out, "primitive", "check");
    add(arena, out, "primitive", "fail");
}

const Word *word_list(Arena *arena, int *count)
{
    Words out = { 0 };
    add_reserved(arena, &out);
    add_tables(arena, &out);
    int functions;
    const FunctionDoc *at = function_list(arena, &functions);
    for (int i = 0; i < functions; i++)
        if (strcmp(at[i].group, "primitives")) add(arena, &out, "function", at[i].name);
    *count = out.count;
    return out.at;
}
