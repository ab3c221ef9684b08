#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "querier/api/params.h"

#define S INT64_C(1000000000)
#define NOW (1700000000 * S)

struct pair {
    const char *name, *value;
};

static struct cw_str get(const void *ctx, const char *name)
{
    for (const struct pair *pair = ctx; pair->name != NULL; pair++)
        if (strcmp(pair->name, name) == 0)
            return cw_str_of(pair->value);
    return CW_STR_NONE;
}

#define PARAMS(...)                                                                                \
    (&(struct cw_params){get, (const struct pair[]){__VA_ARGS__, {NULL, NULL}}, NOW})

Test(params, a_range_has_lokis_defaults)
{
    struct cw_range_params out;
    struct cw_err err;
    cr_assert_eq(cw_params_range(PARAMS({"query", "{a=\"b\"}"}), &out, &err), 0);
    cr_expect_eq(out.end_ns, NOW);
    cr_expect_eq(out.start_ns, NOW - 3600 * S);
    cr_expect_eq(out.limit, 100);
    cr_expect_not(out.forward);
    cr_expect_eq(out.step_ns, 14 * S);
    cr_expect_eq(out.interval_ns, 0);
    cr_expect(cw_str_eqz(out.query, "{a=\"b\"}"));
}

Test(params, times_come_in_four_spellings)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1600000000", 1600000000 * S},
        {"1600000000123456789", 1600000000123456789},
        {"1600000000.123", 1600000000123 * (S / 1000)},
        {"1600000000.1239", 1600000000124 * (S / 1000)},
        {"2020-09-13T12:26:40Z", 1600000000 * S},
        {"2020-09-13T14:26:40.5+02:00", 1600000000 * S + S / 2},
        {"0", 0},
        {"-5", -5 * S},
        {"9999999999", INT64_MAX},
        {"1e300.", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0] - 1; i++) {
        int64_t ns = -1;
        struct cw_err err;
        cr_expect_eq(cw_params_time(cw_str_of(cases[i].text), 7, &ns, &err), 0, "%s",
                     cases[i].text);
        cr_expect_eq(ns, cases[i].ns, "%s: %ld", cases[i].text, (long)ns);
    }
    int64_t ns;
    cr_assert_eq(cw_params_time(CW_STR_NONE, 7, &ns, NULL), 0);
    cr_expect_eq(ns, 7);
}

Test(params, a_start_in_the_future_counts_from_now)
{
    int64_t start, end;
    struct cw_err err;
    cr_assert_eq(
        cw_params_bounds(PARAMS({"end", "1700000600"}, {"since", "10m"}), &start, &end, &err), 0);
    cr_expect_eq(end, NOW + 600 * S);
    cr_expect_eq(start, NOW - 600 * S);
    cr_assert_eq(
        cw_params_bounds(PARAMS({"end", "1600000000"}, {"since", "1d12h"}), &start, &end, &err), 0);
    cr_expect_eq(start, (1600000000 - 36 * 3600) * S);
}

static void expect_error(const struct cw_params *params, const char *text)
{
    struct cw_range_params out;
    struct cw_err err = {0};
    cr_expect_eq(cw_params_range(params, &out, &err), CW_E_INVALID, "%s", text);
    cr_expect_str_eq(err.text, text);
}

Test(params, errors_are_lokis)
{
    expect_error(PARAMS({"limit", "0"}), "limit must be a positive value");
    expect_error(PARAMS({"limit", "-1"}), "limit must be a positive value");
    expect_error(PARAMS({"limit", "99999999999"}),
                 "limit value 99999999999 is out of range [0, 4294967295]");
    expect_error(PARAMS({"limit", "many"}), "strconv.Atoi: parsing \"many\": invalid syntax");
    expect_error(PARAMS({"limit", "99999999999999999999"}),
                 "strconv.Atoi: parsing \"99999999999999999999\": value out of range");
    expect_error(PARAMS({"direction", "sideways"}), "invalid direction 'sideways'");
    expect_error(
        PARAMS({"start", "x"}),
        "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax");
    expect_error(PARAMS({"end", "2020-13-01T00:00:00Z"}),
                 "could not parse 'end' parameter: strconv.ParseInt: parsing "
                 "\"2020-13-01T00:00:00Z\": invalid syntax");
    expect_error(PARAMS({"since", "5x"}),
                 "could not parse 'since' parameter: unknown unit \"x\" in duration \"5x\"");
    expect_error(PARAMS({"since", "-5m"}),
                 "could not parse 'since' parameter: not a valid duration string: \"-5m\"");
    expect_error(PARAMS({"start", "200"}, {"end", "100"}),
                 "end timestamp must not be before or equal to start time");
    expect_error(
        PARAMS({"step", "0"}),
        "zero or negative query resolution step widths are not accepted. Try a positive integer");
    expect_error(PARAMS({"step", "-1s"}), "cannot parse \"-1s\" to a valid duration");
    expect_error(PARAMS({"step", "abc"}), "cannot parse \"abc\" to a valid duration");
    expect_error(PARAMS({"step", "1e30"}),
                 "cannot parse \"1e30\" to a valid duration. It overflows int64");
    expect_error(PARAMS({"start", "0"}, {"end", "11001"}, {"step", "1"}),
                 "exceeded maximum resolution of 11,000 points per time series. Try increasing the "
                 "value of the step parameter");
    expect_error(PARAMS({"interval", "-1"}), "interval must be >= 0");
}

Test(params, limit_takes_a_sign_and_direction_any_case)
{
    struct cw_range_params out;
    struct cw_err err;
    cr_assert_eq(cw_params_range(PARAMS({"limit", "+3"}, {"direction", "FORWARD"}, {"step", "2.5"},
                                        {"interval", "1m"}),
                                 &out, &err),
                 0);
    cr_expect_eq(out.limit, 3);
    cr_expect(out.forward);
    cr_expect_eq(out.step_ns, 5 * S / 2);
    cr_expect_eq(out.interval_ns, 60 * S);
}

Test(params, a_huge_range_does_not_overflow)
{
    struct cw_range_params out;
    struct cw_err err;
    cr_assert_eq(
        cw_params_range(PARAMS({"start", "-9223372036854775808"}, {"end", "9223372036854775807"}),
                        &out, &err),
        0);
    cr_expect_gt(out.step_ns, 0);
}

Test(params, an_instant_query_checks_what_it_ignores)
{
    struct cw_instant_params out;
    struct cw_err err;
    cr_assert_eq(cw_params_instant(PARAMS({"time", "1600000000.5"}), &out, &err), 0);
    cr_expect_eq(out.time_ns, 1600000000 * S + S / 2);
    cr_assert_eq(cw_params_instant(PARAMS({"limit", "1"}), &out, &err), 0);
    cr_expect_eq(out.time_ns, NOW);
    cr_expect_eq(cw_params_instant(PARAMS({"direction", "up"}), &out, &err), CW_E_INVALID);
    cr_expect_str_eq(err.text, "invalid direction 'up'");
}

Test(params, a_tail_has_lokis_defaults_and_bounds)
{
    struct cw_tail_params out;
    struct cw_err err;
    cr_assert_eq(cw_params_tail(PARAMS({"query", "{a=\"b\"}"}), &out, &err), 0);
    cr_expect_eq(out.start_ns, NOW - 3600 * S);
    cr_expect_eq(out.limit, 100);
    cr_expect_eq(out.delay_for_ns, 0);
    cr_assert_eq(cw_params_tail(PARAMS({"start", "1600000000"}, {"limit", "7"}, {"delay_for", "5"}),
                                &out, &err),
                 0);
    cr_expect_eq(out.start_ns, 1600000000 * S);
    cr_expect_eq(out.limit, 7);
    cr_expect_eq(out.delay_for_ns, 5 * S);
    static const char *const bad[][2] = {
        {"6", "delay_for can't be greater than 5"},
        {"-1", "delay_for can't be greater than 5"},
        {"1s", "strconv.Atoi: parsing \"1s\": invalid syntax"},
        {"99999999999999999999",
         "strconv.Atoi: parsing \"99999999999999999999\": value out of range"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(cw_params_tail(PARAMS({"delay_for", bad[i][0]}), &out, &err), CW_E_INVALID);
        cr_expect_str_eq(err.text, bad[i][1]);
    }
}

Test(params, sizes_of_shards_are_those_of_lokis_library)
{
    static const char *const good[] = {
        "1",    "600MB",    "600mb",      "1 KiB", "5kilobytes",
        "7B",   "7 byte",   "16777215TB", "15EB",  "18446744073709551615",
        "3exa", "3megabyte"};
    static const char *const bad[] = {"",   "0",     "0MB",  "-1",     "x",
                                      "MB", "1.5MB", "1Mb",  "1 bit",  "1X",
                                      "+1", "16EB",  " 1MB", "7bytes", "18446744073709551616"};
    struct cw_err err;
    for (size_t i = 0; i < CW_COUNT(good); i++)
        cr_expect_eq(cw_params_target_bytes(cw_str_of(good[i]), &err), 0, "%s", good[i]);
    for (size_t i = 0; i < CW_COUNT(bad); i++)
        cr_expect_eq(cw_params_target_bytes(cw_str_of(bad[i]), &err), CW_E_INVALID, "%s", bad[i]);
    cr_expect_str_eq(err.text, "targetBytesPerShard must be a positive value");
}
