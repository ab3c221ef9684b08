#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/export/export_series.h"

static struct cw_config_pair own_labels[] = {{{"team", 4}, {"shop", 4}}, {{"app", 3}, {"own", 3}}};
static struct cw_export export = {
    .name = {"web_errors", 10}, .help = {"Errors.", 7}, .type = 0, .interval_ns = 1};
static struct cw_buf out;
static struct cw_err err;

static void setup(void)
{
    cw_buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    cw_buf_fini(&out);
}

TestSuite(export_series, .init = setup, .fini = teardown);

static int convert(const char *type, const char *result)
{
    cw_buf_clear(&out);
    return cw_export_series(&export, cw_str_of(type), cw_str_of(result), &out, &err);
}

static void assert_text(const char *type, const char *result, const char *samples)
{
    char want[1000];
    snprintf(want, sizeof want, "# HELP web_errors Errors.\n# TYPE web_errors gauge\n%s", samples);
    cr_assert_eq(convert(type, result), 0, "%s: %s", result, err.text);
    cr_assert_str_eq(cw_buf_z(&out), want);
}

static void assert_error(const char *type, const char *result, const char *part)
{
    cr_assert_eq(convert(type, result), CW_E_INVALID, "%s", result);
    cr_assert_not_null(strstr(err.text, part), "%s: \"%s\" does not say \"%s\"", result, err.text,
                       part);
    cr_assert_eq(out.len, 0, "nothing is written");
}

Test(export_series, a_vector_becomes_samples_in_the_order_of_their_labels)
{
    assert_text(
        "vector",
        "[{\"metric\":{\"host\":\"b\"},\"value\":[1767571200,\"2\"]},"
        "{\"value\":[1767571200.123,\"0.5\"],\"more\":{\"x\":[1]},\"metric\":{\"host\":\"a\"}}]",
        "web_errors{host=\"a\"} 0.5\nweb_errors{host=\"b\"} 2\n");
}

Test(export_series, an_empty_vector_has_a_head_only)
{
    assert_text("vector", "[]", "");
}

Test(export_series, a_scalar_is_one_sample)
{
    assert_text("scalar", "[1767571200,\"3\"]", "web_errors 3\n");
}

Test(export_series, numbers_that_are_none_are_passed_on)
{
    assert_text("vector", "[{\"metric\":{},\"value\":[1,\"NaN\"]}]", "web_errors NaN\n");
    assert_text("scalar", "[1,\"+Inf\"]", "web_errors +Inf\n");
    assert_text("scalar", "[1,\"-Inf\"]", "web_errors -Inf\n");
}

Test(export_series, values_of_labels_are_escaped)
{
    assert_text("vector", "[{\"metric\":{\"a\":\"q\\\"b\\\\n\\n\"},\"value\":[1,\"1\"]}]",
                "web_errors{a=\"q\\\"b\\\\n\\n\"} 1\n");
}

Test(export_series, the_labels_of_the_export_win)
{
    export.labels = (struct cw_config_map){own_labels, 2};
    assert_text("vector", "[{\"metric\":{\"app\":\"web\",\"z\":\"1\"},\"value\":[1,\"1\"]}]",
                "web_errors{app=\"own\",team=\"shop\",z=\"1\"} 1\n");
    assert_text("scalar", "[1,\"1\"]", "web_errors{app=\"own\",team=\"shop\"} 1\n");
    assert_error("vector",
                 "[{\"metric\":{\"app\":\"a\"},\"value\":[1,\"1\"]},"
                 "{\"metric\":{\"app\":\"b\"},\"value\":[1,\"1\"]}]",
                 "two series have the same labels");
}

Test(export_series, names_that_prometheus_refuses_are_told)
{
    assert_error("vector", "[{\"metric\":{\"a-b\":\"x\"},\"value\":[1,\"1\"]}]", "\"a-b\"");
}

Test(export_series, answers_of_another_type_are_told)
{
    assert_error("matrix", "[]", "\"matrix\"");
    assert_error("streams", "[]", "\"streams\"");
    assert_error("", "[]", "\"\"");
}

Test(export_series, what_is_no_answer_of_loki_is_an_error_and_never_a_zero)
{
    static const char *const bad[] = {
        "",
        "null",
        "{}",
        "[",
        "[1]",
        "[{}]",
        "[{\"metric\":{}}]",
        "[{\"value\":[1,\"1\"]}]",
        "[{\"metric\":{},\"value\":[1,\"x\"]}]",
        "[{\"metric\":{},\"value\":[1,1]}]",
        "[{\"metric\":{},\"value\":[\"1\",\"1\"]}]",
        "[{\"metric\":{},\"value\":[1,\"1\",2]}]",
        "[{\"metric\":{},\"value\":[1]}]",
        "[{\"metric\":[],\"value\":[1,\"1\"]}]",
        "[{\"metric\":{\"a\":1},\"value\":[1,\"1\"]}]",
        "[{\"metric\":{\"a\":\"1\",\"a\":\"2\"},\"value\":[1,\"1\"]}]",
        "[{\"metric\":{},\"value\":[1,\"1\"]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(convert("vector", bad[i]), CW_E_INVALID, "%s", bad[i]);
    cr_expect_eq(convert("scalar", "[]"), CW_E_INVALID);
    cr_expect_eq(convert("scalar", "[1,\"\"]"), CW_E_INVALID);
}
