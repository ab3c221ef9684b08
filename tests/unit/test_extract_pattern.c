#include "common/extract/decolorize.h"
#include "common/extract/extract_pattern.h"
#include "tests/support/extract_probe.h"

static void expect(const char *text, const char *line, const char *want)
{
    struct probe p;
    struct cw_extract_pattern *pattern = cw_extract_pattern_new(cw_str_of(text));
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_extract_pattern_run(pattern, cw_str_of(line), &p.builder);
    probe_end(&p, want, line);
    cw_extract_pattern_free(&pattern);
}

Test(extract_pattern, captures_stand_between_literals)
{
    expect("<ip> - <_> \"<method> <path>\" <rest>", "1.2.3.4 - bob \"GET /x y\" 200 5",
           "{ip=\"1.2.3.4\", method=\"GET\", path=\"/x y\", rest=\"200 5\"}");
    expect("a<x>b", "ab", "{x=\"\"}");
    expect("<app>=<_>", "k=v", "{app_extracted=\"k\"}");
    expect("<<pri>>x <msg>", "<5>x y", "{msg=\"y\", pri=\"5\"}");
}

Test(extract_pattern, a_literal_that_is_missing_ends_it)
{
    expect("foo <x>", "bar foo 1", "{}");
    expect("<a> bar <b>!", "foo bar baz", "{a=\"foo\", b=\"baz\"}");
    expect("<a>,<b>", "no comma", "{a=\"no comma\"}");
    expect("<a>", "", "{}");
}

Test(extract_pattern, named_groups_of_a_regex_are_labels)
{
    struct cw_regex *regex = NULL;
    struct cw_err err;
    struct probe p;
    cr_assert_eq(
        cw_regex_compile(CW_STR("(?P<a>\\d+)(x)?(?P<b>y)?"), CW_REGEX_SEARCH, &regex, &err), 0);
    probe_begin(&p, "{}", "{}");
    cr_expect_eq(cw_extract_regexp(regex, CW_STR("..12x 34y"), &p.builder, &err), 0);
    probe_end(&p, "{a=\"12\", b=\"\"}", "first match");
    probe_begin(&p, "{}", "{}");
    cr_expect_eq(cw_extract_regexp(regex, CW_STR("none"), &p.builder, &err), 0);
    probe_end(&p, "{}", "no match");
    cw_regex_free(&regex);
}

Test(extract_pattern, decolorize_takes_escape_sequences_out)
{
    static const char *const cases[][2] = {
        {"plain", "plain"},
        {"\x1B[31mred\x1B[0m plain", "red plain"},
        {"\x1B[1;32;40mlevel=info\x1B[0m", "level=info"},
        {"\x1B[38;5;200mextended\x1B[m", "extended"},
        {"\x1B[2J\x1B[Hcleared", "cleared"},
        {"\x1B]0;title\x07osc", "osc"},
        {"half \x1B[31", "half "},
        {"\xC2\x9B"
         "1mx",
         "x"},
        {"lone \x1B", "lone \x1B"},
        {"\x1B[;", "\x1B[;"},
        {"\x1B[12345m", "m"},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_str got = cw_decolorize(cw_str_of(cases[i][0]), arena);
        cr_expect(cw_str_eqz(got, cases[i][1]), "case %zu: %.*s", i, CW_STR_ARG(got));
    }
    cw_arena_free(&arena);
}
