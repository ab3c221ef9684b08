#include <criterion/criterion.h>

#include "querier/cli/cli_entries.h"

static struct cw_arena *arena;
static struct cw_cli_answer answer;
static struct cw_err err;

static void setup(void)
{
    arena = cw_arena_new();
}

static void teardown(void)
{
    cw_arena_free(&arena);
}

TestSuite(cli_answer, .init = setup, .fini = teardown);

static int parse(const char *body, enum cw_cli_order order)
{
    return cw_cli_answer_parse(cw_str_of(body), order, arena, &answer, &err);
}

/* The lines one behind the other. */
static const char *lines(void)
{
    static char text[200];
    text[0] = '\0';
    for (size_t i = 0; i < answer.nentries; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%.*s",
                 CW_STR_ARG(answer.entries[i].line));
    return text;
}

static const char two_streams[] =
    "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":["
    "{\"stream\":{\"app\":\"a\",\"host\":\"x\"},\"values\":[[\"3\",\"a\"],[\"2\",\"b\"],[\"2\","
    "\"c\"]]},"
    "{\"values\":[[\"2\",\"d\",{\"traceid\":\"1\"}],[\"-5\",\"e\"]],\"stream\":{\"app\":\"b\"}}],"
    "\"stats\":{\"deep\":[[{}]]}}}";

Test(cli_answer, entries_of_all_streams_are_put_in_order)
{
    cr_assert_eq(parse(two_streams, CW_CLI_NEWEST_FIRST), 0, "%s", err.text);
    cr_assert_str_eq(lines(), "abcde");
    cr_assert_eq(answer.entries[4].ts_ns, -5);
    cr_assert(cw_str_eqz(cw_labels_get(answer.entries[0].labels, CW_STR("host")), "x"));
    cr_assert(cw_str_eqz(cw_labels_get(answer.entries[3].labels, CW_STR("app")), "b"));
    cr_assert(cw_str_eqz(answer.result_type, "streams"));
}

Test(cli_answer, entries_of_one_time_stay_in_the_answers_order_both_ways)
{
    cr_assert_eq(parse(two_streams, CW_CLI_OLDEST_FIRST), 0, "%s", err.text);
    cr_assert_str_eq(lines(), "ebcda");
}

Test(cli_answer, an_answer_without_entries_is_fine)
{
    static const char *const bodies[] = {
        "{\"data\":{\"resultType\":\"streams\",\"result\":[]}}",
        "{\"data\":{\"result\":[{\"stream\":{},\"values\":[]}],\"resultType\":\"streams\"}}"};
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(parse(bodies[i], CW_CLI_NEWEST_FIRST), 0, "%s", err.text);
        cr_assert_eq(answer.nentries, 0);
    }
}

Test(cli_answer, other_results_are_kept_as_json)
{
    cr_assert_eq(parse(" {\"data\" : {\"resultType\":\"vector\", \"result\" : [ {\"a\":1} ] } } ",
                       CW_CLI_NEWEST_FIRST),
                 0, "%s", err.text);
    cr_assert(cw_str_eqz(answer.result_type, "vector"));
    cr_assert(cw_str_eqz(answer.result, "[ {\"a\":1} ]"), "\"%.*s\"", CW_STR_ARG(answer.result));
    cr_assert_eq(
        parse("{\"data\":{\"resultType\":\"scalar\",\"result\":[1,\"2\"]}}", CW_CLI_NEWEST_FIRST),
        0);
    cr_assert(cw_str_eqz(answer.result, "[1,\"2\"]"));
}

Test(cli_answer, warnings_are_kept)
{
    cr_assert_eq(parse("{\"warnings\":[\"one\",\"two\"],\"data\":{\"resultType\":\"streams\","
                       "\"result\":[]}}",
                       CW_CLI_NEWEST_FIRST),
                 0, "%s", err.text);
    cr_assert_eq(answer.nwarnings, 2);
    cr_assert(cw_str_eqz(answer.warnings[1], "two"));
}

Test(cli_answer, what_is_no_answer_of_loki_is_an_error)
{
    static const char *const bad[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"data\":[]}",
        "{\"data\":{}}",
        "<html>not found</html>",
        "{\"data\":{\"resultType\":7,\"result\":[]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":{}}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[1]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"values\":[[1,\"x\"]]}]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"values\":[[\"x\",\"x\"]]}]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"values\":[[\"1\"]]}]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"values\":[\"1\"]}]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":[]}]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":{\"a\":1}}]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":{\"a\":\"1\",\"a\":\"2\"}}]}"
        "}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[]}",
        "{\"warnings\":{},\"data\":{\"resultType\":\"streams\",\"result\":[]}}",
        "{\"data\":{\"resultType\":\"streams\",\"result\":[{\"values\":[[\"9223372036854775808\","
        "\"x\"]]}]}}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_eq(parse(bad[i], CW_CLI_NEWEST_FIRST), CW_E_INVALID, "%s", bad[i]);
}

Test(cli_answer, a_frame_of_a_tail_keeps_its_order_and_tells_what_was_dropped)
{
    struct cw_cli_tail_frame frame;
    cr_assert_eq(
        cw_cli_tail_parse(
            CW_STR("{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"2\",\"x\"]]},"
                   "{\"stream\":{\"a\":\"c\"},\"values\":[[\"1\",\"y\",{\"parsed\":{}}]]}],"
                   "\"dropped_entries\":[{\"timestamp\":\"7\",\"labels\":{\"a\":\"b\"}},{"
                   "\"labels\":{},\"timestamp\":\"8\"}],\"encodingFlags\":[\"x\"]}"),
            arena, &frame, &err),
        0, "%s", err.text);
    cr_assert_eq(frame.nentries, 2);
    cr_expect_eq(frame.entries[0].ts_ns, 2);
    cr_expect(cw_str_eqz(frame.entries[1].line, "y"));
    cr_expect(cw_str_eqz(cw_labels_get(frame.entries[1].labels, CW_STR("a")), "c"));
    cr_expect_eq(frame.ndropped, 2);
    cr_expect_eq(frame.first_dropped.ts_ns, 7);
    cr_assert_eq(
        cw_cli_tail_parse(CW_STR("{\"streams\":[],\"dropped_entries\":null}"), arena, &frame, &err),
        0);
    cr_expect_eq(frame.nentries + frame.ndropped, 0);
    static const char *const bad[] = {"", "[]", "{\"streams\":{}}",
                                      "{\"dropped_entries\":[{\"timestamp\":7}]}",
                                      "{\"streams\":[{\"stream\":{},\"values\":[[1,\"x\"]]}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_lt(cw_cli_tail_parse(cw_str_of(bad[i]), arena, &frame, &err), 0, "%s", bad[i]);
}
