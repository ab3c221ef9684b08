#include "querier/engine/metric_query.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "querier/engine/plan.h"
#include "querier/engine/scan_cost.h"
#include "querier/engine/unit_run.h"

struct leaf_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    const struct cw_range_agg *agg;
    struct cw_range_part **parts; /* by slot; NULL until the slot has work */
};

static int add_batch(void *arg, const struct cw_entry_batch *batch, struct cw_err *err)
{
    return cw_range_part_add(arg, batch, err);
}

static int read_unit(void *arg, unsigned slot, size_t idx, struct cw_err *err)
{
    struct leaf_run *run = arg;
    if (run->parts[slot] == NULL)
        run->parts[slot] = cw_range_part_new(run->agg);
    cw_range_part_begin_unit(run->parts[slot], (uint32_t)idx, run->plan->scan.stats);
    return cw_unit_read(run->query, &run->plan->scan, &run->plan->units.items[idx], add_batch,
                        run->parts[slot], err);
}

/* Scan, then merge what the workers have. */
int cw_metric_query_scan(struct cw_query_context *query, struct cw_range_agg *agg, int64_t start_ns,
                         int64_t end_ns, struct cw_err *err)
{
    struct cw_plan plan;
    int rc = cw_plan_make(query, cw_range_agg_expr(agg), start_ns, end_ns, cw_range_agg_need(agg),
                          false, &plan, err);
    if (rc < 0)
        return rc;
    unsigned nslots = cw_unit_run_slots(query);
    struct leaf_run run = {.query = query,
                           .plan = &plan,
                           .agg = agg,
                           .parts = cw_mem_array(nslots, sizeof *run.parts)};
    uint64_t cpu_ns = atomic_load(&query->times[CW_STEP_SCAN].cpu_ns);
    rc = cw_unit_run(query, &plan, read_unit, &run, err);
    if (rc == 0 && query->costs != NULL)
        cw_scan_costs_add(query->costs, cw_scan_kind_of(&plan.scan), plan.bytes,
                          atomic_load(&query->times[CW_STEP_SCAN].cpu_ns) - cpu_ns);
    struct cw_step_clock begun = cw_step_begin();
    for (unsigned i = 0; i < nslots; i++) {
        if (run.parts[i] != NULL && rc == 0)
            rc = cw_range_agg_merge(agg, &run.parts[i], err);
        cw_range_part_free(&run.parts[i]);
    }
    cw_step_end(query, CW_STEP_EVALUATE, &begun);
    free(run.parts);
    cw_plan_fini(&plan);
    return rc;
}

static int run_leaf(struct cw_query_context *query, struct cw_range_agg *agg, struct cw_err *err)
{
    int64_t start_ns, end_ns;
    cw_range_agg_bounds(agg, &start_ns, &end_ns);
    return cw_metric_query_scan(query, agg, start_ns, end_ns, err);
}

int cw_metric_query_run(struct cw_query_context *query, const struct cw_expr *expr,
                        const struct cw_grid *grid, enum cw_eval_kind kind, size_t max_series,
                        struct cw_result *out, struct cw_err *err)
{
    struct cw_eval_options options = {.allowance = &query->allowance, .max_series = max_series};
    struct cw_eval *eval = NULL;
    int rc = cw_eval_new(expr, grid, kind, &options, &eval, err);
    for (size_t i = 0; rc == 0 && i < cw_eval_nrange_aggs(eval); i++)
        rc = run_leaf(query, cw_eval_range_agg(eval, i), err);
    struct cw_step_clock begun = cw_step_begin();
    if (rc == 0)
        rc = cw_eval_run(eval, out, err);
    cw_step_end(query, CW_STEP_EVALUATE, &begun);
    cw_eval_free(&eval);
    return rc < 0 ? cw_query_context_reason(query, rc, err) : 0;
}
