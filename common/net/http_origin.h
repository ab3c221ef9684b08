/*
 * http_origin.h - may a browser's page reach a server that only this machine reaches?
 *
 * Any web page can make the browser of its reader send requests to 127.0.0.1, or give a name of its own this address (DNS
 * rebinding). So on loopback the Host must name this machine, and an Origin too; a request that the browser itself calls
 * cross-site is refused unless the user follows a link.
 */
#ifndef CW_NET_HTTP_ORIGIN_H
#define CW_NET_HTTP_ORIGIN_H
#include <stdbool.h>
#include "common/base/str.h"

struct cw_http_origin {
    struct cw_str host;       /* "Host"; empty: none (HTTP/1.0, no browser) */
    struct cw_str origin;     /* "Origin" */
    struct cw_str fetch_site; /* "Sec-Fetch-Site" */
    struct cw_str fetch_mode; /* "Sec-Fetch-Mode" */
    bool is_get;
};

bool cw_http_origin_allowed(const struct cw_http_origin *request);

#endif
