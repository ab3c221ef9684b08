/*
 * snapshot_routes.h - the routes of /cordwood/v1/snapshot: a copy of the store at this moment, made of hard links (snapshots.h).
 */
#ifndef CW_INGESTER_SNAPSHOT_ROUTES_H
#define CW_INGESTER_SNAPSHOT_ROUTES_H
#include "common/net/http_server.h"

#define CW_SNAPSHOT_PATH "/cordwood/v1/snapshot"

/* POST: make one. 200 with {"name","path","made","bytes","wal_sequence"} once it is durable. */
void cw_snapshot_create_handle(struct cw_http_request *request, void *ctx);
/* GET: {"snapshots":[...]}. */
void cw_snapshot_list_handle(struct cw_http_request *request, void *ctx);
/* DELETE .../{name}: 204, or 404. */
void cw_snapshot_remove_handle(struct cw_http_request *request, void *ctx);

#endif
