/*
 * http_client.c - libcurl's multi interface driven by a libuv loop.
 *
 * curl tells which sockets to watch (a uv_poll_t each) and when to wake it (one uv_timer_t); we tell it what happened. Inside
 * its callbacks (on_data) curl must not be called again: starts, aborts and the close that come from there wait until it
 * returned (settle()).
 */
#include "common/net/http_client.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/net/http_transfer_priv.h"

#define CW_HTTP_CLIENT_MAGIC 0x48545450u

enum call_state {
    CALL_NEW,     /* not yet with curl */
    CALL_RUNNING, /* with curl */
};

struct cw_http_call_handle {
    struct cw_http_client *client;
    struct cw_http_call_handle *next, *prev;
    struct http_transfer transfer;
    enum call_state state;
    bool aborted; /* no callback comes any more */
    cw_http_data_fn on_data;
    cw_http_done_fn on_done;
    void *arg;
};

struct socket_watch {
    uv_poll_t poll;
    struct cw_http_client *client;
    curl_socket_t fd;
    int events; /* that curl waits for */
};

struct cw_http_client {
    uint32_t magic; /* CW_HTTP_CLIENT_MAGIC until freed */
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timer;
    unsigned nopen; /* uv handles not yet closed; at 0 we free */
    bool in_curl, closing, settling;
    struct cw_http_call_handle *calls;
    struct memory_files files;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

static void settle(struct cw_http_client *client);

/* ---- libuv tells curl ---- */

static void client_unref(struct cw_http_client *client)
{
    if (--client->nopen > 0)
        return;
    void (*on_closed)(void *) = client->on_closed;
    void *arg = client->closed_arg;
    client->magic = 0;
    free(client);
    if (on_closed != NULL)
        on_closed(arg);
}

static void on_watch_closed(uv_handle_t *handle)
{
    struct socket_watch *watch = CW_CONTAINER_OF(handle, struct socket_watch, poll);
    struct cw_http_client *client = watch->client;
    free(watch);
    client_unref(client);
}

static void on_timer_closed(uv_handle_t *handle)
{
    client_unref(CW_CONTAINER_OF(handle, struct cw_http_client, timer));
}

static void act(struct cw_http_client *client, curl_socket_t fd, int what)
{
    int running;
    CW_CHECK(client, CW_HTTP_CLIENT_MAGIC);
    client->in_curl = true;
    curl_multi_socket_action(client->multi, fd, what, &running);
    client->in_curl = false;
    settle(client);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct socket_watch *watch = CW_CONTAINER_OF(poll, struct socket_watch, poll);
    /* An error is what recv() and send() say it is. CURL_CSELECT_ERR alone would hide that a kept connection was reset, which curl
     * answers with another connection. */
    int what = 0;
    if (status < 0) /* libuv watches it no more, and there may be bytes before the error */
        what = uv_poll_start(poll, watch->events, on_poll) == 0 ? CURL_CSELECT_IN | CURL_CSELECT_OUT
                                                                : CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        what |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        what |= CURL_CSELECT_OUT;
    act(watch->client, watch->fd, what);
}

static void on_timer(uv_timer_t *timer)
{
    act(CW_CONTAINER_OF(timer, struct cw_http_client, timer), CURL_SOCKET_TIMEOUT, 0);
}

/* ---- curl tells libuv ---- */

static struct socket_watch *watch_new(struct cw_http_client *client, curl_socket_t fd)
{
    struct socket_watch *watch = cw_mem_new(sizeof *watch);
    watch->client = client;
    watch->fd = fd;
    if (uv_poll_init_socket(client->loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    client->nopen++;
    curl_multi_assign(client->multi, fd, watch);
    return watch;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct cw_http_client *client = arg;
    struct socket_watch *watch = socket_arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL) {
            curl_multi_assign(client->multi, fd, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        }
        return 0;
    }
    if (watch == NULL)
        watch = watch_new(client, fd);
    if (watch == NULL)
        return -1; /* curl fails its transfers */
    watch->events =
        (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watch->poll, watch->events, on_poll) == 0 ? 0 : -1;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *arg)
{
    struct cw_http_client *client = arg;
    (void)multi;
    if (client->closing)
        return 0;
    if (timeout_ms < 0)
        uv_timer_stop(&client->timer);
    else
        uv_timer_start(&client->timer, on_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

/* ---- calls ---- */

static int on_call_data(void *arg, struct cw_str bytes, struct cw_err *err)
{
    struct cw_http_call_handle *call = arg;
    if (call->aborted)
        return cw_err_set(err, CW_E_CANCELED, "aborted");
    int rc = call->on_data(call->arg, bytes, err);
    return call->aborted ? CW_E_CANCELED : rc;
}

static void call_free(struct cw_http_call_handle *call)
{
    struct cw_http_client *client = call->client;
    if (call->state == CALL_RUNNING)
        curl_multi_remove_handle(client->multi, call->transfer.easy);
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        client->calls = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    http_transfer_fini(&call->transfer);
    free(call);
}

/* What curl has finished; its callback may do anything to the client. */
static void finish_calls(struct cw_http_client *client)
{
    CURLMsg *message;
    int left;
    while (!client->closing && (message = curl_multi_info_read(client->multi, &left)) != NULL) {
        struct cw_http_call_handle *call;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        if (call->aborted)
            continue; /* freed below */
        struct cw_http_answer answer = {.retry_after_s = -1};
        struct cw_err err = {0};
        int rc = http_transfer_result(&call->transfer, code, &answer, &err);
        /* From here on it is nobody's call: an abort by its handle would be a misuse, one by the close must not see it. */
        call->aborted = true;
        call->on_done(call->arg, rc, &answer, &err);
    }
}

static void close_now(struct cw_http_client *client)
{
    while (client->calls != NULL)
        call_free(client->calls);
    curl_multi_cleanup(client->multi); /* its connections' watches are closed by on_socket */
    client->multi = NULL;
    memory_files_fini(&client->files);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

/* Do what waited until curl returned. The client may be on its way out after this. */
static void settle(struct cw_http_client *client)
{
    if (client->in_curl || client->settling)
        return;
    client->settling = true;
    finish_calls(client);
    for (struct cw_http_call_handle *call = client->calls, *next; call != NULL; call = next) {
        next = call->next;
        if (call->aborted) {
            call_free(call);
        } else if (call->state == CALL_NEW && !client->closing) {
            call->state = CALL_RUNNING;
            /* Sets the timer; curl does no more than that here. */
            CW_ASSERT(curl_multi_add_handle(client->multi, call->transfer.easy) == CURLM_OK);
        }
    }
    client->settling = false;
    if (client->closing)
        close_now(client);
}

int cw_http_client_new(uv_loop_t *loop, struct cw_http_client **out, struct cw_err *err)
{
    struct cw_http_client *client = cw_mem_new(sizeof *client);
    client->magic = CW_HTTP_CLIENT_MAGIC;
    client->loop = loop;
    client->multi = curl_multi_init();
    int uv = uv_timer_init(loop, &client->timer);
    if (client->multi == NULL || uv != 0) {
        int rc = cw_err_set(err, CW_E_INTERNAL, "start the HTTP client: %s",
                            uv != 0 ? uv_strerror(uv) : "libcurl");
        curl_multi_cleanup(client->multi);
        free(client);
        return rc;
    }
    client->nopen = 1;
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    *out = client;
    return 0;
}

int cw_http_client_start(struct cw_http_client *client, const struct cw_http_call *call,
                         cw_http_data_fn on_data, cw_http_done_fn on_done, void *arg,
                         struct cw_http_call_handle **handle_out, struct cw_err *err)
{
    CW_CHECK(client, CW_HTTP_CLIENT_MAGIC);
    if (client->closing)
        return cw_err_set(err, CW_E_CANCELED, "the HTTP client is closing");
    struct cw_http_call_handle *handle = cw_mem_new(sizeof *handle);
    handle->transfer.files = &client->files;
    int rc = http_transfer_init(&handle->transfer, call, on_data != NULL ? on_call_data : NULL,
                                handle, err);
    if (rc < 0) {
        http_transfer_fini(&handle->transfer);
        free(handle);
        return rc;
    }
    handle->client = client;
    handle->on_data = on_data;
    handle->on_done = on_done;
    handle->arg = arg;
    curl_easy_setopt(handle->transfer.easy, CURLOPT_PRIVATE, handle);
    handle->next = client->calls;
    if (handle->next != NULL)
        handle->next->prev = handle;
    client->calls = handle;
    if (handle_out != NULL)
        *handle_out = handle;
    if (!client->in_curl && !client->settling) {
        handle->state = CALL_RUNNING;
        CW_ASSERT(curl_multi_add_handle(client->multi, handle->transfer.easy) == CURLM_OK);
    }
    return 0;
}

void cw_http_client_abort(struct cw_http_client *client, struct cw_http_call_handle **handle)
{
    struct cw_http_call_handle *call = *handle;
    *handle = NULL;
    if (call == NULL)
        return;
    CW_CHECK(client, CW_HTTP_CLIENT_MAGIC);
    call->aborted = true;
    if (!client->in_curl && !client->settling)
        call_free(call);
}

void cw_http_client_close(struct cw_http_client *client, void (*on_closed)(void *arg), void *arg)
{
    CW_CHECK(client, CW_HTTP_CLIENT_MAGIC);
    CW_ASSERT(!client->closing);
    client->closing = true;
    client->on_closed = on_closed;
    client->closed_arg = arg;
    for (struct cw_http_call_handle *call = client->calls; call != NULL; call = call->next)
        call->aborted = true;
    settle(client);
}
