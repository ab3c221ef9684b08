#include <criterion/criterion.h>

#include <math.h>

#include "common/metrics/prom_text.h"

static struct cw_buf out;

static const char *value(double v)
{
    cw_buf_clear(&out);
    cw_prom_value(&out, v);
    return cw_buf_z(&out);
}

static void setup(void)
{
    cw_buf_init(&out, 10000);
}

static void teardown(void)
{
    cw_buf_fini(&out);
}

TestSuite(prom_text, .init = setup, .fini = teardown);

Test(prom_text, values_are_the_shortest_that_read_back)
{
    cr_assert_str_eq(value(0), "0");
    cr_assert_str_eq(value(0.1), "0.1");
    cr_assert_str_eq(value(123456789), "123456789");
    cr_assert_str_eq(value(1e21), "1e+21");
    cr_assert_str_eq(value(NAN), "NaN");
    cr_assert_str_eq(value(INFINITY), "+Inf");
    cr_assert_str_eq(value(-INFINITY), "-Inf");
}

Test(prom_text, heads_and_samples_are_escaped)
{
    struct cw_prom_label labels[] = {{CW_STR("a"), CW_STR("x\"y\\z\n")},
                                     {CW_STR("b"), CW_STR("\xff\xEF\xBF\xBD\xC3\xA9")}};
    cw_prom_head(&out, CW_STR("m"), CW_STR("a \"b\" \\ c\nd"), "gauge");
    cw_prom_sample(&out, CW_STR("m"), "", labels, 2, 1.5);
    cw_prom_sample(&out, CW_STR("m"), "_sum", NULL, 0, -1);
    cr_assert_str_eq(
        cw_buf_z(&out),
        "# HELP m a \"b\" \\\\ c\\nd\n# TYPE m gauge\n"
        "m{a=\"x\\\"y\\\\z\\n\",b=\"\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\"} 1.5\nm_sum -1\n");
    cw_buf_clear(&out);
    cw_prom_head(&out, CW_STR("m"), CW_STR_NONE, "counter");
    cr_assert_str_eq(cw_buf_z(&out), "# TYPE m counter\n");
}

Test(prom_text, names_are_checked_and_mended)
{
    cr_assert(cw_prom_name_valid(CW_STR("job:lines_total")));
    cr_assert_not(cw_prom_name_valid(CW_STR("")));
    cr_assert_not(cw_prom_name_valid(CW_STR("1a")));
    cr_assert_not(cw_prom_name_valid(CW_STR("a-b")));
    cr_assert_not(cw_prom_name_valid(CW_STR("a\0")));
    cr_assert(cw_prom_label_name_valid(CW_STR("_a1")));
    cr_assert_not(cw_prom_label_name_valid(CW_STR("a:b")));
    cr_assert_not(cw_prom_label_name_valid(CW_STR("__name__")));
    cw_prom_name_add(&out, CW_STR("1a-b.c\xC3\xA9"));
    cr_assert_str_eq(cw_buf_z(&out), "_1a_b_c__");
    cw_buf_clear(&out);
    cw_prom_name_add(&out, CW_STR(""));
    cr_assert_str_eq(cw_buf_z(&out), "_");
}
