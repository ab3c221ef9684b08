/*
 * push_loki_protobuf_encode.c - the writing side of push_loki_protobuf.c; the messages are drawn there.
 * Sizes are computed before bytes are written, so that nothing is moved.
 */
#include "common/wire/push.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

enum {
    WIRE_VARINT = 0,
    WIRE_BYTES = 2,
    ID_BYTES = 16,
};

#define TAG(number, wire) (((uint64_t)(number) << 3) | (wire))

static size_t varint_size(uint64_t value)
{
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

static uint8_t *put_varint(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* Tag, length and bytes of a field; the tag's number is below 16 unless it is said. */
static size_t bytes_size(size_t len)
{
    return 1 + varint_size(len) + len;
}

static uint8_t *put_head(uint8_t *at, uint32_t number, size_t len)
{
    at = put_varint(at, TAG(number, WIRE_BYTES));
    return put_varint(at, len);
}

static uint8_t *put_bytes(uint8_t *at, uint32_t number, const void *bytes, size_t len)
{
    at = put_head(at, number, len);
    if (len > 0)
        memcpy(at, bytes, len);
    return at + len;
}

/* A number field; protobuf leaves out zeros. */
static size_t number_size(uint64_t value)
{
    return value == 0 ? 0 : 1 + varint_size(value);
}

static uint8_t *put_number(uint8_t *at, uint32_t number, uint64_t value)
{
    if (value == 0)
        return at;
    at = put_varint(at, TAG(number, WIRE_VARINT));
    return put_varint(at, value);
}

/* Seconds and nanoseconds with 0 <= nanos < 1e9, before 1970 too. */
static void split_time(int64_t ts_ns, uint64_t *seconds, uint64_t *nanos)
{
    int64_t s = ts_ns / CW_NS_PER_S, n = ts_ns % CW_NS_PER_S;
    if (n < 0) {
        n += CW_NS_PER_S;
        s--;
    }
    *seconds = (uint64_t)s;
    *nanos = (uint64_t)n;
}

static size_t timestamp_size(int64_t ts_ns)
{
    uint64_t seconds, nanos;
    split_time(ts_ns, &seconds, &nanos);
    return number_size(seconds) + number_size(nanos);
}

static size_t pair_size(const struct cw_label *pair)
{
    return bytes_size(pair->name.len) + bytes_size(pair->value.len);
}

static size_t entry_size(const struct cw_push_entry *entry)
{
    size_t size = bytes_size(timestamp_size(entry->ts_ns)) + bytes_size(entry->line.len);
    for (uint32_t i = 0; i < entry->nmetadata; i++)
        size += bytes_size(pair_size(&entry->metadata[i]));
    return size;
}

static uint8_t *put_entry(uint8_t *at, const struct cw_push_entry *entry)
{
    uint64_t seconds, nanos;
    split_time(entry->ts_ns, &seconds, &nanos);
    at = put_head(at, 2, entry_size(entry));
    at = put_head(at, 1, number_size(seconds) + number_size(nanos));
    at = put_number(at, 1, seconds);
    at = put_number(at, 2, nanos);
    at = put_bytes(at, 2, entry->line.ptr, entry->line.len);
    for (uint32_t i = 0; i < entry->nmetadata; i++) {
        const struct cw_label *pair = &entry->metadata[i];
        at = put_head(at, 3, pair_size(pair));
        at = put_bytes(at, 1, pair->name.ptr, pair->name.len);
        at = put_bytes(at, 2, pair->value.ptr, pair->value.len);
    }
    return at;
}

static size_t stream_size(const struct cw_push_stream *stream)
{
    size_t size = bytes_size(stream->labels_text.len);
    for (size_t i = 0; i < stream->nentries; i++)
        size += bytes_size(entry_size(&stream->entries[i]));
    return size;
}

static void encode_stream(const struct cw_push_stream *stream, struct cw_buf *out)
{
    size_t size = stream_size(stream);
    uint8_t *start = (uint8_t *)cw_buf_reserve(out, bytes_size(size));
    if (start == NULL)
        return; /* over the buffer's cap, which it remembers */
    uint8_t *at = put_head(start, 1, size);
    at = put_bytes(at, 1, stream->labels_text.ptr, stream->labels_text.len);
    for (size_t i = 0; i < stream->nentries; i++)
        at = put_entry(at, &stream->entries[i]);
    CW_ASSERT((size_t)(at - start) == bytes_size(size));
    out->len += bytes_size(size);
}

static size_t range_size(const struct cw_push_range *range)
{
    return bytes_size(ID_BYTES) + number_size(range->generation) + number_size(range->from) +
           number_size(range->to);
}

static uint8_t *put_range(uint8_t *at, uint32_t number, const struct cw_push_range *range)
{
    at = put_head(at, number, range_size(range));
    at = put_bytes(at, 1, range->source.bytes, ID_BYTES);
    at = put_number(at, 2, range->generation);
    at = put_number(at, 3, range->from);
    return put_number(at, 4, range->to);
}

/* A Confirm is a Range without `to`. */
static struct cw_push_range confirm_range(const struct cw_push_confirm *confirm)
{
    return (struct cw_push_range){confirm->source, confirm->generation, confirm->offset, 0};
}

static void encode_delivery(const struct cw_push_delivery *delivery, struct cw_buf *out)
{
    size_t size = 2 * bytes_size(ID_BYTES);
    for (size_t i = 0; i < delivery->nranges; i++)
        size += bytes_size(range_size(&delivery->ranges[i]));
    for (size_t i = 0; i < delivery->nconfirms; i++) {
        struct cw_push_range range = confirm_range(&delivery->confirms[i]);
        size += bytes_size(range_size(&range));
    }
    size_t all = varint_size(TAG(1000, WIRE_BYTES)) + varint_size(size) + size;
    uint8_t *start = (uint8_t *)cw_buf_reserve(out, all);
    if (start == NULL)
        return;
    uint8_t *at = put_head(start, 1000, size);
    at = put_bytes(at, 1, delivery->shipper.bytes, ID_BYTES);
    at = put_bytes(at, 2, delivery->session.bytes, ID_BYTES);
    for (size_t i = 0; i < delivery->nranges; i++)
        at = put_range(at, 3, &delivery->ranges[i]);
    for (size_t i = 0; i < delivery->nconfirms; i++) {
        struct cw_push_range range = confirm_range(&delivery->confirms[i]);
        at = put_range(at, 4, &range);
    }
    CW_ASSERT((size_t)(at - start) == all);
    out->len += all;
}

void cw_push_loki_protobuf_encode(const struct cw_push *push, struct cw_buf *out)
{
    for (size_t i = 0; i < push->nstreams; i++)
        encode_stream(&push->streams[i], out);
    if (push->delivery.present)
        encode_delivery(&push->delivery, out);
}
