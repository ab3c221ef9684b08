#include "shipper/forward_message.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/wire/push.h"
#include "shipper/msgpack_reader.h"

struct decoding {
    struct cw_arena *arena;
    struct cw_forward_message *out;
    size_t cap;
    struct cw_err *err;
};

static int bad(struct decoding *decoding, const char *what)
{
    return cw_err_set(decoding->err, CW_E_INVALID, "no forward message: %s", what);
}

static int take(struct decoding *decoding, struct cw_str *bytes, struct cw_msgpack_value *value)
{
    int rc = cw_msgpack_next(bytes, value, decoding->err);
    return rc == 0 ? bad(decoding, "it ends too early") : rc;
}

static int skip(struct decoding *decoding, struct cw_str *bytes)
{
    struct cw_msgpack_walk walk = {0};
    int rc = cw_msgpack_measure(*bytes, &walk, decoding->err);
    if (rc <= 0)
        return rc == 0 ? bad(decoding, "it ends too early") : rc;
    *bytes = cw_str_sub(*bytes, walk.at, bytes->len);
    return 1;
}

static int64_t seconds_ns(int64_t seconds, int64_t ns)
{
    int64_t out;
    if (__builtin_mul_overflow(seconds, CW_NS_PER_S, &out) || __builtin_add_overflow(out, ns, &out))
        return CW_PUSH_TS_NONE;
    return out;
}

static uint32_t u32_at(const char *at)
{
    const uint8_t *b = (const uint8_t *)at;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* A time whose value was taken. */
static int time_read(struct decoding *decoding, struct cw_str *bytes,
                     const struct cw_msgpack_value *value, int64_t *out)
{
    struct cw_msgpack_value inner;
    switch (value->kind) {
    case CW_MSGPACK_INT:
    case CW_MSGPACK_UINT:
        *out = value->number < 0 && value->kind == CW_MSGPACK_UINT ? CW_PUSH_TS_NONE
                                                                   : seconds_ns(value->number, 0);
        return 1;
    case CW_MSGPACK_FLOAT:
        *out = value->real > -9e9 && value->real < 9e9 ? (int64_t)(value->real * 1e9)
                                                       : CW_PUSH_TS_NONE;
        return 1;
    case CW_MSGPACK_EXT:
        if (value->number != 0 || value->bytes.len != 8)
            break;
        *out = seconds_ns(u32_at(value->bytes.ptr), u32_at(value->bytes.ptr + 4));
        return 1;
    case CW_MSGPACK_ARRAY: { /* [time, metadata] */
        int rc = value->n == 2 ? take(decoding, bytes, &inner) : bad(decoding, "its time");
        if (rc > 0 && inner.kind == CW_MSGPACK_ARRAY)
            rc = bad(decoding, "its time");
        if (rc > 0)
            rc = time_read(decoding, bytes, &inner, out);
        return rc > 0 ? skip(decoding, bytes) : rc;
    }
    default: break;
    }
    return bad(decoding, "its time");
}

/* The text of a record that is nothing else. */
static bool single_text(struct cw_str bytes, struct cw_str *out)
{
    struct cw_msgpack_value map, key, value;
    if (cw_msgpack_next(&bytes, &map, NULL) <= 0 || map.kind != CW_MSGPACK_MAP || map.n != 1 ||
        cw_msgpack_next(&bytes, &key, NULL) <= 0 || cw_msgpack_next(&bytes, &value, NULL) <= 0 ||
        (value.kind != CW_MSGPACK_STR && value.kind != CW_MSGPACK_BIN) ||
        !(cw_str_eqz(key.bytes, "log") || cw_str_eqz(key.bytes, "message")))
        return false;
    *out = value.bytes;
    while (out->len > 0 && out->ptr[out->len - 1] == '\n')
        out->len--;
    return true;
}

static int record_read(struct decoding *decoding, struct cw_str *bytes, int64_t ts_ns)
{
    struct cw_forward_message *out = decoding->out;
    struct cw_forward_entry entry = {.ts_ns = ts_ns};
    int rc;
    if (bytes->len == 0 || ((uint8_t)bytes->ptr[0] & 0xf0) != 0x80) {
        uint8_t head = bytes->len > 0 ? (uint8_t)bytes->ptr[0] : 0;
        if (head != 0xde && head != 0xdf)
            return bad(decoding, "its record is no map");
    }
    if (single_text(*bytes, &entry.line)) {
        rc = skip(decoding, bytes);
    } else {
        struct cw_buf json;
        cw_buf_init(&json, CW_FORWARD_RAW_BYTES);
        struct cw_json_writer writer = cw_json_writer_make(&json);
        rc = cw_msgpack_to_json(bytes, &writer, decoding->err);
        if (rc == 0 && cw_buf_failed(&json))
            rc = bad(decoding, "its record is too large");
        entry.line = cw_arena_dup(decoding->arena, cw_buf_str(&json));
        cw_buf_fini(&json);
    }
    if (rc < 0)
        return rc;
    out->entries = cw_arena_grow(decoding->arena, out->entries, out->n, &decoding->cap, out->n + 1,
                                 sizeof *out->entries);
    out->entries[out->n++] = entry;
    return 1;
}

/* [time, record] */
static int entry_read(struct decoding *decoding, struct cw_str *bytes)
{
    struct cw_msgpack_value value;
    int64_t ts_ns;
    int rc = take(decoding, bytes, &value);
    if (rc > 0 && (value.kind != CW_MSGPACK_ARRAY || value.n != 2))
        rc = bad(decoding, "an entry is no [time, record]");
    if (rc > 0)
        rc = take(decoding, bytes, &value);
    if (rc > 0)
        rc = time_read(decoding, bytes, &value, &ts_ns);
    return rc > 0 ? record_read(decoding, bytes, ts_ns) : rc;
}

/* What an option says. */
static int option_take(struct decoding *decoding, struct cw_str key,
                       const struct cw_msgpack_value *value, enum cw_codec *codec)
{
    if (cw_str_eqz(key, "chunk")) {
        decoding->out->chunk = value->bytes;
    } else if (cw_str_eqz(key, "compressed")) {
        *codec = cw_str_eqz(value->bytes, "gzip")   ? CW_CODEC_GZIP
                 : cw_str_eqz(value->bytes, "zstd") ? CW_CODEC_ZSTD
                                                    : CW_CODEC_NONE;
        if (*codec == CW_CODEC_NONE && !cw_str_eqz(value->bytes, "text"))
            return bad(decoding, "its compression is neither gzip nor zstd");
    } else if (cw_str_eqz(key, "fluent_signal") && value->number != 0) {
        return bad(decoding, "it holds metrics or traces of Fluent Bit: send logs alone");
    }
    return 1;
}

static int option_read(struct decoding *decoding, struct cw_str *bytes, enum cw_codec *codec)
{
    struct cw_msgpack_value map, key, value;
    int rc = take(decoding, bytes, &map);
    if (rc < 0 || map.kind == CW_MSGPACK_NIL)
        return rc;
    if (map.kind != CW_MSGPACK_MAP)
        return bad(decoding, "its option is no map");
    for (uint32_t i = 0; rc > 0 && i < map.n; i++) {
        rc = take(decoding, bytes, &key);
        struct cw_str at = *bytes;
        if (rc > 0)
            rc = skip(decoding, bytes);
        if (rc > 0)
            rc = take(decoding, &at, &value);
        if (rc > 0)
            rc = option_take(decoding, key.bytes, &value, codec);
    }
    return rc;
}

static int packed_read(struct decoding *decoding, struct cw_str packed, enum cw_codec codec)
{
    if (codec != CW_CODEC_NONE) {
        struct cw_buf raw;
        cw_buf_init(&raw, CW_FORWARD_RAW_BYTES);
        int rc = cw_codec_decompress(codec, packed, CW_FORWARD_RAW_BYTES, &raw, decoding->err);
        packed = cw_arena_dup(decoding->arena, cw_buf_str(&raw));
        cw_buf_fini(&raw);
        if (rc < 0)
            return rc;
    }
    int rc = 1;
    while (rc > 0 && packed.len > 0)
        rc = entry_read(decoding, &packed);
    return rc;
}

int cw_forward_message_decode(struct cw_str message, struct cw_arena *arena,
                              struct cw_forward_message *out, struct cw_err *err)
{
    struct decoding decoding = {.arena = arena, .out = out, .err = err};
    struct cw_msgpack_value head, tag, second;
    struct cw_str rest = message;
    int64_t ts_ns;
    enum cw_codec codec = CW_CODEC_NONE;
    bool single = false;
    *out = (struct cw_forward_message){0};
    int rc = take(&decoding, &rest, &head);
    if (rc > 0 && (head.kind != CW_MSGPACK_ARRAY || head.n < 2 || head.n > 4))
        rc = bad(&decoding, "it is no array of 2 to 4");
    if (rc > 0)
        rc = take(&decoding, &rest, &tag);
    if (rc > 0 && tag.kind != CW_MSGPACK_STR)
        rc = bad(&decoding, "its tag is no text");
    struct cw_str entries = rest;
    if (rc > 0)
        rc = take(&decoding, &rest, &second);
    if (rc < 0)
        return rc;
    out->tag = tag.bytes;
    bool packed = second.kind == CW_MSGPACK_STR || second.kind == CW_MSGPACK_BIN;
    if (packed) {
        entries = second.bytes;
    } else if (second.kind == CW_MSGPACK_ARRAY && head.n <= 3) {
        for (uint32_t i = 0; rc > 0 && i < second.n; i++)
            rc = entry_read(&decoding, &rest);
    } else {
        single = true;
        rc = head.n >= 3 ? time_read(&decoding, &rest, &second, &ts_ns)
                         : bad(&decoding, "it has no record");
        if (rc > 0)
            rc = record_read(&decoding, &rest, ts_ns);
    }
    if (rc > 0 && head.n == (single ? 4u : 3u))
        rc = option_read(&decoding, &rest, &codec);
    if (rc > 0 && packed)
        rc = packed_read(&decoding, entries, codec);
    if (rc > 0 && (rest.len > 0 || (!single && head.n > 3)))
        rc = bad(&decoding, "more than it may hold");
    return rc < 0 ? rc : 0;
}

void cw_forward_ack_encode(struct cw_str chunk, struct cw_buf *out)
{
    cw_buf_add(out,
               "\x81\xa3"
               "ack",
               5);
    if (chunk.len < 32) {
        cw_buf_addc(out, (char)(0xa0 | chunk.len));
    } else {
        uint8_t head[3] = {0xda, (uint8_t)(chunk.len >> 8), (uint8_t)chunk.len};
        cw_buf_add(out, head, sizeof head);
    }
    cw_buf_adds(out, chunk);
}
