#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/net/http_transfer_priv.h"

enum { TRANSFER_CONNECT_MS = 10000 };

static void curl_init(void)
{
    CW_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

static size_t on_write(char *bytes, size_t size, size_t n, void *arg)
{
    struct http_transfer *transfer = arg;
    struct cw_str data = cw_str_make(bytes, size * n);
    if (transfer->on_data != NULL) {
        transfer->rc = transfer->on_data(transfer->arg, data, &transfer->err);
    } else {
        cw_buf_adds(&transfer->body, data);
        if (cw_buf_failed(&transfer->body))
            transfer->rc =
                cw_err_set(&transfer->err, CW_E_TOO_LARGE, "%s: the answer is over %zu bytes",
                           transfer->url, transfer->body.max);
    }
    return transfer->rc < 0 ? CURL_WRITEFUNC_ERROR : data.len;
}

/* libcurl takes an answer that ends within its headers for a whole one with an empty body. Heads of proxies and redirects
 * come before the answer's own, trailers behind it. */
static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
    struct http_transfer *transfer = arg;
    struct cw_str line = cw_str_trim(cw_str_make(bytes, size * n));
    if (cw_str_starts(line, CW_STR("HTTP/")))
        transfer->in_headers = true;
    else if (line.len == 0)
        transfer->in_headers = false;
    return size * n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    const struct http_transfer *transfer = arg;
    (void)total, (void)now, (void)up_total, (void)up_now;
    return transfer->cancel != NULL && atomic_load(transfer->cancel);
}

/* "http://user:secret@host/path?query" is "http://host/path" in errors. */
static void name_url(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    size_t authority = strcspn(host, "/?");
    const char *at = memrchr(host, '@', authority);
    const char *rest = at != NULL ? at + 1 : host;
    snprintf(out, size, "%.*s%.*s", (int)(host - url), url, (int)strcspn(rest, "?"), rest);
}

static void set_method(CURL *easy, const struct cw_http_call *call)
{
    if (strcmp(call->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(call->method, "GET") != 0 || call->body.len > 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.len > 0 ? call->body.ptr : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
    }
}

/* enum cw_http_tls_version */
static const long tls_min[] = {CURL_SSLVERSION_DEFAULT, CURL_SSLVERSION_TLSv1_0,
                               CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2,
                               CURL_SSLVERSION_TLSv1_3};
static const long tls_max[] = {CURL_SSLVERSION_MAX_DEFAULT, CURL_SSLVERSION_MAX_TLSv1_0,
                               CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                               CURL_SSLVERSION_MAX_TLSv1_3};

/* `text` goes ahead of `path`. */
static int set_tls_file(struct http_transfer *transfer, CURLoption option, const char *path,
                        struct cw_str text, struct cw_err *err)
{
    if (text.len > 0)
        path = memory_files_path(transfer->files, text, err);
    if (path == NULL)
        return text.len > 0 ? CW_E_IO : 0;
    curl_easy_setopt(transfer->easy, option, path);
    return 0;
}

static int set_security(struct http_transfer *transfer, const struct cw_http_call *call,
                        struct cw_err *err)
{
    CURL *easy = transfer->easy;
    if (call->user != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERPWD, call->user);
    } else if (call->bearer != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, call->bearer);
    }
    if (call->tls_min != CW_HTTP_TLS_ANY || call->tls_max != CW_HTTP_TLS_ANY)
        curl_easy_setopt(easy, CURLOPT_SSLVERSION, tls_min[call->tls_min] | tls_max[call->tls_max]);
    if (call->insecure_skip_verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    int rc = set_tls_file(transfer, CURLOPT_CAINFO, call->ca_file, call->ca_text, err);
    if (rc == 0)
        rc = set_tls_file(transfer, CURLOPT_SSLCERT, call->cert_file, call->cert_text, err);
    if (rc == 0)
        rc = set_tls_file(transfer, CURLOPT_SSLKEY, call->key_file, call->key_text, err);
    return rc;
}

/* Have the certificate checked for another name than the URL's host: the URL gets that name, and leads to the host; the
 * header Host stays. */
static int set_server_name(struct http_transfer *transfer, const struct cw_http_call *call,
                           struct cw_err *err)
{
    char *host = NULL, *port = NULL, *url = NULL, text[1024];
    CURLU *parts = curl_url();
    CW_ASSERT(parts != NULL);
    bool good = curl_url_set(parts, CURLUPART_URL, call->url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_set(parts, CURLUPART_HOST, call->server_name, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_URL, &url, 0) == CURLUE_OK;
    if (good) {
        snprintf(text, sizeof text, "%s:%s:%s:%s", call->server_name, port, host, port);
        transfer->connect_to = curl_slist_append(NULL, text);
        snprintf(text, sizeof text, "Host: %s:%s", host, port);
        transfer->headers = curl_slist_append(transfer->headers, text);
        curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, transfer->connect_to);
        curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    }
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(parts);
    return good ? 0
                : cw_err_set(err, CW_E_INVALID, "%s: the URL does not go with the server name %s",
                             transfer->url, call->server_name);
}

static void set_proxy(struct http_transfer *transfer, const struct cw_http_call *call)
{
    CURL *easy = transfer->easy;
    if (call->proxy_url != NULL)
        curl_easy_setopt(easy, CURLOPT_PROXY, call->proxy_url);
    if (call->no_proxy != NULL)
        curl_easy_setopt(easy, CURLOPT_NOPROXY, call->no_proxy);
    for (size_t i = 0; call->proxy_headers != NULL && call->proxy_headers[i] != NULL; i++)
        transfer->proxy_headers =
            curl_slist_append(transfer->proxy_headers, call->proxy_headers[i]);
    curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    curl_easy_setopt(easy, CURLOPT_PROXYHEADER, transfer->proxy_headers);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

/* Milliseconds, rounded up: 1 ns must not become "none". */
static long to_ms(int64_t ns)
{
    return (long)((ns + CW_NS_PER_MS - 1) / CW_NS_PER_MS);
}

static int set_headers(struct http_transfer *transfer, const struct cw_http_call *call,
                       struct cw_err *err)
{
    /* curl would wait a second for "100 Continue" of servers that do not send it. */
    transfer->headers = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++)
        transfer->headers = curl_slist_append(transfer->headers, call->headers[i]);
    if (call->authorization != NULL) {
        struct cw_buf text;
        cw_buf_init(&text, SIZE_MAX);
        cw_buf_addf(&text, "Authorization: %s", call->authorization);
        transfer->headers = curl_slist_append(transfer->headers, cw_buf_z(&text));
        cw_buf_fini(&text);
    }
    int rc = call->server_name != NULL ? set_server_name(transfer, call, err) : 0;
    CW_ASSERT(transfer->headers != NULL);
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    return rc;
}

int http_transfer_init(struct http_transfer *transfer, const struct cw_http_call *call,
                       cw_http_data_fn on_data, void *arg, struct cw_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, curl_init);
    CURL *easy = transfer->easy = curl_easy_init();
    CW_ASSERT(easy != NULL);
    transfer->on_data = on_data;
    transfer->arg = arg;
    transfer->cancel = call->cancel;
    cw_buf_init(&transfer->body, call->max_answer_bytes);
    name_url(call->url, transfer->url, sizeof transfer->url);
    if (curl_easy_setopt(easy, CURLOPT_URL, call->url) != CURLE_OK)
        return cw_err_set(err, CW_E_INVALID, "%s: the URL is not usable", transfer->url);
    set_method(easy, call);
    int rc = set_security(transfer, call, err);
    if (rc == 0)
        rc = set_headers(transfer, call, err);
    if (rc < 0)
        return rc;
    if (call->follow_redirects) {
        curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
        curl_easy_setopt(easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    }
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "cordwood/" CW_VERSION);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, ""); /* all that curl can undo */
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, call->cancel == NULL ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, to_ms(call->timeout_ns));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     call->connect_timeout_ns > 0 ? to_ms(call->connect_timeout_ns)
                                                  : (long)TRANSFER_CONNECT_MS);
    if (call->unix_socket != NULL)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    set_proxy(transfer, call);
    return 0;
}

void http_transfer_fini(struct http_transfer *transfer)
{
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->proxy_headers);
    curl_slist_free_all(transfer->connect_to);
    cw_buf_fini(&transfer->body);
    transfer->easy = NULL;
    transfer->headers = transfer->proxy_headers = transfer->connect_to = NULL;
}

static int error_code(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE: return CW_E_INVALID;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION: return CW_E_UNAVAILABLE;
    case CURLE_OPERATION_TIMEDOUT: return CW_E_TIMEOUT;
    case CURLE_ABORTED_BY_CALLBACK: return CW_E_CANCELED;
    default: return CW_E_IO;
    }
}

/* Retry-After: seconds, or a date. -1 when absent or unreadable. */
static int64_t retry_after(CURL *easy)
{
    struct curl_header *header;
    if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return -1;
    uint64_t seconds;
    if (cw_str_to_u64(cw_str_trim(cw_str_of(header->value)), &seconds))
        return seconds > INT64_MAX ? INT64_MAX : (int64_t)seconds;
    time_t date = curl_getdate(header->value, NULL);
    if (date == -1)
        return -1;
    time_t now = time(NULL);
    return date > now ? (int64_t)(date - now) : 0;
}

int http_transfer_result(struct http_transfer *transfer, CURLcode code,
                         struct cw_http_answer *answer, struct cw_err *err)
{
    long status = 0;
    char *content_type = NULL;
    if (transfer->rc < 0) {
        *err = transfer->err;
        err->code = transfer->rc;
        return transfer->rc;
    }
    if (code != CURLE_OK) {
        long sent = 0;
        curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &sent);
        /* Said of the URL before anything is sent; afterwards of an answer that is no HTTP. */
        if (code == CURLE_UNSUPPORTED_PROTOCOL && sent > 0)
            code = CURLE_WEIRD_SERVER_REPLY;
        const char *why = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(code);
        return cw_err_set(err, error_code(code), "%s: %s", transfer->url, why);
    }
    if (transfer->in_headers)
        return cw_err_set(err, CW_E_IO, "%s: the answer was cut off within its headers",
                          transfer->url);
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
    *answer = (struct cw_http_answer){
        .status = (int)status,
        .body = cw_buf_str(&transfer->body),
        .retry_after_s = retry_after(transfer->easy),
        .content_type = cw_str_of(content_type),
    };
    return 0;
}
