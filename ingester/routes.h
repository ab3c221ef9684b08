/*
 * routes.h - the ingester's HTTP routes; the query API's are mounted by querier/querier.h.
 */
#ifndef CW_INGESTER_ROUTES_H
#define CW_INGESTER_ROUTES_H
#include "common/net/http_server.h"

/* Ends with path NULL; ctx: struct cw_ingester. */
extern const struct cw_http_route cw_ingester_routes[];

#endif
