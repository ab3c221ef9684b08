#include "common/logql/functions.h"

#include <math.h>

#include "common/base/assert.h"

static const struct cw_range_def range_defs[] = {
    [CW_RANGE_COUNT_OVER_TIME] = {"count_over_time", CW_UNWRAP_NO, false, false,
                                  "Entries in the range."},
    [CW_RANGE_RATE] = {"rate", CW_UNWRAP_OPTIONAL, false, false,
                       "Entries, or the sum of the unwrapped values, per second."},
    [CW_RANGE_RATE_COUNTER] = {"rate_counter", CW_UNWRAP_REQUIRED, false, false,
                               "Growth per second of the unwrapped value, taken as a counter."},
    [CW_RANGE_BYTES_OVER_TIME] = {"bytes_over_time", CW_UNWRAP_NO, false, false,
                                  "Bytes of the lines in the range."},
    [CW_RANGE_BYTES_RATE] = {"bytes_rate", CW_UNWRAP_NO, false, false,
                             "Bytes of the lines per second."},
    [CW_RANGE_AVG] = {"avg_over_time", CW_UNWRAP_REQUIRED, false, true,
                      "Mean of the unwrapped values."},
    [CW_RANGE_SUM] = {"sum_over_time", CW_UNWRAP_REQUIRED, false, false,
                      "Sum of the unwrapped values."},
    [CW_RANGE_MIN] = {"min_over_time", CW_UNWRAP_REQUIRED, false, true,
                      "Smallest unwrapped value."},
    [CW_RANGE_MAX] = {"max_over_time", CW_UNWRAP_REQUIRED, false, true, "Largest unwrapped value."},
    [CW_RANGE_STDVAR] = {"stdvar_over_time", CW_UNWRAP_REQUIRED, false, true,
                         "Variance of the unwrapped values."},
    [CW_RANGE_STDDEV] = {"stddev_over_time", CW_UNWRAP_REQUIRED, false, true,
                         "Standard deviation of the unwrapped values."},
    [CW_RANGE_QUANTILE] = {"quantile_over_time", CW_UNWRAP_REQUIRED, true, true,
                           "Quantile (first parameter, 0 to 1) of the unwrapped values."},
    [CW_RANGE_FIRST] = {"first_over_time", CW_UNWRAP_REQUIRED, false, true,
                        "First unwrapped value."},
    [CW_RANGE_LAST] = {"last_over_time", CW_UNWRAP_REQUIRED, false, true, "Last unwrapped value."},
    [CW_RANGE_ABSENT] = {"absent_over_time", CW_UNWRAP_OPTIONAL, false, false,
                         "1 where the range holds no entry."},
    [CW_RANGE_COUNT_DISTINCT] = {"count_distinct_over_time", CW_UNWRAP_NO, false, true,
                                 "Different values of the label (first parameter), exactly.",
                                 .extension = true, .takes_label = true},
};
_Static_assert(CW_COUNT(range_defs) == CW_RANGE_NFN, "a row for every range function");

static const struct cw_vector_def vector_defs[] = {
    [CW_VECTOR_SUM] = {"sum", false, true, "Sum over the group."},
    [CW_VECTOR_AVG] = {"avg", false, true, "Mean over the group."},
    [CW_VECTOR_COUNT] = {"count", false, true, "Series in the group."},
    [CW_VECTOR_MIN] = {"min", false, true, "Smallest of the group."},
    [CW_VECTOR_MAX] = {"max", false, true, "Largest of the group."},
    [CW_VECTOR_STDDEV] = {"stddev", false, true, "Standard deviation over the group."},
    [CW_VECTOR_STDVAR] = {"stdvar", false, true, "Variance over the group."},
    [CW_VECTOR_TOPK] = {"topk", true, true, "The k largest series of the group."},
    [CW_VECTOR_BOTTOMK] = {"bottomk", true, true, "The k smallest series of the group."},
    [CW_VECTOR_APPROX_TOPK] = {"approx_topk", true, false, "The k largest series, estimated."},
    [CW_VECTOR_SORT] = {"sort", false, false, "Series by value, smallest first."},
    [CW_VECTOR_SORT_DESC] = {"sort_desc", false, false, "Series by value, largest first."},
};
_Static_assert(CW_COUNT(vector_defs) == CW_VECTOR_NFN, "a row for every vector function");

static const char *const conversion_names[] = {
    [CW_UNWRAP_CONV_NONE] = "",
    [CW_UNWRAP_CONV_BYTES] = "bytes",
    [CW_UNWRAP_CONV_DURATION] = "duration",
    [CW_UNWRAP_CONV_DURATION_SECONDS] = "duration_seconds",
};

static const char *const binop_names[] = {
    [CW_BIN_OR] = "or", [CW_BIN_AND] = "and", [CW_BIN_UNLESS] = "unless", [CW_BIN_ADD] = "+",
    [CW_BIN_SUB] = "-", [CW_BIN_MUL] = "*",   [CW_BIN_DIV] = "/",         [CW_BIN_MOD] = "%",
    [CW_BIN_POW] = "^", [CW_BIN_EQ] = "==",   [CW_BIN_NE] = "!=",         [CW_BIN_GT] = ">",
    [CW_BIN_GE] = ">=", [CW_BIN_LT] = "<",    [CW_BIN_LE] = "<=",
};
_Static_assert(CW_COUNT(binop_names) == CW_BIN_LE + 1, "a name for every operator");

const struct cw_range_def *cw_range_def(enum cw_range_fn fn)
{
    CW_ASSERT((unsigned)fn < CW_RANGE_NFN);
    return &range_defs[fn];
}

const struct cw_vector_def *cw_vector_def(enum cw_vector_fn fn)
{
    CW_ASSERT((unsigned)fn < CW_VECTOR_NFN);
    return &vector_defs[fn];
}

int cw_range_fn_find(struct cw_str name)
{
    for (int i = 0; i < CW_RANGE_NFN; i++)
        if (cw_str_eq_nocase(name, cw_str_of(range_defs[i].name)))
            return i;
    return -1;
}

int cw_vector_fn_find(struct cw_str name)
{
    for (int i = 0; i < CW_VECTOR_NFN; i++)
        if (cw_str_eq_nocase(name, cw_str_of(vector_defs[i].name)))
            return i;
    return -1;
}

int cw_unwrap_conversion_find(struct cw_str name)
{
    for (size_t i = CW_UNWRAP_CONV_BYTES; i < CW_COUNT(conversion_names); i++)
        if (cw_str_eq_nocase(name, cw_str_of(conversion_names[i])))
            return (int)i;
    return -1;
}

const char *cw_unwrap_conversion_name(enum cw_unwrap_conversion conversion)
{
    CW_ASSERT((size_t)conversion < CW_COUNT(conversion_names));
    return conversion_names[conversion];
}

const char *cw_binop_name(enum cw_binop op)
{
    CW_ASSERT((size_t)op < CW_COUNT(binop_names));
    return binop_names[op];
}

int cw_binop_level(enum cw_binop op)
{
    switch (op) {
    case CW_BIN_OR: return 1;
    case CW_BIN_AND:
    case CW_BIN_UNLESS: return 2;
    case CW_BIN_ADD:
    case CW_BIN_SUB: return 4;
    case CW_BIN_MUL:
    case CW_BIN_DIV:
    case CW_BIN_MOD: return 5;
    case CW_BIN_POW: return 6;
    default: return 3;
    }
}

double cw_binop_apply(enum cw_binop op, double left, double right)
{
    switch (op) {
    case CW_BIN_ADD: return left + right;
    case CW_BIN_SUB: return left - right;
    case CW_BIN_MUL: return left * right;
    case CW_BIN_DIV: return right == 0 ? NAN : left / right;
    case CW_BIN_MOD: return right == 0 ? NAN : fmod(left, right);
    case CW_BIN_POW: return pow(left, right);
    case CW_BIN_EQ: return left == right;
    case CW_BIN_NE: return left != right;
    case CW_BIN_GT: return left > right;
    case CW_BIN_GE: return left >= right;
    case CW_BIN_LT: return left < right;
    case CW_BIN_LE: return left <= right;
    case CW_BIN_OR:
    case CW_BIN_AND:
    case CW_BIN_UNLESS: break;
    }
    CW_ASSERT(!"set operators have no value");
}
