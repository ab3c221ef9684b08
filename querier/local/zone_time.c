#include "querier/local/zone_time.h"

#include <time.h>

#define DAY_S 86400
#define QUARTER_S 900

void cw_zone_time_init(struct cw_zone_time *zone, enum cw_zone which)
{
    *zone = (struct cw_zone_time){.zone = which};
}

static int64_t offset_at(const struct cw_zone_time *zone, int64_t unix_s)
{
    struct tm tm;
    time_t t = unix_s;
    if (zone->zone == CW_ZONE_UTC || localtime_r(&t, &tm) == NULL)
        return 0;
    return tm.tm_gmtoff;
}

int64_t cw_zone_time_to_wall(const struct cw_zone_time *zone, int64_t unix_s)
{
    return unix_s + offset_at(zone, unix_s);
}

/* The offset a day before is that of before a change, if there is one near. It is tried first: of two times it gives the earlier one. */
static int64_t offset_of_wall(const struct cw_zone_time *zone, int64_t wall_s)
{
    int64_t before = offset_at(zone, wall_s - DAY_S), after = offset_at(zone, wall_s + DAY_S);
    if (before == after || offset_at(zone, wall_s - before) == before)
        return before;
    return offset_at(zone, wall_s - after) == after ? after : before;
}

int64_t cw_zone_time_of_wall(struct cw_zone_time *zone, int64_t wall_s)
{
    if (zone->zone == CW_ZONE_UTC)
        return wall_s;
    int64_t quarter = wall_s / QUARTER_S - (wall_s % QUARTER_S < 0);
    if (!zone->cached || quarter != zone->quarter) {
        zone->offset_s = offset_of_wall(zone, quarter * QUARTER_S);
        zone->quarter = quarter;
        zone->cached = true;
    }
    return wall_s - zone->offset_s;
}
