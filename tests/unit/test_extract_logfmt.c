#include "common/extract/extract_logfmt.h"

#include "common/base/assert.h"
#include "common/extract/extract_path.h"
#include "tests/support/extract_probe.h"

#define LENIENT ((struct cw_logfmt_options){false, false})
#define STRICT ((struct cw_logfmt_options){true, false})
#define KEEP_EMPTY ((struct cw_logfmt_options){false, true})
#define ERROR(text)                                                                                \
    "__error__=\"LogfmtParserErr\", __error_details__=\"logfmt syntax error at pos " text "\""

static void expect(const char *line, struct cw_logfmt_options options, const char *want)
{
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_extract_logfmt(cw_str_of(line), options, &p.builder);
    probe_end(&p, want, line);
}

Test(extract_logfmt, pairs_are_labels)
{
    expect("a=1 b=\"two words\"\tc=x.y\nd='q'", LENIENT,
           "{a=\"1\", b=\"two words\", c=\"x.y\", d=\"'q'\"}");
    expect("a=1 a=2 app=in dash-key=3 9=4", LENIENT,
           "{_9=\"4\", a=\"1\", app_extracted=\"in\", dash_key=\"3\"}");
    expect("", LENIENT, "{}");
    expect("   ", LENIENT, "{}");
    expect("a=\xFF!", LENIENT, "{a=\" !\"}");
}

Test(extract_logfmt, quoted_values_are_decoded)
{
    expect("a=\"q \\\"x\\\" \\t\\n\\u00e9\\ud83d\\ude00\\/\"", LENIENT,
           "{a=\"q \\\"x\\\" \\t\\n\xC3\xA9\xF0\x9F\x98\x80/\"}");
    expect("a=\"\\ud800\" b=1", LENIENT, "{a=\" \", b=\"1\"}");
    expect("a=\"\\x41\" b=1", LENIENT, "{b=\"1\"}");
    expect("a=\"open b=1", LENIENT, "{}");
    expect("a=\"open\\", LENIENT, "{}");
    expect("a=\"mid\"dle b=1", LENIENT, "{a=\"mid\", b=\"1\"}");
}

Test(extract_logfmt, empty_values_count_when_asked_for)
{
    expect("a= b=\"\" c d=1", LENIENT, "{d=\"1\"}");
    expect("a= b=\"\" c d=1", KEEP_EMPTY, "{a=\"\", b=\"\", c=\"\", d=\"1\"}");
}

Test(extract_logfmt, faults_are_passed_over_or_end_the_parse)
{
    expect("=x a=1", LENIENT, "{a=\"1\"}");
    expect("=x a=1", STRICT, "{" ERROR("1 : unexpected '='") "}");
    expect("a=1 b==2 c=3", LENIENT, "{a=\"1\", c=\"3\"}");
    expect("a=1 b==2 c=3", STRICT, "{" ERROR("7 : unexpected '='") ", a=\"1\"}");
    expect("a=1 \"b=2 c=3", STRICT, "{" ERROR("5 : unexpected '\\\"'") ", a=\"1\"}");
    expect("a=\"x", STRICT, "{" ERROR("5 : unterminated quoted value") "}");
    expect("a=\"\\q\" b=1", STRICT, "{" ERROR("7 : invalid quoted value") "}");
    expect("\xFF=1 b=2", STRICT, "{" ERROR("2 : invalid key") "}");
    expect("\xFF=1 b=2", LENIENT, "{b=\"2\"}");
}

Test(extract_logfmt, required_labels_end_the_parse)
{
    const struct cw_str names[] = {cw_str_of("b")};
    struct probe p;
    probe_begin(&p, "{}", "{}");
    probe_require(&p, names, 1);
    cw_extract_logfmt(cw_str_of("a=1 b=2 ==="), STRICT, &p.builder);
    probe_end(&p, "{b=\"2\"}", "broken behind what is needed");
}

static void expect_keys(const char *stream, const char *line, struct cw_logfmt_options options,
                        const char *const (*expressions)[2], const char *want)
{
    struct cw_logfmt_expression parsed[4];
    size_t n = 0;
    struct probe p;
    for (; n < CW_COUNT(parsed) && expressions[n][0] != NULL; n++)
        parsed[n] = (struct cw_logfmt_expression){cw_str_of(expressions[n][0]),
                                                  cw_str_of(expressions[n][1])};
    probe_begin(&p, stream, "{}");
    cw_extract_logfmt_keys(cw_str_of(line), options, parsed, n, &p.builder);
    probe_end(&p, want, line);
}

Test(extract_logfmt, expressions_take_the_last_value_or_none)
{
    static const struct {
        const char *stream, *line, *expressions[4][2], *want;
    } cases[] = {
        {"{}", "a=1 a=2 c=3", {{"x", "a"}, {"y", "b"}}, "{x=\"2\", y=\"\"}"},
        {"{app=\"s\"}", "a=1 c=3", {{"x", "a"}, {"app", "a"}}, "{app_extracted=\"1\", x=\"1\"}"},
        /* the label's own name counts where no other asks for the key */
        {"{}", "to=1 from=2", {{"to", "from"}}, "{to=\"2\"}"},
        {"{}", "from=2 to=1", {{"to", "from"}}, "{to=\"1\"}"},
        {"{}", "from=2 to=1", {{"to", "from"}, {"from", "to"}}, "{from=\"1\", to=\"2\"}"},
        {"{}", "to=1", {{"to", "none"}}, "{to=\"1\"}"},
        {"{}", "to=1", {{"to", "none"}, {"x", "to"}}, "{to=\"\", x=\"1\"}"},
        /* keys are cleaned first */
        {"{}", "u-v=1 u.v=2 u_v=3 u:v=4", {{"x", "u_v"}}, "{x=\"4\"}"},
        {"{}", "u_v=1 u-v=2", {{"u_v", "none"}}, "{u_v=\"2\"}"},
        {"{}", "9u=1", {{"x", "_9u"}}, "{x=\"1\"}"},
        {"{}", "u-v=1", {{"x", "u-v"}}, "{x=\"\"}"},
        {"{}", "u=1", {{"x", ""}}, "{x=\"\"}"},
        /* what is not text is nothing; so is an empty value */
        {"{}", "u=1 u=a\xEF\xBF\xBD", {{"u", "u"}}, "{u=\"\"}"},
        {"{}", "u=1 u=a\xFF", {{"u", "u"}}, "{u=\"\"}"},
        {"{}", "u=1 u", {{"u", "u"}}, "{u=\"\"}"},
        /* a second value for a label with the suffix ends it */
        {"{u=\"s\"}", "u=1 w=2 u=3 w=4", {{"u", "u"}, {"w", "w"}}, "{u_extracted=\"1\", w=\"2\"}"},
        {"{u=\"s\"}", "w=2", {{"u", "u"}, {"w", "w"}}, "{w=\"2\"}"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++)
        expect_keys(cases[i].stream, cases[i].line, LENIENT, cases[i].expressions, cases[i].want);
    static const char *const strict[][2] = {{"x", "a"}, {"y", "b"}, {NULL, NULL}};
    expect_keys("{}", "a=1 =2 b=3", STRICT, strict,
                "{" ERROR("5 : unexpected '='") ", x=\"1\", y=\"\"}");
}

Test(extract_logfmt, expressions_behind_another_parser_set_their_labels_anew)
{
    static const struct cw_logfmt_expression expressions[] = {
        {CW_STR("a"), CW_STR("none")}, {CW_STR("b"), CW_STR("b")}, {CW_STR("x"), CW_STR("c")}};
    struct probe p;
    probe_begin(&p, "{}", "{}");
    cw_extract_logfmt(CW_STR("a=1 b=2 c=3"), LENIENT, &p.builder);
    cw_extract_logfmt_keys(CW_STR("b=5 c=6"), LENIENT, expressions, 3, &p.builder);
    probe_end(&p, "{a=\"\", b=\"5\", c=\"3\", x=\"\"}", "c is a label already");
}

Test(extract_logfmt, expressions_of_labels_that_nobody_needs_still_take_their_keys)
{
    static const struct cw_logfmt_expression expressions[] = {{CW_STR("a"), CW_STR("b")},
                                                              {CW_STR("b"), CW_STR("c")}};
    const struct cw_str names[] = {cw_str_of("b")};
    struct probe p;
    probe_begin(&p, "{}", "{}");
    probe_require(&p, names, 1);
    cw_extract_logfmt_keys(CW_STR("c=1 b=2"), LENIENT, expressions, 2, &p.builder);
    probe_end(&p, "{b=\"1\"}", "b=2 is a's");
}

Test(extract_logfmt, a_second_value_for_a_suffixed_label_that_nobody_needs_ends_the_line_too)
{
    static const struct cw_logfmt_expression expressions[] = {{CW_STR("u"), CW_STR("v")},
                                                              {CW_STR("w"), CW_STR("w")}};
    const struct cw_str names[] = {cw_str_of("u"), cw_str_of("w")};
    struct probe p;
    probe_begin(&p, "{u=\"s\"}", "{}");
    probe_require(&p, names, 2);
    cw_extract_logfmt_keys(CW_STR("u=1 w=2 v=3 w=4"), LENIENT, expressions, 2, &p.builder);
    probe_end(&p, "{w=\"2\"}", "as where all labels are needed");
}

Test(extract_logfmt, several_expressions_of_one_suffixed_label_have_one_value_among_them)
{
    static const struct cw_logfmt_expression expressions[] = {
        {CW_STR("u"), CW_STR("a")}, {CW_STR("u"), CW_STR("b")}, {CW_STR("w"), CW_STR("w")}};
    const struct cw_str names[] = {cw_str_of("u"), cw_str_of("w")};
    struct probe p;
    probe_begin(&p, "{u=\"s\"}", "{}");
    probe_require(&p, names, 2);
    cw_extract_logfmt_keys(CW_STR("a=1 w=2 b=3 w=4"), LENIENT, expressions, 3, &p.builder);
    probe_end(&p, "{w=\"2\"}", "as where all labels are needed");
}

Test(extract_logfmt, faulty_expressions_are_told)
{
    static const char *const cases[][2] = {
        {"", "syntax error: unexpected $end, expecting STRING or KEY"},
        {"7u", "syntax error: unexpected $end, expecting STRING or KEY"},
        {"\xC3\xBC", "syntax error: unexpected $end, expecting STRING or KEY"},
        {"dash-key", "unexpected char -"},
        {"a.b", "unexpected char ."},
        {"a \xC3\xBC", "unexpected char \xC3\xBC"},
        {"a\r", "unexpected char \r"},
        {"a b", "syntax error: unexpected KEY"},
        {"\"a\" b", "syntax error: unexpected KEY"},
        {"\"a]b\"", "syntax error: unexpected KEY"},
    };
    static const char *const fine[][2] = {
        {" level ", "level"}, {"\"a-b\"", "a-b"}, {"\"open", "open"}, {"\"a]", "a"},
        {"\"a\" \"b\"", ""},  {"a \"b\"", ""},    {"\"\"", ""},
    };
    struct cw_arena *arena = cw_arena_new();
    struct cw_str key;
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_err err = {0};
        cr_expect_eq(cw_extract_path_logfmt(cw_str_of(cases[i][0]), arena, &key, &err),
                     CW_E_INVALID);
        cr_expect_str_eq(err.text, cases[i][1]);
    }
    for (size_t i = 0; i < CW_COUNT(fine); i++) {
        struct cw_err err;
        cr_expect_eq(cw_extract_path_logfmt(cw_str_of(fine[i][0]), arena, &key, &err), 0, "%s",
                     fine[i][0]);
        cr_expect(cw_str_eqz(key, fine[i][1]), "%s", fine[i][0]);
    }
    cw_arena_free(&arena);
}
