#include <criterion/criterion.h>
#include "shipper/docker_line.h"

static char text[4096];

static int decode(const char *line, struct cw_docker_line *out)
{
    struct cw_err err;
    return cw_docker_line_decode(cw_str_of(line), text, out, &err);
}

Test(docker_line, a_line_of_the_engine_is_read)
{
    struct cw_docker_line line;
    cr_assert_eq(
        decode("{\"log\":\"hello \\u003cb\\u003e \\\"x\\\" \\\\ "
               "\\t\\n\",\"stream\":\"stderr\",\"time\":\"2026-01-05T10:00:00.123456789Z\"}",
               &line),
        0);
    cr_assert(cw_str_eqz(line.text, "hello <b> \"x\" \\ \t"));
    cr_assert_eq(line.stream, CW_DOCKER_STDERR);
    cr_assert(!line.partial);
    cr_assert_eq(line.ts_ns, 1767607200123456789);
}

Test(docker_line, a_piece_without_a_newline_is_partial)
{
    struct cw_docker_line line;
    cr_assert_eq(
        decode("{\"log\":\"part\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}", &line),
        0);
    cr_assert(line.partial && cw_str_eqz(line.text, "part") && line.stream == CW_DOCKER_STDOUT);
    cr_assert_eq(
        decode("{\"log\":\"\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}", &line), 0);
    cr_assert(line.partial && line.text.len == 0);
    cr_assert_eq(
        decode("{\"log\":\"\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}", &line),
        0);
    cr_assert(!line.partial && line.text.len == 0);
}

Test(docker_line, other_members_and_any_order_are_fine)
{
    struct cw_docker_line line;
    cr_assert_eq(decode(" { \"time\" : \"2026-01-05T10:00:00Z\", "
                        "\"attrs\":{\"a\":\"}\\\"\",\"b\":[1,true,{}]}, "
                        "\"log\":\"x\\n\",\"stream\":\"stdout\"} ",
                        &line),
                 0);
    cr_assert(cw_str_eqz(line.text, "x"));
}

Test(docker_line, surrogates_are_joined_and_lone_ones_replaced)
{
    struct cw_docker_line line;
    cr_assert_eq(decode("{\"log\":\"\\ud83d\\ude00 \\ud83d \\ude00 "
                        "\\u00e9\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}",
                        &line),
                 0);
    cr_assert(cw_str_eqz(line.text, "\xf0\x9f\x98\x80 \xef\xbf\xbd \xef\xbf\xbd \xc3\xa9"));
}

Test(docker_line, what_is_no_such_line_is_refused)
{
    static const char *const wrong[] = {
        "",
        "{",
        "{}",
        "null",
        "hello",
        "{\"log\":\"x\"}",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"yesterday\"}",
        "{\"log\":\"x\\q\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}",
        "{\"log\":\"x\\u12\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}",
        "{\"log\":\"x\\",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"} x",
        "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\",\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}",
        "{\"log\":1,\"stream\":\"stdout\",\"time\":\"2026-01-05T10:00:00Z\"}",
    };
    struct cw_docker_line line;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(decode(wrong[i], &line), CW_E_INVALID, "%s", wrong[i]);
}
