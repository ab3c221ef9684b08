/* One filter and a block of lines: operator, length of the operand, operand, then lines that a newline ends. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/line_filter.h"

static void compare(const struct cw_line_filter *filter, struct cw_str text)
{
    uint32_t *offsets = malloc((text.len + 2) * sizeof offsets[0]);
    size_t n = 0;
    offsets[0] = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\n')
            offsets[++n] = (uint32_t)i + 1;
    uint64_t *keep = cw_mem_array(n / 64 + 1, sizeof keep[0]);
    memset(keep, 0xFF, (n / 64 + 1) * sizeof keep[0]);
    struct cw_err err;
    if (cw_line_filter_select(filter, text.ptr, offsets, n, keep, &err) == 0) {
        for (size_t i = 0; i < n; i++) {
            struct cw_str line = cw_str_sub(text, offsets[i], offsets[i + 1]);
            int want = cw_line_filter_match(filter, line, &err);
            CW_ASSERT(want < 0 || (int)(keep[i / 64] >> (i % 64) & 1) == want);
        }
    }
    free(offsets);
    free(keep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct cw_str input = cw_str_make(data, size);
    struct cw_str operand = cw_str_sub(input, 2, 2 + (size_t)data[1]);
    struct cw_str text = cw_str_sub(input, 2 + operand.len, size);
    struct cw_line_filter *filter;
    struct cw_err err;
    if (cw_line_filter_new((enum cw_filter_op)(data[0] % 6), &filter, &err) < 0)
        return 0;
    if (cw_line_filter_add(filter, operand, data[0] & 0x80, &err) == 0)
        compare(filter, text);
    cw_line_filter_free(&filter);
    return 0;
}
