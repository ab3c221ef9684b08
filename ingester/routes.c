#include "ingester/routes.h"

#include "common/base/limits.h"
#include "common/wire/delivery.h"
#include "ingester/delete_routes.h"
#include "ingester/delivery_routes.h"
#include "ingester/push.h"
#include "ingester/snapshot_routes.h"
#include "querier/querier.h"

/* A body of Prometheus text: some thousand series at most (cw_metric_def.max_children). */
#define METRICS_BYTES_MAX (64u << 20)

/* Defaults written out for each of some thousand tenants with overrides. */
#define CONFIG_BYTES_MAX (64u << 20)

static void respond(struct cw_http_request *request, int status, const char *type, const char *text)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 16);
    cw_buf_addz(&body, text);
    cw_http_respond(request, status, type, &body);
    cw_buf_fini(&body);
}

static void handle_ready(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err why = {0};
    if (cw_store_ready(ingester->store, &why))
        respond(request, 200, "text/plain; charset=utf-8", "ready\n");
    else
        cw_http_respond_err(request, &why);
}

static void handle_metrics(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_buf body;
    cw_buf_init(&body, METRICS_BYTES_MAX);
    cw_metrics_render(ingester->metrics, &body);
    if (ingester->querier)
        cw_querier_metrics(ingester->querier, &body);
    cw_http_respond(request, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    cw_buf_fini(&body);
}

static void handle_buildinfo(struct cw_http_request *request, void *ctx)
{
    (void)ctx;
    respond(request, 200, "application/json",
            "{\"version\":\"" CW_VERSION "\",\"revision\":\"\",\"branch\":\"\",\"buildUser\":\"\","
            "\"buildDate\":\"\",\"goVersion\":\"\"}");
}

static void handle_config(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_buf body;
    cw_buf_init(&body, CONFIG_BYTES_MAX);
    cw_tenants_print_config(ingester->tenants, &body);
    cw_http_respond(request, 200, "text/plain; charset=utf-8", &body);
    cw_buf_fini(&body);
}

static void handle_limits(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    struct cw_str tenant;
    struct cw_buf body;
    if (cw_tenants_of(ingester->tenants, request, &tenant, &err) < 0) {
        cw_http_respond_err(request, &err);
        return;
    }
    cw_buf_init(&body, CONFIG_BYTES_MAX);
    cw_tenants_print_limits(ingester->tenants, tenant, &body);
    cw_http_respond(request, 200, "text/plain; charset=utf-8", &body);
    cw_buf_fini(&body);
}

static void flush_done(void *arg, int rc, const struct cw_err *err)
{
    struct cw_http_request *request = arg;
    if (rc < 0)
        cw_http_respond_err(request, err);
    else
        cw_http_respond(request, 204, NULL, NULL);
}

static void handle_flush(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    if (cw_store_flush(ingester->store, flush_done, request, &err) < 0)
        cw_http_respond_err(request, &err);
}

const struct cw_http_route cw_ingester_routes[] = {
    {CW_HTTP_POST, "/loki/api/v1/push", cw_push_handle, CW_LIMIT_PUSH_BODY_BYTES,
     "Store entries (Loki's protobuf or JSON). What is sent again is dropped while the first is in memory; "
     "when that was flushed, it is stored twice."},
    {CW_HTTP_POST, "/api/prom/push", cw_push_handle, CW_LIMIT_PUSH_BODY_BYTES,
     "The same under Loki's first name."},
    {CW_HTTP_POST, "/otlp/v1/logs", cw_push_otlp_handle, CW_LIMIT_PUSH_BODY_BYTES,
     "Store OpenTelemetry's logs (OTLP over HTTP, protobuf or JSON)."},
    {CW_HTTP_POST, CW_DELIVERY_SOURCES_PATH, cw_delivery_ask_handle, CW_DELIVERY_ASK_BYTES,
     "A shipper asks for the marks of its sources."},
    {CW_HTTP_GET, CW_DELIVERY_SOURCES_PATH, cw_delivery_list_handle, 0,
     "How far each source of each shipper is stored."},
    {CW_HTTP_POST | CW_HTTP_PUT, "/loki/api/v1/delete", cw_delete_create_handle,
     CW_LIMIT_HTTP_FORM_BYTES, "Delete what a query selects: hidden at once, removed later."},
    {CW_HTTP_GET, "/loki/api/v1/delete", cw_delete_list_handle, 0, "The deletes of the tenant."},
    {CW_HTTP_DELETE, "/loki/api/v1/delete", cw_delete_cancel_handle, 0, "Cancel a delete."},
    {CW_HTTP_GET, "/cordwood/v1/retention", cw_delete_retention_handle, 0,
     "What goes when: by age, bytes, free space and deletes."},
    {CW_HTTP_GET, "/ready", handle_ready, 0,
     "200 when the log is replayed, 503 before and while the server stops. A full disk, which refuses "
     "pushes with 503 while queries go on, does not change it."},
    {CW_HTTP_GET, "/metrics", handle_metrics, 0, "The server's own metrics, as Prometheus text."},
    {CW_HTTP_GET, "/config", handle_config, 0, "The effective configuration, as YAML."},
    {CW_HTTP_GET, "/config/tenant/v1/limits", handle_limits, 0,
     "The tenant's limits, as YAML: those that drilldown-limits tells."},
    {CW_HTTP_GET, "/loki/api/v1/status/buildinfo", handle_buildinfo, 0, "The version."},
    {CW_HTTP_POST | CW_HTTP_GET, "/flush", handle_flush, 1024,
     "Write the head into parts and run due merges; answers when done."},
    {CW_HTTP_POST, CW_SNAPSHOT_PATH, cw_snapshot_create_handle, 1024,
     "Copy the store at this moment, as hard links, into snapshots/ of the data directory."},
    {CW_HTTP_GET, CW_SNAPSHOT_PATH, cw_snapshot_list_handle, 0, "The snapshots there are."},
    {CW_HTTP_DELETE, CW_SNAPSHOT_PATH "/{name}", cw_snapshot_remove_handle, 1024,
     "Remove a snapshot."},
    {0, NULL, NULL, 0, NULL},
};
