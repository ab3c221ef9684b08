/*
 * http_transfer_priv.h - one request on a libcurl easy handle: what http_client.c and http_fetch.c have in common.
 */
#ifndef CW_NET_HTTP_TRANSFER_PRIV_H
#define CW_NET_HTTP_TRANSFER_PRIV_H
#include <curl/curl.h>

#include "common/net/http_client.h"
#include "common/net/memory_files_priv.h"

struct http_transfer {
    CURL *easy;
    struct curl_slist *headers, *proxy_headers, *connect_to;
    struct cw_buf body;         /* of the answer, bounded; unused with on_data */
    cw_http_data_fn on_data;    /* may be NULL */
    void *arg;                  /* of on_data */
    const atomic_bool *cancel;  /* may be NULL */
    struct memory_files *files; /* of certificates given as text; borrowed */
    bool in_headers;            /* an answer has begun, and its headers have not ended */
    int rc;                     /* of on_data, or CW_E_TOO_LARGE: why bytes were refused */
    struct cw_err err;          /* goes with it */
    char url[256];              /* for errors: without user, password and query */
    char error[CURL_ERROR_SIZE];
};

/* Zeroed before, but for `files`. The call's texts are borrowed until _fini(). */
int http_transfer_init(struct http_transfer *transfer, const struct cw_http_call *call,
                       cw_http_data_fn on_data, void *arg, struct cw_err *err);
void http_transfer_fini(struct http_transfer *transfer);
/* 0 and the answer, or the error. The answer borrows from the transfer. */
int http_transfer_result(struct http_transfer *transfer, CURLcode code,
                         struct cw_http_answer *answer, struct cw_err *err);

#endif
