/*
 * time_text.h - a time at the front of a text, as programs write it into their logs.
 *
 *     2026-01-05T10:00:00.123Z        RFC 3339; also a blank for the T, a comma for the point, no seconds, +0100, " UTC"
 *     2026-01-05-10.00.00.123456      DB2
 *     2026/01/05 10:00:00.123456      Go, nginx;  26/01/05 10:00:00, 260105 100000: log4j as Hadoop and Spark have it
 *     Jan  5 10:00:00                 RFC 3164; with a year behind the day or the time too
 *     Mon Jan 05 10:00:00.123 2026    ctime, Apache's error log;  Mon, 05 Jan 2026 10:00:00 GMT: RFC 1123
 *     05/Jan/2026:10:00:00 +0100      access logs;  05 Jan 2026 10:00:00.123: Redis
 *     I0105 10:00:00.123456           klog, glog;  I20260105 10:00:00.123456: glog since 0.5
 *     1767607200.5                    seconds since the epoch; 13, 16 and 19 digits are milli-, micro- and nanoseconds
 *
 * A time without a zone is of the zone that is given. One without a year is of the latest year in which it is not more than a day
 * after the reference.
 *
 * Threads    A reader belongs to one thread; copies of it are as good.
 */
#ifndef CW_LOCAL_TIME_TEXT_H
#define CW_LOCAL_TIME_TEXT_H
#include "common/base/str.h"
#include "querier/local/zone_time.h"

struct cw_time_text {
    struct cw_zone_time zone;
    int64_t reference_ns; /* of times without a year: when the file was last written */
};

/* True: it stands at the front of *s and is taken off. False: nothing is taken. */
bool cw_time_text_take(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out);
/* The form of access logs alone, and that of ISO dates alone: those are looked for inside of lines. */
bool cw_time_text_take_access(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out);
bool cw_time_text_take_iso(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out);
/* A number of seconds, milli-, micro- or nanoseconds since the epoch, told apart by its size (2001 to 2286): all of the text. */
bool cw_time_text_epoch(struct cw_str s, int64_t *ns_out);

#endif
