#include <criterion/criterion.h>

#include "tests/support/stage_lines.h"

#define LINE "2026-01-05T09:00:00Z {app=\"x\"} "

static void expect(const char *stages, const char *line, const char *want)
{
    struct cw_stage_lines lines;
    cw_stage_lines_init(&lines, stages);
    cw_stage_lines_feed(&lines, line);
    cw_stage_lines_expect(&lines, want);
    cw_stage_lines_fini(&lines);
}

Test(stage_luhn, numbers_of_the_line_are_replaced)
{
    expect("- luhn: {}\n", "My credit card number is 3530111333300000",
           LINE "My credit card number is **REDACTED**\n");
    expect("- luhn: {replacement: '**DELETED**', min_length: 10}\n", "a 79927398713 b",
           LINE "a **DELETED** b\n");
    expect("- luhn:\n", "79927398713 4032032513548442", LINE "79927398713 4032032513548442\n");
}

Test(stage_luhn, or_those_of_an_extracted_value)
{
    expect("- regex: {expression: '(?P<card>\\d+)$'}\n- luhn: {source: card}\n- labels: {card: }\n",
           "id 3530111333300000",
           "2026-01-05T09:00:00Z {app=\"x\", card=\"**REDACTED**\"} id 3530111333300000\n");
    expect("- luhn: {source: none}\n", "3530111333300000", LINE "3530111333300000\n");
}

Test(stage_luhn, delimiters_and_what_is_skipped)
{
    expect("- luhn: {delimiters: ' -'}\n", "pay 3530-1113 3330-0000 now",
           LINE "pay **REDACTED** now\n");
    expect("- luhn: {skip_regex: 'trace=\\d+'}\n",
           "trace=3530111333300000 pan=3530111333300000 trace=3530111333300000",
           LINE "trace=3530111333300000 pan=**REDACTED** trace=3530111333300000\n");
    expect("- luhn: {skip_regex: 'x*'}\n", "a 3530111333300000", LINE "a 3530111333300000\n");
    cw_stage_lines_expect_error(
        "- luhn: {skip_regex: '('}\n",
        "p.yml:2:3: pipeline_stages[0]: luhn: skip_regex: error parsing regexp: missing closing ): `(`");
}
