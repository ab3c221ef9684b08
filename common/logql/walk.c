/* What stands in an expression, found: part of ast.h. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
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
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < filter->nparts; i++)
        rc = filter_each(expr, filter->parts[i], fn, arg, err);
    return rc;
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

/* ---- expressions ---- */

void cw_expr_spine_init(struct cw_expr_spine *spine, const struct cw_expr *expr)
{
    *spine = (struct cw_expr_spine){.first = expr};
    for (; spine->first->kind == CW_EXPR_BINARY; spine->first = spine->first->left)
        spine->n++;
    if (spine->n == 0)
        return;
    spine->items = cw_mem_array(spine->n, sizeof(const struct cw_expr *));
    for (size_t i = spine->n; i-- > 0; expr = expr->left)
        spine->items[i] = expr;
}

void cw_expr_spine_fini(struct cw_expr_spine *spine)
{
    free(spine->items);
    spine->items = NULL;
    spine->n = 0;
}

struct pending {
    const struct cw_expr **items; /* still to be visited, the next one last */
    size_t n, cap;
};

static void push(struct pending *pending, const struct cw_expr *expr)
{
    if (expr == NULL)
        return;
    if (pending->n == pending->cap) {
        pending->cap = CW_MAX(16, pending->cap * 2);
        pending->items =
            cw_mem_resize(pending->items, pending->cap * sizeof(const struct cw_expr *));
    }
    pending->items[pending->n++] = expr;
}

int cw_expr_each(const struct cw_expr *expr, cw_expr_fn fn, void *arg, struct cw_err *err)
{
    struct pending pending = {0};
    int rc = 0;
    push(&pending, expr);
    while (rc == 0 && pending.n > 0) {
        const struct cw_expr *next = pending.items[--pending.n];
        rc = fn(arg, next, err);
        push(&pending, next->right);
        push(&pending, next->left);
        for (size_t i = next->nvariants; i-- > 0;)
            push(&pending, next->variants[i]);
    }
    free(pending.items);
    return rc;
}

/* ---- queries within label filters ---- */

struct in_walk {
    cw_in_fn fn;
    void *arg;
};

static int expr_in(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    const struct in_walk *walk = arg;
    int rc = stages_each(expr, expr->stages, walk->fn, walk->arg, err);
    return rc != 0 ? rc : stages_each(expr, expr->unwrap.post_filters, walk->fn, walk->arg, err);
}

int cw_expr_each_in(const struct cw_expr *expr, cw_in_fn fn, void *arg, struct cw_err *err)
{
    struct in_walk walk = {fn, arg};
    return cw_expr_each(expr, expr_in, &walk, err);
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
