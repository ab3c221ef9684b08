#include "shipper/own_server.h"
#include <stdlib.h>
#include "common/base/log.h"
#include "common/metrics/prom_text.h"
#include "common/net/tls_session.h"
#include "shipper/loop_requests.h"
#include "shipper/targets_page.h"

struct cw_own_server {
    struct cw_own_server_options options;
    struct cw_tls_server *tls; /* may be NULL */
    struct cw_http_server *http;
    struct cw_loop_requests *requests;
};

static void text_answer(struct cw_http_request *request, int status, const char *text)
{
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    cw_buf_addz(&body, text);
    cw_http_respond(request, status, "text/plain; charset=utf-8", &body);
}

static void metrics_handle(struct cw_http_request *request, void *ctx)
{
    const struct cw_own_server *server = ctx;
    struct cw_buf body;
    cw_buf_init(&body, SIZE_MAX);
    cw_metrics_render(server->options.metrics, &body);
    cw_kept_metrics_render(server->options.kept_metrics, &body);
    cw_http_respond(request, 200, CW_PROM_CONTENT_TYPE, &body);
}

static void ready_handle(struct cw_http_request *request, void *ctx)
{
    const struct cw_own_server *server = ctx;
    bool ready = !server->options.config->health_check_target || atomic_load(server->options.ready);
    text_answer(request, ready ? 200 : 503,
                ready ? "Ready\n" : "Not ready: no server has answered yet\n");
}

static void targets_handle(struct cw_http_request *request, void *ctx)
{
    const struct cw_own_server *server = ctx;
    cw_loop_requests_hand(server->requests, request, cw_targets_page_answer,
                          server->options.sources);
}

/* On the loop. */
static void reload_answer(void *arg, struct cw_http_request *request)
{
    const struct cw_own_server *server = arg;
    struct cw_err err = {0};
    if (server->options.reload(server->options.arg, &err) < 0) {
        struct cw_buf body;
        cw_buf_init(&body, SIZE_MAX);
        cw_buf_addf(&body, "failed to reload config: %s\n", err.text);
        cw_http_respond(request, 500, "text/plain; charset=utf-8", &body);
    } else {
        cw_http_respond(request, 200, NULL, NULL);
    }
}

static void reload_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_own_server *server = ctx;
    cw_loop_requests_hand(server->requests, request, reload_answer, server);
}

static const struct cw_http_route routes[] = {
    {CW_HTTP_GET, "/targets", targets_handle, 0,
     "What is read, how far, and what became of its lines."},
    {CW_HTTP_GET, "/ready", ready_handle, 0, "200 when every server has answered."},
    {0},
};
static const struct cw_http_route instrumentation_routes[] = {
    {CW_HTTP_GET, "/metrics", metrics_handle, 0,
     "The shipper's own metrics, and those of metrics stages."},
    {0},
};
static const struct cw_http_route reload_routes[] = {
    {CW_HTTP_POST, "/reload", reload_handle, 0, "Read the configuration anew."},
    {0},
};

int cw_own_server_open(const struct cw_own_server_options *options, struct cw_own_server **out,
                       struct cw_err *err)
{
    struct cw_http_server_options http = {.nthreads = 1, .check_origin = true};
    *out = NULL;
    if (!cw_server_wanted(options->config))
        return 0;
    struct cw_own_server *server = cw_mem_new(sizeof *server);
    server->options = *options;
    int rc = cw_server_open(options->config, &http, &server->tls, &server->http, err);
    if (rc < 0) {
        cw_tls_server_free(&server->tls);
        free(server);
        return rc;
    }
    server->requests = cw_loop_requests_new(options->loop);
    cw_http_server_routes(server->http, routes, server);
    if (options->config->instrumentation)
        cw_http_server_routes(server->http, instrumentation_routes, server);
    if (options->config->runtime_reload)
        cw_http_server_routes(server->http, reload_routes, server);
    rc = cw_http_server_start(server->http, err);
    *out = server;
    if (rc == 0) {
        struct cw_buf url;
        cw_buf_init(&url, SIZE_MAX);
        cw_own_server_url(server, &url);
        cw_log_info("/metrics, /ready and /targets at %s", cw_buf_z(&url));
        cw_buf_fini(&url);
    }
    return rc;
}

void cw_own_server_url(const struct cw_own_server *server, struct cw_buf *out)
{
    cw_server_url(server->options.config, server->http, out);
}

void cw_own_server_close(struct cw_own_server *server)
{
    cw_loop_requests_close(server->requests);
}

void cw_own_server_stop(struct cw_own_server *server)
{
    if (server != NULL)
        cw_http_server_stop(server->http, 0);
}

void cw_own_server_free(struct cw_own_server **server)
{
    struct cw_own_server *s = *server;
    if (s == NULL)
        return;
    cw_http_server_free(&s->http);
    cw_tls_server_free(&s->tls);
    cw_loop_requests_free(&s->requests);
    free(s);
    *server = NULL;
}
