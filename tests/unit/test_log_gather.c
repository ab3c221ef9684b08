#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "querier/engine/log_query.h"
#include "querier/engine/sub_query.h"
#include "tests/support/mem_source.h"

#define PLENTY ((size_t)1 << 30)

struct fixture {
    struct mem_store *store;
    struct cw_pool *pool;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
};

/* 1000 entries of two streams in small units; `user` comes again every 7 entries, `n` every 100. */
static void begin(struct fixture *f, unsigned nthreads, const char *text)
{
    struct cw_err err;
    memset(f, 0, sizeof *f);
    f->store = mem_store_new(2, 20, 7);
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof line, "user=u%d n=%d at=%d", i % 7, i * 37 % 100, i);
        mem_store_add(f->store, (size_t)i % 2, i % 3 != 0 ? "{app=\"a\"}" : "{app=\"b\"}", i, line,
                      NULL);
    }
    struct cw_entry_store entries = mem_store_entry_store(f->store);
    f->pool = nthreads > 0 ? cw_pool_new(nthreads, NULL) : NULL;
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse_dialect(cw_str_of(text), CW_LOGQL_EXTENSIONS, &f->query, &err), 0,
                 "%s: %s", text, err.text);
    cw_query_context_init(&f->context, f->pool, &f->snapshot, 0);
}

static void end(struct fixture *f)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_pool_free(&f->pool);
    mem_store_free(&f->store);
}

/* The times of the entries, in pages of `page`. */
static void expect_times(struct fixture *f, bool newest_first, size_t limit, size_t page_entries,
                         const char *want)
{
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    struct cw_err err;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    const struct cw_sub_query_span span = {0, 1000, NULL};
    cr_assert_eq(cw_sub_queries_run(&f->context, f->query, &span, &err), 0, "%s", err.text);
    size_t of_values = atomic_load(&f->context.allowance.used); /* until the query is freed */
    cr_assert_eq(
        cw_log_query_open(&f->context, f->query->root, 0, 1000, newest_first, &log_query, &err), 0);
    cw_log_query_expect(log_query, limit);
    while (!page.last) {
        cr_assert_eq(cw_log_query_page(log_query, page_entries, PLENTY, &page, &err), 0, "%s",
                     err.text);
        cr_assert(page.n > 0 || page.last);
        for (size_t i = 0; i < page.n; i++)
            cw_buf_addf(&out, "%s%lld", out.len > 0 ? " " : "", (long long)page.entries[i].ts_ns);
    }
    cr_expect_str_eq(cw_buf_z(&out), want);
    cw_buf_fini(&out);
    cw_log_query_close(&log_query);
    cr_expect_eq(atomic_load(&f->context.allowance.used), of_values);
}

static void expect_answer(const char *text, bool newest_first, size_t limit, const char *want)
{
    for (unsigned nthreads = 0; nthreads < 3; nthreads++) {
        struct fixture f;
        begin(&f, nthreads, text);
        expect_times(&f, newest_first, limit, 1000, want);
        expect_times(&f, newest_first, limit, 2, want);
        end(&f);
    }
}

Test(log_gather, distinct_takes_the_first_in_the_direction_of_the_query_over_all_streams)
{
    expect_answer("{app=~\".+\"} | logfmt | distinct user", false, SIZE_MAX, "0 1 2 3 4 5 6");
    expect_answer("{app=~\".+\"} | logfmt | distinct user", true, SIZE_MAX,
                  "999 998 997 996 995 994 993");
    expect_answer("{app=~\".+\"} | logfmt | distinct user", true, 3, "999 998 997");
    expect_answer("{app=~\".+\"} | logfmt | distinct app, nosuch", false, 9, "0 1");
}

Test(log_gather, filters_behind_distinct_see_what_it_left)
{
    expect_answer("{app=~\".+\"} | logfmt | distinct user | at > 4", false, 4, "5 6");
    expect_answer("{app=~\".+\"} | logfmt | distinct user |= \"at=3\"", false, 4, "3");
    expect_answer("{app=~\".+\"} | logfmt | at > 4 | distinct user", false, 4, "5 6 7 8");
    expect_answer("{app=~\".+\"} | logfmt |= \"at=3\" | distinct user", false, 4, "3 30 32 33");
}

Test(log_gather, a_sorted_query_has_the_best_of_all_times)
{
    expect_answer("{app=~\".+\"} | logfmt | sort by (n desc, at)", false, 3, "27 127 227");
    expect_answer("{app=~\".+\"} | logfmt | sort by (n)", true, 3, "900 800 700");
    expect_answer("{app=~\".+\"} | logfmt | sort by (n desc) | user=\"u6\"", false, 2, "27 727");
    expect_answer("{app=~\".+\"} | logfmt | sort by (n desc) | distinct user", false, 3,
                  "27 127 227");
    expect_answer("{app=~\".+\"} | logfmt | distinct user | sort by (at desc)", false, 3, "6 5 4");
}

Test(log_gather, with_a_limit_distinct_reads_no_further_than_it_needs)
{
    struct fixture f;
    begin(&f, 0, "{app=~\".+\"} | logfmt | distinct user");
    size_t before = mem_store_opened(f.store);
    expect_times(&f, true, 5, 10, "999 998 997 996 995");
    cr_expect_leq(mem_store_opened(f.store) - before, 8, "%zu units",
                  mem_store_opened(f.store) - before);
    end(&f);
}

Test(log_gather, no_entry_is_an_empty_last_page)
{
    expect_answer("{app=\"nosuch\"} | distinct user", false, 5, "");
    expect_answer("{app=\"a\"} | logfmt | sort by (n) | user=\"nosuch\"", false, 5, "");
}

Test(log_gather, memory_is_the_querys)
{
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    struct cw_err err;
    begin(&f, 2, "{app=~\".+\"} | logfmt | distinct at");
    cw_allowance_init(&f.context.allowance, 100000);
    cr_assert_eq(cw_log_query_open(&f.context, f.query->root, 0, 1000, true, &log_query, &err), 0);
    cr_expect_eq(cw_log_query_page(log_query, 10, PLENTY, &page, &err), CW_E_LIMIT);
    cw_log_query_close(&log_query);
    cr_expect_eq(atomic_load(&f.context.allowance.used), 0);
    end(&f);
}

/* ---- label in (query) ---- */

Test(log_gather, values_come_from_entries_or_from_the_series_at_the_end)
{
    expect_answer(
        "{app=~\".+\"} | logfmt | user in ({app=\"a\"} | logfmt | at > 990 | n < 60) | at < 9",
        false, SIZE_MAX, "1 4 5 8");
    expect_answer("{app=~\".+\"} | logfmt | user not in ({app=\"a\"} | logfmt | at < 5) | at < 9",
                  false, SIZE_MAX, "0 3 5 6 7");
    expect_answer("{app=~\".+\"} | logfmt | user in (bottomk(1, sum by (user) "
                  "(sum_over_time({app=~\".+\"} | logfmt | at < 7 | unwrap at [1s])))) | at < 9",
                  false, SIZE_MAX, "0 7");
    expect_answer("{app=~\".+\"} | logfmt | nosuch in ({app=~\".+\"} | logfmt) | at < 9", false, 9,
                  "");
    expect_answer("{app=~\".+\"} | logfmt | user in ({app=~\".+\"} | logfmt | at in ({app=\"b\"} | "
                  "logfmt | at < 4)) | at < 9",
                  false, SIZE_MAX, "0 3 7");
}
