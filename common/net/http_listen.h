/*
 * http_listen.h - a listening socket for "HOST:PORT", "[IPv6]:PORT" or ":PORT" (all addresses, IPv6 and IPv4).
 */
#ifndef CW_NET_HTTP_LISTEN_H
#define CW_NET_HTTP_LISTEN_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

enum { CW_HTTP_ADDRESS_BYTES = 80 }; /* "[" IPv6 with zone "]:" port */

struct cw_http_listen {
    int fd;        /* the caller's to close */
    bool loopback; /* only this machine reaches it */
    char address
        [CW_HTTP_ADDRESS_BYTES]; /* after the bind: "127.0.0.1:41234"; "[::]:3100" for all addresses */
};

/* CW_E_INVALID for a text that is no address, CW_E_UNAVAILABLE when it cannot be bound. */
int cw_http_listen_open(const char *listen, struct cw_http_listen *out,
                        struct cw_err *err) CW_MUST_USE;

/* The two halves of an address; *host is part of the text, an IPv6 address in its brackets, and empty for all addresses. */
int cw_http_listen_split(struct cw_str listen, struct cw_str *host, int64_t *port,
                         struct cw_err *err) CW_MUST_USE;

/* Could it be the host of an address: empty, an IP address (IPv6 with brackets or without, and with a zone), or by its letters the
 * name of a host? */
int cw_http_host_check(struct cw_str host, struct cw_err *err) CW_MUST_USE;

/* Whether the text is an address at all, CW_E_INVALID if not; asks neither the network nor a name server. */
int cw_http_listen_check(const char *listen, struct cw_err *err) CW_MUST_USE;

#endif
