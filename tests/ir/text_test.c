/* The text form: prints and reads back identically; bad text ends in errors with places. */
#include "ir/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static const char *capture(void (*print)(const void *what, FILE *out), const void *what)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    print(what, out);
    fclose(out);
    const char *copy = arena_copy_text(arena, text, size);
    free(text);
    return copy;
}

static void print_graph(const void *g, FILE *out) { graph_print(g, out); }
static void print_dot(const void *g, FILE *out) { graph_print_dot(g, out); }
static void print_messages(const void *d, FILE *out) { diag_print(d, out); }

static Graph *read_text(const char *text, Diagnostics *d)
{
    Source *source = arena_new_of(arena, Source);
    *source = (Source){.path = "t.graph", .text = text, .size = strlen(text)};
    return graph_read(arena, source, d);
}

static Graph *read_good(const char *text)
{
    Diagnostics *d = diag_new(arena);
    Graph *g = read_text(text, d);
    if (!g) fail_msg("%s", capture(print_messages, d));
    assert_null(graph_verify(g, arena));
    return g;
}

static void expect_round_trip(const Graph *g)
{
    assert_null(graph_verify(g, arena));
    const char *text = capture(print_graph, g);
    assert_string_equal(capture(print_graph, read_good(text)), text);
}

/* Every operator once, in the printed form. */
static const char EVERY[] =
    "graph every\n"
    "dim B = 12, T = 64, S, V = 65, K <= T\n"
    "%0 = input \"x\" data : f32[B, T]                                 @ gpt.ptm:21:9 h.0.attn < gpt.ptm:30:5\n"
    "%1 = input \"w \\\"q\\\" \\\\ \\x01\" param : f32[T, V]                  @ gpt.ptm:1:2 ; \"a b.ptm\":3:4 \"odd "
    "path\" < - < prelude/nn.ptm:5:6\n"
    "%2 = input \"seed\" ambient : i64                                 @ -\n"
    "%3 = input \"step\" ambient : i64\n"
    "%4 = input \"moment\" state : f32[T, V]\n"
    "%5 = input \"table\" const : i32[K, 3]\n"
    "%6 = const 0.1 : f32\n"
    "%7 = const -0.0 : f32\n"
    "%8 = const nan : f64\n"
    "%9 = const -inf : bf16\n"
    "%10 = const 0.30000000000000004 : f64\n"
    "%11 = const -9223372036854775808 : i64\n"
    "%12 = const 1 : bool\n"
    "%13 = const 1e+30 : f32\n"
    "%14 = const 3.0 : f32\n"
    "%15 = expand %6 map=[] : f32[B, T]\n"
    "%16 = add %0 %15 : f32[B, T]\n"
    "%17 = lt %0 %15 : bool[B, T]\n"
    "%18 = where %17 %0 %15 : f32[B, T]\n"
    "%19 = cast %17 : i8[B, T]\n"
    "%20 = stop %0 : f32[B, T]\n"
    "%21 = sum %0 axes=[0, 1] : f32\n"
    "%22 = reduce_max %0 axes=[1] : f32[B]\n"
    "%23 = cumsum %0 axis=1 : f32[B, T]\n"
    "%24 = einsum %0 %1 \"bt,tv->bv\" : f32[B, V]\n"
    "%25 = reshape %0 : f32[B*T]\n"
    "%26 = permute %0 map=[1, 0] : f32[T, B]\n"
    "%27 = expand %0 map=[0, 2] : f32[B, S, T]\n"
    "%28 = slice %0 start=[0, T - 1] step=[1, -2] : f32[B, T//2]\n"
    "%29 = pad %0 start=[0, S] : f32[B, S + T]\n"
    "%30 = concat %0 %29 axis=1 : f32[B, S + 2*T]\n"
    "%31 = window %0 axis=1 step=[2] : f32[B, T//2 - 1, 3]\n"
    "%32 = iota axis=0 : i32[B]\n"
    "%33 = gather %0 %32 axis=0 : f32[B, T]\n"
    "%34 = scatter %0 %33 %32 axis=0 i=1 : f32[B, T]\n"
    "%35 = uniform %2 %3 \"h.0@gpt.ptm:3:4\" : f32[B, T]\n"
    "%36 = integers %2 %3 %2 %3 \"k\" : i64[B]\n"
    "%37 = mul %4 %4 : f32[T, V]\n"
    "%38 = scan %1 %22 %12 %2 %3 axis=2 i=1 count=T : i64 {\n"
    "  %0 = input \"x_t\" each : f32[V]                                @ gpt.ptm:30:5\n"
    "  %1 = input \"h\" carry : f32[B]\n"
    "  %2 = input \"done\" carry : bool\n"
    "  %3 = input \"seed\" outer : i64\n"
    "  %4 = input \"step\" outer : i64\n"
    "  %5 = input \"index\" ambient : i64\n"
    "  %6 = uniform %3 %4 %5 \"h.1\" : f32[B]\n"
    "  %7 = integers %3 %4 %5 %5 %5 \"h.2\" : i64[V]\n"
    "  %8 = scan axis=0 i=0 count=3 : i64 {                          @ gpt.ptm:31:5\n"
    "    %0 = input \"index\" ambient : i64\n"
    "    result \"0\" %0\n"
    "  }\n"
    "  %9 = pick %8 i=0 : i64[3]\n"
    "  update \"h\" %6\n"
    "  update \"done\" %2\n"
    "  result \"0\" %0\n"
    "  result \"1\" %9\n"
    "}\n"
    "%39 = pick %38 i=0 : f32[B]\n"
    "%40 = pick %38 i=1 : bool\n"
    "%41 = pick %38 i=2 : f32[T, V]\n"
    "%42 = pick %38 i=3 : i64[T, 3]\n"
    "result \"loss\" %21\n"
    "result \"1\" %5\n"
    "update \"moment\" %37\n";

static void every_form_reads_back(void **state)
{
    (void)state;
    Graph *g = read_good(EVERY);
    assert_int_equal(g->nodes.count, 43);
    assert_int_equal(g->nodes.at[1]->origin_count, 2);
    assert_string_equal(g->nodes.at[1]->attr.text, "w \"q\" \\ \x01");
    assert_true(signbit(g->nodes.at[7]->attr.f));
    assert_int_equal(dim_kind(g->nodes.at[5]->type.dim[0]), DIM_counted);
    const char *text = capture(print_graph, g);
    assert_string_equal(text, EVERY);
    expect_round_trip(g);
}

static void built_graphs_read_back(void **state)
{
    (void)state;
    Dims *dims = dims_new(arena);
    Graph *g = graph_new(arena, dims, "two words");
    Source file = {.path = "gpt.ptm", .text = "", .size = 0};
    Origin call = {.place = {&file, 30, 5, 3}, .path = ""};
    Origin at = {.place = {&file, 21, 9, 4}, .path = "h.0.attn", .callee = "block", .caller = &call};
    Type type = type_of(DT_f32, 2, (const Dim *[]){dim_symbol(dims, "B", 4), dim_symbol(dims, "T", -1)});
    g->origin = &at;
    Node *x = make_input(g, STORE_data, "x", type);
    uint64_t bits = 88172645463325252u;
    for (int i = 0; i < 500; i++) {
        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        double value;
        memcpy(&value, &bits, sizeof value);
        make_float(g, DT_f64, value);
        make_float(g, DT_f32, value);
        make_float(g, DT_f32, ldexp((double)(bits >> 40), -30));
    }
    graph_output(g, OUTPUT_result, "loss", make_reduce(g, OP_sum, x, 3));
    expect_round_trip(g);
}

static void dot_escapes(void **state)
{
    (void)state;
    const char *text = capture(print_dot, read_good(EVERY));
    assert_non_null(strstr(text, "digraph \"every\""));
    assert_non_null(strstr(text, "label=\"%24 einsum \\\"bt,tv->bv\\\"\\nf32[B, V]\"]"));
    assert_non_null(strstr(text, "n0 -> n24;"));
    assert_non_null(strstr(text, "gpt.ptm:21:9 h.0.attn"));
    assert_non_null(strstr(text, "subgraph cluster_n38 {\n  label=\"%38 scan axis=2 i=1 count=T\\ni64\";"));
    assert_non_null(strstr(text, "n38_0 [fillcolor=lightyellow, label=\"%0 input \\\"x_t\\\" each\\nf32[V]"));
    assert_non_null(strstr(text, "n1 -> n38_0;"));
    assert_non_null(strstr(text, "n38_8_0 -> n38_9;"));
    assert_non_null(strstr(text, "n38_6 -> n39;"));
    assert_null(strstr(text, "n38 ->"));
}

static void expect_errors(const char *text, const char *wanted)
{
    Diagnostics *d = diag_new(arena);
    assert_null(read_text(text, d));
    const char *printed = capture(print_messages, d);
    if (!strstr(printed, wanted)) assert_string_equal(printed, wanted);
}

static void errors_have_places(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"", "t.graph:1:1: error: the file is empty, expected a graph's text"},
        {"hello\n", "t.graph:1:1: error: expected a graph's text, beginning with the word graph and its name"},
        {"graph g extra\n", "t.graph:1:9: error: found extra, expected the end of the line"},
        {"graph g\nfoo\n", "t.graph:2:1: error: expected a node (%0 = ...), dim, result or update"},
        {"graph g\n%0 = conv : f32\n", "t.graph:2:6: error: found conv, expected an operator"},
        {"graph g\n%0 = exp %1 : f32\n", "t.graph:2:10: error: %1 is not defined above"},
        {"graph g\n%0 = const 1.0 : f32\n%0 = const 2.0 : f32\n", "t.graph:3:1: error: %0 is defined twice"},
        {"graph g\n%0 = const 1.5 : i32\n", "t.graph:2:12: error: found 1.5, expected an integer of 64 bits"},
        {"graph g\n%0 = const one : f32\n", "t.graph:2:12: error: found one, expected a number"},
        {"graph g\n%0 = const 1.0 : float\n", "t.graph:2:18: error: found float, expected an element type"},
        {"graph g\n%0 = const 300 : u8\n", "t.graph:2:6: error: const: found 300, expected a value of u8"},
        {"graph g\n%0 = input \"x\" data : f32[B,]\n", "t.graph:2:29: error: found ], expected a dimension"},
        {"graph g\n%0 = input \"x\" data : f32[1,1,1,1,1,1,1,1,1]\n", "error: found a type of more than 8 axes"},
        {"graph g\n%0 = input \"x\" disk : f32\n", "found disk, expected data, param, state, sum, const or ambient"},
        {"graph g\n%0 = input \"x : f32\n", "t.graph:2:12: error: the text has no closing quote on its line"},
        {"graph g\n%0 = input \"\\q\" data : f32\n", "t.graph:2:13: error: found an escape that is none of"},
        {"graph g\n%0 = input \"x\" data : f32[B]\n%1 = sum %0 axes=[0] : f32[B]\n",
         "t.graph:3:6: error: sum: found f32[B] as its type, expected f32"},
        {"graph g\n%0 = input \"x\" data : f32[B]\n%1 = sum %0 axes=[9] : f32\n",
         "t.graph:3:19: error: found axis 9, expected 0 to 7"},
        {"graph g\n%0 = input \"x\" data : f32[B]\n%1 = permute %0 map=[0, 0] : f32[B]\n",
         "t.graph:3:21: error: found 2 entries, expected 1"},
        {"graph g\n%0 = input \"x\" data : f32[B]\n%1 = slice %0 start=[0 : f32[B]\n",
         "t.graph:3:24: error: found :, expected ]"},
        {"graph g\n%0 = input \"x\" data : f32[B] @ gpt.ptm:x:1\n",
         "t.graph:2:40: error: found x:1, expected an integer"},
        {"graph g\n%0 = input \"x\" data : f32[B] @ gpt.ptm:1:99999999999\n", "the number is out of range"},
        {"graph g\ndim B = -1\n", "t.graph:2:8: error: found -1, expected no negative number"},
        {"graph g\ndim B, B = 2\n", "t.graph:2:8: error: found B, expected a new symbol"},
        {"graph g\ndim B + 1\n", "t.graph:2:5: error: found B + 1, expected a new symbol"},
        {"graph g\ndim K <= K\n", "found K, expected fixed symbols defined before"},
        {"graph g\ndim B, K <= B, L <= K\n", "found K, expected fixed symbols defined before"},
        {"graph g\n%0 = const 1.0 : f32\ndim B\n", "found dim after a node, expected it before"},
        {"graph g\n%0 = const 1.0 : f32\nupdate \"w\" %0\n",
         "t.graph:3:8: error: update of \"w\", which is no parameter, state, sum or carry"},
        {"graph g\n%0 = input \"w\" param : f32[3]\n%1 = const 1.0 : f32\nupdate \"w\" %1\n",
         "update of \"w\": found f32, expected f32[3]"},
        {"graph g\n%0 = const 1.0 : f32\nresult \"a\" %0\nresult \"a\" %0\n", "the output \"a\" is given twice"},
        {"graph g\n%0 = const 1.0 : f32[9223372036854775807*2]\n", "expected a dimension"},
        {"graph g\n%0 = input \"x\" data : f32[9223372036854775807, 3]\n", "input: the result is too large"},
        {"graph g\n%0 = input \"x\" each : f32\n",
         "t.graph:2:16: error: found each, expected data, param, state, sum, const or ambient"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64\n", "t.graph:2:35: error: found the end of the line, expected {"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n  %0 = const 1.0 : f32\n",
         "t.graph:2:37: error: the body has no closing }"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n  %0 = input \"x\" param : f32\n}\n",
         "t.graph:3:18: error: found param, expected each, carry, outer or ambient"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n} @\n",
         "t.graph:3:3: error: found @, expected the end of the line"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n  dim B\n}\n",
         "t.graph:3:6: error: found dim after a node, expected it before"},
        {"graph g\n%0 = const 1.0 : f32\n%1 = scan axis=0 i=0 count=3 : i64 {\n  %0 = exp %1 : f32\n}\n",
         "t.graph:4:12: error: %1 is not defined above"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n  %0 = input \"h\" carry : f32\n}\n",
         "t.graph:2:6: error: scan: found no argument for \"h\""},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i32 {\n}\n",
         "t.graph:2:6: error: scan: found i32 as its type, expected i64"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n  %0 = const 1.0 : f32\n  update \"w\" %0\n}\n",
         "t.graph:4:10: error: update of \"w\", which is no parameter, state, sum or carry"},
        {"graph g\n%0 = scan axis=0 i=0 count=3 : i64 {\n}\nresult \"a\" %0\n",
         "t.graph:4:8: error: output \"a\" is a scan, expected one of its picks"},
        {"graph g\n%0 = const \x01 : f32\n", "t.graph:2:12: error: found an unprintable character, expected a number"},
        {"graph g\ndim B = 9223372036854775808\n", "t.graph:2:9: error: the integer does not fit in 64 bits"},
        {"graph g\n%0 = \n", "t.graph:2:6: error: found the end of the line, expected an operator"},
        {"graph g\ndim B C\n", "t.graph:2:7: error: found C, expected the end of the line"},
        {"graph g\n%0 = const 1.0 : f32 f32\n", "t.graph:2:22: error: found f32, expected the end of the line"},
        {"graph g\n%0 = const 1.0 : f32\nresult \"a\" %0 %0\n",
         "t.graph:3:15: error: found %0, expected the end of the line"},
        {"graph g\n%0 = input \"x\" data : f32[1]\n%1 = permute %0 map=[0, 0, 0, 0, 0, 0, 0, 0, 0] : f32[1]\n",
         "error: found more than 8 entries"},
        {"graph g\n%0 = scan axis=4294967296 i=0 count=3 : i64 {\n}\n",
         "t.graph:2:16: error: found axis 4294967296, expected a carry"},
        {"graph g\n%0 = input \"x\" data : i8[9223372036854775807]\n%1 = concat %0 %0 axis=0 : i8[1]\n",
         "concat: axis 0 of the result is too large"},
        {"graph g\n%0 = input \"a\" data : f32[2]\n%1 = einsum %0 %0 \"i\" : f32\n",
         "einsum: found \"i\", expected an equation such as \"ij,jk->ik\""},
        {"graph g\n%0 = input \"a\" data : f32[1, 1, 1, 1, 1]\n%1 = einsum %0 %0 \"abcde,fghij->abcdefghij\" : f32\n",
         "einsum: found a result of more than 8 axes"},
        {"graph g\n%0 = input \"a\" data : f32[2]\n%1 = gather %0 axis=0 : f32[2]\n",
         "gather: expected a table and at least one index"},
        {"graph g\n%0 = input \"a\" data : bool[2]\n%1 = const 0 : i32\n%2 = const 0 : bool\n"
         "%3 = scatter %0 %2 %1 axis=0 i=1 : bool[2]\n", "scatter: found bool[2], expected numbers to add to"},
        {"graph g\n%0 = const 0 : i64\n%1 = integers %0 %0 %0 %0 \"k\" : f32[2]\n",
         "integers: found f32[2], expected an integer type"},
        {"graph g\n}\n", "t.graph:2:1: error: expected a node (%0 = ...), dim, result or update"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) expect_errors(BAD[i][0], BAD[i][1]);
}

static void one_error_does_not_cause_others(void **state)
{
    (void)state;
    Diagnostics *d = diag_new(arena);
    assert_null(read_text(
        "graph g\n%0 = nonsense\n%1 = exp %0 : f32\n%2 = add %1 %0 : f32\nresult \"a\" %2\n%3 = const x : f32\n", d));
    assert_int_equal(diag_error_count(d), 2);
    d = diag_new(arena);
    assert_null(read_text("graph g\n%0 = scan %9 axis=0 i=0 count=3 : i64 {\n  %0 = input \"x\" each : f32\n}\n"
                          "%1 = scan axis=0 i=0 count=3 : i64 {\n  junk\n}\n%2 = pick %1 i=0 : f32\n"
                          "%1 = scan axis=0 i=0 count=3 : i64 {\n  %0 = input \"x\" each : f32\n}\n", d));
    assert_int_equal(diag_error_count(d), 3);
    const char *many = "graph g\n";
    for (int i = 0; i < 200; i++) many = arena_print(arena, "%sjunk\n", many);
    d = diag_new(arena);
    assert_null(read_text(many, d));
    assert_int_equal(diag_error_count(d), 20);
}

static const char *nested(int depth)
{
    const char *text = "graph g\n";
    for (int i = 0; i < depth; i++) text = arena_print(arena, "%s%%0 = scan axis=0 i=0 count=1 : i64 {\n", text);
    for (int i = 0; i < depth; i++) text = arena_print(arena, "%s}\n", text);
    return text;
}

/* `until` of a scan counts carries, and there may be more of them than axes. */
static void a_late_carry_ends_a_loop(void **state)
{
    (void)state;
    const char *text = "graph g\n%0 = const 0 : bool\n"
                       "%1 = scan %0 %0 %0 %0 %0 %0 %0 %0 %0 axis=9 i=0 count=3 : i64 {\n";
    for (int i = 0; i < 9; i++) text = arena_print(arena, "%s  %%%d = input \"c%d\" carry : bool\n", text, i, i);
    for (int i = 0; i < 9; i++) text = arena_print(arena, "%s  update \"c%d\" %%%d\n", text, i, i);
    text = arena_print(arena, "%s}\n%%2 = pick %%1 i=8 : bool\nresult \"last\" %%2\n", text);
    expect_round_trip(read_good(text));
}

static void depth_is_limited(void **state)
{
    (void)state;
    expect_round_trip(read_good(nested(64)));
    Diagnostics *d = diag_new(arena);
    assert_null(read_text(nested(300), d));
    assert_int_equal(diag_error_count(d), 1);
    assert_non_null(strstr(capture(print_messages, d), "t.graph:66:37: error: found more than 64 scans within each"));
}

/* Faults that no shape rule sees. */
static void broken_graphs_are_noticed(void **state)
{
    (void)state;
    Graph *g = read_good(EVERY);
    g->nodes.at[16]->id = 17;
    assert_string_equal(graph_verify(g, arena), "node %17 (add): stands at position 16");
    g = read_good(EVERY);
    g->nodes.at[16]->args[0] = read_good(EVERY)->nodes.at[0];
    assert_string_equal(graph_verify(g, arena), "node %16 (add): an argument belongs to another graph");
    g = read_good(EVERY);
    g->inputs.at[g->inputs.count++] = g->nodes.at[6];
    assert_string_equal(graph_verify(g, arena), "the list of inputs names one that is no node");
    g = read_good(EVERY);
    vec_push(arena, &g->outputs, g->outputs.at[0]);
    assert_string_equal(graph_verify(g, arena), "two outputs are called \"loss\"");
}

static void edited_graphs_are_noticed(void **state)
{
    (void)state;
    Graph *g = read_good(EVERY);
    g->nodes.at[6]->attr.f = 2;
    assert_string_equal(graph_verify(g, arena), "node %6 (const): was edited after it was made");
    g = read_good(EVERY);
    g->nodes.at[21]->type = g->nodes.at[0]->type;
    assert_string_equal(graph_verify(g, arena), "node %21 (sum): has type f32[B, T], but its arguments give f32");
    g = read_good(EVERY);
    g->nodes.at[16]->args[0] = g->nodes.at[37];
    assert_string_equal(graph_verify(g, arena), "node %16 (add): an argument comes after it");
    g = read_good(EVERY);
    g->outputs.at[0].node = read_good(EVERY)->nodes.at[0];
    assert_string_equal(graph_verify(g, arena), "output \"loss\" belongs to another graph");
    g = read_good(EVERY);
    g->inputs.count--;
    assert_string_equal(graph_verify(g, arena), "node %5 (input): is missing from the inputs");
    g = read_good(EVERY);
    g->nodes.at[38]->region->nodes.at[8]->attr.i = 1;
    assert_string_equal(graph_verify(g, arena),
                        "node %38 (scan): in its body, node %8 (scan): was edited after it was made");
    g = read_good(EVERY);
    ((Graph *)g->nodes.at[38]->region)->outputs.count = 1;
    assert_string_equal(graph_verify(g, arena),
                        "node %38 (scan): scan: found 0 updates of carry \"done\", expected one");
    g = read_good(EVERY);
    g->nodes.at[38]->attr.count = dim_int(g->dims, 64);
    assert_string_equal(graph_verify(g, arena),
                        "node %38 (scan): scan: found f32[T, V] for each \"x_t\", expected f32[64, V]");
    Graph *mixed = (Graph *)read_good(EVERY)->nodes.at[38]->region;
    assert_null(graph_verify(mixed, arena));
    make_input(mixed, STORE_param, "w", type_scalar(DT_f32));
    assert_string_equal(graph_verify(mixed, arena),
                        "node %10 (input): stands beside \"step\", which only the body of a scan has");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_form_reads_back), TEST(built_graphs_read_back), TEST(dot_escapes), TEST(errors_have_places),
        TEST(one_error_does_not_cause_others), TEST(a_late_carry_ends_a_loop), TEST(depth_is_limited),
        TEST(broken_graphs_are_noticed),
        TEST(edited_graphs_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
