/* test_range_agg.c - entries to samples: windows, edges, metadata, several workers, bounds.
 * Expected values are worked out by hand. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "querier/engine/range_agg.h"

#define S CW_NS_PER_S

struct fixture {
    struct cw_query *query;
    struct cw_range_agg *agg;
};

static struct fixture start(const char *text, const struct cw_grouping *fusion,
                            const struct cw_grid *grid, struct cw_allowance *allowance)
{
    struct fixture f = {NULL, NULL};
    struct cw_err err = {0};
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &f.query, &err), 0, "%s", err.text);
    f.agg = cw_range_agg_new(f.query->root, fusion, grid, allowance);
    return f;
}

static void finish(struct fixture *f)
{
    cw_range_agg_free(&f->agg);
    cw_query_free(&f->query);
}

static struct cw_entry_batch batch_of(struct cw_labels labels, const int64_t *ts_ns, size_t n)
{
    return (struct cw_entry_batch){
        .stream = {.id = cw_labels_hash(labels), .labels = labels}, .n = n, .ts_ns = ts_ns};
}

static const struct cw_label app_a[] = {{{"app", 3}, {"a", 1}}};
static const struct cw_label app_b[] = {{{"app", 3}, {"b", 1}}};
#define LABELS(items) ((struct cw_labels){(items), CW_COUNT(items)})

static struct cw_table *run_one(struct fixture *f, const struct cw_entry_batch *batches, size_t n)
{
    struct cw_err err = {0};
    struct cw_table *table = NULL;
    struct cw_range_part *part = cw_range_part_new(f->agg);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(cw_range_part_add(part, &batches[i], &err), 0, "%s", err.text);
    cr_assert_eq(cw_range_agg_merge(f->agg, &part, &err), 0);
    cr_assert_null(part);
    cr_assert_eq(cw_range_agg_finish(f->agg, &table, &err), 0);
    return table;
}

/* Values of series 0 as text, '-' where there is none. */
static void expect_values(const struct cw_table *table, size_t idx, const char *expected)
{
    char text[1024];
    size_t n = 0;
    for (size_t step = 0; step < table->grid.n; step++)
        n += (size_t)(cw_series_has(&table->items[idx], step)
                          ? snprintf(text + n, sizeof(text) - n, "%s%g", step ? " " : "",
                                     table->items[idx].values[step])
                          : snprintf(text + n, sizeof(text) - n, "%s-", step ? " " : ""));
    cr_expect_str_eq(text, expected);
}

/* Of a grid with the longest span at the ends of what cw_grid_init_range() allows. */
Test(range_agg, offsets_to_the_ends_of_time_overflow_nothing)
{
    static const char *const offsets[] = {"280y", "-2452800h", "70y", "-613200h"};
    static const int64_t starts[] = {INT64_MIN / 2, 0, 1767571200 * S, INT64_MAX / 2};
    static const int64_t ts[] = {INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1, INT64_MAX};
    for (size_t i = 0; i < CW_COUNT(offsets) * CW_COUNT(starts); i++) {
        char text[100];
        snprintf(text, sizeof text, "count_over_time({app=\"a\"}[90y] offset %s)",
                 offsets[i % CW_COUNT(offsets)]);
        struct cw_grid grid = {
            .start_ns = starts[i / CW_COUNT(offsets)], .step_ns = INT64_MAX / 40, .n = 10};
        struct fixture f = start(text, NULL, &grid, NULL);
        struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, CW_COUNT(ts));
        struct cw_table *table = run_one(&f, &batch, 1);
        cr_expect_eq(table->grid.start_ns, grid.start_ns);
        for (size_t step = 0; table->n > 0 && step < grid.n; step++)
            cr_expect(table->items[0].values[step] <= CW_COUNT(ts), "%s", text);
        cw_table_free(&table);
        finish(&f);
    }
}

Test(range_agg, a_window_holds_its_end_and_not_its_start)
{
    static const int64_t ts[] = {0, 1, 60 * S - 1, 60 * S, 60 * S + 1, 120 * S};
    struct cw_grid grid = {.start_ns = 0, .step_ns = 60 * S, .n = 4};
    struct fixture f = start("count_over_time({app=\"a\"}[1m])", NULL, &grid, NULL);
    int64_t from, to;
    cw_range_agg_bounds(f.agg, &from, &to);
    cr_expect_eq(from, -60 * S + 1);
    cr_expect_eq(to, 180 * S + 1);
    cr_expect_eq(cw_range_agg_need(f.agg), CW_NEED_TIMES | CW_NEED_METADATA);
    struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, CW_COUNT(ts));
    struct cw_table *table = run_one(&f, &batch, 1);
    cr_assert_eq(table->n, 1);
    expect_values(table, 0, "1 3 2 -");
    cw_table_free(&table);
    finish(&f);
}

Test(range_agg, ranges_longer_than_the_step_overlap_and_shorter_ones_leave_gaps)
{
    static const int64_t ts[] = {5 * S, 10 * S, 15 * S, 25 * S, 30 * S};
    struct cw_grid grid = {.start_ns = 0, .step_ns = 10 * S, .n = 6};
    struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, CW_COUNT(ts));
    struct fixture f = start("count_over_time({app=\"a\"}[25s])", NULL, &grid, NULL);
    struct cw_table *table = run_one(&f, &batch, 1);
    expect_values(table, 0,
                  "- 2 3 4 2 1"); /* (t-25, t]: t=30 holds 10, 15, 25, 30; t=40 no 15; t=50 no 25 */
    cw_table_free(&table);
    finish(&f);
    f = start("count_over_time({app=\"a\"}[3s])", NULL, &grid, NULL);
    table = run_one(&f, &batch, 1);
    expect_values(table, 0, "- 1 - 1 - -");
    cw_table_free(&table);
    finish(&f);
}

/* The slow way, for comparison: every entry against every window. */
static uint64_t count_slowly(const int64_t *ts, size_t n, int64_t end_ns, int64_t range_ns)
{
    uint64_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ts[i] > end_ns - range_ns && ts[i] <= end_ns;
    return count;
}

Test(range_agg, any_range_and_step_agree_with_counting_each_window_apart)
{
    static int64_t up[500], down[500];
    uint64_t seed = 88172645463325252;
    for (int round = 0; round < 300; round++) {
        int64_t at = -400;
        for (size_t i = 0; i < CW_COUNT(up); i++) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            up[i] = at += (int64_t)(seed % 4);
        }
        for (size_t i = 0; i < CW_COUNT(up); i++)
            down[i] = up[CW_COUNT(up) - 1 - i];
        int64_t range_ns = (int64_t)(seed / 7 % 97) + 1, offset_ns = (int64_t)(seed / 11 % 50);
        struct cw_grid grid = {.start_ns = (int64_t)(seed / 3 % 60) - 30,
                               .step_ns = (int64_t)(seed / 5 % 53) + 1,
                               .n = seed / 13 % 40 + 1};
        struct fixture f = start("count_over_time({app=\"a\"}[1s])", NULL, &grid, NULL);
        f.query->root->range_ns = range_ns; /* finer than the language goes */
        f.query->root->offset_ns = offset_ns;
        cw_range_agg_free(&f.agg);
        f.agg = cw_range_agg_new(f.query->root, NULL, &grid, NULL);
        int64_t from, to;
        cw_range_agg_bounds(f.agg, &from, &to);
        /* A scan brings what lies in its bounds; with one step nothing else may come. */
        const int64_t *ts = round % 2 ? up : down;
        size_t first = 0, n = CW_COUNT(up);
        while (n > 0 && (ts[first] < from || ts[first] >= to))
            first++, n--;
        while (n > 0 && (ts[first + n - 1] < from || ts[first + n - 1] >= to))
            n--;
        struct cw_entry_batch batch = batch_of(LABELS(app_a), ts + first, n);
        struct cw_table *table = run_one(&f, &batch, n > 0);
        for (size_t step = 0; step < grid.n; step++) {
            uint64_t count =
                count_slowly(up, CW_COUNT(up), cw_grid_time(&grid, step) - offset_ns, range_ns);
            bool has = table->n > 0 && cw_series_has(&table->items[0], step);
            cr_assert_eq(has, count > 0, "round %d step %zu", round, step);
            cr_assert(!has || table->items[0].values[step] == (double)count,
                      "round %d step %zu: %g, not %lu", round, step, table->items[0].values[step],
                      count);
        }
        cw_table_free(&table);
        finish(&f);
    }
}

Test(range_agg, one_step_needs_no_times_and_counts_what_the_scan_brings)
{
    struct cw_grid grid;
    cw_grid_init_instant(&grid, 100 * S);
    struct cw_grouping none = {.kind = CW_GROUP_NONE};
    struct fixture f = start("count_over_time({app=\"a\"}[24h] offset 1m)", &none, &grid, NULL);
    int64_t from, to;
    cw_range_agg_bounds(f.agg, &from, &to);
    cr_expect_eq(from, 40 * S - 86400 * S + 1);
    cr_expect_eq(to, 40 * S + 1);
    cr_expect_eq(cw_range_agg_need(f.agg), 0);
    struct cw_entry_batch batches[] = {batch_of(LABELS(app_a), NULL, 1000),
                                       batch_of(LABELS(app_b), NULL, 11),
                                       batch_of(LABELS(app_a), NULL, 1)};
    struct cw_table *table = run_one(&f, batches, 3);
    cr_assert_eq(table->n, 1);
    cr_expect_eq(table->items[0].labels.n, 0);
    expect_values(table, 0, "1012");
    cr_expect_eq(table->grid.start_ns, 100 * S);
    cw_table_free(&table);
    finish(&f);
}

Test(range_agg, rates_and_bytes)
{
    static const int64_t ts[] = {1 * S, 2 * S, 3 * S};
    static const uint32_t sizes[] = {10, 0, 20};
    struct cw_grid grid = {.start_ns = 2 * S, .step_ns = 2 * S, .n = 2};
    static const struct {
        const char *query, *values;
    } cases[] = {
        {"rate({app=\"a\"}[4s])", "0.5 0.75"},
        {"bytes_over_time({app=\"a\"}[4s])", "10 30"},
        {"bytes_rate({app=\"a\"}[4s])", "2.5 7.5"},
        {"bytes_over_time({app=\"a\"}[1s])", "0 -"}, /* an empty line is an entry of 0 bytes */
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct fixture f = start(cases[i].query, NULL, &grid, NULL);
        struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, CW_COUNT(ts));
        batch.sizes = sizes;
        cr_expect_eq((cw_range_agg_need(f.agg) & CW_NEED_SIZES) != 0, i > 0);
        struct cw_table *table = run_one(&f, &batch, 1);
        expect_values(table, 0, cases[i].values);
        cw_table_free(&table);
        finish(&f);
    }
}

Test(range_agg, metadata_tells_series_apart_unless_a_grouping_leaves_it_out)
{
    static const int64_t ts[] = {1, 2, 3, 4};
    static const struct cw_label trace1[] = {{{"trace", 5}, {"1", 1}}},
                                 clash[] = {{{"app", 3}, {"z", 1}}};
    static const struct cw_labels metadata[] = {{trace1, 1}, {trace1, 1}, {NULL, 0}, {clash, 1}};
    struct cw_grid grid = {.start_ns = 10, .step_ns = 10, .n = 2};
    struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, CW_COUNT(ts));
    batch.metadata = metadata;
    struct fixture f = start("count_over_time({app=\"a\"}[1s])", NULL, &grid, NULL);
    struct cw_table *table = run_one(&f, &batch, 1);
    struct cw_err err;
    cr_assert_eq(cw_table_sort(table, &err), 0);
    cr_assert_eq(table->n, 3);
    cr_expect(cw_str_eqz(cw_labels_get(table->items[1].labels, CW_STR("app_extracted")), "z"));
    cr_expect(cw_str_eqz(cw_labels_get(table->items[2].labels, CW_STR("trace")), "1"));
    expect_values(table, 0, "1 1");
    expect_values(table, 2, "2 2");
    cw_table_free(&table);
    finish(&f);
    struct cw_str names[] = {CW_STR("app")};
    struct cw_grouping by_app = {.kind = CW_GROUP_BY, .names = names, .n = 1};
    f = start("count_over_time({app=\"a\"}[1s])", &by_app, &grid, NULL);
    table = run_one(&f, &batch, 1);
    cr_assert_eq(table->n, 1);
    expect_values(table, 0, "4 4");
    cw_table_free(&table);
    finish(&f);
}

/* An error that was asked for by name shows all labels, whatever the aggregation groups by; a sum around it groups them. */
Test(range_agg, entries_with_errors_that_are_kept_have_all_their_labels)
{
    static const int64_t ts[] = {S};
    static const struct cw_str lines[] = {{"level=info \"", 12}};
    struct cw_grid grid = {.start_ns = 2 * S, .step_ns = S, .n = 1};
    struct cw_grouping sum = {.kind = CW_GROUP_BY};
    struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, 1);
    batch.lines = lines;
    const char *text = "count_over_time({app=\"a\"} | logfmt --strict | __error__!=\"\" [5s])";
    struct fixture f = start(text, &sum, &grid, NULL);
    struct cw_table *table = run_one(&f, &batch, 1);
    cr_assert_eq(table->n, 1);
    cr_expect_eq(table->items[0].labels.n, 0);
    cw_table_free(&table);
    finish(&f);
    f = start(
        "avg_over_time({app=\"a\"} | logfmt --strict | __error__!=\"\" | unwrap app [5s]) by (x)",
        NULL, &grid, NULL);
    table = run_one(&f, &batch, 1);
    cr_assert_eq(table->n, 1);
    cr_expect(cw_str_eqz(cw_labels_get(table->items[0].labels, CW_STR("app")), "a"));
    cr_expect(cw_labels_has(table->items[0].labels, CW_STR("__error__")));
    cw_table_free(&table);
    finish(&f);
}

Test(range_agg, the_parts_of_workers_add_up_whatever_their_order)
{
    static const int64_t early[] = {1 * S, 2 * S}, late[] = {11 * S, 12 * S};
    struct cw_grid grid = {.start_ns = 10 * S, .step_ns = 10 * S, .n = 2};
    struct cw_err err = {0};
    struct fixture f = start("count_over_time({app=~\".+\"}[10s])", NULL, &grid, NULL);
    struct cw_range_part *parts[3];
    for (size_t i = 0; i < 3; i++) {
        struct cw_entry_batch batches[] = {batch_of(LABELS(app_a), late, 2),
                                           batch_of(LABELS(app_b), early, 2),
                                           batch_of(LABELS(app_a), early, 2)};
        parts[i] = cw_range_part_new(f.agg);
        for (size_t k = 0; k <= i; k++)
            cr_assert_eq(cw_range_part_add(parts[i], &batches[k], &err), 0);
    }
    for (size_t i = 3; i-- > 0;)
        cr_assert_eq(cw_range_agg_merge(f.agg, &parts[i], &err), 0);
    struct cw_table *table = NULL;
    cr_assert_eq(cw_range_agg_finish(f.agg, &table, &err), 0);
    cr_assert_eq(cw_table_sort(table, &err), 0);
    cr_assert_eq(table->n, 2);
    expect_values(table, 0, "2 6");
    expect_values(table, 1, "4 -");
    cw_table_free(&table);
    finish(&f);
}

Test(range_agg, absence_is_one_series_of_the_equality_matchers)
{
    static const int64_t ts[] = {15 * S};
    struct cw_grid grid = {.start_ns = 10 * S, .step_ns = 10 * S, .n = 3};
    struct fixture f =
        start("absent_over_time({app=\"a\", env!=\"x\", z=\"1\", z=~\"1|2\", host=\"h\"}[10s])",
              NULL, &grid, NULL);
    struct cw_entry_batch batch = batch_of(LABELS(app_a), ts, 1);
    struct cw_table *table = run_one(&f, &batch, 1);
    cr_assert_eq(table->n, 1);
    cr_expect_eq(table->items[0].labels.n, 2);
    cr_expect(cw_str_eqz(cw_labels_get(table->items[0].labels, CW_STR("app")), "a"));
    cr_expect(cw_str_eqz(cw_labels_get(table->items[0].labels, CW_STR("host")), "h"));
    expect_values(table, 0, "1 - 1");
    cw_table_free(&table);
    finish(&f);
    f = start("absent_over_time({app=\"a\"}[10s])", NULL, &grid, NULL);
    table = run_one(&f, NULL, 0);
    expect_values(table, 0, "1 1 1");
    cw_table_free(&table);
    finish(&f);
}

Test(range_agg, memory_is_bounded_and_given_back)
{
    struct cw_allowance allowance;
    struct cw_err err = {0};
    cw_allowance_init(&allowance, 1 << 20);
    struct cw_grid grid = {.start_ns = 0, .step_ns = S, .n = 10000};
    struct fixture f = start("count_over_time({app=\"a\"}[10s])", NULL, &grid, &allowance);
    struct cw_range_part *part = cw_range_part_new(f.agg);
    int rc = 0;
    size_t n = 0;
    for (; rc == 0 && n < 1000; n++) {
        char value[16];
        struct cw_label label = {CW_STR("app"),
                                 {value, (size_t)snprintf(value, sizeof(value), "%zu", n)}};
        int64_t ts = 0;
        struct cw_entry_batch batch = batch_of((struct cw_labels){&label, 1}, &ts, 1);
        rc = cw_range_part_add(part, &batch, &err);
    }
    cr_expect_eq(rc, CW_E_LIMIT);
    cr_expect_eq(n, 14, "%zu", n); /* 80 kB each */
    cw_range_part_free(&part);
    finish(&f);
    cr_expect_eq(atomic_load(&allowance.used), 0);
}

Test(range_agg, times_at_the_ends_of_int64_do_not_overflow)
{
    struct cw_grid grid;
    static const int64_t ends[] = {INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < CW_COUNT(ends); i++) {
        cw_grid_init_instant(&grid, ends[i]);
        struct fixture f =
            start("count_over_time({app=\"a\"}[290y] offset 250y)", NULL, &grid, NULL);
        int64_t from, to;
        cw_range_agg_bounds(f.agg, &from, &to);
        cr_expect_leq(from, to);
        struct cw_entry_batch batch = batch_of(LABELS(app_a), &ends[i], 1);
        struct cw_table *table = run_one(&f, &batch, 1);
        cw_table_free(&table);
        finish(&f);
    }
}

/* A batch whose lines all differ. */
Test(range_agg, different_values_are_bounded)
{
    enum { ROWS = 1000 };
    struct cw_str lines[ROWS];
    int64_t times[ROWS];
    char texts[ROWS][24];
    struct cw_query *query = NULL;
    struct cw_grid grid;
    struct cw_err err;
    int rc = 0;
    cr_assert_eq(
        cw_logql_parse_dialect(CW_STR("count_distinct_over_time(v, {a=\"b\"} | logfmt [1h]) by ()"),
                               CW_LOGQL_EXTENSIONS, &query, &err),
        0, "%s", err.text);
    cw_grid_init_instant(&grid, 1000);
    struct cw_range_agg *agg = cw_range_agg_new(query->root, NULL, &grid, NULL);
    struct cw_range_part *part = cw_range_part_new(agg);
    size_t n = 0;
    for (; rc == 0 && n <= CW_LIMIT_QUERY_VALUES; n += ROWS) {
        for (size_t i = 0; i < ROWS; i++) {
            times[i] = 500;
            lines[i] =
                cw_str_make(texts[i], (size_t)snprintf(texts[i], sizeof texts[i], "v=%zu", n + i));
        }
        struct cw_entry_batch batch = {.n = ROWS, .ts_ns = times, .lines = lines};
        rc = cw_range_part_add(part, &batch, &err);
    }
    cr_expect_eq(rc, CW_E_LIMIT);
    cr_expect_eq(n, CW_LIMIT_QUERY_VALUES + ROWS);
    cr_expect_str_eq(err.text, "count_distinct_over_time found more than 1000000 different values "
                               "of v, which is as many as a query may tell apart");
    cw_range_part_free(&part);
    cw_range_agg_free(&agg);
    cw_query_free(&query);
}
