#include <criterion/criterion.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/limits.h"
#include "common/wire/push.h"

static struct cw_arena *arena;
static struct cw_push push;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(push_loki_json, .init = setup, .fini = teardown);

static int decode(const char *body)
{
    return cw_push_loki_json_decode(cw_str_of(body), arena, &push, &err);
}

static void check_labels(const struct cw_push_stream *stream, const char *want)
{
    struct cw_buf text;
    cw_buf_init(&text, 1 << 20);
    cw_labels_format(stream->labels, &text);
    cr_expect_str_eq(cw_buf_z(&text), want);
    cr_expect_eq(stream->labels_text.len, 0);
    cw_buf_fini(&text);
}

Test(push_loki_json, streams_and_values_are_read)
{
    cr_assert_eq(
        decode(
            " {\"streams\" : [ {\"stream\":{\"b\":\"2\",\"a\":\"x\\\"y\",\"none\":\"\"},\"values\":"
            "[[\"17\",\"one\"],[\"-3\",\"two\\n\",{\"k\":\"v\",\"a.b\":\"w\"}],[\"5\"]]},"
            "{\"values\":[[\"1\",\"x\",{},\"more\",[1]]],\"stream\":{\"c\":\"3\"}}]}\n trailing"),
        0, "%s", err.text);
    cr_assert_eq(push.nstreams, 2);
    cr_expect_eq(push.nentries, 4);
    cr_expect_eq(push.line_bytes, 3 + 4 + 0 + 1);
    check_labels(&push.streams[0], "{a=\"x\\\"y\", b=\"2\"}");
    check_labels(&push.streams[1], "{c=\"3\"}");
    const struct cw_push_entry *entries = push.streams[0].entries;
    cr_expect_eq(entries[0].ts_ns, 17);
    cr_expect(cw_str_eqz(entries[0].line, "one"));
    cr_expect_eq(entries[1].ts_ns, -3);
    cr_expect(cw_str_eqz(entries[1].line, "two\n"));
    cr_assert_eq(entries[1].nmetadata, 2);
    cr_expect(cw_str_eqz(entries[1].metadata[1].name, "a.b"));
    cr_expect(cw_str_eqz(entries[1].metadata[1].value, "w"));
    cr_expect_eq(entries[2].ts_ns, 5);
    cr_expect_eq(entries[2].line.len, 0);
    cr_expect_eq(push.streams[1].entries[0].nmetadata, 0);
    cr_expect_not(push.delivery.present);
}

Test(push_loki_json, of_a_repeated_label_the_last_counts)
{
    cr_assert_eq(decode("{\"streams\":[{\"stream\":{\"a\":\"1\",\"b\":\"x\",\"\\u0061\":\"2\","
                        "\"a\":\"3\"},\"values\":[]}]}"),
                 0);
    check_labels(&push.streams[0], "{a=\"3\", b=\"x\"}");
}

Test(push_loki_json, sets_that_are_empty_or_have_bad_names_go_on_as_text)
{
    cr_assert_eq(
        decode("{\"streams\":[{\"stream\":{}},{},{\"stream\":{\"b-c\":\"v\",\"a\":\"\\\"\"}},"
               "{\"stream\":{\"\":\"v\"}},{\"stream\":{\"a\":\"\"}},{\"stream\":null}]}"),
        0);
    static const char *const want[] = {"{}",       "",         "{a=\"\\\"\", b-c=\"v\"}",
                                       "{=\"v\"}", "{a=\"\"}", ""};
    for (size_t i = 0; i < CW_COUNT(want); i++) {
        cr_expect(cw_str_eqz(push.streams[i].labels_text, want[i]), "%zu: %.*s", i,
                  CW_STR_ARG(push.streams[i].labels_text));
        cr_expect_eq(push.streams[i].labels.n, 0);
    }
}

/* Loki's LabelSet takes any value's text; escapes are decoded in all of it (jsonparser.ParseString). */
Test(push_loki_json, a_label_that_is_no_string_is_its_text)
{
    cr_assert_eq(
        decode("{\"streams\":[{\"stream\":{\"a\":123,\"b\":-1.50e2,\"c\":true,\"d\":false,"
               "\"e\":null,\"f\": { \"k\" : [1, \"x\"] } ,\"g\":[],\"h\":[\"q\\\"\\u00e9\", "
               "{}]}}]}"),
        0, "%s", err.text);
    check_labels(&push.streams[0],
                 "{a=\"123\", b=\"-1.50e2\", c=\"true\", d=\"false\", e=\"null\", "
                 "f=\"{ \\\"k\\\" : [1, \\\"x\\\"] }\", g=\"[]\", h=\"[\\\"q\\\"é\\\", {}]\"}");
}

Test(push_loki_json, null_is_no_entry)
{
    cr_assert_eq(
        decode("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[null,[\"1\",\"x\"],null]}]}"),
        0, "%s", err.text);
    cr_expect_eq(push.nentries, 1);
    cr_assert_eq(push.streams[0].nentries, 1);
    cr_expect(cw_str_eqz(push.streams[0].entries[0].line, "x"));
}

Test(push_loki_json, streams_is_known_in_any_case_and_what_is_in_it_is_not)
{
    cr_assert_eq(decode("{\"STreamS\":[{\"stream\":{\"a\":\"b\"},\"Values\":[[\"1\",\"x\"]]}],"
                        "\"stream\":5,\"streams_\":6}"),
                 0, "%s", err.text);
    cr_expect_eq(push.nstreams, 1);
    cr_expect_eq(push.nentries, 0);
}

Test(push_loki_json, null_and_absence_are_empty_lists)
{
    cr_expect_eq(decode("{}"), 0);
    cr_expect_eq(push.nstreams, 0);
    cr_expect_eq(decode("{\"streams\":null}"), 0);
    cr_expect_eq(push.nstreams, 0);
    cr_expect_eq(decode("{\"other\":[{\"deep\":[1,2]}],\"streams\":[{\"stream\":{\"a\":\"b\"},"
                        "\"values\":null}]}"),
                 0);
    cr_expect_eq(push.nstreams, 1);
    cr_expect_eq(push.nentries, 0);
}

Test(push_loki_json, an_entry_of_nothing_has_no_time)
{
    cr_assert_eq(decode("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[]]}]}"), 0);
    cr_expect_eq(push.streams[0].entries[0].ts_ns, CW_PUSH_TS_NONE);
}

Test(push_loki_json, bytes_that_are_not_utf8_are_kept)
{
    cr_assert_eq(decode("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"a\xff\xff"
                        "b\"]]}]}"),
                 0);
    cr_expect(cw_str_eqz(push.streams[0].entries[0].line, "a\xff\xff"
                                                          "b"));
}

Test(push_loki_json, the_old_form_is_read)
{
    cr_assert_eq(decode("{\"streams\":[{\"labels\":\"{a=\\\"b\\\"}\",\"entries\":[{\"ts\":\"1970-"
                        "01-01T00:00:01.5Z\","
                        "\"line\":\"x\"},{\"line\":\"y\",\"more\":{},\"ts\":\"1970-01-01T02:00:00+"
                        "02:00\"}]}]}"),
                 0, "%s", err.text);
    cr_expect(cw_str_eqz(push.streams[0].labels_text, "{a=\"b\"}"));
    cr_assert_eq(push.streams[0].nentries, 2);
    cr_expect_eq(push.streams[0].entries[0].ts_ns, 1500000000);
    cr_expect_eq(push.streams[0].entries[1].ts_ns, 0);
    cr_expect(cw_str_eqz(push.streams[0].entries[1].line, "y"));
}

Test(push_loki_json, wrong_pushes_are_refused_with_a_reason)
{
    static const struct {
        const char *body, *text;
    } cases[] = {
        {"", "unexpected end"},
        {"[]", "a push must be an object"},
        {"\x1f\x8b\x08", "invalid character"},
        {"{\"streams\":{}}", "\"streams\" must be an array"},
        {"{\"streams\":[1]}", "a stream must be an object"},
        {"{\"streams\":[{\"stream\":\"{a=\\\"b\\\"}\"}]}", "\"stream\" must be an object"},
        {"{\"streams\":[{\"stream\":{\"a\":{\"b\":}}}]}", "invalid character"},
        {"{\"streams\":[{\"stream\":{\"a\":[\"\\ud800\"]}}]}", "lone surrogate"},
        {"{\"streams\":[{\"values\":[1]}]}", "an entry must be an array"},
        {"{\"streams\":[{\"entries\":[null]}]}", "an entry must be an object"},
        {"{\"streams\":[{\"values\":{}}]}", "entries must be an array"},
        {"{\"streams\":[{\"values\":[{}]}]}", "an entry must be an array"},
        {"{\"streams\":[{\"values\":[[17,\"x\"]]}]}", "time must be a string"},
        {"{\"streams\":[{\"values\":[[\"\",\"x\"]]}]}", "no number of nanoseconds"},
        {"{\"streams\":[{\"values\":[[\"1.5\",\"x\"]]}]}", "no number of nanoseconds"},
        {"{\"streams\":[{\"values\":[[\"9223372036854775808\",\"x\"]]}]}",
         "no number of nanoseconds"},
        {"{\"streams\":[{\"values\":[[\"1\",5]]}]}", "line must be a string"},
        {"{\"streams\":[{\"values\":[[\"1\",\"x\",\"meta\"]]}]}",
         "structured metadata must be an object"},
        {"{\"streams\":[{\"values\":[[\"1\",\"x\",{\"k\":5}]]}]}", "value must be a string"},
        {"{\"streams\":[{\"values\":[[\"1\",\"\\ud800x\"]]}]}", "lone surrogate"},
        {"{\"streams\":[{\"values\":[[\"1\",\"x\"]],\"values\":[[\"1\",\"x\"]]}]}", "given twice"},
        {"{\"streams\":[{\"values\":[[\"1\",\"x\"", "unexpected end"},
        {"{\"streams\":[{\"labels\":5}]}", "\"labels\" must be a string"},
        {"{\"streams\":[{\"entries\":[[]]}]}", "an entry must be an object"},
        {"{\"streams\":[{\"entries\":[{\"ts\":\"yesterday\"}]}]}", "RFC 3339"},
        {"{\"streams\":[{\"entries\":[{\"ts\":\"0001-01-01T00:00:00Z\"}]}]}", "RFC 3339"},
        {"{\"streams\":[{\"entries\":[{\"line\":5}]}]}", "\"line\" must be a string"},
    };
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        cr_expect_eq(decode(cases[i].body), CW_E_INVALID, "%s", cases[i].body);
        cr_expect(strstr(err.text, cases[i].text) != NULL, "%s: %s", cases[i].body, err.text);
    }
}

Test(push_loki_json, many_labels_of_one_name_take_no_quadratic_time)
{
    struct cw_buf body;
    cw_buf_init(&body, 64 << 20);
    cw_buf_addz(&body, "{\"streams\":[{\"stream\":{\"z\":\"\"");
    for (int i = 0; i < 200000; i++)
        cw_buf_addf(&body, ",\"a\":\"%d\"", i);
    cw_buf_addz(&body, "}}]}");
    cr_assert_eq(decode(cw_buf_z(&body)), 0, "%s", err.text);
    check_labels(&push.streams[0], "{a=\"199999\"}");
    cw_buf_fini(&body);
}

Test(push_loki_json, a_body_of_empty_entries_is_bounded)
{
    struct cw_buf body;
    cw_buf_init(&body, 64 << 20);
    cw_buf_addz(&body, "{\"streams\":[{\"values\":[[]");
    for (size_t i = 0; i < CW_LIMIT_PUSH_ENTRIES; i++)
        cw_buf_add(&body, ",[]", 3);
    cr_expect_eq(decode(cw_buf_z(&body)), CW_E_TOO_LARGE);
    cw_buf_fini(&body);
}

static int refuse_over(void *ctx, size_t bytes)
{
    size_t *left = ctx;
    if (bytes > *left)
        return CW_E_OVERLOAD;
    *left -= bytes;
    return 0;
}

Test(push_loki_json, a_body_that_becomes_more_than_there_is_memory_for_is_refused)
{
    struct cw_buf body;
    size_t left = 1 << 20;
    cw_buf_init(&body, 4 << 20);
    cw_buf_addz(&body, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[]");
    for (int i = 0; i < 500000; i++)
        cw_buf_addz(&body, ",[]");
    cw_buf_addz(&body, "]}]}");
    cw_arena_watch(arena, refuse_over, &left);
    cr_assert_eq(decode(cw_buf_z(&body)), CW_E_OVERLOAD);
    cr_assert_leq(cw_arena_bytes(arena), 4 << 20, "it stops at the refusal");
    cw_arena_watch(arena, NULL, NULL);
    cr_assert_eq(decode(cw_buf_z(&body)), 0, "%s", err.text);
    cw_buf_fini(&body);
}
