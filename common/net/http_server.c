#include "common/net/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/net/http_message.h"
#include "common/net/http_origin.h"
#include "common/net/http_server_priv.h"
#include "common/net/tls_session_priv.h"

enum {
    HTTP_DEFAULT_CONNECTIONS = 1024,
    HTTP_DEFAULT_IDLE_S = 120,
    HTTP_RESERVE_BYTES =
        8 << 20, /* taken at once for a body whose length is told; larger ones grow as they come */
    HTTP_STOP_POLL_NS = 10 * 1000000,
    HTTP_CONNECTIONS_SHARE = 4, /* one part in so many of the memory is for connections */
};

/* ---- a request comes in ---- */

static enum cw_http_method method_of(const char *name)
{
    static const struct {
        const char *name;
        enum cw_http_method method;
    } methods[] = {{"GET", CW_HTTP_GET}, {"HEAD", CW_HTTP_GET},      {"POST", CW_HTTP_POST},
                   {"PUT", CW_HTTP_PUT}, {"DELETE", CW_HTTP_DELETE}, {"OPTIONS", CW_HTTP_OPTIONS}};
    for (size_t i = 0; i < CW_COUNT(methods); i++) {
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    }
    return (enum cw_http_method)0; /* no route takes it */
}

static void refuse(struct cw_http_request *request, int code, const char *text)
{
    request->refusal = cw_arena_alloc(request->arena, sizeof *request->refusal);
    cw_err_set(request->refusal, code, "%s", text);
    cw_buf_fini(&request->body); /* what came of it is of no use */
}

static void refuse_stopping(struct cw_http_request *request)
{
    cw_http_set_header(request, "Connection", "close");
    refuse(request, CW_E_UNAVAILABLE, "the server is stopping");
}

/* `authority`: of the target; it stands for Host where there is one. */
static bool origin_allowed(const struct cw_http_request *request, struct cw_str authority)
{
    const struct cw_http_origin origin = {
        .host = authority.len > 0 ? authority : cw_http_header(request, "Host"),
        .origin = cw_http_header(request, "Origin"),
        .fetch_site = cw_http_header(request, "Sec-Fetch-Site"),
        .fetch_mode = cw_http_header(request, "Sec-Fetch-Mode"),
        .is_get = request->method == CW_HTTP_GET,
    };
    return cw_http_origin_allowed(&origin);
}

static void refuse_no_route(struct cw_http_request *request)
{
    if (request->match.allowed == 0) {
        refuse(request, CW_E_NOT_FOUND, "404 page not found");
        return;
    }
    struct cw_str allow = cw_http_methods_text(request->match.allowed, request->arena);
    cw_http_set_header(request, "Allow", allow.ptr);
    refuse(request, CW_E_METHOD, "Method Not Allowed");
}

struct fields {
    struct cw_http_framing framing;
    struct cw_buf codings;
};

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct fields *fields = cls;
    struct cw_http_framing *framing = &fields->framing;
    struct cw_str text = cw_str_of(value != NULL ? value : "");
    (void)kind;
    if (strpbrk(name, " \t") != NULL)
        framing->spaced_name = true;
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        if (framing->ncodings++ > 0)
            cw_buf_addc(&fields->codings, ',');
        cw_buf_adds(&fields->codings, text);
    } else if (strcasecmp(name, "Content-Length") == 0) {
        if (framing->nlengths++ == 0)
            framing->length = framing->other_length = text;
        else if (!cw_str_eq(text, framing->length))
            framing->other_length = text;
    } else if (strcasecmp(name, "Host") == 0) {
        framing->nhosts++;
    }
    return MHD_YES;
}

/* libmicrohttpd waits for the end of the connection where it does not know the end of the body, and takes the first of two lengths:
 * such a request is refused at once, and the connection closed. */
static void refuse_unknown_framing(struct cw_http_request *request, const char *version)
{
    struct fields fields = {.framing.is_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0};
    struct cw_err err;
    cw_buf_init(&fields.codings, 2 * (size_t)CW_LIMIT_HTTP_HEADER_BYTES);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, on_header, &fields);
    fields.framing.codings = cw_buf_str(&fields.codings);
    int rc = cw_http_framing_check(&fields.framing, &err);
    if (rc == 0)
        rc = cw_http_hosts_check(&fields.framing, &err);
    if (rc < 0) {
        cw_http_set_header(request, "Connection", "close");
        refuse(request, rc, err.text);
        request->unframed = true;
    }
    cw_buf_fini(&fields.codings);
}

/* Everything that can be said before the body is there. */
static void begin_request(struct cw_http_request *request, const char *method, const char *version)
{
    struct cw_http_server *server = request->server;
    struct cw_http_target target;
    struct cw_err err, bad_target;
    int target_rc = cw_http_target_parse(request->target, &target, &bad_target);
    request->begun = true;
    request->method = method_of(method);
    request->is_head = strcmp(method, "HEAD") == 0;
    int rc = http_route_find(server, target.path, request->method, request->arena, &request->match,
                             &request->path, &err);
    refuse_unknown_framing(request, version);
    if (request->refusal != NULL)
        return;
    if (atomic_load(&server->stopping)) {
        refuse_stopping(request);
        return;
    }
    if (target_rc < 0) {
        refuse(request, target_rc, bad_target.text);
        return;
    }
    if (server->options.check_origin && server->listen.loopback &&
        !origin_allowed(request, target.authority)) {
        refuse(request, CW_E_FORBIDDEN,
               "refused: Host or Origin is not this machine, and this server listens on loopback "
               "without access control");
        return;
    }
    if (rc == 0 && request->match.route == NULL) {
        refuse_no_route(request);
        return;
    }
    if (rc == 0)
        rc = cw_http_params_parse(target.query, request->arena, &request->params, &err);
    if (rc < 0) {
        refuse(request, rc, err.text);
        return;
    }
    uint64_t length = 0;
    size_t max = request->match.route->max_body_bytes;
    if (max > 0 && cw_str_to_u64(cw_http_header(request, "Content-Length"), &length)) {
        if (length > max)
            refuse(request, CW_E_TOO_LARGE, "http: request body too large");
        else if (!http_body_fits(request, length, &err))
            refuse(request, CW_E_TOO_LARGE, err.text);
    }
    request->body.max = max;
    if (request->refusal == NULL && max > 0)
        cw_buf_reserve(&request->body, (size_t)CW_MIN(length, (uint64_t)HTTP_RESERVE_BYTES));
}

/* Bytes of the body. False: cut the connection. */
static bool take_body(struct cw_http_request *request, struct cw_str bytes)
{
    if (request->refusal == NULL && request->body.max > 0) {
        struct cw_err err;
        int rc = bytes.len > request->body.max - request->body.len
                     ? cw_err_set(&err, CW_E_TOO_LARGE, "http: request body too large")
                     : http_body_take(request, bytes.len, &err);
        if (rc == 0) {
            cw_buf_adds(&request->body, bytes);
            return true;
        }
        if (rc == CW_E_OVERLOAD)
            http_answer_retry(request);
        refuse(request, rc, err.text);
    }
    http_body_give(request);
    request->discarded_bytes += bytes.len;
    return request->discarded_bytes <= HTTP_DISCARD_BYTES;
}

static void answer_refusal(struct cw_http_request *request)
{
    char text[CW_ERR_TEXT_BYTES + 1];
    if (!http_request_claim(request))
        return; /* cannot be: nobody else knows the request yet */
    int n = snprintf(text, sizeof text, "%s\n", request->refusal->text);
    int status = cw_err_http_status(request->refusal->code);
    struct MHD_Response *response = http_answer_text(cw_str_make(text, (size_t)n));
    http_answer_headers(request, response);
    http_answer_done(request, status);
    http_answer_set(request, status, response);
}

static bool is_form(const struct cw_http_request *request)
{
    struct cw_str type = cw_http_header(request, "Content-Type"), media;
    return request->method == CW_HTTP_POST && cw_str_split(&type, ';', &media) &&
           cw_str_eq_nocase(cw_str_trim(media), CW_STR("application/x-www-form-urlencoded"));
}

/* Refused when the stop waits for requests no more: libmicrohttpd must not be stopped while one is suspended. */
static void list_request(struct cw_http_request *request)
{
    struct cw_http_server *server = request->server;
    pthread_mutex_lock(&server->lock);
    bool closed = server->closed;
    if (!closed) {
        request->next = server->requests;
        if (request->next != NULL)
            request->next->prev = request;
        server->requests = request;
        request->listed = true;
    }
    pthread_mutex_unlock(&server->lock);
    if (closed)
        refuse_stopping(request);
}

/* What a form says comes before what the query string says, as in Go's Request.Form. */
static int read_form(struct cw_http_request *request, struct cw_err *err)
{
    struct cw_http_params query = request->params;
    request->params = (struct cw_http_params){.items = NULL};
    int rc =
        cw_http_params_parse(cw_buf_str(&request->body), request->arena, &request->params, err);
    return rc < 0 ? rc : cw_http_params_join(&request->params, &query, request->arena, err);
}

/* The body is whole: run the handler, and wait for the answer if it did not give one. */
static enum MHD_Result dispatch(struct cw_http_request *request)
{
    struct cw_err err;
    int rc = 0;
    if (request->refusal == NULL && is_form(request))
        rc = read_form(request, &err);
    if (rc < 0)
        refuse(request, rc, err.text);
    http_place_enter(&request->server->places, request->place, PLACE_BUSY);
    list_request(request);
    if (request->refusal != NULL) {
        answer_refusal(request);
        return http_answer_queue(request);
    }
    request->phase = HTTP_HANDLING;
    request->refs++; /* the handler's */
    request->match.route->handler(request, request->match.ctx);
    pthread_mutex_lock(&request->lock);
    bool answered = request->phase == HTTP_ANSWERED;
    if (!answered) {
        request->phase = HTTP_SUSPENDED;
        MHD_suspend_connection(request->connection);
    }
    pthread_mutex_unlock(&request->lock);
    return answered ? http_answer_queue(request) : MHD_YES;
}

/* The parameters are hidden from libmicrohttpd (0.9.75), which would keep each in the connection's memory, and when that is full
 * say nothing more. `uri` lies in its read buffer; it ends the path there itself when we return. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct cw_http_request *request = http_request_new(cls, connection, uri);
    char *mark = strchr(uri, '?');
    if (mark != NULL && mark[1] != '\0')
        mark[1] = '\0';
    return request;
}

static enum MHD_Result on_access(void *cls, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_len, void **slot)
{
    struct cw_http_request *request = *slot;
    (void)cls, (void)connection, (void)url;
    if (!request->begun) {
        begin_request(request, method, version);
        /* A client that asks whether to send gets the refusal instead; others send on, and are heard out if that has an end. */
        bool asks = cw_str_eq_nocase(cw_http_header(request, "Expect"), CW_STR("100-continue"));
        http_place_enter(&request->server->places, request->place, PLACE_SENDING);
        if (request->refusal == NULL || !(asks || request->unframed))
            return MHD_YES;
        http_place_enter(&request->server->places, request->place, PLACE_BUSY);
        list_request(request);
        answer_refusal(request);
        return http_answer_queue(request);
    }
    if (*upload_len > 0) {
        struct cw_str bytes = cw_str_make(upload, *upload_len);
        *upload_len = 0;
        http_place_enter(&request->server->places, request->place, PLACE_SENDING);
        return take_body(request, bytes) ? MHD_YES : MHD_NO;
    }
    if (request->phase == HTTP_RECEIVING)
        return dispatch(request);
    return http_answer_queue(request); /* resumed */
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *from, socklen_t from_len)
{
    struct cw_http_server *server = cls;
    (void)from, (void)from_len;
    return http_places_room(&server->places) ? MHD_YES : MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct cw_http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED && server->options.tls != NULL)
        tls_server_apply(server->options.tls,
                         MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)
                             ->tls_session); /* its handshake is still to come */
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        *slot = http_places_take(&server->places, fd);
        cw_memory_add(server->options.memory, CW_MEMORY_CONNECTIONS, CW_LIMIT_HTTP_HEADER_BYTES);
    } else { /* the socket is still open */
        http_places_give(&server->places, *slot);
        cw_memory_give(server->options.memory, CW_MEMORY_CONNECTIONS, CW_LIMIT_HTTP_HEADER_BYTES);
    }
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **slot,
                         enum MHD_RequestTerminationCode how)
{
    struct cw_http_request *request = *slot;
    (void)cls, (void)connection, (void)how;
    if (request == NULL)
        return;
    *slot = NULL;
    if (request->upgraded) {
        http_request_free(request); /* under a lock of libmicrohttpd: no other may be taken */
        return;
    }
    http_place_enter(&request->server->places, request->place, PLACE_IDLE);
    http_request_detach(request);
    http_upgrade_missed(request);
    http_request_unref(request);
}

/* ---- the server ---- */

static void on_log(void *cls, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
static void on_log(void *cls, const char *fmt, va_list ap)
{
    char text[512];
    (void)cls;
    vsnprintf(text, sizeof text, fmt, ap);
    text[strcspn(text, "\n")] = '\0';
    cw_log_debug("http: %s", text);
}

/* The URL is taken apart by us: '+' in a path, "%2F" in a segment and repeated names are to stay what they are. */
static size_t on_unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls, (void)connection;
    return strlen(text);
}

int cw_http_server_new(const struct cw_http_server_options *options, struct cw_http_server **out,
                       struct cw_err *err)
{
    struct cw_http_server *server = cw_mem_new(sizeof *server);
    atomic_store(&server->refs, 1);
    server->options = *options;
    server->listen.fd = -1;
    pthread_mutex_init(&server->lock, NULL);
    http_places_init(&server->places);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&server->idle, &attr);
    pthread_condattr_destroy(&attr);
    server->options.listen = NULL; /* the caller's text: server->listen.address is ours */
    int rc = cw_http_listen_open(options->listen, &server->listen, err);
    if (rc == 0)
        rc = cw_disconnect_open(&server->disconnect, err);
    if (rc < 0) {
        cw_http_server_free(&server);
        return rc;
    }
    *out = server;
    return 0;
}

void cw_http_server_routes(struct cw_http_server *server, const struct cw_http_route *routes,
                           void *ctx)
{
    CW_ASSERT(server->ntables < HTTP_ROUTE_TABLES && server->daemon == NULL);
    server->tables[server->ntables++] = (struct http_route_table){routes, ctx};
}

const char *cw_http_server_address(const struct cw_http_server *server)
{
    return server->listen.address;
}

static unsigned default_of(unsigned value, unsigned def)
{
    return value > 0 ? value : def;
}

/* Each connection has a buffer of its own for as long as it is open; what they take is not to be all there is. */
static unsigned max_connections(const struct cw_http_server_options *options)
{
    unsigned max = default_of(options->max_connections, HTTP_DEFAULT_CONNECTIONS);
    if (options->memory == NULL)
        return max;
    uint64_t fit = options->memory->limit / HTTP_CONNECTIONS_SHARE / CW_LIMIT_HTTP_HEADER_BYTES;
    return (unsigned)CW_MIN(CW_MAX(fit, 1), (uint64_t)max);
}

void cw_http_server_connections(struct cw_http_server *server, struct cw_http_connections *out)
{
    pthread_mutex_lock(&server->places.lock);
    *out = server->places.counts;
    pthread_mutex_unlock(&server->places.lock);
}

int cw_http_server_start(struct cw_http_server *server, struct cw_err *err)
{
    const struct cw_http_server_options *options = &server->options;
    long ncores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned nthreads = default_of(options->nthreads, ncores > 0 ? (unsigned)ncores : 1);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (options->tls ? MHD_USE_TLS : MHD_ALLOW_UPGRADE);
    unsigned max = max_connections(options);
    http_places_limit(&server->places, max);
    struct MHD_OptionItem more[4];
    size_t nmore = 0;
    if (nthreads > 1) /* a pool of one thread is refused */
        more[nmore++] =
            (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)nthreads, NULL};
    if (options->tls != NULL) { /* it asks for them, but on_connection() has each session's */
        more[nmore++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, tls_server_cert(options->tls)};
        more[nmore++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, tls_server_key(options->tls)};
    }
    more[nmore] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    server->daemon = MHD_start_daemon(
        flags, 0, on_accept, server, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, server->listen.fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server,
        MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_LIMIT,
        /* Each thread has its part of it and lets the others wait: on_accept() is to decide. Twice: those that leave. */
        nthreads * 2 * (max + 1), MHD_OPTION_CONNECTION_TIMEOUT,
        default_of(options->idle_timeout_s, HTTP_DEFAULT_IDLE_S),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CW_LIMIT_HTTP_HEADER_BYTES,
        /* Host and spaces in the target are checked by us: its own refusals repeat the answer's head in the body, or say nothing. */
        MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (server->daemon == NULL)
        return cw_err_errno(err, CW_E_INTERNAL, errno, "start the HTTP server on %s",
                            server->listen.address);
    return 0;
}

/* ---- stopping ---- */

/* Wait until all requests are done or the time is over; the lock is held. */
static bool wait_idle(struct cw_http_server *server, int64_t wait_ns)
{
    int64_t until = cw_clock_mono_ns() + wait_ns;
    struct timespec ts = {.tv_sec = until / CW_NS_PER_S, .tv_nsec = until % CW_NS_PER_S};
    while (server->requests != NULL) {
        if (pthread_cond_timedwait(&server->idle, &server->lock, &ts) != 0)
            return server->requests == NULL;
    }
    return true;
}

void http_server_unlist(struct cw_http_request *request)
{
    struct cw_http_server *server = request->server;
    if (request->prev != NULL)
        request->prev->next = request->next;
    else
        server->requests = request->next;
    if (request->next != NULL)
        request->next->prev = request->prev;
    request->next = request->prev = NULL;
    request->listed = false;
}

/* Answer for a handler that does not come back; false when it is about to answer, or has. */
static bool abandon(struct cw_http_request *request)
{
    if (!http_request_claim(request))
        return http_stream_abandon(request);
    pthread_mutex_lock(&request->lock);
    request->abandoned = true;
    pthread_mutex_unlock(&request->lock);
    /* Without the headers that were set: the handler may be setting one. */
    http_answer_set(request, 503, http_answer_text(CW_STR("the server has stopped\n")));
    return true;
}

/* Does the handler's side still hold the request? */
static bool is_handled(struct cw_http_request *request)
{
    pthread_mutex_lock(&request->lock);
    bool handled = request->refs > (request->connection != NULL ? 1 : 0);
    pthread_mutex_unlock(&request->lock);
    return handled;
}

/* The grace is over: let nothing be in the list that somebody else than libmicrohttpd touches. The lock is held. */
static void clear_requests(struct cw_http_server *server)
{
    for (;;) {
        for (struct cw_http_request *at = server->requests, *next; at != NULL; at = next) {
            next = at->next;
            if (abandon(at))
                cw_log_warn("http: %.*s was not answered before the stop", CW_STR_ARG(at->path));
            else if (is_handled(at))
                continue;
            http_server_unlist(at);
        }
        if (wait_idle(server, HTTP_STOP_POLL_NS))
            return;
    }
}

void cw_http_server_stop(struct cw_http_server *server, int64_t grace_ns)
{
    if (server->daemon == NULL)
        return;
    atomic_store(&server->stopping, true);
    int fd = MHD_quiesce_daemon(server->daemon);
    CW_ASSERT(fd == server->listen.fd);
    /* Nobody connects any more. It stays open: a thread of libmicrohttpd may still be about to let it go, and aborts where it cannot. */
    shutdown(fd, SHUT_RDWR);
    pthread_mutex_lock(&server->lock);
    bool idle = wait_idle(server, grace_ns);
    server->closed = true;
    if (!idle) {
        for (struct cw_http_request *at = server->requests; at != NULL; at = at->next)
            http_request_cancel(at);
        if (!wait_idle(server, CW_HTTP_STOP_NS))
            clear_requests(server);
    }
    while (server->nupgraded > 0) /* they see `stopping` */
        pthread_cond_wait(&server->idle, &server->lock);
    pthread_mutex_unlock(&server->lock);
    MHD_stop_daemon(server->daemon);
    server->daemon = NULL;
    close(fd);
    server->listen.fd = -1;
}

void http_server_unref(struct cw_http_server *server)
{
    if (atomic_fetch_sub(&server->refs, 1) > 1)
        return;
    http_places_fini(&server->places);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->idle);
    free(server);
}

void cw_http_server_free(struct cw_http_server **server)
{
    if (*server == NULL)
        return;
    cw_http_server_stop(*server, 0);
    cw_disconnect_close(&(*server)->disconnect);
    if ((*server)->listen.fd >= 0)
        close((*server)->listen.fd);
    http_server_unref(*server);
    *server = NULL;
}
