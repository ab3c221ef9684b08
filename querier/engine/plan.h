/*
 * plan.h - from a log expression to work units: the scan with what is pushed down to the cursors, and the pieces of every
 * source that may hold an answer.
 *
 * Pushed down: the selector, the time range, and the line filters. Loki moves line filters ahead of everything that leaves
 * the line alone (parsers, label_format, drop, keep, decolorize); behind line_format, unpack and label filters they stay. Label filters
 * that compare a text and have nothing but filters before them are asked of structured metadata beside the data; they stay in the
 * pipeline, too.
 *
 * Limit      A query whose plans together would read more bytes of lines than the context allows is refused in Loki's words.
 * Ownership  A plan borrows the expression and the context; cw_plan_fini() frees the rest.
 * Threads    Made by one thread, then read-only for the workers but for its order, which one run at a time uses (unit_run.h).
 */
#ifndef CW_ENGINE_PLAN_H
#define CW_ENGINE_PLAN_H
#include "common/logql/ast.h"
#include "common/store/cursor.h"
#include "querier/engine/query_context.h"
#include "querier/engine/unit_order.h"

struct cw_plan {
    struct cw_scan scan;
    struct cw_units units;       /* in the order of the snapshot's sources: oldest arrival first */
    struct cw_unit_order *order; /* of the units, in that of the scan */
    const struct cw_line_filter **filters;
    struct cw_meta_filter *meta_filters;
    uint64_t bytes; /* estimate over all units */
};

/* How much of `amount` of the unit lies in the range, if it is spread evenly over the unit's times. */
uint64_t cw_unit_share(const struct cw_unit *unit, int64_t start_ns, int64_t end_ns,
                       uint64_t amount);
/* Bytes of lines that units have in the range, likewise. */
uint64_t cw_units_bytes(const struct cw_units *units, int64_t start_ns, int64_t end_ns);

/* Stages that a line filter behind them must wait for: they change the line, or decide on their own (or by what came to them) whether it
 * stays. */
bool cw_plan_holds_back(enum cw_stage_kind kind);
/* The line filters of a pipeline that run beside the data; *out is heap, free(). Returns how many. */
size_t cw_plan_filters(const struct cw_stage *stages, const struct cw_line_filter ***out);
/* The label filters that are asked of metadata; *out is heap, each of it to be ended, and freed. Returns how many. */
size_t cw_plan_meta_filters(const struct cw_stage *stages, struct cw_meta_filter **out);
/* `expr` is a log expression, or a range aggregation for its log range. On failure nothing is to be freed. */
int cw_plan_make(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                 int64_t end_ns, unsigned need, bool newest_first, struct cw_plan *out,
                 struct cw_err *err) CW_MUST_USE;
void cw_plan_fini(struct cw_plan *plan);

#endif
