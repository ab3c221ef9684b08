/* Any bytes as a template and the message of it, and as lines: each pattern is short, and one that the filter `|>` takes. */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/match/pattern_match.h"
#include "querier/engine/pattern_lines.h"
#include "querier/engine/pattern_merge.h"
#include "querier/engine/pattern_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PATTERN_MAX = CW_PATTERN_TEXT_MAX + 3 };

static void check(struct cw_str pattern, size_t max)
{
    struct cw_pattern_match *match;
    struct cw_err err;
    CW_ASSERT(pattern.len <= max);
    CW_ASSERT(cw_pattern_match_new(pattern, &match, &err) == 0);
    cw_pattern_match_free(&match);
}

/* The input's lines, and what is left of their patterns when they are merged. */
static void check_lines(struct cw_str input)
{
    struct cw_pattern_table table, merged;
    struct cw_err err;
    cw_pattern_table_init(&table, NULL);
    cw_pattern_table_init(&merged, NULL);
    struct cw_pattern_lines *lines = cw_pattern_lines_new(&table);
    cw_pattern_lines_begin(lines);
    struct cw_str line;
    uint64_t n = 0, sum = 0;
    while (cw_str_split(&input, '\n', &line)) {
        uint32_t row;
        CW_ASSERT(cw_pattern_lines_rows(lines, &line, 1, &row, &err) == 0);
        struct cw_pattern_sample sample = {(uint32_t)n % CW_LEVEL_N, (uint32_t)n % 7, 1};
        CW_ASSERT(cw_pattern_table_add(&table, row, sample, &err) == 0);
        n++;
    }
    CW_ASSERT(cw_pattern_merge(&table, &merged, &err) == 0);
    for (size_t i = 0; i < merged.n; i++) {
        /* a word of a byte becomes <_> */
        check(merged.items[i].text, PATTERN_MAX + 2 * CW_PATTERN_WORDS_MAX);
        sum += merged.items[i].count;
    }
    CW_ASSERT(sum == n);
    cw_pattern_lines_free(&lines);
    cw_pattern_table_fini(&table);
    cw_pattern_table_fini(&merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    struct cw_str input = cw_str_make((const char *)data, size);
    size_t half = size / 2, at;
    struct cw_str template = cw_str_sub(input, 0, half);
    if (cw_pattern_message_slot(template, &at))
        CW_ASSERT(at < template.len);
    cw_pattern_text(template, cw_str_sub(input, half, size), &out);
    check(cw_buf_str(&out), PATTERN_MAX);
    cw_pattern_text(input, CW_STR_NONE, &out);
    check(cw_buf_str(&out), PATTERN_MAX);
    cw_buf_fini(&out);
    check_lines(input);
    return 0;
}
