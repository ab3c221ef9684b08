#include <criterion/criterion.h>

#include "common/match/selector.h"

static struct cw_selector selector;
static struct cw_arena *arena;

static void setup(void)
{
    cw_selector_init(&selector);
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_selector_fini(&selector);
    cw_arena_free(&arena);
}

TestSuite(selector, .init = setup, .fini = teardown);

static void add(enum cw_match_op op, const char *name, const char *value)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_selector_add(&selector, op, cw_str_of(name), cw_str_of(value), &err), 0, "%s",
                 err.text);
}

static int matches(const char *text)
{
    struct cw_labels labels;
    struct cw_err err = {0};
    cr_assert_eq(cw_labels_parse(cw_str_of(text), arena, &labels, &err), 0, "%s", err.text);
    return cw_selector_match(&selector, labels, &err);
}

Test(selector, all_matchers_must_hold)
{
    add(CW_MATCH_EQ, "app", "match");
    add(CW_MATCH_RE, "tier", "gold.*");
    add(CW_MATCH_NE, "tier", "gold");
    add(CW_MATCH_NRE, "zone", "z[45]");
    cr_expect_eq(matches("{app=\"match\",tier=\"gold-plus\",zone=\"z1\"}"), 1);
    cr_expect_eq(matches("{app=\"match\",tier=\"gold-plus\"}"), 1);
    cr_expect_eq(matches("{app=\"match\",tier=\"gold\"}"), 0);
    cr_expect_eq(matches("{app=\"match\",tier=\"gold-plus\",zone=\"z4\"}"), 0);
    cr_expect_eq(matches("{tier=\"gold-plus\"}"), 0);
}

Test(selector, an_absent_label_is_an_empty_one)
{
    add(CW_MATCH_EQ, "nosuch", "");
    add(CW_MATCH_NE, "nosuch", "x");
    add(CW_MATCH_RE, "nosuch", ".*");
    add(CW_MATCH_NRE, "nosuch", ".+");
    cr_expect_eq(matches("{app=\"a\"}"), 1);
    cr_expect_eq(matches("{nosuch=\"y\"}"), 0);
}

Test(selector, a_dot_matches_newlines_in_values)
{
    add(CW_MATCH_RE, "tier", "multi.*");
    cr_expect_eq(matches("{tier=\"multi\\nline\"}"), 1);
}

Test(selector, a_bad_regex_is_refused_in_gos_words_and_not_added)
{
    struct cw_err err = {0};
    cr_expect_eq(cw_selector_add(&selector, CW_MATCH_RE, CW_STR("app"), CW_STR("(?!x)y"), &err),
                 CW_E_INVALID);
    cr_expect_str_eq(err.text, "error parsing regexp: invalid or unsupported Perl syntax: `(?!`");
    cr_expect_eq(selector.n, 0);
}

Test(selector, says_which_matchers_accept_a_stream_without_the_label)
{
    static const struct {
        enum cw_match_op op;
        const char *value;
        bool want;
    } cases[] = {
        {CW_MATCH_EQ, "", true},   {CW_MATCH_EQ, "x", false},   {CW_MATCH_NE, "", false},
        {CW_MATCH_NE, "x", true},  {CW_MATCH_RE, ".*", true},   {CW_MATCH_RE, ".+", false},
        {CW_MATCH_NRE, "x", true}, {CW_MATCH_NRE, ".*", false}, {CW_MATCH_RE, "", true},
        {CW_MATCH_RE, "a|", true}, {CW_MATCH_RE, "^$", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        add(cases[i].op, "a", cases[i].value);
        cr_expect_eq(cw_matcher_matches_empty(&selector.items[i]), cases[i].want, "case %zu", i);
    }
}

Test(selector, prints_as_it_is_written)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 1000);
    add(CW_MATCH_EQ, "app", "a\"b");
    add(CW_MATCH_NE, "env", "x");
    add(CW_MATCH_RE, "host", "h.*\\d");
    add(CW_MATCH_NRE, "tier", "");
    cw_selector_format(&selector, &buf);
    cr_expect_str_eq(cw_buf_z(&buf),
                     "{app=\"a\\\"b\", env!=\"x\", host=~\"h.*\\\\d\", tier!~\"\"}");
    cw_buf_fini(&buf);
}
