#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/match/regex.h"

/* What a test may take: the machine may be slow, and sanitizers are. */
#ifdef __SANITIZE_ADDRESS__
#define SLOWNESS 8
#else
#define SLOWNESS 1
#endif

static struct cw_regex *compiled(struct cw_str pattern, unsigned flags)
{
    struct cw_regex *regex;
    struct cw_err err = {0};
    cr_assert_eq(cw_regex_compile(pattern, flags, &regex, &err), 0, "%.*s: %s", CW_STR_ARG(pattern),
                 err.text);
    return regex;
}

static int matched(struct cw_str pattern, unsigned flags, struct cw_str text)
{
    struct cw_regex *regex = compiled(pattern, flags);
    struct cw_err err = {0};
    int rc = cw_regex_match(regex, text, &err);
    cr_assert_geq(rc, 0, "%s", err.text);
    cw_regex_free(&regex);
    cr_assert_null(regex);
    return rc;
}

#define EXPECT_MATCH(pattern, flags, text, want)                                                   \
    cr_expect_eq(matched(CW_STR(pattern), flags, CW_STR(text)), want, "%s on %s", pattern, text)

Test(regex, a_dollar_is_the_end_of_the_text_and_not_before_a_last_newline)
{
    EXPECT_MATCH("foo$", 0, "foo", 1);
    EXPECT_MATCH("foo$", 0, "foo\n", 0);
    EXPECT_MATCH("(?m)foo$", 0, "foo\nbar", 1);
    EXPECT_MATCH("^bar", 0, "foo\nbar", 0);
    EXPECT_MATCH("(?m)^bar", 0, "foo\nbar", 1);
    EXPECT_MATCH("(?m)^$", 0, "foo\n", 1);
}

Test(regex, a_dot_takes_one_rune_and_no_newline_unless_told)
{
    EXPECT_MATCH("a.b", 0, "a\nb", 0);
    EXPECT_MATCH("(?s)a.b", 0, "a\nb", 1);
    EXPECT_MATCH("a.b", CW_REGEX_DOT_NEWLINE, "a\nb", 1);
    EXPECT_MATCH("a(?-s:.)b", CW_REGEX_DOT_NEWLINE, "a\nb", 0);
    EXPECT_MATCH("^.$", 0, "\xE4\xB8\x96", 1);
    EXPECT_MATCH("^..$", 0, "\xC3\xA9", 0);
    EXPECT_MATCH("^.$", 0, "\xFF", 1);
    EXPECT_MATCH("^...$", 0,
                 "\xE4\xB8"
                 "x",
                 1); /* each byte of what is no rune is one */
    EXPECT_MATCH("^[^a]$", 0, "\x80", 1);
    EXPECT_MATCH("^\\x{fffd}$", 0, "\x80", 1);
    EXPECT_MATCH("[^\xC3\xA9]x", 0, "\xC3\xA9x", 0); /* a search does not begin inside a rune */
    EXPECT_MATCH("a\\x00b", 0, "a\0b", 1);
}

Test(regex, classes_are_ascii_and_space_has_no_vertical_tab)
{
    EXPECT_MATCH("^\\s+$", 0, " \t\n\f\r", 1);
    EXPECT_MATCH("\\s", 0, "\v", 0);
    EXPECT_MATCH("\\s", 0, "\xC2\xA0", 0);
    EXPECT_MATCH("\\d", 0, "\xD9\xA3", 0);
    EXPECT_MATCH("\\w", 0, "\xC3\xA9", 0);
    EXPECT_MATCH("\\bfoo\\b", 0,
                 "\xC3\xA9"
                 "foo\xC3\xA9",
                 1);
    EXPECT_MATCH("^\\pL+$", 0, "a\xC3\xA9\xE4\xB8\xAD", 1);
    EXPECT_MATCH("\\p{Han}", 0, "\xE4\xB8\xAD", 1);
    EXPECT_MATCH("\\p{Greek}", 0, "a", 0);
    EXPECT_MATCH("^[[:alpha:]]+$", 0, "abZ", 1);
    EXPECT_MATCH("^[^[:^digit:]]+$", 0, "42", 1);
}

Test(regex, case_folds_as_unicode_says)
{
    EXPECT_MATCH("(?i)k", 0, "\xE2\x84\xAA", 1); /* the Kelvin sign */
    EXPECT_MATCH("(?i)strange", 0, "\xC5\xBFtrange", 1);
    EXPECT_MATCH("(?i)STRA\xC3\x9F"
                 "E",
                 0,
                 "stra\xC3\x9F"
                 "e",
                 1);
    EXPECT_MATCH("(?i)caf\xC3\x89", 0, "CAF\xC3\xA9", 1);
    EXPECT_MATCH("g(?i)OLD", 0, "gold", 1);
    EXPECT_MATCH("g(?i)OLD", 0, "Gold", 0);
    EXPECT_MATCH("(?i:a)b", 0, "AB", 0);
    EXPECT_MATCH("(?i)[^a]", 0, "A", 0);
}

Test(regex, a_full_match_takes_the_whole_text)
{
    EXPECT_MATCH("gold", CW_REGEX_FULL, "gold", 1);
    EXPECT_MATCH("gold", CW_REGEX_FULL, "gold-plus", 0);
    EXPECT_MATCH("gold.*", CW_REGEX_FULL, "gold-plus", 1);
    EXPECT_MATCH("^gold$", CW_REGEX_FULL, "gold", 1);
    EXPECT_MATCH("a|ab", CW_REGEX_FULL, "ab", 1);
    EXPECT_MATCH("a|b|c", CW_REGEX_FULL, "b", 1);
    EXPECT_MATCH("a|b|c", CW_REGEX_FULL, "ab", 0);
    EXPECT_MATCH("multi.*", CW_REGEX_FULL | CW_REGEX_DOT_NEWLINE, "multi\nline", 1);
    EXPECT_MATCH("", CW_REGEX_FULL, "", 1);
    EXPECT_MATCH("", CW_REGEX_FULL, "x", 0);
    EXPECT_MATCH("\\Qa|b", CW_REGEX_FULL, "a|b", 1);
}

Test(regex, captures_name_their_groups_and_tell_unset_from_empty)
{
    struct cw_regex *regex = compiled(CW_STR("(?P<lead>x*)(?<n>\\d+)|(z)"), CW_REGEX_SEARCH);
    struct cw_str groups[8];
    struct cw_err err = {0};
    cr_assert_eq(cw_regex_ngroups(regex), 3);
    cr_expect(cw_str_eqz(cw_regex_group_name(regex, 1), "lead"));
    cr_expect(cw_str_eqz(cw_regex_group_name(regex, 2), "n"));
    cr_expect_eq(cw_regex_group_name(regex, 3).len, 0);
    cr_assert_eq(cw_regex_captures(regex, CW_STR("a42b"), groups, 8, &err), 1);
    cr_expect(cw_str_eqz(groups[0], "42"));
    cr_expect(groups[1].ptr != NULL && groups[1].len == 0);
    cr_expect(cw_str_eqz(groups[2], "42"));
    cr_expect_null(groups[3].ptr);
    cr_expect_null(groups[7].ptr);
    /* Bytes that are not UTF-8 in front do not shift the groups. */
    cr_assert_eq(cw_regex_captures(regex, CW_STR("\xFF\xFExx7\xC3"), groups, 4, &err), 1);
    cr_expect(cw_str_eqz(groups[1], "xx"));
    cr_expect(cw_str_eqz(groups[2], "7"));
    cr_expect_eq(cw_regex_captures(regex, CW_STR("none"), groups, 4, &err), 0);
    cw_regex_free(&regex);
    regex = compiled(CW_STR("(a*)*(b?)"), CW_REGEX_SEARCH);
    cr_assert_eq(cw_regex_captures(regex, CW_STR_NONE, groups, 3, &err), 1);
    cr_expect(groups[0].ptr != NULL && groups[0].len == 0);
    cw_regex_free(&regex);
}

Test(regex, errors_are_gos_texts)
{
    static const struct {
        const char *pattern, *want;
    } cases[] = {
        {"(?!x)y", "invalid or unsupported Perl syntax: `(?!`"},
        {"(?=a)", "invalid or unsupported Perl syntax: `(?=`"},
        {"(?<=a)", "invalid named capture: `(?<=a)`"},
        {"(?z)", "invalid or unsupported Perl syntax: `(?z`"},
        {"(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"},
        {"*", "missing argument to repetition operator: `*`"},
        {"a|*", "missing argument to repetition operator: `*`"},
        {"(+?b)", "missing argument to repetition operator: `+?`"},
        {"a**", "invalid nested repetition operator: `**`"},
        {"a{2}{3}?", "invalid nested repetition operator: `{2}{3}?`"},
        {"(", "missing closing ): `(`"},
        {"(?P<a>", "missing closing ): `(?P<a>`"},
        {"a)b", "unexpected ): `a)b`"},
        {"[", "missing closing ]: `[`"},
        {"[z-a]", "invalid character class range: `z-a`"},
        {"[[:foo:]]", "invalid character class range: `[:foo:]`"},
        {"\\pX", "invalid character class range: `\\pX`"},
        {"\\p{Nope}x", "invalid character class range: `\\p{Nope}`"},
        {"\\q", "invalid escape sequence: `\\q`"},
        {"\\1", "invalid escape sequence: `\\1`"},
        {"\\C", "invalid escape sequence: `\\C`"},
        {"\\x{110000}", "invalid escape sequence: `\\x{110000`"},
        {"\\", "trailing backslash at end of expression: ``"},
        {"x{1001}", "invalid repeat count: `{1001}`"},
        {"x{2,1}", "invalid repeat count: `{2,1}`"},
        {"((x{10}){10}){11}", "invalid repeat count: `{11}`"},
        {"(?P<>a)", "invalid named capture: `(?P<>`"},
        {"(?P<n", "invalid named capture: `(?P<n`"},
        {"a\xFF"
         "b",
         "invalid UTF-8: `\xFF"
         "b`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_regex *regex;
        struct cw_err err = {0};
        char want[200];
        snprintf(want, sizeof want, "error parsing regexp: %s", cases[i].want);
        cr_expect_eq(cw_regex_compile(cw_str_of(cases[i].pattern), 0, &regex, &err), CW_E_INVALID);
        cr_expect_str_eq(err.text, want);
    }
}

static struct cw_str repeated(struct cw_arena *arena, const char *before, const char *part,
                              size_t n, const char *after)
{
    struct cw_buf buf;
    cw_buf_init(&buf, 8 << 20);
    cw_buf_addz(&buf, before);
    for (size_t i = 0; i < n; i++)
        cw_buf_addz(&buf, part);
    cw_buf_addz(&buf, after);
    struct cw_str copy = cw_arena_dup(arena, cw_buf_str(&buf));
    cw_buf_fini(&buf);
    return copy;
}

Test(regex, an_expression_is_bounded_in_depth_and_size)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_regex *regex;
    struct cw_err err = {0};
    struct cw_str deep = repeated(arena, "", "(", 1000, "a");
    deep = repeated(arena, deep.ptr, ")", 1000, "");
    cr_expect_eq(cw_regex_compile(deep, 0, &regex, &err), CW_E_INVALID);
    cr_expect(strncmp(err.text, "error parsing regexp: expression nests too deeply: `((", 54) == 0);
    deep = repeated(arena, "", "(", 999, "a");
    deep = repeated(arena, deep.ptr, ")", 999, "");
    cr_expect_eq(matched(deep, CW_REGEX_FULL, CW_STR("a")), 1);
    struct cw_str large = repeated(arena, "(", "abcdefghij", 100, "){1000}");
    cr_expect_eq(cw_regex_compile(large, 0, &regex, &err), CW_E_INVALID);
    cr_expect(strncmp(err.text, "error parsing regexp: expression too large", 42) == 0);
    /* More than PCRE2 can hold, less than our bound: the NFA runs it. */
    large = repeated(arena, "^([a-cx-z]", "[a-cx-z]", 99, "){100}$");
    cr_expect_eq(matched(large, 0, repeated(arena, "", "abcxyabcxy", 1000, "")), 1);
    cr_expect_eq(matched(large, 0, repeated(arena, "", "abcxyabcxy", 999, "")), 0);
    cw_arena_free(&arena);
}

Test(regex, facts_are_found_without_running_it)
{
    static const struct {
        const char *pattern, *literal;
        int nocase, empty;
        size_t nalternatives;
    } cases[] = {
        {"foo", "foo", 0, 0, 1},
        {".*foo.*", "foo", 0, 0, 1},
        {"(foo)bar[0-9]+quux!", "foobar", 0, 0, 0},
        {"^foo\\bbar$", "foobar", 0, 0, 0},
        {"(?i)Hello World", "hello world", 1, 0, 1},
        {"(?i)strange", "trange", 1, 0, 1},
        {"(?i)42-17", "42-17", 0, 0, 1},
        {"a|b|c", "", 0, 0, 3},
        {"st(art|op)ing", "ing", 0, 0, 2},
        {"x(foo)+y", "foo", 0, 0, 0},
        {"x(foo)?y", "x", 0, 0, 2},
        {"(foo)*", "", 0, 1, 0},
        {"", "", 0, 1, 1},
        {".*", "", 0, 1, 1},
        {".+", "", 0, 0, 0},
        {"a{0}", "", 0, 1, 0},
        {"\\b", "", 0, 0, 0},
        {"(?:)|x", "", 0, 1, 2},
        {"foo[ab]", "foo", 0, 0, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_regex *regex = compiled(cw_str_of(cases[i].pattern), CW_REGEX_SEARCH);
        bool nocase, alternatives_nocase;
        size_t n;
        struct cw_str literal = cw_regex_literal(regex, &nocase);
        cr_expect(cw_str_eqz(literal, cases[i].literal), "%s: %.*s", cases[i].pattern,
                  CW_STR_ARG(literal));
        cr_expect_eq(nocase, cases[i].nocase, "%s", cases[i].pattern);
        cr_expect_eq(cw_regex_matches_empty(regex), cases[i].empty, "%s", cases[i].pattern);
        (void)cw_regex_alternatives_nocase(regex, &alternatives_nocase, &n);
        cr_expect_eq(n, cases[i].nalternatives, "%s: %zu", cases[i].pattern, n);
        (void)cw_regex_alternatives(regex, &n);
        cr_expect_eq(n, alternatives_nocase ? 0 : cases[i].nalternatives);
        cr_expect(cw_str_eqz(cw_regex_pattern(regex), cases[i].pattern));
        cw_regex_free(&regex);
    }
}

Test(regex, catastrophic_patterns_end_within_100_ms_on_a_long_line)
{
    static const char *const patterns[] = {
        "(a+)+$",
        "(a|aa)+$",
        "(a|a?)+$",
        "(.*a){12}$",
        "^(a+)+$",
        "(a*)*$",
        "(a+a+)+y$",
        "(x+x+)+y",
        "(.*)(.*)[bc]",
        "([a-z]+)*=",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "a*a*a*a*a*[bc]",
        "(?:a.*){5}[bc]",
        "(\\w+\\s?)+!",
        "a+[bc]",
        ".*.*=.*",
        "(?i)(a|A)+[bc]",
        "(a?){20}a{20}$",
        "\\b(a+)+\\b!",
    };
    struct cw_arena *arena = cw_arena_new();
    struct cw_str texts[] = {
        repeated(arena, "", "a", 256 << 10, "!x"),
        repeated(arena, "", "ab ", (256 << 10) / 3, "x"),
        repeated(arena, "", "a", (256 << 10) - 2, "\xC3\xA9"),
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct cw_regex *regex = compiled(cw_str_of(patterns[i]), CW_REGEX_SEARCH);
        for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
            struct cw_err err = {0};
            struct cw_str groups[2];
            int64_t start_ns = cw_clock_thread_cpu_ns();
            int rc = cw_regex_match(regex, texts[t], &err);
            int64_t took_ns = cw_clock_thread_cpu_ns() - start_ns;
            cr_expect_leq(took_ns, SLOWNESS * 100 * CW_NS_PER_MS, "%s on text %zu: %d ms",
                          patterns[i], t, (int)(took_ns / CW_NS_PER_MS));
            cr_expect(rc >= 0 || rc == CW_E_LIMIT);
            if (rc == CW_E_LIMIT)
                cr_expect(strstr(err.text, patterns[i]) != NULL);
            start_ns = cw_clock_thread_cpu_ns();
            rc = cw_regex_captures(regex, texts[t], groups, 2, &err);
            cr_expect(rc >= 0 || rc == CW_E_LIMIT);
            took_ns = cw_clock_thread_cpu_ns() - start_ns;
            cr_expect_leq(took_ns, SLOWNESS * 300 * CW_NS_PER_MS,
                          "captures of %s on text %zu: %d ms", patterns[i], t,
                          (int)(took_ns / CW_NS_PER_MS));
        }
        cw_regex_free(&regex);
    }
    cw_arena_free(&arena);
}

Test(regex, a_pattern_that_backtracks_on_every_line_is_asked_of_the_automaton)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str none = repeated(arena, "", "0123456789abcdef", 500, "!");
    struct cw_str some = repeated(arena, "", "0123456789abcdef", 500, "x");
    struct cw_regex *regex = compiled(CW_STR("(?:[0-9a-f]+[g-z]?)+([xyz])"), CW_REGEX_SEARCH);
    struct cw_err err = {0};
    int64_t start_ns = cw_clock_thread_cpu_ns();
    for (int i = 0; i < 1000; i++)
        cr_expect_eq(cw_regex_match(regex, none, &err), 0);
    int64_t took_ns = cw_clock_thread_cpu_ns() - start_ns;
    cr_expect_leq(took_ns, SLOWNESS * 300 * CW_NS_PER_MS, "%d ms", (int)(took_ns / CW_NS_PER_MS));
    struct cw_str groups[2];
    cr_expect_eq(cw_regex_match(regex, some, &err), 1);
    cr_expect_eq(cw_regex_captures(regex, none, groups, 2, &err), 0);
    cr_assert_eq(cw_regex_captures(regex, some, groups, 2, &err), 1);
    cr_expect(cw_str_eqz(groups[1], "x"));
    cr_expect_eq(groups[0].len, some.len);
    cw_regex_free(&regex);
    cw_arena_free(&arena);
}

Test(regex, what_backtracking_cannot_decide_is_decided_all_the_same)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str none = repeated(arena, "", "a", 40000, "!");
    struct cw_str some = repeated(arena, "", "a", 40000, "");
    cr_expect_eq(matched(CW_STR("^(a+)+$"), 0, none), 0);
    cr_expect_eq(matched(CW_STR("^(a+)+$"), 0, some), 1);
    struct cw_regex *regex = compiled(CW_STR("(a|aa)+(!)$"), CW_REGEX_SEARCH);
    struct cw_str groups[3];
    struct cw_err err = {0};
    cr_assert_eq(cw_regex_captures(regex, none, groups, 3, &err), 1);
    cr_expect_eq(groups[0].len, 40001);
    cr_expect_eq(groups[1].len, 1);
    cr_expect_eq(groups[2].ptr - none.ptr, 40000);
    cw_regex_free(&regex);
    cw_arena_free(&arena);
}

Test(regex, a_large_set_of_values_is_looked_up)
{
    struct cw_buf pattern;
    cw_buf_init(&pattern, 1 << 20);
    for (int i = 0; i < 5000; i++)
        cw_buf_addf(&pattern, "%spod-%d", i == 0 ? "" : "|", i * 7);
    struct cw_regex *regex = compiled(cw_buf_str(&pattern), CW_REGEX_FULL);
    size_t n;
    cr_assert_not_null(cw_regex_alternatives(regex, &n));
    cr_expect_eq(n, 5000);
    struct cw_err err = {0};
    cr_expect_eq(cw_regex_match(regex, CW_STR("pod-34993"), &err), 1);
    cr_expect_eq(cw_regex_match(regex, CW_STR("pod-34994"), &err), 0);
    cw_regex_free(&regex);
    /* Searched for, they are more than PCRE2 holds. */
    for (int i = 5000; i < 12000; i++)
        cw_buf_addf(&pattern, "|pod-%d", i * 7);
    regex = compiled(cw_buf_str(&pattern), CW_REGEX_SEARCH);
    cr_expect_eq(cw_regex_match(regex, CW_STR("x pod-83993 y"), &err), 1);
    cr_expect_eq(cw_regex_match(regex, CW_STR("x pod-x 83993 y"), &err), 0);
    cw_regex_free(&regex);
    cw_buf_fini(&pattern);
}
