#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "querier/engine/pipeline.h"

struct fixture {
    struct cw_query *query;
    struct cw_pipeline *pipeline;
    struct cw_pipeline_run *run;
    struct cw_arena *arena;
};

static struct cw_labels labels_of(struct fixture *f, const char *text)
{
    struct cw_labels labels;
    struct cw_err err;
    cr_assert_eq(cw_labels_parse(cw_str_of(text), f->arena, &labels, &err), 0, "%s", err.text);
    return labels;
}

static void begin(struct fixture *f, const char *text, const struct cw_grouping *grouping,
                  enum cw_pipeline_use use)
{
    struct cw_err err = {0};
    memset(f, 0, sizeof *f);
    f->arena = cw_arena_new();
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &f->query, &err), 0, "%s: %s", text, err.text);
    cr_assert_eq(cw_pipeline_new(f->query->root, grouping, use, &f->pipeline, &err), 0, "%s",
                 err.text);
    f->run = cw_pipeline_run_new(f->pipeline);
}

static void end(struct fixture *f)
{
    cw_pipeline_run_free(&f->run);
    cw_pipeline_free(&f->pipeline);
    cw_query_free(&f->query);
    cw_arena_free(&f->arena);
}

/* NULL: the entry goes. */
static void expect_entry(struct fixture *f, const char *line, const char *want_labels,
                         const char *want_line)
{
    struct cw_err err = {0};
    int rc = cw_pipeline_entry(f->run, 0, labels_of(f, "{app=\"a\", env=\"e\"}"),
                               labels_of(f, "{meta=\"m\"}"), cw_str_of(line), &err);
    cr_assert_geq(rc, 0, "%s", err.text);
    cr_expect_eq(rc, want_labels != NULL, "%s", line);
    if (rc == 0 || want_labels == NULL)
        return;
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(cw_label_builder_get_all(&f->run->builder), &text);
    cr_expect_str_eq(cw_buf_z(&text), want_labels);
    cr_expect(cw_str_eqz(f->run->line, want_line), "%.*s", CW_STR_ARG(f->run->line));
    cw_buf_fini(&text);
}

static void expect(const char *query, const char *line, const char *want_labels,
                   const char *want_line)
{
    struct fixture f;
    begin(&f, query, NULL, CW_PIPELINE_LOGS);
    expect_entry(&f, line, want_labels, want_line);
    end(&f);
}

#define BASE "app=\"a\", env=\"e\", "

Test(pipeline, stages_run_in_turn)
{
    expect("{app=\"a\"} | logfmt | x=\"1\" | drop env | label_format y=x", "x=1 meta=2",
           "{app=\"a\", meta=\"m\", meta_extracted=\"2\", y=\"1\"}", "x=1 meta=2");
    expect("{app=\"a\"} | json | keep x", "{\"x\":1,\"y\":2}", "{x=\"1\"}", "{\"x\":1,\"y\":2}");
    expect("{app=\"a\"} | decolorize | pattern \"<l>:<_>\" | keep l", "\x1B[1merr\x1B[0m:z",
           "{l=\"err\"}", "err:z");
    expect("{app=\"a\"} | regexp \"(?P<n>\\\\d+)\" | n > 5 | keep n", "n 7", "{n=\"7\"}", "n 7");
    expect("{app=\"a\"} | regexp \"(?P<n>\\\\d+)\" | n > 5", "n 3", NULL, NULL);
    expect("{app=\"a\"} | label_format app=env, none=nothing | keep app, env", "x", "{app=\"e\"}",
           "x");
    expect("{app=\"a\"} | unpack | keep c", "{\"_entry\":\"in\",\"c\":\"1\"}", "{c=\"1\"}", "in");
}

Test(pipeline, line_filters_behind_what_holds_them_back_see_the_new_line)
{
    expect("{app=\"a\"} | unpack |= \"in\" | keep app", "{\"_entry\":\"in\"}", "{app=\"a\"}", "in");
    expect("{app=\"a\"} | unpack |= \"entry\"", "{\"_entry\":\"in\"}", NULL, NULL);
    /* Within a group they go first: ahead of decolorize. */
    expect("{app=\"a\"} | app=\"a\" | decolorize |= \"red x\"", "\x1B[1mred\x1B[0m x", NULL, NULL);
    /* Those of the first group are the scan's. */
    expect("{app=\"a\"} |= \"absent\" | logfmt | keep x", "x=1", "{x=\"1\"}", "x=1");
}

Test(pipeline, label_filters_compare_by_type)
{
    static const struct {
        const char *filter, *line;
        bool stays;
    } cases[] = {
        {"x=\"1\"", "x=1", true},
        {"x=\"\"", "y=1", true},
        {"x!=\"2\"", "y=1", true},
        {"x!=2", "y=1", false},
        {"x=~\"1|2\"", "x=2", true},
        {"x=~\"1\"", "x=12", false},
        {"x=~\"1.*\"", "x=31", true}, /* Loki's: contains */
        {"x!~\".*b.*\"", "x=abc", false},
        {"x>=1.5", "x=1.5", true},
        {"x>1", "x=1_000", true},
        {"x<1m", "x=59s", true},
        {"x<=1m", "x=61s", false},
        {"x>1KB", "x=2kB", true},
        {"x=1KiB", "x=1000", true}, /* Loki's: two digits of it */
        {"x>1KB", "x=\"1,024\"", true},
        {"x=ip(\"10.0.0.0/8\")", "x=10.1.2.3", true},
        {"x!=ip(\"10.0.0.0/8\")", "x=10.1.2.3", false},
        {"x=ip(\"10.0.0.0/8\")", "y=1", false},
        {"x>1 and y>1", "x=2 y=1", false},
        {"x>1 or y>1", "x=1 y=2", true},
        {"x>1, y<5", "x=2 y=2", true},
        {"(x=1 or x=2) and y=3", "x=2 y=3", true},
        {"x>5 | __error__=\"\"", "x=y", false},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct fixture f;
        char query[128];
        snprintf(query, sizeof query, "{app=\"a\"} | logfmt | %s | keep none", cases[i].filter);
        begin(&f, query, NULL, CW_PIPELINE_LOGS);
        struct cw_err err;
        int rc = cw_pipeline_entry(f.run, 0, CW_LABELS_NONE, CW_LABELS_NONE,
                                   cw_str_of(cases[i].line), &err);
        cr_expect_eq(rc, cases[i].stays, "%s of %s", cases[i].filter, cases[i].line);
        end(&f);
    }
}

Test(pipeline, a_value_that_cannot_be_compared_keeps_the_entry_with_an_error)
{
#define FAILED(why) "{__error__=\"LabelFilterErr\", __error_details__=" why "}"
    static const char *const cases[][3] = {
        {"x>1", "x=eu", FAILED("\"strconv.ParseFloat: parsing \\\"eu\\\": invalid syntax\"")},
        {"x>1", "x=1e400",
         FAILED("\"strconv.ParseFloat: parsing \\\"1e400\\\": value out of range\"")},
        {"x>1s", "x=1.5", FAILED("\"time: missing unit in duration \\\"1.5\\\"\"")},
        {"x>1s", "x=1H", FAILED("\"time: unknown unit \\\"H\\\" in duration \\\"1H\\\"\"")},
        {"x>1s", "x=eu", FAILED("\"time: invalid duration \\\"eu\\\"\"")},
        {"x>1s", "x=3000000h", FAILED("\"time: invalid duration \\\"3000000h\\\"\"")},
        {"x>1KB", "x=KB", FAILED("\"strconv.ParseFloat: parsing \\\"\\\": invalid syntax\"")},
        {"x>1KB", "x=1XB", FAILED("\"unhandled size name: xb\"")},
        {"x>1KB", "x=99EB", FAILED("\"too large: 99EB\"")},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        char query[128];
        snprintf(query, sizeof query, "{app=\"a\"} | logfmt | %s | keep none", cases[i][0]);
        expect(query, cases[i][1], cases[i][2], cases[i][1]);
    }
}

Test(pipeline, drop_and_keep_take_matchers_and_errors)
{
    expect("{app=\"a\"} | logfmt | drop x=\"1\", y=\"1\", app, env, meta", "x=1 y=2", "{y=\"2\"}",
           "x=1 y=2");
    expect("{app=\"a\"} | json | drop __error__, __error_details__ | keep app", "text",
           "{app=\"a\"}", "text");
    expect("{app=\"a\"} | json | keep app=\"b\"", "text",
           "{__error__=\"JSONParserErr\", __error_details__=\"Value looks like object, but can't "
           "find closing '}' symbol\"}",
           "text");
}

Test(pipeline, a_metric_that_needs_no_label_does_not_parse)
{
    const struct cw_grouping none = {.kind = CW_GROUP_BY};
    struct fixture f;
    begin(&f, "count_over_time({app=\"a\"} | json | drop x | decolorize [1m])", &none,
          CW_PIPELINE_COUNT);
    cr_expect(cw_pipeline_is_idle(f.pipeline));
    end(&f);
    begin(&f, "bytes_over_time({app=\"a\"} | json | decolorize [1m])", &none, CW_PIPELINE_SIZE);
    cr_expect_not(cw_pipeline_is_idle(f.pipeline));
    end(&f);
    begin(&f, "count_over_time({app=\"a\"} | json | x=\"1\" [1m])", &none, CW_PIPELINE_COUNT);
    cr_expect(cw_pipeline_needs_lines(f.pipeline));
    expect_entry(&f, "{\"x\":\"1\",broken", "{" BASE "meta=\"m\", x=\"1\"}", "{\"x\":\"1\",broken");
    expect_entry(&f, "{\"y\":\"1\"}", NULL, NULL);
    end(&f);
    begin(&f, "count_over_time({app=\"a\"} | env=\"e\" [1m])", &none, CW_PIPELINE_COUNT);
    cr_expect_not(cw_pipeline_needs_lines(f.pipeline));
    end(&f);
}

Test(pipeline, groups_are_the_labels_that_are_parsed)
{
    struct cw_str names[] = {CW_STR("app_extracted"), CW_STR("y")};
    const struct cw_grouping by = {.kind = CW_GROUP_BY, .names = names, .n = 2};
    struct fixture f;
    begin(&f, "count_over_time({app=\"a\"} | json [1m])", &by, CW_PIPELINE_COUNT);
    expect_entry(&f, "{\"x\":1,\"app\":2,\"y\":{\"z\":1}}",
                 "{app=\"a\", app_extracted=\"2\", env=\"e\", meta=\"m\"}",
                 "{\"x\":1,\"app\":2,\"y\":{\"z\":1}}");
    end(&f);
}

static void expect_value(const char *unwrap, const char *line, int rc, double value)
{
    struct fixture f;
    struct cw_err err;
    char query[128];
    snprintf(query, sizeof query, "sum_over_time({app=\"a\"} | logfmt | unwrap %s [1m])", unwrap);
    begin(&f, query, NULL, CW_PIPELINE_COUNT);
    cr_expect_eq(cw_pipeline_entry(f.run, 0, CW_LABELS_NONE, CW_LABELS_NONE, cw_str_of(line), &err),
                 rc, "%s of %s", unwrap, line);
    if (rc > 0)
        cr_expect_float_eq(f.run->value, value, 1e-12);
    end(&f);
}

Test(pipeline, unwrap_converts_a_label)
{
    expect_value("x", "x=1.5", 1, 1.5);
    expect_value("x", "y=1.5", 0, 0);
    expect_value("x", "x=", 0, 0);
    expect_value("x", "x=word", 1, 0); /* with an error */
    expect_value("duration(x)", "x=1m30s", 1, 90);
    expect_value("duration_seconds(x)", "x=250ms", 1, 0.25);
    expect_value("bytes(x)", "x=2KiB", 1, 2048);
    expect_value("x | x > 1", "x=1", 0, 0);
    expect_value("x | x > 1", "x=2", 1, 2);
    expect_value("x | __error__=\"\"", "x=word", 0, 0);
}

Test(pipeline, faulty_expressions_are_told_with_their_stage)
{
    struct cw_query *query = NULL;
    struct cw_pipeline *pipeline = NULL;
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(CW_STR("{a=\"b\"} | json x=\"a[\""), &query, &err), 0);
    cr_expect_eq(cw_pipeline_new(query->root, NULL, CW_PIPELINE_LOGS, &pipeline, &err),
                 CW_E_INVALID);
    cr_expect_str_eq(err.text, "parse error : stage '| json x=\"a[\"' : cannot parse expression "
                               "[a[]: syntax error: unexpected $end, expecting STRING or INDEX");
    cw_query_free(&query);
}
