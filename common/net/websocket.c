#include "common/net/websocket.h"

#include <gnutls/crypto.h>
#include <poll.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

enum {
    READ_BYTES = 16 << 10,
    /* A peer that pings and does not read is not answered beyond this (RFC 6455 5.5.3: the last ping is enough). */
    PONG_UNSENT_MAX = 64 << 10,
};

void cw_websocket_init(struct cw_websocket *socket, enum cw_websocket_role role,
                       const struct cw_websocket_transport *transport, struct cw_str early,
                       size_t max_message_bytes)
{
    memset(socket, 0, sizeof *socket);
    socket->transport = *transport;
    cw_websocket_reader_init(&socket->reader, role, max_message_bytes);
    cw_buf_init(&socket->in, READ_BYTES + early.len);
    cw_buf_adds(&socket->in, early);
    cw_buf_init(&socket->out, SIZE_MAX);
    cw_buf_init(&socket->peer_reason, CW_WEBSOCKET_REASON_MAX);
    socket->heard_mono_ns = socket->sent_mono_ns = cw_clock_mono_ns();
}

void cw_websocket_fini(struct cw_websocket *socket)
{
    cw_websocket_reader_fini(&socket->reader);
    cw_buf_fini(&socket->in);
    cw_buf_fini(&socket->out);
    cw_buf_fini(&socket->peer_reason);
}

size_t cw_websocket_unsent(const struct cw_websocket *socket)
{
    return socket->out.len - socket->out_at;
}

short cw_websocket_events(const struct cw_websocket *socket)
{
    return (short)(POLLIN | (cw_websocket_unsent(socket) > 0 ? POLLOUT : 0));
}

int cw_websocket_flush(struct cw_websocket *socket, struct cw_err *err)
{
    while (cw_websocket_unsent(socket) > 0) {
        ssize_t n = socket->transport.write(socket->transport.ctx, socket->out.ptr + socket->out_at,
                                            cw_websocket_unsent(socket));
        if (n < 0) {
            socket->closed = true;
            return cw_err_set(err, CW_E_IO, "the WebSocket's connection broke");
        }
        if (n == 0)
            return 0;
        socket->out_at += (size_t)n;
        socket->sent_mono_ns = cw_clock_mono_ns();
    }
    cw_buf_clear(&socket->out);
    socket->out_at = 0;
    return 0;
}

/* Move what is unsent to the front, so that the buffer does not creep. */
static void out_compact(struct cw_websocket *socket)
{
    if (socket->out_at == 0)
        return;
    socket->out.len = cw_websocket_unsent(socket);
    memmove(socket->out.ptr, socket->out.ptr + socket->out_at, socket->out.len);
    socket->out_at = 0;
}

/* A client's frames are masked; NULL for a server's. */
static const uint8_t *new_mask(const struct cw_websocket *socket, uint8_t mask[4])
{
    if (socket->reader.role == CW_WEBSOCKET_SERVER)
        return NULL;
    CW_ASSERT(gnutls_rnd(GNUTLS_RND_NONCE, mask, 4) == 0);
    return mask;
}

/* The peer's leaving is seen by who receives. */
static void flush_now(struct cw_websocket *socket)
{
    struct cw_err ignored;
    if (cw_websocket_flush(socket, &ignored) < 0)
        return;
}

void cw_websocket_send(struct cw_websocket *socket, enum cw_websocket_opcode opcode,
                       struct cw_str payload)
{
    uint8_t mask[4];
    if (socket->close_sent)
        return;
    if (cw_websocket_unsent(socket) == 0)
        socket->sent_mono_ns = cw_clock_mono_ns(); /* from now on it waits */
    out_compact(socket);
    cw_websocket_write(&socket->out, opcode, payload, new_mask(socket, mask));
    flush_now(socket);
}

void cw_websocket_close(struct cw_websocket *socket, int code, struct cw_str reason)
{
    uint8_t mask[4];
    if (socket->close_sent)
        return;
    socket->close_sent = true;
    cw_websocket_write_close(&socket->out, code, reason, new_mask(socket, mask));
    flush_now(socket);
}

/* More bytes into `in`, all of which was taken: 1 some came, 0 none for now. */
static int read_more(struct cw_websocket *socket, struct cw_err *err)
{
    cw_buf_clear(&socket->in);
    socket->in_at = 0;
    char *to = cw_buf_reserve(&socket->in, READ_BYTES);
    ssize_t n = socket->transport.read(socket->transport.ctx, to, READ_BYTES);
    if (n < 0) {
        socket->closed = true;
        return cw_err_set(err, CW_E_IO, "the WebSocket's connection broke");
    }
    socket->in.len = (size_t)n;
    if (n > 0)
        socket->heard_mono_ns = cw_clock_mono_ns();
    return n > 0;
}

static int take_close(struct cw_websocket *socket, const struct cw_websocket_message *message,
                      struct cw_err *err)
{
    socket->closed = true;
    socket->peer_code = message->close_code;
    cw_buf_adds(&socket->peer_reason, message->payload);
    bool told = message->close_code != CW_WEBSOCKET_NO_CODE;
    cw_websocket_close(socket, told ? message->close_code : CW_WEBSOCKET_NORMAL, CW_STR_NONE);
    return cw_err_set(err, CW_E_CANCELED, "the WebSocket was closed by the other side (%d)",
                      message->close_code);
}

/* 1 for the caller, 0 it was dealt with. */
static int take(struct cw_websocket *socket, const struct cw_websocket_message *message,
                struct cw_err *err)
{
    switch (message->opcode) {
    case CW_WEBSOCKET_CLOSE: return take_close(socket, message, err);
    case CW_WEBSOCKET_PING:
        if (cw_websocket_unsent(socket) < PONG_UNSENT_MAX)
            cw_websocket_send(socket, CW_WEBSOCKET_PONG, message->payload);
        return 0;
    case CW_WEBSOCKET_TEXT:
    case CW_WEBSOCKET_BINARY: return 1;
    case CW_WEBSOCKET_PONG:
    case CW_WEBSOCKET_CONTINUATION: break;
    }
    return 0;
}

/* The next message of what was read: 1; 0: more bytes are needed. */
static int next_message(struct cw_websocket *socket, struct cw_websocket_message *out,
                        struct cw_err *err)
{
    struct cw_str bytes = cw_str_sub(cw_buf_str(&socket->in), socket->in_at, socket->in.len);
    size_t before = bytes.len;
    int rc = cw_websocket_reader_next(&socket->reader, &bytes, out, err);
    socket->in_at += before - bytes.len;
    if (rc < 0) {
        cw_websocket_close(socket, socket->reader.close_code, cw_str_of(err->text));
        socket->closed = true;
    }
    return rc;
}

int cw_websocket_receive(struct cw_websocket *socket, struct cw_websocket_message *out,
                         struct cw_err *err)
{
    while (!socket->closed) {
        int rc = next_message(socket, out, err);
        if (rc > 0) {
            rc = take(socket, out, err);
            if (rc != 0)
                return rc;
            continue;
        }
        if (rc == 0)
            rc = read_more(socket, err);
        if (rc <= 0)
            return rc;
    }
    return cw_err_set(err, CW_E_CANCELED, "the WebSocket is closed");
}
