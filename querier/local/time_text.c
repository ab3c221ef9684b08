#include "querier/local/time_text.h"

#include "common/base/clock.h"

/* What a text says of a time, before it is one. */
struct civil {
    int year, month, day, hour, minute, second;
    int64_t nanos;
    bool has_zone;
    int64_t offset_s;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool take_byte(struct cw_str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = cw_str_sub(*s, 1, s->len);
    return true;
}

/* Exactly n digits. */
static bool take_number(struct cw_str *s, size_t n, int *out)
{
    int value = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(s->ptr[i]))
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = cw_str_sub(*s, n, s->len);
    *out = value;
    return true;
}

static size_t count_digits(struct cw_str s)
{
    size_t n = 0;
    while (n < s.len && is_digit(s.ptr[n]))
        n++;
    return n;
}

/* " 5", "05" or "5". */
static bool take_day(struct cw_str *s, int *out)
{
    take_byte(s, ' ');
    size_t n = count_digits(*s);
    return (n == 1 || n == 2) && take_number(s, n, out);
}

static bool take_name(struct cw_str *s, const char *names, int count, int *out)
{
    if (s->len < 3)
        return false;
    for (int i = 0; i < count; i++) {
        if (memcmp(s->ptr, names + 3 * (size_t)i, 3) != 0)
            continue;
        *s = cw_str_sub(*s, 3, s->len);
        *out = i;
        return true;
    }
    return false;
}

static bool take_month(struct cw_str *s, int *out)
{
    if (!take_name(s, "JanFebMarAprMayJunJulAugSepOctNovDec", 12, out))
        return false;
    (*out)++;
    return true;
}

/* "Mon" or "Monday". */
static bool take_weekday(struct cw_str *s)
{
    int day;
    if (!take_name(s, "MonTueWedThuFriSatSun", 7, &day))
        return false;
    while (s->len > 0 && s->ptr[0] >= 'a' && s->ptr[0] <= 'z')
        *s = cw_str_sub(*s, 1, s->len);
    return true;
}

/* ".123" or ",123", any number of digits: those past the ninth are dropped. */
static void take_fraction(struct cw_str *s, int64_t *nanos_out)
{
    if (s->len < 2 || (s->ptr[0] != '.' && s->ptr[0] != ',') || !is_digit(s->ptr[1]))
        return;
    size_t n = count_digits(cw_str_sub(*s, 1, s->len));
    int64_t nanos = 0;
    for (size_t i = 0; i < 9; i++)
        nanos = nanos * 10 + (i < n ? s->ptr[1 + i] - '0' : 0);
    *nanos_out = nanos;
    *s = cw_str_sub(*s, 1 + n, s->len);
}

/* 10:00:00.123; with `seconds` optional 10:00 is fine. */
enum seconds { SECONDS_NEEDED, SECONDS_OPTIONAL };
static bool take_clock(struct cw_str *s, char separator, enum seconds seconds, struct civil *t)
{
    if (!take_number(s, 2, &t->hour) || !take_byte(s, separator) || !take_number(s, 2, &t->minute))
        return false;
    struct cw_str rest = *s;
    if (!take_byte(&rest, separator) || !take_number(&rest, 2, &t->second)) {
        t->second = 0;
        return seconds == SECONDS_OPTIONAL;
    }
    *s = rest;
    take_fraction(s, &t->nanos);
    return true;
}

/* +01:00, +0100, +01 */
static bool take_offset(struct cw_str *s, int64_t *seconds_out)
{
    struct cw_str rest = *s;
    int hours, minutes = 0;
    bool negative = take_byte(&rest, '-');
    if ((!negative && !take_byte(&rest, '+')) || !take_number(&rest, 2, &hours))
        return false;
    struct cw_str short_form = rest;
    take_byte(&rest, ':');
    if (!take_number(&rest, 2, &minutes)) {
        minutes = 0;
        rest = short_form;
    }
    if (hours > 23 || minutes > 59 || count_digits(rest) > 0)
        return false;
    *seconds_out = (negative ? -1 : 1) * (hours * INT64_C(3600) + minutes * INT64_C(60));
    *s = rest;
    return true;
}

/* Z, an offset, UTC or GMT; what else stands there is left. Other names of zones have many meanings. */
static void take_zone(struct cw_str *s, struct civil *t)
{
    struct cw_str rest = *s;
    bool apart = take_byte(&rest, ' ');
    if (take_offset(&rest, &t->offset_s)) {
        t->has_zone = true;
    } else if (cw_str_starts(rest, CW_STR("UTC")) || cw_str_starts(rest, CW_STR("GMT"))) {
        rest = cw_str_sub(rest, 3, rest.len);
        t->has_zone = rest.len == 0 || !is_letter(rest.ptr[0]);
    } else if (!apart && take_byte(&rest, 'Z')) {
        t->has_zone = true;
    }
    if (t->has_zone)
        *s = rest;
}

static bool civil_to_ns(struct cw_time_text *reader, const struct civil *t, int64_t *ns_out)
{
    if (t->month < 1 || t->month > 12 || t->day < 1 ||
        t->day > cw_date_month_days(t->year, t->month) || t->hour > 23 || t->minute > 59 ||
        t->second > 60)
        return false;
    int64_t seconds = cw_date_to_day(t->year, t->month, t->day) * 86400 + t->hour * 3600 +
                      t->minute * 60 + t->second;
    seconds = t->has_zone ? seconds - t->offset_s : cw_zone_time_of_wall(&reader->zone, seconds);
    int64_t ns;
    if (__builtin_mul_overflow(seconds, CW_NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, t->nanos, &ns))
        return false;
    *ns_out = ns;
    return true;
}

/* The year is the reference's, or one before (the day may be a 29 February). */
static bool civil_without_year(struct cw_time_text *reader, struct civil *t, int64_t *ns_out)
{
    int64_t latest_ns;
    if (__builtin_add_overflow(reader->reference_ns, 86400 * CW_NS_PER_S, &latest_ns))
        latest_ns = INT64_MAX;
    int64_t day = latest_ns / (86400 * CW_NS_PER_S) + 1; /* its zone may be ahead */
    int year, month, mday;
    cw_day_to_date(day, &year, &month, &mday);
    for (int back = 0; back <= 8; back++) {
        t->year = year - back;
        if (civil_to_ns(reader, t, ns_out) && *ns_out <= latest_ns)
            return true;
    }
    return false;
}

/* Nothing that goes on as the number or name that was just read. */
static bool ends_there(struct cw_str s)
{
    return s.len == 0 || !(is_digit(s.ptr[0]) || is_letter(s.ptr[0]) || s.ptr[0] == '_');
}

static bool finish(struct cw_time_text *reader, struct cw_str rest, const struct civil *t,
                   struct cw_str *s, int64_t *ns_out)
{
    if (!ends_there(rest) || !civil_to_ns(reader, t, ns_out))
        return false;
    *s = rest;
    return true;
}

bool cw_time_text_take_iso(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = *s;
    if (!take_number(&rest, 4, &t.year) || !take_byte(&rest, '-') ||
        !take_number(&rest, 2, &t.month) || !take_byte(&rest, '-') ||
        !take_number(&rest, 2, &t.day) || rest.len == 0)
        return false;
    char separator = rest.ptr[0];
    rest = cw_str_sub(rest, 1, rest.len);
    if (separator == '-')
        return take_clock(&rest, '.', SECONDS_NEEDED, &t) && finish(reader, rest, &t, s, ns_out);
    if ((separator != 'T' && separator != ' ' && separator != 't') ||
        !take_clock(&rest, ':', SECONDS_OPTIONAL, &t))
        return false;
    take_zone(&rest, &t);
    return finish(reader, rest, &t, s, ns_out);
}

/* 2026/01/05 10:00:00, 26/01/05 10:00:00; the reading of Go's log, nginx and log4j. */
static bool take_slashes(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = *s;
    size_t n = count_digits(rest);
    if ((n != 4 && n != 2) || !take_number(&rest, n, &t.year) || !take_byte(&rest, '/') ||
        !take_number(&rest, 2, &t.month) || !take_byte(&rest, '/') ||
        !take_number(&rest, 2, &t.day) || !take_byte(&rest, ' ') ||
        !take_clock(&rest, ':', SECONDS_NEEDED, &t))
        return false;
    t.year += n == 2 ? 2000 : 0;
    take_zone(&rest, &t);
    return finish(reader, rest, &t, s, ns_out);
}

/* 260105 100000 */
static bool take_packed(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = *s;
    if (count_digits(rest) != 6 || !take_number(&rest, 2, &t.year) ||
        !take_number(&rest, 2, &t.month) || !take_number(&rest, 2, &t.day) ||
        !take_byte(&rest, ' ') || count_digits(rest) != 6 || !take_number(&rest, 2, &t.hour) ||
        !take_number(&rest, 2, &t.minute) || !take_number(&rest, 2, &t.second))
        return false;
    t.year += 2000;
    return finish(reader, rest, &t, s, ns_out);
}

bool cw_time_text_take_access(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = *s;
    if (!take_number(&rest, 2, &t.day) || !take_byte(&rest, '/') || !take_month(&rest, &t.month) ||
        !take_byte(&rest, '/') || !take_number(&rest, 4, &t.year) || !take_byte(&rest, ':') ||
        !take_clock(&rest, ':', SECONDS_NEEDED, &t))
        return false;
    take_zone(&rest, &t);
    return finish(reader, rest, &t, s, ns_out);
}

/* 05 Jan 2026 10:00:00 */
static bool take_day_month_year(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = *s;
    if (!take_day(&rest, &t.day) || !take_byte(&rest, ' ') || !take_month(&rest, &t.month) ||
        !take_byte(&rest, ' ') || !take_number(&rest, 4, &t.year) || !take_byte(&rest, ' ') ||
        !take_clock(&rest, ':', SECONDS_NEEDED, &t))
        return false;
    take_zone(&rest, &t);
    return finish(reader, rest, &t, s, ns_out);
}

/* " 2026" */
static bool take_year(struct cw_str *s, int *out)
{
    struct cw_str rest = *s;
    if (!take_byte(&rest, ' ') || count_digits(rest) != 4 || !take_number(&rest, 4, out))
        return false;
    *s = rest;
    return true;
}

/* Jan  5 10:00:00, Jan  5 2026 10:00:00, Jan  5 10:00:00 2026, Jan 5 10:00:00 UTC 2026 */
static bool take_month_day(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = *s;
    if (!take_month(&rest, &t.month) || !take_byte(&rest, ' ') || !take_day(&rest, &t.day))
        return false;
    bool has_year = take_year(&rest, &t.year);
    if (!take_byte(&rest, ' ') || !take_clock(&rest, ':', SECONDS_NEEDED, &t))
        return false;
    take_zone(&rest, &t);
    has_year = has_year || take_year(&rest, &t.year);
    if (has_year)
        return finish(reader, rest, &t, s, ns_out);
    if (!ends_there(rest) || !civil_without_year(reader, &t, ns_out))
        return false;
    *s = rest;
    return true;
}

static bool take_weekday_first(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct cw_str rest = *s;
    if (!take_weekday(&rest))
        return false;
    take_byte(&rest, ',');
    if (!take_byte(&rest, ' ') ||
        !(take_month_day(reader, &rest, ns_out) || take_day_month_year(reader, &rest, ns_out)))
        return false;
    *s = rest;
    return true;
}

/* I0105 10:00:00.123456 */
static bool take_klog(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    struct civil t = {0};
    struct cw_str rest = cw_str_sub(*s, 1, s->len);
    size_t n = count_digits(rest);
    if (n == 8 && !take_number(&rest, 4, &t.year))
        return false;
    if ((n != 8 && n != 4) || !take_number(&rest, 2, &t.month) || !take_number(&rest, 2, &t.day) ||
        !take_byte(&rest, ' ') || !take_clock(&rest, ':', SECONDS_NEEDED, &t) || t.hour > 23)
        return false;
    if (n == 8)
        return finish(reader, rest, &t, s, ns_out);
    if (!ends_there(rest) || !civil_without_year(reader, &t, ns_out))
        return false;
    *s = rest;
    return true;
}

/* 10, 13, 16 or 19 digits with a first one that is not 0: 2001 to 2286. */
static bool take_epoch(struct cw_str *s, int64_t *ns_out)
{
    size_t n = count_digits(*s);
    int64_t value, fraction = 0;
    struct cw_str rest = cw_str_sub(*s, n, s->len);
    if ((n != 10 && n != 13 && n != 16 && n != 19) || s->ptr[0] == '0' ||
        !cw_str_to_i64(cw_str_sub(*s, 0, n), &value))
        return false;
    take_fraction(&rest, &fraction);
    for (size_t i = n; i < 19; i += 3)
        if (__builtin_mul_overflow(value, 1000, &value))
            return false;
    for (size_t i = 10; i < n; i += 3)
        fraction /= 1000;
    if (!ends_there(rest) || __builtin_add_overflow(value, fraction, ns_out))
        return false;
    *s = rest;
    return true;
}

bool cw_time_text_epoch(struct cw_str s, int64_t *ns_out)
{
    int64_t ns;
    if (s.len == 0 || !is_digit(s.ptr[0]) || !take_epoch(&s, &ns) || s.len > 0)
        return false;
    *ns_out = ns;
    return true;
}

static bool take_digits_first(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    switch (count_digits(*s)) {
    case 1: return take_day_month_year(reader, s, ns_out);
    case 2:
        return take_slashes(reader, s, ns_out) || cw_time_text_take_access(reader, s, ns_out) ||
               take_day_month_year(reader, s, ns_out);
    case 4: return cw_time_text_take_iso(reader, s, ns_out) || take_slashes(reader, s, ns_out);
    case 6: return take_packed(reader, s, ns_out);
    default: return take_epoch(s, ns_out);
    }
}

bool cw_time_text_take(struct cw_time_text *reader, struct cw_str *s, int64_t *ns_out)
{
    if (s->len < 10) /* the shortest are seconds since the epoch */
        return false;
    char c = s->ptr[0];
    if (is_digit(c))
        return take_digits_first(reader, s, ns_out);
    if (c < 'A' || c > 'W')
        return false;
    if (is_digit(s->ptr[1]))
        return (c == 'I' || c == 'W' || c == 'E' || c == 'F' || c == 'D') &&
               take_klog(reader, s, ns_out);
    return take_month_day(reader, s, ns_out) || take_weekday_first(reader, s, ns_out);
}
