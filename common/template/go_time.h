/*
 * go_time.h - Go's time.Time as far as templates need it: an instant with its zone, written and read by Go's layouts
 * ("2006-01-02T15:04:05Z07:00"); zones from the system's tzdata.
 *
 * Ownership  Zones live as long as the process; their number is bounded by the files of tzdata.
 * Threads    Everything here may be called by any thread.
 * Source     Go's documentation of the package time; RFC 9636 (TZif).
 */
#ifndef CW_TEMPLATE_GO_TIME_H
#define CW_TEMPLATE_GO_TIME_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/str.h"

struct cw_go_zone;

enum { CW_GO_ZONE_NAME_BYTES = 16 };

/* The zero value is 1970-01-01 UTC; Go's zero time is cw_go_time_zero(). */
struct cw_go_time {
    int64_t sec;                   /* since 1970-01-01, any year that Go's layouts can spell */
    int32_t nsec;                  /* 0..999,999,999 */
    const struct cw_go_zone *zone; /* NULL: UTC, or the one read with the time */
    bool fixed;                    /* that one: `offset_s` and `abbrev`, which may be empty */
    int32_t offset_s;              /* east of Greenwich */
    char abbrev[CW_GO_ZONE_NAME_BYTES];
};

struct cw_go_time cw_go_time_zero(void); /* January 1 of year 1, UTC */
struct cw_go_time cw_go_time_unix(int64_t sec, int64_t nsec);
/* Nanoseconds since 1970; wraps around outside of 1678..2262, as Go's does. */
int64_t cw_go_time_unix_ns(struct cw_go_time t);
int64_t cw_go_time_unix_ms(struct cw_go_time t);

/* The zone of that name ("Europe/Berlin", "UTC", ""); false when tzdata has none. *out NULL is UTC. */
bool cw_go_zone_load(struct cw_str name, const struct cw_go_zone **out);
/* The name that it was loaded by. */
const char *cw_go_zone_name(const struct cw_go_zone *zone);
/* What the zone says at that instant; `abbrev` has room for CW_GO_ZONE_NAME_BYTES. */
void cw_go_zone_at(const struct cw_go_zone *zone, int64_t sec, int32_t *offset_s, char *abbrev);

bool cw_go_zone_is_dst(const struct cw_go_zone *zone, int64_t sec);

/* The offset that the zone means by "CET" about that time (seconds as if it were UTC); false when it has no such name. */
bool cw_go_zone_find(const struct cw_go_zone *zone, struct cw_str abbrev, int64_t unix_sec,
                     int32_t *offset_s);

struct cw_go_civil {
    int64_t year;
    int month, day, hour, minute, second; /* month and day from 1 */
    int weekday;                          /* 0 is Sunday */
    int yday;                             /* from 1 */
    int32_t offset_s;
    char abbrev[CW_GO_ZONE_NAME_BYTES];
};
void cw_go_time_civil(struct cw_go_time t, struct cw_go_civil *out);

/* As many years, months and days later, in its place; days that the month does not have count on into the next (Go's AddDate). Where
 * no year of 64 bits is left it wraps around. */
struct cw_go_time cw_go_time_add_date(struct cw_go_time t, int64_t years, int64_t months,
                                      int64_t days);

/* Append the time as `layout` spells it. */
void cw_go_time_format(struct cw_go_time t, struct cw_str layout, struct cw_buf *out);
/* Read `text` by `layout`; a time without zone is one in `zone`. On a text that does not fit: false, and *out is the
 * zero time, which is what Loki's functions go on with. */
bool cw_go_time_parse(struct cw_str layout, struct cw_str text, const struct cw_go_zone *zone,
                      struct cw_go_time *out);

#endif
