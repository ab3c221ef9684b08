/* The part of clock.h that reads and writes durations. */
#include "common/base/clock.h"

#include "common/base/assert.h"

struct duration_unit {
    const char *name;
    int64_t ns;
};

/* Longer names before their prefixes are not needed: a name is taken up to the next digit or point. */
static const struct duration_unit go_units[] = {
    {"ns", 1},
    {"us", CW_NS_PER_US},
    {"\xC2\xB5s", CW_NS_PER_US}, /* U+00B5, micro sign */
    {"\xCE\xBCs", CW_NS_PER_US}, /* U+03BC, Greek mu */
    {"ms", CW_NS_PER_MS},
    {"s", CW_NS_PER_S},
    {"m", 60 * CW_NS_PER_S},
    {"h", 3600 * CW_NS_PER_S},
};

/* From large to small: the order in which they may stand. */
static const struct duration_unit prom_units[] = {
    {"y", 365 * 24 * 3600 * CW_NS_PER_S},
    {"w", 7 * 24 * 3600 * CW_NS_PER_S},
    {"d", 24 * 3600 * CW_NS_PER_S},
    {"h", 3600 * CW_NS_PER_S},
    {"m", 60 * CW_NS_PER_S},
    {"s", CW_NS_PER_S},
    {"ms", CW_NS_PER_MS},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A unit's name at the front of *s, up to a digit or a point. -1 when there is none of that name. */
static int take_unit(struct cw_str *s, const struct duration_unit *units, size_t nunits)
{
    size_t n = 0;
    while (n < s->len && !is_digit(s->ptr[n]) && s->ptr[n] != '.')
        n++;
    struct cw_str name = cw_str_sub(*s, 0, n);
    for (size_t i = 0; i < nunits; i++) {
        if (cw_str_eqz(name, units[i].name)) {
            *s = cw_str_sub(*s, n, s->len);
            return (int)i;
        }
    }
    return -1;
}

/* Whole number at the front; false when it passes 2^63 (Go's bound, for the negative end). */
static bool take_whole(struct cw_str *s, uint64_t *value, size_t *ndigits)
{
    size_t n = 0;
    *value = 0;
    for (; n < s->len && is_digit(s->ptr[n]); n++) {
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(s->ptr[n] - '0'), value) ||
            *value > UINT64_C(1) << 63)
            return false;
    }
    *ndigits = n;
    *s = cw_str_sub(*s, n, s->len);
    return true;
}

/* What stands behind the point; digits that would not fit any more are read and ignored, as Go does. */
static size_t take_fraction(struct cw_str *s, uint64_t *value, double *scale)
{
    bool full = false;
    size_t n = 0;
    *value = 0;
    *scale = 1;
    for (; n < s->len && is_digit(s->ptr[n]); n++) {
        if (full || *value > (uint64_t)INT64_MAX / 10) {
            full = true;
            continue;
        }
        uint64_t next = *value * 10 + (uint64_t)(s->ptr[n] - '0');
        if (next > UINT64_C(1) << 63) {
            full = true;
            continue;
        }
        *value = next;
        *scale *= 10;
    }
    *s = cw_str_sub(*s, n, s->len);
    return n;
}

/* One "1.5h" at the front, in nanoseconds. */
static bool take_go_term(struct cw_str *s, uint64_t *ns_out)
{
    uint64_t whole, fraction = 0;
    double scale = 1;
    size_t nwhole, nfraction = 0;
    if (!take_whole(s, &whole, &nwhole))
        return false;
    if (s->len > 0 && s->ptr[0] == '.') {
        *s = cw_str_sub(*s, 1, s->len);
        nfraction = take_fraction(s, &fraction, &scale);
    }
    if (nwhole + nfraction == 0)
        return false;
    int unit = take_unit(s, go_units, CW_COUNT(go_units));
    if (unit < 0)
        return false;
    uint64_t ns, unit_ns = (uint64_t)go_units[unit].ns;
    if (__builtin_mul_overflow(whole, unit_ns, &ns) || ns > UINT64_C(1) << 63)
        return false;
    if (fraction > 0)
        ns += (uint64_t)((double)fraction * ((double)unit_ns / scale));
    if (ns > UINT64_C(1) << 63)
        return false;
    *ns_out = ns;
    return true;
}

bool cw_duration_parse_go(struct cw_str s, int64_t *ns_out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = cw_str_sub(s, 1, s.len);
    if (cw_str_eq(s, CW_STR("0"))) {
        *ns_out = 0;
        return true;
    }
    if (s.len == 0)
        return false;
    uint64_t sum = 0;
    while (s.len > 0) {
        uint64_t term;
        if (!take_go_term(&s, &term))
            return false;
        sum += term; /* both are at most 2^63: the sum may wrap to 0 only from exactly there */
        if (sum > UINT64_C(1) << 63 || (sum == 0 && term != 0))
            return false;
    }
    if (sum > (uint64_t)INT64_MAX && !negative)
        return false;
    *ns_out = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return true;
}

bool cw_duration_parse_prom(struct cw_str s, int64_t *ns_out)
{
    if (cw_str_eq(s, CW_STR("0"))) {
        *ns_out = 0;
        return true;
    }
    if (s.len == 0)
        return false;
    int64_t sum = 0;
    int last = -1;
    while (s.len > 0) {
        uint64_t value;
        size_t ndigits;
        if (!take_whole(&s, &value, &ndigits) || ndigits == 0)
            return false;
        int unit = take_unit(&s, prom_units, CW_COUNT(prom_units));
        if (unit <= last) /* also -1: no such unit */
            return false;
        last = unit;
        int64_t term;
        if (__builtin_mul_overflow(value, prom_units[unit].ns, &term) ||
            __builtin_add_overflow(sum, term, &sum))
            return false;
    }
    *ns_out = sum;
    return true;
}

/* "1.5" of `value` in units of `unit`, without trailing zeros. */
static void add_decimal(struct cw_buf *out, uint64_t value, uint64_t unit)
{
    cw_buf_addf(out, "%llu", (unsigned long long)(value / unit));
    uint64_t rest = value % unit;
    if (rest == 0)
        return;
    int digits = 0;
    for (uint64_t u = unit; u > 1; u /= 10)
        digits++;
    for (; rest % 10 == 0; digits--)
        rest /= 10;
    cw_buf_addf(out, ".%0*llu", digits, (unsigned long long)rest);
}

void cw_duration_format_go(int64_t ns, struct cw_buf *out)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (u == 0) {
        cw_buf_addz(out, "0s");
        return;
    }
    if (ns < 0)
        cw_buf_addc(out, '-');
    if (u < (uint64_t)CW_NS_PER_US) {
        cw_buf_addf(out, "%lluns", (unsigned long long)u);
    } else if (u < (uint64_t)CW_NS_PER_MS) {
        add_decimal(out, u, (uint64_t)CW_NS_PER_US);
        cw_buf_addz(out, "\xC2\xB5s");
    } else if (u < (uint64_t)CW_NS_PER_S) {
        add_decimal(out, u, (uint64_t)CW_NS_PER_MS);
        cw_buf_addz(out, "ms");
    } else {
        uint64_t minutes = u / (60 * (uint64_t)CW_NS_PER_S);
        if (minutes >= 60)
            cw_buf_addf(out, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes > 0)
            cw_buf_addf(out, "%llum", (unsigned long long)(minutes % 60));
        add_decimal(out, u % (60 * (uint64_t)CW_NS_PER_S), (uint64_t)CW_NS_PER_S);
        cw_buf_addc(out, 's');
    }
}

void cw_duration_format_prom(int64_t ns, struct cw_buf *out)
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (u < (uint64_t)CW_NS_PER_MS) {
        cw_buf_addz(out, "0s");
        return;
    }
    if (ns < 0)
        cw_buf_addc(out, '-');
    for (size_t i = 0; i < CW_COUNT(prom_units); i++) {
        uint64_t unit = (uint64_t)prom_units[i].ns;
        /* Years and weeks only where nothing is left over: "90d" is easier to read than "12w6d". */
        if (i < 2 && u % unit != 0)
            continue;
        if (u / unit > 0)
            cw_buf_addf(out, "%llu%s", (unsigned long long)(u / unit), prom_units[i].name);
        u %= unit;
    }
}
