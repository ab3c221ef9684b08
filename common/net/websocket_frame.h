/*
 * websocket_frame.h - RFC 6455 frames: cut them out of bytes, put messages together, write them. No I/O, no policy.
 *
 *   byte 0            FIN (0x80), RSV1-3 (must be 0), opcode
 *   byte 1            MASK (0x80), length 0..125; 126: two bytes follow; 127: eight (big endian, the shortest form)
 *   4 bytes           the mask, when MASK is set: a client's frames have it, a server's have not
 *   payload           XORed with the mask
 *
 * A message is one data frame, or one without FIN and its continuations; control frames may stand between those.
 *
 * Ownership  A message's payload is the reader's, until its next call.
 * Errors     CW_E_INVALID, CW_E_TOO_LARGE; reader->close_code says what to tell the peer. Nothing more is read then.
 */
#ifndef CW_NET_WEBSOCKET_FRAME_H
#define CW_NET_WEBSOCKET_FRAME_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"

enum cw_websocket_opcode {
    CW_WEBSOCKET_CONTINUATION = 0,
    CW_WEBSOCKET_TEXT = 1,
    CW_WEBSOCKET_BINARY = 2,
    CW_WEBSOCKET_CLOSE = 8,
    CW_WEBSOCKET_PING = 9,
    CW_WEBSOCKET_PONG = 10,
};

/* Whose end of the connection is ours. */
enum cw_websocket_role { CW_WEBSOCKET_SERVER, CW_WEBSOCKET_CLIENT };

enum cw_websocket_code {
    CW_WEBSOCKET_NORMAL = 1000,
    CW_WEBSOCKET_GOING_AWAY = 1001,
    CW_WEBSOCKET_PROTOCOL_ERROR = 1002,
    CW_WEBSOCKET_NO_CODE = 1005, /* never sent: a close frame without one */
    CW_WEBSOCKET_BAD_DATA = 1007,
    CW_WEBSOCKET_TOO_BIG = 1009,
    CW_WEBSOCKET_INTERNAL = 1011,
};

enum {
    CW_WEBSOCKET_CONTROL_MAX = 125,                         /* payload of a control frame */
    CW_WEBSOCKET_REASON_MAX = CW_WEBSOCKET_CONTROL_MAX - 2, /* behind the code of a close frame */
    CW_WEBSOCKET_HEADER_MAX = 14,
};

struct cw_websocket_message {
    enum cw_websocket_opcode opcode; /* no continuation */
    struct cw_str payload;           /* of a text: valid UTF-8. Of a close frame: its reason */
    int close_code;                  /* of a close frame */
};

struct cw_websocket_reader {
    enum cw_websocket_role role;
    uint8_t header[CW_WEBSOCKET_HEADER_MAX];
    size_t header_len;     /* of it that came */
    uint64_t payload_left; /* of the frame, once its header is whole */
    bool in_payload;
    size_t masked;                        /* bytes of the payload that came: place in the mask */
    enum cw_websocket_opcode data_opcode; /* of the message under way; CONTINUATION: none is */
    bool delivered;        /* the message in `data` was given out: it goes with the next call */
    struct cw_buf data;    /* of the message under way */
    struct cw_buf control; /* of the control frame under way */
    int close_code;        /* after an error */
};

/* Messages of more than max_bytes are refused. */
void cw_websocket_reader_init(struct cw_websocket_reader *reader, enum cw_websocket_role role,
                              size_t max_bytes);
void cw_websocket_reader_fini(struct cw_websocket_reader *reader);
/* Takes bytes off the front of *bytes: 1 and a message, or 0 when all are used up. */
int cw_websocket_reader_next(struct cw_websocket_reader *reader, struct cw_str *bytes,
                             struct cw_websocket_message *out, struct cw_err *err) CW_MUST_USE;

/* Append one whole frame. `mask`: four random bytes of a client; NULL for a server. A control frame's payload has at most
 * CW_WEBSOCKET_CONTROL_MAX bytes. */
void cw_websocket_write(struct cw_buf *out, enum cw_websocket_opcode opcode, struct cw_str payload,
                        const uint8_t *mask);
/* A close frame; a reason that is too long is cut, between characters. */
void cw_websocket_write_close(struct cw_buf *out, int code, struct cw_str reason,
                              const uint8_t *mask);

#endif
