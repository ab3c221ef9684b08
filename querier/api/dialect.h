/*
 * dialect.h - which language a request's query is in: Loki's, unless the client asks for the extensions.
 */
#ifndef CW_API_DIALECT_H
#define CW_API_DIALECT_H
#include "common/net/http_server.h"

/* The header X-Cordwood-Extensions or, where that is not given, the parameter `extensions`: on or off. *out is one of enum
 * cw_logql_dialect; CW_E_INVALID: it is neither. */
int cw_api_dialect(struct cw_http_request *http, unsigned *out, struct cw_err *err) CW_MUST_USE;

#endif
