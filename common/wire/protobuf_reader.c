#include "common/wire/protobuf_reader.h"

#include <endian.h>
#include <string.h>

bool cw_protobuf_varint_long(struct cw_protobuf_reader *reader, uint64_t *out)
{
    uint64_t value = 0;
    const uint8_t *at = reader->at;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (at == reader->end)
            return false;
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return false; /* the tenth byte has room for one bit */
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            reader->at = at;
            *out = value;
            return true;
        }
    }
    return false;
}

enum cw_protobuf_step cw_protobuf_next_fixed(struct cw_protobuf_reader *reader,
                                             struct cw_protobuf_field *out)
{
    size_t left = (size_t)(reader->end - reader->at);
    if (out->wire == CW_PROTOBUF_FIXED64 && left >= sizeof(uint64_t)) {
        uint64_t raw;
        memcpy(&raw, reader->at, sizeof raw);
        out->value = le64toh(raw);
        reader->at += sizeof raw;
        return CW_PROTOBUF_FIELD;
    }
    if (out->wire == CW_PROTOBUF_FIXED32 && left >= sizeof(uint32_t)) {
        uint32_t raw;
        memcpy(&raw, reader->at, sizeof raw);
        out->value = le32toh(raw);
        reader->at += sizeof raw;
        return CW_PROTOBUF_FIELD;
    }
    return CW_PROTOBUF_BAD;
}

int cw_protobuf_error(const char *message, struct cw_err *err)
{
    return cw_err_set(err, CW_E_INVALID, "%s: malformed protobuf", message);
}
