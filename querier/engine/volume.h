/*
 * volume.h - how many bytes of lines the streams of a selector hold in a range, added up by labels; over the whole range, or
 * for each step of a grid.
 *
 * Ownership  Results lie in the caller's arena.
 * Threads    Call from a thread that is not one of the pool's.
 */
#ifndef CW_ENGINE_VOLUME_H
#define CW_ENGINE_VOLUME_H
#include "common/base/arena.h"
#include "common/logql/ast.h"
#include "querier/engine/query_context.h"

struct cw_volume_options {
    int64_t start_ns, end_ns;
    bool by_label_names; /* a sum for each name ({name=""}), else for each set of values */
    /* Only these names; n = 0: the matchers' names, all without matchers or by label names. */
    const struct cw_str *targets;
    size_t ntargets;
    size_t limit; /* the largest ones */
    /* NULL: only the sums; else bytes of step i have grid time i - step < t <= grid time i. */
    const struct cw_grid *grid;
};
struct cw_volume {
    struct cw_labels labels;
    uint64_t bytes;
    uint64_t *steps; /* grid->n of them; NULL without a grid */
};
struct cw_volumes {
    struct cw_volume *items; /* by bytes, the largest first; then by labels */
    size_t n;
};

/* `expr` is a selector without stages; one without matchers is every stream. */
int cw_volume_query(struct cw_query_context *query, const struct cw_expr *expr,
                    const struct cw_volume_options *options, struct cw_arena *arena,
                    struct cw_volumes *out, struct cw_err *err) CW_MUST_USE;

#endif
