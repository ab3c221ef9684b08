#include "querier/cli/cli_time.h"
#include <stdio.h>
#include <time.h>
#include "common/base/clock.h"
#include "common/config/value.h"
#include "querier/cli/time_words.h"

/* A server is asked for so much when it is not told. */
#define DEFAULT_SINCE_NS (3600 * CW_NS_PER_S)

/* Machines' forms first, then a duration before now, then words. */
static int parse_time(const struct cw_cli_args *args, struct cw_str text, const char *flag,
                      int64_t now_ns, int64_t *out, struct cw_err *err)
{
    int64_t duration;
    enum cw_zone zone = args->zone == CW_CLI_ZONE_UTC ? CW_ZONE_UTC : CW_ZONE_LOCAL;
    if (cw_time_parse_rfc3339(text, out) || cw_str_to_i64(text, out))
        return 0;
    if (cw_value_parse_duration(text, &duration) && !__builtin_sub_overflow(now_ns, duration, out))
        return 0;
    if (cw_time_words_parse(text, now_ns, zone, out))
        return 0;
    return cw_err_set(
        err, CW_E_INVALID,
        "%s: \"%.*s\" is no time: expected RFC 3339 (2026-01-05T10:00:00Z), a date or "
        "a time of day (2026-01-05, 10:30, \"yesterday 10:30\", monday), a time "
        "before now (2h, \"2h ago\", now-15m), or Unix nanoseconds",
        flag, CW_STR_ARG(text));
}

static int64_t before(int64_t ns, int64_t span_ns)
{
    return ns < INT64_MIN + span_ns ? INT64_MIN : ns - span_ns;
}

/* --since: a duration before the end of the range, or a time that it begins at. */
static int parse_since(const struct cw_cli_args *args, int64_t now_ns, int64_t end_ns, int64_t *out,
                       struct cw_err *err)
{
    int64_t span_ns;
    if (!cw_value_parse_duration(args->since, &span_ns))
        return parse_time(args, args->since, "--since", now_ns, out, err);
    if (span_ns < 0)
        return cw_err_set(err, CW_E_INVALID, "--since: %.*s is less than 0",
                          CW_STR_ARG(args->since));
    *out = before(end_ns, span_ns);
    return 0;
}

static int check_order(const struct cw_cli_args *args, const struct cw_cli_range *range,
                       struct cw_err *err)
{
    if (range->start_ns <= range->end_ns)
        return 0;
    return cw_err_set(err, CW_E_INVALID, "the range %s: check --%s%s",
                      args->to.len ? "ends before it begins" : "begins after now",
                      args->from.len ? "from" : "since", args->to.len ? " and --to" : "");
}

int cw_cli_range_given(const struct cw_cli_args *args, int64_t now_ns, struct cw_cli_range *out,
                       struct cw_err *err)
{
    *out = (struct cw_cli_range){INT64_MIN, INT64_MAX};
    int rc = 0;
    if (args->to.len || args->has_to)
        rc = parse_time(args, args->to, "--to", now_ns, &out->end_ns, err);
    if (rc == 0 && (args->from.len || args->has_from))
        rc = parse_time(args, args->from, "--from", now_ns, &out->start_ns, err);
    else if (rc == 0 && (args->since.len || args->has_since))
        rc = parse_since(args, now_ns, args->to.len ? out->end_ns : now_ns, &out->start_ns, err);
    return rc == 0 ? check_order(args, out, err) : rc;
}

int cw_cli_range(const struct cw_cli_args *args, struct cw_cli_range *out, struct cw_err *err)
{
    int64_t now_ns = cw_clock_now_ns();
    int rc = cw_cli_range_given(args, now_ns, out, err);
    if (rc < 0)
        return rc;
    if (!args->to.len)
        out->end_ns = now_ns;
    if (!args->from.len && !args->since.len)
        out->start_ns = before(out->end_ns, DEFAULT_SINCE_NS);
    return check_order(args, out, err);
}

int cw_cli_now(const struct cw_cli_args *args, int64_t *ns_out, struct cw_err *err)
{
    *ns_out = cw_clock_now_ns();
    return args->now.len || args->has_now
               ? parse_time(args, args->now, "--now", *ns_out, ns_out, err)
               : 0;
}

struct cw_str cw_cli_step(struct cw_cli *cli)
{
    if (cli->args->step_ns <= 0)
        return CW_STR_NONE;
    struct cw_buf step;
    cw_buf_init(&step, 64);
    cw_duration_format_go(cli->args->step_ns, &step);
    struct cw_str text = cw_arena_dup(cli->arena, cw_buf_str(&step));
    cw_buf_fini(&step);
    return text;
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
