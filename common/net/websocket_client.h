/*
 * websocket_client.h - connect to a WebSocket (libcurl: proxies, TLS), for the CLI.
 *
 * Ownership  The call is borrowed until _connect() returns. _close() frees the connection, the socket with it.
 * Errors     As http_client.h. An answer that is no 101 is no error here.
 */
#ifndef CW_NET_WEBSOCKET_CLIENT_H
#define CW_NET_WEBSOCKET_CLIENT_H
#include "common/net/http_client.h"
#include "common/net/websocket.h"

struct cw_websocket_client;
/* Blocking, within the call's connect time-out and again as long for the answer. 0 with *status_out 101 and *out; or, with *out
 * NULL, another status and what came of the answer's text in *body (bounded by its cap). */
int cw_websocket_connect(const struct cw_http_call *call, size_t max_message_bytes,
                         struct cw_websocket_client **out, int *status_out, struct cw_buf *body,
                         struct cw_err *err) CW_MUST_USE;
struct cw_websocket *cw_websocket_client_socket(struct cw_websocket_client *client);
/* NULL is fine. Says nothing to the server: cw_websocket_close() does. */
void cw_websocket_client_close(struct cw_websocket_client **client);

#endif
