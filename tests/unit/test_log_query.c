#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "querier/engine/log_query.h"
#include "tests/support/mem_source.h"
#include "tests/support/part_model.h"

#define PLENTY ((size_t)1 << 30)

struct fixture {
    struct cw_pool *pool;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
};

static void begin(struct fixture *f, struct mem_store *store, unsigned nthreads, const char *text)
{
    struct cw_err err;
    struct cw_entry_store entries = mem_store_entry_store(store);
    memset(f, 0, sizeof *f);
    f->pool = nthreads > 0 ? cw_pool_new(nthreads, NULL) : NULL;
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("fake"), &f->snapshot, &err), 0);
    cr_assert_eq(cw_logql_parse(cw_str_of(text), &f->query, &err), 0);
    cw_query_context_init(&f->context, f->pool, &f->snapshot, 0);
}

static void end(struct fixture *f, struct mem_store **store)
{
    cw_query_free(&f->query);
    cw_snapshot_fini(&f->snapshot);
    cw_pool_free(&f->pool);
    mem_store_free(store);
}

/* The lines of all pages behind each other, as "a b c". */
static char *read_pages(struct fixture *f, int64_t start, int64_t stop, bool newest_first,
                        size_t max_entries, size_t max_bytes, bool all)
{
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    struct cw_err err;
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cr_assert_eq(
        cw_log_query_open(&f->context, f->query->root, start, stop, newest_first, &log_query, &err),
        0);
    do {
        cr_assert_eq(cw_log_query_page(log_query, max_entries, max_bytes, &page, &err), 0);
        cr_assert(page.n > 0 || page.last);
        for (size_t i = 0; i < page.n; i++)
            cw_buf_addf(&out, "%s%.*s", out.len > 0 ? " " : "", CW_STR_ARG(page.entries[i].line));
    } while (all && !page.last);
    cw_log_query_close(&log_query);
    cw_buf_z(&out);
    return cw_buf_take(&out, &(size_t){0});
}

static void expect_lines(struct fixture *f, int64_t start, int64_t stop, bool newest_first,
                         size_t limit, const char *want)
{
    char *got = read_pages(f, start, stop, newest_first, limit, PLENTY, false);
    cr_expect_str_eq(got, want);
    free(got);
}

static struct mem_store *three_streams(void)
{
    struct mem_store *store = mem_store_new(2, 2, 3);
    mem_store_add(store, 0, "{a=\"1\"}", 10, "a10", NULL);
    mem_store_add(store, 0, "{a=\"1\"}", 30, "a30", NULL);
    mem_store_add(store, 0, "{a=\"1\"}", 50, "a50", NULL);
    mem_store_add(store, 0, "{a=\"2\"}", 20, "b20", NULL);
    mem_store_add(store, 0, "{a=\"2\"}", 40, "b40", NULL);
    mem_store_add(store, 1, "{a=\"1\"}", 45, "a45", NULL);
    mem_store_add(store, 1, "{a=\"3\"}", 5, "c5", NULL);
    mem_store_add(store, 1, "{b=\"1\"}", 25, "other", NULL);
    return store;
}

Test(log_query, merges_streams_and_sources_by_time)
{
    struct mem_store *store = three_streams();
    struct fixture f;
    begin(&f, store, 2, "{a=~\".+\"}");
    expect_lines(&f, 0, 100, false, 100, "c5 a10 b20 a30 b40 a45 a50");
    expect_lines(&f, 0, 100, true, 100, "a50 a45 b40 a30 b20 a10 c5");
    end(&f, &store);
}

Test(log_query, stops_at_the_limit_in_either_direction)
{
    struct mem_store *store = three_streams();
    struct fixture f;
    begin(&f, store, 2, "{a=~\".+\"}");
    expect_lines(&f, 0, 100, false, 3, "c5 a10 b20");
    expect_lines(&f, 0, 100, true, 3, "a50 a45 b40");
    expect_lines(&f, 0, 100, true, 1, "a50");
    end(&f, &store);
}

Test(log_query, the_start_is_in_and_the_end_is_out)
{
    struct mem_store *store = three_streams();
    struct fixture f;
    begin(&f, store, 0, "{a=~\".+\"}");
    expect_lines(&f, 10, 45, false, 100, "a10 b20 a30 b40");
    expect_lines(&f, 45, 46, false, 100, "a45");
    expect_lines(&f, 45, 45, false, 100, "");
    expect_lines(&f, 60, 100, true, 100, "");
    end(&f, &store);
}

Test(log_query, line_filters_are_applied)
{
    struct mem_store *store = three_streams();
    struct fixture f;
    begin(&f, store, 2, "{a=~\".+\"} |= \"a\" != \"45\"");
    expect_lines(&f, 0, 100, false, 100, "a10 a30 a50");
    end(&f, &store);
}

/* Entries of one timestamp: by labels, then by source, then as they arrived. */
static struct mem_store *ties(void)
{
    struct mem_store *store = mem_store_new(2, 3, 2);
    static const char *const lines[] = {"t0", "t1", "t2", "t3", "t4", "t5", "t6"};
    for (size_t i = 0; i < 7; i++)
        mem_store_add(store, 0, "{a=\"2\"}", 7, lines[i], NULL);
    mem_store_add(store, 1, "{a=\"2\"}", 7, "u0", NULL);
    mem_store_add(store, 1, "{a=\"2\"}", 7, "u1", NULL);
    mem_store_add(store, 1, "{a=\"1\"}", 7, "first", NULL);
    mem_store_add(store, 0, "{a=\"3\"}", 7, "last", NULL);
    return store;
}

Test(log_query, ties_have_one_order_and_its_reverse)
{
    struct mem_store *store = ties();
    struct fixture f;
    begin(&f, store, 4, "{a=~\".+\"}");
    for (int i = 0; i < 20; i++) {
        expect_lines(&f, 0, 10, false, 100, "first t0 t1 t2 t3 t4 t5 t6 u0 u1 last");
        expect_lines(&f, 0, 10, true, 100, "last u1 u0 t6 t5 t4 t3 t2 t1 t0 first");
        expect_lines(&f, 0, 10, false, 4, "first t0 t1 t2");
        expect_lines(&f, 0, 10, true, 4, "last u1 u0 t6");
    }
    end(&f, &store);
}

Test(log_query, pages_that_end_within_a_timestamp_lose_and_repeat_nothing)
{
    struct mem_store *store = ties();
    struct fixture f;
    begin(&f, store, 2, "{a=~\".+\"}");
    for (size_t page = 1; page < 13; page++) {
        char *up = read_pages(&f, 0, 10, false, page, PLENTY, true);
        char *down = read_pages(&f, 0, 10, true, page, PLENTY, true);
        cr_expect_str_eq(up, "first t0 t1 t2 t3 t4 t5 t6 u0 u1 last", "pages of %zu", page);
        cr_expect_str_eq(down, "last u1 u0 t6 t5 t4 t3 t2 t1 t0 first", "pages of %zu", page);
        free(up);
        free(down);
    }
    end(&f, &store);
}

Test(log_query, pages_bounded_by_bytes_lose_and_repeat_nothing)
{
    struct mem_store *store = three_streams();
    struct fixture f;
    begin(&f, store, 2, "{a=~\".+\"}");
    for (size_t bytes = 1; bytes < 2000; bytes += 100) {
        char *lines = read_pages(&f, 0, 100, false, 1000, bytes, true);
        cr_expect_str_eq(lines, "c5 a10 b20 a30 b40 a45 a50", "%zu bytes", bytes);
        free(lines);
    }
    end(&f, &store);
}

Test(log_query, many_random_entries_come_out_as_a_sort_would_give_them)
{
    struct mem_store *store = mem_store_new(3, 7, 5);
    struct fixture f;
    struct cw_buf want;
    unsigned seed = 42;
    cw_buf_init(&want, SIZE_MAX);
    int64_t *times = cw_mem_array(2000, sizeof *times);
    for (int i = 0; i < 2000; i++)
        times[i] = i * 3 + 1;
    for (int i = 1999; i > 0; i--) {
        int k = (int)(rand_r(&seed) % (unsigned)(i + 1));
        int64_t t = times[i];
        times[i] = times[k];
        times[k] = t;
    }
    for (int i = 0; i < 2000; i++) {
        char labels[32], line[32];
        snprintf(labels, sizeof labels, "{a=\"%d\"}", i % 11);
        snprintf(line, sizeof line, "%ld", (long)times[i]);
        mem_store_add(store, (size_t)i % 3, labels, times[i], line, NULL);
    }
    for (int i = 0; i < 2000; i++)
        cw_buf_addf(&want, "%s%d", i > 0 ? " " : "", i * 3 + 1);
    begin(&f, store, 3, "{a=~\".+\"}");
    char *got = read_pages(&f, 0, 1000000, false, 137, PLENTY, true);
    cr_expect_str_eq(got, cw_buf_z(&want));
    free(got);
    free(times);
    cw_buf_fini(&want);
    end(&f, &store);
}

Test(log_query, units_behind_a_full_page_are_not_read)
{
    struct mem_store *store = mem_store_new(1, 10, 10);
    struct fixture f;
    for (int i = 0; i < 1000; i++)
        mem_store_add(store, 0, "{a=\"1\"}", i, "x", NULL);
    begin(&f, store, 0, "{a=\"1\"}");
    expect_lines(&f, 0, 10000, true, 3, "x x x");
    cr_expect_leq(mem_store_opened(store), 2);
    end(&f, &store);
}

static void raise_flag(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

Test(log_query, ends_when_the_client_goes_away)
{
    struct mem_store *store = mem_store_new(1, 10, 2);
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    struct cw_err err;
    atomic_bool gone = false;
    for (int i = 0; i < 1000; i++)
        mem_store_add(store, 0, "{a=\"1\"}", i, "x", NULL);
    begin(&f, store, 2, "{a=\"1\"}");
    f.context.client_gone = &gone;
    mem_store_on_next(store, raise_flag, &gone);
    cr_assert_eq(cw_log_query_open(&f.context, f.query->root, 0, 10000, true, &log_query, &err), 0);
    cr_expect_eq(cw_log_query_page(log_query, 5000, PLENTY, &page, &err), CW_E_CANCELED);
    cr_expect_str_eq(err.text, "The request was cancelled by the client.");
    cr_expect_leq(mem_store_opened(store), 3, "%zu units", mem_store_opened(store));
    cw_log_query_close(&log_query);
    end(&f, &store);
}

Test(log_query, ends_at_its_deadline)
{
    struct mem_store *store = three_streams();
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_err err;
    begin(&f, store, 2, "{a=~\".+\"}");
    f.context.deadline_mono_ns = cw_clock_mono_ns() - 1;
    cr_expect_eq(cw_log_query_open(&f.context, f.query->root, 0, 100, true, &log_query, &err),
                 CW_E_TIMEOUT);
    end(&f, &store);
}

Test(log_query, metadata_comes_with_the_entry)
{
    struct mem_store *store = mem_store_new(1, 10, 10);
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page;
    struct cw_err err;
    mem_store_add(store, 0, "{a=\"1\"}", 1, "x", "{trace=\"t1\"}");
    mem_store_add(store, 0, "{a=\"1\"}", 2, "y", NULL);
    begin(&f, store, 0, "{a=\"1\"}");
    cr_assert_eq(cw_log_query_open(&f.context, f.query->root, 0, 100, false, &log_query, &err), 0);
    cr_assert_eq(cw_log_query_page(log_query, 10, PLENTY, &page, &err), 0);
    cr_assert_eq(page.n, 2);
    cr_expect(cw_str_eqz(cw_labels_get(page.entries[0].metadata, CW_STR("trace")), "t1"));
    cr_expect_eq(page.entries[1].metadata.n, 0);
    cr_expect(page.last);
    cw_log_query_close(&log_query);
    end(&f, &store);
}

Test(log_query, entries_come_through_the_pipeline_in_the_order_of_their_streams)
{
    struct mem_store *store = mem_store_new(1, 3, 2);
    struct fixture f;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    struct cw_err err;
    size_t n = 0, nrenamed = 0;
    for (int i = 0; i < 20; i++)
        mem_store_add(store, 0, i % 2 ? "{a=\"1\"}" : "{a=\"2\"}", 7, i % 3 ? "x=1" : "x=2",
                      i % 5 ? NULL : "{t=\"m\"}");
    begin(&f, store, 2, "{a=~\".+\"} | logfmt | x=\"1\" | drop a | label_format u=t");
    cr_assert_eq(cw_log_query_open(&f.context, f.query->root, 0, 100, false, &log_query, &err), 0);
    do {
        cr_assert_eq(cw_log_query_page(log_query, 3, PLENTY, &page, &err), 0);
        for (size_t i = 0; i < page.n; i++) {
            const struct cw_log_entry *entry = &page.entries[i];
            cr_expect_eq(entry->stream.n, 0);
            cr_expect_eq(entry->metadata.n, 0);
            cr_expect_eq(entry->parsed.n, 1 + cw_labels_has(entry->parsed, CW_STR("u")));
            cr_expect(cw_str_eqz(cw_labels_get(entry->parsed, CW_STR("x")), "1"));
            nrenamed += cw_labels_has(entry->parsed, CW_STR("u"));
            cr_expect(
                cw_str_eqz(cw_labels_get(entry->origin->labels, CW_STR("a")), n < 7 ? "1" : "2"));
            n++;
        }
    } while (!page.last);
    cr_expect_eq(n, 13);
    cr_expect_eq(nrenamed, 2);
    cw_log_query_close(&log_query);
    end(&f, &store);
}

/* Many streams that share few times: labels, units and arrival decide as often as time does. */
static struct mem_store *crowded(uint64_t *state)
{
    size_t unit = 1 + part_model_random(state) % 40, batch = 1 + part_model_random(state) % 7;
    struct mem_store *store = mem_store_new(3, unit, batch);
    uint64_t times = 1 + part_model_random(state) % 60;
    for (int i = 0; i < 300; i++) {
        char labels[20], line[16];
        snprintf(labels, sizeof(labels), "{a=\"%d\"}", (int)(part_model_random(state) % 20));
        snprintf(line, sizeof(line), "%d", i);
        mem_store_add(store, part_model_random(state) % 3, labels,
                      (int64_t)(part_model_random(state) % times), line, NULL);
    }
    return store;
}

/* A page of all there is is read without asking for times first. */
enum { EVERYTHING = 1 << 20 };

static void expect_same_pages(uint64_t *state, const char *lost)
{
    struct mem_store *store = crowded(state);
    struct fixture f;
    begin(&f, store, part_model_random(state) % 3, "{a=~\".+\"}");
    mem_store_lose(store, lost);
    int64_t start = (int64_t)(part_model_random(state) % 20), stop = start + 30;
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        char *want = read_pages(&f, start, stop, newest_first, EVERYTHING, PLENTY, false);
        size_t limit = 1 + part_model_random(state) % 50;
        char *pages = read_pages(&f, start, stop, newest_first, limit, PLENTY, true);
        cr_expect_str_eq(pages, want);
        char *one = read_pages(&f, start, stop, newest_first, limit, PLENTY, false);
        cr_expect_eq(strncmp(want, one, strlen(one)), 0);
        free(pages);
        pages = read_pages(&f, start, stop, newest_first, limit, 2000, true);
        cr_expect_str_eq(pages, want, "pages that bytes end");
        free(pages);
        free(one);
        free(want);
    }
    end(&f, &store);
}

Test(log_query, pages_are_the_same_whether_times_are_asked_first_or_not)
{
    uint64_t state = 1;
    for (int i = 0; i < 200; i++)
        expect_same_pages(&state, "none");
}

Test(log_query, rows_that_are_lost_leave_their_place_to_others)
{
    uint64_t state = 2;
    for (int i = 0; i < 100; i++) {
        char lost[8];
        snprintf(lost, sizeof(lost), "%d", (int)(part_model_random(&state) % 300));
        expect_same_pages(&state, lost);
    }
}

Test(log_query, only_units_with_rows_of_the_page_are_read)
{
    struct mem_store *store = mem_store_new(1, 100, 100);
    struct fixture f;
    for (int stream = 0; stream < 50; stream++) {
        for (int i = 0; i < 100; i++) {
            char labels[20];
            snprintf(labels, sizeof(labels), "{a=\"%d\"}", stream);
            mem_store_add(store, 0, labels, i * 100 + stream, "line", NULL);
        }
    }
    begin(&f, store, 2, "{a=~\".+\"}");
    free(read_pages(&f, 0, 100000, true, 7, PLENTY, false));
    cr_expect_eq(atomic_load(&f.context.units_read), 7);
    free(read_pages(&f, 0, 100000, false, 5, PLENTY, false));
    cr_expect_eq(atomic_load(&f.context.units_read), 12);
    end(&f, &store);
}
