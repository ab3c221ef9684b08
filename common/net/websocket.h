/*
 * websocket.h - one end of a WebSocket after its handshake: messages over bytes that may come and go in pieces. Nothing here
 * blocks: who has a connection polls its descriptor, and calls again.
 *
 *   OPEN --close frame either way--> CLOSING --the other one's came--> CLOSED
 *
 * Pings are answered here. A close frame is answered too; then, and after a broken connection, _receive() says CW_E_CANCELED.
 *
 * Ownership  The transport is borrowed. A message lives until the next _receive().
 * Threads    One at a time.
 * Errors     CW_E_CANCELED (the peer closed), CW_E_IO (the connection broke), CW_E_INVALID and CW_E_TOO_LARGE (the peer broke
 *            the protocol: it is told).
 */
#ifndef CW_NET_WEBSOCKET_H
#define CW_NET_WEBSOCKET_H
#include <sys/types.h>
#include "common/net/websocket_frame.h"

struct cw_websocket_transport {
    int fd; /* to be polled */
    /* Bytes moved, 0: none for now, or CW_E_IO. The end of what is read is CW_E_IO. */
    ssize_t (*read)(void *ctx, char *to, size_t max);
    ssize_t (*write)(void *ctx, const char *from, size_t len);
    void *ctx;
};

struct cw_websocket {
    struct cw_websocket_transport transport;
    struct cw_websocket_reader reader;
    struct cw_buf in; /* read, and from in_at on not yet taken apart */
    size_t in_at;
    struct cw_buf out; /* written, and from out_at on not yet sent */
    size_t out_at;
    bool close_sent, closed;
    int peer_code;                       /* of the peer's close frame; 0: none came */
    struct cw_buf peer_reason;           /* of it */
    int64_t heard_mono_ns, sent_mono_ns; /* when bytes last came, and last went */
};

/* `early`: bytes that came behind the handshake. */
void cw_websocket_init(struct cw_websocket *socket, enum cw_websocket_role role,
                       const struct cw_websocket_transport *transport, struct cw_str early,
                       size_t max_message_bytes);
/* The transport is left alone. */
void cw_websocket_fini(struct cw_websocket *socket);

/* 1 a text or a binary message, 0 none for now. */
int cw_websocket_receive(struct cw_websocket *socket, struct cw_websocket_message *out,
                         struct cw_err *err) CW_MUST_USE;
/* Queue a message, and send what goes. Nothing is refused: who sends looks at _unsent() before. */
void cw_websocket_send(struct cw_websocket *socket, enum cw_websocket_opcode opcode,
                       struct cw_str payload);
/* Queue a close frame, once. */
void cw_websocket_close(struct cw_websocket *socket, int code, struct cw_str reason);
/* Send what goes. */
int cw_websocket_flush(struct cw_websocket *socket, struct cw_err *err) CW_MUST_USE;
/* Bytes that wait for the peer to read. */
size_t cw_websocket_unsent(const struct cw_websocket *socket);
/* Events to poll the descriptor for. */
short cw_websocket_events(const struct cw_websocket *socket);

#endif
