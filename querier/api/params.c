#include "querier/api/params.h"

#include <math.h>
#include <stdio.h>

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/labels/labels.h"

/* Loki's bound on the points of a series (and of the range of a log query with a step of its own). */
#define MAX_POINTS 11000
#define MAX_TAIL_DELAY_S 5
/* A quoted parameter in an error text; longer ones are cut by the error's own bound. */
#define QUOTED_MAX 4096

static int fail_number(struct cw_err *err, const char *function, struct cw_str text,
                       const char *why)
{
    struct cw_buf quoted;
    cw_buf_init(&quoted, QUOTED_MAX);
    cw_quote_go(cw_str_sub(text, 0, QUOTED_MAX / 8), &quoted);
    int rc = cw_err_set(err, CW_E_INVALID, "strconv.%s: parsing %s: %s", function,
                        cw_buf_z(&quoted), why);
    cw_buf_fini(&quoted);
    return rc;
}

static int fail_quoted(struct cw_err *err, const char *before, struct cw_str text,
                       const char *behind)
{
    struct cw_buf quoted;
    cw_buf_init(&quoted, QUOTED_MAX);
    cw_quote_go(cw_str_sub(text, 0, QUOTED_MAX / 8), &quoted);
    int rc = cw_err_set(err, CW_E_INVALID, "%s%s%s", before, cw_buf_z(&quoted), behind);
    cw_buf_fini(&quoted);
    return rc;
}

/* Go's decimal integers: a sign of either kind, digits only. */
static int parse_integer(struct cw_str text, const char *function, int64_t *out, struct cw_err *err)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    size_t i = negative || (text.len > 0 && text.ptr[0] == '+') ? 1 : 0;
    if (i == text.len)
        return fail_number(err, function, text, "invalid syntax");
    uint64_t value = 0, max = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
    bool overflow = false;
    for (; i < text.len; i++) {
        unsigned digit = (unsigned char)text.ptr[i] - '0';
        if (digit > 9)
            return fail_number(err, function, text, "invalid syntax");
        overflow = overflow || value > (max - digit) / 10;
        value = overflow ? 0 : value * 10 + digit;
    }
    if (overflow)
        return fail_number(err, function, text, "value out of range");
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 0;
}

/* What does not fit is as far away as times go. */
static int64_t seconds_to_ns(int64_t seconds)
{
    if (seconds > INT64_MAX / CW_NS_PER_S)
        return INT64_MAX;
    if (seconds < INT64_MIN / CW_NS_PER_S)
        return INT64_MIN;
    return seconds * CW_NS_PER_S;
}

static bool parse_fraction(struct cw_str text, int64_t *out)
{
    double value;
    if (cw_str_find_byte(text, '.') < 0 || !cw_str_to_f64(text, &value) || !isfinite(value))
        return false;
    double seconds, fraction = modf(value, &seconds);
    fraction = round(fraction * 1000) / 1000;
    if (seconds > 9e9 || seconds < -9e9)
        *out = seconds > 0 ? INT64_MAX : INT64_MIN;
    else
        *out = (int64_t)seconds * CW_NS_PER_S + (int64_t)(fraction * 1e9);
    return true;
}

int cw_params_time(struct cw_str text, int64_t def_ns, int64_t *out, struct cw_err *err)
{
    if (text.len == 0) {
        *out = def_ns;
        return 0;
    }
    if (parse_fraction(text, out))
        return 0;
    int64_t number;
    int rc = parse_integer(text, "ParseInt", &number, err);
    if (rc < 0)
        return cw_time_parse_rfc3339(text, out) ? 0 : rc;
    *out = text.len <= 10 ? seconds_to_ns(number) : number;
    return 0;
}

/* The Prometheus library's texts. */
static int parse_duration(struct cw_str text, int64_t *out, struct cw_err *err)
{
    if (cw_duration_parse_prom(text, out))
        return 0;
    size_t unit = 0, end;
    while (unit < text.len && text.ptr[unit] >= '0' && text.ptr[unit] <= '9')
        unit++;
    for (end = unit; end < text.len && (text.ptr[end] < '0' || text.ptr[end] > '9'); end++)
        ;
    struct cw_str name = cw_str_sub(text, unit, end);
    static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};
    bool known = unit == 0 || name.len == 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        known = known || cw_str_eqz(name, units[i]);
    if (known)
        return fail_quoted(err, "not a valid duration string: ", text, "");
    return cw_err_set(err, CW_E_INVALID, "unknown unit \"%.*s\" in duration \"%.*s\"",
                      CW_STR_ARG(name), CW_STR_ARG(text));
}

int cw_params_seconds_or_duration(struct cw_str text, int64_t *ns_out, struct cw_err *err)
{
    double seconds;
    if (cw_str_to_f64(text, &seconds)) {
        double ns = seconds * 1e9;
        if (ns >= 9223372036854775808.0 || ns < -9223372036854775808.0)
            return fail_quoted(err, "cannot parse ", text,
                               " to a valid duration. It overflows int64");
        *ns_out = isnan(ns) ? 0 : (int64_t)ns;
        return 0;
    }
    if (cw_duration_parse_prom(text, ns_out))
        return 0;
    return fail_quoted(err, "cannot parse ", text, " to a valid duration");
}

static struct cw_str get(const struct cw_params *params, const char *name)
{
    return params->get(params->ctx, name);
}

static int64_t saturating_sub(int64_t a, int64_t b)
{
    int64_t out;
    if (__builtin_sub_overflow(a, b, &out))
        return b > 0 ? INT64_MIN : INT64_MAX;
    return out;
}

int cw_params_bounds(const struct cw_params *params, int64_t *start_ns, int64_t *end_ns,
                     struct cw_err *err)
{
    int64_t since_ns = CW_PARAMS_DEFAULT_SINCE_NS;
    struct cw_str since = get(params, "since");
    if (since.len > 0 && parse_duration(since, &since_ns, err) < 0)
        return cw_err_wrap(err, "could not parse 'since' parameter");
    if (cw_params_time(get(params, "end"), params->now_ns, end_ns, err) < 0)
        return cw_err_wrap(err, "could not parse 'end' parameter");
    int64_t end_or_now = *end_ns > params->now_ns ? params->now_ns : *end_ns;
    if (cw_params_time(get(params, "start"), saturating_sub(end_or_now, since_ns), start_ns, err) <
        0)
        return cw_err_wrap(err, "could not parse 'start' parameter");
    return 0;
}

int cw_params_count(struct cw_str text, uint32_t def, uint32_t *out, struct cw_err *err)
{
    int64_t limit = def;
    if (text.len > 0) {
        int rc = parse_integer(text, "Atoi", &limit, err);
        if (rc < 0)
            return rc;
    }
    if (limit <= 0)
        return cw_err_set(err, CW_E_INVALID, "limit must be a positive value");
    if (limit > UINT32_MAX)
        return cw_err_set(err, CW_E_INVALID, "limit value %lld is out of range [0, 4294967295]",
                          (long long)limit);
    *out = (uint32_t)limit;
    return 0;
}

int cw_params_limit(const struct cw_params *params, uint32_t *out, struct cw_err *err)
{
    return cw_params_count(get(params, "limit"), CW_PARAMS_DEFAULT_LIMIT, out, err);
}

/* How far to the left a unit shifts; -1: it is none. */
static int size_unit_shift(struct cw_str unit)
{
    static const struct {
        const char *prefix, *name;
    } units[] = {{"k", "kilo"}, {"m", "mega"}, {"g", "giga"},
                 {"t", "tera"}, {"p", "peta"}, {"e", "exa"}};
    static const char *const behind_prefix[] = {"", "b", "ib"};
    static const char *const behind_name[] = {"", "byte", "bytes"};
    if (unit.len == 0 || cw_str_eq_nocase(unit, CW_STR("b")) ||
        cw_str_eq_nocase(unit, CW_STR("byte")))
        return 0;
    if (unit.len == 2 && unit.ptr[0] >= 'A' && unit.ptr[0] <= 'Z' && unit.ptr[1] == 'b')
        return -1; /* bits */
    for (size_t i = 0; i < CW_COUNT(units); i++) {
        for (size_t k = 0; k < CW_COUNT(behind_name); k++) {
            char text[16];
            snprintf(text, sizeof text, "%s%s", units[i].prefix, behind_prefix[k]);
            if (cw_str_eq_nocase(unit, cw_str_of(text)))
                return 10 * (int)(i + 1);
            snprintf(text, sizeof text, "%s%s", units[i].name, behind_name[k]);
            if (cw_str_eq_nocase(unit, cw_str_of(text)))
                return 10 * (int)(i + 1);
        }
    }
    return -1;
}

int cw_params_target_bytes(struct cw_str text, struct cw_err *err)
{
    uint64_t value = 0;
    size_t n = 0;
    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9')
        n++;
    int shift = size_unit_shift(cw_str_trim(cw_str_sub(text, n, text.len)));
    if (shift >= 0 && cw_str_to_u64(cw_str_sub(text, 0, n), &value) && value > 0 &&
        value <= UINT64_MAX >> shift)
        return 0;
    return cw_err_set(err, CW_E_INVALID, "targetBytesPerShard must be a positive value");
}

static int parse_direction(const struct cw_params *params, bool *forward, struct cw_err *err)
{
    struct cw_str text = get(params, "direction");
    *forward = cw_str_eq_nocase(text, CW_STR("forward"));
    if (text.len == 0 || *forward || cw_str_eq_nocase(text, CW_STR("backward")))
        return 0;
    return cw_err_set(err, CW_E_INVALID, "invalid direction '%.*s'", CW_STR_ARG(text));
}

int cw_params_step(const struct cw_params *params, int64_t start_ns, int64_t end_ns,
                   int64_t *step_ns, struct cw_err *err)
{
    struct cw_str text = get(params, "step");
    int64_t range_ns = saturating_sub(end_ns, start_ns);
    if (text.len == 0) {
        /* 250 points over the range, in whole seconds, one at least */
        int64_t seconds = range_ns / (250 * CW_NS_PER_S);
        *step_ns = (seconds > 1 ? seconds : 1) * CW_NS_PER_S;
        return 0;
    }
    int rc = cw_params_seconds_or_duration(text, step_ns, err);
    if (rc < 0)
        return rc;
    if (*step_ns <= 0)
        return cw_err_set(err, CW_E_INVALID,
                          "zero or negative query resolution step widths are not accepted. Try a "
                          "positive integer");
    if (range_ns / *step_ns > MAX_POINTS)
        return cw_err_set(err, CW_E_INVALID,
                          "exceeded maximum resolution of 11,000 points per time series. Try "
                          "increasing the value of the "
                          "step parameter");
    return 0;
}

int cw_params_check_bounds(int64_t start_ns, int64_t end_ns, struct cw_err *err)
{
    return end_ns >= start_ns
               ? 0
               : cw_err_set(err, CW_E_INVALID,
                            "end timestamp must not be before or equal to start time");
}

static int parse_interval(const struct cw_params *params, struct cw_range_params *out,
                          struct cw_err *err)
{
    struct cw_str text = get(params, "interval");
    out->interval_ns = 0;
    if (text.len == 0)
        return 0;
    int rc = cw_params_seconds_or_duration(text, &out->interval_ns, err);
    if (rc == 0 && out->interval_ns < 0)
        return cw_err_set(err, CW_E_INVALID, "interval must be >= 0");
    return rc;
}

int cw_params_range(const struct cw_params *params, struct cw_range_params *out, struct cw_err *err)
{
    out->query = get(params, "query");
    int rc = cw_params_bounds(params, &out->start_ns, &out->end_ns, err);
    if (rc == 0)
        rc = cw_params_check_bounds(out->start_ns, out->end_ns, err);
    if (rc == 0)
        rc = cw_params_limit(params, &out->limit, err);
    if (rc == 0)
        rc = parse_direction(params, &out->forward, err);
    if (rc == 0)
        rc = cw_params_step(params, out->start_ns, out->end_ns, &out->step_ns, err);
    if (rc == 0)
        rc = parse_interval(params, out, err);
    return rc;
}

int cw_params_instant(const struct cw_params *params, struct cw_instant_params *out,
                      struct cw_err *err)
{
    uint32_t limit;
    bool forward;
    out->query = get(params, "query");
    int rc = cw_params_limit(params, &limit, err);
    if (rc == 0)
        rc = cw_params_time(get(params, "time"), params->now_ns, &out->time_ns, err);
    if (rc == 0)
        rc = parse_direction(params, &forward, err);
    return rc;
}

int cw_params_tail(const struct cw_params *params, struct cw_tail_params *out, struct cw_err *err)
{
    struct cw_str delay = get(params, "delay_for");
    int64_t end_ns, seconds = 0;
    int rc = cw_params_limit(params, &out->limit, err);
    if (rc == 0)
        rc = cw_params_bounds(params, &out->start_ns, &end_ns, err);
    if (rc == 0 && delay.len > 0)
        rc = parse_integer(delay, "Atoi", &seconds, err);
    if (rc < 0)
        return rc;
    /* Loki reads it as unsigned. */
    if (seconds < 0 || seconds > MAX_TAIL_DELAY_S)
        return cw_err_set(err, CW_E_INVALID, "delay_for can't be greater than %d",
                          MAX_TAIL_DELAY_S);
    out->delay_for_ns = seconds * CW_NS_PER_S;
    return 0;
}
