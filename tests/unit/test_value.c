#include <criterion/criterion.h>

#include <math.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/config/value.h"

Test(value, sizes_are_powers_of_1024_in_every_spelling)
{
    static const struct {
        const char *text;
        int64_t bytes;
    } cases[] = {{"0", 0},
                 {"4096", 4096},
                 {"4096B", 4096},
                 {"64MiB", 64 << 20},
                 {"64MB", 64 << 20},
                 {"64M", 64 << 20},
                 {"64mb", 64 << 20},
                 {"10 kb", 10240},
                 {"1.5GB", INT64_C(3) << 29},
                 {"0.5KiB", 512},
                 {"7EiB", INT64_C(7) << 60},
                 {"7.999999999EiB", 9223372035701854303},
                 {"9223372036854775807", INT64_MAX},
                 {"1.1234567891234KB", 1150}};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        int64_t bytes = 42;
        cr_assert(cw_value_parse_bytes(cw_str_of(cases[i].text), &bytes), "%s", cases[i].text);
        cr_assert_eq(bytes, cases[i].bytes, "%s: %ld", cases[i].text, bytes);
    }
    static const char *const bad[] = {"",
                                      "B",
                                      "-1",
                                      "+1",
                                      "1.5",
                                      "1.5B",
                                      "1.KB",
                                      ".5KB",
                                      "1X",
                                      "1KiBB",
                                      "1 K B",
                                      "8EiB",
                                      "9223372036854775808",
                                      "99999999999999999999",
                                      "99999999999999999999GB",
                                      "1KBs"};
    for (size_t i = 0; i < CW_COUNT(bad); i++) {
        int64_t bytes = 42;
        cr_assert_not(cw_value_parse_bytes(cw_str_of(bad[i]), &bytes), "%s", bad[i]);
        cr_assert_eq(bytes, 42);
    }
}

Test(value, durations_are_gos_or_prometheus)
{
    int64_t ns;
    cr_assert(cw_value_parse_duration(CW_STR("1.5h"), &ns) && ns == 5400 * CW_NS_PER_S);
    cr_assert(cw_value_parse_duration(CW_STR("7d"), &ns) && ns == 7 * 86400 * CW_NS_PER_S);
    cr_assert(cw_value_parse_duration(CW_STR("1d12h"), &ns) && ns == 36 * 3600 * CW_NS_PER_S);
    cr_assert_not(cw_value_parse_duration(CW_STR("30"), &ns));
    cr_assert_not(cw_value_parse_duration(CW_STR("1d1.5h"), &ns));
}

static struct cw_err err;

static int parse(enum cw_key_kind kind, const char *min, const char *max, const char *text,
                 void *out)
{
    static const char *const names[] = {"red", "green", NULL};
    struct cw_value_rule rule = {kind, min, max, kind == CW_KEY_ENUM ? names : NULL};
    struct cw_arena *arena = cw_arena_new();
    int rc = cw_value_parse(&rule, cw_str_of(text), arena, out, &err);
    cw_arena_free(&arena);
    return rc;
}

Test(value, bounds_are_inclusive_and_told_as_written)
{
    int64_t i = 42;
    cr_assert_eq(parse(CW_KEY_BYTES, "1MiB", "1GiB", "1MiB", &i), 0);
    cr_assert_eq(parse(CW_KEY_BYTES, "1MiB", "1GiB", "1GiB", &i), 0);
    i = 42;
    cr_assert_eq(parse(CW_KEY_BYTES, "1MiB", "1GiB", "1048575", &i), CW_E_INVALID);
    cr_assert_str_eq(err.text, "1048575 is less than 1MiB");
    cr_assert_eq(parse(CW_KEY_DURATION, NULL, "1h", "61m", &i), CW_E_INVALID);
    cr_assert_str_eq(err.text, "61m is more than 1h");
    cr_assert_eq(i, 42);
    double d = 42;
    cr_assert_eq(parse(CW_KEY_FLOAT, "0", "1", "0.5", &d), 0);
    cr_assert(d == 0.5);
    cr_assert_eq(parse(CW_KEY_FLOAT, "0", NULL, "NaN", &d), CW_E_INVALID);
    cr_assert_eq(parse(CW_KEY_FLOAT, NULL, "0", "NaN", &d), CW_E_INVALID);
    cr_assert(d == 0.5);
}

Test(value, wrong_texts_say_what_is_wanted)
{
    int64_t i;
    bool b;
    int e = 42;
    cr_assert_eq(parse(CW_KEY_DURATION, NULL, NULL, "30", &i), CW_E_INVALID);
    cr_assert_str_eq(err.text, "\"30\" has no unit: write 30s");
    cr_assert_eq(parse(CW_KEY_DURATION, NULL, NULL, "soon", &i), CW_E_INVALID);
    cr_assert_str_eq(err.text, "\"soon\" is not a duration such as 30s or 1h");
    cr_assert_eq(parse(CW_KEY_BOOL, NULL, NULL, "maybe", &b), CW_E_INVALID);
    cr_assert_str_eq(err.text, "\"maybe\" is not true or false");
    cr_assert_eq(parse(CW_KEY_INT, NULL, NULL, "1.5", &i), CW_E_INVALID);
    cr_assert_str_eq(err.text, "\"1.5\" is not a whole number");
    cr_assert_eq(parse(CW_KEY_ENUM, NULL, NULL, "blue", &e), CW_E_INVALID);
    cr_assert_str_eq(err.text, "\"blue\" is none of red, green");
    cr_assert_eq(e, 42);
    cr_assert_eq(parse(CW_KEY_ENUM, NULL, NULL, "green", &e), 0);
    cr_assert_eq(e, 1);
    cr_assert_eq(parse(CW_KEY_BOOL, NULL, NULL, "On", &b), 0);
    cr_assert(b);
}

Test(value, what_is_formatted_reads_back)
{
    static const struct {
        enum cw_key_kind kind;
        int64_t value;
        const char *text;
    } cases[] = {{CW_KEY_BYTES, 0, "0"},
                 {CW_KEY_BYTES, 1000, "1000"},
                 {CW_KEY_BYTES, 64 << 20, "64MiB"},
                 {CW_KEY_BYTES, 1536, "1536"},
                 {CW_KEY_BYTES, INT64_MAX, "9223372036854775807"},
                 {CW_KEY_BYTES, INT64_C(1) << 62, "4EiB"},
                 {CW_KEY_DURATION, 0, "0s"},
                 {CW_KEY_DURATION, 1500 * CW_NS_PER_MS, "1s500ms"},
                 {CW_KEY_DURATION, 90 * CW_NS_PER_S, "1m30s"},
                 {CW_KEY_DURATION, 1, "1ns"},
                 {CW_KEY_DURATION, -CW_NS_PER_S, "-1s"},
                 {CW_KEY_INT, INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_value_rule rule = {.kind = cases[i].kind};
        struct cw_buf buf;
        int64_t back;
        cw_buf_init(&buf, 100);
        cw_value_format(&rule, &cases[i].value, &buf);
        cr_assert_str_eq(cw_buf_z(&buf), cases[i].text);
        cr_assert_eq(parse(cases[i].kind, NULL, NULL, cw_buf_z(&buf), &back), 0);
        cr_assert_eq(back, cases[i].value);
        cw_buf_fini(&buf);
    }
}
