#include "shipper/docker_local.h"
#include <stddef.h>
#include "common/wire/protobuf_reader.h"

enum { LEN_BYTES = 4 };

enum frame { FRAME_WHOLE, FRAME_ENDS_EARLY, FRAME_BAD };

static uint32_t len_at(struct cw_str bytes, size_t at)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr + at;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum frame frame_at(struct cw_str bytes, size_t at, struct cw_str *message_out)
{
    if (bytes.len - at < LEN_BYTES)
        return FRAME_ENDS_EARLY;
    uint32_t len = len_at(bytes, at);
    if (len == 0 || len > CW_DOCKER_LOCAL_BYTES)
        return FRAME_BAD;
    if (bytes.len - at < 2 * LEN_BYTES + (size_t)len)
        return FRAME_ENDS_EARLY;
    *message_out = cw_str_sub(bytes, at + LEN_BYTES, at + LEN_BYTES + len);
    return len_at(bytes, at + LEN_BYTES + len) == len ? FRAME_WHOLE : FRAME_BAD;
}

static bool piece_goes_on(struct cw_str metadata)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(metadata);
    struct cw_protobuf_field field;
    bool last = false;
    while (cw_protobuf_next(&reader, &field) == CW_PROTOBUF_FIELD)
        if (field.number == 1 && field.wire == CW_PROTOBUF_VARINT)
            last = field.value != 0;
    return !last;
}

static bool message_decode(struct cw_str message, struct cw_docker_line *out)
{
    struct cw_protobuf_reader reader = cw_protobuf_reader_make(message);
    struct cw_protobuf_field field;
    enum cw_protobuf_step step;
    bool stream = false;
    *out = (struct cw_docker_line){.text = CW_STR("")};
    while ((step = cw_protobuf_next(&reader, &field)) == CW_PROTOBUF_FIELD) {
        if (field.number == 1 && field.wire == CW_PROTOBUF_BYTES) {
            out->stream = cw_str_eqz(field.bytes, "stderr") ? CW_DOCKER_STDERR : CW_DOCKER_STDOUT;
            stream = true;
        } else if (field.number == 2 && field.wire == CW_PROTOBUF_VARINT) {
            out->ts_ns = (int64_t)field.value;
        } else if (field.number == 3 && field.wire == CW_PROTOBUF_BYTES) {
            out->text = field.bytes;
        } else if (field.number == 5 && field.wire == CW_PROTOBUF_BYTES) {
            out->partial = piece_goes_on(field.bytes);
        }
    }
    if (!out->partial)
        out->text = cw_docker_line_trim(out->text);
    return step == CW_PROTOBUF_END && stream;
}

int cw_docker_local_next(struct cw_str bytes, size_t *at, struct cw_docker_line *out,
                         struct cw_err *err)
{
    struct cw_str message;
    size_t from = *at;
    enum frame frame = frame_at(bytes, from, &message);
    if (frame == FRAME_ENDS_EARLY)
        return 0;
    if (frame == FRAME_WHOLE && message_decode(message, out)) {
        *at += 2 * LEN_BYTES + message.len;
        return 1;
    }
    while (frame_at(bytes, ++*at, &message) == FRAME_BAD)
        continue;
    return cw_err_set(err, CW_E_CORRUPT, "no entry of the driver local in %zu bytes", *at - from);
}
