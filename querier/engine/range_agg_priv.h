/*
 * range_agg_priv.h - what accumulating (range_agg.c) and finishing (range_finish.c) share.
 */
#ifndef CW_ENGINE_RANGE_AGG_PRIV_H
#define CW_ENGINE_RANGE_AGG_PRIV_H
#include "common/base/id_map.h"
#include "querier/engine/eval_table.h"
#include "querier/engine/field_rows.h"
#include "querier/engine/range_agg.h"
#include "querier/engine/range_steps.h"
#include "querier/engine/step_values.h"
#include "querier/engine/value_runs.h"

/*
 * Difference arrays over the steps: what an entry adds stands at the first step whose window holds
 * it, and its negative behind the last one; running sums give the windows. Unsigned, so that they
 * wrap without harm.
 */
struct series_sum {
    struct cw_labels labels;
    struct cw_hash128 id;
    uint64_t *entries;             /* grid.n + 1 */
    uint64_t *bytes;               /* the same; NULL when sizes are not needed */
    struct cw_sample_list samples; /* instead of both where values are unwrapped */
    struct cw_value_runs runs;     /* the same where their order does not matter */
    struct cw_step_values values;  /* the same where different values are counted */
};

struct cw_range_part {
    const struct cw_range_agg *agg;
    struct cw_arena *arena;     /* labels and sums */
    struct cw_arena *scratch;   /* of one batch */
    struct cw_id_map by_labels; /* labels' hash: index in items */
    struct series_sum *items;
    size_t n, cap;
    struct cw_id_map streams; /* stream id: index in stream_series */
    /* the series of a stream's entries without metadata; SIZE_MAX: not known yet */
    size_t *stream_series;
    size_t stream_cap;
    size_t taken;                 /* from the allowance */
    struct cw_pipeline_run *run;  /* NULL: entries are counted as they are */
    struct cw_field_rows *fields; /* NULL: it looks at lines */
    struct cw_range_steps steps;
    uint64_t place; /* of the next sample: the unit, then a count */
    size_t nvalues; /* of all series */
};

struct cw_range_agg {
    const struct cw_expr *expr;
    const struct cw_range_rule *rule;
    bool grouped; /* series are the groups of `grouping` ... */
    bool fused;   /* ... of a sum around the aggregation */
    struct cw_grouping grouping;
    struct cw_range_steps steps; /* of the grid moved back by the offset */
    int64_t answer_start_ns;     /* of the grid that the answer has */
    struct cw_allowance *allowance;
    struct cw_range_part *total;
    struct cw_pipeline *pipeline;
    bool sampled;   /* values are unwrapped, */
    bool unordered; /* and their order does not matter */
    struct cw_str *
        names; /* of `grouping`: sorted, each once, the unwrapped or counted label among those of `without` */
};

/* From the allowance, until the part goes. */
int cw_range_part_take(struct cw_range_part *part, size_t bytes, struct cw_err *err) CW_MUST_USE;
/* The series of these labels, found or made. */
int cw_range_part_series(struct cw_range_part *part, struct cw_labels labels, size_t *idx_out,
                         struct cw_err *err) CW_MUST_USE;
/* So many different values (of count_distinct_over_time) are new. */
int cw_range_part_values(struct cw_range_part *part, size_t nadded, struct cw_err *err) CW_MUST_USE;

#endif
