/* What of an expression cannot be evaluated: part of eval.h. */
#include "common/base/assert.h"
#include "querier/engine/eval.h"
#include "querier/engine/pipeline.h"

/* Stages are compiled for what is wrong with them. */
static int check_stages(const struct cw_expr *expr, struct cw_err *err)
{
    struct cw_pipeline *pipeline = NULL;
    int rc = cw_pipeline_new(expr, NULL, CW_PIPELINE_LOGS, &pipeline, err);
    cw_pipeline_free(&pipeline);
    return rc;
}

static int check_tree(const struct cw_expr *expr, struct cw_err *err)
{
    int rc = 0;
    switch (expr->kind) {
    case CW_EXPR_LOG:
    case CW_EXPR_RANGE_AGG: return check_stages(expr, err);
    case CW_EXPR_NUMBER:
    case CW_EXPR_VECTOR: return 0;
    case CW_EXPR_VARIANTS:
        for (size_t i = 0; rc == 0 && i < expr->nvariants; i++)
            rc = check_tree(expr->variants[i], err);
        return rc;
    case CW_EXPR_VECTOR_AGG:
    case CW_EXPR_LABEL_REPLACE: return check_tree(expr->left, err);
    case CW_EXPR_BINARY:
        rc = check_tree(expr->left, err);
        return rc < 0 ? rc : check_tree(expr->right, err);
    }
    CW_ASSERT(!"every kind of expression is checked");
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
    int rc = check_tree(expr, err);
    return rc < 0 ? rc : cw_expr_each_in(expr, check_in, NULL, err);
}
