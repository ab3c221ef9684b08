/*
 * http_server_priv.h - what http_server.c, http_request.c, http_answer.c, http_stream.c and http_upgrade.c share.
 *
 *   RECEIVING --body whole--> HANDLING --handler returned, no answer--> SUSPENDED
 *       | refused                | answered                                | answered: resumed
 *       +------------------------+-------------> ANSWERED <----------------+
 *                                                   | queued with libmicrohttpd
 *                                                   v
 *                                                 QUEUED --sent or cut--> completed
 *
 * A request has two owners: libmicrohttpd until it completes the request, and the handler's side from HANDLING until the
 * answer (of a stream: its end). The last one frees it. Whoever answers claims the request first; a second one gives up.
 * The stop of the server may claim it too, and abandons it: then its handler's side touches the server no more.
 *
 * Locks      request->lock guards all from `refs` on. Order: server->lock, request->lock, the lock of disconnect.c.
 *            MHD_resume_connection() is called without locks: the connection cannot go while it is suspended.
 */
#ifndef CW_NET_HTTP_SERVER_PRIV_H
#define CW_NET_HTTP_SERVER_PRIV_H
#include <microhttpd.h>
#include <pthread.h>

#include "common/net/disconnect.h"
#include "common/net/http_listen.h"
#include "common/net/http_params.h"
#include "common/net/http_places_priv.h"
#include "common/net/http_server.h"

enum {
    HTTP_PATH_PARAMS = 4, /* {name}s in one route */
    HTTP_ROUTE_TABLES = 16,
    HTTP_STREAM_BYTES = 1 << 20, /* a stream's writer waits when so much is unread */
    HTTP_STREAM_BLOCK = 64 << 10,
    HTTP_GZIP_MIN_BYTES = 1400, /* smaller answers fit one packet as they are */
    HTTP_RETRY_AFTER_S = 1, /* a server that had no room: a flush or a query takes about so long */
    /* Of a refused body are read, so that the client gets to see why; past it we cut. */
    HTTP_DISCARD_BYTES = 256 << 20,
};

struct http_route_table {
    const struct cw_http_route *routes;
    void *ctx;
};

struct cw_http_server {
    atomic_uint refs; /* the owner's, and one a request: an abandoned one may end late */
    struct cw_http_server_options options;
    struct cw_http_listen listen;
    struct MHD_Daemon *daemon;
    struct cw_disconnect *disconnect;
    struct http_route_table tables[HTTP_ROUTE_TABLES];
    size_t ntables;
    struct http_places places;
    atomic_size_t body_bytes; /* of all requests under way */
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t idle; /* `requests` got empty, or nupgraded 0 */
    /* Dispatched, neither freed nor abandoned; linked by next, prev. */
    struct cw_http_request *requests;
    bool closed; /* none is dispatched any more: the stop has waited long enough; guarded by lock */
    unsigned nupgraded; /* connections that are no HTTP any more; guarded by lock */
};

enum http_phase { HTTP_RECEIVING, HTTP_HANDLING, HTTP_SUSPENDED, HTTP_ANSWERED, HTTP_QUEUED };

struct http_path_param {
    struct cw_str name, value;
};

struct http_match {
    const struct cw_http_route *route; /* NULL: none */
    void *ctx;
    unsigned allowed; /* methods of all routes with this path */
    struct http_path_param params[HTTP_PATH_PARAMS];
    size_t nparams;
};

struct http_header {
    const char *name, *value;
    struct http_header *next;
};

struct cw_http_request {
    struct cw_http_server *server;
    struct http_place *place; /* the connection's */
    struct cw_arena *arena;
    int64_t begin_mono_ns;
    /* What was asked; fixed once the handler runs. */
    struct cw_str target; /* path and query as sent */
    struct cw_str path;   /* decoded */
    bool begun;
    enum cw_http_method method;
    bool is_head; /* counts as GET, but for an upgrade */
    struct http_match match;
    struct cw_http_params params;
    struct cw_buf body;
    size_t body_counted; /* of it in server->body_bytes */
    uint64_t discarded_bytes;
    struct cw_err *refusal; /* decided before the body was read; in the arena */
    bool unframed;          /* where its body ends cannot be known */
    /* The answer */
    struct http_header *headers;
    pthread_mutex_t lock;
    unsigned refs;
    enum http_phase phase;
    struct MHD_Connection *connection; /* NULL once completed */
    struct MHD_Response *response;     /* in ANSWERED */
    int status;
    atomic_bool cancelled;
    int watch;    /* disconnect ticket, -1: not watched */
    bool claimed; /* somebody answers it */
    bool abandoned;
    bool listed; /* in server->requests; guarded by server->lock */
    /* A streamed answer */
    bool streaming;
    pthread_cond_t room;
    struct cw_buf out;
    size_t out_at; /* of it was handed to libmicrohttpd */
    bool reader_suspended, ended, complete;
    /* A WebSocket instead of an answer; fn is NULL once it was called */
    bool upgraded; /* all is released but the struct, which libmicrohttpd still names */
    cw_http_upgraded_fn upgraded_fn;
    void *upgraded_arg;
    struct cw_http_request *next, *prev;
};

/* http_route.c: find the route of a path; 0, or CW_E_INVALID for a bad escape. Fills *out and *path (decoded). */
int http_route_find(const struct cw_http_server *server, struct cw_str raw_path, unsigned method,
                    struct cw_arena *arena, struct http_match *out, struct cw_str *path,
                    struct cw_err *err);

/* http_request.c */
/* Whether a body of so many bytes could ever be taken; if not, *err (CW_E_TOO_LARGE) says why. */
bool http_body_fits(const struct cw_http_request *request, uint64_t bytes, struct cw_err *err);
/* Count bytes of the body that came, or refuse them; forget them all. */
int http_body_take(struct cw_http_request *request, size_t bytes, struct cw_err *err);
void http_body_give(struct cw_http_request *request);
struct cw_http_request *http_request_new(struct cw_http_server *server,
                                         struct MHD_Connection *connection, const char *target);
void http_request_unref(struct cw_http_request *request);
/* What the last _unref() does: let go of all that the request holds, and of the server; then of the request itself. */
void http_request_release(struct cw_http_request *request);
void http_request_free(struct cw_http_request *request);
/* The connection is no longer the request's. */
void http_request_detach(struct cw_http_request *request);
/* Watch the client's leaving from now on. */
void http_request_watch(struct cw_http_request *request);
/* The client is gone or the server stops: raise the flag, wake a writer. */
void http_request_cancel(struct cw_http_request *request);

/* May the caller answer? True once. */
bool http_request_claim(struct cw_http_request *request);
void http_server_unref(struct cw_http_server *server);
/* Out of server->requests; server->lock is held. */
void http_server_unlist(struct cw_http_request *request);

/* http_answer.c: queue the ready answer; on libmicrohttpd's thread. */
enum MHD_Result http_answer_queue(struct cw_http_request *request);
/* Give the claimed request its answer, wherever it stands; takes `response`. */
void http_answer_set(struct cw_http_request *request, int status, struct MHD_Response *response);
/* "Retry-After: 1" with the answer. */
void http_answer_retry(struct cw_http_request *request);
/* Put the headers of cw_http_set_header() on the response. */
void http_answer_headers(const struct cw_http_request *request, struct MHD_Response *response);
/* An answer of plain text. */
struct MHD_Response *http_answer_text(struct cw_str text);
/* Tell the metrics. */
void http_answer_done(struct cw_http_request *request, int status);

/* http_upgrade.c: the connection ended; if it was to be upgraded and was not, say so. */
void http_upgrade_missed(struct cw_http_request *request);

/* http_stream.c: cut the stream at the server's stop; false when it is about to end by itself. */
bool http_stream_abandon(struct cw_http_request *request);

#endif
