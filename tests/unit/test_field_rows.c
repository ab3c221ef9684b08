/* Rows by the slots of their templates against the same rows as lines, with lines of every kind. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "querier/engine/eval.h"
#include "querier/engine/field_filter.h"
#include "querier/engine/field_rows.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/range_agg.h"
#include "tests/support/field_lines.h"
#include "tests/support/part_model.h"

#define S CW_NS_PER_S
#define DAY_NS (INT64_C(20000) * 86400 * S)

static char dir[64], path[96];
static struct part_model model;
static struct cw_source *source;
/* Over all scans by templates. */
static size_t nrows, ntemplate_rows;

static void setup(void)
{
    strcpy(dir, "/tmp/cw-test-fields-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/x.part", dir);
    part_model_init(&model);
}

static void teardown(void)
{
    char command[100];
    part_model_fini(&model);
    if (source != NULL)
        cw_source_unref(&source);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(field_rows, .init = setup, .fini = teardown);

static void write_part(void)
{
    struct cw_err err = {0};
    struct cw_part_info info = part_model_info(1);
    if (source != NULL)
        cw_source_unref(&source);
    part_model_write(&model, path, &info);
    cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
}

/* As levels are discovered; or some rows have what few have, or each its own. */
static const char *metadata_of(uint64_t kind, uint64_t r, char *text, size_t size)
{
    static const char *const levels[] = {"info", "warn", "error", "unknown"};
    if (r % 100 == 0)
        return "{status=\"500\"}";
    switch (kind % 4) {
    case 0: return NULL;
    case 1:
        snprintf(text, size, "{detected_level=\"%s\", level=\"%s\"}", levels[r / 100 % 4],
                 levels[r / 400 % 4]);
        return text;
    case 2:
        snprintf(text, size, "{id=\"%u\", trace=\"%llu\"}", (unsigned)(r / 100 % 200),
                 (unsigned long long)r);
        return text;
    default:
        snprintf(text, size, "{%s=\"%u\"}", r / 100 % 2 == 0 ? "duration_ms" : "level_extracted",
                 (unsigned)(r / 200 % 3));
        return r / 1000 % 50 == 0 ? "{__error__=\"sent\"}" : text;
    }
}

/* Some streams have labels that parsed names clash with, and so has metadata. */
static void fill(enum field_lines_kind kind, uint64_t seed, size_t n, unsigned nshapes,
                 unsigned damage)
{
    static const char *const streams[] = {"{app=\"x\"}", "{app=\"x\", host=\"h1\"}",
                                          "{app=\"x\", host=\"h2\"}",
                                          "{app=\"x\", level=\"info\", status=\"200\"}"};
    struct field_lines lines;
    struct cw_buf line;
    size_t ids[CW_COUNT(streams)];
    uint64_t state = seed + 77;
    part_model_fini(&model);
    part_model_init(&model);
    for (size_t i = 0; i < CW_COUNT(streams); i++)
        ids[i] = part_model_stream(&model, streams[i]);
    field_lines_init(&lines, kind, seed, nshapes, damage);
    cw_buf_init(&line, SIZE_MAX);
    for (size_t i = 0; i < n; i++) {
        cw_buf_clear(&line);
        field_lines_next(&lines, &line);
        char metadata[100];
        size_t stream = ids[part_model_random(&state) % CW_COUNT(streams)];
        part_model_add(&model, stream, DAY_NS + (int64_t)i * S, cw_buf_str(&line),
                       metadata_of(seed / 4, part_model_random(&state), metadata, sizeof metadata));
    }
    cw_buf_fini(&line);
    write_part();
}

/* ---- one query, both ways ---- */

static int run_unit(struct cw_range_part *part, const struct cw_scan *scan,
                    const struct cw_unit *unit, struct cw_err *err)
{
    struct cw_cursor *cursor = NULL;
    struct cw_entry_batch batch = {0};
    int rc = source->ops->open(source, scan, unit, &cursor, err);
    while (rc >= 0 && (rc = cw_cursor_next(cursor, &batch, err)) > 0) {
        if ((scan->need & CW_NEED_TEMPLATES) != 0) {
            nrows += batch.n;
            ntemplate_rows += batch.templates != NULL ? batch.n : 0;
        }
        rc = cw_range_part_add(part, &batch, err);
    }
    cw_cursor_close(&cursor);
    return rc;
}

/* The table, NULL with *err. */
static struct cw_table *run(const struct cw_query *query, const struct cw_grid *grid, bool as_lines,
                            struct cw_err *err)
{
    const struct cw_expr *expr = query->root;
    struct cw_range_agg *agg = expr->kind == CW_EXPR_VECTOR_AGG
                                   ? cw_range_agg_new(expr->left, &expr->grouping, grid, NULL)
                                   : cw_range_agg_new(expr, NULL, grid, NULL);
    struct cw_table *table = NULL;
    struct cw_units units = {0};
    struct cw_scan scan = {.selector = &cw_range_agg_expr(agg)->selector,
                           .need = cw_range_agg_need(agg)};
    cw_range_agg_bounds(agg, &scan.start_ns, &scan.end_ns);
    cr_assert((scan.need & CW_NEED_TEMPLATES) != 0);
    if (as_lines)
        scan.need = (scan.need & ~(unsigned)CW_NEED_TEMPLATES) | CW_NEED_LINES;
    cr_assert_eq(source->ops->plan(source, &scan, &units, err), 0);
    struct cw_range_part *part = cw_range_part_new(agg);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < units.n; i++) {
        cw_range_part_begin_unit(part, (uint32_t)i, scan.stats);
        rc = run_unit(part, &scan, &units.items[i], err);
    }
    if (rc == 0)
        rc = cw_range_agg_merge(agg, &part, err);
    if (rc == 0)
        rc = cw_range_agg_finish(agg, &table, err);
    cw_range_part_free(&part);
    cw_units_fini(&units);
    cw_range_agg_free(&agg);
    cr_assert(table == NULL || cw_table_sort(table, err) == 0);
    return table;
}

static bool same_values(const struct cw_series *a, const struct cw_series *b, size_t nsteps)
{
    for (size_t step = 0; step < nsteps; step++) {
        double x = a->values[step], y = b->values[step];
        if (cw_series_has(a, step) != cw_series_has(b, step))
            return false;
        if (cw_series_has(a, step) && memcmp(&x, &y, sizeof x) != 0 && !(x != x && y != y))
            return false;
    }
    return cw_labels_eq(a->labels, b->labels);
}

static void expect_same(const char *text, const struct cw_grid *grid, uint64_t seed)
{
    struct cw_query *query = NULL;
    struct cw_err err = {0}, line_err = {0};
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    struct cw_table *got = run(query, grid, false, &err);
    struct cw_table *want = run(query, grid, true, &line_err);
    cr_expect_eq(got == NULL, want == NULL, "seed %llu: %s: %s, as lines: %s",
                 (unsigned long long)seed, text, err.text, line_err.text);
    if (got == NULL && want == NULL)
        cr_expect_str_eq(err.text, line_err.text, "seed %llu: %s", (unsigned long long)seed, text);
    if (got != NULL && want != NULL) {
        cr_expect_eq(got->n, want->n, "seed %llu: %s: %zu series, as lines %zu",
                     (unsigned long long)seed, text, got->n, want->n);
        for (size_t i = 0; i < got->n && i < want->n; i++)
            cr_expect(same_values(&got->items[i], &want->items[i], grid->n), "seed %llu: %s",
                      (unsigned long long)seed, text);
    }
    cw_table_free(&got);
    cw_table_free(&want);
    cw_query_free(&query);
}

/* %s is the parser. */
static const char *const queries[] = {
    "sum(count_over_time({app=\"x\"} | %s | duration_ms > 500 [1h]))",
    "sum by (level) (count_over_time({app=\"x\"} | %s | __error__=\"\" [90s]))",
    "sum by (level, level_extracted, status) (count_over_time({app=\"x\"} | %s | __error__=\"\"[1m]))",
    "sum by (status) (count_over_time({app=\"x\"} | %s | __error__=\"\" | status >= 400 and duration_ms < 800 or "
    "level=\"error\" [10m]))",
    "sum by (__error__) (count_over_time({app=\"x\"} | %s [10m]))",
    "sum by (msg) (count_over_time({app=\"x\"} | %s | level=~\"i.*|w.*\" | __error__=\"\" [1h]))",
    "sum by (a_b, id) (count_over_time({app=\"x\"} | %s | __error__=\"\" [1h]))",
    "sum by (host) (count_over_time({app=\"x\"} | %s | latency > 100ms or size > 20KB | __error__=\"\" [1h]))",
    "sum by (app_extracted) (count_over_time({app=\"x\"} | %s | id!=ip(\"10.0.1.0/24\") | __error__=\"\" [1h]))",
    "sum by (level) (count_over_time({app=\"x\"} | %s | drop status, msg=\"a\" | status=\"\" | __error__=\"\" [1h]))",
    "sum by (level) (count_over_time({app=\"x\"} | %s | keep level | level!=\"warn\" | __error__=\"\" [1h]))",
    "sum(count_over_time({app=\"x\"} | %s | status != 200 | status < 450.5 | status >= -3 [1h]))",
    "quantile_over_time(0.9, {app=\"x\"} | %s | unwrap duration_ms | __error__=\"\" [5m]) by (host)",
    "first_over_time({app=\"x\"} | %s | duration_ms > 20 | unwrap duration_ms | __error__=\"\" [5m]) by (level)",
    "sum by (level) (sum_over_time({app=\"x\"} | %s | unwrap status | __error__=\"\" | status > 250 [5m]))",
    "max_over_time({app=\"x\"} | %s | unwrap duration(latency) | __error__=\"\" [5m]) by (app)",
    "avg_over_time({app=\"x\"} | %s | unwrap bytes(size) | __error__=\"\" [5m]) by (level, status)",
    "stddev_over_time({app=\"x\"} | %s | unwrap duration_ms [5m]) by (host)",
    "sum by (level) (bytes_over_time({app=\"x\"} | %s | __error__=\"\" | duration_ms > 5 [90s]))",
    "sum(bytes_rate({app=\"x\"} |= \"a\" | %s | level=\"info\" or status=200 [1h]))",
    "absent_over_time({app=\"x\"} | %s | status=999 [1m])",
    "sum by (host) (rate({app=\"x\"} |= \"0\" | %s | duration_ms > 500 | __error__=\"\" [1h]))",
};
static const char *const json_parsers[] = {
    "json",
    "json lvl=\"level\", level=\"nested.level\", status=\"status\", duration_ms=\"duration_ms\", id=\"[0]\"",
    "json duration_ms, status=\"nested.a\", msg=\"nested[1]\", level=\"nested\"",
    "json duration_ms=\"nested.a\", level=\"nested.level\", msg, size, latency, status=\"duration_ms\""};
static const char *const logfmt_parsers[] = {
    "logfmt",
    "logfmt --strict",
    "logfmt --keep-empty",
    "logfmt --strict --keep-empty",
    "logfmt duration_ms, level, status=\"size\", id=\"bare\"",
    "logfmt --strict msg, level=\"msg\", status, duration_ms=\"a_b\", latency, size",
    "logfmt level=\"status\", status=\"level\", duration_ms=\"nosuch\", host=\"size\", id=\"id\", id=\"msg\""};

static void expect_all_same(const char *const *parsers, size_t nparsers, uint64_t seed)
{
    struct cw_grid instant, range;
    struct cw_err err;
    cw_grid_init_instant(&instant, DAY_NS + 3000 * S);
    cr_assert_eq(cw_grid_init_range(&range, DAY_NS, DAY_NS + 7200 * S, 60 * S, &err), 0);
    for (size_t i = 0; i < CW_COUNT(queries); i++) {
        char text[600];
        const char *parser = parsers[(i + seed) % nparsers];
        snprintf(text, sizeof text, queries[i], parser);
        expect_same(text, i % 3 == 0 ? &instant : &range, seed);
    }
}

static uint64_t rounds(void)
{
    const char *n = getenv("CORDWOOD_FIELD_ROUNDS");
    return n != NULL ? strtoull(n, NULL, 10) : 12;
}

Test(field_rows, json_lines_come_to_what_their_text_comes_to, .timeout = 600)
{
    for (uint64_t seed = 1; seed <= rounds(); seed++) {
        fill(FIELD_LINES_JSON, seed, 6000, 1 + (unsigned)(seed % 16), seed % 4 == 0 ? 0 : 20);
        expect_all_same(json_parsers, CW_COUNT(json_parsers), seed);
    }
    cr_expect(ntemplate_rows > nrows / 2, "%zu of %zu rows have templates", ntemplate_rows, nrows);
}

Test(field_rows, logfmt_lines_come_to_what_their_text_comes_to, .timeout = 600)
{
    for (uint64_t seed = 1; seed <= rounds(); seed++) {
        fill(FIELD_LINES_LOGFMT, seed, 6000, 1 + (unsigned)(seed % 16), seed % 4 == 0 ? 0 : 20);
        expect_all_same(logfmt_parsers, CW_COUNT(logfmt_parsers), seed);
    }
    cr_expect(ntemplate_rows > nrows / 2, "%zu of %zu rows have templates", ntemplate_rows, nrows);
}

/* ---- filters of log queries ---- */

static const char *const log_queries[] = {
    "{app=\"x\"} | %s | duration_ms > 500",
    "{app=\"x\"} | %s | level=\"error\" or status >= 400 | line_format \"{{.msg}}\"",
    "{app=\"x\"} |= \"0\" | %s | drop status | level!=\"info\" | status > 3 | label_format a=b |= \"x\"",
    "{app=\"x\"} | %s | __error__=\"\" | latency > 100ms",
    "{app=\"x\"} | %s | __error__!=\"\"",
    "{app=\"x\"} | %s | level_extracted=~\"i.*\" | id!=ip(\"10.0.1.0/24\") | json",
};

/* No row is dropped that the pipeline keeps, and the others have the line that they have. */
static void expect_filtered(const char *text, uint64_t seed)
{
    struct cw_query *query = NULL;
    struct cw_pipeline *pipeline = NULL;
    struct cw_units units = {0};
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s: %s", text, err.text);
    cr_assert_eq(cw_pipeline_new(query->root, NULL, CW_PIPELINE_LOGS, &pipeline, &err), 0);
    struct cw_pipeline_run *run = cw_pipeline_run_new(pipeline);
    struct cw_field_prefix *prefix = cw_field_prefix_new(query->root);
    cr_assert_not_null(prefix);
    struct cw_field_filter *filter = cw_field_filter_new(prefix, NULL);
    struct cw_scan scan = {.selector = &query->root->selector,
                           .start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .newest_first = seed % 2 == 0,
                           .need = CW_NEED_METADATA | CW_NEED_TEMPLATES | CW_NEED_LINES};
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    for (size_t u = 0; u < units.n; u++) {
        struct cw_cursor *cursor = NULL;
        struct cw_entry_batch batch;
        const struct cw_str *lines;
        cw_field_filter_forget(filter, NULL);
        cr_assert_eq(source->ops->open(source, &scan, &units.items[u], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &batch, &err) > 0) {
            nrows += batch.n;
            if (batch.templates == NULL)
                continue;
            cr_assert_eq(cw_field_filter_lines(filter, &batch, batch.n, &lines, &err), 0);
            for (size_t i = 0; i < batch.n; i++) {
                ntemplate_rows += lines[i].ptr == NULL;
                if (lines[i].ptr != NULL)
                    cr_assert(cw_str_eq(lines[i], batch.lines[i]), "seed %llu: %s",
                              (unsigned long long)seed, text);
                else
                    cr_assert_eq(cw_pipeline_entry(run, 0, batch.stream.labels,
                                                   batch.metadata != NULL ? batch.metadata[i]
                                                                          : CW_LABELS_NONE,
                                                   batch.lines[i], &err),
                                 0, "seed %llu: %s: %.*s", (unsigned long long)seed, text,
                                 CW_STR_ARG(batch.lines[i]));
            }
        }
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    cw_field_filter_free(&filter);
    cw_field_prefix_free(&prefix);
    cw_pipeline_run_free(&run);
    cw_pipeline_free(&pipeline);
    cw_query_free(&query);
}

Test(field_rows, filters_drop_no_row_that_the_pipeline_keeps, .timeout = 600)
{
    for (uint64_t seed = 1; seed <= 2 * rounds(); seed++) {
        bool json = seed / 2 % 2 == 0;
        fill(json ? FIELD_LINES_JSON : FIELD_LINES_LOGFMT, seed, 6000, 1 + (unsigned)(seed % 16),
             seed % 4 == 0 ? 0 : 20);
        for (size_t i = 0; i < CW_COUNT(log_queries); i++) {
            char text[600];
            snprintf(text, sizeof text, log_queries[i],
                     json ? json_parsers[(i + seed) % CW_COUNT(json_parsers)]
                          : logfmt_parsers[(i + seed) % CW_COUNT(logfmt_parsers)]);
            expect_filtered(text, seed);
        }
    }
    cr_expect(ntemplate_rows > nrows / 8, "%zu of %zu rows were dropped", ntemplate_rows, nrows);
}

Test(field_rows, a_log_expression_without_label_filters_in_front_has_no_prefix)
{
    static const char *const none[] = {"{a=\"b\"}",
                                       "{a=\"b\"} | json",
                                       "{a=\"b\"} | json | drop x",
                                       "{a=\"b\"} | x=\"y\"",
                                       "{a=\"b\"} | pattern \"<x> y\" | x=\"y\"",
                                       "{a=\"b\"} | line_format \"x\" | json | x=\"y\"",
                                       "{a=\"b\"} | json | logfmt | x=\"y\""};
    for (size_t i = 0; i < CW_COUNT(none); i++) {
        struct cw_query *query = NULL;
        struct cw_err err = {0};
        cr_assert_eq(cw_logql_parse(cw_str_of(none[i]), &query, &err), 0, "%s", err.text);
        cr_expect_null(cw_field_prefix_new(query->root), "%s", none[i]);
        cw_query_free(&query);
    }
}

/* ---- what needs no line ---- */

struct seen {
    size_t nrows, nlines, nruns;
};

static int settle_one(void *arg, uint32_t *end_out, struct cw_err *err)
{
    (void)err;
    ((struct seen *)arg)->nruns++;
    *end_out = 7;
    return 0;
}

/* Rows of the part through the pipeline of a range aggregation. */
static struct seen look(const char *text)
{
    struct cw_query *query = NULL;
    struct cw_pipeline *pipeline = NULL;
    struct cw_units units = {0};
    struct cw_err err = {0};
    struct seen seen = {0};
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s", err.text);
    const struct cw_expr *expr = query->root;
    cr_assert_eq(cw_pipeline_new(expr, &expr->grouping, CW_PIPELINE_COUNT, &pipeline, &err), 0);
    struct cw_pipeline_run *run = cw_pipeline_run_new(pipeline);
    struct cw_field_rows *rows =
        cw_field_rows_new(expr, &expr->grouping, run, settle_one, &seen, NULL);
    struct cw_scan scan = {.selector = &expr->selector,
                           .start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = CW_NEED_TIMES | CW_NEED_METADATA | CW_NEED_TEMPLATES};
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    for (size_t u = 0; u < units.n; u++) {
        struct cw_cursor *cursor = NULL;
        struct cw_entry_batch batch;
        cw_field_rows_forget(rows, NULL);
        cr_assert_eq(source->ops->open(source, &scan, &units.items[u], &cursor, &err), 0);
        while (cw_cursor_next(cursor, &batch, &err) > 0) {
            cr_assert_eq(cw_field_rows_begin(rows, &batch, &err), 0);
            for (size_t i = 0; i < batch.n; i++, seen.nrows++) {
                struct cw_field_row row;
                cr_assert_eq(cw_field_rows_row(rows, i, &row, &err), 0);
                seen.nlines += row.end == CW_FIELD_ROW_LINE;
            }
        }
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    cw_field_rows_free(&rows);
    cw_pipeline_run_free(&run);
    cw_pipeline_free(&pipeline);
    cw_query_free(&query);
    return seen;
}

static void fill_usual(const char *format)
{
    static const char *const levels[] = {"info", "warn", "error"};
    static const char *const events[] = {"card declined", "cart loaded", "price quoted"};
    size_t stream = part_model_stream(&model, "{app=\"x\"}");
    struct cw_buf line;
    uint64_t state = 5;
    cw_buf_init(&line, SIZE_MAX);
    for (size_t i = 0; i < 4000; i++) {
        uint64_t r = part_model_random(&state);
        cw_buf_clear(&line);
        cw_buf_addf(&line, format, levels[r % 3], events[r / 3 % 3], (unsigned)(r / 9 % 1000),
                    (unsigned)(r / 9000 % 100), 200 + (unsigned)(r / 900000 % 3) * 100);
        part_model_add(&model, stream, DAY_NS + (int64_t)i * S, cw_buf_str(&line), NULL);
    }
    cw_buf_fini(&line);
    write_part();
}

Test(field_rows, usual_lines_are_not_looked_at_and_rows_alike_run_once)
{
    static const char *const lines[] = {
        "{\"level\": \"%s\", \"event\": \"%s\", \"duration_ms\": %u.%02u, \"status\": %u}",
        "level=%s msg=\"%s\" duration_ms=%u.%02u status=%u"};
    static const char *const parsers[] = {"json", "logfmt"};
    for (size_t i = 0; i < 2; i++) {
        char text[300];
        part_model_fini(&model);
        part_model_init(&model);
        fill_usual(lines[i]);
        snprintf(
            text, sizeof text,
            "max_over_time({app=\"x\"} | %s | duration_ms > 500 | __error__=\"\" | unwrap duration_ms "
            "[1h]) by (level, status)",
            parsers[i]);
        struct seen seen = look(text);
        cr_expect_eq(seen.nrows, 4000);
        cr_expect_eq(seen.nlines, 0);
        /* Once for each level and status, of each template: words without quotes are its text. */
        cr_expect(seen.nruns >= 9 && seen.nruns <= 27, "%zu runs", seen.nruns);
    }
}

/* ---- damage ---- */

/* The sum over all series, and how many blocks were bad. */
static double ask(const char *text, uint64_t *nbad)
{
    struct cw_snapshot snapshot = {.sources = &source, .n = 1};
    struct cw_query_context context;
    struct cw_query *query = NULL;
    struct cw_result result;
    struct cw_grid grid;
    struct cw_err err = {0};
    double sum = 0;
    cw_query_context_init(&context, NULL, &snapshot, 0);
    cw_grid_init_instant(&grid, DAY_NS + 5000 * S);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &query, &err), 0, "%s", err.text);
    cr_assert_eq(
        cw_metric_query_run(&context, query->root, &grid, CW_EVAL_INSTANT, 5000, &result, &err), 0,
        "%s: %s", text, err.text);
    for (size_t i = 0; i < result.table->n; i++)
        sum += result.table->items[i].values[0];
    *nbad = atomic_load(&context.stats.corrupt_blocks);
    cw_result_fini(&result);
    cw_query_free(&query);
    return sum;
}

/* Change a byte of the part, or change it back. */
static void flip(long at)
{
    FILE *file = fopen(path, "r+b");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    int c = fgetc(file);
    cr_assert_eq(fseek(file, at, SEEK_SET), 0);
    fputc(c ^ 0x20, file);
    fclose(file);
}

/* Events hold an escape, so that the second query looks at lines. */
Test(field_rows, a_damaged_block_is_told_of_and_never_counted_wrong, .timeout = 300)
{
    static const char *const texts[] = {
        "sum by (level) (count_over_time({app=\"x\"} | json | duration_ms > 500 [2h]))",
        "sum by (event) (count_over_time({app=\"x\"} | json | status=300 [2h]))"};
    uint64_t nbad, ntold = 0, ncounted = 0;
    struct cw_err err;
    double want[2];
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    fill_usual(
        "{\"level\": \"%s\", \"event\": \"%s\\n\", \"duration_ms\": %u.%02u, \"status\": %u}");
    struct cw_part_block block = cw_part_reader_block(cw_part_source_reader(source), 0);
    struct cw_str bytes = cw_part_reader_block_bytes(cw_part_source_reader(source), 0);
    for (size_t i = 0; i < 2; i++)
        want[i] = ask(texts[i], &nbad);
    cr_assert(want[0] > 0 && want[1] > 0 && nbad == 0 && block.rows == 4000);
    for (size_t at = 16; at < 16 + bytes.len; at += 1 + bytes.len / 300) {
        cw_source_unref(&source);
        flip((long)at);
        cr_assert_eq(cw_part_source_open(path, NULL, &source, &err), 0, "%s", err.text);
        for (size_t i = 0; i < 2; i++) {
            double got = ask(texts[i], &nbad);
            cr_assert(got == want[i] || (nbad > 0 && got < want[i]), "byte %zu: %g, not %g", at,
                      got, want[i]);
            ntold += nbad > 0;
            ncounted += got == want[i];
        }
        flip((long)at);
    }
    /* Columns that nobody asks for may be as they are. */
    cr_expect(ntold > 20 && ncounted > 20, "%llu told, %llu counted", (unsigned long long)ntold,
              (unsigned long long)ncounted);
}

Test(field_rows, what_it_holds_is_from_the_allowance_and_lines_that_it_makes_are_counted)
{
    struct cw_query *query = NULL;
    struct cw_allowance allowance;
    struct cw_scan_stats stats = {0};
    struct cw_grid grid;
    struct cw_err err = {0};
    struct cw_units units = {0};
    /* An escape in a text that the query asks for: the line is made. */
    fill_usual(
        "{\"level\": \"%s\", \"event\": \"%s\\n\", \"duration_ms\": %u.%02u, \"status\": %u}");
    cw_allowance_init(&allowance, 0);
    cw_grid_init_instant(&grid, DAY_NS + 5000 * S);
    cr_assert_eq(cw_logql_parse(CW_STR("sum by (event) (count_over_time({app=\"x\"} | json [2h]))"),
                                &query, &err),
                 0);
    struct cw_range_agg *agg =
        cw_range_agg_new(query->root->left, &query->root->grouping, &grid, &allowance);
    struct cw_range_part *part = cw_range_part_new(agg);
    struct cw_scan scan = {
        .selector = &query->root->left->selector, .need = cw_range_agg_need(agg), .stats = &stats};
    cw_range_agg_bounds(agg, &scan.start_ns, &scan.end_ns);
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    cw_range_part_begin_unit(part, 0, &stats);
    cr_assert_eq(run_unit(part, &scan, &units.items[0], &err), 0, "%s", err.text);
    cr_expect_eq(atomic_load(&stats.rows_rebuilt), 4000);
    cr_expect_gt(atomic_load(&stats.bytes_decompressed), 4000 * 60);
    /* What a worker holds is some 100 kB, the lines of a batch among them. */
    cr_expect_gt(atomic_load(&allowance.used), 50000);
    cw_range_part_free(&part);
    cw_range_agg_free(&agg);
    cw_units_fini(&units);
    cw_query_free(&query);
    cr_expect_eq(atomic_load(&allowance.used), 0);
}

Test(field_rows, memory_is_bounded_and_given_back)
{
    struct cw_query *query = NULL;
    struct cw_allowance allowance;
    struct cw_grid grid;
    struct cw_err err = {0};
    struct cw_units units = {0};
    fill_usual("{\"level\": \"%s\", \"event\": \"%s\", \"duration_ms\": %u.%02u, \"status\": %u}");
    cw_allowance_init(&allowance, 100000);
    cw_grid_init_instant(&grid, DAY_NS + 5000 * S);
    cr_assert_eq(cw_logql_parse(CW_STR("max_over_time({app=\"x\"} | json | unwrap status [2h]) by "
                                       "(level, duration_ms)"),
                                &query, &err),
                 0);
    struct cw_range_agg *agg = cw_range_agg_new(query->root, NULL, &grid, &allowance);
    struct cw_range_part *part = cw_range_part_new(agg);
    struct cw_scan scan = {.selector = &query->root->selector, .need = cw_range_agg_need(agg)};
    cw_range_agg_bounds(agg, &scan.start_ns, &scan.end_ns);
    cr_assert_eq(source->ops->plan(source, &scan, &units, &err), 0);
    cr_expect_eq(run_unit(part, &scan, &units.items[0], &err), CW_E_LIMIT);
    cr_expect(strstr(err.text, "more memory than its allowance of 100000 bytes") != NULL, "%s",
              err.text);
    cw_range_part_free(&part);
    cw_range_agg_free(&agg);
    cw_units_fini(&units);
    cw_query_free(&query);
    cr_expect_eq(atomic_load(&allowance.used), 0);
}
