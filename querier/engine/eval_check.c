/* What of an expression cannot be evaluated: part of eval.h. */
#include "querier/engine/eval.h"
#include "querier/engine/pipeline.h"

/* Stages are compiled for what is wrong with them. The log range of variants is theirs too. */
static int check_stages(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    (void)arg;
    if (expr->kind != CW_EXPR_LOG && expr->kind != CW_EXPR_RANGE_AGG)
        return 0;
    struct cw_pipeline *pipeline = NULL;
    int rc = cw_pipeline_new(expr, NULL, CW_PIPELINE_LOGS, &pipeline, err);
    cw_pipeline_free(&pipeline);
    return rc;
}

static int check_in(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                    struct cw_err *err)
{
    (void)arg;
    (void)expr;
    return cw_eval_check(filter->query, err);
}

int cw_eval_check(const struct cw_expr *expr, struct cw_err *err)
{
    int rc = cw_expr_each(expr, check_stages, NULL, err);
    return rc < 0 ? rc : cw_expr_each_in(expr, check_in, NULL, err);
}
