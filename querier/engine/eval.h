/*
 * eval.h - a metric expression to its result. What needs entries (the range aggregations) is listed
 * first, fed by whoever scans; the rest is arithmetic on tables.
 *
 *     cw_eval_check(query->root)
 *     eval = cw_eval_new(root, grid, kind, options)
 *     for each cw_eval_range_agg(eval, i):           scan and feed (range_agg.h)
 *     cw_eval_run(eval, &result)
 *
 * Ownership  Borrows the expression and the allowance; owns the range aggregations.
 * Threads    new, run and free on one thread; between them the range aggregations are fed as
 *            range_agg.h says.
 * Errors     CW_E_LIMIT, CW_E_INTERNAL (Loki answers 500 to wrong vector
 *            matching), CW_E_INVALID.
 */
#ifndef CW_ENGINE_EVAL_H
#define CW_ENGINE_EVAL_H
#include "common/logql/ast.h"
#include "querier/engine/range_agg.h"
#include "querier/engine/sample.h"

enum cw_eval_kind { CW_EVAL_INSTANT, CW_EVAL_RANGE };

struct cw_eval_options {
    struct cw_allowance *allowance; /* may be NULL */
    size_t max_series;              /* max_query_series; 0: no bound */
};

struct cw_eval;

/* Whether everything in the expression (log or metric) can be evaluated; CW_E_INVALID in Loki's words. */
int cw_eval_check(const struct cw_expr *expr, struct cw_err *err) CW_MUST_USE;
/* `expr` is a metric expression that passed the check. CW_E_INVALID: what only instant queries can have. */
int cw_eval_new(const struct cw_expr *expr, const struct cw_grid *grid, enum cw_eval_kind kind,
                const struct cw_eval_options *options, struct cw_eval **out,
                struct cw_err *err) CW_MUST_USE;
void cw_eval_free(struct cw_eval **eval);
size_t cw_eval_nrange_aggs(const struct cw_eval *eval);
struct cw_range_agg *cw_eval_range_agg(struct cw_eval *eval, size_t idx);
/* CW_E_LIMIT: a query has more series than that. */
int cw_eval_fail_series(size_t max_series, struct cw_err *err);
/* Once, after all range aggregations were fed and merged. *out is the caller's (cw_result_fini()).
 * */
int cw_eval_run(struct cw_eval *eval, struct cw_result *out, struct cw_err *err) CW_MUST_USE;

#endif
