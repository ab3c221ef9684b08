/*
 * endpoints.h - what the ingester answers over HTTP, for its man page: the rows of all tables of routes.
 */
#ifndef CW_INGESTER_ENDPOINTS_H
#define CW_INGESTER_ENDPOINTS_H
#include "common/base/arena.h"
#include "common/config/flags.h"

/* Ended by name NULL. */
const struct cw_endpoint_def *cw_ingester_endpoints(struct cw_arena *arena);

#endif
