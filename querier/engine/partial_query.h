/*
 * partial_query.h - a query that stops at a limit with what is complete so far, and says from where to go on: answers that follow each
 * other so are together the whole answer.
 *
 * Entries are complete up to a time, and up to an entry of that time; series are complete up to a step.
 *
 * Ownership  Borrows the context and the expression. Entries lie in the caller's arena, which should draw from the context's
 *            allowance.
 * Threads    Call from a thread that is not one of the pool's.
 * Errors     As log_query.h and metric_query.h; of limits only when nothing at all is complete.
 */
#ifndef CW_ENGINE_PARTIAL_QUERY_H
#define CW_ENGINE_PARTIAL_QUERY_H
#include "common/logql/ast.h"
#include "querier/engine/eval.h"
#include "querier/engine/log_top.h"
#include "querier/engine/query_context.h"
#include "querier/engine/slices.h"

struct cw_partial_limits {
    uint64_t max_bytes; /* of lines in the range that is answered, as far as tables tell; 0: any */
    int64_t time_ns;    /* 0: any */
    uint64_t first_bytes; /* of the first slice (slices.h) */
};

/* What of a log query is left: entries of [start, end), without those that come before the edge and the first `given` at it. */
struct cw_log_rest {
    int64_t start_ns, end_ns;
    bool has_edge;
    int64_t edge_ns;
    struct cw_labels edge; /* of the stream */
    uint64_t given;
};

struct cw_partial_logs {
    const struct cw_log_entry **entries;
    size_t n;
    enum cw_slices_stop stop; /* CALLER: there are max_entries */
    struct cw_log_rest rest;  /* start_ns == end_ns: nothing */
};
/* At most max_entries > 0, and as many as fit in max_bytes of text, but one if there is any. */
int cw_partial_logs(struct cw_query_context *query, const struct cw_expr *expr,
                    const struct cw_log_rest *range, bool newest_first, size_t max_entries,
                    size_t max_bytes, const struct cw_partial_limits *limits,
                    struct cw_arena *arena, struct cw_partial_logs *out,
                    struct cw_err *err) CW_MUST_USE;

struct cw_partial_samples {
    struct cw_result result; /* a matrix over the grid; steps from nsteps on have no values */
    size_t nsteps;           /* answered */
    enum cw_slices_stop stop;
};
/* `expr` is a metric expression. max_series: as cw_metric_query_run(). */
int cw_partial_samples(struct cw_query_context *query, const struct cw_expr *expr,
                       const struct cw_grid *grid, size_t max_series,
                       const struct cw_partial_limits *limits, struct cw_partial_samples *out,
                       struct cw_err *err) CW_MUST_USE;

#endif
