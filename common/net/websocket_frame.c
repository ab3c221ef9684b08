#include "common/net/websocket_frame.h"

#include <string.h>

#include "common/base/assert.h"

enum {
    FIN = 0x80,
    RSV = 0x70,
    OPCODE = 0x0f,
    MASK = 0x80,
    LENGTH = 0x7f,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    MASK_BYTES = 4,
    CLOSE_CODE_BYTES = 2,
};

void cw_websocket_reader_init(struct cw_websocket_reader *reader, enum cw_websocket_role role,
                              size_t max_bytes)
{
    *reader = (struct cw_websocket_reader){.role = role};
    cw_buf_init(&reader->data, max_bytes);
    cw_buf_init(&reader->control, CW_WEBSOCKET_CONTROL_MAX);
}

void cw_websocket_reader_fini(struct cw_websocket_reader *reader)
{
    cw_buf_fini(&reader->data);
    cw_buf_fini(&reader->control);
}

static int fail(struct cw_websocket_reader *reader, int close_code, const char *why,
                struct cw_err *err)
{
    reader->close_code = close_code;
    return cw_err_set(err, close_code == CW_WEBSOCKET_TOO_BIG ? CW_E_TOO_LARGE : CW_E_INVALID,
                      "WebSocket: %s", why);
}

/* ---- the header ---- */

static size_t length_bytes(uint8_t second)
{
    unsigned length = second & LENGTH;
    return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

/* Bytes of the header, as far as they are known. */
static size_t header_want(const struct cw_websocket_reader *reader)
{
    if (reader->header_len < 2)
        return 2;
    return 2 + length_bytes(reader->header[1]) + (reader->header[1] & MASK ? MASK_BYTES : 0);
}

static uint64_t big_endian(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | bytes[i];
    return value;
}

static enum cw_websocket_opcode opcode_of(const struct cw_websocket_reader *reader)
{
    return (enum cw_websocket_opcode)(reader->header[0] & OPCODE);
}

static bool is_control(enum cw_websocket_opcode opcode)
{
    return (opcode & 0x8) != 0;
}

/* What the first two bytes say can be judged before the rest is there. */
static int check_start(struct cw_websocket_reader *reader, struct cw_err *err)
{
    bool fin = reader->header[0] & FIN, masked = reader->header[1] & MASK;
    enum cw_websocket_opcode opcode = opcode_of(reader);
    if (reader->header[0] & RSV)
        return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR, "a reserved bit is set", err);
    if (masked != (reader->role == CW_WEBSOCKET_SERVER))
        return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR,
                    masked ? "a server's frame is masked" : "a client's frame is not masked", err);
    switch (opcode) {
    case CW_WEBSOCKET_CONTINUATION:
        if (reader->data_opcode == CW_WEBSOCKET_CONTINUATION)
            return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR, "there is nothing to continue", err);
        return 0;
    case CW_WEBSOCKET_TEXT:
    case CW_WEBSOCKET_BINARY:
        if (reader->data_opcode != CW_WEBSOCKET_CONTINUATION)
            return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR,
                        "a message begins inside of another one", err);
        return 0;
    case CW_WEBSOCKET_CLOSE:
    case CW_WEBSOCKET_PING:
    case CW_WEBSOCKET_PONG:
        if (!fin || (reader->header[1] & LENGTH) > CW_WEBSOCKET_CONTROL_MAX)
            return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR,
                        "a control frame is fragmented or too long", err);
        return 0;
    }
    return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR, "an unknown opcode", err);
}

/* The header is whole. */
static int begin_payload(struct cw_websocket_reader *reader, struct cw_err *err)
{
    size_t n = length_bytes(reader->header[1]);
    uint64_t length = n > 0 ? big_endian(&reader->header[2], n) : reader->header[1] & LENGTH;
    if ((n == 2 && length < LENGTH_16) || (n == 8 && length <= UINT16_MAX))
        return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR, "a length is not in its shortest form",
                    err);
    if (!is_control(opcode_of(reader))) {
        if (length > reader->data.max - reader->data.len)
            return fail(reader, CW_WEBSOCKET_TOO_BIG, "a message is too long", err);
        if (opcode_of(reader) != CW_WEBSOCKET_CONTINUATION)
            reader->data_opcode = opcode_of(reader);
    }
    reader->payload_left = length;
    reader->in_payload = true;
    reader->masked = 0;
    return 0;
}

/* 1 the header is whole, 0 bytes are missing. */
static int read_header(struct cw_websocket_reader *reader, struct cw_str *bytes, struct cw_err *err)
{
    while (reader->header_len < header_want(reader)) {
        if (!cw_str_take(bytes, &reader->header[reader->header_len], 1))
            return 0;
        reader->header_len++;
        int rc = reader->header_len == 2 ? check_start(reader, err) : 0;
        if (rc < 0)
            return rc;
    }
    int rc = begin_payload(reader, err);
    return rc < 0 ? rc : 1;
}

/* ---- the payload ---- */

static void read_payload(struct cw_websocket_reader *reader, struct cw_str *bytes)
{
    struct cw_buf *to = is_control(opcode_of(reader)) ? &reader->control : &reader->data;
    size_t n = bytes->len < reader->payload_left ? bytes->len : (size_t)reader->payload_left;
    if (n == 0)
        return;
    char *at = cw_buf_reserve(to, n);
    CW_ASSERT(at != NULL); /* begin_payload() saw to it */
    memcpy(at, bytes->ptr, n);
    if (reader->header[1] & MASK) {
        const uint8_t *mask = &reader->header[reader->header_len - MASK_BYTES];
        for (size_t i = 0; i < n; i++)
            at[i] = (char)(at[i] ^ mask[(reader->masked + i) % MASK_BYTES]);
    }
    to->len += n;
    reader->masked += n;
    reader->payload_left -= n;
    *bytes = cw_str_sub(*bytes, n, bytes->len);
}

/* Codes that may stand in a close frame (RFC 6455 section 7.4, and the registry behind it). */
static bool is_close_code(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static int finish_close(struct cw_websocket_reader *reader, struct cw_websocket_message *out,
                        struct cw_err *err)
{
    struct cw_str payload = cw_buf_str(&reader->control);
    *out = (struct cw_websocket_message){.opcode = CW_WEBSOCKET_CLOSE,
                                         .close_code = CW_WEBSOCKET_NO_CODE};
    if (payload.len == 0)
        return 1;
    if (payload.len < CLOSE_CODE_BYTES)
        return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR, "half a close code", err);
    out->close_code = (int)big_endian((const uint8_t *)payload.ptr, CLOSE_CODE_BYTES);
    out->payload = cw_str_sub(payload, CLOSE_CODE_BYTES, payload.len);
    if (!is_close_code((unsigned)out->close_code))
        return fail(reader, CW_WEBSOCKET_PROTOCOL_ERROR, "a close code that must not be sent", err);
    if (!cw_utf8_valid(out->payload))
        return fail(reader, CW_WEBSOCKET_BAD_DATA, "a reason is not UTF-8", err);
    return 1;
}

/* The frame is whole: 1 a message is, 0 more of it follows. */
static int finish_frame(struct cw_websocket_reader *reader, struct cw_websocket_message *out,
                        struct cw_err *err)
{
    enum cw_websocket_opcode opcode = opcode_of(reader);
    bool fin = reader->header[0] & FIN;
    reader->in_payload = false;
    reader->header_len = 0;
    if (opcode == CW_WEBSOCKET_CLOSE)
        return finish_close(reader, out, err);
    if (is_control(opcode)) {
        *out = (struct cw_websocket_message){.opcode = opcode,
                                             .payload = cw_buf_str(&reader->control)};
        return 1;
    }
    if (!fin)
        return 0;
    *out = (struct cw_websocket_message){.opcode = reader->data_opcode,
                                         .payload = cw_buf_str(&reader->data)};
    reader->data_opcode = CW_WEBSOCKET_CONTINUATION;
    reader->delivered = true;
    if (out->opcode == CW_WEBSOCKET_TEXT && !cw_utf8_valid(out->payload))
        return fail(reader, CW_WEBSOCKET_BAD_DATA, "a text is not UTF-8", err);
    return 1;
}

int cw_websocket_reader_next(struct cw_websocket_reader *reader, struct cw_str *bytes,
                             struct cw_websocket_message *out, struct cw_err *err)
{
    if (reader->close_code != 0)
        return cw_err_set(err, CW_E_INVALID, "WebSocket: an earlier frame was wrong");
    if (reader->delivered)
        cw_buf_clear(&reader->data);
    reader->delivered = false;
    if (!reader->in_payload)
        cw_buf_clear(&reader->control);
    for (;;) {
        int rc = reader->in_payload ? 1 : read_header(reader, bytes, err);
        if (rc <= 0)
            return rc;
        read_payload(reader, bytes);
        if (reader->payload_left > 0)
            return 0;
        rc = finish_frame(reader, out, err);
        if (rc != 0)
            return rc;
    }
}

/* ---- writing ---- */

void cw_websocket_write(struct cw_buf *out, enum cw_websocket_opcode opcode, struct cw_str payload,
                        const uint8_t *mask)
{
    CW_ASSERT(!is_control(opcode) || payload.len <= CW_WEBSOCKET_CONTROL_MAX);
    size_t n = payload.len <= CW_WEBSOCKET_CONTROL_MAX ? 0 : payload.len <= UINT16_MAX ? 2 : 8;
    unsigned length = n == 0 ? (unsigned)payload.len : n == 2 ? LENGTH_16 : LENGTH_64;
    cw_buf_addc(out, (char)(FIN | opcode));
    cw_buf_addc(out, (char)(length | (mask != NULL ? MASK : 0)));
    for (size_t i = n; i-- > 0;)
        cw_buf_addc(out, (char)(payload.len >> (8 * i)));
    if (mask == NULL) {
        cw_buf_adds(out, payload);
        return;
    }
    cw_buf_add(out, mask, MASK_BYTES);
    char *at = cw_buf_reserve(out, payload.len);
    if (at == NULL)
        return;
    for (size_t i = 0; i < payload.len; i++)
        at[i] = (char)(payload.ptr[i] ^ mask[i % MASK_BYTES]);
    out->len += payload.len;
}

void cw_websocket_write_close(struct cw_buf *out, int code, struct cw_str reason,
                              const uint8_t *mask)
{
    char payload[CW_WEBSOCKET_CONTROL_MAX] = {(char)(code >> 8), (char)code};
    size_t len = CW_MIN(reason.len, (size_t)CW_WEBSOCKET_REASON_MAX);
    while (len < reason.len && len > 0 && (reason.ptr[len] & 0xc0) == 0x80)
        len--;
    if (len > 0)
        memcpy(&payload[CLOSE_CODE_BYTES], reason.ptr, len);
    cw_websocket_write(out, CW_WEBSOCKET_CLOSE, cw_str_make(payload, CLOSE_CODE_BYTES + len), mask);
}
