#include <criterion/criterion.h>

#include "querier/cli/explain_print.h"

static void expect(const char *json, const char *want)
{
    struct cw_buf out;
    struct cw_err err = {0};
    cw_buf_init(&out, SIZE_MAX);
    cr_assert_eq(cw_cli_explain_text(cw_str_of(json), &out, &err), 0, "%s: %s", json, err.text);
    cr_expect_str_eq(cw_buf_z(&out), want);
    cw_buf_fini(&out);
}

Test(explain_print, members_stand_on_a_line_each_and_what_is_in_them_below)
{
    expect("{}", "");
    expect("{\"a\":1,\"b\":\"x y\",\"c\":true,\"d\":false,\"e\":null,\"f\":1.5e-7}",
           "a: 1\nb: x y\nc: yes\nd: no\ne: -\nf: 1.5e-7\n");
    expect("{\"a\":{\"b\":{\"c\":1},\"d\":2}}", "a:\n  b:\n    c: 1\n  d: 2\n");
    expect("{\"start_ns\":\"1700000000000000001\",\"x_ns\":\"soon\",\"n\":\"17\"}",
           "start: 2023-11-14T22:13:20.000000001Z\nx_ns: soon\nn: 17\n");
}

Test(explain_print, lists_of_words_stand_on_one_line_and_of_objects_behind_dashes)
{
    expect("{\"a\":[],\"b\":[\"x\"],\"c\":[\"x\",2]}", "a: none\nb: x\nc: x, 2\n");
    expect("{\"a\":[{\"b\":1,\"c\":{\"d\":2}},{\"b\":3}],\"e\":4}",
           "a:\n- b: 1\n  c:\n    d: 2\n- b: 3\ne: 4\n");
}

Test(explain_print, control_characters_do_not_reach_a_terminal)
{
    expect("{\"q\":\"a\\u001b[31mb\"}", "q: a\\x1b[31mb\n");
}

Test(explain_print, what_is_no_plan_is_refused)
{
    static const char *const bad[] = {"", "[]", "1", "{\"a\":", "{\"a\":[1", "{\"a\":{\"b\":[{}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct cw_buf out;
        struct cw_err err = {0};
        cw_buf_init(&out, SIZE_MAX);
        cr_expect_eq(cw_cli_explain_text(cw_str_of(bad[i]), &out, &err), CW_E_INVALID, "%s",
                     bad[i]);
        cw_buf_fini(&out);
    }
}
