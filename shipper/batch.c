#include "shipper/batch.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/codec.h"
#include "common/base/limits.h"
#include "shipper/batch_streams.h"

/* One batch that took more memory than this beside its bytes does not keep it. */
enum { ARENA_KEEP_FACTOR = 2 };

struct cw_batch *cw_batch_new(const struct cw_batch_options *options)
{
    struct cw_batch *batch = cw_mem_new(sizeof *batch);
    batch->options = *options;
    /* A line that is cut to the limit must fit, and its neighbours too. */
    batch->cap = CW_MAX(CW_MAX(options->bytes, 2 * options->max_line_bytes),
                        (size_t)CW_BATCH_READ_BYTES_MIN);
    batch->bytes = cw_mem_new(batch->cap);
    batch->parts = cw_mem_array(CW_BATCH_SOURCES_MAX, sizeof *batch->parts);
    batch->arena = cw_arena_new();
    batch->streams = cw_batch_streams_new(batch->arena, options->external, options->selector);
    batch->streams->keeps_labels = options->keeps_labels;
    cw_buf_init(&batch->raw, CW_LIMIT_PUSH_RAW_BYTES);
    cw_buf_init(&batch->body, CW_LIMIT_PUSH_RAW_BYTES);
    cw_buf_init(&batch->packed, CW_LIMIT_PUSH_RAW_BYTES);
    return batch;
}

void cw_batch_free(struct cw_batch **batch)
{
    struct cw_batch *b = *batch;
    if (b == NULL)
        return;
    cw_batch_drop(b);
    cw_buf_fini(&b->raw);
    cw_buf_fini(&b->body);
    cw_buf_fini(&b->packed);
    free(b->bytes);
    cw_batch_streams_free(&b->streams);
    cw_arena_free(&b->arena);
    free(b->parts);
    free(b->entries);
    free(b);
    *batch = NULL;
}

void cw_batch_drop(struct cw_batch *batch)
{
    for (size_t i = 0; i < batch->nparts; i++) {
        CW_ASSERT(batch->parts[i].source->nbusy > 0);
        batch->parts[i].source->nbusy--;
    }
    batch->nparts = batch->nentries = 0;
    batch->line_bytes = 0;
    batch->used = batch->ncounted = 0;
    cw_batch_streams_clear(batch->streams);
    cw_arena_reset(batch->arena);
    if (cw_arena_bytes(batch->arena) > ARENA_KEEP_FACTOR * batch->cap) {
        cw_arena_free(&batch->arena);
        batch->arena = batch->streams->arena = cw_arena_new();
    }
}

struct cw_str cw_batch_labels(const struct cw_batch *batch, const struct cw_batch_entry *entry)
{
    return batch->streams->items[entry->stream].text;
}

/* ---- encoding ---- */

/* Entries in the order of their streams; each stream's in the order of the parts. */
static void streams_fill(const struct cw_batch *batch, struct cw_push *push,
                         struct cw_push_entry *entries)
{
    struct cw_push_stream *streams = push->streams;
    const uint32_t nstreams = batch->streams->n;
    struct cw_push_entry *at = entries;
    for (size_t i = 0; i < batch->nentries; i++)
        streams[batch->entries[i].stream].nentries++;
    for (uint32_t i = 0; i < nstreams; i++) {
        streams[i].labels_text = batch->streams->items[i].text;
        streams[i].entries = at;
        at += streams[i].nentries;
        streams[i].nentries = 0;
    }
    for (size_t i = 0; i < batch->nentries; i++) {
        struct cw_push_stream *stream = &streams[batch->entries[i].stream];
        stream->entries[stream->nentries++] = batch->entries[i].push;
    }
    for (uint32_t i = 0; i < nstreams; i++)
        if (streams[i].nentries > 0)
            streams[push->nstreams++] = streams[i];
}

int cw_batch_encode(struct cw_batch *batch, const struct cw_push_delivery *delivery,
                    struct cw_err *err)
{
    struct cw_push push = {
        .delivery = *delivery, .nentries = batch->nentries, .line_bytes = batch->line_bytes};
    struct cw_push_entry *entries = cw_mem_array(batch->nentries + 1, sizeof *entries);
    push.streams = cw_mem_array((size_t)batch->streams->n + 1, sizeof *push.streams);
    push.delivery.ranges = cw_mem_array(batch->nparts + 1, sizeof *push.delivery.ranges);
    push.delivery.nranges = 0;
    streams_fill(batch, &push, entries);
    for (size_t i = 0; i < batch->nparts && delivery->present; i++) {
        const struct cw_batch_part *part = &batch->parts[i];
        push.delivery.ranges[push.delivery.nranges++] =
            (struct cw_push_range){part->source->id, part->generation, part->from, part->to};
    }
    cw_buf_clear(&batch->raw);
    cw_buf_clear(&batch->body);
    cw_push_loki_protobuf_encode(&push, &batch->raw);
    free(entries);
    free(push.streams);
    free(push.delivery.ranges);
    if (cw_buf_failed(&batch->raw))
        return cw_err_set(err, CW_E_TOO_LARGE, "a batch of %zu entries is too large to encode",
                          batch->nentries);
    struct cw_buf *snappy = batch->options.gzip ? &batch->packed : &batch->body;
    cw_buf_clear(snappy);
    int rc = cw_codec_compress(CW_CODEC_SNAPPY, cw_buf_str(&batch->raw), snappy, err);
    if (rc == 0 && batch->options.gzip)
        rc = cw_codec_compress(CW_CODEC_GZIP, cw_buf_str(snappy), &batch->body, err);
    return rc;
}
