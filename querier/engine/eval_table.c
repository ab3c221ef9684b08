#include "querier/engine/eval_table.h"

#include "common/base/assert.h"
#include "querier/engine/quantile.h"
#include "querier/engine/vector_agg.h"

static double entries(const struct cw_window *window)
{
    return (double)window->entries;
}

static double entries_rate(const struct cw_window *window)
{
    return (double)window->entries / window->range_s;
}

static double bytes(const struct cw_window *window)
{
    return (double)window->bytes;
}

static double bytes_rate(const struct cw_window *window)
{
    return (double)window->bytes / window->range_s;
}

static double one(const struct cw_window *window)
{
    return 1;
}

const struct cw_range_rule cw_range_rules[] = {
    [CW_RANGE_COUNT_OVER_TIME] = {.value = entries, .adds_up = true},
    [CW_RANGE_RATE] = {.value = entries_rate, .samples = cw_sample_window_rate, .adds_up = true},
    [CW_RANGE_RATE_COUNTER] = {.samples = cw_sample_window_rate_counter},
    [CW_RANGE_BYTES_OVER_TIME] = {.value = bytes, .needs_sizes = true, .adds_up = true},
    [CW_RANGE_BYTES_RATE] = {.value = bytes_rate, .needs_sizes = true, .adds_up = true},
    [CW_RANGE_AVG] = {.samples = cw_sample_window_avg},
    [CW_RANGE_SUM] = {.samples = cw_sample_window_sum, .adds_up = true},
    [CW_RANGE_MIN] = {.samples = cw_sample_window_min},
    [CW_RANGE_MAX] = {.samples = cw_sample_window_max},
    [CW_RANGE_STDVAR] = {.samples = cw_sample_window_stdvar},
    [CW_RANGE_STDDEV] = {.samples = cw_sample_window_stddev},
    [CW_RANGE_QUANTILE] = {.values = cw_quantile},
    [CW_RANGE_FIRST] = {.samples = cw_sample_window_first},
    [CW_RANGE_LAST] = {.samples = cw_sample_window_last},
    [CW_RANGE_ABSENT] = {.value = one, .inverted = true},
    [CW_RANGE_COUNT_DISTINCT] = {.value = entries, .distinct = true},
};
_Static_assert(CW_COUNT(cw_range_rules) == CW_RANGE_NFN, "a row for every range function");

const struct cw_vector_rule cw_vector_rules[] = {
    [CW_VECTOR_SUM] = {cw_vector_agg_fold},       [CW_VECTOR_AVG] = {cw_vector_agg_fold},
    [CW_VECTOR_COUNT] = {cw_vector_agg_fold},     [CW_VECTOR_MIN] = {cw_vector_agg_fold},
    [CW_VECTOR_MAX] = {cw_vector_agg_fold},       [CW_VECTOR_STDDEV] = {cw_vector_agg_fold},
    [CW_VECTOR_STDVAR] = {cw_vector_agg_fold},    [CW_VECTOR_TOPK] = {cw_vector_agg_select},
    [CW_VECTOR_BOTTOMK] = {cw_vector_agg_select}, [CW_VECTOR_APPROX_TOPK] = {cw_vector_agg_select},
    [CW_VECTOR_SORT] = {cw_vector_agg_sort},      [CW_VECTOR_SORT_DESC] = {cw_vector_agg_sort},
};
_Static_assert(CW_COUNT(cw_vector_rules) == CW_VECTOR_NFN, "a row for every vector function");
