#include <criterion/criterion.h>

#include "tests/support/stage_lines.h"

#define TIME_2026 INT64_C(1767603600000000000) /* 2026-01-05T09:00:00Z */

Test(stages, json_labels_and_timestamp_make_an_entry)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines,
                        "- json:\n"
                        "    expressions: {level: , ts: time, user: ctx.user, id: ctx.\"the id\"}\n"
                        "- labels: {level: , who: user}\n"
                        "- timestamp: {source: ts, format: RFC3339Nano}\n");
    cw_stage_lines_feed(&lines,
                        "{\"level\":\"info\",\"time\":\"2026-01-05T10:00:00.5Z\",\"ctx\":{\"user\":"
                        "\"\\u00e4da\",\"the id\":7}}");
    cw_stage_lines_expect(
        &lines, "2026-01-05T10:00:00.5Z {app=\"x\", level=\"info\", who=\"äda\"} "
                "{\"level\":\"info\",\"time\":\"2026-01-05T10:00:00.5Z\",\"ctx\":{\"user\":"
                "\"\\u00e4da\",\"the id\":7}}\n");
    cw_stage_lines_feed(&lines, "not json");
    cw_stage_lines_expect(&lines, "2026-01-05T10:00:00.500000001Z {app=\"x\"} not json\n");
    cw_stage_lines_fini(&lines);
}

Test(stages, what_is_wrong_is_told_with_its_place)
{
    cw_stage_lines_expect_error("- {}\n", "p.yml:2:3: pipeline_stages[0]: a stage is missing");
    cw_stage_lines_expect_error(
        "- labels: {a: }\n  json: {expressions: {a: b}}\n",
        "p.yml:2:3: pipeline_stages[0]: json and labels are each a stage of its own, with a dash in front");
    cw_stage_lines_expect_error("- jsn: {}\n",
                                "p.yml:2:3: unknown key \"jsn\" in pipeline_stages[0]; did "
                                "you mean \"json\"?");
    cw_stage_lines_expect_error(
        "- drop: {source: a, value: b, expression: c}\n",
        "p.yml:2:3: pipeline_stages[0]: drop: value and expression cannot both be given");
}

Test(stages, the_tables_are_sound)
{
    struct cw_err err = {0};
    cr_assert_eq(cw_schema_check(&cw_stage_table, &err), 0, "%s", err.text);
}
