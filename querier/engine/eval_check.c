/* What of the language is not evaluated yet: part of eval.h. */
#include "common/base/assert.h"
#include "common/logql/functions.h"
#include "querier/engine/eval.h"
#include "querier/engine/eval_table.h"

static int missing(struct cw_err *err, const char *construct)
{
    return cw_err_set(err, CW_E_NOT_IMPLEMENTED, "%s is not supported by this version of cordwood",
                      construct);
}

/* The name of a stage that the engine does not run; NULL when it does. */
static const char *missing_stage(enum cw_stage_kind kind)
{
    switch (kind) {
    case CW_STAGE_LINE_FILTER: return NULL;
    case CW_STAGE_JSON: return "the stage `| json`";
    case CW_STAGE_LOGFMT: return "the stage `| logfmt`";
    case CW_STAGE_REGEXP: return "the stage `| regexp`";
    case CW_STAGE_PATTERN: return "the stage `| pattern`";
    case CW_STAGE_UNPACK: return "the stage `| unpack`";
    case CW_STAGE_LABEL_FILTER: return "a label filter";
    case CW_STAGE_LINE_FORMAT: return "the stage `| line_format`";
    case CW_STAGE_LABEL_FORMAT: return "the stage `| label_format`";
    case CW_STAGE_DECOLORIZE: return "the stage `| decolorize`";
    case CW_STAGE_DROP: return "the stage `| drop`";
    case CW_STAGE_KEEP: return "the stage `| keep`";
    }
    CW_ASSERT(!"every stage has a name");
}

static int check_stages(const struct cw_stage *stages, struct cw_err *err)
{
    for (const struct cw_stage *stage = stages; stage != NULL; stage = stage->next)
        if (missing_stage(stage->kind) != NULL)
            return missing(err, missing_stage(stage->kind));
    return 0;
}

static int check_range_agg(const struct cw_expr *expr, struct cw_err *err)
{
    int rc = check_stages(expr->stages, err);
    if (rc < 0)
        return rc;
    if (cw_range_rules[expr->range_fn].value == NULL)
        return missing(err, cw_range_def(expr->range_fn)->name);
    return expr->unwrap.present ? missing(err, "the stage `| unwrap`") : 0;
}

int cw_eval_check(const struct cw_expr *expr, struct cw_err *err)
{
    int rc;
    switch (expr->kind) {
    case CW_EXPR_LOG: return check_stages(expr->stages, err);
    case CW_EXPR_RANGE_AGG: return check_range_agg(expr, err);
    case CW_EXPR_NUMBER:
    case CW_EXPR_VECTOR: return 0;
    case CW_EXPR_VARIANTS: return missing(err, "variants()");
    case CW_EXPR_VECTOR_AGG:
        if (cw_vector_rules[expr->vector_fn].eval == NULL)
            return missing(err, cw_vector_def(expr->vector_fn)->name);
        return cw_eval_check(expr->left, err);
    case CW_EXPR_LABEL_REPLACE: return cw_eval_check(expr->left, err);
    case CW_EXPR_BINARY:
        rc = cw_eval_check(expr->left, err);
        return rc < 0 ? rc : cw_eval_check(expr->right, err);
    }
    CW_ASSERT(!"every kind of expression is checked");
}
