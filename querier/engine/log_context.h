/*
 * log_context.h - log queries with `context -B n -A n`: what stands around the entries that match, in their streams.
 *
 * The matches are the first ones in the direction of the query, as many as are asked for; of each stream that has some, the entries from
 * `before` ahead of its first match to `after` behind its last one are read in time order, within the query's range, and each is a match,
 * context, or left out. So no entry is there twice. The answer is the first entries of all that, in the order of log queries.
 *
 * A match is as the pipeline left it. Context is as it was stored, with a label `context`, which counts as parsed: "after" a match (in
 * time), else "before" one. Entries that match beyond what was asked for are context where they stand near enough.
 *
 * Memory     The answer, and `before` entries, from the query's allowance.
 * Threads    One thread uses it; the work is done by the context's pool.
 */
#ifndef CW_ENGINE_LOG_CONTEXT_H
#define CW_ENGINE_LOG_CONTEXT_H
#include "common/logql/ast.h"
#include "querier/engine/log_top.h"
#include "querier/engine/query_context.h"

struct cw_log_context_scope {
    const struct cw_expr *expr; /* its last stage is the context */
    int64_t start_ns, end_ns;
    bool newest_first;
    size_t max_entries; /* SIZE_MAX: all */
};

/* The query whose entries are the matches: without its last stage. Borrows from `expr`. */
struct cw_expr *cw_log_context_matching(const struct cw_expr *expr, struct cw_arena *arena);
/* *out is sorted, and the caller's: cw_log_top_fini(). */
int cw_log_context_run(struct cw_query_context *query, const struct cw_log_context_scope *scope,
                       struct cw_log_top *out, struct cw_err *err) CW_MUST_USE;

#endif
