/*
 * clock.h - time as int64 nanoseconds, and as the texts that Go and Loki write.
 *
 * Units      *_ns of wall time count from the Unix epoch (1677..2262); of monotonic time from an unknown start.
 * Sources    RFC 3339; Go's time.ParseDuration; Prometheus' model.ParseDuration (y w d h m s ms, whole numbers).
 */
#ifndef CW_BASE_CLOCK_H
#define CW_BASE_CLOCK_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/str.h"

#define CW_NS_PER_US INT64_C(1000)
#define CW_NS_PER_MS INT64_C(1000000)
#define CW_NS_PER_S INT64_C(1000000000)

int64_t cw_clock_now_ns(void);  /* wall */
int64_t cw_clock_mono_ns(void); /* monotonic */
int64_t cw_clock_thread_cpu_ns(void);

/* "2026-01-05T10:00:00Z", fraction (digits past the ninth are dropped, as Go does), offsets;
 * false when it is none or does not fit int64. */
bool cw_time_parse_rfc3339(struct cw_str s, int64_t *ns_out);
/* RFC 3339 in UTC with the digits that are needed (Go's RFC3339Nano). */
void cw_time_format_rfc3339(int64_t ns, struct cw_buf *out);
/* Go: "1h30m", "1.5s", "-2us", "0"; false otherwise or on overflow. */
bool cw_duration_parse_go(struct cw_str s, int64_t *ns_out);
/* Prometheus: "1d12h", "5m", "100ms": units once each, from large to small. */
bool cw_duration_parse_prom(struct cw_str s, int64_t *ns_out);
void cw_duration_format_go(int64_t ns, struct cw_buf *out);   /* "1h30m0s" */
void cw_duration_format_prom(int64_t ns, struct cw_buf *out); /* "1h30m" */
/* Civil date of a UTC day number (days since 1970-01-01) and back. */
void cw_day_to_date(int64_t day, int *year, int *month, int *mday);
int64_t cw_date_to_day(int year, int month, int mday);
/* Days of the month 1..12. */
int cw_date_month_days(int year, int month);

#endif
