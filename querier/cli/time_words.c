#include "querier/cli/time_words.h"

#include "common/base/clock.h"
#include "common/config/value.h"

#define DAY_S 86400

static const char *const weekdays[] = {"thursday", "friday",  "saturday", "sunday",
                                       "monday",   "tuesday", "wednesday"}; /* 1970-01-01 first */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* The word at the front, and the blanks behind it. */
static struct cw_str take_word(struct cw_str *s)
{
    size_t n = 0;
    while (n < s->len && s->ptr[n] != ' ')
        n++;
    struct cw_str word = cw_str_sub(*s, 0, n);
    *s = cw_str_trim(cw_str_sub(*s, n, s->len));
    return word;
}

static bool is_word(struct cw_str word, const char *name)
{
    return cw_str_eq_nocase(word, cw_str_of(name));
}

/* ---- a span before now ---- */

static bool unit_of(struct cw_str word, int64_t *ns_out)
{
    static const struct {
        const char *names[5];
        int64_t seconds;
    } units[] = {{{"s", "sec", "secs", "second", "seconds"}, 1},
                 {{"m", "min", "mins", "minute", "minutes"}, 60},
                 {{"h", "hr", "hrs", "hour", "hours"}, 3600},
                 {{"d", "day", "days"}, DAY_S},
                 {{"w", "week", "weeks"}, 7 * DAY_S}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        for (size_t k = 0; k < 5 && units[i].names[k] != NULL; k++) {
            if (!is_word(word, units[i].names[k]))
                continue;
            *ns_out = units[i].seconds * CW_NS_PER_S;
            return true;
        }
    }
    return false;
}

/* "2h30m", or "2 hours". */
static bool parse_span(struct cw_str text, int64_t *ns_out)
{
    int64_t count, unit;
    if (cw_value_parse_duration(text, ns_out))
        return *ns_out >= 0;
    struct cw_str word = take_word(&text);
    if (is_word(word, "an") || is_word(word, "a"))
        count = 1;
    else if (!cw_str_to_i64(word, &count) || count < 0)
        return false;
    return unit_of(text, &unit) && !__builtin_mul_overflow(count, unit, ns_out);
}

static bool parse_ago(struct cw_str text, int64_t now_ns, int64_t *ns_out)
{
    int64_t span;
    if (text.len < 4 || !is_word(cw_str_sub(text, text.len - 4, text.len), " ago"))
        return false;
    return parse_span(cw_str_trim(cw_str_sub(text, 0, text.len - 4)), &span) &&
           !__builtin_sub_overflow(now_ns, span, ns_out);
}

/* now, now-15m, now + 1h */
static bool parse_now(struct cw_str text, int64_t now_ns, int64_t *ns_out)
{
    int64_t span;
    if (!is_word(cw_str_sub(text, 0, 3), "now"))
        return false;
    text = cw_str_trim(cw_str_sub(text, 3, text.len));
    if (text.len == 0) {
        *ns_out = now_ns;
        return true;
    }
    char sign = text.ptr[0];
    if ((sign != '-' && sign != '+') ||
        !parse_span(cw_str_trim(cw_str_sub(text, 1, text.len)), &span))
        return false;
    return sign == '-' ? !__builtin_sub_overflow(now_ns, span, ns_out)
                       : !__builtin_add_overflow(now_ns, span, ns_out);
}

/* ---- a day, and a time of it ---- */

/* `len` digits at most, one at least, taken off the front. */
static bool take_number(struct cw_str *s, size_t len, int max, int *out)
{
    size_t n = 0;
    int value = 0;
    while (n < s->len && n < len && s->ptr[n] >= '0' && s->ptr[n] <= '9')
        value = value * 10 + (s->ptr[n++] - '0');
    if (n == 0 || value > max)
        return false;
    *s = cw_str_sub(*s, n, s->len);
    *out = value;
    return true;
}

static bool take_byte(struct cw_str *s, char byte)
{
    if (s->len == 0 || s->ptr[0] != byte)
        return false;
    *s = cw_str_sub(*s, 1, s->len);
    return true;
}

/* "10:30", "10:30:15": seconds of the day. */
static bool parse_clock(struct cw_str text, int64_t *seconds_out)
{
    int hour, minute, second = 0;
    if (!take_number(&text, 2, 23, &hour) || !take_byte(&text, ':') || text.len < 2 ||
        !take_number(&text, 2, 59, &minute))
        return false;
    if (text.len > 0 &&
        (!take_byte(&text, ':') || text.len != 2 || !take_number(&text, 2, 59, &second)))
        return false;
    *seconds_out = hour * INT64_C(3600) + minute * 60 + second;
    return text.len == 0;
}

static bool parse_date(struct cw_str text, int64_t *day_out)
{
    int year, month, mday;
    if (text.len != 10 || !take_number(&text, 4, 9999, &year) || !take_byte(&text, '-') ||
        !take_number(&text, 2, 12, &month) || !take_byte(&text, '-') ||
        !take_number(&text, 2, 31, &mday) || month == 0 || mday == 0 ||
        mday > cw_date_month_days(year, month))
        return false;
    *day_out = cw_date_to_day(year, month, mday);
    return true;
}

static bool parse_day(struct cw_str word, int64_t today, int64_t *day_out)
{
    static const char *const near[] = {"yesterday", "today", "tomorrow"};
    for (int i = 0; i < 3; i++) {
        if (is_word(word, near[i])) {
            *day_out = today + i - 1;
            return true;
        }
    }
    for (int64_t i = 0; i < 7; i++) {
        struct cw_str name = cw_str_of(weekdays[i]);
        if (!cw_str_eq_nocase(word, name) && !cw_str_eq_nocase(word, cw_str_sub(name, 0, 3)))
            continue;
        *day_out = today - ((today - i) % 7 + 7) % 7;
        return true;
    }
    return parse_date(word, day_out);
}

static bool parse_day_and_clock(struct cw_str text, int64_t today, int64_t *wall_s_out)
{
    int64_t day, seconds = 0;
    if (parse_clock(text, &seconds)) {
        *wall_s_out = today * DAY_S + seconds;
        return true;
    }
    if (text.len > 11 && text.ptr[10] == 'T' && parse_date(cw_str_sub(text, 0, 10), &day)) {
        text = cw_str_sub(text, 11, text.len); /* 2026-11-28T10:30, of this zone */
    } else if (!parse_day(take_word(&text), today, &day)) {
        return false;
    }
    if (text.len > 0 && !parse_clock(text, &seconds))
        return false;
    *wall_s_out = day * DAY_S + seconds;
    return true;
}

bool cw_time_words_parse(struct cw_str text, int64_t now_ns, enum cw_zone zone, int64_t *ns_out)
{
    struct cw_zone_time z;
    cw_zone_time_init(&z, zone);
    text = cw_str_trim(text);
    if (parse_now(text, now_ns, ns_out) || parse_ago(text, now_ns, ns_out))
        return true;
    int64_t wall_s, now_s = floor_div(now_ns, CW_NS_PER_S);
    int64_t today = floor_div(cw_zone_time_to_wall(&z, now_s), DAY_S);
    return parse_day_and_clock(text, today, &wall_s) &&
           !__builtin_mul_overflow(cw_zone_time_of_wall(&z, wall_s), CW_NS_PER_S, ns_out);
}
