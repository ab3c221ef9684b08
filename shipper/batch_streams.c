#include "shipper/batch_streams.h"
#include <stdlib.h>
#include <string.h>
#include "common/base/assert.h"

enum { INDEX_MIN = 64 };

struct cw_batch_streams *cw_batch_streams_new(struct cw_arena *arena, struct cw_labels external,
                                              const struct cw_selector *selector)
{
    struct cw_batch_streams *streams = cw_mem_new(sizeof *streams);
    streams->arena = arena;
    streams->external = external;
    streams->selector = selector;
    cw_buf_init(&streams->text, SIZE_MAX);
    streams->index_size = INDEX_MIN;
    streams->index = cw_mem_array(INDEX_MIN, sizeof *streams->index);
    return streams;
}

void cw_batch_streams_free(struct cw_batch_streams **streams)
{
    if (*streams == NULL)
        return;
    cw_buf_fini(&(*streams)->text);
    free((*streams)->items);
    free((*streams)->index);
    free(*streams);
    *streams = NULL;
}

void cw_batch_streams_clear(struct cw_batch_streams *streams)
{
    memset(streams->index, 0, streams->index_size * sizeof *streams->index);
    streams->n = 0;
}

static void index_put(struct cw_batch_streams *streams, uint32_t item)
{
    uint32_t mask = streams->index_size - 1, at = (uint32_t)streams->items[item].hash.lo & mask;
    while (streams->index[at] != 0)
        at = (at + 1) & mask;
    streams->index[at] = item + 1;
}

static void index_grow(struct cw_batch_streams *streams)
{
    free(streams->index);
    streams->index_size *= 2;
    streams->index = cw_mem_array(streams->index_size, sizeof *streams->index);
    for (uint32_t i = 0; i < streams->n; i++)
        index_put(streams, i);
}

struct cw_labels cw_batch_labels_join(struct cw_arena *arena, struct cw_labels labels,
                                      struct cw_labels external)
{
    if (external.n == 0)
        return labels;
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, labels.n + external.n + 1);
    struct cw_labels joined;
    size_t n = labels.n;
    if (n > 0)
        memcpy(pairs, labels.items, n * sizeof *pairs);
    for (size_t i = 0; i < external.n; i++)
        if (!cw_labels_has(labels, external.items[i].name))
            pairs[n++] = external.items[i];
    int rc = cw_labels_from_pairs(pairs, n, &joined, NULL);
    CW_ASSERT(rc == 0); /* names are unique in both */
    return joined;
}

static struct cw_batch_stream stream_make(struct cw_batch_streams *streams, struct cw_labels labels,
                                          struct cw_hash128 hash)
{
    struct cw_labels joined = cw_batch_labels_join(streams->arena, labels, streams->external);
    struct cw_err err;
    cw_buf_clear(&streams->text);
    cw_labels_format(joined, &streams->text);
    struct cw_batch_stream stream = {.hash = hash,
                                     .text =
                                         cw_arena_dup(streams->arena, cw_buf_str(&streams->text)),
                                     .taken = true};
    if (streams->keeps_labels)
        stream.labels = cw_labels_dup(streams->arena, labels);
    /* A regex that fails at its limit decides nothing: what is in doubt is sent. */
    if (streams->selector != NULL)
        stream.taken = cw_selector_match(streams->selector, joined, &err) != 0;
    return stream;
}

uint32_t cw_batch_streams_of(struct cw_batch_streams *streams, struct cw_labels labels)
{
    struct cw_hash128 hash = cw_labels_hash(labels);
    uint32_t mask = streams->index_size - 1, at = (uint32_t)hash.lo & mask;
    for (; streams->index[at] != 0; at = (at + 1) & mask)
        if (cw_hash128_eq(streams->items[streams->index[at] - 1].hash, hash))
            return streams->index[at] - 1;
    if (streams->n == streams->cap) {
        streams->cap = streams->cap ? 2 * streams->cap : 16;
        streams->items = cw_mem_resize(streams->items, streams->cap * sizeof *streams->items);
    }
    streams->items[streams->n++] = stream_make(streams, labels, hash);
    if (2 * streams->n > streams->index_size)
        index_grow(streams);
    else
        index_put(streams, streams->n - 1);
    return streams->n - 1;
}
