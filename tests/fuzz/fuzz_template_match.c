/*
 * Any bytes as lines in a block of templates, asked by a filter: the block must answer as its lines do. The first byte chooses the operator,
 * what stands up to the first LF is the operand.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "tests/support/match_model.h"

enum { LINES_MAX = 500, REPEATS = 30 };

static struct cw_line_filter *filter_of(uint8_t choice, struct cw_str operand)
{
    struct cw_line_filter *filter;
    struct cw_err err;
    enum cw_filter_op op = (enum cw_filter_op)(choice % (CW_FILTER_NOT_PATTERN + 1));
    bool ip = op <= CW_FILTER_NOT_CONTAINS && (choice & 0x80) != 0;
    CW_ASSERT(cw_line_filter_new(op, &filter, &err) == 0);
    if (cw_line_filter_add(filter, operand, ip, &err) < 0)
        cw_line_filter_free(&filter);
    return filter;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_str lines[LINES_MAX * REPEATS];
    static uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    if (size < 2)
        return 0;
    struct cw_str rest = cw_str_make(data + 1, size - 1), operand;
    (void)cw_str_split(&rest, '\n', &operand);
    struct cw_line_filter *filter = filter_of(data[0], operand);
    size_t n = 0;
    while (n < LINES_MAX && rest.len > 0 && cw_str_split(&rest, '\n', &lines[n]))
        n++;
    /* Repeated, so that templates pay; otherwise most blocks would be plain. */
    size_t repeats = CW_MIN((size_t)REPEATS, CW_BLOCK_RAW_TARGET / size);
    for (size_t i = n; i < n * repeats; i++)
        lines[i] = lines[i - n];
    if (filter != NULL && n > 0) {
        struct match_model *model = match_model_new(lines, n * CW_MAX(repeats, (size_t)1));
        struct match_counts counts = {0};
        struct cw_buf wrong;
        cw_buf_init(&wrong, SIZE_MAX);
        memset(keep, 0xff, sizeof(keep));
        if (match_model_kind(model) == CW_BLOCK_TEMPLATES)
            CW_ASSERT(match_model_check(model, (const struct cw_line_filter *const[]){filter}, 1,
                                        CW_MATCH_WANTS_ROWS, keep, &counts, &wrong));
        cw_buf_fini(&wrong);
        match_model_free(&model);
    }
    cw_line_filter_free(&filter);
    return 0;
}
