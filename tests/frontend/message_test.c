/* What a wrong program is told: place, what was found and expected, the calls that led there, the nearest right
 * name. */
#include "tests/frontend/program.h"

static void test_shapes(void **state)
{
    (void)state;
    check_says("fn f(x: f32[B, T], y: f32[B, U]) { return x + y }\n",
               "test.ptm:1:45: error: `+`: the shapes of f32[B, T] and f32[B, U] do not fit");
    check_says("fn f(x: f32[B, T], y: f32[B, U]) { return x @ y }\n", "`@` on f32[B, T] and f32[B, U]");
    check_says("fn f(x: f32[B], y: i32[B]) { return x * y }\n",
               "element types differ and are never converted silently; write f32(…)");
    check_says("fn f(x: i32[B]) { return x / 2 }\n", "integers divide with //");
    check_says("fn f(x: i32[B]) { return x + 0.5 }\n", "the number 0.5 beside i32");
    check_says("fn f(x: f32[B, T]) { return reshape(x, [B, 2]) }\n", "found f32[B, T] with B*T elements");
    check_says("fn f(x: f32[B, T]) { return x[0, 0, 0] }\n", "3 subscripts on f32[B, T]");
    check_says("fn f(x: f32[B, 4]) { return x[:, 4] }\n", "4 is outside this axis of 4");
    check_says("fn f(x: f32) { return window(x, 2) }\n", "a scalar has no axis");
    check_says("fn f(x: f32) { return [] }\n", "f returns an empty list");
    check_says("fn f(x: f32[B]) -> f32[B, 2] { return x }\n", "the result: expected f32[B, 2], found f32[B]");
    check_says("fn f(x: f32[B]) { y: f32[2*B] = x\n return y }\n", "y: expected f32[2*B], found f32[B]");
}

/* The caret stands in the user's text, the chain names the calls. */
static void test_chain(void **state)
{
    (void)state;
    const char *text = "module inner(x) { return x + full([3], 1) }\n"
                       "fn outer(x) { return a: inner(x) }\n"
                       "fn f(x: f32[B, 4]) { return outer(x) }\n";
    check_says(text, "test.ptm:1:28: error: `+`: the shapes of f32[B, 4] and f32[3] do not fit");
    check_says(text, "test.ptm:2:25: note: in call of inner, labelled a");
    check_says(text, "test.ptm:3:29: note: in call of outer");
    check_says("fn f(x: f32[B, V], y: f32[B]) { return cross_entropy(x, y) }\n",
               "test.ptm:1:57: error: argument y of cross_entropy: expected i32[..S], found f32[B]");
    check_says("fn f(x: bool[B]) { return mean(x) }\n", "test.ptm:1:27: error: in mean: sum of bool[B]");
}

/* Two errors in one call show the way to it once. */
static void test_chain_once(void **state)
{
    (void)state;
    Program *p = program_new("fn inner(x) { y = x + full([3], 1)\n z = x - full([5], 1)\n return y }\n"
                             "fn f(x: f32[B, 4]) { return inner(x) }\n");
    model_check(p->model, p->d);
    const char *text = program_messages(p), *first = strstr(text, "note: in call of inner");
    assert_int_equal(diag_error_count(p->d), 2);
    assert_true(first && !strstr(first + 1, "note: in call of inner"));
    program_free(p);
}

static void test_names(void **state)
{
    (void)state;
    check_says("fn f(hidden: f32[B]) { return hiden }\n", "unknown name hiden; did you mean hidden?");
    check_says("fn f(x: f32[B]) { return sotfmax(x) }\n", "unknown function sotfmax; did you mean softmax?");
    check_says("fn f(x: f23[B]) { return x }\n", "unknown type f23; did you mean f32?");
    check_says("fn f(x: f32[B]) { return softmax(x, axes = 0) }\n",
               "softmax has no parameter axes; did you mean axis?");
    check_says("fn f(x: f32[B]) { return sum(x, axs = 0) }\n", "sum has no parameter axs");
    check_says("fn f(x: f32[B], y: f32[vocb]) { return sum(x) + sum(y) }\n", "unknown name vocb");
    check_says("const wide = 3\nfn f(x: f32[B]) { wide = x\n return wide }\n",
               "wide is a name of the file; nothing may shadow it");
    check_says("fn f(x: f32[B]) { return sum(x, 0, false, 3) }\n", "takes at most 3 arguments");
    check_says("fn g(x) { return x }\nfn f(x: f32[B]) { return g(x, x) }\n", "g takes 1 argument; this is one more");
    check_says("fn g(x; n) { return x * n }\nfn f(x: f32[B]) { return g(x) }\n", "the call of g lacks its argument n");
    check_says("data { fit = read(\"text\") }\nfn f(x: f32[B]) { return x + fit }\n",
               "fit belongs to the pipeline of data");
    check_says("fn f(x: f32[B]) { return read(\"text\") }\n", "read is a function of the data phase");
    check_says("data { const tok = chrs(read(\"text\")) }\n", "unknown function chrs; did you mean chars?");
    check_says("data { const z = chars(read(\"text\"))[\"z\"] }\n", "the tokenizer has no piece");
}

static void test_labels(void **state)
{
    (void)state;
    check_says("fn f(x: f32[B, 2]) { return linear(x, 2) }\n", "a call of the module linear needs a label");
    check_says("fn f(x: f32[B, 2]) { for i in 0..2 { x = h: linear(x, 2) }\n return x }\n",
               "the label h is reached again by its `for`; index it as in h[i]");
    check_says("fn f(x: f32[B, 2]) { return (a: linear(x, 2)) + (a: linear(x, 2)) }\n",
               "the label a is used twice in this entry");
    check_says("fn f(x: f32[B, 2]) { return (a: linear(x, 2)) + (share a: layer_norm(x)) }\n",
               "a is an instance of linear, not of layer_norm");
    check_says("fn g(x: f32[B, 2]) { return wte: linear(x, 2) }\nfn f(x: f32[B, 2]) { return x @ wte.weight }\n",
               "the label wte has not been reached yet in this entry: it is made in fn g");
    check_says("fn f(x: f32[B, 2]) { y = wte: linear(x, 2)\n return y @ wte.wieght }\n",
               "wte has no parameter or label wieght; did you mean weight?");
    check_says("fn f(x: f32[B]) { return a: relu(x) }\n", "a label names the parameters of a module, and relu is a fn");
    check_says("fn f(x: f32[B]) { param w: f32[2] = 0\n return x }\n", "a fn owns nothing");
}

static void test_static_phase(void **state)
{
    (void)state;
    check_says("fn f(x: f32[T]) { if T > 1 { x = x + 1 }\n return x }\n",
               "the value of a dimension is not known while the program is elaborated");
    check_says("fn f(x: f32[T]) { if x > 1 { x = x + 1 }\n return x }\n",
               "for a choice element by element write where(…)");
    check_says("fn f(x: f32[T]) { for y in x { x = x + y }\n return x }\n",
               "a loop over an axis of a tensor is a scan");
    check_says("fn f(x: f32[T]) { return f(x) }\n", "fn f calls itself");
    check_says("fn g(x) { return f(x) }\nfn f(x: f32[T]) { return g(x) }\n", "calls itself");
    check_says("const a = b, b = a\n", "depends on its own value");
    check_says("fn f(x) { return [x, x] }\nfn g0(x) { return f(f(f(f(f(f(f(f(f(f(x)))))))))) }\n"
               "fn g1(x) { return g0([g0(x), g0(x)]) }\n"
               "fn g2(x: f32[T]) {\n for i in 0..100000 { for j in 0..100000 { y = g1(x) } }\n return x\n}\n",
               "does not come to an end in");
}

static void test_reserved(void **state)
{
    (void)state;
    check_says("fn f(x: f32[T]) { return argsort(x) }\n", "argsort is reserved: not built yet");
    check_says("fn f(x: f32[T], n: i32) { return x[:n] }\n", "reserved: not built yet");
    check_says("weight hf { }\n", "unknown block weight; at file level there are data, train and weights; did you "
               "mean weights?");
    check_says("train { average a }\n", "the setting average is reserved: not built yet");
}

/* Independent errors are all reported, and what follows from one stays silent. */
static void test_all_errors_at_once(void **state)
{
    (void)state;
    const char *text = "fn f(x: f32[B, T]) {\n a = x + missing\n b = a * 2 + a[0]\n c = x @ x\n return b + c\n}\n"
                       "fn g(x: f32[B]) { return absent(x) }\n";
    Program *p = program_new(text);
    model_check(p->model, p->d);
    assert_says(p, "unknown name missing");
    assert_says(p, "`@` on f32[B, T] and f32[B, T]");
    assert_says(p, "unknown function absent");
    assert_int_equal(diag_error_count(p->d), 3);
    program_free(p);
}

static void test_unused(void **state)
{
    (void)state;
    const char *text = "const used = 1, unused = 2\nparam w: f32[2] = 0\n"
                       "fn f(x: f32[B], y: f32[B]) { return x * used }\n";
    check_says(text, "warning: the constant unused is never used");
    check_says(text, "warning: the parameter w is never used");
    check_says(text, "warning: f never uses its parameter y");
    Program *p = program_new(text);
    model_check(p->model, p->d);
    assert_silent_about(p, "constant used");
    assert_int_equal(diag_error_count(p->d), 0);
    program_free(p);
    const Setting set = { "witdh", "3" };
    p = program_with("const width = 2\n", &set, 1);
    assert_says(p, "--set witdh=3: there is no constant witdh; did you mean width?");
    program_free(p);
}

static void test_clean_programs(void **state)
{
    (void)state;
    check_is_clean("fn f(x: f32[..S, D]; n = 3) -> f32[..S, D] { return softmax(x) * n }\n");
    check_is_clean("fn f(x: f32[B, T]) -> f32[B] { return mean(x, axis = 1) / T }\n");
    check_is_clean("module m(x: f32[B, D], mask: bool[B] = true; k) { return where(mask[:, _], n: linear(x, k), 0) }\n"
                   "fn f(x: f32[B, 4]) -> f32[B, 2] { return m: m(x, k = 2) }\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_chain), cmocka_unit_test(test_chain_once),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_labels), cmocka_unit_test(test_static_phase), cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_all_errors_at_once), cmocka_unit_test(test_unused), cmocka_unit_test(test_clean_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
