#include "querier/engine/stream_query.h"

#include <stdlib.h>
#include <string.h>

#include "querier/engine/id_map.h"

/* Streams of all sources, each once; `visit` sees the new ones. */
struct collector {
    struct cw_query_context *query;
    struct cw_arena *arena;
    struct cw_id_map streams, texts;
    size_t taken; /* from the allowance, for the maps */
    void (*visit)(struct collector *collector, struct cw_labels labels);
    struct cw_str name;
    struct cw_str *names;
    struct cw_labels *sets;
    size_t n, cap;
    struct cw_err err; /* why there is no room for another stream */
};

static void collector_fini(struct collector *collector)
{
    cw_allowance_give(&collector->query->allowance, collector->taken);
    cw_id_map_fini(&collector->streams);
    cw_id_map_fini(&collector->texts);
}

static void add_text(struct collector *collector, struct cw_str text)
{
    bool added;
    cw_id_map_put(&collector->texts, cw_hash128(text.ptr, text.len), &added);
    if (!added)
        return;
    collector->names = cw_arena_grow(collector->arena, collector->names, collector->n,
                                     &collector->cap, collector->n + 1, sizeof *collector->names);
    collector->names[collector->n++] = cw_arena_dup(collector->arena, text);
}

static void visit_names(struct collector *collector, struct cw_labels labels)
{
    for (size_t i = 0; i < labels.n; i++)
        add_text(collector, labels.items[i].name);
}

static void visit_value(struct collector *collector, struct cw_labels labels)
{
    if (cw_labels_has(labels, collector->name))
        add_text(collector, cw_labels_get(labels, collector->name));
}

static void visit_series(struct collector *collector, struct cw_labels labels)
{
    collector->sets = cw_arena_grow(collector->arena, collector->sets, collector->n,
                                    &collector->cap, collector->n + 1, sizeof *collector->sets);
    collector->sets[collector->n++] = cw_labels_dup(collector->arena, labels);
}

static void visit_nothing(struct collector *collector, struct cw_labels labels)
{
}

/* Room for one more stream in the maps, and was there room for the texts of those before? */
static int collector_take(struct collector *collector, struct cw_err *err)
{
    struct cw_allowance *allowance = &collector->query->allowance;
    int rc = collector->arena != NULL ? cw_allowance_check(allowance, collector->arena, err) : 0;
    if (rc == 0)
        rc = cw_allowance_take(allowance, 2 * CW_ID_MAP_ENTRY_BYTES, err);
    if (rc == 0)
        collector->taken += 2 * CW_ID_MAP_ENTRY_BYTES;
    return rc;
}

static int on_stream(void *arg, const struct cw_stream_ref *stream)
{
    struct collector *collector = arg;
    bool added;
    cw_id_map_put(&collector->streams, stream->id, &added);
    if (added) {
        int rc = collector_take(collector, &collector->err);
        if (rc < 0)
            return rc;
        collector->visit(collector, stream->labels);
    }
    return cw_query_context_poll(collector->query) ? 1 : 0;
}

static int collect_selector(struct collector *collector, const struct cw_stream_range *range,
                            const struct cw_selector *selector, struct cw_err *err)
{
    const struct cw_snapshot *snapshot = collector->query->snapshot;
    for (size_t i = 0; i < snapshot->n; i++) {
        struct cw_source *source = snapshot->sources[i];
        if (source->min_ns >= range->end_ns || source->max_ns < range->start_ns)
            continue;
        int rc = cw_query_context_check(collector->query, err);
        if (rc == 0)
            rc = source->ops->streams(source, selector, range->start_ns, range->end_ns, on_stream,
                                      collector, err);
        if (rc < 0 && collector->err.code == rc)
            return cw_err_set(err, rc, "%s", collector->err.text);
        if (rc < 0)
            return rc;
    }
    return cw_query_context_check(collector->query, err);
}

static int collect(struct collector *collector, const struct cw_stream_range *range,
                   struct cw_err *err)
{
    cw_id_map_init(&collector->streams);
    cw_id_map_init(&collector->texts);
    if (range->nselectors == 0)
        return collect_selector(collector, range, NULL, err);
    for (size_t i = 0; i < range->nselectors; i++) {
        int rc = collect_selector(collector, range, range->selectors[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return cw_str_cmp(*(const struct cw_str *)a, *(const struct cw_str *)b);
}

static int by_labels(const void *a, const void *b)
{
    return cw_labels_cmp(*(const struct cw_labels *)a, *(const struct cw_labels *)b);
}

static int collect_texts(struct collector *collector, const struct cw_stream_range *range,
                         struct cw_names *out, struct cw_err *err)
{
    int rc = collect(collector, range, err);
    if (collector->n > 1)
        qsort(collector->names, collector->n, sizeof *collector->names, by_text);
    *out = (struct cw_names){collector->names, collector->n};
    collector_fini(collector);
    return rc;
}

int cw_stream_query_names(struct cw_query_context *query, const struct cw_stream_range *range,
                          struct cw_arena *arena, struct cw_names *out, struct cw_err *err)
{
    struct collector collector = {.query = query, .arena = arena, .visit = visit_names};
    return collect_texts(&collector, range, out, err);
}

int cw_stream_query_values(struct cw_query_context *query, const struct cw_stream_range *range,
                           struct cw_str name, struct cw_arena *arena, struct cw_names *out,
                           struct cw_err *err)
{
    struct collector collector = {
        .query = query, .arena = arena, .visit = visit_value, .name = name};
    return collect_texts(&collector, range, out, err);
}

int cw_stream_query_series(struct cw_query_context *query, const struct cw_stream_range *range,
                           struct cw_arena *arena, struct cw_label_sets *out, struct cw_err *err)
{
    struct collector collector = {.query = query, .arena = arena, .visit = visit_series};
    int rc = collect(&collector, range, err);
    if (collector.n > 1)
        qsort(collector.sets, collector.n, sizeof *collector.sets, by_labels);
    *out = (struct cw_label_sets){collector.sets, collector.n};
    collector_fini(&collector);
    return rc;
}

int cw_stream_query_stats(struct cw_query_context *query, const struct cw_stream_range *range,
                          struct cw_index_stats *out, struct cw_err *err)
{
    const struct cw_selector *selector = range->nselectors > 0 ? range->selectors[0] : NULL;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < query->snapshot->n; i++) {
        struct cw_source *source = query->snapshot->sources[i];
        if (source->min_ns >= range->end_ns || source->max_ns < range->start_ns)
            continue;
        int rc = cw_query_context_check(query, err);
        if (rc == 0)
            rc = source->ops->stats(source, selector, range->start_ns, range->end_ns, out, err);
        if (rc < 0)
            return rc;
    }
    /* A stream that lies in several sources counts once. */
    struct collector collector = {.query = query, .visit = visit_nothing};
    int rc = collect(&collector, range, err);
    out->streams = collector.streams.n;
    collector_fini(&collector);
    return rc;
}
