/*
 * receiver_push.c - pushes over HTTP (promtail's loki_push_api): a server of its own, whose thread
 * takes a push apart; the loop puts it into the spool, and answers when it is durable.
 *
 *   server's thread: decode, encode records --queue--> loop: room? -- no --> 429
 *                                                               spool --> 204, or 503: send it again
 */
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/limits.h"
#include "common/base/log.h"
#include "common/net/http_server.h"
#include "shipper/push_body.h"
#include "shipper/receiver.h"
#include "shipper/spool_record.h"

/* Bodies under way together. */
#define BODY_BUDGET_BYTES (4 * CW_PUSH_BODY_BYTES)

/* One push on its way to the spool. */
struct push {
    struct cw_http_request *request;
    char *records;
    size_t len, n;
    struct push *next;
};

struct push_receiver {
    struct cw_receiver receiver;
    struct cw_http_server *server;
    struct cw_received received; /* the server's thread's */
    uv_async_t async;
    uv_mutex_t lock; /* of what follows */
    struct push *queue, **queue_end;
    bool stopping, started;
};

/* ---- the server's thread ---- */

static bool tenant_valid(struct cw_str tenant)
{
    for (size_t i = 0; i < tenant.len; i++) {
        char c = tenant.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("!-_.*'()", c) != NULL)))
            return false;
    }
    return tenant.len <= CW_LIMIT_TENANT_BYTES;
}

static int stream_put(struct push_receiver *push, const struct cw_push_stream *stream,
                      struct cw_str tenant, struct cw_arena *arena, struct cw_err *err)
{
    const struct cw_loki_push_config *config = push->receiver.config;
    struct cw_labels labels = stream->labels;
    if (stream->labels_text.len > 0) {
        int rc = cw_labels_parse(stream->labels_text, arena, &labels, err);
        if (rc < 0)
            return rc;
    }
    bool kept = cw_received_stream(&push->received, labels.items, labels.n);
    for (size_t i = 0; i < stream->nentries && kept; i++) {
        const struct cw_push_entry *from = &stream->entries[i];
        struct cw_received_entry entry = {.ts_ns = config->use_incoming_timestamp ? from->ts_ns
                                                                                  : CW_PUSH_TS_NONE,
                                          .line = from->line,
                                          .metadata = {from->metadata, from->nmetadata},
                                          .tenant = tenant};
        cw_received_put(&push->received, &entry);
    }
    return 0;
}

static int body_put(struct push_receiver *push, struct cw_http_request *request,
                    enum cw_push_body_kind kind, struct cw_err *err)
{
    struct cw_push_body body = {.kind = kind,
                                .content_type = cw_http_header(request, "Content-Type"),
                                .content_encoding = cw_http_header(request, "Content-Encoding"),
                                .bytes = cw_http_body(request)};
    struct cw_str tenant = cw_http_header(request, "X-Scope-OrgID");
    struct cw_arena *arena = cw_http_arena(request);
    struct cw_push decoded;
    struct cw_buf raw;
    if (!tenant_valid(tenant))
        return cw_err_set(err, CW_E_INVALID, "no such tenant: \"%.*s\"", CW_STR_ARG(tenant));
    cw_buf_init(&raw, CW_PUSH_BODY_RAW_BYTES);
    int rc = cw_push_body_decode(&body, cw_clock_now_ns(), &raw, arena, &decoded, err);
    for (size_t i = 0; rc == 0 && i < decoded.nstreams; i++)
        rc = stream_put(push, &decoded.streams[i], tenant, arena, err);
    cw_buf_fini(&raw);
    return rc;
}

/* Hand over what was put. False: the receiver stops. */
static bool push_queue(struct push_receiver *push, struct cw_http_request *request)
{
    struct push *item = cw_mem_new(sizeof *item);
    item->request = request;
    item->n = push->received.n;
    item->records = cw_buf_take(&push->received.bytes, &item->len);
    uv_mutex_lock(&push->lock);
    bool taken = !push->stopping;
    if (taken) {
        *push->queue_end = item;
        push->queue_end = &item->next;
        uv_async_send(&push->async);
    }
    uv_mutex_unlock(&push->lock);
    if (!taken) {
        free(item->records);
        free(item);
    }
    return taken;
}

static void refuse(struct cw_http_request *request, int code, const char *why)
{
    struct cw_err err;
    cw_err_set(&err, code, "%s", why);
    cw_http_respond_err(request, &err);
}

static void push_handle(struct cw_http_request *request, struct push_receiver *push,
                        enum cw_push_body_kind kind)
{
    struct cw_err err;
    int rc = body_put(push, request, kind, &err);
    if (rc < 0) {
        cw_received_bad(&push->received, CW_RECEIVED_DROPPED, "a push that cannot be read");
        cw_http_respond_err(request, &err);
    } else if (push->received.n == 0) {
        cw_http_respond(request, 204, NULL, NULL);
    } else if (!push_queue(push, request)) {
        refuse(request, CW_E_UNAVAILABLE, "the shipper stops");
    }
    cw_received_clear(&push->received);
}

static void loki_handle(struct cw_http_request *request, void *ctx)
{
    push_handle(request, ctx, CW_PUSH_BODY_LOKI);
}

static void otlp_handle(struct cw_http_request *request, void *ctx)
{
    push_handle(request, ctx, CW_PUSH_BODY_OTLP);
}

static void lines_handle(struct cw_http_request *request, void *ctx)
{
    push_handle(request, ctx, CW_PUSH_BODY_LINES);
}

static void ready_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_buf body;
    cw_buf_init(&body, 64);
    cw_buf_addz(&body, "ready\n");
    cw_http_respond(request, 200, "text/plain; charset=utf-8", &body);
}

static const struct cw_http_route routes[] = {
    {CW_HTTP_POST, "/loki/api/v1/push", loki_handle, CW_PUSH_BODY_BYTES, "Loki's push."},
    {CW_HTTP_POST, "/api/prom/push", loki_handle, CW_PUSH_BODY_BYTES, "Its older path."},
    {CW_HTTP_POST, "/otlp/v1/logs", otlp_handle, CW_PUSH_BODY_BYTES, "OTLP's logs."},
    {CW_HTTP_POST, "/v1/logs", otlp_handle, CW_PUSH_BODY_BYTES, "The same, as exporters know it."},
    {CW_HTTP_POST, "/loki/api/v1/raw", lines_handle, CW_PUSH_BODY_BYTES, "Plain lines."},
    {CW_HTTP_POST, "/promtail/api/v1/raw", lines_handle, CW_PUSH_BODY_BYTES,
     "The same, at promtail's path."},
    {CW_HTTP_GET, "/ready", ready_handle, 0, "200 when pushes are taken."},
    {0},
};

/* ---- the loop ---- */

static void on_durable(void *ctx, int rc)
{
    struct cw_http_request *request = ctx;
    if (rc == 0)
        cw_http_respond(request, 204, NULL, NULL);
    else
        refuse(request, CW_E_UNAVAILABLE, "the spool cannot be written");
}

static struct push *queue_take(struct push_receiver *push, bool stop)
{
    uv_mutex_lock(&push->lock);
    struct push *items = push->queue;
    push->queue = NULL;
    push->queue_end = &push->queue;
    push->stopping |= stop;
    uv_mutex_unlock(&push->lock);
    return items;
}

static void on_async(uv_async_t *async)
{
    struct push_receiver *push = CW_CONTAINER_OF(async, struct push_receiver, async);
    struct cw_spool_writer *spool = push->receiver.spool;
    for (struct push *item = queue_take(push, false), *next; item != NULL; item = next) {
        next = item->next;
        if (cw_receiver_room(&push->receiver)) {
            cw_spool_writer_add(spool, cw_str_make(item->records, item->len), item->n, CW_STR_NONE);
            cw_spool_writer_commit(spool, on_durable, item->request);
        } else {
            refuse(item->request, CW_E_OVERLOAD, "the spool is full");
        }
        free(item->records);
        free(item);
    }
}

static int push_start(struct cw_receiver *receiver, struct cw_err *err)
{
    struct push_receiver *push = CW_CONTAINER_OF(receiver, struct push_receiver, receiver);
    const struct cw_loki_push_config *config = receiver->config;
    cw_received_init(&push->received, &config->labels, receiver->scrape->relabel, receiver->name,
                     receiver->host->metrics);
    uv_mutex_init(&push->lock);
    push->queue_end = &push->queue;
    uv_async_init(receiver->host->loop, &push->async, on_async);
    push->started = true;
    struct cw_http_server_options options = {.nthreads = 1, /* `received` is its own */
                                             .body_budget_bytes = BODY_BUDGET_BYTES,
                                             .check_origin = true};
    int rc = cw_server_open(&config->server, &options, &receiver->tls, &push->server, err);
    if (rc < 0)
        return rc;
    cw_http_server_routes(push->server, routes, push);
    rc = cw_http_server_start(push->server, err);
    if (rc == 0)
        cw_log_info("%s: listening on %s", receiver->name, cw_http_server_address(push->server));
    return rc;
}

static void push_resume(struct cw_receiver *receiver)
{
    (void)receiver; /* senders come again by themselves */
}

/* Who waits in the spool is answered from there. */
static void push_stop(struct cw_receiver *receiver)
{
    struct push_receiver *push = CW_CONTAINER_OF(receiver, struct push_receiver, receiver);
    if (!push->started)
        return;
    for (struct push *item = queue_take(push, true), *next; item != NULL; item = next) {
        next = item->next;
        refuse(item->request, CW_E_UNAVAILABLE, "the shipper stops");
        free(item->records);
        free(item);
    }
    uv_close((uv_handle_t *)&push->async, NULL);
}

/* All requests are answered by now, so that this does not wait. */
static void push_fini(struct cw_receiver *receiver)
{
    struct push_receiver *push = CW_CONTAINER_OF(receiver, struct push_receiver, receiver);
    if (push->server != NULL)
        cw_http_server_stop(push->server, 0);
    cw_http_server_free(&push->server);
    cw_received_fini(&push->received);
    if (push->started)
        uv_mutex_destroy(&push->lock);
}

const struct cw_receiver_def cw_receiver_loki_push = {
    .kind = "loki_push_api",
    CW_RECEIVER_OFFSETS(loki_push_api),
    .size = sizeof(struct push_receiver),
    .failure = CW_SPOOL_GIVE_BACK,
    .start = push_start,
    .resume = push_resume,
    .stop = push_stop,
    .fini = push_fini,
};
