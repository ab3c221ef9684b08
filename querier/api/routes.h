/*
 * routes.h - the table of the query API's routes: the only list of them.
 */
#ifndef CW_API_ROUTES_H
#define CW_API_ROUTES_H
#include "common/net/http_server.h"

/* Handlers take a struct cw_api as their context. Ends with path NULL. */
extern const struct cw_http_route cw_routes_table[];

#endif
