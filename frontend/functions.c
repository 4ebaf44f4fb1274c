/* The list of what a program can call: the rows of builtin.def, then the fns and modules of the prelude as they are
 * written, each with the first sentence of the comment above it or, without one, what it returns. */
#include "frontend/builtin.h"
#include "frontend/prelude.h"

#include <string.h>

typedef Vec(FunctionDoc) FunctionDocs;

/* primitives */

/* "sum(x, axis = none, keep = none)" of "x, axis, keep", one required. */
static const char *with_defaults(Arena *arena, const char *name, const char *parameters, int required)
{
    const char *text = arena_print(arena, "%s(", name);
    int i = 0;
    for (const char *p = parameters; *p; i++) {
        int length = (int)strcspn(p, ",");
        text = arena_print(arena, "%s%s%.*s%s", text, i ? ", " : "", length, p, i < required ? "" : " = none");
        p += length;
        p += strspn(p, ", ");
    }
    return arena_print(arena, "%s)", text);
}

static const char *element_parameters(Op op)
{
    return op_arity(op) == 1 ? "a" : op_arity(op) == 2 ? "a, b" : "condition, a, b";
}

static void add_primitives(Arena *arena, FunctionDocs *out)
{
#define BUILTIN(name, required, parameters, doc) \
    vec_push(arena, out, ((FunctionDoc){ "primitives", #name, false, \
                                         with_defaults(arena, #name, parameters, required), doc }));
#define ELEMENTWISE(name) \
    vec_push(arena, out, ((FunctionDoc){ "primitives", #name, false, \
                                         with_defaults(arena, #name, element_parameters(OP_##name), 3), \
                                         op_doc(OP_##name) }));
#define RESERVED(name)
#include "frontend/builtin.def"
#undef BUILTIN
#undef ELEMENTWISE
#undef RESERVED
}

/* the prelude */

static const char *line_start(const char *text, uint32_t line)
{
    for (; line > 1; line--) text = strchr(text, '\n') + 1;
    return text;
}

/* A text in one line: white space, and the `#` of comments, become single spaces. */
static const char *in_one_line(Arena *arena, const char *from, size_t length)
{
    char *text = arena_copy_text(arena, from, length), *out = text;
    bool line = true;
    for (const char *c = text; *c; c++) {
        bool space = *c == ' ' || *c == '\n' || (line && *c == '#');
        line = *c == '\n';
        if (!space) *out++ = *c;
        else if (out > text && out[-1] != ' ') *out++ = ' ';
    }
    while (out > text && out[-1] == ' ') out--;
    *out = 0;
    return text;
}

/* Where the head of a fn ends: at its `{`. */
static const char *head_end(const char *from)
{
    int depth = 0;
    for (; *from && !(*from == '{' && !depth); from++)
        depth += (*from == '(' || *from == '[') - (*from == ')' || *from == ']');
    return from;
}

/* The first sentence of the comment that ends just above `line`, without its full stop; or "". A number does not begin
 * a sentence: `et al. 2013`. */
static const char *comment_above(Arena *arena, const char *text, uint32_t line)
{
    const char *end = line_start(text, line), *from = end;
    while (line > 1 && *line_start(text, line - 1) == '#') from = line_start(text, --line);
    char *comment = (char *)in_one_line(arena, from, (size_t)(end - from));
    for (char *c = comment; *c; c++)
        if (*c == '.' && (!c[1] || (c[1] == ' ' && !(c[2] >= '0' && c[2] <= '9')))) *c = 0;
    return comment;
}

/* What `{ return … }` returns, of a body in one line; else "". */
static const char *returned(Arena *arena, const char *body)
{
    static const char before[] = "{ return ";
    size_t length = strcspn(body, "\n");
    if (strncmp(body, before, sizeof before - 1) || body[length - 1] != '}') return "";
    return in_one_line(arena, body + sizeof before - 1, length - sizeof before);
}

static void add_prelude_file(Arena *arena, const PreludeFile *p, FunctionDocs *out)
{
    Source *source = arena_new_of(arena, Source);
    *source = (Source){ .path = p->name, .text = p->text, .size = strlen(p->text), .builtin = true };
    const Ast *ast = ast_parse(arena, source, NULL, diag_new(arena));
    for (const FnDecl *fn = ast ? ast->fns : NULL; fn; fn = fn->next) {
        const char *at = line_start(p->text, fn->place.line) + fn->place.column - 1, *body = head_end(at);
        const char *head = in_one_line(arena, at, (size_t)(body - at));
        const char *doc = comment_above(arena, p->text, fn->place.line);
        if (fn->module) head = arena_print(arena, "module %s", head);
        if (!*doc) doc = returned(arena, body);
        vec_push(arena, out, ((FunctionDoc){ p->name, fn->name, fn->module, head, doc }));
    }
}

const FunctionDoc *function_list(Arena *arena, int *count)
{
    FunctionDocs all = {0};
    add_primitives(arena, &all);
    for (const PreludeFile *p = prelude_files; p->name; p++) add_prelude_file(arena, p, &all);
    *count = all.count;
    return all.at;
}
