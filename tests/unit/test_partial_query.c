/* Answers that follow each other are together the whole answer: random entries, limits and directions. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "querier/engine/log_query.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/partial_query.h"
#include "tests/support/mem_source.h"

#define S CW_NS_PER_S
enum { SPAN_S = 40, ROUNDS = 150 };

static uint64_t seed;
static unsigned draw(unsigned n)
{
    seed++;
    return (unsigned)(cw_hash64(&seed, sizeof seed) % n);
}

struct fixture {
    struct mem_store *store;
    struct cw_pool *pool;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
};

/* Many entries of few times, so that pages end among entries of one time and one stream. */
static void begin(struct fixture *f, const char *text)
{
    struct cw_err err;
    unsigned nsources = 1 + draw(3), nentries = draw(300);
    *f = (struct fixture){.store = mem_store_new(nsources, 1 + draw(9), 1 + draw(5))};
    for (unsigned i = 0; i < nentries; i++) {
        char labels[32], line[32];
        snprintf(labels, sizeof labels, "{app=\"%c\"}", 'a' + draw(3));
        snprintf(line, sizeof line, "n=%u w=%u", i, draw(3));
        mem_store_add(f->store, draw(nsources), labels, (int64_t)draw(SPAN_S) * S, line, NULL);
    }
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &f->query, &err), 0, "%s", err.text);
    f->pool = draw(2) ? cw_pool_new(2, NULL) : NULL;
    cw_query_context_init(&f->context, f->pool, &f->snapshot, 0);
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_pool_free(&f->pool);
    mem_store_free(&f->store);
}

static struct cw_partial_limits draw_limits(void)
{
    return (struct cw_partial_limits){
        .max_bytes = draw(3) ? 1 + draw(20) : 0, /* a unit of the store counts as 1 */
        .time_ns = draw(2)   ? 60 * S
                   : draw(2) ? 1
                             : 0,
        .first_bytes = 1 + draw(10),
    };
}

static void add_entry(struct cw_buf *out, const struct cw_log_entry *entry)
{
    cw_buf_addf(out, "%lld ", (long long)entry->ts_ns);
    cw_labels_format(entry->stream, out);
    cw_buf_addf(out, " %.*s\n", CW_STR_ARG(entry->line));
}

static void whole_logs(struct fixture *f, bool newest_first, struct cw_buf *out)
{
    struct cw_err err;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    cr_assert_eq(cw_log_query_open(&f->context, f->query->root, 0, SPAN_S * S, newest_first,
                                   &log_query, &err),
                 0);
    cr_assert_eq(cw_log_query_page(log_query, 100000, SIZE_MAX, &page, &err), 0);
    for (size_t i = 0; i < page.n; i++)
        add_entry(out, &page.entries[i]);
    cw_log_query_close(&log_query);
}

/* One answer; what is left of the range becomes the range. */
static bool partial_logs(struct fixture *f, struct cw_log_rest *range, bool newest_first,
                         struct cw_arena *arena, struct cw_buf *out)
{
    struct cw_err err;
    struct cw_partial_logs logs;
    struct cw_partial_limits limits = draw_limits();
    size_t max = 1 + draw(draw(2) ? 5 : 100);
    int rc = cw_partial_logs(&f->context, f->query->root, range, newest_first, max,
                             draw(4) ? SIZE_MAX : 20, &limits, arena, &logs, &err);
    cr_assert_eq(rc, 0, "%s", err.text);
    cr_assert_leq(logs.n, max);
    for (size_t i = 0; i < logs.n; i++)
        add_entry(out, logs.entries[i]);
    if (logs.stop == CW_SLICES_DONE)
        return false;
    cr_assert(logs.rest.start_ns <= logs.rest.end_ns);
    cr_assert(logs.n > 0 || logs.rest.start_ns > range->start_ns ||
                  logs.rest.end_ns < range->end_ns,
              "an answer goes on");
    *range = logs.rest;
    return true;
}

static void expect_logs(const char *query)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct fixture f;
        struct cw_buf want, got;
        bool newest_first = draw(2);
        begin(&f, query);
        cw_buf_init(&want, SIZE_MAX);
        cw_buf_init(&got, SIZE_MAX);
        whole_logs(&f, newest_first, &want);
        struct cw_arena *arena = cw_arena_new();
        struct cw_log_rest range = {.start_ns = 0, .end_ns = SPAN_S * S};
        while (partial_logs(&f, &range, newest_first, arena, &got))
            continue;
        cr_assert_str_eq(cw_buf_z(&got), cw_buf_z(&want), "round %d", round);
        cw_arena_free(&arena);
        cw_buf_fini(&want);
        cw_buf_fini(&got);
        end(&f);
    }
}

Test(partial_query, answers_with_entries_are_together_the_whole_answer)
{
    expect_logs("{app=~\".+\"}");
}

Test(partial_query, and_so_they_are_where_a_pipeline_changes_labels_and_drops_entries)
{
    expect_logs("{app=~\".+\"} | logfmt | w != \"1\" | label_format app=w | drop n");
}

static void add_samples(struct cw_buf *out, const struct cw_table *table, size_t from, size_t to)
{
    for (size_t step = from; step < to; step++)
        for (size_t i = 0; i < table->n; i++)
            if (cw_series_has(&table->items[i], step)) {
                cw_buf_addf(out, "%lld ", (long long)cw_grid_time(&table->grid, step));
                cw_labels_format(table->items[i].labels, out);
                cw_buf_addf(out, " %.17g\n", table->items[i].values[step]);
            }
}

static void expect_samples(const char *query)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct fixture f;
        struct cw_err err;
        struct cw_buf want, got;
        struct cw_grid grid;
        struct cw_result whole;
        begin(&f, query);
        cw_buf_init(&want, SIZE_MAX);
        cw_buf_init(&got, SIZE_MAX);
        cr_assert_eq(cw_grid_init_range(&grid, 0, SPAN_S * S, (1 + draw(7)) * S, &err), 0);
        cr_assert_eq(
            cw_metric_query_run(&f.context, f.query->root, &grid, CW_EVAL_RANGE, 0, &whole, &err),
            0);
        add_samples(&want, whole.table, 0, grid.n);
        cw_result_fini(&whole);
        while (grid.n > 0) {
            struct cw_partial_limits limits = draw_limits();
            struct cw_partial_samples part;
            cr_assert_eq(
                cw_partial_samples(&f.context, f.query->root, &grid, 0, &limits, &part, &err), 0,
                "%s", err.text);
            cr_assert(part.nsteps > 0 && part.nsteps <= grid.n);
            cr_assert_eq(part.stop == CW_SLICES_DONE, part.nsteps == grid.n);
            add_samples(&got, part.result.table, 0, grid.n);
            cw_result_fini(&part.result);
            grid.start_ns += (int64_t)part.nsteps * grid.step_ns;
            grid.n -= part.nsteps;
        }
        cr_assert_str_eq(cw_buf_z(&got), cw_buf_z(&want), "round %d", round);
        cw_buf_fini(&want);
        cw_buf_fini(&got);
        cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
        end(&f);
    }
}

Test(partial_query, answers_with_samples_are_together_the_whole_answer)
{
    expect_samples("sum by (app) (count_over_time({app=~\".+\"}[7s]))");
}

Test(partial_query, and_so_they_are_of_values_and_of_several_scans)
{
    expect_samples(
        "max by (app) (max_over_time({app=~\".+\"} | logfmt | unwrap n [5s] offset 3s)) - "
        "on(app) group_left() sum by (app) (rate({app=~\"a|c\"}[11s]))");
}

Test(partial_query, a_limit_that_a_later_slice_meets_ends_the_answer_and_names_itself)
{
    struct fixture f = {.store = mem_store_new(1, 10, 10)};
    struct cw_err err = {0};
    struct cw_grid grid;
    struct cw_partial_samples part;
    struct cw_partial_limits limits = {.time_ns = 60 * S, .first_bytes = 1};
    for (int i = 0; i < SPAN_S; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "{app=\"%d\"}", i / 4);
        mem_store_add(f.store, 0, labels, i * S, "line", NULL);
    }
    struct cw_entry_store entries = mem_store_entry_store(f.store);
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f.snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse(CW_STR("count_over_time({app=~\".+\"}[1s])"), &f.query, &err), 0);
    cw_query_context_init(&f.context, NULL, &f.snapshot, 0);
    cr_assert_eq(cw_grid_init_range(&grid, 0, SPAN_S * S, S, &err), 0);
    cr_assert_eq(cw_partial_samples(&f.context, f.query->root, &grid, 5, &limits, &part, &err), 0,
                 "%s", err.text);
    cr_expect_eq(part.stop, CW_SLICES_LIMIT);
    cr_expect(part.nsteps > 0 && part.nsteps < 24, "%zu", part.nsteps);
    cr_expect_leq(part.result.table->n, 5);
    cr_expect_eq(strncmp(err.text, "maximum number of series (5)", 28), 0, "%s", err.text);
    cw_result_fini(&part.result);
    end(&f);
}
