#include "tests/support/mem_source.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/listing.h"

struct mem_entry {
    int64_t ts_ns;
    struct cw_str line;
    struct cw_labels metadata;
};

struct mem_stream {
    struct cw_stream_ref ref;
    struct mem_entry *entries; /* by time, ties as they were added */
    size_t n, cap;
};

struct mem_source {
    struct cw_source base;
    struct mem_store *store;
    struct mem_stream *streams;
    size_t n, cap;
};

struct mem_store {
    struct cw_arena *arena;
    struct mem_source *sources;
    size_t nsources, unit_entries, batch_entries;
    void (*on_next)(void *arg);
    void *on_next_arg;
    struct cw_str lost;
    atomic_size_t opened;
};

struct mem_cursor {
    struct cw_cursor base;
    const struct mem_store *store;
    const struct mem_stream *stream;
    const struct cw_scan *scan;
    size_t first, end, at; /* rows of the unit; `at` counts rows that were looked at */
    int64_t *ts_ns;
    struct cw_str *lines;
    uint32_t *sizes;
    struct cw_labels *metadata;
};

static void labels_of(struct mem_store *store, const char *text, struct cw_labels *out)
{
    struct cw_err err;
    struct cw_str copy = cw_arena_dup(store->arena, cw_str_of(text));
    CW_ASSERT(cw_labels_parse(copy, store->arena, out, &err) == 0);
}

static struct mem_stream *find_stream(struct mem_store *store, struct mem_source *source,
                                      const char *text)
{
    struct cw_labels labels;
    labels_of(store, text, &labels);
    for (size_t i = 0; i < source->n; i++)
        if (cw_labels_eq(source->streams[i].ref.labels, labels))
            return &source->streams[i];
    source->streams = cw_arena_grow(store->arena, source->streams, source->n, &source->cap,
                                    source->n + 1, sizeof *source->streams);
    source->streams[source->n] = (struct mem_stream){.ref = {cw_labels_hash(labels), labels}};
    return &source->streams[source->n++];
}

void mem_store_add(struct mem_store *store, size_t source_idx, const char *labels, int64_t ts_ns,
                   const char *line, const char *metadata)
{
    struct mem_source *source = &store->sources[source_idx];
    struct mem_stream *stream = find_stream(store, source, labels);
    struct mem_entry entry = {.ts_ns = ts_ns, .line = cw_arena_dup(store->arena, cw_str_of(line))};
    if (metadata != NULL)
        labels_of(store, metadata, &entry.metadata);
    stream->entries = cw_arena_grow(store->arena, stream->entries, stream->n, &stream->cap,
                                    stream->n + 1, sizeof *stream->entries);
    size_t at = stream->n++;
    for (; at > 0 && stream->entries[at - 1].ts_ns > ts_ns; at--)
        stream->entries[at] = stream->entries[at - 1];
    stream->entries[at] = entry;
    source->base.min_ns = CW_MIN(source->base.min_ns, ts_ns);
    source->base.max_ns = CW_MAX(source->base.max_ns, ts_ns);
}

static int keeps(const struct cw_scan *scan, struct cw_str lost, const struct mem_entry *entry,
                 struct cw_err *err)
{
    if (entry->ts_ns < scan->start_ns || entry->ts_ns >= scan->end_ns)
        return 0;
    if ((scan->need & CW_NEED_LINES) != 0 && lost.ptr != NULL && cw_str_eq(entry->line, lost))
        return 0;
    for (size_t i = 0; i < scan->nfilters; i++) {
        int rc = cw_line_filter_match(scan->filters[i], entry->line, err);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

static int cursor_next(struct cw_cursor *base, struct cw_entry_batch *out, struct cw_err *err)
{
    struct mem_cursor *cursor = CW_CONTAINER_OF(base, struct mem_cursor, base);
    const struct mem_store *store = cursor->store;
    size_t n = 0;
    if (store->on_next != NULL)
        store->on_next(store->on_next_arg);
    if (cursor->scan->cancel != NULL && atomic_load(cursor->scan->cancel))
        return cw_err_set(err, CW_E_CANCELED, "cancelled");
    while (n < store->batch_entries && cursor->at < cursor->end - cursor->first) {
        size_t row =
            cursor->scan->newest_first ? cursor->end - 1 - cursor->at : cursor->first + cursor->at;
        const struct mem_entry *entry = &cursor->stream->entries[row];
        cursor->at++;
        int rc = keeps(cursor->scan, store->lost, entry, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        cursor->ts_ns[n] = entry->ts_ns;
        cursor->lines[n] = entry->line;
        cursor->sizes[n] = (uint32_t)entry->line.len;
        cursor->metadata[n++] = entry->metadata;
    }
    *out = (struct cw_entry_batch){.stream = cursor->stream->ref,
                                   .n = n,
                                   .ts_ns = cursor->ts_ns,
                                   .lines = cursor->lines,
                                   .sizes = cursor->sizes,
                                   .metadata = cursor->metadata};
    return n > 0;
}

static void cursor_close(struct cw_cursor *base)
{
    struct mem_cursor *cursor = CW_CONTAINER_OF(base, struct mem_cursor, base);
    free(cursor->ts_ns);
    free(cursor->lines);
    free(cursor->sizes);
    free(cursor->metadata);
    free(cursor);
}

static const struct cw_cursor_ops cursor_ops = {cursor_next, cursor_close};

static int source_plan(struct cw_source *base, const struct cw_scan *scan, struct cw_units *out,
                       struct cw_err *err)
{
    struct mem_source *source = CW_CONTAINER_OF(base, struct mem_source, base);
    for (size_t i = 0; i < source->n; i++) {
        const struct mem_stream *stream = &source->streams[i];
        int rc =
            scan->selector != NULL ? cw_selector_match(scan->selector, stream->ref.labels, err) : 1;
        if (rc < 0)
            return rc;
        for (size_t at = 0; rc > 0 && at < stream->n; at += source->store->unit_entries) {
            size_t last = CW_MIN(at + source->store->unit_entries, stream->n) - 1;
            struct cw_unit unit = {.source = base,
                                   .key = (uint64_t)i << 32 | at,
                                   .min_ns = stream->entries[at].ts_ns,
                                   .max_ns = stream->entries[last].ts_ns,
                                   .bytes = 1};
            if (unit.min_ns < scan->end_ns && unit.max_ns >= scan->start_ns)
                cw_units_add(out, unit);
        }
    }
    return 0;
}

static int source_open(struct cw_source *base, const struct cw_scan *scan,
                       const struct cw_unit *unit, struct cw_cursor **out, struct cw_err *err)
{
    struct mem_source *source = CW_CONTAINER_OF(base, struct mem_source, base);
    struct mem_store *store = source->store;
    const struct mem_stream *stream = &source->streams[unit->key >> 32];
    struct mem_cursor *cursor = cw_mem_new(sizeof *cursor);
    *cursor = (struct mem_cursor){.base = {&cursor_ops},
                                  .store = store,
                                  .stream = stream,
                                  .scan = scan,
                                  .first = (uint32_t)unit->key};
    cursor->end = CW_MIN(cursor->first + store->unit_entries, stream->n);
    cursor->ts_ns = cw_mem_array(store->batch_entries, sizeof *cursor->ts_ns);
    cursor->lines = cw_mem_array(store->batch_entries, sizeof *cursor->lines);
    cursor->sizes = cw_mem_array(store->batch_entries, sizeof *cursor->sizes);
    cursor->metadata = cw_mem_array(store->batch_entries, sizeof *cursor->metadata);
    atomic_fetch_add(&store->opened, 1);
    *out = &cursor->base;
    return 0;
}

static int source_list(struct cw_source *base, const struct cw_listing *listing,
                       struct cw_list_cursor **out, struct cw_err *err)
{
    struct mem_source *source = CW_CONTAINER_OF(base, struct mem_source, base);
    struct cw_stream_ref *streams = cw_mem_array(source->n + 1, sizeof *streams);
    size_t n = 0;
    for (size_t i = 0; i < source->n; i++) {
        const struct mem_stream *stream = &source->streams[i];
        if (stream->entries[0].ts_ns >= listing->end_ns ||
            stream->entries[stream->n - 1].ts_ns < listing->start_ns)
            continue;
        int rc = cw_listing_match(listing, stream->ref.labels, err);
        if (rc < 0) {
            free(streams);
            return rc;
        }
        if (rc > 0)
            streams[n++] = stream->ref;
    }
    return cw_list_cursor_of(listing, streams, n, out, err);
}

static int source_stats(struct cw_source *base, const struct cw_selector *selector,
                        int64_t start_ns, int64_t end_ns, struct cw_index_stats *out,
                        struct cw_err *err)
{
    struct mem_source *source = CW_CONTAINER_OF(base, struct mem_source, base);
    for (size_t i = 0; i < source->n; i++) {
        const struct mem_stream *stream = &source->streams[i];
        if (selector != NULL && cw_selector_match(selector, stream->ref.labels, err) <= 0)
            continue;
        out->streams++;
        out->chunks++;
        for (size_t k = 0; k < stream->n; k++) {
            if (stream->entries[k].ts_ns < start_ns || stream->entries[k].ts_ns >= end_ns)
                continue;
            out->entries++;
            out->bytes += stream->entries[k].line.len;
        }
    }
    return 0;
}

static void source_destroy(struct cw_source *base)
{
    (void)base; /* the store owns it */
}

static const struct cw_source_ops source_ops = {source_plan, source_open, source_list, source_stats,
                                                source_destroy};

static int store_snapshot(void *ctx, struct cw_str tenant, struct cw_snapshot *out,
                          struct cw_err *err)
{
    struct mem_store *store = ctx;
    out->sources = cw_mem_array(store->nsources, sizeof *out->sources);
    out->n = store->nsources;
    for (size_t i = 0; i < store->nsources; i++)
        out->sources[i] = cw_source_ref(&store->sources[i].base);
    return 0;
}

static struct cw_str store_warning(void *ctx)
{
    return CW_STR_NONE;
}

struct cw_entry_store mem_store_entry_store(struct mem_store *store)
{
    return (struct cw_entry_store){store, store_snapshot, store_warning};
}

void mem_store_on_next(struct mem_store *store, void (*fn)(void *arg), void *arg)
{
    store->on_next = fn;
    store->on_next_arg = arg;
}

void mem_store_lose(struct mem_store *store, const char *line)
{
    store->lost = cw_arena_dup(store->arena, cw_str_of(line));
}

size_t mem_store_opened(const struct mem_store *store)
{
    return atomic_load(&store->opened);
}

struct mem_store *mem_store_new(size_t nsources, size_t unit_entries, size_t batch_entries)
{
    struct mem_store *store = cw_mem_new(sizeof *store);
    store->arena = cw_arena_new();
    store->sources = cw_mem_array(nsources, sizeof *store->sources);
    store->nsources = nsources;
    store->unit_entries = unit_entries;
    store->batch_entries = batch_entries;
    for (size_t i = 0; i < nsources; i++) {
        store->sources[i].base =
            (struct cw_source){.ops = &source_ops, .min_ns = INT64_MAX, .max_ns = INT64_MIN};
        atomic_store(&store->sources[i].base.refs, 1);
        store->sources[i].store = store;
    }
    return store;
}

void mem_store_free(struct mem_store **store)
{
    if (*store == NULL)
        return;
    cw_arena_free(&(*store)->arena);
    free((*store)->sources);
    free(*store);
    *store = NULL;
}
