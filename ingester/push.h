/*
 * push.h (ingester) - POST /loki/api/v1/push, /api/prom/push and /otlp/v1/logs: from an HTTP body to an answer after the fsync.
 *
 *   server thread: tenant, decompress, decode, limits --op--> WAL thread: marks, duplicates, log, head -> fsync -> answer
 *
 * A push without a delivery stores what its limits allow and names the first entry that they do not (400); a push with one
 * is stored whole or refused whole (common/wire/delivery.h).
 *
 * Ownership  Borrows what is in the options; it outlives the server.
 * Threads    Handlers run on the server's threads.
 */
#ifndef CW_INGESTER_PUSH_H
#define CW_INGESTER_PUSH_H
#include "common/base/memory_budget.h"
#include "common/metrics/metrics.h"
#include "common/net/http_server.h"
#include "ingester/store.h"
#include "ingester/tenants.h"

struct cw_ingester {
    struct cw_memory_budget memory; /* everything of memory.limit draws from it */
    struct cw_part_cache *cache;
    struct cw_store *store;
    struct cw_tenants *tenants;
    int64_t delete_cancel_period_ns;
    struct cw_metrics *metrics;
    struct cw_querier *querier;  /* for its metrics; NULL without */
    struct cw_http_server *http; /* likewise */
};

/* ctx: struct cw_ingester. */
void cw_push_handle(struct cw_http_request *request, void *ctx);
void cw_push_otlp_handle(struct cw_http_request *request, void *ctx);

#endif
