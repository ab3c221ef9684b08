/*
 * http_upgrade.c - a connection that stops being HTTP: libmicrohttpd sends the 101 and hands the socket over; from then on it
 * belongs to whoever took it, until it is closed.
 *
 * With TLS the socket is one end of a pair, and libmicrohttpd goes on encrypting between the other end and the client.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/base/assert.h"
#include "common/net/http_server_priv.h"
#include "common/net/websocket_handshake.h"

struct cw_http_upgraded {
    struct cw_http_server *server;
    struct MHD_UpgradeResponseHandle *handle;
    int fd;
    struct cw_buf early;
};

int cw_http_upgrade_check(struct cw_http_request *request, struct cw_err *err)
{
    const struct cw_websocket_ask ask = {
        .connection = cw_http_header(request, "Connection"),
        .upgrade = cw_http_header(request, "Upgrade"),
        .version = cw_http_header(request, "Sec-WebSocket-Version"),
        .key = cw_http_header(request, "Sec-WebSocket-Key"),
    };
    if (cw_websocket_asked(&ask) && !request->is_head)
        return 0;
    cw_http_set_header(request, "Sec-WebSocket-Version", "13");
    return cw_err_set(err, CW_E_INVALID, "Bad Request"); /* all that Go's library says */
}

/* The server's stop waits for it from here on, and no more for its request. */
static void count_in(struct cw_http_request *request)
{
    struct cw_http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    server->nupgraded++;
    if (request->listed)
        http_server_unlist(request);
    pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}

static void on_upgrade(void *cls, struct MHD_Connection *connection, void *con_cls,
                       const char *extra_in, size_t extra_in_size, MHD_socket sock,
                       struct MHD_UpgradeResponseHandle *handle)
{
    struct cw_http_request *request = cls;
    int on = 1;
    (void)connection, (void)con_cls;
    struct cw_http_upgraded *upgraded = cw_mem_new(sizeof *upgraded);
    upgraded->server = request->server;
    upgraded->handle = handle;
    upgraded->fd = sock;
    cw_buf_init(&upgraded->early, extra_in_size);
    cw_buf_add(&upgraded->early, extra_in, extra_in_size);
    /* Messages are to leave as they are written. Where the socket is no TCP, there is nothing to set. */
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    cw_http_upgraded_fn fn = request->upgraded_fn;
    void *arg = request->upgraded_arg;
    count_in(request);
    /* The request goes now: its end is told under a lock of libmicrohttpd, where it cannot be taken out of the server's list. */
    http_request_detach(request);
    request->upgraded = true;
    http_request_release(request);
    fn(arg, upgraded);
}

void http_upgrade_missed(struct cw_http_request *request)
{
    cw_http_upgraded_fn fn = request->upgraded_fn;
    request->upgraded_fn = NULL;
    if (fn != NULL)
        fn(request->upgraded_arg, NULL);
}

/* The handler's side lets go before the answer: the connection stays until it is given. False: it is gone already. */
static bool leave_to_connection(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    bool connected = request->connection != NULL;
    request->refs -= connected;
    pthread_mutex_unlock(&request->lock);
    return connected;
}

void cw_http_upgrade(struct cw_http_request *request, cw_http_upgraded_fn fn, void *arg)
{
    char accept[CW_WEBSOCKET_ACCEPT_BYTES];
    if (!http_request_claim(request) || !leave_to_connection(request)) {
        http_request_unref(request);
        fn(arg, NULL);
        return;
    }
    cw_websocket_accept(cw_str_trim(cw_http_header(request, "Sec-WebSocket-Key")), accept);
    request->upgraded_fn = fn;
    request->upgraded_arg = arg;
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, request);
    CW_ASSERT(response != NULL);
    cw_http_set_header(request, "Upgrade", "websocket");
    cw_http_set_header(request, "Sec-WebSocket-Accept", accept);
    http_answer_headers(request, response);
    http_answer_done(request, MHD_HTTP_SWITCHING_PROTOCOLS);
    http_answer_set(request, MHD_HTTP_SWITCHING_PROTOCOLS, response);
}

static ssize_t upgraded_read(void *ctx, char *to, size_t max)
{
    const struct cw_http_upgraded *upgraded = ctx;
    ssize_t n = recv(upgraded->fd, to, max, MSG_DONTWAIT);
    if (n > 0)
        return n;
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : CW_E_IO;
}

static ssize_t upgraded_write(void *ctx, const char *from, size_t len)
{
    const struct cw_http_upgraded *upgraded = ctx;
    ssize_t n = send(upgraded->fd, from, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EINTR ? 0 : CW_E_IO;
}

void cw_http_upgraded_init(struct cw_http_upgraded *upgraded, struct cw_websocket *socket,
                           size_t max_message_bytes)
{
    struct cw_websocket_transport transport = {
        .fd = upgraded->fd, .read = upgraded_read, .write = upgraded_write, .ctx = upgraded};
    cw_websocket_init(socket, CW_WEBSOCKET_SERVER, &transport, cw_buf_str(&upgraded->early),
                      max_message_bytes);
    cw_buf_fini(&upgraded->early);
}

const atomic_bool *cw_http_upgraded_stop(const struct cw_http_upgraded *upgraded)
{
    return &upgraded->server->stopping;
}

void cw_http_upgraded_close(struct cw_http_upgraded **handle)
{
    struct cw_http_upgraded *upgraded = *handle;
    struct cw_http_server *server = upgraded->server;
    *handle = NULL;
    CW_ASSERT(MHD_upgrade_action(upgraded->handle, MHD_UPGRADE_ACTION_CLOSE) == MHD_YES);
    cw_buf_fini(&upgraded->early);
    free(upgraded);
    pthread_mutex_lock(&server->lock);
    server->nupgraded--;
    pthread_cond_broadcast(&server->idle);
    pthread_mutex_unlock(&server->lock);
}
