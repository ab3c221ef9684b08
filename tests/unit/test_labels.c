#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/labels/labels.h"

static struct cw_arena *arena;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(labels, .init = setup, .fini = teardown);

static const char *formatted(struct cw_labels labels)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1 << 20);
    cw_labels_format(labels, &buf);
    struct cw_str copy = cw_arena_dup(arena, cw_buf_str(&buf));
    cw_buf_fini(&buf);
    return copy.ptr;
}

static struct cw_labels parsed(const char *text)
{
    struct cw_labels labels;
    struct cw_err err = {0};
    cr_assert_eq(cw_labels_parse(cw_str_of(text), arena, &labels, &err), 0, "%s: %s", text,
                 err.text);
    return labels;
}

Test(labels, parse_accepts_what_prometheus_accepts_and_sorts_it)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{a=\"b\"}", "{a=\"b\"}"},
        {"{b=\"1\",a=\"2\"}", "{a=\"2\", b=\"1\"}"},
        {" { a = \"b\" , c='d', } ", "{a=\"b\", c=\"d\"}"},
        {"{a=`x\\n`}", "{a=\"x\\\\n\"}"},
        {"{a=\"\\x41\\102\\u00e9\\U0001F600\\n\"}", "{a=\"ABé😀\\n\"}"},
        {"{a=\"\\xff\"}", "{a=\"\\xff\"}"},
        {"{\"a.b\"=\"v\"}", "{\"a.b\"=\"v\"}"},
        {"{\"foo\"}", "{__name__=\"foo\"}"},
        {"foo:bar{a=\"b\"}", "{__name__=\"foo:bar\", a=\"b\"}"},
        {"y{__name__=\"x\"}", "{__name__=\"y\"}"},
        {"{a=\"b\", # why\nc=\"d\"}", "{a=\"b\", c=\"d\"}"},
        {"{a=\"1\",gone=\"\"}", "{a=\"1\"}"},
        {"{}", "{}"},
        {"", "{}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_str_eq(formatted(parsed(cases[i].text)), cases[i].want);
}

Test(labels, parse_errors_are_the_texts_that_loki_answers)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"{pushcase=\"json-label-dashed-name\", pushcase-d=\"v\"}",
         "1:45: parse error: unexpected character inside braces: '-'"},
        {"{9pushcase=\"v\"}", "1:2: parse error: unexpected character inside braces: '9'"},
        {"{=\"v\"}",
         "1:2: parse error: unexpected \"=\" in label set, expected identifier or \"}\""},
        {"pushcase=\"proto-labels-no-braces\"", "1:9: parse error: unexpected \"=\""},
        {"{a=\"b\"} foo", "1:9: parse error: unexpected identifier \"foo\""},
        {"{a=\"b\"}}", "1:8: parse error: unexpected character: '}'"},
        {"{a!=\"b\"}", "1:3: parse error: unexpected <op:!=> in label set, expected \"=\""},
        {"{a=~\"b\"}", "1:3: parse error: unexpected <op:=~> in label set, expected \"=\""},
        {"{a}", "1:3: parse error: unexpected \"}\" in label set, expected \"=\""},
        {"{a=\"b\" c=\"d\"}",
         "1:8: parse error: unexpected identifier \"c\" in label set, expected \",\" or \"}\""},
        {"{\"a\" \"a long string\"}",
         "1:6: parse error: unexpected string \"\\\"a long st\"... in label set, expected \",\" or "
         "\"}\""},
        {"{a=\"b}", "1:4: parse error: unterminated quoted string"},
        {"{a=`b}", "1:4: parse error: unterminated raw string"},
        {"{a=b}", "1:4: parse error: unexpected identifier \"b\" in label set, expected string"},
        {"{a=\"\\q\"}", "1:4: parse error: unknown escape sequence U+0071 'q'"},
        {"{a=\"\\400\"}", "1:4: parse error: escape sequence is an invalid Unicode code point"},
        {"{a=\"\\ud800\"}", "1:4: parse error: escape sequence is an invalid Unicode code point"},
        {"{a=\"\\u12g4\"}", "1:4: parse error: illegal character U+0067 'g' in escape sequence"},
        {"{a=\"\\", "1:4: parse error: escape sequence not terminated"},
        {"{a=\"\xff\"}", "1:4: parse error: invalid UTF-8 rune"},
        {"{é=\"\"}", "1:2: parse error: unexpected character inside braces: 'é'"},
        {"{a=\"b\"", "1:7: parse error: unexpected end of input inside braces"},
        {"{a=\"b\",,}",
         "1:8: parse error: unexpected \",\" in label set, expected identifier or \"}\""},
        {"{a=\"b\",\n  c d}",
         "2:5: parse error: unexpected identifier \"d\" in label set, expected \"=\""},
        {"{{}}", "1:2: parse error: unexpected left brace '{'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_labels labels;
        struct cw_err err = {0};
        cr_expect_eq(cw_labels_parse(cw_str_of(cases[i].text), arena, &labels, &err), CW_E_INVALID);
        struct cw_str want = cw_arena_printf(arena, "couldn't parse labels: %s", cases[i].want);
        cr_expect_str_eq(err.text, want.ptr);
    }
}

Test(labels, a_name_that_is_there_twice_is_named_with_the_set_as_it_came)
{
    struct cw_labels labels;
    struct cw_err err = {0};
    const char *text = "{a=\"x\", d=\"1\", d=\"2\"}";
    cr_assert_eq(cw_labels_parse(cw_str_of(text), arena, &labels, &err), CW_E_INVALID);
    cr_assert_str_eq(err.text,
                     "stream '{a=\"x\", d=\"1\", d=\"2\"}' has duplicate label name: 'd'");
}

Test(labels, format_and_parse_are_inverse_for_any_bytes)
{
    unsigned seed = 7;
    for (int round = 0; round < 2000; round++) {
        char bytes[24];
        size_t n = 1 + (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)rand_r(&seed);
        struct cw_label pair = {CW_STR("name"), {bytes, n}};
        struct cw_labels labels, again;
        struct cw_err err = {0};
        cr_assert_eq(cw_labels_from_pairs(&pair, 1, &labels, &err), 0);
        cr_assert_eq(cw_labels_parse(cw_str_of(formatted(labels)), arena, &again, &err), 0, "%s",
                     err.text);
        cr_assert(cw_labels_eq(labels, again));
    }
}

Test(labels, get_does_not_tell_an_absent_label_from_an_empty_one)
{
    struct cw_labels labels = parsed("{a=\"1\",c=\"3\"}");
    cr_expect(cw_str_eqz(cw_labels_get(labels, CW_STR("c")), "3"));
    cr_expect_eq(cw_labels_get(labels, CW_STR("b")).len, 0);
    cr_expect(cw_labels_has(labels, CW_STR("a")));
    cr_expect_not(cw_labels_has(labels, CW_STR("b")));
}

Test(labels, the_hash_depends_on_where_names_and_values_end)
{
    struct cw_hash128 ab_c = cw_labels_hash(parsed("{ab=\"c\"}"));
    struct cw_hash128 a_bc = cw_labels_hash(parsed("{a=\"bc\"}"));
    cr_expect_not(cw_hash128_eq(ab_c, a_bc));
    /* Stable on disk: these values may never change. */
    cr_expect(cw_hash128_eq(ab_c, cw_hash128("ab\377c\377", 5)));
    char *longest = malloc(5000);
    memset(longest, 'v', 5000);
    struct cw_label pair = {CW_STR("a"), {longest, 5000}};
    struct cw_labels labels = {&pair, 1};
    cr_expect(cw_hash128_eq(cw_labels_hash(labels), cw_labels_hash(cw_labels_dup(arena, labels))));
    free(longest);
}

Test(labels, order_is_by_pairs_then_by_count)
{
    cr_expect_lt(cw_labels_cmp(parsed("{a=\"1\"}"), parsed("{a=\"2\"}")), 0);
    cr_expect_lt(cw_labels_cmp(parsed("{a=\"1\"}"), parsed("{a=\"1\",b=\"1\"}")), 0);
    cr_expect_gt(cw_labels_cmp(parsed("{b=\"1\"}"), parsed("{a=\"1\",b=\"1\"}")), 0);
    cr_expect_eq(cw_labels_cmp(parsed("{a=\"1\"}"), parsed("{a=\"1\"}")), 0);
}

Test(labels, a_heap_copy_owns_its_text)
{
    struct cw_labels copy = cw_labels_dup_heap(parsed("{a=\"1\",b=\"2\"}"));
    cw_arena_reset(arena);
    cr_expect_str_eq(formatted(copy), "{a=\"1\", b=\"2\"}");
    free((void *)copy.items);
    cr_expect_null(cw_labels_dup_heap(CW_LABELS_NONE).items);
}

Test(labels, metadata_names_are_sanitised_as_loki_does)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"a.b", "a_b"},  {"9e", "key_9e"}, {"k-dash", "k_dash"},     {"ok_1", "ok_1"},  {"é", "_"},
        {"a\xff", "a_"}, {"", ""},         {"trace.id", "trace_id"}, {"1.2", "key_1_2"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_str name = cw_str_of(cases[i].name);
        cr_expect(cw_str_eqz(cw_label_name_sanitize(arena, name), cases[i].want), "%s",
                  cases[i].name);
    }
    struct cw_str fine = CW_STR("fine");
    cr_expect_eq(cw_label_name_sanitize(arena, fine).ptr, fine.ptr);
    cr_expect(cw_label_name_valid(fine));
    cr_expect_not(cw_label_name_valid(CW_STR("9a")));
    cr_expect_not(cw_label_name_valid(CW_STR("a:b")));
    cr_expect_not(cw_label_name_valid(CW_STR("")));
}

/* What grafana/loki:3.7.4 was seen to store, and to say of what it refuses. */
Test(labels, metadata_names_are_normalised_as_loki_does)
{
    static const struct {
        const char *name, *want; /* NULL: refused */
        const char *refusal;
    } cases[] = {
        {"a.b", "a_b", NULL},
        {"a..b", "a_b", NULL},
        {"a__b", "a_b", NULL},
        {"9bad", "key_9bad", NULL},
        {"_x", "_x", NULL},
        {"__x", "_x", NULL},
        {"__foo__", "__foo__", NULL},
        {"___a___", "___a___", NULL},
        {"na\u00efve", "na_ve", NULL},
        {"ok ", "ok_", NULL},
        {"ok", "ok", NULL},
        {"a\xff\xff", "a_", NULL},
        {"", NULL, "label name is empty"},
        {" ", NULL, "normalization for label name \" \" resulted in invalid name \"_\""},
        {"__", NULL, "normalization for label name \"__\" resulted in invalid name \"_\""},
        {"____", NULL, "normalization for label name \"____\" resulted in invalid name \"____\""},
        {"\u65e5\u672c", NULL,
         "normalization for label name \"\u65e5\u672c\" resulted in invalid name \"_\""},
        {"__\u00e9__", NULL,
         "normalization for label name \"__\u00e9__\" resulted in invalid name \"_____\""},
        {"\t", NULL, "normalization for label name \"\\t\" resulted in invalid name \"_\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_str name = cw_str_of(cases[i].name);
        cr_expect_eq(cw_label_name_admissible(name), cases[i].want != NULL, "%s", cases[i].name);
        if (cases[i].want != NULL)
            cr_expect(cw_str_eqz(cw_label_name_normalize(arena, name), cases[i].want), "%s",
                      cases[i].name);
        else
            cr_expect(cw_str_eqz(cw_label_name_refusal(arena, name), cases[i].refusal), "%s",
                      cases[i].name);
    }
    struct cw_str fine = CW_STR("fine_1");
    cr_expect_eq(cw_label_name_normalize(arena, fine).ptr, fine.ptr);
    static char dots[100000];
    memset(dots, '.', sizeof dots);
    cr_expect_leq(cw_label_name_refusal(arena, cw_str_make(dots, sizeof dots)).len, 1000);
}

Test(labels, quoting_is_gos)
{
    static const struct {
        struct cw_str raw;
        const char *want;
    } cases[] = {
        {CW_STR("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\""},
        {CW_STR("\a\b\f\r\t\v\0\x01\x7f"), "\"\\a\\b\\f\\r\\t\\v\\x00\\x01\\x7f\""},
        {CW_STR("é世😀"), "\"é世😀\""},
        {CW_STR("\xff\xc3"), "\"\\xff\\xc3\""},
        {CW_STR("\xe2\x80\xa8\xc2\xa0\xc2\xad"), "\"\\u2028\\u00a0\\u00ad\""},
        {CW_STR("\xf0\x90\xbf\xbf"), "\"\\U00010fff\""},
        {CW_STR("\xef\xbf\xbd"), "\"\xef\xbf\xbd\""},
        {CW_STR(""), "\"\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_buf buf;
        cw_buf_init(&buf, 1 << 10);
        cw_quote_go(cases[i].raw, &buf);
        cr_expect_str_eq(cw_buf_z(&buf), cases[i].want);
        struct cw_str back;
        cr_expect(cw_unquote_go(cw_buf_str(&buf), arena, &back));
        cr_expect(cw_str_eq(back, cases[i].raw));
        cw_buf_fini(&buf);
    }
}

/* Bytes are looked at eight at a time: what one of ASCII becomes does not depend on where it stands. */
Test(labels, a_byte_is_quoted_the_same_at_every_place)
{
    for (int c = 0; c < 0x80; c++) {
        struct cw_buf alone, among, want;
        char byte = (char)c;
        cw_buf_init(&alone, 100);
        cw_buf_init(&among, 100);
        cw_buf_init(&want, 100);
        cw_quote_go(cw_str_make(&byte, 1), &alone);
        for (int at = 0; at < 20; at++) {
            char text[21];
            memset(text, '~', sizeof text);
            text[at] = byte;
            cw_buf_clear(&among);
            cw_buf_clear(&want);
            cw_quote_go(cw_str_make(text, sizeof text), &among);
            cw_buf_addf(&want, "\"%.*s%.*s%.*s\"", at, "~~~~~~~~~~~~~~~~~~~~", (int)alone.len - 2,
                        alone.ptr + 1, 20 - at, "~~~~~~~~~~~~~~~~~~~~");
            cr_expect_str_eq(cw_buf_z(&among), cw_buf_z(&want), "byte %d at %d", c, at);
        }
        cw_buf_fini(&alone);
        cw_buf_fini(&among);
        cw_buf_fini(&want);
    }
}

Test(labels, unquoting_refuses_what_go_refuses)
{
    static const char *const bad[] = {"",       "\"",       "\"a",         "a\"",       "'a'",
                                      "`a`b`",  "\"a\"b\"", "\"\\q\"",     "\"\\400\"", "\"\\x1\"",
                                      "\"\n\"", "\"\\'\"",  "\"\\ud800\"", "\"\\\""};
    struct cw_str out;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(cw_unquote_go(cw_str_of(bad[i]), arena, &out), "%s", bad[i]);
    cr_assert(cw_unquote_go(CW_STR("`a\r\\n`"), arena, &out));
    cr_expect(cw_str_eqz(out, "a\\n"));
    cr_assert(cw_unquote_go(CW_STR("\"\xff\\x41\""), arena, &out));
    cr_expect(cw_str_eqz(out, "\xef\xbf\xbd"
                              "A"));
}

Test(labels, pairs_of_one_name_keep_their_order_when_sorted)
{
    enum { MOST = 3000 };
    static struct cw_label pairs[MOST];
    static const char *const names[] = {"c", "a", "b"};
    static char values[MOST][24];
    for (size_t n = 0; n <= MOST; n = n * 2 + 1) {
        for (size_t i = 0; i < n; i++) {
            snprintf(values[i], sizeof values[i], "%04zu", i);
            pairs[i] = (struct cw_label){cw_str_of(names[i * 7 % 3]), cw_str_of(values[i])};
        }
        cw_label_pairs_sort(pairs, n);
        for (size_t i = 1; i < n; i++) {
            int order = cw_str_cmp(pairs[i - 1].name, pairs[i].name);
            cr_assert(order < 0 ||
                      (order == 0 && cw_str_cmp(pairs[i - 1].value, pairs[i].value) < 0));
        }
    }
}
