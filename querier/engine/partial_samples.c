/* partial_samples.c - a metric query in slices of steps (partial_query.h). */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/id_map.h"
#include "querier/engine/metric_query.h"
#include "querier/engine/partial_query.h"
#include "querier/engine/plan.h"

/* What one range aggregation would read for all steps. */
struct leaf {
    struct cw_plan plan;
    int64_t start_ns, end_ns;
};

struct samples_run {
    struct cw_query_context *query;
    const struct cw_expr *expr;
    const struct cw_grid *grid;
    size_t max_series;
    struct leaf *leaves;
    size_t nleaves;
    struct cw_id_map series; /* of `table`: numbers are indices of its items */
    struct cw_table *table;
};

static uint64_t slice_bytes(void *ctx, uint64_t from, uint64_t to)
{
    const struct samples_run *run = ctx;
    uint64_t bytes = 0;
    for (size_t i = 0; i < run->nleaves; i++) {
        const struct leaf *leaf = &run->leaves[i];
        bytes +=
            cw_units_bytes(&leaf->plan.units, leaf->start_ns + (int64_t)from * run->grid->step_ns,
                           leaf->end_ns - (int64_t)(run->grid->n - to) * run->grid->step_ns);
    }
    return bytes;
}

/* Series of one name (label_replace makes them) are told apart by their order: the place among them goes into the id. */
static int find_series(struct samples_run *run, const struct cw_series *from, size_t place,
                       struct cw_series **out, struct cw_err *err)
{
    struct cw_hash128 id = cw_labels_hash(from->labels);
    bool added;
    id.lo += place;
    size_t i = cw_id_map_put(&run->series, id, &added);
    if (!added) {
        *out = &run->table->items[i];
        return 0;
    }
    if (run->max_series > 0 && i >= run->max_series)
        return cw_eval_fail_series(run->max_series, err);
    return cw_table_add(run->table, from->labels, CW_TABLE_COPY, out, err);
}

/* Twice: first all series find room, so that a slice is merged whole or leaves no value. */
static int merge(struct samples_run *run, const struct cw_table *slice, size_t first_step,
                 struct cw_err *err)
{
    for (int with_values = 0; with_values <= 1; with_values++) {
        size_t place = 0;
        for (size_t i = 0; i < slice->n; i++) {
            const struct cw_series *from = &slice->items[i];
            struct cw_series *to;
            place = i > 0 && cw_labels_eq(slice->items[i - 1].labels, from->labels) ? place + 1 : 0;
            int rc = find_series(run, from, place, &to, err);
            if (rc < 0)
                return rc;
            for (size_t step = 0; with_values && step < slice->grid.n; step++)
                if (cw_series_has(from, step))
                    cw_series_set(to, first_step + step, from->values[step]);
        }
    }
    return 0;
}

static int run_slice(void *ctx, uint64_t from, uint64_t to, struct cw_err *err)
{
    struct samples_run *run = ctx;
    struct cw_grid grid = {.start_ns = cw_grid_time(run->grid, (size_t)from),
                           .step_ns = run->grid->step_ns,
                           .n = (size_t)(to - from)};
    struct cw_result result;
    int rc = cw_metric_query_run(run->query, run->expr, &grid, CW_EVAL_RANGE, run->max_series,
                                 &result, err);
    if (rc < 0)
        return rc;
    rc = merge(run, result.table, (size_t)from, err);
    cw_result_fini(&result);
    return rc;
}

static int plan_leaves(struct samples_run *run, struct cw_err *err)
{
    struct cw_eval_options options = {.allowance = &run->query->allowance};
    struct cw_query_context own;
    struct cw_eval *eval = NULL;
    cw_query_context_fork(run->query, &own);
    int rc = cw_eval_new(run->expr, run->grid, CW_EVAL_RANGE, &options, &eval, err);
    size_t n = rc == 0 ? cw_eval_nrange_aggs(eval) : 0;
    run->leaves = cw_mem_array(n + 1, sizeof *run->leaves);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        const struct cw_range_agg *agg = cw_eval_range_agg(eval, i);
        struct leaf *leaf = &run->leaves[i];
        cw_range_agg_bounds(agg, &leaf->start_ns, &leaf->end_ns);
        rc = cw_plan_make(&own, cw_range_agg_expr(agg), leaf->start_ns, leaf->end_ns, CW_NEED_TIMES,
                          false, &leaf->plan, err);
        run->nleaves += rc == 0;
    }
    cw_eval_free(&eval);
    return rc;
}

/* The plans borrow the expression alone. */
static void samples_run_fini(struct samples_run *run)
{
    for (size_t i = 0; i < run->nleaves; i++)
        cw_plan_fini(&run->leaves[i].plan);
    free(run->leaves);
    cw_id_map_fini(&run->series);
    cw_table_free(&run->table);
}

int cw_partial_samples(struct cw_query_context *query, const struct cw_expr *expr,
                       const struct cw_grid *grid, size_t max_series,
                       const struct cw_partial_limits *limits, struct cw_partial_samples *out,
                       struct cw_err *err)
{
    struct samples_run run = {.query = query,
                              .expr = expr,
                              .grid = grid,
                              .max_series = max_series,
                              .table = cw_table_new(grid, &query->allowance)};
    const struct cw_slices slices = {.total = grid->n,
                                     .max_bytes = limits->max_bytes,
                                     .first_bytes = limits->first_bytes,
                                     .time_ns = limits->time_ns,
                                     .bytes = slice_bytes,
                                     .run = run_slice,
                                     .ctx = &run};
    uint64_t done = 0;
    cw_id_map_init(&run.series);
    *out = (struct cw_partial_samples){0};
    int rc = plan_leaves(&run, err);
    if (rc == 0)
        rc = cw_slices_walk(&slices, &done, &out->stop, err);
    if (rc == 0) {
        cw_table_drop_empty(run.table); /* of a slice that found no room */
        rc = cw_table_sort(run.table, err);
    }
    if (rc == 0) {
        out->result = (struct cw_result){.kind = CW_RESULT_MATRIX, .table = run.table};
        out->nsteps = (size_t)done;
        run.table = NULL;
    }
    samples_run_fini(&run);
    return rc;
}
