/*
 * zone_time.h - what a clock on the wall shows, as a moment: in UTC, or in the zone of this machine (TZ).
 *
 * Wall       Seconds that a clock shows, counted as if its zone were UTC.
 * Changes    A time that is shown twice (clocks go back) is the first of the two; one that is never shown (clocks go forward) is
 *            so long after the change as it is after the time at which the clock was changed.
 * Threads    A zone belongs to one thread; copies of it are as good.
 */
#ifndef CW_LOCAL_ZONE_TIME_H
#define CW_LOCAL_ZONE_TIME_H
#include <stdbool.h>
#include <stdint.h>

enum cw_zone { CW_ZONE_LOCAL, CW_ZONE_UTC };

struct cw_zone_time {
    enum cw_zone zone;
    /* The offset of wall times of one quarter of an hour, which no change of zone divides. */
    bool cached;
    int64_t quarter, offset_s;
};

void cw_zone_time_init(struct cw_zone_time *zone, enum cw_zone which);
/* Seconds since the epoch. */
int64_t cw_zone_time_of_wall(struct cw_zone_time *zone, int64_t wall_s);
int64_t cw_zone_time_to_wall(const struct cw_zone_time *zone, int64_t unix_s);

#endif
