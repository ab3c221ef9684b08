/*
 * push_loki_protobuf.c - Loki's logproto.PushRequest, and cordwood's Delivery beside it (see push.h).
 *
 *   PushRequest { repeated Stream streams = 1; Delivery delivery = 1000; }
 *   Stream      { string labels = 1; repeated Entry entries = 2; uint64 hash = 3 (ignored); }
 *   Entry       { Timestamp timestamp = 1; string line = 2; repeated Pair structuredMetadata = 3; }
 *   Timestamp   { int64 seconds = 1; int32 nanos = 2; }
 *   Pair        { string name = 1; string value = 2; }
 *
 * Decoding is the hot path of ingest: streams and entries are counted before they are read, so that each array is
 * allocated once, and no text is touched at all.
 */
#include "common/wire/push.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/wire/protobuf_reader.h"

enum {
    REQUEST_STREAMS = 1,
    REQUEST_DELIVERY = 1000,
    STREAM_LABELS = 1,
    STREAM_ENTRIES = 2,
    ENTRY_TIMESTAMP = 1,
    ENTRY_LINE = 2,
    ENTRY_METADATA = 3,
    TIMESTAMP_SECONDS = 1,
    TIMESTAMP_NANOS = 2,
    PAIR_NAME = 1,
    PAIR_VALUE = 2,
    DELIVERY_SHIPPER = 1,
    DELIVERY_SESSION = 2,
    DELIVERY_RANGES = 3,
    DELIVERY_CONFIRMS = 4,
    RANGE_SOURCE = 1, /* of Confirm too, and generation */
    RANGE_GENERATION = 2,
    RANGE_FROM = 3, /* Confirm: offset */
    RANGE_TO = 4,
};

struct decoder {
    struct cw_arena *arena;
    struct cw_push *push;
    size_t nmetadata; /* over all entries */
    struct cw_err *err;
};

/* How often the field of bytes `number` stands in the message; a broken one is found when it is read. */
static size_t count_fields(struct cw_str message, uint32_t number)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    size_t n = 0;
    while (cw_protobuf_next(&reader, &field) == CW_PROTOBUF_FIELD)
        n += field.number == number && field.wire == CW_PROTOBUF_BYTES;
    return n;
}

static int too_many(struct cw_err *err, const char *what, size_t limit)
{
    return cw_err_set(err, CW_E_TOO_LARGE, "push has more than %zu %s", limit, what);
}

static int decode_timestamp(struct decoder *d, struct cw_str message, int64_t *out)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    int64_t seconds = 0;
    int32_t nanos = 0;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.wire != CW_PROTOBUF_VARINT)
            continue;
        if (field.number == TIMESTAMP_SECONDS)
            seconds = (int64_t)field.value;
        else if (field.number == TIMESTAMP_NANOS)
            nanos = (int32_t)field.value;
    }
    if (step == CW_PROTOBUF_BAD)
        return cw_protobuf_error("timestamp", d->err);
    if (nanos < 0 || nanos >= CW_NS_PER_S)
        return cw_err_set(d->err, CW_E_INVALID, "timestamp: nanos not in range [0, 1e9): %d",
                          (int)nanos);
    /* Just before the least time the product alone does not fit, but the sum does. */
    __int128 ts_ns = (__int128)seconds * CW_NS_PER_S + nanos;
    if (ts_ns <= CW_PUSH_TS_NONE || ts_ns > INT64_MAX) {
        return cw_err_set(d->err, CW_E_INVALID,
                          "timestamp: %lld seconds do not fit 64 bits of nanoseconds",
                          (long long)seconds);
    }
    *out = (int64_t)ts_ns;
    return 0;
}

static int decode_pair(struct decoder *d, struct cw_str message, struct cw_label *out)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    *out = (struct cw_label){CW_STR_NONE, CW_STR_NONE};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        if (field.number == PAIR_NAME)
            out->name = field.bytes;
        else if (field.number == PAIR_VALUE)
            out->value = field.bytes;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("structured metadata", d->err) : 0;
}

static int decode_metadata(struct decoder *d, struct cw_str message, size_t n,
                           struct cw_push_entry *entry)
{
    d->nmetadata += n;
    if (d->nmetadata > CW_LIMIT_PUSH_METADATA)
        return too_many(d->err, "pairs of structured metadata", CW_LIMIT_PUSH_METADATA);
    struct cw_label *pairs = cw_arena_alloc(d->arena, n * sizeof *pairs);
    if (cw_arena_refused(d->arena) < 0)
        return cw_arena_refused(d->arena);
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    size_t i = 0;
    while (cw_protobuf_next(&reader, &field) == CW_PROTOBUF_FIELD) {
        if (field.number != ENTRY_METADATA || field.wire != CW_PROTOBUF_BYTES)
            continue;
        CW_ASSERT(i < n);
        int rc = decode_pair(d, field.bytes, &pairs[i++]);
        if (rc < 0)
            return rc;
    }
    entry->metadata = pairs;
    entry->nmetadata = (uint32_t)n;
    return 0;
}

static int decode_entry(struct decoder *d, struct cw_str message, struct cw_push_entry *entry)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    size_t nmetadata = 0;
    *entry = (struct cw_push_entry){.ts_ns = CW_PUSH_TS_NONE};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        if (field.number == ENTRY_LINE) {
            entry->line = field.bytes;
        } else if (field.number == ENTRY_TIMESTAMP) {
            int rc = decode_timestamp(d, field.bytes, &entry->ts_ns);
            if (rc < 0)
                return rc;
        } else if (field.number == ENTRY_METADATA) {
            nmetadata++;
        }
    }
    if (step == CW_PROTOBUF_BAD)
        return cw_protobuf_error("entry", d->err);
    d->push->line_bytes += entry->line.len;
    return nmetadata > 0 ? decode_metadata(d, message, nmetadata, entry) : 0;
}

static int decode_stream(struct decoder *d, struct cw_str message, struct cw_push_stream *stream)
{
    *stream = (struct cw_push_stream){.nentries = count_fields(message, STREAM_ENTRIES)};
    d->push->nentries += stream->nentries;
    if (d->push->nentries > CW_LIMIT_PUSH_ENTRIES)
        return too_many(d->err, "entries", CW_LIMIT_PUSH_ENTRIES);
    stream->entries = cw_arena_alloc(d->arena, stream->nentries * sizeof *stream->entries);
    if (cw_arena_refused(d->arena) < 0)
        return cw_arena_refused(d->arena);

    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    size_t i = 0;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        if (field.number == STREAM_ENTRIES) {
            int rc = decode_entry(d, field.bytes, &stream->entries[i++]);
            if (rc < 0)
                return rc;
        } else if (field.number == STREAM_LABELS) {
            stream->labels_text = field.bytes;
        }
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("stream", d->err) : 0;
}

static int decode_id(struct decoder *d, struct cw_str bytes, struct cw_id128 *out, const char *what)
{
    if (bytes.len != sizeof out->bytes)
        return cw_err_set(d->err, CW_E_INVALID, "delivery: %s has %zu bytes, not 16", what,
                          bytes.len);
    memcpy(out->bytes, bytes.ptr, sizeof out->bytes);
    return 0;
}

/* Range and Confirm have the same beginning; a Confirm's offset lands in `from`. */
static int decode_range(struct decoder *d, struct cw_str message, struct cw_push_range *out)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    bool has_source = false;
    *out = (struct cw_push_range){0};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.number == RANGE_SOURCE && field.wire == CW_PROTOBUF_BYTES) {
            int rc = decode_id(d, field.bytes, &out->source, "source");
            if (rc < 0)
                return rc;
            has_source = true;
        } else if (field.wire == CW_PROTOBUF_VARINT) {
            if (field.number == RANGE_GENERATION)
                out->generation = field.value;
            else if (field.number == RANGE_FROM)
                out->from = field.value;
            else if (field.number == RANGE_TO)
                out->to = field.value;
        }
    }
    if (step == CW_PROTOBUF_BAD)
        return cw_protobuf_error("delivery", d->err);
    if (!has_source)
        return cw_err_set(d->err, CW_E_INVALID, "delivery: a range has no source");
    return 0;
}

static int decode_range_or_confirm(struct decoder *d, const struct cw_protobuf_field *field)
{
    struct cw_push_delivery *delivery = &d->push->delivery;
    struct cw_push_range range;
    int rc = decode_range(d, field->bytes, &range);
    if (rc < 0)
        return rc;
    if (field->number == DELIVERY_CONFIRMS) {
        delivery->confirms[delivery->nconfirms++] =
            (struct cw_push_confirm){range.source, range.generation, range.from};
        return 0;
    }
    if (range.from >= range.to) {
        return cw_err_set(d->err, CW_E_INVALID, "delivery: range [%llu, %llu) is empty",
                          (unsigned long long)range.from, (unsigned long long)range.to);
    }
    delivery->ranges[delivery->nranges++] = range;
    return 0;
}

static int decode_delivery(struct decoder *d, struct cw_str message)
{
    struct cw_push_delivery *delivery = &d->push->delivery;
    if (delivery->present)
        return cw_err_set(d->err, CW_E_INVALID, "delivery: given twice");
    size_t nranges = count_fields(message, DELIVERY_RANGES);
    size_t nconfirms = count_fields(message, DELIVERY_CONFIRMS);
    if (nranges > CW_LIMIT_PUSH_SOURCES || nconfirms > CW_LIMIT_PUSH_SOURCES)
        return too_many(d->err, "sources", CW_LIMIT_PUSH_SOURCES);
    delivery->present = true;
    delivery->ranges = CW_ARENA_ARRAY(d->arena, struct cw_push_range, nranges);
    delivery->confirms = CW_ARENA_ARRAY(d->arena, struct cw_push_confirm, nconfirms);

    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    bool has_shipper = false, has_session = false;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        int rc = 0;
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        if (field.number == DELIVERY_SHIPPER) {
            rc = decode_id(d, field.bytes, &delivery->shipper, "shipper");
            has_shipper = true;
        } else if (field.number == DELIVERY_SESSION) {
            rc = decode_id(d, field.bytes, &delivery->session, "session");
            has_session = true;
        } else if (field.number == DELIVERY_RANGES || field.number == DELIVERY_CONFIRMS) {
            rc = decode_range_or_confirm(d, &field);
        }
        if (rc < 0)
            return rc;
    }
    if (step == CW_PROTOBUF_BAD)
        return cw_protobuf_error("delivery", d->err);
    if (!has_shipper || !has_session)
        return cw_err_set(d->err, CW_E_INVALID, "delivery: shipper or session is missing");
    return 0;
}

int cw_push_loki_protobuf_decode(struct cw_str body, struct cw_arena *arena, struct cw_push *out,
                                 struct cw_err *err)
{
    struct decoder d = {.arena = arena, .push = out, .err = err};
    size_t nstreams = count_fields(body, REQUEST_STREAMS);
    *out = (struct cw_push){0};
    if (nstreams > CW_LIMIT_PUSH_STREAMS)
        return too_many(err, "streams", CW_LIMIT_PUSH_STREAMS);
    out->streams = cw_arena_alloc(arena, nstreams * sizeof *out->streams);
    if (cw_arena_refused(arena) < 0)
        return cw_arena_refused(arena);

    struct cw_protobuf_reader reader = cw_protobuf_reader_make(body);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        int rc = 0;
        if (field.wire != CW_PROTOBUF_BYTES)
            continue;
        if (field.number == REQUEST_STREAMS)
            rc = decode_stream(&d, field.bytes, &out->streams[out->nstreams++]);
        else if (field.number == REQUEST_DELIVERY)
            rc = decode_delivery(&d, field.bytes);
        if (rc < 0)
            return rc;
    }
    return step == CW_PROTOBUF_BAD ? cw_protobuf_error("push request", err) : 0;
}
