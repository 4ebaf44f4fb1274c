/* The list of what a program can call: the rows of builtin.def, then the fns and modules of the prelude as they are
 * written, each with the first line of the comment above it. */
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
    vec_push(arena, out, ((FunctionDoc){ "primitives", with_defaults(arena, #name, parameters, required), doc }));
#define ELEMENTWISE(name) \
    vec_push(arena, out, ((FunctionDoc){ "primitives", with_defaults(arena, #name, element_parameters(OP_##name), 3), \
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

/* From its name to its body, in one line. */
static const char *head_text(Arena *arena, const char *from)
{
    int depth = 0;
    const char *end = from;
    for (; *end && !(*end == '{' && !depth); end++)
        depth += (*end == '(' || *end == '[') - (*end == ')' || *end == ']');
    while (end > from && end[-1] == ' ') end--;
    char *text = arena_copy_text(arena, from, (size_t)(end - from)), *out = text;
    for (const char *c = text; *c; c++) {
        bool again = (*c == ' ' || *c == '\n') && out > text && out[-1] == ' ';
        if (!again) *out++ = *c == '\n' ? ' ' : *c;
    }
    *out = 0;
    return text;
}

/* The first line of the comment that ends just above `line`, or "". */
static const char *first_comment(Arena *arena, const char *text, uint32_t line)
{
    const char *found = NULL;
    for (; line > 1; line--) {
        const char *above = line_start(text, line - 1);
        if (*above != '#') break;
        found = above + 1 + strspn(above + 1, " ");
    }
    return found ? arena_copy_text(arena, found, strcspn(found, "\n")) : "";
}

static void add_prelude_file(Arena *arena, const PreludeFile *p, FunctionDocs *out)
{
    Source *source = arena_new_of(arena, Source);
    *source = (Source){ .path = p->name, .text = p->text, .size = strlen(p->text), .builtin = true };
    const Ast *ast = ast_parse(arena, source, NULL, diag_new(arena));
    for (const FnDecl *fn = ast ? ast->fns : NULL; fn; fn = fn->next) {
        const char *at = line_start(p->text, fn->place.line) + fn->place.column - 1;
        const char *head = head_text(arena, at), *doc = first_comment(arena, p->text, fn->place.line);
        if (fn->module) head = arena_print(arena, "module %s", head);
        vec_push(arena, out, ((FunctionDoc){ p->name, head, doc }));
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
