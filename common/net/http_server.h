/*
 * http_server.h - an HTTP/1.1 server (libmicrohttpd, epoll, a pool of threads) with a table of routes.
 *
 * A handler runs on a server thread when the whole body is there, and must not block: it answers at once
 * (cw_http_respond), or returns and lets another thread answer later (the connection is suspended meanwhile). Every request
 * is answered exactly once: by respond, by stream_begin .. stream_end, or by upgrade.
 *
 * Ownership  A cw_http_request lives until it is answered; then it must not be touched. Its arena is freed with it. Path,
 *            parameters, headers and body borrow from it.
 * Threads    One thread at a time handles a request; it may hand it on. cw_http_cancelled() may be read by any.
 * Errors     Bodies over the route's bound are answered 413: at once where the client asks first (Expect), else after their bytes
 *            were read and dropped, so that the client sees the answer; bad escapes 400; transfer codings but "chunked" 501 or 400, two
 *            lengths, a length beside "chunked", a space in a header's name, no Host or two of them 400 (http_message.h),
 *            at once, and the connection is closed.
 *            What libmicrohttpd refuses by itself it answers in HTML and closes: 400 a header without a colon, a bad chunk, a
 *            Content-Length that is no number (413: one beyond 64 bits), 414 and 431 what does not fit 256 KiB, 505 another version.
 *            Version 0.9.75 repeats the head of the answer in the body for a bad Content-Length, and cuts a first line without a
 *            space without an answer; there is no option for either.
 * Places     When max_connections are open, or as many as a quarter of the memory pays for (256 KiB each), one that waits for
 *            its client is closed for a new one; where all are busy the new one is closed.
 * Cancelled  A client that shuts down its sending side counts as gone, as in Go (disconnect.h).
 */
#ifndef CW_NET_HTTP_SERVER_H
#define CW_NET_HTTP_SERVER_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/memory_budget.h"
#include "common/base/str.h"
#include "common/net/websocket.h"

struct cw_http_server;
struct cw_http_request;
struct cw_tls_server;

enum cw_http_method {
    CW_HTTP_GET = 1,
    CW_HTTP_POST = 2,
    CW_HTTP_PUT = 4,
    CW_HTTP_DELETE = 8,
    CW_HTTP_OPTIONS = 16
};
typedef void (*cw_http_handler_fn)(struct cw_http_request *request, void *ctx);

/* The table of routes is the only list of them; help and tests read it too. */
struct cw_http_route {
    unsigned methods; /* enum cw_http_method; HEAD goes with GET; another method: 405 with Allow */
    /* "/loki/api/v1/label/{name}/values": {name} is one path segment, percent-decoded. */
    const char *path;
    cw_http_handler_fn handler;
    size_t max_body_bytes; /* 0: no body is taken */
    const char *doc;
};

/* "GET, HEAD, POST"; lives in the arena. */
struct cw_str cw_http_methods_text(unsigned methods, struct cw_arena *arena);

struct cw_http_server_options {
    const char *listen; /* "127.0.0.1:3100", "[::1]:0", ":3100" (all addresses, IPv6 and IPv4) */
    unsigned nthreads;  /* 0: one per core */
    unsigned max_connections; /* 0: 1024 */
    /* 0: 120; a client that neither sends nor reads for so long is cut off. */
    unsigned idle_timeout_s;
    /* All bodies under way together; over it 429 with Retry-After. 0: no bound but the routes'. */
    size_t body_budget_bytes;
    const char
        *body_budget_name; /* what it is, for the 413 of a body that is larger; NULL without */
    /* Connections, bodies under way and answers until they are sent draw from it; may be NULL. */
    struct cw_memory_budget *memory;
    struct cw_str
        path_prefix; /* what all paths begin with, "/v1" or "/v1/"; empty: nothing. Lives until _free() */
    struct cw_tls_server *tls; /* borrowed until _free(); NULL: no TLS. No WebSockets go with it. */
    /* On loopback refuse a foreign Origin or Host (403): a web page must not reach us. */
    bool check_origin;
    /* For metrics; may be NULL. Runs when a request is answered (a stream: ended), before the client can know, on the thread that
     * answers, also for answers of the server itself (404, 413, ...; the route may be NULL). */
    void (*on_done)(void *ctx, struct cw_http_request *request, int status, int64_t duration_ns);
    void *ctx;
};

/* Binds, but takes no request until _start(). */
int cw_http_server_new(const struct cw_http_server_options *options, struct cw_http_server **out,
                       struct cw_err *err) CW_MUST_USE;
/* May be called several times before _start() with several tables; `routes` ends with path NULL and outlives the server. */
void cw_http_server_routes(struct cw_http_server *server, const struct cw_http_route *routes,
                           void *ctx);
int cw_http_server_start(struct cw_http_server *server, struct cw_err *err) CW_MUST_USE;
/* "127.0.0.1:41234": the address after the bind. */
const char *cw_http_server_address(const struct cw_http_server *server);
struct cw_http_connections {
    unsigned open, max;
    uint64_t gave_way; /* closed for a new one, since the start */
    uint64_t refused;  /* new ones that found all places busy */
};
void cw_http_server_connections(struct cw_http_server *server, struct cw_http_connections *out);
/* Take no new connection; wait up to grace_ns for requests under way, then raise their cancel flags; what is still not
 * answered CW_HTTP_STOP_NS later is answered 503 by the server (its handler may still answer: that is dropped). */
#define CW_HTTP_STOP_NS (INT64_C(10) * 1000000000)
void cw_http_server_stop(struct cw_http_server *server, int64_t grace_ns);
void cw_http_server_free(struct cw_http_server **server);

/* ---- the request ---- */
enum cw_http_method cw_http_method(const struct cw_http_request *request);
struct cw_str cw_http_path(const struct cw_http_request *request);
const struct cw_http_route *cw_http_route(
    const struct cw_http_request *request); /* NULL: no route (404) */
struct cw_str cw_http_path_param(const struct cw_http_request *request, const char *name);
/* From the form of a POST (application/x-www-form-urlencoded), or the query string; the form first, as in Go. Empty when absent. */
struct cw_str cw_http_param(const struct cw_http_request *request, const char *name);
bool cw_http_has_param(const struct cw_http_request *request, const char *name);
/* The i-th value of a parameter that repeats (match[]); false past the last. */
bool cw_http_param_at(const struct cw_http_request *request, const char *name, size_t i,
                      struct cw_str *out);
/* Only until cw_http_stream_begin(). */
struct cw_str cw_http_header(const struct cw_http_request *request, const char *name);
struct cw_str cw_http_body(
    const struct cw_http_request *request); /* as received, not decompressed */
struct cw_arena *cw_http_arena(struct cw_http_request *request);
/* Raised when the client goes away or the server stops; valid until the request is answered. */
const atomic_bool *cw_http_cancelled(struct cw_http_request *request);

/* ---- the answer ---- */
/* Before the answer. */
void cw_http_set_header(struct cw_http_request *request, const char *name, const char *value);
/* Answer with the bytes of `body` (taken: the buffer is left empty; NULL: no body). Larger bodies are gzipped if the client takes gzip. */
void cw_http_respond(struct cw_http_request *request, int status, const char *content_type,
                     struct cw_buf *body);
/* Plain text; the sentence of `err` with its status and a newline, as Loki answers errors. Retry-After goes with CW_E_OVERLOAD and
 * CW_E_UNAVAILABLE. */
void cw_http_respond_err(struct cw_http_request *request, const struct cw_err *err);
/* Stream an answer of any size from a worker thread (never from the handler itself): write blocks while the client is slow,
 * and fails with CW_E_CANCELED when it is gone. After stream_end the request is gone. */
int cw_http_stream_begin(struct cw_http_request *request, int status, const char *content_type,
                         struct cw_err *err) CW_MUST_USE;
int cw_http_stream_write(struct cw_http_request *request, struct cw_str bytes,
                         struct cw_err *err) CW_MUST_USE;
/* `complete` false: the connection is cut, so that the client sees that something is missing. */
void cw_http_stream_end(struct cw_http_request *request, bool complete);

/* ---- a WebSocket instead of an answer ---- */
struct cw_http_upgraded;
/* On a server thread, which it must not hold up. NULL: the client left, or the server stopped, before. */
typedef void (*cw_http_upgraded_fn)(void *arg, struct cw_http_upgraded *upgraded);
/* CW_E_INVALID: the client did not ask for a WebSocket. */
int cw_http_upgrade_check(struct cw_http_request *request, struct cw_err *err) CW_MUST_USE;
/* Only after the check, and as any answer. `fn` is called once. */
void cw_http_upgrade(struct cw_http_request *request, cw_http_upgraded_fn fn, void *arg);
/* The socket of it, to be used by one thread. */
void cw_http_upgraded_init(struct cw_http_upgraded *upgraded, struct cw_websocket *socket,
                           size_t max_message_bytes);
/* Raised when the server stops, which waits until the connection is closed: that is to be soon. */
const atomic_bool *cw_http_upgraded_stop(const struct cw_http_upgraded *upgraded);
/* Ends the connection; the socket is of no use any more. Sets *upgraded to NULL. */
void cw_http_upgraded_close(struct cw_http_upgraded **upgraded);

#endif
