#include "querier/engine/explain.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "querier/engine/log_query.h"
#include "querier/engine/plan.h"
#include "querier/engine/stream_query.h"

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

int cw_explain_logs(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                    int64_t end_ns, struct cw_explain *out, struct cw_err *err)
{
    *out = (struct cw_explain){0};
    int rc = cw_pipeline_new(expr, NULL, CW_PIPELINE_LOGS, &out->pipeline, err);
    if (rc < 0)
        return rc;
    out->n = 1;
    out->scans = cw_mem_array(1, sizeof *out->scans);
    out->scans[0] = (struct cw_explain_scan){.expr = expr,
                                             .pipeline = out->pipeline,
                                             .start_ns = start_ns,
                                             .end_ns = end_ns,
                                             .need = cw_log_query_need(expr)};
    rc = explain_scan(query, &out->scans[0], err);
    if (rc < 0)
        cw_explain_fini(out);
    return rc;
}

int cw_explain_samples(struct cw_query_context *query, const struct cw_expr *expr,
                       const struct cw_grid *grid, enum cw_eval_kind kind, struct cw_explain *out,
                       struct cw_err *err)
{
    struct cw_eval_options options = {.allowance = &query->allowance};
    *out = (struct cw_explain){0};
    int rc = cw_eval_new(expr, grid, kind, &options, &out->eval, err);
    if (rc < 0)
        return rc;
    out->n = cw_eval_nrange_aggs(out->eval);
    out->scans = cw_mem_array(out->n + 1, sizeof *out->scans);
    for (size_t i = 0; rc == 0 && i < out->n; i++) {
        const struct cw_range_agg *agg = cw_eval_range_agg(out->eval, i);
        struct cw_explain_scan *scan = &out->scans[i];
        scan->expr = cw_range_agg_expr(agg);
        scan->pipeline = cw_range_agg_pipeline(agg);
        scan->need = cw_range_agg_need(agg);
        cw_range_agg_bounds(agg, &scan->start_ns, &scan->end_ns);
        rc = explain_scan(query, scan, err);
    }
    if (rc < 0)
        cw_explain_fini(out);
    return rc;
}

void cw_explain_fini(struct cw_explain *explain)
{
    free(explain->scans);
    cw_eval_free(&explain->eval);
    cw_pipeline_free(&explain->pipeline);
    *explain = (struct cw_explain){0};
}
