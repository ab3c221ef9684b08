/* Any bytes as a block of templates: its checksums are put right first, so that the bytes behind them are read. */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/store/template_block.h"
#include "common/store/template_match.h"
#include "tests/support/template_model.h"

static struct cw_block block;
static uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
static uint32_t offsets[CW_BLOCK_ROWS_MAX + 1];

/* Rows [from, to), and every `step`th word of the bitmap. */
static void lines_read(struct cw_template_block *tb, uint32_t from, uint32_t to, size_t step)
{
    struct cw_buf text;
    struct cw_err err;
    cw_buf_init(&text, SIZE_MAX);
    memset(keep, 0, sizeof(keep));
    for (size_t i = 0; i < CW_COUNT(keep); i += step)
        keep[i] = step == 1 ? UINT64_MAX : UINT64_C(0x100000001);
    if (cw_template_block_lines(tb, keep, from, to, &text, offsets, &err) == 0)
        CW_ASSERT(text.len <= block.raw_bytes && offsets[to - from] == text.len);
    if (cw_template_block_sizes(tb, keep, from, to, offsets, &err) == 0)
        CW_ASSERT(to == from || offsets[0] <= block.raw_bytes);
    cw_buf_fini(&text);
}

/* A word, digits of values, a piece that runs over slots, an address, all that may be. */
static void filters_ask(struct cw_template_block *tb)
{
    static const struct {
        enum cw_filter_op op;
        const char *operand;
        int is_ip;
    } asked[] = {{CW_FILTER_CONTAINS, "o", 0},       {CW_FILTER_CONTAINS, "1", 0},
                 {CW_FILTER_NOT_CONTAINS, "1.2", 0}, {CW_FILTER_CONTAINS, "10.0.0.0/8", 1},
                 {CW_FILTER_RE, "(?i)a.*0", 0},      {CW_FILTER_PATTERN, "<_> <_>", 0}};
    for (size_t i = 0; i < CW_COUNT(asked); i++) {
        struct cw_line_filter *filter;
        struct cw_err err;
        uint64_t unsure[CW_BLOCK_ROWS_MAX / 64] = {0};
        memset(keep, 0xff, sizeof(keep));
        CW_ASSERT(cw_line_filter_new(asked[i].op, &filter, &err) == 0);
        CW_ASSERT(cw_line_filter_add(filter, cw_str_of(asked[i].operand), asked[i].is_ip, &err) ==
                  0);
        bool by_values = false;
        const struct cw_line_filter *filters[] = {filter, filter};
        (void)cw_template_match(filters, 2, CW_MATCH_WANTS_ROWS, tb, CW_STR_NONE, keep, unsure,
                                &by_values, &err);
        cw_line_filter_free(&filter);
    }
}

static void block_read(struct cw_template_block *tb)
{
    const struct cw_layout *layout;
    const struct cw_column *column;
    struct cw_err err;
    if (cw_template_block_open(tb, &block, &err) < 0)
        return;
    filters_ask(tb);
    lines_read(tb, 0, block.rows, 1);
    lines_read(tb, block.rows / 2, block.rows, 5);
    lines_read(tb, 0, block.rows / 3, 2);
    if (cw_template_block_layout(tb, &layout, &err) < 0)
        return;
    for (uint32_t c = 0; c < layout->ncolumns; c++)
        if (cw_template_block_column(tb, c, &column, &err) == 0)
            CW_ASSERT(column->n == cw_template_block_values(tb, c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_template_block *tb = cw_template_block_new();
    struct cw_err err;
    char *copy = malloc(size + 1);
    if (size > 0)
        memcpy(copy, data, size);
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    template_model_reseal(copy, size);
    if (cw_block_open(cw_str_make(copy, size), &block, &err) == 0 &&
        block.kind == CW_BLOCK_TEMPLATES)
        block_read(tb);
    cw_template_block_free(&tb);
    free(copy);
    return 0;
}
