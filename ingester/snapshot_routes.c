#include "ingester/snapshot_routes.h"

#include "ingester/push.h"

static void respond(void *arg, int rc, struct cw_buf *json, const struct cw_err *err)
{
    struct cw_http_request *request = arg;
    if (rc < 0)
        cw_http_respond_err(request, err);
    else if (json->len == 0)
        cw_http_respond(request, 204, NULL, NULL);
    else
        cw_http_respond(request, 200, "application/json", json);
}

void cw_snapshot_create_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    struct cw_err err = {0};
    if (cw_store_snapshot(ingester->store, respond, request, &err) < 0)
        cw_http_respond_err(request, &err);
}

void cw_snapshot_list_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    cw_store_snapshots_list(ingester->store, respond, request);
}

void cw_snapshot_remove_handle(struct cw_http_request *request, void *ctx)
{
    struct cw_ingester *ingester = ctx;
    cw_store_snapshots_remove(ingester->store, cw_http_path_param(request, "name"), respond,
                              request);
}
