#include "querier/engine/stream_query.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/store/stream_table.h"

/* Between two looks at whether the query is to end. */
enum { CHECK_EVERY = 1024 };

/* A source's listing, and the item at which it stands. */
struct input {
    struct cw_list_cursor *cursor;
    struct cw_list_item item;
    struct cw_str app; /* of the stream: what it is ordered by first */
};

struct merge {
    struct cw_listing listing;
    struct input *heap; /* the least at 0 */
    size_t n;
    /* What was given last. */
    bool any;
    struct cw_hash128 last_id;
    struct cw_buf last_text;
};

static int input_cmp(const struct merge *m, const struct input *a, const struct input *b)
{
    if (m->listing.what != CW_LIST_STREAMS)
        return cw_str_cmp(a->item.text, b->item.text);
    int c = cw_str_cmp(a->app, b->app);
    return c != 0 ? c : cw_labels_cmp(a->item.stream.labels, b->item.stream.labels);
}

static void sift_down(struct merge *m, size_t at)
{
    struct input moved = m->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= m->n)
            break;
        if (child + 1 < m->n && input_cmp(m, &m->heap[child + 1], &m->heap[child]) < 0)
            child++;
        if (input_cmp(m, &m->heap[child], &moved) >= 0)
            break;
        m->heap[at] = m->heap[child];
        at = child;
    }
    m->heap[at] = moved;
}

/* 1 it stands at its next item, 0 it is at its end. */
static int input_next(const struct merge *m, struct input *in, struct cw_err *err)
{
    int rc = cw_list_cursor_next(in->cursor, &in->item, err);
    if (rc > 0 && m->listing.what == CW_LIST_STREAMS)
        in->app = cw_part_stream_app(in->item.stream.labels);
    return rc;
}

static int merge_add(struct merge *m, struct cw_source *source, struct cw_err *err)
{
    struct input *in = &m->heap[m->n];
    int rc = source->ops->list(source, &m->listing, &in->cursor, err);
    if (rc < 0)
        return rc;
    rc = input_next(m, in, err);
    if (rc > 0)
        m->n++;
    else
        cw_list_cursor_close(&in->cursor);
    return rc;
}

static int merge_open(struct merge *m, struct cw_query_context *query,
                      const struct cw_listing *listing, struct cw_err *err)
{
    const struct cw_snapshot *snapshot = query->snapshot;
    *m = (struct merge){.listing = *listing};
    m->listing.stats = &query->stats;
    m->heap = cw_mem_array(snapshot->n + 1, sizeof *m->heap);
    cw_buf_init(&m->last_text, SIZE_MAX);
    for (size_t i = 0; i < snapshot->n; i++) {
        struct cw_source *source = snapshot->sources[i];
        if (source->min_ns >= listing->end_ns || source->max_ns < listing->start_ns)
            continue;
        int rc = cw_query_context_check(query, err);
        if (rc == 0)
            rc = merge_add(m, source, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = m->n / 2; i-- > 0;)
        sift_down(m, i);
    return 0;
}

static void merge_close(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++)
        cw_list_cursor_close(&m->heap[i].cursor);
    free(m->heap);
    cw_buf_fini(&m->last_text);
}

static int merge_advance(struct merge *m, struct cw_err *err)
{
    int rc = input_next(m, &m->heap[0], err);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        cw_list_cursor_close(&m->heap[0].cursor);
        m->heap[0] = m->heap[--m->n];
    }
    if (m->n > 0)
        sift_down(m, 0);
    return 0;
}

/* Is it another one than the last? Equal ones follow each other. */
static bool is_new(struct merge *m, const struct cw_list_item *item)
{
    bool streams = m->listing.what == CW_LIST_STREAMS;
    if (m->any && (streams ? cw_hash128_eq(m->last_id, item->stream.id)
                           : cw_str_eq(cw_buf_str(&m->last_text), item->text)))
        return false;
    m->any = true;
    if (streams) {
        m->last_id = item->stream.id;
    } else {
        cw_buf_clear(&m->last_text);
        cw_buf_adds(&m->last_text, item->text);
    }
    return true;
}

int cw_stream_query_list(struct cw_query_context *query, const struct cw_listing *listing,
                         cw_list_fn fn, void *arg, struct cw_err *err)
{
    struct merge m;
    int rc = merge_open(&m, query, listing, err);
    for (size_t i = 0; rc == 0 && m.n > 0; i++) {
        if (is_new(&m, &m.heap[0].item))
            rc = fn(arg, &m.heap[0].item, err);
        if (rc == 0)
            rc = merge_advance(&m, err);
        if (rc == 0 && i % CHECK_EVERY == 0)
            rc = cw_query_context_check(query, err);
    }
    merge_close(&m);
    return rc == 0 ? cw_query_context_check(query, err) : rc;
}

static int count_stream(void *arg, const struct cw_list_item *item, struct cw_err *err)
{
    uint64_t *n = arg;
    ++*n;
    return 0;
}

int cw_stream_query_stats(struct cw_query_context *query, const struct cw_listing *listing,
                          struct cw_index_stats *out, struct cw_err *err)
{
    const struct cw_selector *selector = listing->nselectors > 0 ? listing->selectors[0] : NULL;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < query->snapshot->n; i++) {
        struct cw_source *source = query->snapshot->sources[i];
        if (source->min_ns >= listing->end_ns || source->max_ns < listing->start_ns)
            continue;
        int rc = cw_query_context_check(query, err);
        if (rc == 0)
            rc = source->ops->stats(source, selector, listing->start_ns, listing->end_ns, out, err);
        if (rc < 0)
            return rc;
    }
    /* A stream that lies in several sources counts once. */
    struct cw_listing streams = *listing;
    streams.what = CW_LIST_STREAMS;
    out->streams = 0;
    return cw_stream_query_list(query, &streams, count_stream, &out->streams, err);
}
