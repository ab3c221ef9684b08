/*
 * ip_match.h - LogQL's ip("..."): an address, a range "from-to" or a prefix "10.0.0.0/8", IPv4 or IPv6, found in a text.
 *
 * An IPv4 address and the same one mapped into IPv6 are two addresses, as in Go's net/netip. One with a zone
 * ("fe80::1%eth0") is accepted and found nowhere.
 */
#ifndef CW_MATCH_IP_MATCH_H
#define CW_MATCH_IP_MATCH_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"

/* All three forms are ranges. A plain value. */
struct cw_ip_match {
    uint8_t from[16], to[16]; /* big endian; IPv4 in the first four bytes */
    uint8_t len;              /* 4 or 16 */
};

/* CW_E_INVALID: `ip: invalid pattern: "1.2.3"`. */
int cw_ip_match_parse(struct cw_str pattern, struct cw_ip_match *out,
                      struct cw_err *err) CW_MUST_USE;
/* Four big-endian bytes as a number. */
static inline uint32_t cw_ip_match_v4(const uint8_t bytes[16])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}
/* Does the text hold an address in the range? Addresses are sought as Loki seeks them. */
bool cw_ip_match_find(const struct cw_ip_match *match, struct cw_str text);

#endif
