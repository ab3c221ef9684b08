#include "common/base/clock.h"

#include <time.h>

#include "common/base/assert.h"

static int64_t clock_read(clockid_t id)
{
    struct timespec ts;
    CW_ASSERT(clock_gettime(id, &ts) == 0);
    return (int64_t)ts.tv_sec * CW_NS_PER_S + ts.tv_nsec;
}

int64_t cw_clock_now_ns(void)
{
    return clock_read(CLOCK_REALTIME);
}

int64_t cw_clock_mono_ns(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

int64_t cw_clock_thread_cpu_ns(void)
{
    return clock_read(CLOCK_THREAD_CPUTIME_ID);
}

/*
 * The Gregorian calendar repeats after 400 years (146,097 days). Counted from 1 March, a leap day is the last
 * day of a year, and day numbers of months follow one straight line: (153 m + 2) / 5 for m = 0 (March) .. 11.
 */
enum { DAYS_PER_ERA = 146097, EPOCH_FROM_MARCH_0000 = 719468 };

int64_t cw_date_to_day(int year, int month, int mday)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t m = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * m + 2) / 5 + mday - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - EPOCH_FROM_MARCH_0000;
}

void cw_day_to_date(int64_t day, int *year, int *month, int *mday)
{
    int64_t z = day + EPOCH_FROM_MARCH_0000;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t doe = z - era * DAYS_PER_ERA;
    /* Take the leap days out that lie before it; what is left divides by 365. */
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t m = (5 * doy + 2) / 153;
    *mday = (int)(doy - (153 * m + 2) / 5 + 1);
    *month = (int)(m < 10 ? m + 3 : m - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

int cw_date_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Exactly `n` digits at the front of *s, at most `max` in value. */
static bool take_digits(struct cw_str *s, size_t n, int max, int *out)
{
    int value = 0;
    if (s->len < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    if (value > max)
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

static bool take_fraction(struct cw_str *s, int64_t *ns_out)
{
    int64_t ns = 0;
    size_t n = 0;
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++) {
        if (n < 9)
            ns = ns * 10 + (s->ptr[n] - '0');
    }
    if (n == 0)
        return false;
    for (size_t i = n; i < 9; i++)
        ns *= 10;
    *s = cw_str_sub(*s, n, s->len);
    *ns_out = ns;
    return true;
}

static bool take_offset(struct cw_str *s, int64_t *seconds_out)
{
    if (take_byte(s, 'Z')) {
        *seconds_out = 0;
        return true;
    }
    bool west = s->len > 0 && s->ptr[0] == '-';
    int hours, minutes;
    if (!(take_byte(s, '+') || take_byte(s, '-')) || !take_digits(s, 2, 23, &hours) ||
        !take_byte(s, ':') || !take_digits(s, 2, 59, &minutes))
        return false;
    *seconds_out = (west ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool cw_time_parse_rfc3339(struct cw_str s, int64_t *ns_out)
{
    int year, month, mday, hour, minute, second;
    if (!take_digits(&s, 4, 9999, &year) || !take_byte(&s, '-') ||
        !take_digits(&s, 2, 12, &month) || !take_byte(&s, '-') || !take_digits(&s, 2, 31, &mday) ||
        !take_byte(&s, 'T') || !take_digits(&s, 2, 23, &hour) || !take_byte(&s, ':') ||
        !take_digits(&s, 2, 59, &minute) || !take_byte(&s, ':') || !take_digits(&s, 2, 59, &second))
        return false;
    if (month < 1 || mday < 1 || mday > cw_date_month_days(year, month))
        return false;
    int64_t fraction = 0, offset;
    if (take_byte(&s, '.') && !take_fraction(&s, &fraction))
        return false;
    if (!take_offset(&s, &offset) || s.len != 0)
        return false;
    int64_t seconds =
        cw_date_to_day(year, month, mday) * 86400 + hour * 3600 + minute * 60 + second;
    /* 128 bits: near the lower end the product alone does not fit, with the fraction it does. */
    __int128 ns = (__int128)(seconds - offset) * CW_NS_PER_S + fraction;
    if (ns < INT64_MIN || ns > INT64_MAX)
        return false;
    *ns_out = (int64_t)ns;
    return true;
}

void cw_time_format_rfc3339(int64_t ns, struct cw_buf *out)
{
    int64_t seconds = ns / CW_NS_PER_S, fraction = ns % CW_NS_PER_S;
    if (fraction < 0) {
        fraction += CW_NS_PER_S;
        seconds--;
    }
    int64_t day = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) {
        rest += 86400;
        day--;
    }
    int year, month, mday;
    cw_day_to_date(day, &year, &month, &mday);
    cw_buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, mday, (int)(rest / 3600),
                (int)(rest / 60 % 60), (int)(rest % 60));
    if (fraction != 0) {
        int digits = 9;
        for (; fraction % 10 == 0; digits--)
            fraction /= 10;
        cw_buf_addf(out, ".%0*d", digits, (int)fraction);
    }
    cw_buf_addc(out, 'Z');
}
