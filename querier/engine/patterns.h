/*
 * patterns.h - what the lines of a selector look like: their patterns, and how many lines of each there are at each level in each step.
 *
 * Patterns are the store's templates with <_> for each slot (pattern_text.h), near-equal ones merged (pattern_merge.h). Steps begin at
 * multiples of the step since the epoch; those without lines are left out. A line's level is what its metadata say (`detected_level`),
 * else unknown.
 *
 * Ownership  Borrows context and expression; a result is the caller's.
 * Threads    Call from a thread that is not one of the pool's.
 * Errors     CW_E_LIMIT, CW_E_OVERLOAD: the patterns and their samples take more than the query's allowance.
 */
#ifndef CW_ENGINE_PATTERNS_H
#define CW_ENGINE_PATTERNS_H
#include "common/logql/ast.h"
#include "querier/engine/pattern_table.h"
#include "querier/engine/query_context.h"

/* Rarer ones are left out: nobody reads more. */
#define CW_PATTERNS_MAX 300

/* Lines of one pattern and level. */
struct cw_pattern_series {
    struct cw_str text;
    enum cw_level level;
    uint64_t count;
    const struct cw_pattern_sample *samples; /* by step */
    size_t n;
};

struct cw_patterns {
    struct cw_pattern_series *series; /* the most frequent ones first, CW_PATTERNS_MAX at most */
    size_t n;
    struct cw_pattern_table table; /* has their texts and samples */
    int64_t first_ns;              /* where step 0 begins */
    int64_t step_ns;
};

/* Where a step begins. */
static inline int64_t cw_patterns_step_ns(int64_t first_ns, int64_t step_ns, uint32_t step)
{
    return (int64_t)((uint64_t)first_ns + (uint64_t)step * (uint64_t)step_ns);
}

/* `expr` is a selector without stages; start_ns <= t < end_ns; step_ns > 0, no more than CW_GRID_MAX_STEPS of them. */
int cw_patterns_query(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                      int64_t end_ns, int64_t step_ns, struct cw_patterns *out,
                      struct cw_err *err) CW_MUST_USE;
void cw_patterns_fini(struct cw_patterns *patterns);

#endif
