#include <criterion/criterion.h>

#include "querier/engine/field_uses.h"

static void expect(const char *text, const char *name, bool number, size_t ncompares)
{
    struct cw_query *query = NULL;
    struct cw_field_uses uses;
    struct cw_err err;
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s", err.text);
    const struct cw_expr *expr = query->root;
    cw_field_uses_init(&uses, expr, &expr->grouping);
    cr_expect_eq(cw_field_uses_number(&uses, cw_str_of(name)), number, "%s: %s", text, name);
    cr_expect_eq(uses.ncompares, ncompares, "%s", text);
    cr_expect_eq(cw_str_eqz(uses.unwrapped, "b"),
                 expr->unwrap.present && expr->unwrap.conversion == CW_UNWRAP_CONV_NONE, "%s",
                 text);
    cw_field_uses_fini(&uses);
    cw_query_free(&query);
}

Test(field_uses, a_label_is_a_number_until_somebody_asks_for_its_text)
{
    expect("count_over_time({a=\"b\"} | json | b > 5 [1m])", "b", true, 1);
    expect("count_over_time({a=\"b\"} | json | b > 5 and c=\"d\" or b <= 7 [1m])", "b", true, 2);
    expect("count_over_time({a=\"b\"} | json | b > 5 and c=\"d\" or b <= 7 [1m])", "c", false, 2);
    expect("count_over_time({a=\"b\"} | json | b > 5 | b!=\"x\" [1m])", "b", false, 1);
    expect("count_over_time({a=\"b\"} | json | b > 5s [1m])", "b", false, 0);
    expect("count_over_time({a=\"b\"} | json | b > 5MB [1m])", "b", false, 0);
    expect("count_over_time({a=\"b\"} | json | b=ip(\"10.0.0.1\") [1m])", "b", false, 0);
    expect("count_over_time({a=\"b\"} | json | drop b [1m])", "b", false, 0);
    expect("count_over_time({a=\"b\"} | json | keep b=\"1\" [1m])", "b", false, 0);
    expect("max_over_time({a=\"b\"} | json | unwrap b [1m]) by (b)", "b", false, 0);
    expect("max_over_time({a=\"b\"} | json | unwrap b [1m]) by (c)", "b", true, 0);
    expect("max_over_time({a=\"b\"} | json | unwrap b | b < 3 [1m]) by (c)", "b", true, 1);
    expect("max_over_time({a=\"b\"} | json | unwrap duration(b) [1m]) by (c)", "b", false, 0);
}
