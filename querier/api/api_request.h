/*
 * api_request.h - one request of the query API from the HTTP thread to its answer.
 *
 * The HTTP thread finds tenant and limits and queues the request; a coordinator thread takes a snapshot, runs the route's
 * function with the query under watch, and answers with what the function put together, or with its error.
 *
 * Ownership  The function fills `body`; everything else is released by cw_api_dispatch()'s own code.
 * Threads    The function runs on a coordinator thread and may wait for the pool.
 */
#ifndef CW_API_API_REQUEST_H
#define CW_API_API_REQUEST_H
#include "common/net/http_server.h"
#include "querier/api/answer.h"
#include "querier/api/coordinator.h"
#include "querier/api/params.h"
#include "querier/engine/query_context.h"
#include "querier/engine/scan_cost.h"
#include "querier/querier.h"

/* Queries that wait for a thread; more than these answer 429. A waiting request costs a connection and some 10 KiB. */
#define CW_API_MAX_QUEUED 256
/* Exports at a time, four of one tenant: each holds a thread as long as its client reads, so they have threads of their own. */
#define CW_API_EXPORT_THREADS 5

struct cw_api_counters {
    atomic_uint_fast64_t queries, failed, refused, entries, bytes;
    atomic_uint_fast64_t tails, tail_entries, tail_dropped;
};

struct cw_api {
    struct cw_querier_options options;
    struct cw_coordinator *queries, *exports;
    struct cw_live_tails *tails;
    struct cw_api_counters counters;
    struct cw_scan_costs costs; /* what explain estimates by */
};

struct cw_live_tails;
struct cw_api_request;
/* 0 with the body filled (or streamed), or an error to answer. */
typedef int (*cw_api_fn)(struct cw_api_request *request, struct cw_err *err);

struct cw_api_request {
    struct cw_coordinator_job job;
    struct cw_api *api;
    struct cw_coordinator *coordinator;
    struct cw_http_request *http;
    cw_api_fn fn;
    struct cw_str tenant;
    struct cw_query_limits limits;
    int64_t received_mono_ns, begun_mono_ns;
    struct cw_params params;
    struct cw_arena *arena; /* of the function: gone before the answer is sent */
    struct cw_snapshot snapshot;
    struct cw_query_context query;
    uint64_t nreturned; /* entries or series that the answer was said to have */
    int status;         /* 200 unless the function says otherwise */
    struct cw_buf body;
    bool streamed; /* the function began a stream; `stream_complete` says how to end it */
    bool stream_complete;
};

/* Entries and bytes that a worker may gather: the query's memory over all who gather. */
size_t cw_api_page_bytes(const struct cw_api_request *request);
struct cw_answer_stats cw_api_stats(struct cw_api_request *request, uint64_t entries);
/* The store's warning is in `warnings` where an answer has room for it, and in the header X-Cordwood-Warning of every answer.
 * That blocks are damaged is known only after the query: it stands in `warnings` alone. */
struct cw_answer_extra cw_api_extra(const struct cw_api_request *request, bool categorised);

/* For an answer of any length: once the body has some megabytes they are sent off and cleared; from then on an error can only
 * cut the answer. Blocks while the client is slow. */
int cw_api_body_pass_on(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
/* Its end. */
int cw_api_body_end(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;

/* The parameter `query`, and behind it, as a line filter, Loki's old parameter `regexp`. */
struct cw_str cw_api_query_with_regexp(struct cw_http_request *http, struct cw_arena *arena);
/* Does the client want stream labels, metadata and parsed labels apart (a header of Grafana's)? */
bool cw_api_wants_categories(struct cw_http_request *http);
/* 429: no thread took it. */
void cw_api_refuse(struct cw_api *api, struct cw_http_request *http);
/* Called on an HTTP thread by a route's handler. */
void cw_api_dispatch(struct cw_api *api, struct cw_http_request *http, cw_api_fn fn);
/* As above, on the threads for exports and without a timeout. */
void cw_api_dispatch_export(struct cw_api *api, struct cw_http_request *http, cw_api_fn fn);

#endif
