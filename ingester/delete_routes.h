/*
 * delete_routes.h - /loki/api/v1/delete (POST and PUT make a delete, GET lists them, DELETE cancels one), with Loki's
 * parameters, checks and texts, and GET /cordwood/v1/retention.
 *
 *     POST   query, start, end (now by default), max_interval (checked only: one delete covers any range);
 *            ours: force=true, which gives up the cancel period
 *     GET    [{"request_id","start_time","end_time","query","status","created_at", and ours: "removal_at","removed_entries";
 *            where they are not 0: "unreadable_entries" (of bad blocks, which it may be of: their bytes are in quarantine/ now),
 *            "damaged_parts" (that it waits for, and that cannot be written anew), "parts_without_room" (for whose writing anew the disk
 *            had no room: they are tried again)}]
 *     DELETE request_id, force=true (also one that is being carried out: what is left of it is seen again)
 *
 * Threads    Handlers run on the server's threads; they wait for nothing.
 */
#ifndef CW_INGESTER_DELETE_ROUTES_H
#define CW_INGESTER_DELETE_ROUTES_H
#include "common/net/http_server.h"

/* ctx: struct cw_ingester. */
void cw_delete_create_handle(struct cw_http_request *request, void *ctx);
void cw_delete_list_handle(struct cw_http_request *request, void *ctx);
void cw_delete_cancel_handle(struct cw_http_request *request, void *ctx);
void cw_delete_retention_handle(struct cw_http_request *request, void *ctx);

#endif
