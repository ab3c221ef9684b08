/*
 * Any bytes as a block of templates (its checksums are put right first), whose rows go through a pipeline by their slots: what comes of a row
 * is what comes of its line, where that can be read. The first byte draws the query.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/store/template_block.h"
#include "querier/engine/field_rows.h"
#include "tests/support/template_model.h"

static const char *const queries[] = {
    "max_over_time({a=\"b\"} | json | duration_ms > 50 | __error__=\"\" | unwrap duration_ms [1m]) by (level)",
    "max_over_time({a=\"b\"} | logfmt | status >= 300 | __error__=\"\" | unwrap duration_ms [1m]) by (level, msg)",
    "absent_over_time({a=\"b\"} | json | level=~\"i.*\" or status != 2 [1m])",
    "absent_over_time({a=\"b\"} | logfmt --strict | level=~\"i.*\" or latency > 5ms [1m])",
    "max_over_time({a=\"b\"} | json level=\"nested.level\", duration_ms=\"a[0]\", id | unwrap duration_ms [1m]) by (level, id)",
    "max_over_time({a=\"b\"} | logfmt --keep-empty level, duration_ms=\"size\" | unwrap duration_ms [1m]) by (level, a)",
};

static struct cw_block block;
static const struct cw_label stream[] = {{{"a", 1}, {"b", 1}}};

/* The ends so far, by the labels that they are of. */
struct ends {
    struct cw_pipeline_run *run;
    const struct cw_grouping *grouping;
    bool unwraps;
    struct cw_buf texts[64];
    uint32_t n;
};

static void labels_text(const struct ends *ends, struct cw_buf *out)
{
    cw_labels_format(
        cw_label_builder_get_named(&ends->run->builder, ends->grouping->names, ends->grouping->n),
        out);
}

static int settle(void *arg, uint32_t *end_out, struct cw_err *err)
{
    struct ends *ends = arg;
    if (ends->n == CW_COUNT(ends->texts))
        return cw_err_set(err, CW_E_LIMIT, "enough");
    cw_buf_init(&ends->texts[ends->n], SIZE_MAX);
    labels_text(ends, &ends->texts[ends->n]);
    *end_out = ends->n++;
    return 0;
}

static void row_check(struct ends *ends, const struct cw_field_row *row, struct cw_str line)
{
    struct cw_buf text;
    struct cw_err err;
    int rc =
        cw_pipeline_entry(ends->run, 0, (struct cw_labels){stream, 1}, CW_LABELS_NONE, line, &err);
    CW_ASSERT(rc >= 0 && (rc == 0) == (row->end == CW_FIELD_ROW_GONE));
    if (rc == 0)
        return;
    CW_ASSERT(ends->run->builder.error.len == 0);
    cw_buf_init(&text, SIZE_MAX);
    labels_text(ends, &text);
    CW_ASSERT(cw_str_eq(cw_buf_str(&text), cw_buf_str(&ends->texts[row->end])));
    if (ends->unwraps)
        CW_ASSERT(memcmp(&ends->run->value, &row->value, sizeof(double)) == 0);
    cw_buf_fini(&text);
}

static void rows_check(struct cw_field_rows *rows, struct ends *ends, struct cw_template_block *tb)
{
    static uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    static uint32_t numbers[CW_BLOCK_ROWS_MAX], offsets[CW_BLOCK_ROWS_MAX + 1];
    static struct cw_field_row out[CW_BLOCK_ROWS_MAX];
    struct cw_buf text;
    struct cw_err err;
    struct cw_entry_batch batch = {
        .stream.labels = {stream, 1}, .n = block.rows, .templates = tb, .rows = numbers};
    for (uint32_t i = 0; i < block.rows; i++)
        numbers[i] = i;
    memset(keep, 0xff, sizeof keep);
    int rc = cw_field_rows_begin(rows, &batch, &err);
    for (uint32_t i = 0; rc == 0 && i < block.rows; i++)
        rc = cw_field_rows_row(rows, i, &out[i], &err);
    cw_buf_init(&text, SIZE_MAX);
    if (rc == 0 && cw_template_block_lines(tb, keep, 0, block.rows, &text, offsets, &err) == 0)
        for (uint32_t i = 0; i < block.rows; i++)
            if (out[i].end != CW_FIELD_ROW_LINE)
                row_check(ends, &out[i],
                          cw_str_make(text.ptr + offsets[i], offsets[i + 1] - offsets[i]));
    cw_buf_fini(&text);
}

static void block_read(const char *text)
{
    struct cw_template_block *tb = cw_template_block_new();
    struct cw_query *query = NULL;
    struct cw_pipeline *pipeline = NULL;
    const struct cw_layout *layout;
    const uint16_t *numbers;
    struct cw_err err;
    CW_ASSERT(cw_logql_parse(cw_str_of(text), &query, &err) == 0);
    const struct cw_expr *expr = query->root;
    struct cw_grouping grouping = expr->grouping;
    if (grouping.kind == CW_GROUP_NONE)
        grouping.kind = CW_GROUP_BY;
    CW_ASSERT(cw_pipeline_new(expr, &grouping, CW_PIPELINE_COUNT, &pipeline, &err) == 0);
    struct ends ends = {.run = cw_pipeline_run_new(pipeline),
                        .grouping = &grouping,
                        .unwraps = expr->unwrap.present};
    struct cw_field_rows *rows = cw_field_rows_new(expr, &grouping, ends.run, settle, &ends, NULL);
    if (cw_template_block_open(tb, &block, &err) == 0 &&
        cw_template_block_layout(tb, &layout, &err) == 0 &&
        cw_template_block_rows(tb, &numbers, &err) == 0)
        rows_check(rows, &ends, tb);
    for (uint32_t i = 0; i < ends.n; i++)
        cw_buf_fini(&ends.texts[i]);
    cw_field_rows_free(&rows);
    cw_pipeline_run_free(&ends.run);
    cw_pipeline_free(&pipeline);
    cw_query_free(&query);
    cw_template_block_free(&tb);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_err err;
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    if (size < 2)
        return 0;
    char *copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);
    template_model_reseal(copy, size - 1);
    if (cw_block_open(cw_str_make(copy, size - 1), &block, &err) == 0 &&
        block.kind == CW_BLOCK_TEMPLATES)
        block_read(queries[data[0] % CW_COUNT(queries)]);
    free(copy);
    return 0;
}
