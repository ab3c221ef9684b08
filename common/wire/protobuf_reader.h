/*
 * protobuf_reader.h - walk the fields of one protobuf message without copying.
 *
 * A reader stands on the bytes of one message; a field of length type gives bytes on which a reader for the inner message
 * can be made. Depth is thereby the caller's: nothing here recurses. Groups (long deprecated) are refused.
 *
 * Ownership  Fields borrow from the message.
 * Errors     Bytes that are no message end the walk with CW_PROTOBUF_BAD; cw_protobuf_error() words it.
 * Source     protobuf.dev/programming-guides/encoding
 */
#ifndef CW_WIRE_PROTOBUF_READER_H
#define CW_WIRE_PROTOBUF_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

struct cw_protobuf_reader {
    const uint8_t *at, *end;
};

enum cw_protobuf_wire {
    CW_PROTOBUF_VARINT = 0,
    CW_PROTOBUF_FIXED64 = 1,
    CW_PROTOBUF_BYTES = 2,
    CW_PROTOBUF_FIXED32 = 5,
};

struct cw_protobuf_field {
    uint32_t number;
    enum cw_protobuf_wire wire;
    uint64_t value;      /* VARINT, FIXED64, FIXED32 */
    struct cw_str bytes; /* BYTES */
};

enum cw_protobuf_step { CW_PROTOBUF_END, CW_PROTOBUF_FIELD, CW_PROTOBUF_BAD };

static inline struct cw_protobuf_reader cw_protobuf_reader_make(struct cw_str message)
{
    const uint8_t *at = (const uint8_t *)message.ptr;
    return (struct cw_protobuf_reader){at, message.len > 0 ? at + message.len : at};
}

/* The slow way: several bytes, at most ten. */
bool cw_protobuf_varint_long(struct cw_protobuf_reader *reader, uint64_t *out);

/* False where the bytes end inside it or it is over 64 bits. */
static inline bool cw_protobuf_varint(struct cw_protobuf_reader *reader, uint64_t *out)
{
    if (reader->at < reader->end && *reader->at < 0x80) {
        *out = *reader->at++;
        return true;
    }
    return cw_protobuf_varint_long(reader, out);
}

/* Fields of the fixed types and refusals; `wire` was read. */
enum cw_protobuf_step cw_protobuf_next_fixed(struct cw_protobuf_reader *reader,
                                             struct cw_protobuf_field *out);

/* The next field in *out. After BAD the reader must not be used on. */
static inline enum cw_protobuf_step cw_protobuf_next(struct cw_protobuf_reader *reader,
                                                     struct cw_protobuf_field *out)
{
    if (reader->at == reader->end)
        return CW_PROTOBUF_END;
    uint64_t tag;
    if (!cw_protobuf_varint(reader, &tag) || tag > UINT32_MAX || tag < 8)
        return CW_PROTOBUF_BAD;
    out->number = (uint32_t)tag >> 3;
    out->wire = (enum cw_protobuf_wire)(tag & 7);
    if (out->wire == CW_PROTOBUF_BYTES) {
        uint64_t len;
        if (!cw_protobuf_varint(reader, &len) || len > (uint64_t)(reader->end - reader->at))
            return CW_PROTOBUF_BAD;
        out->bytes = cw_str_make(reader->at, (size_t)len);
        reader->at += len;
        return CW_PROTOBUF_FIELD;
    }
    if (out->wire == CW_PROTOBUF_VARINT)
        return cw_protobuf_varint(reader, &out->value) ? CW_PROTOBUF_FIELD : CW_PROTOBUF_BAD;
    return cw_protobuf_next_fixed(reader, out);
}

/* CW_E_INVALID: "<message>: malformed protobuf". */
int cw_protobuf_error(const char *message, struct cw_err *err);

#endif
