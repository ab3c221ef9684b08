/* fuzz_eval.c - any query over any lines: its evaluation ends within its memory, gives all of that back, fails with a sentence or answers
 * the same when it is asked again; pages of entries are the whole, and the newest first are the oldest first backwards.
 *
 * Input: the query, up to the first line end, then lines. The first byte of a line says which stream it is of, and how long after the
 * line before it was written. */
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "querier/engine/eval.h"
#include "querier/engine/log_query.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/sub_query.h"
#include "tests/support/mem_source.h"

enum {
    MEMORY_BYTES = 16 << 20,
    LINES_MAX = 64,
    STEPS_S = 40, /* of range queries */
};
#define S CW_NS_PER_S
#define END_NS (INT64_C(1000) * S)
/* A template, or a join of everything with everything, may take long: that is not what is looked for. */
#define DEADLINE_NS (INT64_C(100) * CW_NS_PER_MS)

struct fuzz {
    struct mem_store *store;
    struct cw_snapshot snapshot;
    struct cw_query_context context;
    struct cw_query *query;
    struct cw_err err;
};

static void add_lines(struct mem_store *store, struct cw_str text)
{
    static const char *const streams[] = {"{app=\"a\"}", "{app=\"b\", env=\"x\"}",
                                          "{app=\"a\", level=\"info\"}"};
    struct cw_str line;
    int64_t ts_ns = 0;
    for (size_t n = 0; n < LINES_MAX && cw_str_split(&text, '\n', &line); n++) {
        unsigned char what = line.len > 0 ? (unsigned char)line.ptr[0] : 0;
        char *copy = cw_str_dupz(cw_str_sub(line, 1, line.len));
        ts_ns += (what >> 2) * (S / 8);
        mem_store_add(store, what % 2, streams[what % CW_COUNT(streams)], ts_ns, copy,
                      what % 5 == 0 ? "{trace=\"t\"}" : NULL);
        free(copy);
    }
}

/* A code of those that a query may end with, and a sentence. */
static void check_failed(const struct fuzz *f, int rc)
{
    CW_ASSERT(rc == CW_E_INVALID || rc == CW_E_LIMIT || rc == CW_E_INTERNAL || rc == CW_E_TIMEOUT);
    CW_ASSERT(f->err.text[0] != '\0');
}

static bool ran_out_of_time(struct fuzz *f)
{
    return cw_query_context_poll(&f->context);
}

/* ---- metric queries ---- */

static int run_samples(struct fuzz *f, enum cw_eval_kind kind, struct cw_result *out)
{
    struct cw_grid grid;
    cw_grid_init_instant(&grid, END_NS / 2);
    int rc =
        kind == CW_EVAL_INSTANT ? 0 : cw_grid_init_range(&grid, 0, END_NS, STEPS_S * S, &f->err);
    const struct cw_sub_query_span span = {0, END_NS, &grid};
    if (rc == 0)
        rc = cw_sub_queries_run(&f->context, f->query, &span, &f->err);
    return rc < 0 ? rc
                  : cw_metric_query_run(&f->context, f->query->root, &grid, kind, 0, out, &f->err);
}

static void check_same(const struct cw_table *a, const struct cw_table *b)
{
    CW_ASSERT((a == NULL) == (b == NULL));
    CW_ASSERT(a == NULL || a->n == b->n);
    for (size_t i = 0; a != NULL && i < a->n; i++) {
        const struct cw_series *x = &a->items[i], *y = &b->items[i];
        size_t nsteps = a->grid.n;
        CW_ASSERT(cw_series_count(x, nsteps) > 0 &&
                  cw_series_count(x, nsteps) == cw_series_count(y, nsteps));
        for (size_t step = 0; step < nsteps; step++)
            CW_ASSERT(cw_series_has(x, step) == cw_series_has(y, step) &&
                      (!cw_series_has(x, step) ||
                       memcmp(&x->values[step], &y->values[step], sizeof(double)) == 0));
    }
}

static void check_samples(struct fuzz *f, enum cw_eval_kind kind)
{
    struct cw_result first = {.table = NULL}, again = {.table = NULL};
    int rc = run_samples(f, kind, &first);
    if (rc < 0) {
        check_failed(f, rc);
        return;
    }
    int second = run_samples(f, kind, &again);
    if (!ran_out_of_time(f)) {
        CW_ASSERT(second == 0 || second == CW_E_LIMIT); /* values of `in (...)` stay the query's */
        if (second == 0)
            check_same(first.table, again.table);
    }
    cw_result_fini(&first);
    if (second == 0)
        cw_result_fini(&again);
}

/* ---- log queries ---- */

struct entries {
    struct cw_arena *arena;
    struct cw_log_entry *items;
    size_t n, cap;
};

static void keep(struct entries *entries, const struct cw_log_entry *entry)
{
    entries->items = cw_arena_grow(entries->arena, entries->items, entries->n, &entries->cap,
                                   entries->n + 1, sizeof *entries->items);
    struct cw_log_entry *copy = &entries->items[entries->n++];
    *copy = *entry;
    copy->line = cw_arena_dup(entries->arena, entry->line);
}

static int read_all(struct fuzz *f, bool newest_first, size_t page_entries, struct entries *out)
{
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    int rc = cw_log_query_open(&f->context, f->query->root, 0, END_NS, newest_first, &log_query,
                               &f->err);
    while (rc == 0 && !page.last) {
        rc = cw_log_query_page(log_query, page_entries, MEMORY_BYTES, &page, &f->err);
        for (size_t i = 0; rc == 0 && i < page.n; i++)
            keep(out, &page.entries[i]);
    }
    cw_log_query_close(&log_query);
    return rc;
}

static bool is_same(const struct cw_log_entry *a, const struct cw_log_entry *b)
{
    return a->ts_ns == b->ts_ns && cw_str_eq(a->line, b->line);
}

static void check_logs(struct fuzz *f)
{
    struct entries whole = {.arena = cw_arena_new()}, paged = {.arena = whole.arena}, back = paged;
    const struct cw_sub_query_span span = {0, END_NS, NULL};
    int rc = cw_sub_queries_run(&f->context, f->query, &span, &f->err);
    if (rc == 0)
        rc = read_all(f, false, SIZE_MAX, &whole);
    if (rc < 0) {
        check_failed(f, rc);
    } else if (read_all(f, false, 3, &paged) == 0 && read_all(f, true, 2, &back) == 0 &&
               !ran_out_of_time(f)) {
        CW_ASSERT(paged.n == whole.n);
        for (size_t i = 0; i < whole.n; i++)
            CW_ASSERT(is_same(&paged.items[i], &whole.items[i]));
        CW_ASSERT(cw_expr_gathers(f->query->root) || back.n == whole.n);
    }
    cw_arena_free(&whole.arena);
}

/* ---- all of it ---- */

static void run(struct fuzz *f)
{
    f->context.deadline_mono_ns = cw_clock_mono_ns() + DEADLINE_NS;
    if (!cw_expr_is_metric(f->query->root)) {
        check_logs(f);
        return;
    }
    check_samples(f, CW_EVAL_INSTANT);
    check_samples(f, CW_EVAL_RANGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = {.store = NULL};
    struct cw_str text = cw_str_make(data, size), query;
    if (!cw_str_split(&text, '\n', &query) ||
        cw_logql_parse_dialect(query, CW_LOGQL_EXTENSIONS, &f.query, &f.err) < 0)
        return 0;
    if (cw_eval_check(f.query->root, &f.err) == 0) {
        f.store = mem_store_new(2, 7, 3);
        add_lines(f.store, text);
        struct cw_entry_store store = mem_store_entry_store(f.store);
        CW_ASSERT(store.snapshot(store.ctx, CW_STR("fake"), &f.snapshot, &f.err) == 0);
        cw_query_context_init(&f.context, NULL, &f.snapshot, MEMORY_BYTES);
        run(&f);
        cw_allowance_fini(&f.context.allowance);
        cw_snapshot_fini(&f.snapshot);
        mem_store_free(&f.store);
    }
    cw_query_free(&f.query);
    return 0;
}
