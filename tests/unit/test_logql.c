/* test_logql.c - parsing and printing queries: all that is recorded of a real Loki, and what is
 * not. */
#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/logql/lex.h"
#include "common/logql/ast.h"
#include "tests/support/conformance.h"

/* Parses; returns the error's text, or the query on one line. Freed by the caller. */
static char *parse_to_text(const char *text, bool *ok)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    struct cw_buf out;
    size_t len;
    cw_buf_init(&out, (size_t)1 << 24);
    *ok = cw_logql_parse(cw_str_of(text), &query, &err) == 0;
    if (*ok)
        cw_expr_format(query->root, &out);
    else
        cw_buf_addz(&out, err.text);
    cr_assert(*ok || err.code == CW_E_INVALID, "%s", text);
    cw_query_free(&query);
    cw_buf_z(&out);
    return cw_buf_take(&out, &len);
}

static void expect_text(const char *text, const char *expected)
{
    bool ok;
    char *got = parse_to_text(text, &ok);
    cr_expect_str_eq(got, expected, "%s\n  gives    %s\n  expected %s", text, got, expected);
    free(got);
}

static void expect_error(const char *text, const char *expected)
{
    bool ok;
    char *got = parse_to_text(text, &ok);
    cr_expect(!ok, "%s parses", text);
    cr_expect_str_eq(got, expected, "%s\n  gives    %s\n  expected %s", text, got, expected);
    free(got);
}

static char *format(const char *text)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    struct cw_buf out;
    size_t len;
    cw_buf_init(&out, (size_t)1 << 24);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    cw_query_format(query, &out);
    cw_query_free(&query);
    cw_buf_z(&out);
    return cw_buf_take(&out, &len);
}

/* ---- what Loki answered ---- */

static const char *const groups[] = {
    "binop",         "boundaries", "categorize",    "decolorize",   "detected",      "drop_keep",
    "errors",        "index",      "instant",       "json",         "label_filters", "label_format",
    "label_replace", "labels",     "limits",        "line_filters", "line_format",   "logfmt",
    "matchers",      "offset",     "parsed_metric", "pattern",      "pipeline",      "range_agg",
    "regexp",        "template",   "unpack",        "unwrap",       "vector_agg",
};

/* Faults inside of json and logfmt expressions and of templates: found by those who run them, not
 * by the parser. */
static const char *const not_the_parsers[] = {
    "errors/json-bad-expr",
    "errors/json-bad-expr-dots",
    "errors/logfmt-empty-expr",
    "errors/line_format-bad-template",
    "errors/line_format-unknown-function",
    "errors/label_format-bad-template",
    "logfmt/expr-dashed-key",
};

static bool is_excepted(const char *id)
{
    for (size_t i = 0; i < CW_COUNT(not_the_parsers); i++)
        if (strcmp(not_the_parsers[i], id) == 0)
            return true;
    return false;
}

static bool takes_logql(const char *endpoint)
{
    return strcmp(endpoint, "query") == 0 || strcmp(endpoint, "query_range") == 0;
}

Test(logql, every_recorded_query_parses_or_fails_in_lokis_words)
{
    size_t nparsed = 0, nrefused = 0;
    for (size_t g = 0; g < CW_COUNT(groups); g++) {
        char name[128];
        snprintf(name, sizeof(name), "cases/%s.json", groups[g]);
        json_t *tests = conformance_load(name), *test;
        size_t i;
        json_array_foreach(tests, i, test)
        {
            const char *id = json_string_value(json_object_get(test, "id"));
            const json_t *expect = json_object_get(test, "expect");
            const char *text = json_string_value(json_object_get(expect, "text"));
            char *query = conformance_query(test);
            if (query == NULL ||
                !takes_logql(json_string_value(json_object_get(test, "endpoint"))) ||
                is_excepted(id)) {
                free(query);
                continue;
            }
            bool ok;
            char *got = parse_to_text(query, &ok);
            if (text != NULL && strncmp(text, "parse error", strlen("parse error")) == 0) {
                cr_expect(!ok, "%s parses", id);
                cr_expect_str_eq(got, text, "%s\n  gives    %s\n  expected %s", id, got, text);
                nrefused++;
            } else {
                cr_expect(ok, "%s: %s", id, got);
                nparsed++;
            }
            free(got);
            free(query);
        }
        json_decref(tests);
    }
    cr_assert_gt(nparsed, 700, "%zu", nparsed);
    cr_assert_gt(nrefused, 120, "%zu", nrefused);
}

Test(logql, format_query_answers_as_recorded)
{
    json_t *tests = conformance_load("cases/format_query.json"), *test;
    size_t i, n = 0;
    json_array_foreach(tests, i, test)
    {
        const json_t *body = json_object_get(json_object_get(test, "expect"), "body");
        const char *data = json_string_value(json_object_get(body, "data"));
        char *query = conformance_query(test);
        if (data != NULL) {
            char *got = format(query);
            cr_expect_str_eq(got, data, "%s\n  gives    %s\n  expected %s", query, got, data);
            free(got);
            n++;
        }
        free(query);
    }
    json_decref(tests);
    cr_assert_gt(n, 14);
}

Test(logql, printing_a_parsed_query_and_parsing_it_again_changes_nothing)
{
    size_t n = 0;
    for (size_t g = 0; g < CW_COUNT(groups); g++) {
        char name[128];
        snprintf(name, sizeof(name), "cases/%s.json", groups[g]);
        json_t *tests = conformance_load(name), *test;
        size_t i;
        json_array_foreach(tests, i, test)
        {
            char *query = conformance_query(test);
            bool ok = false, again_ok;
            char *once =
                query != NULL && takes_logql(json_string_value(json_object_get(test, "endpoint")))
                    ? parse_to_text(query, &ok)
                    : NULL;
            if (ok) {
                char *twice = parse_to_text(once, &again_ok);
                cr_expect(again_ok, "%s: %s", once, twice);
                cr_expect_str_eq(twice, once);
                char *pretty = format(query), *flat = parse_to_text(pretty, &again_ok);
                cr_expect(again_ok, "%s\n%s", pretty, flat);
                cr_expect_str_eq(flat, once);
                free(twice);
                free(pretty);
                free(flat);
                n++;
            }
            free(once);
            free(query);
        }
        json_decref(tests);
    }
    cr_assert_gt(n, 700, "%zu", n);
}

/* ---- the grammar beyond what is recorded ---- */

Test(logql, label_filters_bind_as_in_lokis_grammar)
{
    expect_text("{a=\"b\"} | x=1 or y=2 and z=3", "{a=\"b\"} | ( x==1 or ( y==2 , z==3 ) )");
    expect_text("{a=\"b\"} | x=1 and y=2 or z=3", "{a=\"b\"} | ( ( x==1 , y==2 ) or z==3 )");
    expect_text("{a=\"b\"} | x=1, y=2 or z=3", "{a=\"b\"} | ( x==1 , ( y==2 or z==3 ) )");
    expect_text("{a=\"b\"} | x=1 or y=2, z=3", "{a=\"b\"} | ( x==1 or ( y==2 , z==3 ) )");
    expect_text("{a=\"b\"} | x=1 y=2 (z=3 or w=4)",
                "{a=\"b\"} | ( x==1 , ( y==2 , ( z==3 or w==4 ) ) )");
    expect_text("{a=\"b\"} | x>-1.5 | y=~\"q\" | z=ip(\"10.0.0.0/8\") | w!=ip(\"::1\")",
                "{a=\"b\"} | x>-1.5 | y=~\"q\" | z=ip(\"10.0.0.0/8\") | w!=ip(\"::1\")");
    expect_text("{a=\"b\"} | d>=1h30m | s<5KiB", "{a=\"b\"} | d>=1h30m0s | s<5.1kB");
}

Test(logql, operators_bind_as_in_lokis_grammar)
{
    expect_text("vector(1) + vector(2) * vector(3) ^ 2",
                "(vector(1.000000) + (vector(2.000000) * (vector(3.000000) ^ 2)))");
    expect_text("vector(1) - vector(2) - vector(3)",
                "((vector(1.000000) - vector(2.000000)) - vector(3.000000))");
    expect_text("vector(1) ^ vector(2) ^ vector(3)",
                "(vector(1.000000) ^ (vector(2.000000) ^ vector(3.000000)))");
    expect_text(
        "vector(1) or vector(2) unless vector(3) == vector(4)",
        "(vector(1.000000) or (vector(2.000000) unless (vector(3.000000) == vector(4.000000))))");
    expect_text("2 ^ 3 ^ 2", "512");
    expect_text("1 / 0", "NaN");
    expect_text("vector(1) + on (a) vector(2)", "(vector(1.000000) + on (a)  vector(2.000000))");
    expect_text("vector(1) > bool ignoring (a, b) group_right (c) vector(2)",
                "(vector(1.000000) > bool ignoring (a,b) group_right (c) vector(2.000000))");
}

Test(logql, a_log_range_may_be_written_in_any_of_lokis_orders)
{
    static const char *const same[] = {
        "rate({a=\"b\"} |= \"x\" [5m] offset 1h)",    "rate({a=\"b\"}[5m] offset 1h |= \"x\")",
        "rate(({a=\"b\"} |= \"x\")[5m] offset 1h)",   "rate(({a=\"b\"} |= \"x\" [5m] offset 1h))",
        "rate((({a=\"b\"}[5m] offset 1h |= \"x\")))",
    };
    static const char *const unwraps[] = {
        "sum_over_time({a=\"b\"} | unwrap v [5m])",
        "sum_over_time({a=\"b\"}[5m] | unwrap v)",
        "sum_over_time(({a=\"b\"} | unwrap v)[5m])",
        "sum_over_time(({a=\"b\"})[5m] | unwrap v)",
    };
    for (size_t i = 0; i < CW_COUNT(same); i++)
        expect_text(same[i], "rate({a=\"b\"} |= \"x\"[5m] offset 1h0m0s)");
    for (size_t i = 0; i < CW_COUNT(unwraps); i++)
        expect_text(unwraps[i], "sum_over_time({a=\"b\"} | unwrap v[5m])");
}

Test(logql, the_rest_of_the_grammar_parses)
{
    expect_text("{a=\"b\"} | logfmt --strict --keep-empty x, y=\"z\"",
                "{a=\"b\"} | logfmt --strict --keep-empty x=\"x\",y=\"z\"");
    expect_text("{a=\"b\"} | unpack | decolorize | drop c, d=~\"e\" | keep f",
                "{a=\"b\"} | unpack | decolorize | drop c,d=~\"e\" | keep f");
    expect_text("{a=\"b\"} !> \"<_> x\" or \"y <_>\"", "{a=\"b\"} !> \"<_> x\" !> \"y <_>\"");
    expect_text(
        "quantile_over_time(0.9, {a=\"b\"} | unwrap bytes(v) | __error__=\"\" [1m]) without (c)",
        "quantile_over_time(0.9,{a=\"b\"} | unwrap bytes(v) | __error__=\"\"[1m]) without (c)");
    expect_text("variants(rate({a=\"b\"}[1m]), count_over_time({a=\"b\"}[1m])) of ({a=\"b\"}[1m])",
                "variants(rate({a=\"b\"}[1m]), count_over_time({a=\"b\"}[1m])) of ({a=\"b\"}[1m])");
    expect_text("approx_topk(3, sum by (a) (rate({a=\"b\"}[1m])))",
                "approx_topk(3,sum by (a)(rate({a=\"b\"}[1m])))");
    expect_text("SUM BY (a) (Rate({a=\"b\"}[1m]))", "sum by (a)(rate({a=\"b\"}[1m]))");
    expect_text("{rate=\"b\", sum=\"c\", ip=\"d\"} | count>1",
                "{rate=\"b\", sum=\"c\", ip=\"d\"} | count>1");
    expect_text("{a=\"b\"} # comment\n|= `x\"y` // more\n/* and\nmore */",
                "{a=\"b\"} |= \"x\\\"y\"");
    expect_text("count_over_time({a=\"b\"}[1m] offset -5m)",
                "count_over_time({a=\"b\"}[1m] offset -5m0s)");
    expect_text("topk(2, vector(1)) + 1e3 - .5", "((topk(2,vector(1.000000)) + 1000) - 0.5)");
}

Test(logql, syntax_errors_list_what_at_most_four_tokens_could_follow)
{
    expect_error(
        "{a=\"b\"} | x=1 or",
        "parse error at line 1, col 17: syntax error: unexpected $end, expecting IDENTIFIER or (");
    expect_error("rate({a=\"b\"} | unwrap x)",
                 "parse error at line 1, col 24: syntax error: unexpected ), expecting RANGE or |");
    expect_error("rate(({a=\"b\"})",
                 "parse error at line 1, col 15: syntax error: unexpected $end, expecting RANGE");
    expect_error("vector(1) + on (a",
                 "parse error at line 1, col 18: syntax error: unexpected $end, expecting , or )");
    expect_error("vector(1) + on (a) group_left (1)",
                 "parse error at line 1, col 32: syntax error: unexpected NUMBER, expecting "
                 "IDENTIFIER or )");
    expect_error("sum by a (vector(1))",
                 "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER");
    expect_error(
        "variants(vector(1)) off",
        "parse error at line 1, col 21: syntax error: unexpected IDENTIFIER, expecting of");
    expect_error("{a=\"b\"} |= ip 3", "parse error at line 1, col 12: syntax error: unexpected "
                                      "IDENTIFIER, expecting STRING or ip");
    expect_error("{a=\"b\"} | label_format a",
                 "parse error at line 1, col 25: syntax error: unexpected $end, expecting =");
    expect_error("rate({a=\"b\"}[5m]) == =",
                 "parse error at line 1, col 22: syntax error: unexpected =");
}

Test(logql, aggregations_are_checked)
{
    expect_error("approx_topk(3, vector(1)) by (a)",
                 "parse error : grouping not allowed for approx_topk aggregation");
    expect_error("sum_over_time({a=\"b\"} | unwrap c [1m]) by (d)",
                 "parse error : grouping not allowed for sum_over_time aggregation");
    expect_error("vector(1) or 2", "parse error : unexpected literal for right leg of logical/set "
                                   "binary operation (or): 2.000000");
    expect_error(
        "{a=\"b\"} |= \"x\" + 1",
        "parse error : unexpected type for left leg of binary operation (+): *syntax.PipelineExpr");
    expect_error("0x1F", "parse error : unable to parse literal as a float: strconv.ParseFloat: "
                         "parsing \"0x1F\": invalid syntax");
    expect_error(
        "{a=\"b\"} | label_format __error__=\"x\"",
        "parse error : stage '| label_format __error__=\"x\"' : __error__ cannot be formatted");
}

/* ---- layout ---- */

Test(logql, long_queries_are_split_over_lines)
{
    char *got = format("sum by (container, namespace) (rate({namespace=\"a-quite-long-namespace\", "
                       "container=\"a-quite-long-container\"} "
                       "|= \"needle\" | logfmt | level=\"error\" [5m])) / 2");
    cr_expect_str_eq(
        got, "  sum by (container, namespace)(\n"
             "    rate(\n"
             "      {namespace=\"a-quite-long-namespace\", container=\"a-quite-long-container\"}\n"
             "        |= \"needle\"\n"
             "        | logfmt\n"
             "        | level=\"error\" [5m]\n"
             "    )\n"
             "  )\n"
             "/\n"
             "  2");
    free(got);
    got = format("label_replace(rate({namespace=\"a-quite-long-namespace\"}[5m]), \"destination\", "
                 "\"$1\", \"a_label_with_a_long_name\", \"(.*)\")");
    cr_expect_str_eq(got, "label_replace(\n"
                          "  rate({namespace=\"a-quite-long-namespace\"}[5m]),\n"
                          "  \"destination\",\n"
                          "  \"$1\",\n"
                          "  \"a_label_with_a_long_name\",\n"
                          "  \"(.*)\"\n"
                          ")");
    free(got);
}

/* ---- extensions ---- */

static const struct {
    const char *text, *printed, *refused;
} extended[] = {
    {"{a=\"b\"}|DISTINCT x ,y", "{a=\"b\"} | distinct x,y",
     "parse error at line 1, col 18: syntax error: unexpected IDENTIFIER"},
    {"{a=\"b\"} | sort by(x, y DESC,z asc)", "{a=\"b\"} | sort by (x,y desc,z)",
     "parse error at line 1, col 11: syntax error: unexpected SORT"},
    {"{a=\"b\"} | x in ({c=\"d\"} |= \"e\" | json)", "{a=\"b\"} | x in ({c=\"d\"} |= \"e\" | json)",
     "parse error at line 1, col 13: syntax error: unexpected IDENTIFIER"},
    {"{a=\"b\"} | x NOT IN (topk(2, rate({c=\"d\"}[5m]))) or y=1",
     "{a=\"b\"} | ( x not in (topk(2,rate({c=\"d\"}[5m]))) or y==1 )",
     "parse error at line 1, col 13: syntax error: unexpected IDENTIFIER"},
    {"{a=\"b\"} | json --arrays | x_0=\"y\"", "{a=\"b\"} | json --arrays | x_0=\"y\"",
     "parse error at line 1, col 18: syntax error: unexpected IDENTIFIER, expecting NUMBER"},
    {"{a=\"b\"} | template |= \"x\"", "{a=\"b\"} | template |= \"x\"",
     "parse error at line 0, col 20: syntax error: unexpected |="},
    {"{a=\"b\"} | context -A 3", "{a=\"b\"} | context -B 0 -A 3",
     "parse error at line 1, col 19: syntax error: unexpected -"},
    {"{a=\"b\"} | context -C 2 -B 1", "{a=\"b\"} | context -B 1 -A 2",
     "parse error at line 1, col 19: syntax error: unexpected -"},
    {"count_distinct_over_time(x,{a=\"b\"} | json[5m])by(y)",
     "count_distinct_over_time(x,{a=\"b\"} | json[5m]) by (y)",
     "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER"},
};

static char *parse_extended(const char *text)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    struct cw_buf out;
    cw_buf_init(&out, (size_t)1 << 24);
    if (cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &query, &err) == 0)
        cw_expr_format(query->root, &out);
    else
        cw_buf_addz(&out, err.text);
    cw_query_free(&query);
    cw_buf_z(&out);
    return cw_buf_take(&out, &(size_t){0});
}

static void expect_extended(const char *text, const char *expected)
{
    char *got = parse_extended(text);
    cr_expect_str_eq(got, expected, "%s\n  gives    %s\n  expected %s", text, got, expected);
    free(got);
}

Test(logql, extensions_are_read_where_they_are_asked_for_and_refused_as_loki_does_elsewhere)
{
    for (size_t i = 0; i < CW_COUNT(extended); i++) {
        expect_extended(extended[i].text, extended[i].printed);
        expect_extended(extended[i].printed, extended[i].printed);
        expect_error(extended[i].text, extended[i].refused);
    }
}

Test(logql, the_words_of_extensions_are_names_as_any_other)
{
    static const char *const texts[] = {
        "{distinct=\"a\"} | distinct=\"b\" | in!=\"c\" | not=\"d\" | template!=\"e\" | context>3",
        "sum by (distinct,template,context,in,not)(rate({a=\"b\"} | json distinct=\"x\"[5m]))",
        "{a=\"b\"} | label_format in=distinct | drop context,template | keep not",
        "sort(count_over_time({count_distinct_over_time=\"a\"}[1m]))",
    };
    for (size_t i = 0; i < CW_COUNT(texts); i++) {
        bool ok;
        char *loki = parse_to_text(texts[i], &ok);
        cr_expect(ok, "%s", loki);
        expect_extended(texts[i], loki);
        free(loki);
    }
}

Test(logql, faults_in_extensions_are_told_with_their_place)
{
    expect_extended("{a=\"b\"} | distinct x | distinct y",
                    "parse error at line 1, col 24: distinct can stand once in a query");
    expect_extended("{a=\"b\"} | sort by (x) | sort by (y)",
                    "parse error at line 1, col 25: sort by can stand once in a query");
    expect_extended("rate({a=\"b\"} | distinct x [5m])",
                    "parse error at line 1, col 16: distinct is a stage of log queries, it cannot "
                    "stand within a range or an `in (...)`");
    expect_extended("{a=\"b\"} | x in ({c=\"d\"} | sort by (y))",
                    "parse error at line 1, col 27: sort by is a stage of log queries, it cannot "
                    "stand within a range or an `in (...)`");
    expect_extended(
        "{a=\"b\"} | sort by ()",
        "parse error at line 1, col 20: syntax error: unexpected ), expecting IDENTIFIER");
    expect_extended("{a=\"b\"} | sort by (x down)",
                    "parse error at line 1, col 22: syntax error: unexpected IDENTIFIER, expecting "
                    ", or )");
    expect_extended("{a=\"b\"} | x in {c=\"d\"}",
                    "parse error at line 1, col 16: syntax error: unexpected {, expecting (");
    expect_extended("{a=\"b\"} | x in (5)",
                    "parse error at line 1, col 17: `in (...)` takes a query whose results have "
                    "labels");
    expect_extended(
        "{a=\"b\"} | context -D 2",
        "parse error at line 1, col 20: context has the options -B (before), -A (after) "
        "and -C (both)");
    expect_extended("{a=\"b\"} | context -A 2 | json",
                    "parse error at line 1, col 24: no stage can follow context");
    expect_extended("{a=\"b\"} | distinct x | context -A 2",
                    "parse error at line 1, col 24: context cannot stand with distinct or sort by");
    expect_extended(
        "{a=\"b\"} | context -A 1001",
        "parse error at line 1, col 22: context is of up to 1000 entries on either side");
    expect_extended(
        "{a=\"b\"} | context -B 5 -C 1001",
        "parse error at line 1, col 27: context is of up to 1000 entries on either side");
    expect_extended("{a=\"b\"} | context -B 1000 -A 1000", "{a=\"b\"} | context -B 1000 -A 1000");
    expect_extended(
        "count_distinct_over_time({a=\"b\"}[5m])",
        "parse error at line 1, col 26: syntax error: unexpected {, expecting IDENTIFIER");
    expect_extended("count_distinct_over_time(x, {a=\"b\"} | unwrap y [5m])",
                    "parse error : invalid aggregation count_distinct_over_time with unwrap");
    expect_extended("{a=\"b\"} | logfmt --arrays",
                    "parse error at line 0, col 18: syntax error: unexpected FUNCTION_FLAG");
    expect_extended(
        "{a=\"b\"} | x in ({})",
        "parse error : queries require at least one regexp or equality matcher that does "
        "not have an empty-compatible value. For instance, app=~\".*\" does not meet this "
        "requirement, but app=~\".+\" will");
}

Test(logql, queries_within_queries_are_bounded)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    for (int depth = 1; depth <= CW_LIMIT_SUB_QUERY_DEPTH + 1; depth++) {
        cw_buf_clear(&text);
        for (int i = 0; i < depth; i++)
            cw_buf_addz(&text, "{a=\"b\"} | x in (");
        cw_buf_addz(&text, "{a=\"b\"}");
        for (int i = 0; i < depth; i++)
            cw_buf_addc(&text, ')');
        char *got = parse_extended(cw_buf_z(&text));
        if (depth <= CW_LIMIT_SUB_QUERY_DEPTH)
            cr_expect_str_eq(got, cw_buf_z(&text));
        else
            cr_expect_str_eq(got,
                             "parse error : `in (...)` is nested too deeply (more than 8 levels)");
        free(got);
    }
    cw_buf_fini(&text);
}

/* ---- the tree ---- */

Test(logql, the_tree_holds_what_was_written)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(CW_STR("topk by (x) (3, count_over_time({app=\"a\", env!=\"b\"} |= "
                                       "\"n\" or ip(\"10.0.0.1\") | json q=\"r.s\" [1d] "
                                       "offset 5m))"),
                                &query, &err),
                 0, "%s", err.text);
    const struct cw_expr *top = query->root, *range = top->left;
    cr_assert(cw_expr_is_metric(top));
    cr_assert_eq(top->kind, CW_EXPR_VECTOR_AGG);
    cr_assert_eq(top->vector_fn, CW_VECTOR_TOPK);
    cr_assert_float_eq(top->param, 3, 0);
    cr_assert_eq(top->grouping.kind, CW_GROUP_BY);
    cr_assert(cw_str_eqz(top->grouping.names[0], "x"));
    cr_assert_eq(range->kind, CW_EXPR_RANGE_AGG);
    cr_assert_eq(range->range_ns, INT64_C(86400000000000));
    cr_assert_eq(range->offset_ns, INT64_C(300000000000));
    cr_assert_eq(range->selector.n, 2);
    cr_assert_eq(range->selector.items[1].op, CW_MATCH_NE);
    cr_assert_eq(range->stages->kind, CW_STAGE_LINE_FILTER);
    cr_assert_eq(range->stages->noperands, 2);
    cr_assert(range->stages->operands[1].is_ip);
    cr_assert_not_null(range->stages->filter);
    cr_assert_eq(range->stages->next->kind, CW_STAGE_JSON);
    cr_assert(cw_str_eqz(range->stages->next->extractions[0].expression, "r.s"));
    cr_assert_null(range->stages->next->next);
    cw_query_free(&query);
    cr_assert_null(query);
}

Test(logql, a_selector_alone_can_be_read)
{
    struct cw_selector selector;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse_selector(CW_STR("{app=\"a\", x=~\"b|c\"}"), &selector, &err), 0,
                 "%s", err.text);
    cr_assert_eq(selector.n, 2);
    cr_assert_eq(cw_matcher_match(&selector.items[1], CW_STR("c"), &err), 1);
    cw_selector_fini(&selector);
    cr_assert_eq(cw_logql_parse_selector(CW_STR("rate({app=\"a\"}[5m])"), &selector, &err),
                 CW_E_INVALID);
    cr_assert_str_eq(err.text, "only label matchers are supported");
    cr_assert_eq(cw_logql_parse_selector(CW_STR("{app=\"a\"} |= \"x\""), &selector, &err),
                 CW_E_INVALID);
    cr_assert_eq(cw_logql_parse_selector(CW_STR("{app=\"a\""), &selector, &err), CW_E_INVALID);
}

/* ---- bounds and hostile input ---- */

static char *repeated(const char *before, const char *again, size_t n, const char *behind)
{
    struct cw_buf out;
    size_t len;
    cw_buf_init(&out, (size_t)1 << 22);
    cw_buf_addz(&out, before);
    for (size_t i = 0; i < n; i++)
        cw_buf_addz(&out, again);
    cw_buf_addz(&out, behind);
    cw_buf_z(&out);
    return cw_buf_take(&out, &len);
}

Test(logql, underscores_stand_between_digits_or_behind_a_prefix)
{
    static const char *const fine[] = {"1_000", "1_0.5_0e+1_2", "0x_1p4", "0_7", "0x_ap1"};
    static const char *const wrong[] = {"1_",   "1__0", "1_.5", "1._5",
                                        "1_e5", "1e1_", "0_x1", "0x1_p4"};
    for (size_t i = 0; i < CW_COUNT(fine); i++) {
        bool ok;
        char *got = parse_to_text(fine[i], &ok);
        cr_expect(ok, "%s: %s", fine[i], got);
        free(got);
    }
    for (size_t i = 0; i < CW_COUNT(wrong); i++) {
        bool separates = cw_lex_separates_digits(cw_str_of(wrong[i]));
        cr_expect_not(separates, "%s", wrong[i]);
    }
    expect_error("1_0_", "parse error at line 1, col 1: '_' must separate successive digits");
    expect_error("vector(1) + 1__0",
                 "parse error at line 1, col 13: '_' must separate successive digits");
    expect_error("1e400", "parse error : unable to parse literal as a float: strconv.ParseFloat: "
                          "parsing \"1e400\": value out of range");
    expect_error("0x1p9999",
                 "parse error : unable to parse literal as a float: strconv.ParseFloat: "
                 "parsing \"0x1p9999\": value out of range");
    expect_error("0x10", "parse error : unable to parse literal as a float: strconv.ParseFloat: "
                         "parsing \"0x10\": invalid syntax");
}

/* As Loki's scanner: Go's, but for a `0b` with white space in front of it. */
Test(logql, a_prefix_without_digits_is_no_number)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        {"0B", "parse error at line 1, col 1: binary literal has no digits"},
        {"0b", "parse error at line 1, col 1: binary literal has no digits"},
        {" 0B", "parse error at line 1, col 2: decimal literal has no digits"},
        {"0x", "parse error at line 1, col 1: hexadecimal literal has no digits"},
        {" 0X", "parse error at line 1, col 2: hexadecimal literal has no digits"},
        {"0o", "parse error at line 1, col 1: octal literal has no digits"},
        {"0O ", "parse error at line 1, col 1: octal literal has no digits"},
        {"0b.", "parse error at line 1, col 1: invalid radix point in binary literal"},
        {"0b2", "parse error at line 1, col 1: invalid digit '2' in binary literal"},
        {"vector(0B)", "parse error at line 1, col 8: binary literal has no digits"},
        {"{a=\"b\"}|x>0B", "parse error at line 1, col 11: binary literal has no digits"},
        {"{a=\"b\"}|x>=0B |y=1", "parse error at line 1, col 12: binary literal has no digits"},
        {"{a=\"b\"} | x > 0B", "parse error at line 1, col 15: decimal literal has no digits"},
        {"{a=\"b\"} | x > 0b101", "parse error at line 1, col 15: decimal literal has no digits"},
        {"{a=\"b\"} | x > # c\n0B", "parse error at line 2, col 1: binary literal has no digits"},
        {"{a=\"b\"} | x > #\n0B", "parse error at line 2, col 1: decimal literal has no digits"},
        {"{a=\"b\"} | x > //\n0B", "parse error at line 2, col 1: decimal literal has no digits"},
    };
    for (size_t i = 0; i < CW_COUNT(rows); i++)
        expect_error(rows[i].text, rows[i].expected);
    expect_text("{a=\"b\"} | x > 0", "{a=\"b\"} | x>0");
    expect_text("{a=\"b\"} | x > 0KB", "{a=\"b\"} | x>0B");
}

Test(logql, nesting_is_bounded_in_every_direction)
{
    static const struct {
        const char *before, *again, *behind;
    } deep[] = {
        {"", "(", ""},
        {"", "sum(", ""},
        {"rate(", "(", ""},
        {"{a=\"b\"} | ", "(", ""},
        {"vector(1)", " ^ vector(1)", ""},
        {"", "label_replace(", ""},
        {"", "variants(", ""},
    };
    for (size_t i = 0; i < CW_COUNT(deep); i++) {
        char *text = repeated(deep[i].before, deep[i].again, 5000, deep[i].behind);
        expect_error(text, "parse error : the query is nested too deeply (more than 500 levels)");
        free(text);
    }
}

Test(logql, chains_are_no_nesting)
{
    static const struct {
        const char *before, *again;
    } flat[] = {
        {"vector(1)", "+vector(1)"},    {"vector(1)", "+1"},
        {"vector(1)", " or vector(1)"}, {"{a=\"b\"} | x=1", " and x=1"},
        {"{a=\"b\"} | x=1", " or x=1"}, {"{a=\"b\"} | x=1", ",x=1"},
        {"{a=\"b\"} | x=1", " x=1"},
    };
    for (size_t i = 0; i < CW_COUNT(flat); i++) {
        bool ok;
        size_t n = (CW_LIMIT_QUERY_BYTES - 100) / strlen(flat[i].again);
        char *text = repeated(flat[i].before, flat[i].again, n, ""),
             *got = parse_to_text(text, &ok);
        cr_expect(ok, "%s: %.100s", flat[i].again, got);
        free(got);
        free(text);
    }
}

/* What fits one line at its begin stays on one; each operator behind it is indented less. */
Test(logql, a_long_chain_over_lines)
{
    enum { N = 600, SHARED = 14 }; /* so many operators fit one line of 100 bytes */
    char *text = repeated("vector(1)", " + 1", N, ""), *got = format(text);
    struct cw_buf want;
    cw_buf_init(&want, CW_LIMIT_QUERY_LINES_BYTES);
    cw_buf_addf(&want, "%*s", 2 * (N - SHARED), "");
    for (size_t i = 0; i < SHARED; i++)
        cw_buf_addc(&want, '(');
    cw_buf_addz(&want, "vector(1.000000)");
    for (size_t i = 0; i < SHARED; i++)
        cw_buf_addz(&want, " + 1)");
    for (int level = N - SHARED - 1; level >= 0; level--)
        cw_buf_addf(&want, "\n%*s+\n%*s1", 2 * level, "", 2 * level + 2, "");
    cr_expect(strcmp(got, cw_buf_z(&want)) == 0); /* too long to be shown */
    cw_buf_fini(&want);
    free(got);
    free(text);
}

Test(logql, what_is_too_long_over_lines_fails)
{
    static const char *const chains[] = {"+1", "+vector(1)", ">bool 1"};
    for (size_t i = 0; i < CW_COUNT(chains); i++) {
        char *text = repeated("vector(1)", chains[i], 10000, "");
        struct cw_query *query = NULL;
        struct cw_err err = {0};
        struct cw_buf out;
        cw_buf_init(&out, (size_t)1 << 20);
        cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s", err.text);
        cw_query_format(query, &out);
        cr_expect(cw_buf_failed(&out));
        cw_buf_fini(&out);
        cw_query_free(&query);
        free(text);
    }
}

Test(logql, a_chain_of_label_filters_on_a_line)
{
    expect_text("{a=\"b\"} | x=1 or y=2 or z=3", "{a=\"b\"} | ( ( x==1 or y==2 ) or z==3 )");
    expect_text("{a=\"b\"} | x=1 or (y=2 or z=3)", "{a=\"b\"} | ( x==1 or ( y==2 or z==3 ) )");
    expect_text("{a=\"b\"} | x=1 and y=2 and z=3 or w=4",
                "{a=\"b\"} | ( ( ( x==1 , y==2 ) , z==3 ) or w==4 )");
    expect_text("{a=\"b\"} | x=1, y=2 z=3", "{a=\"b\"} | ( x==1 , ( y==2 , z==3 ) )");
    expect_text(
        "{a=\"b\"} | x=1, y=2 or z=3 or w=4, v=5 and u=6 or t=7",
        "{a=\"b\"} | ( x==1 , ( ( y==2 or z==3 ) or ( w==4 , ( ( v==5 , u==6 ) or t==7 ) ) ) )");
    expect_text("{a=\"b\"} | x=1 or y=2, z=3 or w=4",
                "{a=\"b\"} | ( x==1 or ( y==2 , ( z==3 or w==4 ) ) )");
    expect_text("{a=\"b\"} | x=1 and y=2, z=3", "{a=\"b\"} | ( x==1 , ( y==2 , z==3 ) )");
    expect_text("{a=\"b\"} | (x=1, y=2) or z=3", "{a=\"b\"} | ( ( x==1 , y==2 ) or z==3 )");
}

Test(logql, long_lists_are_no_nesting)
{
    bool ok;
    char *text = repeated("{a=\"b\"", ", a=\"b\"", 10000, "}"), *got = parse_to_text(text, &ok);
    cr_expect(ok, "%s", got);
    free(got);
    free(text);
    text = repeated("{a=\"b\"}", " |= \"x\"", 10000, "");
    got = parse_to_text(text, &ok);
    cr_expect(ok, "%s", got);
    free(got);
    free(text);
}

Test(logql, a_query_may_hold_less_than_128_kib)
{
    char *text = repeated("{a=\"b\"} |= \"", "x", CW_LIMIT_QUERY_BYTES, "\"");
    expect_error(text, "parse error : input size too long (131085 > 131072)");
    free(text);
}

Test(logql, every_prefix_of_a_query_parses_or_fails_cleanly)
{
    static const char query[] =
        "sum without (a, b) (rate({app=~\"x|y\", z!=\"\"} |= \"p\" or ip(\"::1\") | logfmt "
        "--strict q=\"r\" | (s>=1.5 or t<3ms), "
        "u=5KB | label_format v=w,x=\"{{.y}}\" | drop z | unwrap duration(d) | e=\"\" [5m] offset "
        "1h)) > bool on (c) "
        "group_left (d) label_replace(vector(1), \"a\", \"$1\", \"b\", \"(.*)\") # end";
    for (size_t len = 0; len < sizeof(query); len++) {
        struct cw_query *parsed = NULL;
        struct cw_err err = {0};
        char *exact = malloc(len + 1); /* so that a sanitizer sees a read behind the end */
        memcpy(exact, query, len);
        int rc = cw_logql_parse(cw_str_make(exact, len), &parsed, &err);
        free(exact);
        cr_expect(rc == 0 || rc == CW_E_INVALID, "%zu", len);
        cr_expect_eq(rc == 0, parsed != NULL);
        cw_query_free(&parsed);
    }
}

Test(logql, bytes_that_are_no_text_are_refused)
{
    expect_error("{a=\"\xff\"}", "parse error at line 1, col 4: invalid UTF-8 rune");
    expect_error("\xff", "parse error at line 1, col 1: invalid UTF-8 encoding");
    struct cw_query *query = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(cw_str_make("{a=\"b\"}\0", 8), &query, &err), CW_E_INVALID);
    cr_assert_str_eq(err.text, "parse error at line 1, col 8: invalid character NUL");
}

Test(logql, a_selector_of_everything_is_for_those_who_ask_for_it)
{
    static const char *const texts[] = {"{}", "{} |= `x` | json", "sum(count_over_time({}[1m]))",
                                        "{a=~\".*\"}", "rate({}[1m]) / rate({a=\"b\"}[1m])"};
    struct cw_err err;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct cw_query *query = NULL;
        cr_expect_eq(cw_logql_parse(cw_str_of(texts[i]), &query, &err), CW_E_INVALID, "%s",
                     texts[i]);
        cr_expect_eq(
            cw_logql_parse_dialect(cw_str_of(texts[i]), CW_LOGQL_ANY_SELECTOR, &query, &err), 0,
            "%s: %s", texts[i], err.text);
        cw_query_free(&query);
    }
    struct cw_query *query = NULL;
    cr_expect_eq(cw_logql_parse_dialect(CW_STR("{"), CW_LOGQL_ANY_SELECTOR, &query, &err),
                 CW_E_INVALID);
}
