/*
 * shard_routes.c - index/shards: the shards by which Loki's query frontend splits a query among queriers.
 *
 * {"shards":[{"bounds":{"min":0,"max":18446744073709551615},"stats":{...}}],"statistics":{...},"chunkGroups":null}: one shard, which has
 * all streams, however small targetBytesPerShard is. A query runs on all cores here as it is, and nothing would be won by asking for
 * the hashes of its streams in pieces.
 */
#include "common/logql/ast.h"
#include "common/wire/json_writer.h"
#include "querier/api/answer_stats.h"
#include "querier/api/query_limits.h"
#include "querier/api/query_routes.h"
#include "querier/api/request_query.h"
#include "querier/engine/stream_query.h"

/* A query of one selector, or of none (a literal): every stream. */
static int take_selector(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    const struct cw_selector **selector = arg;
    if (expr->kind != CW_EXPR_LOG && expr->kind != CW_EXPR_RANGE_AGG)
        return 0;
    if (*selector != NULL)
        return cw_err_set(err, CW_E_INVALID,
                          "shards are of one selector, and the query has more: ask for each alone");
    *selector = &expr->selector;
    return 0;
}

static void answer(struct cw_api_request *request, const struct cw_index_stats *index)
{
    struct cw_answer_stats stats = cw_api_stats(request, 0);
    struct cw_json_writer w = cw_json_writer_make(&request->body);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("shards"));
    cw_json_begin_array(&w);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("bounds"));
    cw_json_begin_object(&w);
    cw_json_key_u64(&w, "min", 0);
    cw_json_key_u64(&w, "max", UINT64_MAX);
    cw_json_end_object(&w);
    cw_json_key(&w, CW_STR("stats"));
    cw_answer_index_stats(&w, index);
    cw_json_end_object(&w);
    cw_json_end_array(&w);
    cw_json_key(&w, CW_STR("statistics"));
    cw_answer_stats_write(&w, &stats);
    cw_json_key(&w, CW_STR("chunkGroups"));
    cw_json_null(&w);
    cw_json_end_object(&w);
}

int cw_route_index_shards(struct cw_api_request *request, struct cw_err *err)
{
    struct cw_listing listing = {.what = CW_LIST_STREAMS};
    struct cw_query *query = NULL;
    const struct cw_selector *selector = NULL;
    struct cw_index_stats index;
    struct cw_range_params checked; /* Loki reads all that a range query has */
    int rc = cw_params_range(&request->params, &checked, err);
    if (rc == 0)
        rc = cw_params_target_bytes(cw_http_param(request->http, "targetBytesPerShard"), err);
    if (rc == 0)
        rc = cw_request_range(request, &listing.start_ns, &listing.end_ns, err);
    if (rc == 0)
        rc = cw_request_query(request, checked.query, &query, err);
    if (rc == 0)
        rc = cw_expr_each(query->root, take_selector, &selector, err);
    if (rc == 0) {
        listing.selectors = &selector;
        listing.nselectors = selector != NULL ? 1 : 0;
        rc = cw_stream_query_stats(&request->query, &listing, &index, err);
    }
    if (rc == 0)
        answer(request, &index);
    cw_query_free(&query);
    return rc;
}
