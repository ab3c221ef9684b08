/*
 * http_message.h - what a request says before its body, where libmicrohttpd leaves it to us: the form of its target, and how its
 * body is framed.
 *
 * Ownership  Everything borrows from the text.
 * Errors     CW_E_INVALID (400), CW_E_NOT_IMPLEMENTED (501).
 * Sources    RFC 9112, sections 3.2 and 6.3; RFC 9110, sections 4.2.1 and 4.2.4.
 */
#ifndef CW_NET_HTTP_MESSAGE_H
#define CW_NET_HTTP_MESSAGE_H
#include <stdbool.h>

#include "common/base/err.h"
#include "common/base/str.h"

struct cw_http_target {
    struct cw_str
        authority;      /* of the absolute form: it stands for Host; empty in the other forms */
    struct cw_str path; /* still encoded, without what is behind '?' */
    struct cw_str query;
};

/* "/ready?x=1", or the absolute form that proxies are sent, "http://host:3100/ready?x=1". What is neither is taken as a path. A space,
 * a host that is missing, or a user before it, is an error; then all of it is the path. */
int cw_http_target_parse(struct cw_str text, struct cw_http_target *out,
                         struct cw_err *err) CW_MUST_USE;

/* Is the end of a body with these transfer codings known, and can it be read? `codings`: the values of all Transfer-Encoding
 * fields, joined by commas. Only "chunked" can. */
int cw_http_codings_check(struct cw_str codings, struct cw_err *err) CW_MUST_USE;

/* The fields of a request that say where its body ends, and whom it is for. */
struct cw_http_framing {
    bool spaced_name; /* a name has a space or tab in it, before the colon for one */
    bool is_1_0;      /* HTTP/1.0 has no transfer codings, and needs no Host */
    unsigned ncodings, nlengths, nhosts; /* fields of each */
    struct cw_str codings;               /* as above */
    /* Of Content-Length, the first value and the last one that is another; the lengths themselves are libmicrohttpd's to read. */
    struct cw_str length, other_length;
};

/* One Content-Length (or the same again), or "chunked" alone: what two readers could read in two ways is refused, so that no proxy
 * before us takes for a body what we take for a request. */
int cw_http_framing_check(const struct cw_http_framing *framing, struct cw_err *err) CW_MUST_USE;

/* HTTP/1.1 needs one Host, and no request has two. */
int cw_http_hosts_check(const struct cw_http_framing *framing, struct cw_err *err) CW_MUST_USE;

#endif
