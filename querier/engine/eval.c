#include "querier/engine/eval.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/match_stop.h"
#include "querier/engine/binop.h"
#include "querier/engine/eval_table.h"
#include "querier/engine/label_replace.h"

/* Loki answers an instant query over more than this piece by piece (split_queries_by_interval). */
#define PIECE_NS (3600 * CW_NS_PER_S)
/* More pieces than its longest query has (30 days) are not made. */
#define PIECES_MAX 1024

struct cw_eval {
    const struct cw_expr *root;
    struct cw_grid grid;
    enum cw_eval_kind kind;
    struct cw_eval_options options;
    struct cw_range_agg **leaves; /* in the order of a walk from left to right */
    size_t nleaves, cap;
    size_t next;             /* of the leaves, while the tables are computed */
    struct cw_expr **pieces; /* copies of range aggregations with a shorter range */
    size_t npieces;
};

/* A sum() whose argument adds up needs no series but its groups. */
static bool is_fused(const struct cw_expr *expr)
{
    return expr->kind == CW_EXPR_VECTOR_AGG && expr->vector_fn == CW_VECTOR_SUM &&
           expr->left->kind == CW_EXPR_RANGE_AGG && expr->left->grouping.kind == CW_GROUP_NONE &&
           cw_range_agg_fusible(expr->left->range_fn);
}

static void add_leaf(struct cw_eval *eval, const struct cw_expr *expr,
                     const struct cw_grouping *fusion)
{
    if (eval->nleaves == eval->cap) {
        eval->cap = CW_MAX(4, eval->cap * 2);
        eval->leaves = cw_mem_resize(eval->leaves, eval->cap * sizeof(struct cw_range_agg *));
    }
    eval->leaves[eval->nleaves++] =
        cw_range_agg_new(expr, fusion, &eval->grid, eval->options.allowance);
}

/*
 * avg, min and max of what adds up over a long range: Loki takes them of each piece, and then of the pieces' results, so that
 * the answer is about pieces. Answers are to be its answers; 0 where it does not do so.
 */
static size_t count_pieces(const struct cw_eval *eval, const struct cw_expr *expr)
{
    if (eval->kind != CW_EVAL_INSTANT || expr->kind != CW_EXPR_VECTOR_AGG ||
        (expr->vector_fn != CW_VECTOR_AVG && expr->vector_fn != CW_VECTOR_MIN &&
         expr->vector_fn != CW_VECTOR_MAX) ||
        expr->left->kind != CW_EXPR_RANGE_AGG || expr->left->grouping.kind != CW_GROUP_NONE)
        return 0;
    enum cw_range_fn fn = expr->left->range_fn;
    if (fn != CW_RANGE_COUNT_OVER_TIME && fn != CW_RANGE_BYTES_OVER_TIME && fn != CW_RANGE_SUM)
        return 0;
    int64_t n = expr->left->range_ns / PIECE_NS + (expr->left->range_ns % PIECE_NS > 0);
    return n > 1 && n <= PIECES_MAX ? (size_t)n : 0;
}

static void add_pieces(struct cw_eval *eval, const struct cw_expr *expr, size_t n)
{
    eval->pieces = cw_mem_resize(eval->pieces, (eval->npieces + n) * sizeof(struct cw_expr *));
    for (size_t i = 0; i < n; i++) {
        struct cw_expr *piece = cw_mem_new(sizeof *piece);
        int64_t behind_ns = (int64_t)i * PIECE_NS;
        *piece = *expr->left;
        piece->range_ns = CW_MIN(PIECE_NS, expr->left->range_ns - behind_ns);
        if (__builtin_add_overflow(expr->left->offset_ns, behind_ns, &piece->offset_ns))
            piece->offset_ns = INT64_MAX;
        eval->pieces[eval->npieces++] = piece;
        add_leaf(eval, piece, NULL);
    }
}

static void collect(struct cw_eval *eval, const struct cw_expr *expr)
{
    if (is_fused(expr)) {
        add_leaf(eval, expr->left, &expr->grouping);
        return;
    }
    if (count_pieces(eval, expr) > 0) {
        add_pieces(eval, expr, count_pieces(eval, expr));
        return;
    }
    if (expr->kind == CW_EXPR_RANGE_AGG)
        add_leaf(eval, expr, NULL);
    for (size_t i = 0; i < expr->nvariants; i++)
        collect(eval, expr->variants[i]);
    if (expr->kind == CW_EXPR_BINARY) {
        struct cw_expr_spine spine;
        cw_expr_spine_init(&spine, expr);
        collect(eval, spine.first);
        for (size_t i = 0; i < spine.n; i++)
            collect(eval, spine.items[i]->right);
        cw_expr_spine_fini(&spine);
    } else if (expr->left != NULL) {
        collect(eval, expr->left);
    }
}

static int is_approx_topk(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    (void)arg;
    (void)err;
    return expr->kind == CW_EXPR_VECTOR_AGG && expr->vector_fn == CW_VECTOR_APPROX_TOPK;
}

/* Loki evaluates a number as a query or as one side of an operator, and has no series of it for anything else. */
static int is_above_number(void *arg, const struct cw_expr *expr, struct cw_err *err)
{
    (void)arg;
    (void)err;
    return expr->kind != CW_EXPR_BINARY && expr->left != NULL && expr->left->kind == CW_EXPR_NUMBER;
}

int cw_eval_new(const struct cw_expr *expr, const struct cw_grid *grid, enum cw_eval_kind kind,
                const struct cw_eval_options *options, struct cw_eval **out, struct cw_err *err)
{
    if (!cw_expr_is_metric(expr))
        return cw_err_set(
            err, CW_E_INVALID,
            "log queries are not supported as an instant query type, please change your query to a "
            "range query type");
    if (kind == CW_EVAL_RANGE && cw_expr_each(expr, is_approx_topk, NULL, NULL) != 0)
        return cw_err_set(
            err, CW_E_INVALID,
            "approx_topk error: count min sketches are only supported on instant queries");
    if (cw_expr_each(expr, is_above_number, NULL, NULL) != 0)
        return cw_err_set(err, CW_E_INTERNAL,
                          "unexpected expr type (*syntax.LiteralExpr) for Evaluator type "
                          "(*logql.DefaultEvaluator) ");
    struct cw_eval *eval = cw_mem_new(sizeof(*eval));
    eval->root = expr;
    eval->grid = *grid;
    eval->kind = kind;
    eval->options = *options;
    collect(eval, expr);
    *out = eval;
    return 0;
}

void cw_eval_free(struct cw_eval **eval)
{
    if (*eval == NULL)
        return;
    for (size_t i = 0; i < (*eval)->nleaves; i++)
        cw_range_agg_free(&(*eval)->leaves[i]);
    for (size_t i = 0; i < (*eval)->npieces; i++)
        free((*eval)->pieces[i]);
    free((*eval)->pieces);
    free((*eval)->leaves);
    free(*eval);
    *eval = NULL;
}

size_t cw_eval_nrange_aggs(const struct cw_eval *eval)
{
    return eval->nleaves;
}

struct cw_range_agg *cw_eval_range_agg(struct cw_eval *eval, size_t idx)
{
    CW_ASSERT(idx < eval->nleaves);
    return eval->leaves[idx];
}

/* ---- the tables ---- */

static int eval_expr(struct cw_eval *eval, const struct cw_expr *expr, struct cw_table **out,
                     struct cw_err *err);

static int eval_leaf(struct cw_eval *eval, struct cw_table **out, struct cw_err *err)
{
    CW_ASSERT(eval->next < eval->nleaves);
    return cw_range_agg_finish(eval->leaves[eval->next++], out, err);
}

/* One series without labels, with the same value at every step. */
static int eval_constant(struct cw_eval *eval, double value, struct cw_table **out,
                         struct cw_err *err)
{
    struct cw_table *table = cw_table_new(&eval->grid, eval->options.allowance);
    struct cw_series *series;
    int rc = cw_table_add(table, CW_LABELS_NONE, CW_TABLE_BORROW, &series, err);
    if (rc < 0) {
        cw_table_free(&table);
        return rc;
    }
    for (size_t step = 0; step < eval->grid.n; step++)
        cw_series_set(series, step, value);
    *out = table;
    return 0;
}

/* Signatures and matches of both sides beside the result. */
enum { BINARY_MEMBER_BYTES = 256 };

static int eval_tables(const struct cw_expr *expr, struct cw_table *left, struct cw_table *right,
                       struct cw_table **out, struct cw_err *err)
{
    size_t bytes = (left->n + right->n) * BINARY_MEMBER_BYTES;
    int rc = cw_allowance_take(left->allowance, bytes, err);
    if (rc < 0)
        return rc;
    rc = cw_binop_tables(expr, left, right, out, err);
    cw_allowance_give(left->allowance, bytes);
    return rc;
}

/* `left` is what the left side gave, NULL where it is a number. */
static int eval_operator(struct cw_eval *eval, const struct cw_expr *expr, struct cw_table *left,
                         struct cw_table **out, struct cw_err *err)
{
    struct cw_table *right = NULL;
    int rc = cw_match_stop_check(err);
    if (rc == 0 && expr->right->kind != CW_EXPR_NUMBER)
        rc = eval_expr(eval, expr->right, &right, err);
    if (rc == 0 && left == NULL)
        rc = cw_binop_number(expr, right, expr->left->param, CW_NUMBER_LEFT, out, err);
    else if (rc == 0 && right == NULL)
        rc = cw_binop_number(expr, left, expr->right->param, CW_NUMBER_RIGHT, out, err);
    else if (rc == 0)
        rc = eval_tables(expr, left, right, out, err);
    cw_table_free(&right);
    return rc;
}

static int eval_binary(struct cw_eval *eval, const struct cw_expr *expr, struct cw_table **out,
                       struct cw_err *err)
{
    struct cw_expr_spine spine;
    struct cw_table *left = NULL;
    int rc = 0;
    cw_expr_spine_init(&spine, expr);
    if (spine.first->kind != CW_EXPR_NUMBER)
        rc = eval_expr(eval, spine.first, &left, err);
    for (size_t i = 0; rc == 0 && i < spine.n; i++) {
        struct cw_table *both = NULL;
        rc = eval_operator(eval, spine.items[i], left, &both, err);
        cw_table_free(&left);
        left = both;
    }
    cw_expr_spine_fini(&spine);
    if (rc < 0)
        cw_table_free(&left);
    else
        *out = left;
    return rc;
}

static int eval_unary(struct cw_eval *eval, const struct cw_expr *expr, struct cw_table **out,
                      struct cw_err *err)
{
    struct cw_table *in = NULL;
    int rc = eval_expr(eval, expr->left, &in, err);
    if (rc == 0 && expr->kind == CW_EXPR_LABEL_REPLACE)
        rc = cw_label_replace_eval(expr, in, out, err);
    else if (rc == 0)
        rc = cw_vector_rules[expr->vector_fn].eval(expr, in, out, err);
    cw_table_free(&in);
    return rc;
}

static int append_series(struct cw_table *to, struct cw_labels labels, const struct cw_series *from,
                         struct cw_err *err)
{
    struct cw_series *series;
    int rc = cw_table_add(to, labels, CW_TABLE_COPY, &series, err);
    for (size_t step = 0; rc == 0 && step < to->grid.n; step++)
        if (cw_series_has(from, step))
            cw_series_set(series, step, from->values[step]);
    return rc;
}

static int eval_pieces(struct cw_eval *eval, const struct cw_expr *expr, size_t n,
                       struct cw_table **out, struct cw_err *err)
{
    struct cw_table *all = cw_table_new(&eval->grid, eval->options.allowance);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct cw_table *in = NULL, *piece = NULL;
        rc = eval_leaf(eval, &in, err);
        if (rc == 0)
            rc = cw_vector_rules[expr->vector_fn].eval(expr, in, &piece, err);
        for (size_t s = 0; rc == 0 && s < piece->n; s++)
            rc = append_series(all, piece->items[s].labels, &piece->items[s], err);
        cw_table_free(&in);
        cw_table_free(&piece);
    }
    if (rc == 0)
        rc = cw_vector_rules[expr->vector_fn].eval(expr, all, out, err);
    cw_table_free(&all);
    return rc;
}

/* `sum without (x) (...)`: Loki drops __variant__ with x. */
static bool drops_variant(const struct cw_expr *expr)
{
    return expr->kind == CW_EXPR_VECTOR_AGG && expr->grouping.kind == CW_GROUP_WITHOUT &&
           expr->vector_fn != CW_VECTOR_TOPK && expr->vector_fn != CW_VECTOR_BOTTOMK;
}

/* Each variant's series, told apart by the label __variant__: its place among them, from 0. */
static int eval_variants(struct cw_eval *eval, const struct cw_expr *expr, struct cw_table **out,
                         struct cw_err *err)
{
    struct cw_table *all = cw_table_new(&eval->grid, eval->options.allowance);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < expr->nvariants; i++) {
        struct cw_table *table = NULL;
        char number[24];
        bool plain = drops_variant(expr->variants[i]);
        snprintf(number, sizeof(number), "%zu", i);
        rc = eval_expr(eval, expr->variants[i], &table, err);
        for (size_t s = 0; rc == 0 && s < table->n; s++) {
            const struct cw_series *series = &table->items[s];
            rc = append_series(all,
                               plain ? series->labels
                                     : cw_labels_with(table->arena, series->labels,
                                                      CW_STR("__variant__"), cw_str_of(number)),
                               series, err);
        }
        cw_table_free(&table);
    }
    if (rc < 0)
        cw_table_free(&all);
    *out = all;
    return rc;
}

static int eval_expr(struct cw_eval *eval, const struct cw_expr *expr, struct cw_table **out,
                     struct cw_err *err)
{
    int stopped = cw_match_stop_check(err);
    if (stopped < 0)
        return stopped;
    if (is_fused(expr) || expr->kind == CW_EXPR_RANGE_AGG)
        return eval_leaf(eval, out, err);
    size_t npieces = count_pieces(eval, expr);
    if (npieces > 0)
        return eval_pieces(eval, expr, npieces, out, err);
    switch (expr->kind) {
    case CW_EXPR_NUMBER:
    case CW_EXPR_VECTOR: return eval_constant(eval, expr->param, out, err);
    case CW_EXPR_BINARY: return eval_binary(eval, expr, out, err);
    case CW_EXPR_VARIANTS: return eval_variants(eval, expr, out, err);
    case CW_EXPR_VECTOR_AGG:
    case CW_EXPR_LABEL_REPLACE: return eval_unary(eval, expr, out, err);
    default: break;
    }
    CW_ASSERT(!"the expression passed cw_eval_check()");
}

/* ---- the result ---- */

int cw_eval_fail_series(size_t max_series, struct cw_err *err)
{
    return cw_err_set(err, CW_E_LIMIT,
                      "maximum number of series (%zu) reached for a single query; consider "
                      "reducing query cardinality by adding more "
                      "specific stream selectors, reducing the time range, or aggregating "
                      "results with functions like sum(), count() "
                      "or topk()",
                      max_series);
}

int cw_eval_run(struct cw_eval *eval, struct cw_result *out, struct cw_err *err)
{
    const struct cw_expr *root = eval->root;
    *out = (struct cw_result){.kind = CW_RESULT_SCALAR, .scalar = root->param};
    if (root->kind == CW_EXPR_NUMBER && eval->kind == CW_EVAL_INSTANT)
        return 0;
    out->kind = eval->kind == CW_EVAL_INSTANT ? CW_RESULT_VECTOR : CW_RESULT_MATRIX;
    int rc = eval_expr(eval, root, &out->table, err);
    if (rc < 0)
        return rc;
    cw_table_drop_empty(out->table);
    size_t max_series = eval->options.max_series;
    if (max_series > 0 && out->table->n > max_series) {
        cw_result_fini(out);
        return cw_eval_fail_series(max_series, err);
    }
    bool by_value = out->kind == CW_RESULT_VECTOR && root->kind == CW_EXPR_VECTOR_AGG &&
                    (root->vector_fn == CW_VECTOR_SORT || root->vector_fn == CW_VECTOR_SORT_DESC);
    rc = by_value ? 0 : cw_table_sort(out->table, err);
    if (rc < 0)
        cw_result_fini(out);
    return rc;
}
