/*
 * geo_ip.h - where an IP address is, by a MaxMind database (GeoIP2, GeoLite2 or one of the same form).
 *
 * Ownership  The labels' names are constant, their values are in the arena.
 * Threads    Read-only after open; may be shared.
 * Errors     CW_E_NOT_FOUND, CW_E_IO, CW_E_CORRUPT (no such database). A damaged record has no labels.
 */
#ifndef CW_PIPELINE_GEO_IP_H
#define CW_PIPELINE_GEO_IP_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"

enum cw_geo_ip_type { CW_GEO_IP_CITY, CW_GEO_IP_ASN, CW_GEO_IP_COUNTRY };
/* Labels of one address at most. */
enum { CW_GEO_IP_LABELS = 16 };

struct cw_geo_ip;

int cw_geo_ip_open(const char *path, enum cw_geo_ip_type type, struct cw_geo_ip **out,
                   struct cw_err *err) CW_MUST_USE;
void cw_geo_ip_close(struct cw_geo_ip **geo);
/* How many labels (promtail's: geoip_city_name, ...) the address has; 0 when it is no address, or not in the database. */
size_t cw_geo_ip_lookup(const struct cw_geo_ip *geo, struct cw_str address, struct cw_arena *arena,
                        struct cw_label out[CW_GEO_IP_LABELS]);
/* The address' record as JSON, for what the labels do not have. False: there is none, or it passes CW_GEO_IP_JSON_BYTES or is
 * damaged; *out may hold a part of it then. */
enum { CW_GEO_IP_JSON_BYTES = 1 << 20 }; /* records are some KB at most */
bool cw_geo_ip_json(const struct cw_geo_ip *geo, struct cw_str address,
                    struct cw_buf *out) CW_MUST_USE;

#endif
