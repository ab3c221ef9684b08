/*
 * volume.h - how many bytes of lines the streams of a selector hold in a range, added up by labels; over the whole range, or
 * for each piece of it.
 *
 * Ownership  Results lie in the caller's arena.
 * Threads    Call from a thread that is not one of the pool's.
 */
#ifndef CW_ENGINE_VOLUME_H
#define CW_ENGINE_VOLUME_H
#include "common/base/arena.h"
#include "common/logql/ast.h"
#include "querier/engine/query_context.h"

/* A range cut at the multiples of a step: piece i holds start <= t < end of it, the first and the last one what is left of the range. */
struct cw_volume_steps {
    int64_t from_ns; /* where piece 0 would begin: a multiple of the step */
    int64_t step_ns;
    int64_t end_ns; /* of the range */
    size_t n;
};

/* `step_ns` > 0; whoever asks has bounded how often it fits. A range that is empty has no piece. */
void cw_volume_steps_init(struct cw_volume_steps *steps, int64_t start_ns, int64_t end_ns,
                          int64_t step_ns);
/* The time that stands for piece i in Loki's answers: its last millisecond; of the last piece the end of the range. */
int64_t cw_volume_steps_time(const struct cw_volume_steps *steps, size_t i);

struct cw_volume_options {
    int64_t start_ns, end_ns;
    bool by_label_names; /* a sum for each name ({name=""}), else for each set of values */
    /* Only these names; n = 0: the matchers' names, all without matchers or by label names. */
    const struct cw_str *targets;
    size_t ntargets;
    size_t limit;      /* the largest ones; of each piece, where there are steps */
    size_t max_series; /* more sums, in the range or in a piece, are CW_E_LIMIT */
    const struct cw_volume_steps *steps; /* of start_ns .. end_ns; NULL: only the sums */
};
struct cw_volume {
    struct cw_labels labels;
    uint64_t bytes; /* with steps: of the first piece that has any */
    uint64_t
        *steps; /* steps->n of them, 0: nothing, or not among the largest; NULL without steps */
};
struct cw_volumes {
    struct cw_volume *items; /* by `bytes`, the largest first; then by labels */
    size_t n;
};

/* `expr` is a selector without stages; one without matchers is every stream. */
int cw_volume_query(struct cw_query_context *query, const struct cw_expr *expr,
                    const struct cw_volume_options *options, struct cw_arena *arena,
                    struct cw_volumes *out, struct cw_err *err) CW_MUST_USE;

#endif
