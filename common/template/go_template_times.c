/* The methods of times, months, weekdays, durations and locations that a template of Go can call. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/template/go_template_priv.h"

typedef __int128 wide;

/* ---- what they give ---- */

int cw_gt_give_time(struct cw_go_template_run *run, struct cw_go_time time, struct cw_go_value *out)
{
    struct cw_go_time *kept = CW_ARENA_NEW(run->arena, struct cw_go_time);
    *kept = time;
    *out = (struct cw_go_value){.kind = CW_GO_TIME, .time = kept};
    return 0;
}

static int give_whole(enum cw_go_kind kind, int64_t number, struct cw_go_value *out)
{
    *out = (struct cw_go_value){.kind = kind, .number = number};
    return 0;
}

static int give_printed(struct cw_go_template_run *run, const char *format,
                        struct cw_go_value value, struct cw_go_value *out)
{
    cw_buf_clear(&run->tmp);
    cw_go_printf(cw_str_of(format), &value, 1, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

static int64_t clamp(wide ns)
{
    return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

static wide floor_mod(wide a, int64_t b)
{
    wide rest = a % b;
    return rest < 0 ? rest + b : rest;
}

/* ---- times ---- */

/* Nanoseconds since Go's zero time. */
static wide since_zero(const struct cw_go_time *t)
{
    return ((wide)t->sec - cw_go_time_zero().sec) * CW_NS_PER_S + t->nsec;
}

/* The same instant in the place of another time. */
static struct cw_go_time in_place_of(const struct cw_go_time *t, const struct cw_go_time *place)
{
    struct cw_go_time there = *place;
    there.sec = t->sec;
    there.nsec = t->nsec;
    return there;
}

static struct cw_go_time later(const struct cw_go_time *t, int64_t ns)
{
    struct cw_go_time sum = *t;
    int64_t nsec = t->nsec + ns % CW_NS_PER_S,
            carry = nsec / CW_NS_PER_S - (nsec % CW_NS_PER_S < 0);
    sum.nsec = (int32_t)(nsec - carry * CW_NS_PER_S);
    sum.sec = (int64_t)((uint64_t)t->sec + (uint64_t)(ns / CW_NS_PER_S) + (uint64_t)carry);
    return sum;
}

static int compare(const struct cw_go_value *args)
{
    const struct cw_go_time *a = args[0].time, *b = args[1].time;
    if (a->sec != b->sec)
        return a->sec < b->sec ? -1 : 1;
    return (a->nsec > b->nsec) - (a->nsec < b->nsec);
}

static CW_GT_FN(time_add)
{
    return cw_gt_give_time(run, later(args[0].time, args[1].number), out);
}

static CW_GT_FN(time_add_date)
{
    return cw_gt_give_time(
        run, cw_go_time_add_date(*args[0].time, args[1].number, args[2].number, args[3].number),
        out);
}

static CW_GT_FN(time_after)
{
    *out = cw_go_bool(compare(args) > 0);
    return 0;
}

static CW_GT_FN(time_before)
{
    *out = cw_go_bool(compare(args) < 0);
    return 0;
}

static CW_GT_FN(time_compare)
{
    *out = cw_go_int(compare(args));
    return 0;
}

static CW_GT_FN(time_equal)
{
    *out = cw_go_bool(compare(args) == 0);
    return 0;
}

static CW_GT_FN(time_format)
{
    cw_buf_clear(&run->tmp);
    cw_go_time_format(*args[0].time, args[1].text, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

static CW_GT_FN(time_go_string)
{
    return give_printed(run, "%#v", args[0], out);
}

static CW_GT_FN(time_in)
{
    if (args[1].kind == CW_GO_NIL)
        return cw_gt_fail(run, "time: missing Location in call to Time.In");
    return cw_gt_give_time(run, in_place_of(args[0].time, args[1].time), out);
}

static CW_GT_FN(time_is_dst)
{
    const struct cw_go_time *t = args[0].time;
    *out = cw_go_bool(t->zone != NULL && cw_go_zone_is_dst(t->zone, t->sec));
    return 0;
}

static CW_GT_FN(time_is_zero)
{
    *out = cw_go_bool(since_zero(args[0].time) == 0);
    return 0;
}

static CW_GT_FN(time_location)
{
    *out = (struct cw_go_value){.kind = CW_GO_LOCATION, .time = args[0].time};
    return 0;
}

/* Local too: what a server says does not depend on where it stands (go_zone.c). */
static CW_GT_FN(time_utc)
{
    return cw_gt_give_time(run, in_place_of(args[0].time, &(struct cw_go_time){0}), out);
}

static CW_GT_FN(time_nanosecond)
{
    *out = cw_go_int(args[0].time->nsec);
    return 0;
}

static CW_GT_FN(time_round)
{
    int64_t to_ns = args[1].number;
    if (to_ns <= 0)
        return cw_gt_give_time(run, *args[0].time, out);
    wide rest = floor_mod(since_zero(args[0].time), to_ns);
    bool down = rest + rest < to_ns;
    return cw_gt_give_time(run, later(args[0].time, (int64_t)(down ? -rest : to_ns - rest)), out);
}

static CW_GT_FN(time_truncate)
{
    int64_t to_ns = args[1].number;
    wide rest = to_ns > 0 ? floor_mod(since_zero(args[0].time), to_ns) : 0;
    return cw_gt_give_time(run, later(args[0].time, (int64_t)-rest), out);
}

static CW_GT_FN(time_sub)
{
    return give_whole(CW_GO_DURATION, clamp(since_zero(args[0].time) - since_zero(args[1].time)),
                      out);
}

static CW_GT_FN(time_unix)
{
    *out = cw_go_int64(args[0].time->sec);
    return 0;
}

static CW_GT_FN(time_unix_micro)
{
    const struct cw_go_time *t = args[0].time;
    *out = cw_go_int64((int64_t)((uint64_t)t->sec * 1000000 + (uint64_t)(t->nsec / CW_NS_PER_US)));
    return 0;
}

static CW_GT_FN(time_unix_milli)
{
    *out = cw_go_int64(cw_go_time_unix_ms(*args[0].time));
    return 0;
}

static CW_GT_FN(time_unix_nano)
{
    *out = cw_go_int64(cw_go_time_unix_ns(*args[0].time));
    return 0;
}

/* One number of the calendar and the clock. */
#define CIVIL_FN(name, kind_of_it, field)                                                          \
    static CW_GT_FN(name)                                                                          \
    {                                                                                              \
        struct cw_go_civil civil;                                                                  \
        cw_go_time_civil(*args[0].time, &civil);                                                   \
        return give_whole(kind_of_it, civil.field, out);                                           \
    }
CIVIL_FN(time_day, CW_GO_INT, day)
CIVIL_FN(time_hour, CW_GO_INT, hour)
CIVIL_FN(time_minute, CW_GO_INT, minute)
CIVIL_FN(time_month, CW_GO_MONTH, month)
CIVIL_FN(time_second, CW_GO_INT, second)
CIVIL_FN(time_weekday, CW_GO_WEEKDAY, weekday)
CIVIL_FN(time_year, CW_GO_INT, year)
CIVIL_FN(time_year_day, CW_GO_INT, yday)

/* ---- durations, and whatever names itself ---- */

static CW_GT_FN(own_string)
{
    return give_printed(run, "%v", args[0], out);
}

static CW_GT_FN(duration_abs)
{
    int64_t ns = args[0].number;
    return give_whole(CW_GO_DURATION, ns >= 0 ? ns : ns == INT64_MIN ? INT64_MAX : -ns, out);
}

/* Whole units and what is left of one are added as Go adds them. */
static int give_units(int64_t ns, int64_t unit_ns, struct cw_go_value *out)
{
    *out = cw_go_float((double)(ns / unit_ns) + (double)(ns % unit_ns) / (double)unit_ns);
    return 0;
}

static CW_GT_FN(duration_hours)
{
    return give_units(args[0].number, 3600 * CW_NS_PER_S, out);
}

static CW_GT_FN(duration_minutes)
{
    return give_units(args[0].number, 60 * CW_NS_PER_S, out);
}

static CW_GT_FN(duration_seconds)
{
    return give_units(args[0].number, CW_NS_PER_S, out);
}

static CW_GT_FN(duration_milliseconds)
{
    *out = cw_go_int64(args[0].number / CW_NS_PER_MS);
    return 0;
}

static CW_GT_FN(duration_microseconds)
{
    *out = cw_go_int64(args[0].number / CW_NS_PER_US);
    return 0;
}

static CW_GT_FN(duration_nanoseconds)
{
    *out = cw_go_int64(args[0].number);
    return 0;
}

/* Half away from zero. */
static CW_GT_FN(duration_round)
{
    int64_t ns = args[0].number, to_ns = args[1].number;
    if (to_ns <= 0)
        return give_whole(CW_GO_DURATION, ns, out);
    wide size = ns < 0 ? -(wide)ns : ns, rest = size % to_ns;
    size += rest + rest < to_ns ? -rest : to_ns - rest;
    return give_whole(CW_GO_DURATION, clamp(ns < 0 ? -size : size), out);
}

static CW_GT_FN(duration_truncate)
{
    int64_t ns = args[0].number, to_ns = args[1].number;
    return give_whole(CW_GO_DURATION, to_ns > 0 ? ns - ns % to_ns : ns, out);
}

/* ---- the tables, sorted by name ---- */

#define STR CW_GT_T_STRING
#define INT CW_GT_T_INT
#define TIME CW_GT_T_TIME
#define SPAN CW_GT_T_DURATION
#define PLACE CW_GT_T_LOCATION

static const struct cw_gt_func time_methods[] = {
    {"Add", cw_gt_fn_time_add, 2, false, {TIME, SPAN}},
    {"AddDate", cw_gt_fn_time_add_date, 4, false, {TIME, INT, INT, INT}},
    {"After", cw_gt_fn_time_after, 2, false, {TIME, TIME}},
    {"Before", cw_gt_fn_time_before, 2, false, {TIME, TIME}},
    {"Compare", cw_gt_fn_time_compare, 2, false, {TIME, TIME}},
    {"Day", cw_gt_fn_time_day, 1, false, {TIME}},
    {"Equal", cw_gt_fn_time_equal, 2, false, {TIME, TIME}},
    {"Format", cw_gt_fn_time_format, 2, false, {TIME, STR}},
    {"GoString", cw_gt_fn_time_go_string, 1, false, {TIME}},
    {"Hour", cw_gt_fn_time_hour, 1, false, {TIME}},
    {"In", cw_gt_fn_time_in, 2, false, {TIME, PLACE}},
    {"IsDST", cw_gt_fn_time_is_dst, 1, false, {TIME}},
    {"IsZero", cw_gt_fn_time_is_zero, 1, false, {TIME}},
    {"Local", cw_gt_fn_time_utc, 1, false, {TIME}},
    {"Location", cw_gt_fn_time_location, 1, false, {TIME}},
    {"Minute", cw_gt_fn_time_minute, 1, false, {TIME}},
    {"Month", cw_gt_fn_time_month, 1, false, {TIME}},
    {"Nanosecond", cw_gt_fn_time_nanosecond, 1, false, {TIME}},
    {"Round", cw_gt_fn_time_round, 2, false, {TIME, SPAN}},
    {"Second", cw_gt_fn_time_second, 1, false, {TIME}},
    {"String", cw_gt_fn_own_string, 1, false, {TIME}},
    {"Sub", cw_gt_fn_time_sub, 2, false, {TIME, TIME}},
    {"Truncate", cw_gt_fn_time_truncate, 2, false, {TIME, SPAN}},
    {"UTC", cw_gt_fn_time_utc, 1, false, {TIME}},
    {"Unix", cw_gt_fn_time_unix, 1, false, {TIME}},
    {"UnixMicro", cw_gt_fn_time_unix_micro, 1, false, {TIME}},
    {"UnixMilli", cw_gt_fn_time_unix_milli, 1, false, {TIME}},
    {"UnixNano", cw_gt_fn_time_unix_nano, 1, false, {TIME}},
    {"Weekday", cw_gt_fn_time_weekday, 1, false, {TIME}},
    {"Year", cw_gt_fn_time_year, 1, false, {TIME}},
    {"YearDay", cw_gt_fn_time_year_day, 1, false, {TIME}},
};

static const struct cw_gt_func duration_methods[] = {
    {"Abs", cw_gt_fn_duration_abs, 1, false, {SPAN}},
    {"Hours", cw_gt_fn_duration_hours, 1, false, {SPAN}},
    {"Microseconds", cw_gt_fn_duration_microseconds, 1, false, {SPAN}},
    {"Milliseconds", cw_gt_fn_duration_milliseconds, 1, false, {SPAN}},
    {"Minutes", cw_gt_fn_duration_minutes, 1, false, {SPAN}},
    {"Nanoseconds", cw_gt_fn_duration_nanoseconds, 1, false, {SPAN}},
    {"Round", cw_gt_fn_duration_round, 2, false, {SPAN, SPAN}},
    {"Seconds", cw_gt_fn_duration_seconds, 1, false, {SPAN}},
    {"String", cw_gt_fn_own_string, 1, false, {SPAN}},
    {"Truncate", cw_gt_fn_duration_truncate, 2, false, {SPAN, SPAN}},
};

/* Months, weekdays and locations have no others. */
static const struct cw_gt_func own_string[] = {
    {"String", cw_gt_fn_own_string, 1, false, {CW_GT_T_ANY}},
};

const struct cw_gt_func *cw_gt_method(enum cw_go_kind kind, struct cw_str name)
{
    switch (kind) {
    case CW_GO_TIME: return cw_gt_func_in(time_methods, CW_COUNT(time_methods), name);
    case CW_GO_DURATION: return cw_gt_func_in(duration_methods, CW_COUNT(duration_methods), name);
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY:
    case CW_GO_LOCATION: return cw_gt_func_in(own_string, CW_COUNT(own_string), name);
    default: return NULL;
    }
}

/* Of times, without arguments. */
static const struct {
    const char *name, *why;
} refused[] = {
    {"Clock", "function Clock has 3 return values; should be 1 or 2"},
    {"Date", "function Date has 3 return values; should be 1 or 2"},
    {"ISOWeek",
     "invalid function signature for ISOWeek: second return value should be error; is int"},
    {"Zone", "invalid function signature for Zone: second return value should be error; is int"},
    {"ZoneBounds",
     "invalid function signature for ZoneBounds: second return value should be error; is time.Time"},
};

const char *cw_gt_method_refused(enum cw_go_kind kind, struct cw_str name)
{
    for (size_t i = 0; kind == CW_GO_TIME && i < CW_COUNT(refused); i++)
        if (cw_str_eqz(name, refused[i].name))
            return refused[i].why;
    return NULL;
}
