/*
 * delivery_routes.h - POST and GET /cordwood/v1/sources: what common/wire/delivery.h says of asks and lists.
 *
 * Threads    Handlers run on the server's threads; the marks are read on the WAL thread, and told after its fsync.
 */
#ifndef CW_INGESTER_DELIVERY_ROUTES_H
#define CW_INGESTER_DELIVERY_ROUTES_H
#include "common/net/http_server.h"

/* ctx: struct cw_ingester. */
void cw_delivery_ask_handle(struct cw_http_request *request, void *ctx);
void cw_delivery_list_handle(struct cw_http_request *request, void *ctx);

#endif
