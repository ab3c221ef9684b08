/* Zones from tzdata's files (TZif): transitions, and the rule for the time behind the last of them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/template/go_time.h"

enum {
    ZONE_FILE_BYTES = 1 << 20, /* the largest has some 4 KB */
    ZONE_NAME_BYTES = 128,
    ZONE_MAX = 4096, /* zones kept: tzdata has some 600 files and their links */
    TZIF_HEADER_BYTES = 44,
    DAY_S = 86400,
};

struct zone_type {
    int32_t offset_s;
    bool dst;
    char abbrev[CW_GO_ZONE_NAME_BYTES];
};

/* When a rule changes the clock: day of the year in one of three spellings, and the second of that day. */
struct zone_change {
    char kind; /* 'M': month, week, day; 'J': day 1..365 without February 29; '0': day 0..365 */
    int month, week, day, time_s;
};

struct cw_go_zone {
    struct cw_go_zone *next;
    char name[ZONE_NAME_BYTES];
    size_t ntransitions, ntypes;
    int64_t *transitions;
    unsigned char *indexes; /* of types */
    struct zone_type *types;
    bool has_rule, has_dst;
    struct zone_type rule[2];     /* standard, daylight saving */
    struct zone_change change[2]; /* to daylight saving, back */
};

/* ---- the rule of a zone: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool take_rule_name(struct cw_str *s, char *abbrev)
{
    bool angle = s->len > 0 && s->ptr[0] == '<';
    size_t from = angle ? 1 : 0, end = from;
    while (end < s->len && (angle ? s->ptr[end] != '>'
                                  : (s->ptr[end] | 0x20) >= 'a' && (s->ptr[end] | 0x20) <= 'z'))
        end++;
    if (end - from < 3 || end - from >= CW_GO_ZONE_NAME_BYTES || (angle && end == s->len))
        return false;
    memcpy(abbrev, s->ptr + from, end - from);
    abbrev[end - from] = '\0';
    *s = cw_str_sub(*s, end + (angle ? 1 : 0), s->len);
    return true;
}

static bool take_number(struct cw_str *s, int max, int *out)
{
    size_t n = 0;
    for (*out = 0; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9' && *out <= max; n++)
        *out = *out * 10 + (s->ptr[n] - '0');
    *s = cw_str_sub(*s, n, s->len);
    return n > 0 && *out <= max;
}

static bool take_char(struct cw_str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = cw_str_sub(*s, 1, s->len);
    return true;
}

/* [+-]hh[:mm[:ss]] in seconds */
static bool take_time(struct cw_str *s, int *out)
{
    int hours, minutes = 0, seconds = 0;
    bool negative = take_char(s, '-');
    if (!negative)
        take_char(s, '+');
    if (!take_number(s, 24 * 7, &hours))
        return false;
    if (take_char(s, ':') && !take_number(s, 59, &minutes))
        return false;
    if (take_char(s, ':') && !take_number(s, 59, &seconds))
        return false;
    *out = (hours * 60 + minutes) * 60 + seconds;
    if (negative)
        *out = -*out;
    return true;
}

static bool take_change(struct cw_str *s, struct zone_change *change)
{
    if (!take_char(s, ','))
        return false;
    if (take_char(s, 'M')) {
        change->kind = 'M';
        if (!take_number(s, 12, &change->month) || !take_char(s, '.') ||
            !take_number(s, 5, &change->week) || !take_char(s, '.') ||
            !take_number(s, 6, &change->day) || change->month < 1 || change->week < 1)
            return false;
    } else {
        change->kind = take_char(s, 'J') ? 'J' : '0';
        if (!take_number(s, 365, &change->day))
            return false;
    }
    change->time_s = 2 * 3600;
    return !take_char(s, '/') || take_time(s, &change->time_s);
}

static bool parse_rule(struct cw_str s, struct cw_go_zone *zone)
{
    int offset;
    if (!take_rule_name(&s, zone->rule[0].abbrev) || !take_time(&s, &offset))
        return false;
    zone->rule[0].offset_s = -offset; /* POSIX counts west of Greenwich */
    if (s.len == 0)
        return true;
    if (!take_rule_name(&s, zone->rule[1].abbrev))
        return false;
    zone->rule[1].dst = true;
    zone->rule[1].offset_s = zone->rule[0].offset_s + 3600;
    if (s.len > 0 && s.ptr[0] != ',') {
        if (!take_time(&s, &offset))
            return false;
        zone->rule[1].offset_s = -offset;
    }
    zone->has_dst = true;
    return take_change(&s, &zone->change[0]) && take_change(&s, &zone->change[1]) && s.len == 0;
}

/* Seconds from the beginning of the year to the change, by the clock before it. */
static int64_t change_at(const struct zone_change *change, int year)
{
    int64_t first = cw_date_to_day(year, 1, 1), day;
    bool leap = cw_date_to_day(year, 3, 1) - cw_date_to_day(year, 2, 28) == 2;
    if (change->kind == 'M') {
        int64_t month = cw_date_to_day(year, change->month, 1);
        int next_year = change->month == 12 ? year + 1 : year, next = change->month % 12 + 1;
        int64_t behind = cw_date_to_day(next_year, next, 1);
        int64_t weekday = ((month + 4) % 7 + 7) % 7;
        day = month + (change->day - weekday + 7) % 7 + 7 * (change->week - 1);
        while (day >= behind)
            day -= 7;
        day -= first;
    } else if (change->kind == 'J') {
        day = change->day - 1 + (leap && change->day >= 60);
    } else {
        day = change->day;
    }
    return day * DAY_S + change->time_s;
}

static const struct zone_type *type_by_rule(const struct cw_go_zone *zone, int64_t sec)
{
    if (!zone->has_dst)
        return &zone->rule[0];
    int year, month, mday;
    /* A time of any year: what the rule says repeats after 400, weekdays included. */
    const int64_t ages_s = INT64_C(146097) * DAY_S;
    sec = (sec % ages_s + ages_s) % ages_s;
    int64_t local = sec + zone->rule[0].offset_s;
    int64_t day = local / DAY_S - (local % DAY_S < 0);
    cw_day_to_date(day, &year, &month, &mday);
    int64_t in_year = sec - cw_date_to_day(year, 1, 1) * DAY_S;
    int64_t on = change_at(&zone->change[0], year) - zone->rule[0].offset_s;
    int64_t off = change_at(&zone->change[1], year) - zone->rule[1].offset_s;
    bool dst = on < off ? in_year >= on && in_year < off : in_year >= on || in_year < off;
    return &zone->rule[dst];
}

/* ---- TZif ---- */

static uint32_t be32(const char *at)
{
    const unsigned char *u = (const unsigned char *)at;
    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

struct tzif {
    uint32_t nutc, nstd, nleaps, ntimes, ntypes, nchars;
};

static bool read_header(struct cw_str data, struct tzif *tzif)
{
    if (data.len < TZIF_HEADER_BYTES || memcmp(data.ptr, "TZif", 4) != 0)
        return false;
    *tzif = (struct tzif){be32(data.ptr + 20), be32(data.ptr + 24), be32(data.ptr + 28),
                          be32(data.ptr + 32), be32(data.ptr + 36), be32(data.ptr + 40)};
    return tzif->ntypes > 0 && tzif->ntypes <= 256 && tzif->ntimes <= 65536 &&
           tzif->nchars <= 65536 && tzif->nleaps <= 65536 && tzif->nutc <= 256 && tzif->nstd <= 256;
}

static size_t body_bytes(const struct tzif *t, size_t time_bytes)
{
    return t->ntimes * (time_bytes + 1) + t->ntypes * 6 + t->nchars + t->nleaps * (time_bytes + 4) +
           t->nstd + t->nutc;
}

static bool read_types(struct cw_go_zone *zone, const struct tzif *tzif, const char *types)
{
    const char *chars = types + (size_t)tzif->ntypes * 6;
    zone->ntypes = tzif->ntypes;
    zone->types = cw_mem_array(zone->ntypes, sizeof *zone->types);
    for (size_t i = 0; i < zone->ntypes; i++) {
        struct zone_type *type = &zone->types[i];
        size_t name = (unsigned char)types[6 * i + 5];
        type->offset_s = (int32_t)be32(types + 6 * i);
        type->dst = types[6 * i + 4] != 0;
        if (name >= tzif->nchars || abs(type->offset_s) > 2 * DAY_S)
            return false;
        size_t n = strnlen(chars + name, tzif->nchars - name);
        memcpy(type->abbrev, chars + name, CW_MIN(n, sizeof type->abbrev - 1));
    }
    return true;
}

/* The second, 64-bit body of a file of version 2 or later. */
static bool read_tzif(struct cw_str data, struct cw_go_zone *zone)
{
    struct tzif tzif;
    if (!read_header(data, &tzif) || data.ptr[4] < '2')
        return false;
    size_t skip = TZIF_HEADER_BYTES + body_bytes(&tzif, 4);
    if (skip > data.len)
        return false;
    data = cw_str_sub(data, skip, data.len);
    if (!read_header(data, &tzif) || data.len - TZIF_HEADER_BYTES < body_bytes(&tzif, 8))
        return false;
    const char *times = data.ptr + TZIF_HEADER_BYTES, *indexes = times + (size_t)tzif.ntimes * 8;
    zone->ntransitions = tzif.ntimes;
    zone->transitions = cw_mem_array(zone->ntransitions + 1, sizeof *zone->transitions);
    zone->indexes = cw_mem_array(zone->ntransitions + 1, 1);
    for (size_t i = 0; i < zone->ntransitions; i++) {
        zone->transitions[i] =
            (int64_t)((uint64_t)be32(times + 8 * i) << 32 | be32(times + 8 * i + 4));
        zone->indexes[i] = (unsigned char)indexes[i];
        if (zone->indexes[i] >= tzif.ntypes)
            return false;
    }
    if (!read_types(zone, &tzif, indexes + tzif.ntimes))
        return false;
    struct cw_str rule = cw_str_sub(data, TZIF_HEADER_BYTES + body_bytes(&tzif, 8), data.len);
    rule = cw_str_trim(rule);
    zone->has_rule = rule.len > 0 && parse_rule(rule, zone);
    return true;
}

static void zone_free(struct cw_go_zone *zone)
{
    free(zone->transitions);
    free(zone->indexes);
    free(zone->types);
    free(zone);
}

static bool name_fine(struct cw_str name)
{
    if (name.len == 0 || name.len >= ZONE_NAME_BYTES || name.ptr[0] == '/' ||
        cw_str_find(name, CW_STR("..")) >= 0)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '\\' || name.ptr[i] == '\0')
            return false;
    return true;
}

static struct cw_go_zone *zone_read(struct cw_str name)
{
    char path[ZONE_NAME_BYTES + 64];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", CW_STR_ARG(name));
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return NULL;
    struct cw_go_zone *zone = cw_mem_new(sizeof *zone);
    char *bytes = cw_mem_new(ZONE_FILE_BYTES);
    size_t n = fread(bytes, 1, ZONE_FILE_BYTES, file);
    fclose(file);
    memcpy(zone->name, name.ptr, name.len);
    bool fine = read_tzif(cw_str_make(bytes, n), zone);
    free(bytes);
    if (!fine) {
        zone_free(zone);
        return NULL;
    }
    return zone;
}

bool cw_go_zone_load(struct cw_str name, const struct cw_go_zone **out)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct cw_go_zone *zones;
    static unsigned nzones;
    *out = NULL;
    if (name.len == 0 || cw_str_eqz(name, "UTC") || cw_str_eqz(name, "Local"))
        return true; /* what a server says does not depend on where it stands */
    if (!name_fine(name))
        return false;
    pthread_mutex_lock(&lock);
    struct cw_go_zone *zone = zones;
    while (zone != NULL && !cw_str_eqz(name, zone->name))
        zone = zone->next;
    if (zone == NULL && nzones < ZONE_MAX) {
        zone = zone_read(name);
        if (zone != NULL) {
            zone->next = zones;
            zones = zone;
            nzones++;
        }
    }
    pthread_mutex_unlock(&lock);
    *out = zone;
    return zone != NULL;
}

const char *cw_go_zone_name(const struct cw_go_zone *zone)
{
    return zone->name;
}

static const struct zone_type *type_at(const struct cw_go_zone *zone, int64_t sec)
{
    size_t lo = 0, hi = zone->ntransitions;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (zone->transitions[mid] <= sec)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == zone->ntransitions && zone->has_rule)
        return type_by_rule(zone, sec);
    if (lo > 0)
        return &zone->types[zone->indexes[lo - 1]];
    /* Before the first: the first type that is standard time. */
    for (size_t i = 0; i < zone->ntypes; i++)
        if (!zone->types[i].dst)
            return &zone->types[i];
    return &zone->types[0];
}

void cw_go_zone_at(const struct cw_go_zone *zone, int64_t sec, int32_t *offset_s, char *abbrev)
{
    const struct zone_type *type = type_at(zone, sec);
    *offset_s = type->offset_s;
    memcpy(abbrev, type->abbrev, CW_GO_ZONE_NAME_BYTES);
}

bool cw_go_zone_is_dst(const struct cw_go_zone *zone, int64_t sec)
{
    return type_at(zone, sec)->dst;
}

bool cw_go_zone_find(const struct cw_go_zone *zone, struct cw_str abbrev, int64_t unix_sec,
                     int32_t *offset_s)
{
    /* First a type of that name which holds at that time, then any. */
    for (size_t i = 0; i < zone->ntypes; i++) {
        const struct zone_type *type = &zone->types[i];
        if (!cw_str_eqz(abbrev, type->abbrev))
            continue;
        const struct zone_type *then = type_at(zone, unix_sec - type->offset_s);
        if (cw_str_eqz(abbrev, then->abbrev)) {
            *offset_s = then->offset_s;
            return true;
        }
    }
    for (size_t i = 0; i < zone->ntypes; i++) {
        if (cw_str_eqz(abbrev, zone->types[i].abbrev)) {
            *offset_s = zone->types[i].offset_s;
            return true;
        }
    }
    return false;
}
