/*
 * websocket_handshake.h - the beginning of a WebSocket (RFC 6455 section 4): what each side's HTTP headers must say. No I/O.
 */
#ifndef CW_NET_WEBSOCKET_HANDSHAKE_H
#define CW_NET_WEBSOCKET_HANDSHAKE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

/* Base64 of 16 and of 20 bytes, and the NUL. */
enum { CW_WEBSOCKET_KEY_BYTES = 25, CW_WEBSOCKET_ACCEPT_BYTES = 29 };

/* A client's Sec-WebSocket-Key: random. */
void cw_websocket_key(char out[CW_WEBSOCKET_KEY_BYTES]);
/* The server's answer to it: Sec-WebSocket-Accept. */
void cw_websocket_accept(struct cw_str key, char out[CW_WEBSOCKET_ACCEPT_BYTES]);

/* Headers of a request; empty where there are none. */
struct cw_websocket_ask {
    struct cw_str connection, upgrade, version, key;
};
bool cw_websocket_asked(const struct cw_websocket_ask *ask);

/* A server's answer, or as much of it as has come. */
struct cw_websocket_answer {
    int status;
    size_t
        head_len; /* up to the empty line, it included: frames follow (101), or an error's text */
    size_t body_len; /* of that text; SIZE_MAX: it does not say */
};
/* 1 the head is whole (of a 101: and answers `key`), 0 more bytes are needed; CW_E_IO: it is no such answer. */
int cw_websocket_answer_parse(struct cw_str bytes, struct cw_str key,
                              struct cw_websocket_answer *out, struct cw_err *err) CW_MUST_USE;

#endif
