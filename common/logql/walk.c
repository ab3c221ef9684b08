/* What stands in an expression, found: part of ast.h. */
#include "common/logql/ast.h"

const struct cw_stage *cw_stage_find(const struct cw_stage *stages, enum cw_stage_kind kind)
{
    while (stages != NULL && stages->kind != kind)
        stages = stages->next;
    return stages;
}

bool cw_expr_gathers(const struct cw_expr *expr)
{
    return expr->kind == CW_EXPR_LOG && (cw_stage_find(expr->stages, CW_STAGE_DISTINCT) != NULL ||
                                         cw_stage_find(expr->stages, CW_STAGE_SORT) != NULL ||
                                         cw_stage_find(expr->stages, CW_STAGE_CONTEXT) != NULL);
}

static int filter_each(const struct cw_expr *expr, struct cw_label_filter *filter, cw_in_fn fn,
                       void *arg, struct cw_err *err)
{
    if (filter->kind == CW_LF_IN)
        return fn(arg, expr, filter, err);
    if (filter->kind != CW_LF_AND && filter->kind != CW_LF_OR)
        return 0;
    int rc = filter_each(expr, filter->left, fn, arg, err);
    return rc != 0 ? rc : filter_each(expr, filter->right, fn, arg, err);
}

static int stages_each(const struct cw_expr *expr, const struct cw_stage *stages, cw_in_fn fn,
                       void *arg, struct cw_err *err)
{
    int rc = 0;
    for (const struct cw_stage *stage = stages; rc == 0 && stage != NULL; stage = stage->next)
        if (stage->kind == CW_STAGE_LABEL_FILTER)
            rc = filter_each(expr, stage->label_filter, fn, arg, err);
    return rc;
}

int cw_expr_each_in(const struct cw_expr *expr, cw_in_fn fn, void *arg, struct cw_err *err)
{
    if (expr == NULL)
        return 0;
    int rc = stages_each(expr, expr->stages, fn, arg, err);
    if (rc == 0)
        rc = stages_each(expr, expr->unwrap.post_filters, fn, arg, err);
    for (size_t i = 0; rc == 0 && i < expr->nvariants; i++)
        rc = cw_expr_each_in(expr->variants[i], fn, arg, err);
    if (rc == 0)
        rc = cw_expr_each_in(expr->left, fn, arg, err);
    return rc != 0 ? rc : cw_expr_each_in(expr->right, fn, arg, err);
}

static int found(void *arg, const struct cw_expr *expr, struct cw_label_filter *filter,
                 struct cw_err *err)
{
    (void)arg;
    (void)expr;
    (void)filter;
    (void)err;
    return 1;
}

bool cw_expr_has_in(const struct cw_expr *expr)
{
    return cw_expr_each_in(expr, found, NULL, NULL) != 0;
}
