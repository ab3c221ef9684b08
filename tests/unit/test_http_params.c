#include <criterion/criterion.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/net/http_params.h"

static struct cw_arena *arena;
static struct cw_http_params params;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
    params = (struct cw_http_params){0};
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(http_params, .init = setup, .fini = teardown);

static void check(const char *text, const char *want)
{
    params = (struct cw_http_params){0};
    cr_assert_eq(cw_http_params_parse(cw_str_of(text), arena, &params, &err), 0, "%s: %s", text,
                 err.text);
    struct cw_buf all;
    cw_buf_init(&all, 1 << 20);
    for (size_t i = 0; i < params.n; i++)
        cw_buf_addf(&all, "[%.*s|%.*s]", CW_STR_ARG(params.items[i].name),
                    CW_STR_ARG(params.items[i].value));
    cr_expect_str_eq(cw_buf_z(&all), want, "%s", text);
    cw_buf_fini(&all);
}

Test(http_params, pairs_are_read_as_go_reads_them)
{
    check("", "");
    check("a=1", "[a|1]");
    check("a=1&b=2&a=3", "[a|1][b|2][a|3]");
    check("a&b=", "[a|][b|]");
    check("&&a=1&&", "[a|1]");
    check("=x", "[|x]");
    check("a=b=c", "[a|b=c]");
    check("query=%7Bapp%3D%22x%22%7D+%7C%3D+%22a%2Bb%22", "[query|{app=\"x\"} |= \"a+b\"]");
    check("match%5B%5D=1&match[]=2", "[match[]|1][match[]|2]");
    check("a=%e4%b8%ad", "[a|\xe4\xb8\xad]");
}

Test(http_params, a_name_that_repeats_is_found_by_its_place)
{
    struct cw_str value;
    cr_assert_eq(cw_http_params_parse(CW_STR("m=1&x=9&m=2"), arena, &params, &err), 0);
    cr_assert_eq(cw_http_params_parse(CW_STR("m=3"), arena, &params, &err), 0);
    cr_assert(cw_http_params_at(&params, "m", 2, &value));
    cr_expect(cw_str_eqz(value, "3"));
    cr_expect_not(cw_http_params_at(&params, "m", 3, &value));
    cr_expect_not(cw_http_params_at(&params, "none", 0, &value));
}

Test(http_params, those_of_a_form_and_of_a_query_string_are_one_list)
{
    struct cw_http_params query = {.items = NULL};
    struct cw_str value;
    cr_assert_eq(cw_http_params_parse(CW_STR("m=of+the+form"), arena, &params, &err), 0);
    cr_assert_eq(cw_http_params_parse(CW_STR("m=of+the+query&x=1"), arena, &query, &err), 0);
    cr_assert_eq(cw_http_params_join(&params, &query, arena, &err), 0);
    cr_assert(cw_http_params_at(&params, "m", 0, &value));
    cr_expect(cw_str_eqz(value, "of the form"));
    cr_assert(cw_http_params_at(&params, "m", 1, &value));
    cr_expect(cw_str_eqz(value, "of the query"));
    cr_expect(cw_http_params_at(&params, "x", 0, &value));
    while (params.n < CW_HTTP_PARAMS_MAX)
        cr_assert_eq(cw_http_params_parse(CW_STR("m"), arena, &params, &err), 0);
    cr_expect_eq(cw_http_params_join(&params, &query, arena, &err), CW_E_TOO_LARGE);
}

Test(http_params, bad_escapes_are_refused_in_gos_words)
{
    static const char *const cases[][2] = {
        {"a=%zz", "invalid URL escape \"%zz\""},
        {"a=%4", "invalid URL escape \"%4\""},
        {"a=%", "invalid URL escape \"%\""},
        {"%g0=1", "invalid URL escape \"%g0\""},
        {"a=1;b=2", "invalid semicolon separator in query"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cr_expect_eq(cw_http_params_parse(cw_str_of(cases[i][0]), arena, &params, &err),
                     CW_E_INVALID);
        cr_expect_str_eq(err.text, cases[i][1]);
    }
}

Test(http_params, ten_thousand_are_fine_and_a_million_are_not)
{
    struct cw_buf text;
    cw_buf_init(&text, 16 << 20);
    for (int i = 0; i < 10000; i++)
        cw_buf_addf(&text, "p%d=%d&", i, i);
    cr_expect_eq(cw_http_params_parse(cw_buf_str(&text), arena, &params, &err), 0);
    cr_expect_eq(params.n, 10000);
    for (int i = 0; i < 1000000; i++)
        cw_buf_addz(&text, "a&");
    cr_expect_eq(cw_http_params_parse(cw_buf_str(&text), arena, &params, &err), CW_E_TOO_LARGE);
    cw_buf_fini(&text);
}

Test(http_params, what_is_escaped_is_unescaped)
{
    char all[256];
    struct cw_buf text;
    struct cw_str back;
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    cw_buf_init(&text, 1024);
    cw_http_escape(cw_str_make(all, sizeof all), &text);
    cr_assert_eq(cw_http_unescape(cw_buf_str(&text), CW_HTTP_PLUS_IS_SPACE, arena, &back, &err), 0);
    cr_expect(cw_str_eq(back, cw_str_make(all, sizeof all)));
    cr_assert_eq(cw_http_unescape(CW_STR("a+b%2fc"), CW_HTTP_PLUS_STAYS, arena, &back, &err), 0);
    cr_expect(cw_str_eqz(back, "a+b/c"));
    cw_buf_fini(&text);
}
