#include "querier/engine/explain.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "querier/engine/log_context.h"
#include "querier/engine/log_query.h"
#include "querier/engine/plan.h"
#include "querier/engine/stream_query.h"
#include "querier/engine/sub_query.h"

struct cw_explain_held {
    struct cw_explain_held *next;
    struct cw_eval *eval;
    struct cw_range_agg *agg;
    struct cw_pipeline *pipeline;
};

struct making {
    struct cw_query_context *query;
    struct cw_explain *out;
};

static void add_units(struct cw_explain_scan *scan, const struct cw_units *units)
{
    for (size_t i = 0; i < units->n; i++) {
        const struct cw_unit *unit = &units->items[i];
        scan->blocks++;
        scan->text_bytes += unit->bytes;
        scan->stored_bytes += unit->stored_bytes;
        scan->entries += unit->rows;
        scan->text_bytes_in_range += cw_unit_share(unit, scan->start_ns, scan->end_ns, unit->bytes);
        scan->entries_in_range += cw_unit_share(unit, scan->start_ns, scan->end_ns, unit->rows);
    }
}

static int count_stream(void *arg, const struct cw_list_item *item, struct cw_err *err)
{
    (void)item;
    (void)err;
    ++*(uint64_t *)arg;
    return 0;
}

static int count_streams(struct cw_query_context *query, struct cw_explain_scan *scan,
                         struct cw_err *err)
{
    const struct cw_selector *selector = &scan->expr->selector;
    const struct cw_listing listing = {.what = CW_LIST_STREAMS,
                                       .selectors = &selector,
                                       .nselectors = 1,
                                       .start_ns = scan->start_ns,
                                       .end_ns = scan->end_ns};
    return cw_stream_query_list(query, &listing, count_stream, &scan->streams, err);
}

/* A context of its own: what planning counts is the scan's, and not the query's. */
static int explain_scan(struct cw_query_context *query, struct cw_explain_scan *scan,
                        struct cw_err *err)
{
    struct cw_query_context own;
    struct cw_plan plan;
    cw_query_context_fork(query, &own);
    int rc =
        cw_plan_make(&own, scan->expr, scan->start_ns, scan->end_ns, scan->need, false, &plan, err);
    if (rc == 0) {
        add_units(scan, &plan.units);
        scan->kind = cw_scan_kind_of(&plan.scan);
        scan->cpu_ns = cw_scan_costs_estimate(query->costs, scan->kind, plan.bytes);
        cw_plan_fini(&plan);
        scan->sources = atomic_load(&own.sources_planned);
        scan->sources_outside = atomic_load(&own.sources_outside);
        scan->blocks_outside = atomic_load(&own.stats.blocks_outside);
        scan->bytes_outside = atomic_load(&own.stats.bytes_outside);
        scan->blocks_unmatched = atomic_load(&own.stats.blocks_unmatched);
        scan->bytes_unmatched = atomic_load(&own.stats.bytes_unmatched);
        if (scan->start_ns < scan->end_ns)
            rc = count_streams(&own, scan, err);
    }
    return rc;
}

static void begin(struct making *making, struct cw_query_context *query, struct cw_explain *out)
{
    *out = (struct cw_explain){.arena = cw_arena_new()};
    *making = (struct making){query, out};
}

static int end(struct making *making, int rc)
{
    if (rc < 0)
        cw_explain_fini(making->out);
    return rc < 0 ? rc : 0;
}

static struct cw_explain_held *hold(struct making *making)
{
    struct cw_explain_held *held = cw_mem_new(sizeof *held);
    held->next = making->out->held;
    making->out->held = held;
    return held;
}

static int add_scan(struct making *making, const struct cw_explain_scan *scan, struct cw_err *err)
{
    struct cw_explain *out = making->out;
    out->scans = cw_arena_grow(out->arena, out->scans, out->n, &out->cap, out->n + 1, sizeof *scan);
    out->scans[out->n] = *scan;
    return explain_scan(making->query, &out->scans[out->n++], err);
}

static int add_agg(struct making *making, const struct cw_range_agg *agg,
                   enum cw_explain_purpose purpose, struct cw_str values_of, struct cw_err *err)
{
    struct cw_explain_scan scan = {.purpose = purpose,
                                   .values_of = values_of,
                                   .expr = cw_range_agg_expr(agg),
                                   .pipeline = cw_range_agg_pipeline(agg),
                                   .need = cw_range_agg_need(agg)};
    cw_range_agg_bounds(agg, &scan.start_ns, &scan.end_ns);
    return add_scan(making, &scan, err);
}

static int add_metric(struct making *making, const struct cw_expr *expr, const struct cw_grid *grid,
                      enum cw_eval_kind kind, enum cw_explain_purpose purpose,
                      struct cw_str values_of, struct cw_err *err)
{
    struct cw_eval_options options = {.allowance = &making->query->allowance};
    struct cw_explain_held *held = hold(making);
    int rc = cw_eval_new(expr, grid, kind, &options, &held->eval, err);
    for (size_t i = 0; rc == 0 && i < cw_eval_nrange_aggs(held->eval); i++)
        rc = add_agg(making, cw_eval_range_agg(held->eval, i), purpose, values_of, err);
    return rc;
}

static int add_logs(struct making *making, const struct cw_expr *expr,
                    enum cw_explain_purpose purpose, int64_t start_ns, int64_t end_ns,
                    struct cw_err *err)
{
    struct cw_explain_held *held = hold(making);
    int rc = cw_pipeline_new(expr, NULL, CW_PIPELINE_LOGS, &held->pipeline, err);
    if (rc < 0)
        return rc;
    struct cw_explain_scan scan = {.purpose = purpose,
                                   .expr = expr,
                                   .pipeline = held->pipeline,
                                   .start_ns = start_ns,
                                   .end_ns = end_ns,
                                   .need = cw_log_query_need(expr)};
    return add_scan(making, &scan, err);
}

static int add_values(void *arg, const struct cw_sub_query *sub, struct cw_err *err)
{
    struct making *making = arg;
    const struct cw_label_filter *filter = sub->filter;
    if (cw_expr_is_metric(filter->query))
        return add_metric(making, filter->query, &sub->grid, CW_EVAL_INSTANT, CW_EXPLAIN_VALUES,
                          filter->name, err);
    struct cw_explain_held *held = hold(making);
    struct cw_expr *count = CW_ARENA_NEW(making->out->arena, struct cw_expr);
    struct cw_grid grid;
    *count = cw_sub_query_count(sub);
    cw_grid_init_instant(&grid, sub->end_ns);
    held->agg = cw_range_agg_new(count, NULL, &grid, &making->query->allowance);
    struct cw_explain_scan scan = {.purpose = CW_EXPLAIN_VALUES,
                                   .values_of = filter->name,
                                   .expr = filter->query,
                                   .pipeline = cw_range_agg_pipeline(held->agg),
                                   .start_ns = sub->start_ns,
                                   .end_ns = sub->end_ns,
                                   .need = cw_range_agg_need(held->agg)};
    return add_scan(making, &scan, err);
}

/* The streams of the matches are read whole, between the first match and the last one. */
static int add_context(struct making *making, const struct cw_expr *expr, int64_t start_ns,
                       int64_t end_ns, struct cw_err *err)
{
    struct cw_arena *arena = making->out->arena;
    struct cw_expr *all = CW_ARENA_NEW(arena, struct cw_expr);
    *all = *expr;
    all->stages = NULL;
    int rc = add_logs(making, cw_log_context_matching(expr, arena), CW_EXPLAIN_ANSWER, start_ns,
                      end_ns, err);
    return rc < 0 ? rc : add_logs(making, all, CW_EXPLAIN_CONTEXT, start_ns, end_ns, err);
}

int cw_explain_logs(struct cw_query_context *query, struct cw_expr *expr, int64_t start_ns,
                    int64_t end_ns, struct cw_explain *out, struct cw_err *err)
{
    const struct cw_sub_query_span span = {start_ns, end_ns, NULL};
    bool context = cw_stage_find(expr->stages, CW_STAGE_CONTEXT) != NULL;
    struct making making;
    begin(&making, query, out);
    int rc = cw_sub_queries_each(expr, &span, add_values, &making, err);
    if (rc == 0)
        rc = context ? add_context(&making, expr, start_ns, end_ns, err)
                     : add_logs(&making, expr, CW_EXPLAIN_ANSWER, start_ns, end_ns, err);
    return end(&making, rc);
}

int cw_explain_samples(struct cw_query_context *query, struct cw_expr *expr,
                       const struct cw_grid *grid, enum cw_eval_kind kind, struct cw_explain *out,
                       struct cw_err *err)
{
    const struct cw_sub_query_span span = {.grid = grid};
    struct making making;
    begin(&making, query, out);
    int rc = cw_sub_queries_each(expr, &span, add_values, &making, err);
    if (rc == 0)
        rc = add_metric(&making, expr, grid, kind, CW_EXPLAIN_ANSWER, CW_STR_NONE, err);
    return end(&making, rc);
}

static void held_free(struct cw_explain_held *held)
{
    cw_eval_free(&held->eval);
    cw_range_agg_free(&held->agg);
    cw_pipeline_free(&held->pipeline);
    free(held);
}

void cw_explain_fini(struct cw_explain *explain)
{
    while (explain->held != NULL) {
        struct cw_explain_held *held = explain->held;
        explain->held = held->next;
        held_free(held);
    }
    cw_arena_free(&explain->arena);
    *explain = (struct cw_explain){0};
}
