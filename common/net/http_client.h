/*
 * http_client.h - HTTP requests (libcurl): asynchronous on a libuv loop for the shipper, blocking for the CLI and the exporter.
 *
 * Ownership  URL, headers and body are borrowed until the answer (async: until on_done ran). The answer's text is borrowed in on_done.
 * Threads    A client belongs to its loop's thread.
 * Errors     CW_E_UNAVAILABLE (cannot connect), CW_E_TIMEOUT, CW_E_IO (broken answer), CW_E_TOO_LARGE (answer over its bound). An HTTP status
 *            is no error here.
 */
#ifndef CW_NET_HTTP_CLIENT_H
#define CW_NET_HTTP_CLIENT_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum cw_http_tls_version {
    CW_HTTP_TLS_ANY,
    CW_HTTP_TLS_10,
    CW_HTTP_TLS_11,
    CW_HTTP_TLS_12,
    CW_HTTP_TLS_13
};

struct cw_http_call {
    const char *method; /* "GET", "POST" */
    const char *url;
    const char *unix_socket;    /* NULL, or a path: Docker's Engine API */
    const char *const *headers; /* "Name: value", ended by NULL; may be NULL */
    struct cw_str body;
    int64_t timeout_ns;         /* 0: none (streams) */
    int64_t connect_timeout_ns; /* 0: 10 s */
    size_t max_answer_bytes;
    const char *user; /* basic auth "user:password", or NULL */
    const char *bearer;
    const char *authorization; /* the whole value of the header, or NULL */
    const char *ca_file, *cert_file, *key_file;
    struct cw_str ca_text, cert_text, key_text; /* PEM, instead of a file; empty: none */
    bool insecure_skip_verify;
    const char *server_name; /* of the certificate, if it is not the URL's host; or NULL */
    enum cw_http_tls_version tls_min, tls_max;
    const char *proxy_url; /* NULL: as the environment says; "": none */
    const char *no_proxy;  /* hosts to be reached without it; NULL: as the environment says */
    const char *const *proxy_headers; /* for CONNECT, ended by NULL; may be NULL */
    bool follow_redirects;            /* ten at most; a POST stays a POST */
    /* Blocking calls end with CW_E_CANCELED within a second when it is raised; may be NULL. */
    const atomic_bool *cancel;
};

struct cw_http_answer {
    int status; /* 0: no answer, see err */
    struct cw_str body;
    int64_t retry_after_s; /* -1 when absent or unreadable */
    struct cw_str content_type;
};

/* Blocking. The answer's bytes, at most max_answer_bytes, are appended to *body. */
int cw_http_fetch(const struct cw_http_call *call, int *status_out, struct cw_buf *body,
                  struct cw_err *err) CW_MUST_USE;
/* Blocking, and the body is handed on as it comes; a negative result of fn stops and is returned. *status_out is set before
 * fn sees the first byte (a body of an error too). */
typedef int (*cw_http_data_fn)(void *arg, struct cw_str bytes, struct cw_err *err);
int cw_http_fetch_stream(const struct cw_http_call *call, int *status_out, cw_http_data_fn fn,
                         void *arg, struct cw_err *err) CW_MUST_USE;

struct cw_http_client;
struct cw_http_call_handle;
/* rc 0 with an answer, or a negative error. The last statement of the callback may free the client. */
typedef void (*cw_http_done_fn)(void *arg, int rc, const struct cw_http_answer *answer,
                                const struct cw_err *err);

int cw_http_client_new(uv_loop_t *loop, struct cw_http_client **out,
                       struct cw_err *err) CW_MUST_USE;
/* Never calls back before it returns. `on_data` may be NULL; with it the body is handed on as it comes (and answer->body is empty). */
int cw_http_client_start(struct cw_http_client *client, const struct cw_http_call *call,
                         cw_http_data_fn on_data, cw_http_done_fn on_done, void *arg,
                         struct cw_http_call_handle **handle_out, struct cw_err *err) CW_MUST_USE;
/* No callback comes any more for this call; sets *handle to NULL. Not after on_done began: the handle is gone then. */
void cw_http_client_abort(struct cw_http_client *client, struct cw_http_call_handle **handle);
/* Abort all, close the handles on the loop, then call on_closed (may be NULL); the client frees itself. */
void cw_http_client_close(struct cw_http_client *client, void (*on_closed)(void *arg), void *arg);

#endif
