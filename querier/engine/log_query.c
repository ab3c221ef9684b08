#include "querier/engine/log_query.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "querier/engine/field_filter.h"
#include "querier/engine/log_context.h"
#include "querier/engine/log_cut.h"
#include "querier/engine/log_gather.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/plan.h"
#include "querier/engine/unit_run.h"

struct cw_log_query {
    struct cw_query_context *query;
    struct cw_plan plan;
    struct cw_pipeline *pipeline;
    struct cw_pipeline_run *
        *runs; /* by slot; NULL until the slot has work, or where the pipeline is idle */
    struct cw_field_prefix *prefix;   /* NULL: no filter is asked before lines are rebuilt */
    struct cw_field_filter **filters; /* by slot, as the runs */
    bool newest_first;
    bool has_last; /* where the page before ended: entries up to it (in the order) were given */
    struct cw_log_entry last;
    struct cw_log_top page; /* what the caller reads */
    /* A query that gathers: all of its entries from the first page on, and how many were given. */
    const struct cw_expr *gathers; /* NULL: it does not */
    struct cw_log_gather *gather;
    struct cw_log_context_scope scope; /* of a query with context, */
    struct cw_log_top context;         /* whose entries are these, once has_context */
    bool has_context;
    size_t ngiven, nexpected;
};

/* One page in the making. */
struct page_run {
    struct cw_log_query *log_query;
    struct cw_scan scan; /* the plan's, begun where the page before ended */
    size_t max_entries, max_bytes;
    pthread_mutex_t lock; /* guards `top` */
    struct cw_log_top top;
    /* Entries past this time (in the order) find no room; see has_cut. */
    atomic_int_fast64_t cut_ns;
    atomic_bool has_cut;
};

/* One unit being read. */
struct unit_state {
    struct page_run *run;
    struct cw_pipeline_run *pipeline; /* NULL: entries are as they are */
    struct cw_field_filter *filter;   /* may be NULL */
    struct cw_log_top top;
    int64_t cut_ns; /* the unit's own rows past it (in the order), or those of all, find no room */
    struct cw_log_entry entry;
    struct cw_hash128 stream_id; /* of entry.origin */
};

static struct cw_field_prefix *prefix_of(const struct cw_expr *expr)
{
    return cw_expr_gathers(expr) ? NULL : cw_field_prefix_new(expr);
}

static unsigned need_of(const struct cw_field_prefix *prefix)
{
    return CW_NEED_TIMES | CW_NEED_METADATA | (prefix != NULL ? CW_NEED_TEMPLATES : CW_NEED_LINES);
}

unsigned cw_log_query_need(const struct cw_expr *expr)
{
    struct cw_field_prefix *prefix = prefix_of(expr);
    unsigned need = need_of(prefix);
    cw_field_prefix_free(&prefix);
    return need;
}

int cw_log_query_open(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                      int64_t end_ns, bool newest_first, struct cw_log_query **out,
                      struct cw_err *err)
{
    struct cw_log_query *log_query = cw_mem_new(sizeof *log_query);
    log_query->query = query;
    log_query->newest_first = newest_first;
    log_query->gathers = cw_expr_gathers(expr) ? expr : NULL;
    log_query->nexpected = SIZE_MAX;
    log_query->scope = (struct cw_log_context_scope){expr, start_ns, end_ns, newest_first, 0};
    if (cw_stage_find(expr->stages, CW_STAGE_CONTEXT) != NULL) { /* it makes queries of its own */
        *out = log_query;
        return 0;
    }
    log_query->prefix = prefix_of(expr);
    unsigned need = need_of(log_query->prefix);
    int rc = cw_pipeline_new(expr, NULL, CW_PIPELINE_LOGS, &log_query->pipeline, err);
    if (rc == 0)
        rc = cw_plan_make(query, expr, start_ns, end_ns, need, newest_first, &log_query->plan, err);
    if (rc < 0) {
        cw_field_prefix_free(&log_query->prefix);
        cw_pipeline_free(&log_query->pipeline);
        free(log_query);
        return rc;
    }
    log_query->filters = cw_mem_array(cw_unit_run_slots(query), sizeof *log_query->filters);
    log_query->runs = cw_mem_array(cw_unit_run_slots(query), sizeof *log_query->runs);
    *out = log_query;
    return 0;
}

void cw_log_query_close(struct cw_log_query **log_query)
{
    if (*log_query == NULL)
        return;
    cw_log_top_fini(&(*log_query)->page);
    cw_log_gather_free(&(*log_query)->gather);
    cw_log_top_fini(&(*log_query)->context);
    cw_log_origin_unref(&(*log_query)->last.origin);
    cw_plan_fini(&(*log_query)->plan);
    for (unsigned i = 0; (*log_query)->runs != NULL && i < cw_unit_run_slots((*log_query)->query);
         i++) {
        cw_pipeline_run_free(&(*log_query)->runs[i]);
        cw_field_filter_free(&(*log_query)->filters[i]);
    }
    free((*log_query)->runs);
    free((*log_query)->filters);
    cw_field_prefix_free(&(*log_query)->prefix);
    cw_pipeline_free(&(*log_query)->pipeline);
    free(*log_query);
    *log_query = NULL;
}

void cw_log_query_expect(struct cw_log_query *log_query, size_t max_entries)
{
    log_query->nexpected = max_entries;
}

/* All entries of a query that gathers, found when they are first asked for. */
static int gather_entries(struct cw_log_query *log_query, const struct cw_log_entry **out,
                          size_t *n_out, struct cw_err *err)
{
    int rc = 0;
    if (log_query->pipeline == NULL) {
        log_query->scope.max_entries = log_query->nexpected;
        if (!log_query->has_context)
            rc = cw_log_context_run(log_query->query, &log_query->scope, &log_query->context, err);
        log_query->has_context = rc == 0;
        *out = log_query->context.items;
        *n_out = log_query->context.n;
        return rc;
    }
    if (log_query->gather == NULL)
        rc = cw_log_gather_run(log_query->query, log_query->gathers, &log_query->plan,
                               log_query->pipeline, log_query->nexpected, &log_query->gather, err);
    if (rc == 0)
        *out = cw_log_gather_entries(log_query->gather, n_out);
    return rc;
}

/* The next of what was gathered. */
static int page_gathered(struct cw_log_query *log_query, size_t max_entries,
                         struct cw_log_page *out, struct cw_err *err)
{
    const struct cw_log_entry *entries = NULL;
    size_t n = 0;
    int rc = gather_entries(log_query, &entries, &n, err);
    if (rc < 0)
        return rc;
    *out = (struct cw_log_page){
        .entries = n > 0 ? entries + log_query->ngiven : NULL,
        .n = CW_MIN(n - log_query->ngiven, max_entries),
    };
    log_query->ngiven += out->n;
    out->last = log_query->ngiven == n;
    return 0;
}

static bool past_cut(const struct page_run *run, int64_t ts_ns)
{
    if (!atomic_load(&run->has_cut))
        return false;
    int64_t cut = atomic_load(&run->cut_ns);
    return run->log_query->newest_first ? ts_ns < cut : ts_ns > cut;
}

/* An entry that finds no room needs no pipeline. */
static int add_processed(struct unit_state *unit, struct cw_err *err)
{
    struct cw_log_entry entry = unit->entry;
    struct cw_built_labels labels;
    if (!cw_log_top_takes(&unit->top, &entry))
        return 0;
    int rc = cw_pipeline_entry(unit->pipeline, entry.ts_ns, entry.origin->labels, entry.metadata,
                               entry.line, err);
    if (rc <= 0)
        return rc;
    cw_label_builder_sort(&unit->pipeline->builder, &labels);
    entry.line = unit->pipeline->line;
    entry.stream = labels.stream;
    entry.metadata = labels.metadata;
    entry.parsed = labels.parsed;
    return cw_log_top_add(&unit->top, &entry, err);
}

static void cut_move(struct unit_state *unit)
{
    bool newest_first = unit->run->log_query->newest_first;
    int64_t cuts[2];
    size_t n = cw_log_top_cut(&unit->top, &cuts[0]);
    if (atomic_load(&unit->run->has_cut))
        cuts[n++] = atomic_load(&unit->run->cut_ns);
    for (size_t i = 0; i < n; i++)
        if (newest_first ? cuts[i] > unit->cut_ns : cuts[i] < unit->cut_ns)
            unit->cut_ns = cuts[i];
}

/* The labels of the batch's stream become the entries', copied once for all its batches that follow each other. */
static bool begin_stream(struct unit_state *unit, const struct cw_stream_ref *stream)
{
    struct cw_log_entry *entry = &unit->entry;
    if (entry->origin != NULL && cw_hash128_eq(unit->stream_id, stream->id))
        return true;
    cw_log_origin_unref(&entry->origin);
    unit->stream_id = stream->id;
    entry->origin = cw_log_origin_new(stream->labels);
    entry->stream = entry->origin->labels;
    return false;
}

/* The lines of the batch's rows; those that a filter drops have none. */
static int find_lines(struct unit_state *unit, const struct cw_entry_batch *batch,
                      const struct cw_str **out, struct cw_err *err)
{
    size_t n = 0;
    *out = batch->lines;
    if (batch->templates == NULL)
        return 0;
    while (n < batch->n && !past_cut(unit->run, batch->ts_ns[n]))
        n++;
    return cw_field_filter_lines(unit->filter, batch, n, out, err);
}

/* The rows of a batch come in the order, so that the first one past the cut ends the batch. */
static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    struct unit_state *unit = arg;
    struct page_run *run = unit->run;
    const struct cw_log_query *log_query = run->log_query;
    struct cw_log_entry *entry = &unit->entry;
    const struct cw_str *lines;
    uint64_t line_bytes = 0;
    if (past_cut(run, batch->ts_ns[0]))
        return 0;
    int rc = find_lines(unit, batch, &lines, err);
    if (rc < 0)
        return rc;
    bool same_stream = begin_stream(unit, &batch->stream);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        bool tied = (i > 0 || same_stream) && batch->ts_ns[i] == entry->ts_ns;
        entry->tie = tied ? entry->tie + 1 : 0;
        entry->ts_ns = batch->ts_ns[i];
        entry->line = lines[i];
        entry->metadata = batch->metadata != NULL ? batch->metadata[i] : CW_LABELS_NONE;
        line_bytes += entry->line.len;
        if (past_cut(run, entry->ts_ns))
            break;
        if (batch->templates != NULL && lines[i].ptr == NULL)
            continue;
        if (log_query->has_last && !cw_log_before(&log_query->last, entry, log_query->newest_first))
            continue;
        if (unit->pipeline != NULL)
            rc = add_processed(unit, err);
        else
            rc = cw_log_top_add(&unit->top, entry, err);
    }
    atomic_fetch_add_explicit(&log_query->query->line_bytes, line_bytes, memory_order_relaxed);
    cut_move(unit);
    return rc;
}

static void merge_unit(struct page_run *run, struct cw_log_top *top)
{
    pthread_mutex_lock(&run->lock);
    cw_log_top_merge(&run->top, top);
    int64_t cut;
    if (cw_log_top_cut(&run->top, &cut)) {
        atomic_store(&run->cut_ns, cut);
        atomic_store(&run->has_cut, true);
    }
    pthread_mutex_unlock(&run->lock);
}

/* What is still worth reading: entries at the cut count, as ties are told apart by more than time. */
static struct cw_scan scan_to_cut(const struct page_run *run)
{
    struct cw_scan scan = run->scan;
    if (!atomic_load(&run->has_cut))
        return scan;
    int64_t cut = atomic_load(&run->cut_ns);
    if (run->log_query->newest_first)
        scan.start_ns = CW_MAX(scan.start_ns, cut);
    else if (cut < INT64_MAX)
        scan.end_ns = CW_MIN(scan.end_ns, cut + 1);
    return scan;
}

static int read_unit(void *arg, unsigned slot, size_t idx, struct cw_err *err)
{
    struct page_run *run = arg;
    struct cw_log_query *log_query = run->log_query;
    const struct cw_unit *unit = &log_query->plan.units.items[idx];
    if (unit->max_ns < run->scan.start_ns || unit->min_ns >= run->scan.end_ns)
        return 0;
    if (past_cut(run, log_query->newest_first ? unit->max_ns : unit->min_ns))
        return 1; /* and so is every unit behind it */
    if (log_query->runs[slot] == NULL && !cw_pipeline_is_idle(log_query->pipeline))
        log_query->runs[slot] = cw_pipeline_run_new(log_query->pipeline);
    if (log_query->filters[slot] == NULL && log_query->prefix != NULL)
        log_query->filters[slot] =
            cw_field_filter_new(log_query->prefix, &log_query->query->allowance);
    struct unit_state state = {.run = run,
                               .pipeline = log_query->runs[slot],
                               .filter = log_query->filters[slot],
                               .entry.unit = (uint32_t)idx + 1};
    if (state.filter != NULL)
        cw_field_filter_forget(state.filter, run->scan.stats);
    cw_log_top_init(&state.top, log_query->newest_first, run->max_entries, run->max_bytes,
                    &log_query->query->allowance);
    struct cw_scan scan = scan_to_cut(run);
    state.cut_ns = log_query->newest_first ? INT64_MIN : INT64_MAX;
    scan.cut_ns = &state.cut_ns;
    int rc = cw_unit_read(log_query->query, &scan, unit, add_batch, &state, err);
    cw_log_origin_unref(&state.entry.origin);
    if (rc == 0)
        merge_unit(run, &state.top);
    cw_log_top_fini(&state.top);
    return rc;
}

static void begin_behind_last(struct cw_log_query *log_query, struct cw_scan *scan)
{
    *scan = log_query->plan.scan;
    if (!log_query->has_last)
        return;
    if (log_query->newest_first)
        scan->end_ns = log_query->last.ts_ns < INT64_MAX ? log_query->last.ts_ns + 1 : INT64_MAX;
    else
        scan->start_ns = log_query->last.ts_ns;
}

/* Where every row is an entry, times tell how far the page reaches. */
static int begin_cut(struct page_run *run, struct cw_err *err)
{
    const struct cw_log_query *log_query = run->log_query;
    struct cw_scan scan = run->scan;
    int64_t cut;
    if (!cw_pipeline_is_idle(log_query->pipeline) || scan.nfilters > 0)
        return 0;
    /* Of the rows at the time where the page before ended, nobody knows yet which were given. */
    if (log_query->has_last && log_query->newest_first)
        scan.end_ns = log_query->last.ts_ns;
    else if (log_query->has_last && log_query->last.ts_ns < INT64_MAX)
        scan.start_ns = log_query->last.ts_ns + 1;
    int rc =
        cw_log_cut_find(log_query->query, &log_query->plan, &scan, run->max_entries, &cut, err);
    if (rc > 0) {
        atomic_store(&run->cut_ns, cut);
        atomic_store(&run->has_cut, true);
    }
    return rc;
}

static int page_read(struct page_run *run, struct cw_err *err)
{
    struct cw_log_query *log_query = run->log_query;
    cw_log_top_init(&run->top, log_query->newest_first, run->max_entries, run->max_bytes,
                    &log_query->query->allowance);
    int rc = cw_unit_run(log_query->query, &log_query->plan, read_unit, run, err);
    if (rc < 0)
        cw_log_top_fini(&run->top);
    return rc;
}

/* Nothing follows. (Rows that were skipped behind the cut may not have left a bound: only a page that is not full is the last for sure.) */
static bool page_ends(const struct page_run *run)
{
    return !run->top.bounded && run->top.n < run->max_entries;
}

int cw_log_query_page(struct cw_log_query *log_query, size_t max_entries, size_t max_bytes,
                      struct cw_log_page *out, struct cw_err *err)
{
    CW_ASSERT(max_entries > 0);
    if (log_query->gathers != NULL)
        return page_gathered(log_query, max_entries, out, err);
    struct page_run run = {
        .log_query = log_query, .max_entries = max_entries, .max_bytes = max_bytes};
    begin_behind_last(log_query, &run.scan);
    cw_log_top_fini(&log_query->page);
    pthread_mutex_init(&run.lock, NULL);
    int cut = begin_cut(&run, err);
    int rc = cut < 0 ? cut : page_read(&run, err);
    if (rc == 0 && cut > 0 && page_ends(&run)) {
        /* Not all rows with times have lines (a damaged block): what lies behind the cut takes their place. */
        cw_log_top_fini(&run.top);
        atomic_store(&run.has_cut, false);
        rc = page_read(&run, err);
    }
    pthread_mutex_destroy(&run.lock);
    if (rc == 0 && (rc = cw_log_top_sort(&run.top, err)) < 0)
        cw_log_top_fini(&run.top);
    if (rc < 0)
        return rc;
    log_query->page = run.top;
    *out = (struct cw_log_page){
        .entries = run.top.items,
        .n = run.top.n,
        .last = page_ends(&run),
    };
    if (run.top.n > 0) {
        cw_log_origin_unref(&log_query->last.origin);
        log_query->last = cw_log_entry_place(&run.top.items[run.top.n - 1]);
        log_query->has_last = true;
    }
    return 0;
}

/* Entries a page while those that were given are passed over. */
enum { SEEK_PAGE_ENTRIES = 16384 };

static bool is_at(const struct cw_log_entry *entry, const struct cw_log_entry *place)
{
    return entry->ts_ns == place->ts_ns &&
           cw_labels_eq(entry->origin->labels, place->origin->labels);
}

/* Units are counted from 1 on, so that this stands before all entries of its time and labels. */
static void begin_at(struct cw_log_query *log_query, int64_t ts_ns, struct cw_labels labels)
{
    log_query->has_last = true;
    log_query->last = (struct cw_log_entry){.ts_ns = ts_ns,
                                            .origin = cw_log_origin_new(labels),
                                            .unit = log_query->newest_first ? UINT32_MAX : 0};
}

int cw_log_query_seek(struct cw_log_query *log_query, int64_t ts_ns, struct cw_labels labels,
                      uint64_t n, size_t max_bytes, struct cw_err *err)
{
    CW_ASSERT(!log_query->has_last);
    begin_at(log_query, ts_ns, labels);
    struct cw_log_page page = {0};
    while (n > 0 && !page.last) {
        struct cw_log_entry before = cw_log_entry_place(&log_query->last);
        size_t given = 0;
        int rc = cw_log_query_page(log_query, (size_t)CW_MIN(n, (uint64_t)SEEK_PAGE_ENTRIES),
                                   max_bytes, &page, err);
        while (rc == 0 && given < page.n && is_at(&page.entries[given], &before))
            given++;
        if (rc == 0 && given < page.n) { /* there are fewer of them now: some were deleted */
            cw_log_origin_unref(&log_query->last.origin);
            log_query->last = cw_log_entry_place(given > 0 ? &page.entries[given - 1] : &before);
            n = given;
        }
        cw_log_origin_unref(&before.origin);
        if (rc < 0)
            return rc;
        n -= given;
    }
    return 0;
}
