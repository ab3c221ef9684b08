/*
 * range_agg.h - log ranges to samples: count_over_time({..}[5m]) and its like, from entry batches
 * to a table.
 *
 * A cw_range_agg is one range aggregation of a query over one grid. Worker threads feed batches
 * into partial accumulators of their own (cw_range_part); merged, they make the table. A window of
 * step t is (t - range, t], moved back by the offset.
 *
 *     agg = cw_range_agg_new(expr, fusion, grid, allowance)       one thread
 *     part = cw_range_part_new(agg)                               each worker
 *     cw_range_part_add(part, batch)                              each worker, batches in any order
 *     cw_range_agg_merge(agg, &part)                              one thread at a time, workers done
 *     cw_range_agg_finish(agg, &table)                            once
 *
 * Cost       O(1) for an entry: it adds to a difference array at the first and behind the last step
 *            whose windows hold it, and entries of a batch between two window edges are added
 *            together. One pass whatever range and step are. Series are looked up once a batch (and
 *            once for each run of rows with the same metadata).
 *            Expressions with stages go entry by entry through a pipeline (pipeline.h), those with unwrap keep their values.
 *            The different values of a label are kept with a bit a step (step_values.h).
 * Memory     (steps + 1) * 16 bytes a series and part, 24 bytes an unwrapped value, 8 where their order does not matter (value_runs.h),
 *            from the allowance (CW_E_LIMIT past it).
 * Errors     Merging and finishing end with CW_E_CANCELED as match_stop.h says.
 * Ownership  The expression is borrowed and outlives the aggregation.
 */
#ifndef CW_ENGINE_RANGE_AGG_H
#define CW_ENGINE_RANGE_AGG_H
#include "common/logql/ast.h"
#include "common/store/cursor.h"
#include "querier/engine/sample.h"

struct cw_pipeline;
struct cw_range_agg;
struct cw_range_part;

/* `fusion`: the grouping of a sum() around the aggregation, which may be done at once when the
 * function adds up (cw_range_agg_fusible()): the series are then the groups. NULL: a series for
 * every stream. */
bool cw_range_agg_fusible(enum cw_range_fn fn);
struct cw_range_agg *cw_range_agg_new(const struct cw_expr *expr, const struct cw_grouping *fusion,
                                      const struct cw_grid *grid, struct cw_allowance *allowance);
void cw_range_agg_free(struct cw_range_agg **agg);

/* What the windows of this range aggregation over this grid hold: start <= t < end. */
void cw_range_bounds(const struct cw_expr *expr, const struct cw_grid *grid, int64_t *start_ns_out,
                     int64_t *end_ns_out);
/* What the scan must cover (start <= t < end) and bring along (enum cw_need); without CW_NEED_TIMES
 * every entry of the scan lies in every window, so the cursor must bring none outside of [start,
 * end). */
void cw_range_agg_bounds(const struct cw_range_agg *agg, int64_t *start_ns_out,
                         int64_t *end_ns_out);
unsigned cw_range_agg_need(const struct cw_range_agg *agg);
const struct cw_expr *cw_range_agg_expr(
    const struct cw_range_agg *agg); /* selector and stages of the scan */

/* What entries go through. */
const struct cw_pipeline *cw_range_agg_pipeline(const struct cw_range_agg *agg);

struct cw_range_part *cw_range_part_new(const struct cw_range_agg *agg);
void cw_range_part_free(struct cw_range_part **part);
/* Batches up to the next call are of this unit (units tell which of two samples with one time came first), and of a scan that counts in
 * `stats` (may be NULL). */
void cw_range_part_begin_unit(struct cw_range_part *part, uint32_t unit,
                              struct cw_scan_stats *stats);
/* Rows of a batch are ordered by time, up or down. Times outside of every window are left out.
 * CW_E_LIMIT; CW_E_INVALID: a line
 * with __error__. */
int cw_range_part_add(struct cw_range_part *part, const struct cw_entry_batch *batch,
                      struct cw_err *err) CW_MUST_USE;
/* The part is emptied and freed, *part is NULL, also on failure. */
int cw_range_agg_merge(struct cw_range_agg *agg, struct cw_range_part **part,
                       struct cw_err *err) CW_MUST_USE;
/* *out is the caller's. */
int cw_range_agg_finish(struct cw_range_agg *agg, struct cw_table **out,
                        struct cw_err *err) CW_MUST_USE;

#endif
