#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/clock.h"
#include "tests/support/stage_lines.h"

/* "now" is 2026-01-05T09:00:00Z, and so is an entry's time before the stage. */
static const struct {
    const char *options, *text, *want;
} rows[] = {
    {"format: RFC3339", "2019-01-01T01:00:00.000000001Z", "2019-01-01T01:00:00.000000001Z"},
    {"format: RFC3339Nano", "2019-04-30T02:12:41.8443515+02:00", "2019-04-30T00:12:41.8443515Z"},
    {"format: RFC3339", "2019-01-01 01:00:00Z", "skip"},
    {"format: ANSIC", "Mon Jan  5 10:00:00 2026", "2026-01-05T10:00:00Z"},
    {"format: UnixDate", "Mon Jan  5 10:00:00 UTC 2026", "2026-01-05T10:00:00Z"},
    {"format: RubyDate", "Mon Jan 05 10:00:00 +0100 2026", "2026-01-05T09:00:00Z"},
    {"format: RFC822", "05 Jan 26 10:00 UTC", "2026-01-05T10:00:00Z"},
    {"format: RFC822Z", "05 Jan 26 10:00 -0700", "2026-01-05T17:00:00Z"},
    {"format: RFC850", "Monday, 05-Jan-26 10:00:00 UTC", "2026-01-05T10:00:00Z"},
    {"format: RFC1123", "Mon, 05 Jan 2026 10:00:00 GMT", "2026-01-05T10:00:00Z"},
    {"format: RFC1123Z", "Mon, 05 Jan 2026 10:00:00 +0000", "2026-01-05T10:00:00Z"},
    {"format: Unix", "1562708916", "2019-07-09T21:48:36Z"},
    {"format: Unix", "1562708916.000000123", "2019-07-09T21:48:36.000000123Z"},
    {"format: Unix", "1562708916.5", "2019-07-09T21:48:36.5Z"},
    {"format: Unix", "-1.5", "1969-12-31T23:59:58.5Z"},
    {"format: Unix", "1562708916x", "skip"},
    {"format: Unix", "1562708916.", "skip"},
    {"format: Unix", "1562708916.5.", "skip"},
    {"format: Unix", ".5", "skip"},
    {"format: Unix", "1e9", "skip"},
    {"format: Unix", "9999999999999", "skip"},
    {"format: UnixMs", "1562708916414", "2019-07-09T21:48:36.414Z"},
    {"format: UnixUs", "1562708916414123", "2019-07-09T21:48:36.414123Z"},
    {"format: UnixNs", "1562708916000000123", "2019-07-09T21:48:36.000000123Z"},
    {"format: '2006-01-02 15:04:05'", "2019-01-01 01:00:00", "2019-01-01T01:00:00Z"},
    {"format: '2006-01-02 15:04:05', location: Europe/Berlin", "2019-07-01 01:00:00",
     "2019-06-30T23:00:00Z"},
    {"format: '2006-01-02 15:04:05,000'", "2019-01-01 01:00:00,250", "2019-01-01T01:00:00.25Z"},
    /* without a year: this one, but around its begin the one that is near */
    {"format: 'Jan _2 15:04:05'", "Jan  4 10:00:00", "2026-01-04T10:00:00Z"},
    {"format: 'Jan _2 15:04:05'", "Dec 31 23:00:00", "2025-12-31T23:00:00Z"},
    {"format: 'Jan _2 15:04:05', location: America/New_York", "Jul  1 10:00:00",
     "2026-07-01T14:00:00Z"},
    {"format: '02/Jan/06:15:04:05'", "05/Jan/26:10:00:00", "2026-01-05T10:00:00Z"},
    {"format: UnixMs, fallback_formats: [RFC3339, Unix]", "2019-01-01T01:00:00Z",
     "2019-01-01T01:00:00Z"},
    {"format: RFC3339, fallback_formats: [Unix]", "neither", "skip"},
    {"format: '2006'", "0001", "skip"}, /* 64 bits of nanoseconds do not reach so far */
};

Test(stage_timestamp, formats_are_read_as_go_reads_them)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cw_stage_lines lines;
        char stages[300], want[300];
        snprintf(stages, sizeof stages,
                 "- regex: {expression: '(?P<t>.*)'}\n- timestamp: {source: t, %s, "
                 "action_on_failure: skip}\n",
                 rows[i].options);
        bool skipped = strcmp(rows[i].want, "skip") == 0;
        snprintf(want, sizeof want, "%s {app=\"x\"} %s\n",
                 skipped ? "2026-01-05T09:00:00Z" : rows[i].want, rows[i].text);
        cw_stage_lines_init(&lines, stages);
        cw_stage_lines_feed(&lines, rows[i].text);
        cw_stage_lines_expect(&lines, want);
        cw_stage_lines_fini(&lines);
    }
}

Test(stage_timestamp, in_december_january_is_next_year)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '(?P<t>.*)'}\n"
                                "- timestamp: {source: t, format: 'Jan 2 15:04'}\n");
    cr_assert(cw_time_parse_rfc3339(CW_STR("2025-12-31T23:59:00Z"), &lines.options.now_ns));
    cw_stage_lines_again(&lines);
    cw_stage_lines_feed(&lines, "Jan 1 00:01");
    cw_stage_lines_feed(&lines, "Dec 31 23:58");
    cw_stage_lines_expect(&lines, "2026-01-01T00:01:00Z {app=\"x\"} Jan 1 00:01\n"
                                  "2025-12-31T23:58:00Z {app=\"x\"} Dec 31 23:58\n");
    cw_stage_lines_fini(&lines);
}

Test(stage_timestamp, what_cannot_be_read_follows_the_entry_before)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '^(?P<t>[0-9].*)'}\n"
                                "- timestamp: {source: t, format: Unix}\n");
    cw_stage_lines_feed(&lines, "none yet");
    cw_stage_lines_feed(&lines, "100");
    cw_stage_lines_feed(&lines, "none");
    cw_stage_lines_feed(&lines, "1e9");
    cw_stage_lines_expect(&lines, "2026-01-05T09:00:00Z {app=\"x\"} none yet\n"
                                  "1970-01-01T00:01:40Z {app=\"x\"} 100\n"
                                  "1970-01-01T00:01:40.000000001Z {app=\"x\"} none\n"
                                  "1970-01-01T00:01:40.000000002Z {app=\"x\"} 1e9\n");
    struct cw_stage_times behind_100 = cw_stages_times(lines.run, lines.next.from - 9);
    lines.options.times = cw_stages_times(lines.run, UINT64_MAX);
    cw_stage_lines_again(&lines);
    cw_stage_lines_feed(&lines, "none");
    cw_stage_lines_expect(&lines, "1970-01-01T00:01:40.000000003Z {app=\"x\"} none\n");
    lines.options.times = behind_100;
    cw_stage_lines_again(&lines);
    cw_stage_lines_feed(&lines, "none");
    cw_stage_lines_expect(&lines, "1970-01-01T00:01:40.000000001Z {app=\"x\"} none\n");
    cw_stage_lines_fini(&lines);
}

/* Each set of labels has its own last time, and each stage knows its own. */
Test(stage_timestamp, what_cannot_be_read_follows_the_entry_of_its_labels)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- cri: {}\n- regex: {expression: '^(?P<t>[0-9]+)'}\n"
                                "- timestamp: {source: t, format: Unix}\n");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:00Z stdout F 100");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:01Z stderr F none yet");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:02Z stderr F 50");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:03Z stdout F none");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:04Z stderr F none");
    cw_stage_lines_feed(&lines, "2019-01-01T01:00:05Z stdout F none");
    cw_stage_lines_expect(&lines,
                          "1970-01-01T00:01:40Z {app=\"x\", stream=\"stdout\"} 100\n"
                          "2019-01-01T01:00:01Z {app=\"x\", stream=\"stderr\"} none yet\n"
                          "1970-01-01T00:00:50Z {app=\"x\", stream=\"stderr\"} 50\n"
                          "1970-01-01T00:01:40.000000001Z {app=\"x\", stream=\"stdout\"} none\n"
                          "1970-01-01T00:00:50.000000001Z {app=\"x\", stream=\"stderr\"} none\n"
                          "1970-01-01T00:01:40.000000002Z {app=\"x\", stream=\"stdout\"} none\n");
    cw_stage_lines_fini(&lines);
    cw_stage_lines_init(&lines, "- regex: {expression: 'a(?P<a>[0-9]+)'}\n"
                                "- regex: {expression: 'b(?P<b>[0-9]+)'}\n"
                                "- timestamp: {source: a, format: Unix}\n"
                                "- timestamp: {source: b, format: Unix}\n");
    cw_stage_lines_feed(&lines, "a7");
    cw_stage_lines_feed(&lines, "b9");
    cw_stage_lines_feed(&lines, "a8");
    cw_stage_lines_expect(&lines, "1970-01-01T00:00:07Z {app=\"x\"} a7\n"
                                  "1970-01-01T00:00:09Z {app=\"x\"} b9\n"
                                  "1970-01-01T00:00:09.000000001Z {app=\"x\"} a8\n");
    cw_stage_lines_fini(&lines);
}

Test(stage_timestamp, of_many_sets_of_labels_those_met_last_are_known)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines,
                        "- regex: {expression: '^(?P<l>\\w+) (?P<t>[0-9]*)'}\n- labels: {l: }\n"
                        "- timestamp: {source: t, format: Unix}\n");
    for (int i = 0; i <= CW_STAGE_TIMES_MAX; i++)
        cw_stage_lines_feed(&lines, cw_arena_printf(lines.arena, "l%d %d", i, i).ptr);
    cw_buf_clear(&lines.out);
    cr_assert_eq(cw_stages_times(lines.run, UINT64_MAX).n, CW_STAGE_TIMES_MAX);
    cw_stage_lines_feed(&lines, "l1 x");
    cw_stage_lines_feed(&lines, "l0 x");
    cw_stage_lines_expect(&lines, "1970-01-01T00:00:01.000000001Z {app=\"x\", l=\"l1\"} l1 x\n"
                                  "2026-01-05T09:00:00Z {app=\"x\", l=\"l0\"} l0 x\n");
    cw_stage_lines_fini(&lines);
}

Test(stage_timestamp, equal_times_can_be_told_apart)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, "- regex: {expression: '^(?P<t>[0-9]+)'}\n"
                                "- timestamp: {source: t, format: Unix, "
                                "action_on_duplicate_timestamp: fudge}\n");
    cw_stage_lines_feed(&lines, "5 a");
    cw_stage_lines_feed(&lines, "5 b");
    cw_stage_lines_feed(&lines, "5 c");
    cw_stage_lines_feed(&lines, "6 d");
    cw_stage_lines_expect(&lines, "1970-01-01T00:00:05Z {app=\"x\"} 5 a\n"
                                  "1970-01-01T00:00:05.000000001Z {app=\"x\"} 5 b\n"
                                  "1970-01-01T00:00:05.000000002Z {app=\"x\"} 5 c\n"
                                  "1970-01-01T00:00:06Z {app=\"x\"} 6 d\n");
    cw_stage_lines_fini(&lines);
}
