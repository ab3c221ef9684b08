#include "common/net/websocket_client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/base64.h"
#include "common/base/clock.h"
#include "common/net/http_transfer_priv.h"
#include "common/net/websocket_handshake.h"

enum {
    HEAD_BYTES_MAX = 64 << 10,
    READ_BYTES = 4096,
    POLL_MS = 200, /* how soon a raised `cancel` is seen */
    DEFAULT_WAIT_S = 10,
    ERROR_WAIT_MS = 1000, /* for the rest of an error's text */
};

struct cw_websocket_client {
    struct http_transfer transfer;
    struct cw_websocket socket;
    bool open; /* `socket` is in use */
    curl_socket_t fd;
};

/* One step of the handshake. */
struct handshake {
    struct cw_websocket_client *client;
    const struct cw_http_call *call;
    int64_t until_mono_ns;
    char key[CW_WEBSOCKET_KEY_BYTES];
    struct cw_buf answer;
};

static ssize_t client_read(void *ctx, char *to, size_t max)
{
    struct cw_websocket_client *client = ctx;
    size_t n = 0;
    CURLcode code = curl_easy_recv(client->transfer.easy, to, max, &n);
    if (code == CURLE_AGAIN)
        return 0;
    return code == CURLE_OK && n > 0 ? (ssize_t)n : CW_E_IO;
}

static ssize_t client_write(void *ctx, const char *from, size_t len)
{
    struct cw_websocket_client *client = ctx;
    size_t n = 0;
    CURLcode code = curl_easy_send(client->transfer.easy, from, len, &n);
    if (code == CURLE_AGAIN)
        return 0;
    return code == CURLE_OK ? (ssize_t)n : CW_E_IO;
}

static int fail(const struct handshake *hs, int code, const char *why, struct cw_err *err)
{
    return cw_err_set(err, code, "%s: %s", hs->client->transfer.url, why);
}

/* Until the socket is ready; CW_E_TIMEOUT, CW_E_CANCELED. */
static int await(const struct handshake *hs, short events, struct cw_err *err)
{
    for (;;) {
        struct pollfd fd = {.fd = hs->client->fd, .events = events};
        if (hs->call->cancel != NULL && atomic_load(hs->call->cancel))
            return fail(hs, CW_E_CANCELED, "cancelled", err);
        if (cw_clock_mono_ns() >= hs->until_mono_ns)
            return fail(hs, CW_E_TIMEOUT, "no answer to the WebSocket handshake in time", err);
        if (poll(&fd, 1, POLL_MS) > 0)
            return 0;
    }
}

/* ---- the request ---- */

/* "http://host:port/path?query": what stands in Host and in the request line. */
static int add_target(const char *url, struct cw_buf *out, struct cw_err *err)
{
    CURLU *parts = curl_url();
    char *host = NULL, *port = NULL, *path = NULL, *query = NULL;
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_PATH, &path, 0) == CURLUE_OK;
    if (good) {
        curl_url_get(parts, CURLUPART_PORT, &port, 0);
        curl_url_get(parts, CURLUPART_QUERY, &query, 0);
        cw_buf_addf(out, "GET %s%s%s HTTP/1.1\r\nHost: %s%s%s\r\n", path, query ? "?" : "",
                    query ? query : "", host, port ? ":" : "", port ? port : "");
    }
    curl_free(host);
    curl_free(port);
    curl_free(path);
    curl_free(query);
    curl_url_cleanup(parts);
    return good ? 0 : cw_err_set(err, CW_E_INVALID, "the URL is not usable");
}

static void add_authorization(const struct cw_http_call *call, struct cw_buf *out)
{
    if (call->user != NULL) {
        cw_buf_addz(out, "Authorization: Basic ");
        cw_base64_encode(cw_str_of(call->user), out);
        cw_buf_addz(out, "\r\n");
    } else if (call->bearer != NULL) {
        cw_buf_addf(out, "Authorization: Bearer %s\r\n", call->bearer);
    }
}

static int send_request(struct handshake *hs, struct cw_err *err)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    int rc = add_target(hs->call->url, &text, err);
    cw_buf_addf(&text,
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: %s\r\n",
                hs->key);
    add_authorization(hs->call, &text);
    for (size_t i = 0; hs->call->headers != NULL && hs->call->headers[i] != NULL; i++)
        cw_buf_addf(&text, "%s\r\n", hs->call->headers[i]);
    cw_buf_addz(&text, "\r\n");
    for (size_t at = 0; rc == 0 && at < text.len;) {
        ssize_t n = client_write(hs->client, text.ptr + at, text.len - at);
        if (n < 0)
            rc = fail(hs, CW_E_IO, "the connection broke", err);
        else if (n == 0)
            rc = await(hs, POLLOUT, err);
        else
            at += (size_t)n;
    }
    cw_buf_fini(&text);
    return rc;
}

/* ---- the answer ---- */

/* More of it: 1, 0 the end of the connection. */
static int read_some(struct handshake *hs, struct cw_err *err)
{
    for (;;) {
        char *to = cw_buf_reserve(&hs->answer, READ_BYTES);
        if (to == NULL)
            return fail(hs, CW_E_TOO_LARGE, "the answer's headers are too long", err);
        ssize_t n = client_read(hs->client, to, READ_BYTES);
        if (n < 0)
            return 0;
        if (n > 0) {
            hs->answer.len += (size_t)n;
            return 1;
        }
        int rc = await(hs, POLLIN, err);
        if (rc < 0)
            return rc;
    }
}

static int read_head(struct handshake *hs, struct cw_websocket_answer *out, struct cw_err *err)
{
    for (;;) {
        int rc = cw_websocket_answer_parse(cw_buf_str(&hs->answer), cw_str_of(hs->key), out, err);
        if (rc != 0)
            return rc < 0 ? cw_err_wrap(err, "%s", hs->client->transfer.url) : 0;
        rc = read_some(hs, err);
        if (rc <= 0)
            return rc < 0 ? rc : fail(hs, CW_E_IO, "the connection ended without an answer", err);
    }
}

/* The text of an answer that is no 101, as far as it comes soon: nobody waits for ever for a sentence. */
static void read_text(struct handshake *hs, const struct cw_websocket_answer *answer,
                      struct cw_buf *body)
{
    struct cw_err ignored;
    size_t want = CW_MIN(answer->body_len, body->max);
    hs->until_mono_ns = cw_clock_mono_ns() + ERROR_WAIT_MS * CW_NS_PER_MS;
    while (hs->answer.len - answer->head_len < want && read_some(hs, &ignored) > 0) {
    }
    struct cw_str text = cw_str_sub(cw_buf_str(&hs->answer), answer->head_len, hs->answer.len);
    cw_buf_adds(body, cw_str_sub(text, 0, want));
}

static int shake_hands(struct handshake *hs, size_t max_message_bytes, int *status_out,
                       struct cw_buf *body, struct cw_err *err)
{
    struct cw_websocket_client *client = hs->client;
    struct cw_websocket_answer answer;
    cw_websocket_key(hs->key);
    int rc = send_request(hs, err);
    if (rc == 0)
        rc = read_head(hs, &answer, err);
    if (rc < 0)
        return rc;
    *status_out = answer.status;
    if (answer.status != 101) {
        read_text(hs, &answer, body);
        return 0;
    }
    struct cw_websocket_transport transport = {
        .fd = client->fd, .read = client_read, .write = client_write, .ctx = client};
    cw_websocket_init(&client->socket, CW_WEBSOCKET_CLIENT, &transport,
                      cw_str_sub(cw_buf_str(&hs->answer), answer.head_len, hs->answer.len),
                      max_message_bytes);
    client->open = true;
    return 0;
}

static int open_connection(struct cw_websocket_client *client, const struct cw_http_call *call,
                           struct cw_err *err)
{
    struct cw_http_answer unused;
    int rc = http_transfer_init(&client->transfer, call, NULL, NULL, err);
    if (rc < 0)
        return rc;
    CURL *easy = client->transfer.easy;
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    rc = http_transfer_result(&client->transfer, curl_easy_perform(easy), &unused, err);
    if (rc == 0 && curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &client->fd) != CURLE_OK)
        rc = cw_err_set(err, CW_E_IO, "%s: the connection broke", client->transfer.url);
    return rc;
}

int cw_websocket_connect(const struct cw_http_call *call, size_t max_message_bytes,
                         struct cw_websocket_client **out, int *status_out, struct cw_buf *body,
                         struct cw_err *err)
{
    struct cw_websocket_client *client = cw_mem_new(sizeof *client);
    int64_t wait_ns =
        call->connect_timeout_ns > 0 ? call->connect_timeout_ns : DEFAULT_WAIT_S * CW_NS_PER_S;
    struct handshake hs = {.client = client, .call = call};
    *out = NULL;
    *status_out = 0;
    cw_buf_init(&hs.answer, HEAD_BYTES_MAX);
    int rc = open_connection(client, call, err);
    hs.until_mono_ns = cw_clock_mono_ns() + wait_ns;
    if (rc == 0)
        rc = shake_hands(&hs, max_message_bytes, status_out, body, err);
    cw_buf_fini(&hs.answer);
    if (rc == 0 && client->open)
        *out = client;
    else
        cw_websocket_client_close(&client);
    return rc;
}

struct cw_websocket *cw_websocket_client_socket(struct cw_websocket_client *client)
{
    return &client->socket;
}

void cw_websocket_client_close(struct cw_websocket_client **handle)
{
    struct cw_websocket_client *client = *handle;
    if (client == NULL)
        return;
    if (client->open)
        cw_websocket_fini(&client->socket);
    http_transfer_fini(&client->transfer);
    free(client);
    *handle = NULL;
}
