#include "querier/engine/field_filter.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "querier/engine/field_rows.h"
#include "querier/engine/plan.h"

struct cw_field_prefix {
    struct cw_arena *arena;
    struct cw_expr expr;
    struct cw_grouping grouping; /* by nothing: only filters need labels */
    struct cw_pipeline *pipeline;
};

struct cw_field_filter {
    struct cw_pipeline_run *run;
    struct cw_field_rows *rows;
    struct cw_arena *scratch; /* of a batch */
};

/* How many stages are the front; 0: no label filter is among them. */
static size_t front_count(const struct cw_stage *stages)
{
    size_t n = 0, end = 0;
    bool held_back = false;
    for (const struct cw_stage *stage = stages; stage != NULL; stage = stage->next) {
        bool parses = stage->kind == CW_STAGE_JSON || stage->kind == CW_STAGE_LOGFMT;
        /* Line filters behind those that hold them back are the pipeline's own. */
        bool fits = parses || stage->kind == CW_STAGE_LABEL_FILTER ||
                    stage->kind == CW_STAGE_DROP || stage->kind == CW_STAGE_KEEP ||
                    (stage->kind == CW_STAGE_LINE_FILTER && !held_back);
        if (!fits)
            break;
        held_back |= cw_plan_holds_back(stage->kind);
        n++;
        if (stage->kind == CW_STAGE_LABEL_FILTER)
            end = n;
    }
    return end;
}

static struct cw_stage *stages_copy(struct cw_arena *arena, const struct cw_stage *stages, size_t n)
{
    struct cw_stage *copy = CW_ARENA_ARRAY(arena, struct cw_stage, n);
    for (size_t i = 0; i < n; i++, stages = stages->next) {
        copy[i] = *stages;
        copy[i].next = i + 1 < n ? &copy[i + 1] : NULL;
    }
    return copy;
}

struct cw_field_prefix *cw_field_prefix_new(const struct cw_expr *expr)
{
    struct cw_err err;
    size_t n = front_count(expr->stages);
    if (n == 0)
        return NULL;
    struct cw_field_prefix *prefix = cw_mem_new(sizeof *prefix);
    prefix->arena = cw_arena_new();
    prefix->expr = (struct cw_expr){.kind = CW_EXPR_LOG,
                                    .stages = stages_copy(prefix->arena, expr->stages, n)};
    prefix->grouping.kind = CW_GROUP_BY;
    int rc = cw_pipeline_new(&prefix->expr, &prefix->grouping, CW_PIPELINE_COUNT, &prefix->pipeline,
                             &err);
    if (rc < 0 || cw_pipeline_parser(prefix->pipeline) == NULL)
        cw_field_prefix_free(&prefix);
    return prefix;
}

void cw_field_prefix_free(struct cw_field_prefix **prefix)
{
    if (*prefix == NULL)
        return;
    cw_pipeline_free(&(*prefix)->pipeline);
    cw_arena_free(&(*prefix)->arena);
    free(*prefix);
    *prefix = NULL;
}

static int settle(void *arg, uint32_t *end_out, struct cw_err *err)
{
    (void)arg;
    (void)err;
    *end_out = 0; /* it stays, whatever it is */
    return 0;
}

struct cw_field_filter *cw_field_filter_new(const struct cw_field_prefix *prefix,
                                            struct cw_allowance *allowance)
{
    struct cw_field_filter *filter = cw_mem_new(sizeof *filter);
    filter->run = cw_pipeline_run_new(prefix->pipeline);
    filter->rows =
        cw_field_rows_new(&prefix->expr, &prefix->grouping, filter->run, settle, NULL, allowance);
    filter->scratch = cw_arena_new();
    return filter;
}

void cw_field_filter_free(struct cw_field_filter **filter)
{
    if (*filter == NULL)
        return;
    cw_field_rows_free(&(*filter)->rows);
    cw_pipeline_run_free(&(*filter)->run);
    cw_arena_free(&(*filter)->scratch);
    free(*filter);
    *filter = NULL;
}

void cw_field_filter_forget(struct cw_field_filter *filter, struct cw_scan_stats *stats)
{
    cw_field_rows_forget(filter->rows, stats);
}

int cw_field_filter_lines(struct cw_field_filter *filter, const struct cw_entry_batch *batch,
                          size_t n, const struct cw_str **lines_out, struct cw_err *err)
{
    cw_arena_reset(filter->scratch);
    struct cw_field_row *ends = cw_arena_alloc(filter->scratch, batch->n * sizeof *ends);
    struct cw_str *lines = CW_ARENA_ARRAY(filter->scratch, struct cw_str, batch->n);
    *lines_out = lines;
    int rc = cw_field_rows_begin(filter->rows, batch, err);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        ends[i].end = CW_FIELD_ROW_GONE;
        if (i < n)
            rc = cw_field_rows_row(filter->rows, i, &ends[i], err);
        if (ends[i].end != CW_FIELD_ROW_GONE)
            ends[i].end = CW_FIELD_ROW_LINE;
    }
    return rc < 0 ? rc : cw_field_rows_lines(filter->rows, ends, lines, err);
}
