/*
 * query_routes.h - what the routes do; each is a cw_api_fn (api_request.h), the table is in routes.c.
 */
#ifndef CW_API_QUERY_ROUTES_H
#define CW_API_QUERY_ROUTES_H
#include "querier/api/api_request.h"

/* query_routes.c */
int cw_route_query_range(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_query(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_old_query(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_format_query(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
/* stream_routes.c */
int cw_route_labels(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_old_labels(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_series(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_index_stats(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_index_volume(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_index_volume_range(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
/* shard_routes.c */
int cw_route_index_shards(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
/* detected_routes.c */
int cw_route_detected_labels(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_detected_fields(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_detected_values(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_patterns(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_drilldown_limits(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
/* explain_routes.c */
int cw_route_explain(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
int cw_route_analyze(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;
/* entry_export.c */
int cw_route_export(struct cw_api_request *request, struct cw_err *err) CW_MUST_USE;

#endif
