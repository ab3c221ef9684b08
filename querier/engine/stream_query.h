/*
 * stream_query.h - what streams there are: label names, values, series, and how much they hold.
 *
 * Ownership  Results lie in the caller's arena, texts included.
 * Threads    One thread; no entry is read.
 */
#ifndef CW_ENGINE_STREAM_QUERY_H
#define CW_ENGINE_STREAM_QUERY_H
#include "common/base/arena.h"
#include "common/logql/ast.h"
#include "querier/engine/query_context.h"

struct cw_stream_range {
    const struct cw_selector *const
        *selectors; /* a stream counts when one of them matches; n = 0: every stream */
    size_t nselectors;
    int64_t start_ns, end_ns;
};

struct cw_names {
    struct cw_str *items; /* sorted, each once */
    size_t n;
};
struct cw_label_sets {
    struct cw_labels *items; /* sorted, each once */
    size_t n;
};

int cw_stream_query_names(struct cw_query_context *query, const struct cw_stream_range *range,
                          struct cw_arena *arena, struct cw_names *out,
                          struct cw_err *err) CW_MUST_USE;
int cw_stream_query_values(struct cw_query_context *query, const struct cw_stream_range *range,
                           struct cw_str name, struct cw_arena *arena, struct cw_names *out,
                           struct cw_err *err) CW_MUST_USE;
int cw_stream_query_series(struct cw_query_context *query, const struct cw_stream_range *range,
                           struct cw_arena *arena, struct cw_label_sets *out,
                           struct cw_err *err) CW_MUST_USE;
/* One selector at most. */
int cw_stream_query_stats(struct cw_query_context *query, const struct cw_stream_range *range,
                          struct cw_index_stats *out, struct cw_err *err) CW_MUST_USE;

#endif
