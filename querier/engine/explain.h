/*
 * explain.h - what a query would do: its scans, each planned as it would be, and none run.
 *
 * Streams and blocks are chosen from the tables of parts; no block is opened. What filters rule out once blocks are open (the value
 * filter, literals, templates) is not known then, so that figures are of what would be opened: upper bounds. So are those of what stands
 * around matches (context): nobody knows yet in which streams they are.
 *
 * Ownership  Borrows context, expression and costs; cw_explain_fini() frees the rest.
 * Threads    One.
 * Errors     As plan.h.
 */
#ifndef CW_ENGINE_EXPLAIN_H
#define CW_ENGINE_EXPLAIN_H
#include "querier/engine/eval.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/query_context.h"
#include "querier/engine/scan_cost.h"

enum cw_explain_purpose {
    CW_EXPLAIN_ANSWER,
    CW_EXPLAIN_VALUES,  /* of an `in (...)` */
    CW_EXPLAIN_CONTEXT, /* of the matches that the scan before it finds */
};

struct cw_explain_scan {
    enum cw_explain_purpose purpose;
    struct cw_str values_of;    /* VALUES: the label */
    const struct cw_expr *expr; /* a log expression or a range aggregation: selector and stages */
    const struct cw_pipeline *pipeline;
    int64_t start_ns, end_ns; /* start <= t < end */
    unsigned need;            /* enum cw_need */
    enum cw_scan_kind kind;
    uint64_t streams;                       /* that match and may have entries in the range */
    uint64_t sources, sources_outside;      /* parts, and what is in memory */
    uint64_t blocks_outside, bytes_outside; /* of the range; blocks of the other sources */
    uint64_t blocks_unmatched, bytes_unmatched;
    /* What would be opened, and of that the share that lies in the range if entries lie evenly. */
    uint64_t blocks, text_bytes, stored_bytes, entries;
    uint64_t text_bytes_in_range, entries_in_range;
    uint64_t cpu_ns; /* estimate */
};

struct cw_explain_held;

struct cw_explain {
    struct cw_explain_scan *scans; /* in the order in which they would run */
    size_t n, cap;
    struct cw_explain_held *held; /* what scans refer to */
    struct cw_arena *arena;
};

/* The context says over what; its figures are not touched. Both: the expression passed cw_eval_check(), and outlives the result. */
int cw_explain_logs(struct cw_query_context *query, struct cw_expr *expr, int64_t start_ns,
                    int64_t end_ns, struct cw_explain *out, struct cw_err *err) CW_MUST_USE;
int cw_explain_samples(struct cw_query_context *query, struct cw_expr *expr,
                       const struct cw_grid *grid, enum cw_eval_kind kind, struct cw_explain *out,
                       struct cw_err *err) CW_MUST_USE;
void cw_explain_fini(struct cw_explain *explain);

#endif
