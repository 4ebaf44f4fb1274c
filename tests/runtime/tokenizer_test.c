/* Tokenizers: how texts are cut, which ids come out, what is refused, and that a saved one comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/tokenizer.h"

static RtText text(const char *s)
{
    return (RtText){ s, (int64_t)strlen(s) };
}

/* The ids of a text, as a string "3 1 2". */
static const char *ids_of(const RtTokenizer *t, RtText source)
{
    static char out[500];
    RtIds ids = { 0 };
    RtError e;
    if (!rt_tokenizer_encode(t, source, &ids, &e)) {
        rt_ids_free(&ids);
        snprintf(out, sizeof out, "%.499s", e.text);
        return out;
    }
    out[0] = '\0';
    for (int64_t i = 0; i < ids.count; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%d", i ? " " : "", ids.ids[i]);
    rt_ids_free(&ids);
    return out;
}

static void assert_decodes(const RtTokenizer *t, const int32_t *ids, int64_t count, const char *wanted)
{
    int64_t size;
    char *out = rt_tokenizer_decode(t, ids, count, &size);
    assert_string_equal(out, wanted);
    assert_int_equal(size, strlen(wanted));
    free(out);
}

static RtTokenizer *words(const char *source, WordOptions options)
{
    RtError e = { "" };
    RtText t = text(source);
    if (!options.min_count) options.min_count = 1;
    RtTokenizer *tokenizer = rt_tokenizer_words(&t, 1, &options, &e);
    if (!tokenizer) print_message("%s\n", e.text);
    return tokenizer;
}

static void test_chars_are_sorted_code_points(void **state)
{
    (void)state;
    RtError e;
    RtText t = text("ba\xC3\xA9 \xF0\x9F\x98\x80" "a\n\xE2\x82\xAC");
    RtTokenizer *chars = rt_tokenizer_chars(&t, 1, &e);
    assert_non_null(chars);
    assert_int_equal(rt_tokenizer_size(chars), 7);           /* newline, space, a, b, e acute, euro, smile */
    assert_string_equal(ids_of(chars, text("a\xC3\xA9\xF0\x9F\x98\x80\xE2\x82\xAC\n ")), "2 4 6 5 0 1");
    assert_decodes(chars, (int32_t[]){ 3, 2, 4, -1 }, 4, "ba\xC3\xA9");
    assert_string_equal(ids_of(chars, text("abc")),
                        "character 'c' at offset 2 is not in the vocabulary of 7 characters");
    rt_tokenizer_free(chars);
}

static void test_an_alphabet_keeps_its_order(void **state)
{
    (void)state;
    RtError e;
    RtText t[] = { text("zba"), text("az\xC3\xA9 b") };
    RtTokenizer *chars = rt_tokenizer_alphabet(t, 2, &e);
    assert_non_null(chars);
    assert_int_equal(rt_tokenizer_size(chars), 5);
    assert_string_equal(ids_of(chars, text("abz \xC3\xA9")), "2 1 0 4 3");
    rt_tokenizer_free(chars);
}

static void test_chars_refuse_what_is_not_utf8(void **state)
{
    (void)state;
    static const struct { const char *bytes; int size, offset; } bad[] = {
        { "a\xFF", 2, 1 }, { "\x80", 1, 0 }, { "ab\xC3", 3, 2 }, { "\xC0\x80", 2, 0 }, { "\xE0\x80\x80", 3, 0 },
        { "\xED\xA0\x80", 3, 0 }, { "\xF4\x90\x80\x80", 4, 0 }, { "\xC3\xA9\xE2\x82", 4, 2 },
        { "\xF0\x8F\xBF\xBF", 4, 0 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        RtError e;
        char wanted[40];
        RtText t = { bad[i].bytes, bad[i].size };
        assert_null(rt_tokenizer_chars(&t, 1, &e));
        snprintf(wanted, sizeof wanted, "at offset %d is not UTF-8", bad[i].offset);
        assert_non_null(strstr(e.text, wanted));
    }
    RtError e;
    RtText empty = text("");
    assert_null(rt_tokenizer_chars(&empty, 1, &e));
}

static void test_bytes_are_themselves(void **state)
{
    (void)state;
    RtTokenizer *bytes = rt_tokenizer_bytes();
    assert_int_equal(rt_tokenizer_size(bytes), 256);
    assert_string_equal(ids_of(bytes, (RtText){ "\0a\xFF", 3 }), "0 97 255");
    assert_decodes(bytes, (int32_t[]){ 72, 105, 256, 33 }, 4, "Hi!");
    rt_tokenizer_free(bytes);
}

static void test_words_by_falling_count_then_first_occurrence(void **state)
{
    (void)state;
    RtTokenizer *t = words(" b a\tc a\r\nd c\va ", (WordOptions){ 0 });
    assert_int_equal(rt_tokenizer_size(t), 4);
    assert_string_equal(ids_of(t, text("a c b d")), "0 1 2 3");
    assert_string_equal(ids_of(t, text("a x b")), "0 2");    /* without an unknown word, others are left out */
    assert_decodes(t, (int32_t[]){ 0, 3, -1, 9 }, 4, "a d");
    assert_int_equal(rt_tokenizer_find(t, text("d")), 3);
    assert_int_equal(rt_tokenizer_find(t, text("D")), -1);
    rt_tokenizer_free(t);
}

static void test_words_with_limits_and_marks(void **state)
{
    (void)state;
    const RtText marks[] = { text("<s>"), text("</s>") }, unknown = text("<unk>");
    RtTokenizer *t = words("a a a b b c C <unk>",
                           (WordOptions){ .at_most = 5, .unknown = &unknown, .marks = marks, .mark_count = 2,
                                                                 .lower = true });
    assert_int_equal(rt_tokenizer_size(t), 5);               /* <s> </s> <unk> a b */
    assert_string_equal(ids_of(t, text("B A c z </s>")), "4 3 2 2 1");
    rt_tokenizer_free(t);
    t = words("a a b b c", (WordOptions){ .min_count = 2 });
    assert_int_equal(rt_tokenizer_size(t), 2);
    rt_tokenizer_free(t);
    assert_null(words("a b", (WordOptions){ .min_count = 2 }));
    assert_null(words(" \n ", (WordOptions){ 0 }));
    assert_null(words("a", (WordOptions){ .at_most = 2, .marks = marks, .mark_count = 2 }));
    const RtText two = text("a b");
    assert_null(words("a", (WordOptions){ .unknown = &two }));
}

static void test_words_take_any_bytes(void **state)
{
    (void)state;
    RtTokenizer *t = words("\xFF\x80 \xC3 \xC3", (WordOptions){ 0 });
    assert_string_equal(ids_of(t, text("\xFF\x80 \xC3")), "1 0");
    rt_tokenizer_free(t);
}

static void test_labels_are_whole_texts_in_byte_order(void **state)
{
    (void)state;
    RtError e;
    const RtText texts[] = { text("sports"), text("arts and music"), text("sports"), text("10"), text("9") };
    RtTokenizer *labels = rt_tokenizer_labels(texts, 5, &e);
    assert_int_equal(rt_tokenizer_size(labels), 4);
    assert_string_equal(ids_of(labels, text("arts and music")), "2");
    assert_string_equal(ids_of(labels, text("10")), "0");
    assert_string_equal(ids_of(labels, text("sport")), "'sport' is not one of the 4 labels; did you mean 'sports'?");
    assert_decodes(labels, (int32_t[]){ 3, 1 }, 2, "sports\n9");
    rt_tokenizer_free(labels);
}

static void test_many_words_keep_their_ids(void **state)
{
    (void)state;
    enum { WORDS = 20000 };
    char *source = malloc(WORDS * 8 + 1), *at = source;
    for (int i = 0; i < WORDS; i++) at += sprintf(at, "w%d ", i);
    RtTokenizer *t = words(source, (WordOptions){ 0 });
    assert_int_equal(rt_tokenizer_size(t), WORDS);
    for (int i = 0; i < WORDS; i++) {
        char word[16];
        sprintf(word, "w%d", i);
        assert_int_equal(rt_tokenizer_find(t, text(word)), i);
    }
    rt_tokenizer_free(t);
    free(source);
}

static void test_saved_ones_come_back(void **state)
{
    (void)state;
    RtError e;
    const RtText unknown = text("<unk>"), source = text("z\xC3\xA9 y");
    RtTokenizer *made[] = { rt_tokenizer_chars(&source, 1, &e), rt_tokenizer_bytes(),
                            rt_tokenizer_labels(&source, 1, &e),
                            words("a B a\xFF", (WordOptions){ .unknown = &unknown, .lower = true }) };
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        size_t size, again_size;
        char *saved = rt_tokenizer_save(made[i], &size);
        RtTokenizer *back = rt_tokenizer_load(saved, size, &e);
        assert_non_null(back);
        char *again = rt_tokenizer_save(back, &again_size);
        assert_int_equal(size, again_size);
        assert_memory_equal(saved, again, size);
        assert_int_equal(rt_tokenizer_rule(back), rt_tokenizer_rule(made[i]));
        if (rt_tokenizer_rule(back) == TOKENIZER_words) assert_string_equal(ids_of(back, text("A q b")), "1 0 2");
        for (size_t cut = 0; cut < size; cut++) assert_null(rt_tokenizer_load(saved, cut, &e));
        rt_tokenizer_free(back);
        rt_tokenizer_free(made[i]);
        free(saved);
        free(again);
    }
}

static void test_wrong_saved_ones_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "ptm-tokenizer 2\nrule chars\nunknown -1\nlower 0\npieces 1\n1\na\n",
        "ptm-tokenizer 1\nrule poems\nunknown -1\nlower 0\npieces 1\n1\na\n",
        "ptm-tokenizer 1\nrule chars\nunknown 1\nlower 0\npieces 1\n1\na\n",
        "ptm-tokenizer 1\nrule chars\nunknown -1\nlower 0\npieces 0\n",
        "ptm-tokenizer 1\nrule chars\nunknown -1\nlower 0\npieces 2\n1\na\n1\na\n",
        "ptm-tokenizer 1\nrule chars\nunknown -1\nlower 0\npieces 1\n99999999999\na\n",
        "ptm-tokenizer 1\nrule chars\nunknown -1\nlower 0\npieces 1\n-1\na\n",
        "ptm-tokenizer 1\nrule bytes\nunknown -1\nlower 0\npieces 1\n1\na\n",
        "ptm-tokenizer 1\nrule chars\nunknown -1\nlower 0\npieces 1\n1\na\nmore",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RtError e;
        assert_null(rt_tokenizer_load(wrong[i], strlen(wrong[i]), &e));
        assert_non_null(strstr(e.text, "not a saved tokenizer"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chars_are_sorted_code_points),
        cmocka_unit_test(test_an_alphabet_keeps_its_order),
        cmocka_unit_test(test_chars_refuse_what_is_not_utf8),
        cmocka_unit_test(test_bytes_are_themselves),
        cmocka_unit_test(test_words_by_falling_count_then_first_occurrence),
        cmocka_unit_test(test_words_with_limits_and_marks),
        cmocka_unit_test(test_words_take_any_bytes),
        cmocka_unit_test(test_labels_are_whole_texts_in_byte_order),
        cmocka_unit_test(test_many_words_keep_their_ids),
        cmocka_unit_test(test_saved_ones_come_back),
        cmocka_unit_test(test_wrong_saved_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
