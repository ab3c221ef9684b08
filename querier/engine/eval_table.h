/*
 * eval_table.h - how each function of common/logql/functions.c is evaluated; both tables are
 * indexed by its enums.
 */
#ifndef CW_ENGINE_EVAL_TABLE_H
#define CW_ENGINE_EVAL_TABLE_H
#include "common/logql/ast.h"
#include "querier/engine/sample.h"
#include "querier/engine/sample_window.h"

/* What a range aggregation keeps of the entries in a window. */
struct cw_window {
    uint64_t entries, bytes;
    double range_s;
};

struct cw_range_rule {
    /* The sample of a window, from its entries. Windows without entries have none, but for
     * `inverted`. */
    double (*value)(const struct cw_window *window);
    /* The same from unwrapped values. NULL: none are looked at. */
    double (*samples)(const struct cw_sample_window *window);
    /* From unwrapped values, whatever their order, which it may change; `param` is the function's. NULL: it is none of these. */
    double (*values)(double *values, size_t n, double param);
    bool needs_sizes; /* line lengths */
    bool adds_up;     /* a sum() of it may be taken while accumulating */
    bool distinct;    /* the entries of a window are the different values of a label */
    bool inverted;    /* absent: one series, a sample where there is no entry */
};

struct cw_vector_rule {
    /* *out is the caller's; `in` may be sorted in place. */
    int (*eval)(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                struct cw_err *err);
};

extern const struct cw_range_rule cw_range_rules[CW_RANGE_NFN];
extern const struct cw_vector_rule cw_vector_rules[CW_VECTOR_NFN];

#endif
