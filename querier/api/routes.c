#include "querier/api/routes.h"

#include "common/base/limits.h"
#include "querier/api/live_tail.h"
#include "querier/api/query_routes.h"

/* An HTTP thread's end of a route: queue it. */
#define HANDLER(name, dispatch)                                                                    \
    static void handle_##name(struct cw_http_request *http, void *ctx)                             \
    {                                                                                              \
        dispatch(ctx, http, cw_route_##name);                                                      \
    }
HANDLER(query_range, cw_api_dispatch)
HANDLER(query, cw_api_dispatch)
HANDLER(labels, cw_api_dispatch)
HANDLER(series, cw_api_dispatch)
HANDLER(index_stats, cw_api_dispatch)
HANDLER(index_volume, cw_api_dispatch)
HANDLER(index_volume_range, cw_api_dispatch)
HANDLER(index_shards, cw_api_dispatch)
HANDLER(format_query, cw_api_dispatch)
HANDLER(detected_labels, cw_api_dispatch)
HANDLER(detected_fields, cw_api_dispatch)
HANDLER(detected_values, cw_api_dispatch)
HANDLER(patterns, cw_api_dispatch)
HANDLER(drilldown_limits, cw_api_dispatch)
HANDLER(old_query, cw_api_dispatch)
HANDLER(old_labels, cw_api_dispatch)
HANDLER(explain, cw_api_dispatch)
HANDLER(analyze, cw_api_dispatch)
HANDLER(export, cw_api_dispatch_export)

static void handle_tail(struct cw_http_request *http, void *ctx)
{
    cw_live_tail_dispatch(ctx, http,
                          cw_api_wants_categories(http) ? CW_TAIL_CATEGORISED : CW_TAIL_PLAIN);
}

static void handle_old_tail(struct cw_http_request *http, void *ctx)
{
    cw_live_tail_dispatch(ctx, http, CW_TAIL_OLD);
}

#define GET_POST (CW_HTTP_GET | CW_HTTP_POST)
#define FORM CW_LIMIT_HTTP_FORM_BYTES

const struct cw_http_route cw_routes_table[] = {
    {GET_POST, "/loki/api/v1/query_range", handle_query_range, FORM,
     "LogQL over a range: query, start, end, since, limit, direction, step, interval. With "
     "extensions=on (or the header X-Cordwood-Extensions: on) the query may use what Loki's "
     "language has not: cordwood query --help. An answer that is sorted lists its streams in its "
     "order, one for each run of entries with the same labels. "
     "partial=true (or the header X-Cordwood-Partial: allow) a limit ends the answer and not the query: "
     "it has what is complete, names the limit in warnings, and a token in continuation; the same query "
     "with continuation=TOKEN has the rest. max_time and max_bytes lower the limits of one answer."},
    {GET_POST, "/loki/api/v1/query", handle_query, FORM,
     "A metric query at one time: query, time, extensions."},
    {GET_POST, "/loki/api/v1/labels", handle_labels, FORM,
     "Names of labels: start, end, since, query."},
    {GET_POST, "/loki/api/v1/label", handle_labels, FORM, "The same."},
    {GET_POST, "/loki/api/v1/label/{name}/values", handle_labels, FORM,
     "Values of a label: start, end, since, query."},
    {GET_POST, "/loki/api/v1/series", handle_series, FORM, "Streams: match[], start, end, since."},
    {CW_HTTP_GET, "/loki/api/v1/tail", handle_tail, 0,
     "Entries as they come, over a WebSocket: query, start, limit, delay_for (seconds, at most 5), "
     "extensions."},
    {GET_POST, "/loki/api/v1/index/stats", handle_index_stats, FORM,
     "How many streams, chunks, bytes and entries a selector has: query, start, end, since."},
    {GET_POST, "/loki/api/v1/index/volume", handle_index_volume, FORM,
     "Bytes by labels: query, start, end, since, limit, targetLabels, aggregateBy."},
    {GET_POST, "/loki/api/v1/index/volume_range", handle_index_volume_range, FORM,
     "The same for each piece of the range, which is cut at the multiples of step (as in query_range). A sample stands at the last "
     "millisecond of its piece, the last one at end; limit counts for each piece. A matrix, or as by Loki a vector where no series has "
     "more than one sample."},
    {GET_POST, "/loki/api/v1/index/shards", handle_index_shards, FORM,
     "How Loki's query frontend is to split a query: query (one selector), start, end, since, targetBytesPerShard. The answer is one "
     "shard, with the figures of index/stats."},
    {GET_POST, "/loki/api/v1/format_query", handle_format_query, FORM,
     "The query, printed: query, extensions."},
    {GET_POST, "/loki/api/v1/detected_labels", handle_detected_labels, FORM,
     "Labels of streams and how many values each has, without those of ids alone: query, start, "
     "end, since."},
    {GET_POST, "/loki/api/v1/detected_fields", handle_detected_fields, FORM,
     "Fields that json or logfmt finds in the newest lines of a log query, and structured "
     "metadata: query, start, end, since, line_limit (100), limit (1000)."},
    {GET_POST, "/loki/api/v1/detected_field/{name}/values", handle_detected_values, FORM,
     "Values of such a field: as detected_fields."},
    {GET_POST, "/loki/api/v1/patterns", handle_patterns, FORM,
     "Patterns of the lines of a selector, and how many lines of each there are in each step: "
     "query, start, end, since, step."},
    {CW_HTTP_GET, "/loki/api/v1/drilldown-limits", handle_drilldown_limits, 0,
     "The tenant's limits, for Grafana's Logs Drilldown."},
    {GET_POST, "/api/prom/query", handle_old_query, FORM,
     "Log queries of the API before v1: as query_range, and regexp."},
    {CW_HTTP_GET, "/api/prom/tail", handle_old_tail, 0, "The tail of the API before v1."},
    {GET_POST, "/api/prom/label", handle_old_labels, FORM, "Names of labels in the API before v1."},
    {GET_POST, "/api/prom/label/{name}/values", handle_old_labels, FORM,
     "Values of a label in the API before v1."},
    {GET_POST, "/api/prom/series", handle_series, FORM, "Streams in the API before v1."},
    {GET_POST, "/cordwood/v1/explain", handle_explain, FORM,
     "What a query would do, and an estimate of what it would cost, without running it: parameters of "
     "query_range or, with time, of query."},
    {GET_POST, "/cordwood/v1/analyze", handle_analyze, FORM,
     "The same, and what it did: the query is run, its answer is counted and not given."},
    {GET_POST, "/cordwood/v1/export", handle_export, FORM,
     "All entries of a log query as NDJSON in time order: query, start, end. One line an entry: "
     "{\"ts\":\"ns\",\"labels\":{},\"line\":\"\",\"metadata\":{}}; a line that is not UTF-8 is "
     "\"line_b64\". An answer that misses what damaged blocks held is broken off at its end; with "
     "damaged=skip it ends as any other."},
    {0},
};
