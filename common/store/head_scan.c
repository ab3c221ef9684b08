/* head_scan.c - the head as a source: a unit is a stream of a generation, a batch the rows of a block. */
#include "common/store/head_priv.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/store/listing.h"

enum { SCAN_BATCH_ROWS = 4096 }; /* of a stream that has to be sorted */

struct head_source {
    struct cw_source base;
    struct cw_generation *generation;
    struct head_tenant *tenant;
    int64_t horizon_ns; /* entries before it are hidden */
    uint64_t last_seq;
};

struct block_view {
    const struct head_block *block;
    uint32_t nrows;
};

struct row_ref {
    int64_t ts_ns;
    uint32_t view, row;
};

struct head_cursor {
    struct cw_cursor base;
    struct cw_scan scan; /* a copy: selector and filters are borrowed from the engine */
    const struct head_stream *stream;
    struct block_view *views; /* in order of arrival */
    size_t nviews, at;        /* views given out; counted from the end when newest first */
    struct row_ref *refs;     /* all rows in order of time; only when the stream is unordered */
    size_t nrefs, at_ref;
    bool sort;
    uint64_t *keep;
    size_t keep_cap;
    int64_t *ts_ns;
    struct cw_str *lines;
    uint32_t *sizes;
    struct cw_labels *metadata;
    size_t batch_cap;
};

/* The end of a range is exclusive, but nothing is after INT64_MAX. */
static bool before_end(int64_t ts_ns, int64_t end_ns)
{
    return ts_ns < end_ns || end_ns == INT64_MAX;
}

static bool overlaps(int64_t min_ns, int64_t max_ns, int64_t start_ns, int64_t end_ns)
{
    return min_ns <= max_ns && max_ns >= start_ns && before_end(min_ns, end_ns);
}

static void stream_bounds(const struct head_stream *stream, int64_t *min_ns, int64_t *max_ns)
{
    *min_ns = INT64_MAX;
    *max_ns = INT64_MIN;
    const struct head_block *block = atomic_load_explicit(&stream->first, memory_order_acquire);
    for (; block; block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        if (atomic_load_explicit(&block->nvisible, memory_order_acquire) == 0)
            continue;
        *min_ns = CW_MIN(*min_ns, atomic_load_explicit(&block->min_ns, memory_order_relaxed));
        *max_ns = CW_MAX(*max_ns, atomic_load_explicit(&block->max_ns, memory_order_relaxed));
    }
}

static struct head_stream *first_stream(const struct cw_source *source)
{
    const struct head_source *head = (const struct head_source *)source;
    return atomic_load_explicit(&head->tenant->first, memory_order_acquire);
}

static int64_t visible_start(const struct cw_source *source, int64_t start_ns)
{
    return CW_MAX(start_ns, ((const struct head_source *)source)->horizon_ns);
}

static struct head_stream *next_stream(const struct head_stream *stream)
{
    return atomic_load_explicit(&stream->next, memory_order_acquire);
}

/* 1 the stream has rows that may be wanted, 0 not, or an error of the selector. */
static int stream_wanted(const struct head_stream *stream, const struct cw_selector *selector,
                         int64_t start_ns, int64_t end_ns, int64_t *min_ns, int64_t *max_ns,
                         struct cw_err *err)
{
    stream_bounds(stream, min_ns, max_ns);
    if (!overlaps(*min_ns, *max_ns, start_ns, end_ns))
        return 0;
    return selector ? cw_selector_match(selector, stream->ref.labels, err) : 1;
}

static int source_plan(struct cw_source *source, const struct cw_scan *scan, struct cw_units *out,
                       struct cw_err *err)
{
    for (struct head_stream *stream = first_stream(source); stream; stream = next_stream(stream)) {
        int64_t min_ns, max_ns;
        int rc = stream_wanted(stream, scan->selector, visible_start(source, scan->start_ns),
                               scan->end_ns, &min_ns, &max_ns, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (scan->stats)
            atomic_fetch_add_explicit(&scan->stats->streams_matched, 1, memory_order_relaxed);
        cw_units_add(out,
                     (struct cw_unit){
                         .source = source,
                         .key = (uint64_t)(uintptr_t)stream,
                         .min_ns = min_ns,
                         .max_ns = max_ns,
                         .bytes = atomic_load_explicit(&stream->line_bytes, memory_order_relaxed),
                         .rows = atomic_load_explicit(&stream->nentries, memory_order_relaxed)});
    }
    return 0;
}

/* ---- the cursor ---- */

static void cursor_views(struct head_cursor *cursor)
{
    size_t cap = 0;
    const struct head_block *block =
        atomic_load_explicit(&cursor->stream->first, memory_order_acquire);
    for (; block; block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        uint32_t nrows = atomic_load_explicit(&block->nvisible, memory_order_acquire);
        if (nrows == 0)
            continue;
        if (cursor->nviews == cap) {
            cap = cap ? 2 * cap : 16;
            cursor->views = cw_mem_resize(cursor->views, cap * sizeof(*cursor->views));
        }
        cursor->views[cursor->nviews++] = (struct block_view){block, nrows};
    }
    /* After the rows: whoever sees a row that broke the order sees the flag. */
    cursor->sort = atomic_load_explicit(&cursor->stream->unordered, memory_order_relaxed);
}

static void keep_fill(struct head_cursor *cursor, uint32_t n, uint32_t lo, uint32_t hi)
{
    size_t words = (n + 63) / 64;
    if (words > cursor->keep_cap) {
        cursor->keep_cap = words;
        cursor->keep = cw_mem_resize(cursor->keep, words * sizeof(uint64_t));
    }
    memset(cursor->keep, 0, words * sizeof(uint64_t));
    for (uint32_t row = lo; row < hi;) {
        if (row % 64 == 0 && hi - row >= 64) {
            cursor->keep[row / 64] = ~UINT64_C(0);
            row += 64;
        } else {
            cursor->keep[row / 64] |= UINT64_C(1) << (row % 64);
            row++;
        }
    }
}

/* First row whose time is not below `ts_ns`; the view's rows are in order. */
static uint32_t row_lower(const struct block_view *view, int64_t ts_ns)
{
    uint32_t lo = 0, hi = view->nrows;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (view->block->ts_ns[mid] < ts_ns)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Mark the view's rows that are in the range and pass the filters; *n_out of them. */
static int view_select(struct head_cursor *cursor, const struct block_view *view, size_t *n_out,
                       struct cw_err *err)
{
    const struct cw_scan *scan = &cursor->scan;
    if (cursor->sort) {
        keep_fill(cursor, view->nrows, 0, view->nrows);
        for (uint32_t row = 0; row < view->nrows; row++) {
            int64_t ts_ns = view->block->ts_ns[row];
            if (ts_ns < scan->start_ns || !before_end(ts_ns, scan->end_ns))
                cursor->keep[row / 64] &= ~(UINT64_C(1) << (row % 64));
        }
    } else {
        uint32_t lo = row_lower(view, scan->start_ns);
        uint32_t hi = scan->end_ns == INT64_MAX ? view->nrows : row_lower(view, scan->end_ns);
        keep_fill(cursor, view->nrows, lo, CW_MAX(lo, hi));
    }
    size_t seen = 0, n = 0, words = (view->nrows + 63) / 64;
    for (size_t i = 0; i < words; i++)
        seen += (size_t)__builtin_popcountll(cursor->keep[i]);
    for (size_t i = 0; i < scan->nfilters && seen > 0; i++) {
        int rc = cw_line_filter_select(scan->filters[i], view->block->text, view->block->offsets,
                                       view->nrows, cursor->keep, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < words; i++)
        n += (size_t)__builtin_popcountll(cursor->keep[i]);
    if (scan->stats) {
        atomic_fetch_add_explicit(&scan->stats->blocks_read, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&scan->stats->bytes_decompressed,
                                  view->block->offsets[view->nrows], memory_order_relaxed);
        atomic_fetch_add_explicit(&scan->stats->rows_seen, seen, memory_order_relaxed);
        atomic_fetch_add_explicit(&scan->stats->rows_matched, n, memory_order_relaxed);
    }
    *n_out = n;
    return 0;
}

static void batch_room(struct head_cursor *cursor, size_t n)
{
    if (n <= cursor->batch_cap)
        return;
    unsigned need = cursor->scan.need;
    cursor->batch_cap = n;
    if (need & CW_NEED_TIMES)
        cursor->ts_ns = cw_mem_resize(cursor->ts_ns, n * sizeof(*cursor->ts_ns));
    if (need & CW_NEED_LINES)
        cursor->lines = cw_mem_resize(cursor->lines, n * sizeof(*cursor->lines));
    if (need & (CW_NEED_LINES | CW_NEED_SIZES))
        cursor->sizes = cw_mem_resize(cursor->sizes, n * sizeof(*cursor->sizes));
    if (need & CW_NEED_METADATA)
        cursor->metadata = cw_mem_resize(cursor->metadata, n * sizeof(*cursor->metadata));
}

static void batch_put(struct head_cursor *cursor, size_t at, const struct head_block *block,
                      uint32_t row, bool *has_metadata)
{
    if (cursor->ts_ns)
        cursor->ts_ns[at] = block->ts_ns[row];
    if (cursor->lines)
        cursor->lines[at] = head_block_line(block, row);
    if (cursor->sizes)
        cursor->sizes[at] = block->offsets[row + 1] - block->offsets[row];
    if (!cursor->metadata)
        return;
    const struct cw_labels *const *metadata =
        atomic_load_explicit(&block->metadata, memory_order_acquire);
    cursor->metadata[at] = head_metadata_row(metadata, row);
    *has_metadata |= cursor->metadata[at].n > 0;
}

static int batch_done(struct head_cursor *cursor, size_t n, bool has_metadata,
                      struct cw_entry_batch *out)
{
    *out = (struct cw_entry_batch){.stream = cursor->stream->ref,
                                   .n = n,
                                   .ts_ns = cursor->ts_ns,
                                   .lines = cursor->lines,
                                   .sizes = cursor->sizes,
                                   .metadata = has_metadata ? cursor->metadata : NULL};
    return 1;
}

static int view_batch(struct head_cursor *cursor, const struct block_view *view, size_t n,
                      struct cw_entry_batch *out)
{
    size_t at = 0;
    bool has_metadata = false, reverse = cursor->scan.newest_first;
    batch_room(cursor, n);
    for (size_t i = 0, words = (view->nrows + 63) / 64; i < words; i++) {
        for (uint64_t bits = cursor->keep[i]; bits; bits &= bits - 1, at++) {
            uint32_t row = (uint32_t)(64 * i) + (uint32_t)__builtin_ctzll(bits);
            batch_put(cursor, reverse ? n - 1 - at : at, view->block, row, &has_metadata);
        }
    }
    return batch_done(cursor, n, has_metadata, out);
}

static int check_cancel(const struct head_cursor *cursor, struct cw_err *err)
{
    if (cursor->scan.cancel && atomic_load_explicit(cursor->scan.cancel, memory_order_relaxed))
        return cw_err_set(err, CW_E_CANCELED, "the query was cancelled");
    return 0;
}

static int next_in_order(struct head_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    while (cursor->at < cursor->nviews) {
        size_t at = cursor->at++, n;
        const struct block_view *view =
            &cursor->views[cursor->scan.newest_first ? cursor->nviews - 1 - at : at];
        int64_t first_ns = view->block->ts_ns[0], last_ns = view->block->ts_ns[view->nrows - 1];
        if (!overlaps(first_ns, last_ns, cursor->scan.start_ns, cursor->scan.end_ns)) {
            if (cursor->scan.stats)
                atomic_fetch_add_explicit(&cursor->scan.stats->blocks_skipped, 1,
                                          memory_order_relaxed);
            continue;
        }
        int rc = check_cancel(cursor, err);
        if (rc == 0)
            rc = view_select(cursor, view, &n, err);
        if (rc < 0)
            return rc;
        if (n > 0)
            return view_batch(cursor, view, n, out);
    }
    return 0;
}

static int row_ref_order(const void *left, const void *right)
{
    const struct row_ref *a = left, *b = right;
    if (a->ts_ns != b->ts_ns)
        return a->ts_ns < b->ts_ns ? -1 : 1;
    if (a->view != b->view)
        return a->view < b->view ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static int collect_sorted(struct head_cursor *cursor, struct cw_err *err)
{
    size_t cap = 0;
    for (size_t v = 0; v < cursor->nviews; v++) {
        const struct block_view *view = &cursor->views[v];
        size_t n;
        int rc = check_cancel(cursor, err);
        if (rc == 0)
            rc = view_select(cursor, view, &n, err);
        if (rc < 0)
            return rc;
        if (cursor->nrefs + n > cap) {
            cap = CW_MAX(2 * cap, cursor->nrefs + n);
            cursor->refs = cw_mem_resize(cursor->refs, cap * sizeof(*cursor->refs));
        }
        for (size_t i = 0, words = (view->nrows + 63) / 64; i < words; i++) {
            for (uint64_t bits = cursor->keep[i]; bits; bits &= bits - 1) {
                uint32_t row = (uint32_t)(64 * i) + (uint32_t)__builtin_ctzll(bits);
                cursor->refs[cursor->nrefs++] =
                    (struct row_ref){view->block->ts_ns[row], (uint32_t)v, row};
            }
        }
    }
    if (cursor->nrefs > 0)
        qsort(cursor->refs, cursor->nrefs, sizeof(*cursor->refs), row_ref_order);
    return 0;
}

static int next_sorted(struct head_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    if (cursor->at == 0) {
        cursor->at = 1;
        int rc = collect_sorted(cursor, err);
        if (rc < 0)
            return rc;
    }
    size_t n = CW_MIN(cursor->nrefs - cursor->at_ref, (size_t)SCAN_BATCH_ROWS);
    bool has_metadata = false;
    if (n == 0)
        return 0;
    batch_room(cursor, n);
    for (size_t i = 0; i < n; i++, cursor->at_ref++) {
        size_t at = cursor->scan.newest_first ? cursor->nrefs - 1 - cursor->at_ref : cursor->at_ref;
        const struct row_ref *ref = &cursor->refs[at];
        batch_put(cursor, i, cursor->views[ref->view].block, ref->row, &has_metadata);
    }
    return batch_done(cursor, n, has_metadata, out);
}

static int cursor_next(struct cw_cursor *base, struct cw_entry_batch *out, struct cw_err *err)
{
    struct head_cursor *cursor = (struct head_cursor *)base;
    return cursor->sort ? next_sorted(cursor, out, err) : next_in_order(cursor, out, err);
}

static void cursor_close(struct cw_cursor *base)
{
    struct head_cursor *cursor = (struct head_cursor *)base;
    free(cursor->views);
    free(cursor->refs);
    free(cursor->keep);
    free(cursor->ts_ns);
    free(cursor->lines);
    free(cursor->sizes);
    free(cursor->metadata);
    free(cursor);
}

static const struct cw_cursor_ops head_cursor_ops = {.next = cursor_next, .close = cursor_close};

static struct cw_cursor *cursor_new(const struct head_stream *stream, const struct cw_scan *scan)
{
    struct head_cursor *cursor = cw_mem_new(sizeof(*cursor));
    cursor->base.ops = &head_cursor_ops;
    cursor->scan = *scan;
    if (scan->need & CW_NEED_TEMPLATES)
        cursor->scan.need |= CW_NEED_LINES;
    cursor->stream = stream;
    cursor_views(cursor);
    return &cursor->base;
}

static int source_open(struct cw_source *source, const struct cw_scan *scan,
                       const struct cw_unit *unit, struct cw_cursor **out, struct cw_err *err)
{
    struct cw_scan visible = *scan;
    (void)err;
    visible.start_ns = visible_start(source, scan->start_ns);
    *out = cursor_new((const struct head_stream *)(uintptr_t)unit->key, &visible);
    return 0;
}

/* ---- streams, stats ---- */

static int source_list(struct cw_source *source, const struct cw_listing *listing,
                       struct cw_list_cursor **out, struct cw_err *err)
{
    struct cw_stream_ref *streams = NULL;
    size_t n = 0, cap = 0;
    int64_t start_ns = visible_start(source, listing->start_ns);
    for (struct head_stream *stream = first_stream(source); stream; stream = next_stream(stream)) {
        int64_t min_ns, max_ns;
        int rc = stream_wanted(stream, NULL, start_ns, listing->end_ns, &min_ns, &max_ns, err);
        if (rc > 0)
            rc = cw_listing_match(listing, stream->ref.labels, err);
        if (rc < 0) {
            free(streams);
            return rc;
        }
        if (rc == 0)
            continue;
        if (n == cap) {
            cap = cap > 0 ? 2 * cap : 64;
            streams = cw_mem_resize(streams, cap * sizeof(*streams));
        }
        streams[n++] = stream->ref;
    }
    return cw_list_cursor_of(listing, streams, n, out, err);
}

static int source_stats(struct cw_source *source, const struct cw_selector *selector,
                        int64_t start_ns, int64_t end_ns, struct cw_index_stats *out,
                        struct cw_err *err)
{
    for (struct head_stream *stream = first_stream(source); stream; stream = next_stream(stream)) {
        int64_t min_ns, max_ns;
        int rc = stream_wanted(stream, selector, visible_start(source, start_ns), end_ns, &min_ns,
                               &max_ns, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        out->streams++;
        out->chunks++;
        out->bytes += atomic_load_explicit(&stream->line_bytes, memory_order_relaxed);
        out->entries += atomic_load_explicit(&stream->nentries, memory_order_relaxed);
    }
    return 0;
}

static void source_destroy(struct cw_source *source)
{
    struct head_source *head = (struct head_source *)source;
    cw_generation_unref(&head->generation);
    free(head);
}

const struct cw_source_ops head_source_ops = {.plan = source_plan,
                                              .open = source_open,
                                              .list = source_list,
                                              .stats = source_stats,
                                              .destroy = source_destroy};

struct cw_source *head_source_new(struct cw_generation *generation, struct head_tenant *tenant,
                                  int64_t horizon_ns)
{
    struct head_source *source = cw_mem_new(sizeof(*source));
    source->base.ops = &head_source_ops;
    atomic_init(&source->base.refs, 1);
    source->base.min_ns = atomic_load_explicit(&tenant->min_ns, memory_order_relaxed);
    source->base.max_ns = atomic_load_explicit(&tenant->max_ns, memory_order_relaxed);
    source->generation = generation;
    atomic_fetch_add_explicit(&generation->refs, 1, memory_order_relaxed);
    source->tenant = tenant;
    source->horizon_ns = horizon_ns;
    source->last_seq = cw_generation_last_seq(generation);
    source->base.min_ns = CW_MAX(source->base.min_ns, horizon_ns);
    return &source->base;
}

uint64_t cw_head_source_last_seq(const struct cw_source *source)
{
    return ((const struct head_source *)source)->last_seq;
}

/* ---- for the flush ---- */

void cw_generation_each_stream(struct cw_generation *generation, cw_generation_stream_fn fn,
                               void *arg)
{
    for (struct head_tenant *tenant = generation->first_tenant; tenant; tenant = tenant->next) {
        for (struct head_stream *stream = tenant->first; stream; stream = next_stream(stream)) {
            struct cw_generation_stream out = {.tenant = tenant->name,
                                               .ref = stream->ref,
                                               .nentries = stream->nentries,
                                               .line_bytes = stream->line_bytes,
                                               .min_ns = INT64_MAX,
                                               .max_ns = INT64_MIN,
                                               .key = (uint64_t)(uintptr_t)stream};
            for (const struct head_block *block = stream->first; block; block = block->next) {
                uint32_t nrows = atomic_load_explicit(&block->nvisible, memory_order_acquire);
                for (uint32_t row = 0; row < nrows; row++) {
                    out.min_ns = CW_MIN(out.min_ns, block->ts_ns[row]);
                    out.max_ns = CW_MAX(out.max_ns, block->ts_ns[row]);
                }
            }
            if (out.nentries > 0)
                fn(arg, &out);
        }
    }
}

int cw_generation_open(struct cw_generation *generation, uint64_t key, int64_t start_ns,
                       int64_t end_ns, struct cw_cursor **out, struct cw_err *err)
{
    (void)generation;
    (void)err;
    struct cw_scan scan = {.start_ns = start_ns,
                           .end_ns = end_ns,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    *out = cursor_new((const struct head_stream *)(uintptr_t)key, &scan);
    return 0;
}
