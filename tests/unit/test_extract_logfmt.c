#include "common/extract/extract_logfmt.h"
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

Test(extract_logfmt, expressions_take_the_last_value_or_none)
{
    const struct cw_logfmt_expression expressions[] = {
        {CW_STR("x"), CW_STR("a")}, {CW_STR("y"), CW_STR("b")}, {CW_STR("app"), CW_STR("a")}};
    struct probe p;
    probe_begin(&p, "{app=\"a\"}", "{}");
    cw_extract_logfmt_keys(cw_str_of("a=1 a=2 c=3"), LENIENT, expressions, 3, &p.builder);
    probe_end(&p, "{app_extracted=\"2\", x=\"2\", y=\"\"}", "expressions");
    probe_begin(&p, "{}", "{}");
    cw_extract_logfmt_keys(cw_str_of("a=1 =2 b=3"), STRICT, expressions, 2, &p.builder);
    probe_end(&p, "{" ERROR("5 : unexpected '='") ", x=\"1\", y=\"\"}", "strict");
}

Test(extract_logfmt, faulty_expressions_are_told)
{
    static const char *const cases[][2] = {
        {"", "syntax error: unexpected $end, expecting STRING or KEY"},
        {"dash-key", "unexpected char -"},
        {"a.b", "unexpected char ."},
    };
    struct cw_str key;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct cw_err err = {0};
        cr_expect_eq(cw_extract_path_logfmt(cw_str_of(cases[i][0]), &key, &err), CW_E_INVALID);
        cr_expect_str_eq(err.text, cases[i][1]);
    }
    struct cw_err err;
    cr_expect_eq(cw_extract_path_logfmt(CW_STR(" level "), &key, &err), 0);
    cr_expect(cw_str_eqz(key, "level"));
}
