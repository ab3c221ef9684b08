/* partial_logs.c - a log query in slices of time (partial_query.h). */
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "querier/engine/log_query.h"
#include "querier/engine/partial_query.h"
#include "querier/engine/plan.h"

struct logs_run {
    struct cw_query_context *query;
    const struct cw_expr *expr;
    const struct cw_log_rest *range;
    bool newest_first;
    size_t max_entries, max_bytes, cap, bytes;
    struct cw_plan plan; /* of the whole range: what slices cost */
    struct cw_arena *arena;
    struct cw_partial_logs *out;
    bool full; /* of text, and not of entries */
};

/* Positions count from the end that comes first. */
static void slice_times(const struct logs_run *run, uint64_t from, uint64_t to, int64_t *start_ns,
                        int64_t *end_ns)
{
    uint64_t start = (uint64_t)run->range->start_ns, end = (uint64_t)run->range->end_ns;
    *start_ns = (int64_t)(run->newest_first ? end - to : start + from);
    *end_ns = (int64_t)(run->newest_first ? end - from : start + to);
}

static uint64_t slice_total(const struct logs_run *run)
{
    return (uint64_t)run->range->end_ns - (uint64_t)run->range->start_ns;
}

static uint64_t slice_bytes(void *ctx, uint64_t from, uint64_t to)
{
    const struct logs_run *run = ctx;
    int64_t start_ns, end_ns;
    slice_times(run, from, to, &start_ns, &end_ns);
    return cw_units_bytes(&run->plan.units, start_ns, end_ns);
}

static void keep_entry(struct logs_run *run, const struct cw_log_entry *entry)
{
    struct cw_log_entry *copy = CW_ARENA_NEW(run->arena, struct cw_log_entry);
    *copy = *entry;
    copy->origin = cw_arena_calloc(run->arena, 1, sizeof *copy->origin);
    copy->origin->labels = cw_labels_dup(run->arena, entry->origin->labels);
    copy->line = cw_arena_dup(run->arena, entry->line);
    copy->stream = cw_labels_dup(run->arena, entry->stream);
    copy->metadata = cw_labels_dup(run->arena, entry->metadata);
    copy->parsed = cw_labels_dup(run->arena, entry->parsed);
    struct cw_partial_logs *out = run->out;
    out->entries = cw_arena_grow(run->arena, out->entries, out->n, &run->cap, out->n + 1,
                                 sizeof *out->entries);
    out->entries[out->n++] = copy;
    run->bytes += entry->line.len;
}

static int seek(struct logs_run *run, struct cw_log_query *log_query, struct cw_err *err)
{
    const struct cw_log_rest *range = run->range;
    return cw_log_query_seek(log_query, range->edge_ns, range->edge, range->given, run->max_bytes,
                             err);
}

static int run_slice(void *ctx, uint64_t from, uint64_t to, struct cw_err *err)
{
    struct logs_run *run = ctx;
    struct cw_partial_logs *out = run->out;
    struct cw_log_query *log_query = NULL;
    struct cw_log_page page = {0};
    size_t n = out->n, left = run->max_entries - n;
    int64_t start_ns, end_ns;
    slice_times(run, from, to, &start_ns, &end_ns);
    int rc = cw_log_query_open(run->query, run->expr, start_ns, end_ns, run->newest_first,
                               &log_query, err);
    if (rc == 0 && from == 0 && run->range->has_edge)
        rc = seek(run, log_query, err);
    if (rc == 0)
        rc = cw_log_query_page(log_query, left, run->max_bytes - run->bytes, &page, err);
    for (size_t i = 0; rc == 0 && i < page.n; i++)
        keep_entry(run, &page.entries[i]);
    cw_log_query_close(&log_query);
    if (rc == 0)
        rc = cw_allowance_check(&run->query->allowance, run->arena, err);
    if (rc < 0) {
        out->n = n;
        return rc;
    }
    bool enough = out->n == run->max_entries, whole = page.last && to == slice_total(run);
    run->full = !enough && !whole && (!page.last || run->bytes >= run->max_bytes);
    return !whole && (enough || run->full);
}

/* The last entry: its time, its stream, and how many of both were given, now and before. */
static void set_edge(const struct logs_run *run, struct cw_log_rest *rest)
{
    const struct cw_partial_logs *out = run->out;
    const struct cw_log_entry *last = out->entries[out->n - 1];
    size_t i = out->n;
    while (i > 0 && out->entries[i - 1]->ts_ns == last->ts_ns &&
           cw_labels_eq(out->entries[i - 1]->origin->labels, last->origin->labels))
        i--;
    rest->has_edge = true;
    rest->edge_ns = last->ts_ns;
    rest->edge = last->origin->labels;
    rest->given = out->n - i;
    if (i == 0 && run->range->has_edge && run->range->edge_ns == last->ts_ns &&
        cw_labels_eq(run->range->edge, last->origin->labels))
        rest->given += run->range->given;
}

static void set_rest(const struct logs_run *run, uint64_t done)
{
    struct cw_log_rest *rest = &run->out->rest;
    *rest = (struct cw_log_rest){.start_ns = run->range->start_ns, .end_ns = run->range->end_ns};
    bool inside = run->out->stop == CW_SLICES_CALLER && run->out->n > 0;
    if (inside)
        set_edge(run, rest);
    if (run->newest_first)
        rest->end_ns = inside ? rest->edge_ns + (rest->edge_ns < rest->end_ns)
                              : (int64_t)((uint64_t)rest->end_ns - done);
    else
        rest->start_ns = inside ? rest->edge_ns : (int64_t)((uint64_t)rest->start_ns + done);
}

int cw_partial_logs(struct cw_query_context *query, const struct cw_expr *expr,
                    const struct cw_log_rest *range, bool newest_first, size_t max_entries,
                    size_t max_bytes, const struct cw_partial_limits *limits,
                    struct cw_arena *arena, struct cw_partial_logs *out, struct cw_err *err)
{
    struct cw_query_context own;
    struct logs_run run = {.query = query,
                           .expr = expr,
                           .range = range,
                           .newest_first = newest_first,
                           .max_entries = max_entries,
                           .max_bytes = max_bytes,
                           .arena = arena,
                           .out = out};
    CW_ASSERT(range->start_ns <= range->end_ns);
    *out = (struct cw_partial_logs){0};
    cw_query_context_fork(query, &own);
    int rc = cw_plan_make(&own, expr, range->start_ns, range->end_ns, CW_NEED_TIMES, newest_first,
                          &run.plan, err);
    if (rc < 0)
        return rc;
    const struct cw_slices slices = {.total = slice_total(&run),
                                     .max_bytes = limits->max_bytes,
                                     .first_bytes = limits->first_bytes,
                                     .time_ns = limits->time_ns,
                                     .bytes = slice_bytes,
                                     .run = run_slice,
                                     .ctx = &run};
    uint64_t done = 0;
    rc = cw_slices_walk(&slices, &done, &out->stop, err);
    cw_plan_fini(&run.plan);
    if (rc < 0)
        return rc;
    set_rest(&run, done);
    if (run.full) {
        out->stop = CW_SLICES_LIMIT;
        (void)cw_err_set(err, CW_E_LIMIT,
                         "lines take the %zu bytes that the query may gather of them", max_bytes);
    }
    return 0;
}
