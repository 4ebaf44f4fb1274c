/* A C function of an object, argument by argument. */
#include "frontend/cli/shipped.h"

#include <ctype.h>
#include <string.h>

/* ---- functions ---- */

/* Words of C and C++, names that headers use, and those of our own arguments. */
static const char *const words_of_c[] = {
    "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch",
    "char", "char16_t", "char32_t", "class", "compl", "const", "const_cast", "constexpr", "continue", "decltype",
    "default", "delete", "do", "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false",
    "float", "for", "friend", "goto", "if", "inline", "int", "int16_t", "int32_t", "int64_t", "int8_t", "linux",
    "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "NULL", "nullptr", "operator", "or",
    "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "restrict", "return", "short",
    "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch", "template", "this",
    "thread_local", "throw", "true", "try", "typedef", "typeid", "typename", "typeof", "uint16_t", "uint32_t",
    "uint64_t", "uint8_t", "union", "unix", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while",
    "xor", "xor_eq", "abi", "param", "state", "tables", "work", "pool", "fault", NULL,
};

/* A name that C and C++ accept, and that no other argument has. */
const char *ship_name(Session *s, const Shipped *f, const char *name)
{
    char *text = arena_print(s->arena, "%s%s", isdigit((unsigned char)*name) ? "out_" : "", name);
    for (char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    const char *out = text;
    for (int k = 0; words_of_c[k]; k++)
        if (!strcmp(words_of_c[k], out)) out = arena_print(s->arena, "%s_", out);
    for (int k = 0; f && k < f->names.count; k++)
        if (!strcmp(f->names.at[k], out)) out = arena_print(s->arena, "%s_", out);
    return out;
}

Shipped *ship_function(Shipment *m, const char *name, const char *about)
{
    Session *s = m->s;
    Shipped *f = arena_new_of(s->arena, Shipped);
    f->name = ship_name(s, NULL, name);
    f->f.symbol = arena_print(s->arena, "%s_%s", m->prefix, f->name);
    f->about = about;
    vec_push(s->arena, &m->shipped, f);
    return f;
}

void ship_argument(Shipment *m, Shipped *f, const char *name, ExportArg arg)
{
    vec_push(m->s->arena, &f->f.args, arg);
    vec_push(m->s->arena, &f->names, name);
}

void ship_block(Shipment *m, Shipped *f, RtBlock block)
{
    static const char *const names[BLOCK_COUNT] = {
        [BLOCK_param] = "param", [BLOCK_state] = "state", [BLOCK_work] = "work"
    };
    if (m->contents.block[block]) return;
    ship_argument(m, f, names[block], (ExportArg){ .kind = ARG_BLOCK, .block = block });
}

void ship_work(Shipment *m, Shipped *f)
{
    ship_block(m, f, BLOCK_work);
    if (m->options.pool) ship_argument(m, f, "pool", (ExportArg){ .kind = ARG_POOL });
}

void ship_number(Shipment *m, Shipped *f, const char *name)
{
    ship_argument(m, f, name, (ExportArg){ .kind = ARG_NUMBER, .value = name });
}

void ship_value(Shipment *m, Shipped *f, ExportArgKind kind, const char *name)
{
    ship_argument(m, f, ship_name(m->s, f, name), (ExportArg){ .kind = kind, .value = name });
}

ExportCase *ship_case(Shipment *m, Shipped *f, const int64_t *dims)
{
    vec_push(m->s->arena, &f->f.cases, (ExportCase){ .dims = dims });
    return &f->f.cases.at[f->f.cases.count - 1];
}

void ship_run(Shipment *m, ExportCase *c, int program)
{
    vec_push(m->s->arena, &c->actions, (ExportAction){ .program = program });
}

/* ---- what programs read and write ---- */

bool plan_reads(const Plan *p, Storage storage)
{
    for (int i = 0; i < p->graph->inputs.count; i++)
        if (p->graph->inputs.at[i]->attr.storage == (int)storage) return true;
    return false;
}

static bool reads_ambient(const Plan *p, const char *name)
{
    const Node *input = graph_find_input(p->graph, name);
    return input && input->attr.storage == STORE_ambient;
}

bool plan_writes(const Plan *p, Storage storage)
{
    for (int i = 0; i < p->graph->outputs.count; i++) {
        const Output *o = &p->graph->outputs.at[i];
        const Node *input = o->kind == OUTPUT_update ? graph_find_input(p->graph, o->name) : NULL;
        if (input && input->attr.storage == (int)storage) return true;
    }
    return false;
}

typedef bool Question(const Plan *p, Storage storage);
static bool any(const Plan *const *plans, int count, Question *question, Storage storage)
{
    for (int i = 0; i < count; i++)
        if (plans[i] && question(plans[i], storage)) return true;
    return false;
}

static bool any_ambient(const Plan *const *plans, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (plans[i] && reads_ambient(plans[i], name)) return true;
    return false;
}

/* The blocks of some plans, then numbers: of a training step both, always. */
bool ship_memory(Shipment *m, Shipped *f, const Plan *const *plans, int count, bool trains)
{
    f->writes[BLOCK_param] = any(plans, count, plan_writes, STORE_param);
    f->writes[BLOCK_state] = any(plans, count, plan_writes, STORE_state);
    f->writes[BLOCK_work] = true;
    if (f->writes[BLOCK_param] && m->contents.block[BLOCK_param])
        return session_fail(m->s, "%s writes parameters, and --embed-weights makes them constants: compile it without",
                            f->name) && false;
    if (any(plans, count, plan_reads, STORE_param)) ship_block(m, f, BLOCK_param);
    if (any(plans, count, plan_reads, STORE_state)) ship_block(m, f, BLOCK_state);
    ship_work(m, f);
    if (trains || any_ambient(plans, count, NUMBER_SEED)) ship_number(m, f, NUMBER_SEED);
    if (trains || any_ambient(plans, count, NUMBER_STEP)) ship_number(m, f, NUMBER_STEP);
    return true;
}

int ship_program(Shipment *m, const Plan *plan, const char *name)
{
    int program = export_program(m->export, plan, name, m->s->diagnostics);
    if (program < 0) session_report(m->s);
    return program;
}

/* Ambient inputs other than seed and step: what evaluations have given, for rates that follow them. */
void ship_histories(Shipment *m, Shipped *f, const Plan *const *plans, int count)
{
    for (int k = 0; k < count; k++)
        for (int i = 0; plans[k] && i < plans[k]->graph->inputs.count; i++) {
            const Node *input = plans[k]->graph->inputs.at[i];
            const char *name = input->attr.text;
            bool known = !strcmp(name, NUMBER_SEED) || !strcmp(name, NUMBER_STEP);
            for (int a = 0; a < f->f.args.count; a++)
                known = known || (f->f.args.at[a].value && !strcmp(f->f.args.at[a].value, name));
            if (input->attr.storage == STORE_ambient && !known) ship_value(m, f, ARG_INPUT, name);
        }
}

void ship_results(Shipment *m, Shipped *f, const Plan *const *plans, int count)
{
    for (int k = 0; k < count; k++)
        for (int i = 0; plans[k] && i < plans[k]->graph->outputs.count; i++) {
            const Output *o = &plans[k]->graph->outputs.at[i];
            bool known = o->kind != OUTPUT_result;
            for (int a = 0; a < f->f.args.count; a++)
                known = known || (f->f.args.at[a].kind == ARG_OUTPUT && !strcmp(f->f.args.at[a].value, o->name));
            if (!known) ship_value(m, f, ARG_OUTPUT, o->name);
        }
    ship_argument(m, f, "fault", (ExportArg){ .kind = ARG_FAULT });
}
