#include "querier/cli/cli_time.h"
#include <stdio.h>
#include <time.h>
#include "common/base/clock.h"
#include "common/config/value.h"

/* RFC 3339, a whole number of nanoseconds, or a duration before now. */
static int parse_time(struct cw_str text, const char *flag, int64_t now_ns, int64_t *out,
                      struct cw_err *err)
{
    int64_t duration;
    if (cw_time_parse_rfc3339(text, out) || cw_str_to_i64(text, out))
        return 0;
    if (cw_value_parse_duration(text, &duration) && !__builtin_sub_overflow(now_ns, duration, out))
        return 0;
    return cw_err_set(err, CW_E_INVALID,
                      "%s: \"%.*s\" is no time: expected RFC 3339 (2026-01-05T10:00:00Z), Unix "
                      "nanoseconds, or a duration before now (2h)",
                      flag, CW_STR_ARG(text));
}

int cw_cli_range(const struct cw_cli_args *args, struct cw_cli_range *out, struct cw_err *err)
{
    int64_t now_ns = cw_clock_now_ns();
    int rc = 0;
    out->end_ns = now_ns;
    if (args->to.len)
        rc = parse_time(args->to, "--to", now_ns, &out->end_ns, err);
    if (rc < 0)
        return rc;
    out->start_ns =
        out->end_ns < INT64_MIN + args->since_ns ? INT64_MIN : out->end_ns - args->since_ns;
    if (args->from.len)
        rc = parse_time(args->from, "--from", now_ns, &out->start_ns, err);
    if (rc == 0 && out->start_ns > out->end_ns)
        return cw_err_set(err, CW_E_INVALID,
                          "the range ends before it begins: check --from and --to");
    return rc;
}

int cw_cli_now(const struct cw_cli_args *args, int64_t *ns_out, struct cw_err *err)
{
    *ns_out = cw_clock_now_ns();
    return args->now.len ? parse_time(args->now, "--now", *ns_out, ns_out, err) : 0;
}

void cw_cli_time_format(int64_t ns, enum cw_cli_zone zone, struct cw_buf *out)
{
    if (zone == CW_CLI_ZONE_UTC) {
        cw_time_format_rfc3339(ns, out);
        return;
    }
    int64_t nanos = ns % CW_NS_PER_S;
    time_t seconds = (time_t)(ns / CW_NS_PER_S);
    if (nanos < 0) {
        nanos += CW_NS_PER_S;
        seconds--;
    }
    struct tm tm;
    char text[64];
    if (!localtime_r(&seconds, &tm)) {
        cw_time_format_rfc3339(ns, out);
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    cw_buf_addz(out, text);
    if (nanos > 0) {
        char digits[16];
        snprintf(digits, sizeof digits, ".%09lld", (long long)nanos);
        size_t len = strlen(digits);
        while (digits[len - 1] == '0')
            len--;
        cw_buf_add(out, digits, len);
    }
    if (tm.tm_gmtoff == 0) {
        cw_buf_addc(out, 'Z');
        return;
    }
    long minutes = (tm.tm_gmtoff < 0 ? -tm.tm_gmtoff : tm.tm_gmtoff) / 60;
    cw_buf_addf(out, "%c%02ld:%02ld", tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60, minutes % 60);
}
