#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/extract/level_detect.h"

static const struct cw_str fields[] = {{"level", 5},     {"LEVEL", 5},    {"Level", 5},
                                       {"log.level", 9}, {"severity", 8}, {"SEVERITY", 8},
                                       {"Severity", 8},  {"lvl", 3},      {"severity_text", 13}};

static enum cw_level detect_by(const struct cw_level_detector *detector, struct cw_str line)
{
    struct cw_arena *arena = cw_arena_new();
    /* In a block of its own, so that a sanitizer sees a read past the end. */
    char *exact = malloc(line.len > 0 ? line.len : 1);
    memcpy(exact, line.ptr, line.len);
    enum cw_level level = cw_level_detect(detector, cw_str_make(exact, line.len), arena);
    free(exact);
    cw_arena_free(&arena);
    return level;
}

static enum cw_level detect(const char *line)
{
    struct cw_level_detector detector;
    cw_level_detector_init(&detector, fields, CW_COUNT(fields), 2);
    return detect_by(&detector, cw_str_of(line));
}

struct sample {
    const char *line;
    enum cw_level level;
};

static void expect_all(const struct sample *samples, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum cw_level level = detect(samples[i].line);
        cr_expect_eq(level, samples[i].level, "%s: %s", samples[i].line, cw_level_names[level].ptr);
    }
}

Test(level_detect, a_word_counts_where_it_stands_by_itself)
{
    static const struct sample samples[] = {
        {"", CW_LEVEL_UNKNOWN},
        {"nothing to see", CW_LEVEL_UNKNOWN},
        {"error", CW_LEVEL_ERROR},
        {"ERR: disk", CW_LEVEL_ERROR},
        {"2026-01-05 00:00:07,548 INFO [main] started", CW_LEVEL_INFO},
        {"[Mon Jan 05 00:00:02 2026] [error] child in error state 6", CW_LEVEL_ERROR},
        {"a Warning, no more", CW_LEVEL_WARN},
        {"a warn! and an error", CW_LEVEL_WARN},
        {"(fatal)", CW_LEVEL_FATAL},
        {"it is {critical}", CW_LEVEL_CRITICAL},
        {"say \"debug\" twice", CW_LEVEL_DEBUG},
        {"trace\tthat", CW_LEVEL_TRACE},
        {"it ends in a\ninfo", CW_LEVEL_INFO},
        {"the referrer, an information, errors, info.", CW_LEVEL_UNKNOWN},
        {"misc:error", CW_LEVEL_UNKNOWN},
        {"x-error x_error xerror /error error_x error-x", CW_LEVEL_UNKNOWN},
        {"errors, then: the error", CW_LEVEL_ERROR},
        {"wrn dbg trc inf", CW_LEVEL_UNKNOWN},
        {"a line longer than one step of the scan, so that its word stands in the second: debug",
         CW_LEVEL_DEBUG},
        {"a line longer than one step of the scan, and the word is its last one, by itself info",
         CW_LEVEL_INFO},
    };
    expect_all(samples, CW_COUNT(samples));
}

Test(level_detect, the_first_word_of_a_text_counts)
{
    cr_expect_eq(detect("info about an error"), CW_LEVEL_INFO);
    cr_expect_eq(detect("error in info"), CW_LEVEL_ERROR);
}

Test(level_detect, fields_of_json_count)
{
    static const struct sample samples[] = {
        {"{\"msg\":\"an error\",\"level\":\"critical\"}", CW_LEVEL_CRITICAL},
        {" {\"LEVEL\" : \"Critical\"} \n", CW_LEVEL_CRITICAL},
        {"{\"severity_text\":\"WARNING\"}", CW_LEVEL_WARN},
        {"{\"a\":1,\"level\":\"inf\"}", CW_LEVEL_INFO},
        {"{\"a\":[1,{\"level\":\"warn\"}],\"b\":null,\"lvl\":\"trc\"}", CW_LEVEL_TRACE},
        /* the first in the line, not in the list */
        {"{\"lvl\":\"dbg\",\"level\":\"error\"}", CW_LEVEL_DEBUG},
        {"{\"a\":{\"level\":\"warn\"},\"level\":\"error\"}", CW_LEVEL_WARN},
        {"{\"a\":{\"b\":{\"level\":\"warn\"}},\"level\":\"fatal\"}", CW_LEVEL_FATAL},
        /* names to the letter; what is no string does not count */
        {"{\"LeVeL\":\"fatal\"}", CW_LEVEL_FATAL}, /* by its word */
        {"{\"LeVeL\":\"dbg\"}", CW_LEVEL_UNKNOWN},
        {"{\"level\":30,\"lvl\":\"wrn\"}", CW_LEVEL_WARN},
        {"{\"level\":30}", CW_LEVEL_UNKNOWN},
        {"{\"l\\u0065vel\":\"wrn\"}", CW_LEVEL_WARN},
        {"{\"level\":\"\\u0069nf\"}", CW_LEVEL_UNKNOWN}, /* values as they are written */
        /* a value that is no level: the words of the line */
        {"{\"level\":\"30\",\"msg\":\"one error\"}", CW_LEVEL_ERROR},
        {"{\"msg\":\"level\",\"x\":\"info\"}", CW_LEVEL_INFO},
        /* broken ahead of the field, or behind it */
        {"{\"a\":?,\"level\":\"wrn\"}", CW_LEVEL_UNKNOWN},
        {"{\"level\":\"wrn\",?}", CW_LEVEL_WARN},
        {"{\"a\":1} {\"level\":\"wrn\"}", CW_LEVEL_UNKNOWN},
        {"{}", CW_LEVEL_UNKNOWN},
        {"}{", CW_LEVEL_UNKNOWN},
        {"{", CW_LEVEL_UNKNOWN},
    };
    expect_all(samples, CW_COUNT(samples));
}

Test(level_detect, fields_of_logfmt_count)
{
    static const struct sample samples[] = {
        {"msg=\"an error\" level=warn", CW_LEVEL_WARN},
        {"level=Trace msg=error", CW_LEVEL_TRACE},
        {"LeVeL=\"inFO\"", CW_LEVEL_INFO},
        {"lvl=\"\\u0069nf\" x=1", CW_LEVEL_INFO},
        /* the first in the list, not in the line */
        {"lvl=dbg severity=err", CW_LEVEL_ERROR},
        {"severity=err lvl=dbg", CW_LEVEL_ERROR},
        {"severity=err lvl=dbg a=1 level=wrn", CW_LEVEL_WARN},
        {"level=dbg level=err", CW_LEVEL_DEBUG},
        /* no level, an unknown one, an empty one: the words of the line */
        {"msg=\"info and not level\"", CW_LEVEL_INFO},
        {"a=1 level=NA", CW_LEVEL_UNKNOWN},
        {"level=NA note=\"no error\"", CW_LEVEL_ERROR},
        {"lvl=dbg level= a=1", CW_LEVEL_UNKNOWN},
        {"lvl=dbg level", CW_LEVEL_UNKNOWN},
        {"lvl=dbg\tlevel\ta=1", CW_LEVEL_UNKNOWN},
        /* a broken pair ends it */
        {"a=\"b\"c=d level=dbg", CW_LEVEL_DEBUG},
        {"x \"GET /?level=dbg\" level=dbg", CW_LEVEL_UNKNOWN},
        {"=x level=dbg", CW_LEVEL_UNKNOWN},
        {"level=dbg =x", CW_LEVEL_DEBUG},
        {"msg=\"level=dbg \" x=1", CW_LEVEL_UNKNOWN},
        {"my_level=dbg", CW_LEVEL_UNKNOWN},
        {"xlevel=dbg log.level=wrn", CW_LEVEL_WARN},
        {"=", CW_LEVEL_UNKNOWN},
    };
    expect_all(samples, CW_COUNT(samples));
}

Test(level_detect, the_fields_and_the_depth_are_the_callers)
{
    static const struct cw_str own[] = {{"l", 1}, {"Stufe", 5}};
    struct cw_level_detector detector;
    cw_level_detector_init(&detector, own + 1, 1, 0);
    cr_expect_eq(detect_by(&detector, CW_STR("{\"a\":{\"b\":{\"Stufe\":\"wrn\"}}}")),
                 CW_LEVEL_WARN);
    cr_expect_eq(detect_by(&detector, CW_STR("level=wrn stufe=dbg")), CW_LEVEL_DEBUG);
    cw_level_detector_init(&detector, own, CW_COUNT(own), 1);
    cr_expect_eq(detect_by(&detector, CW_STR("{\"a\":{\"Stufe\":\"wrn\"}}")), CW_LEVEL_UNKNOWN);
    cr_expect_eq(detect_by(&detector, CW_STR("{\"l\":\"wrn\"}")), CW_LEVEL_WARN);
    cr_expect_eq(detect_by(&detector, CW_STR("L=wrn")), CW_LEVEL_WARN);
    cr_expect_eq(detect_by(&detector, CW_STR("a=1 l")), CW_LEVEL_UNKNOWN);
    cw_level_detector_init(&detector, NULL, 0, 0);
    cr_expect_eq(detect_by(&detector, CW_STR("level=wrn")), CW_LEVEL_UNKNOWN);
}

Test(level_detect, severity_numbers_have_ranges)
{
    static const struct {
        const char *number;
        enum cw_level level;
    } samples[] = {{"-1", CW_LEVEL_TRACE},
                   {"0", CW_LEVEL_UNKNOWN},
                   {"1", CW_LEVEL_TRACE},
                   {"+7", CW_LEVEL_DEBUG},
                   {"9", CW_LEVEL_INFO},
                   {"13", CW_LEVEL_WARN},
                   {"20", CW_LEVEL_ERROR},
                   {"24", CW_LEVEL_FATAL},
                   {"25", CW_LEVEL_UNKNOWN},
                   {"foo", CW_LEVEL_INFO},
                   {"99999999999999999999", CW_LEVEL_INFO}};
    for (size_t i = 0; i < CW_COUNT(samples); i++)
        cr_expect_eq(cw_level_of_severity(cw_str_of(samples[i].number)), samples[i].level, "%s",
                     samples[i].number);
}

Test(level_detect, words_have_one_spelling)
{
    static const struct {
        const char *word, *level;
    } samples[] = {{"TRACE", "trace"},       {"trc", "trace"},  {"Debug", "debug"},
                   {"dbg", "debug"},         {"info", "info"},  {"INF", "info"},
                   {"Information", "info"},  {"Warn", "warn"},  {"wrn", "warn"},
                   {"WARNING", "warn"},      {"err", "error"},  {"ERROR", "error"},
                   {"critical", "critical"}, {"Fatal", "fatal"}};
    enum cw_level level;
    for (size_t i = 0; i < CW_COUNT(samples); i++) {
        cr_assert(cw_level_of_word(cw_str_of(samples[i].word), &level), "%s", samples[i].word);
        cr_expect_str_eq(cw_level_names[level].ptr, samples[i].level);
    }
    cr_expect_not(cw_level_of_word(CW_STR("notice"), &level));
    cr_expect_not(cw_level_of_word(CW_STR(""), &level));
}
