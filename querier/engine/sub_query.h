/*
 * sub_query.h - the queries within `label in (query)`: run before the query that they stand in, over the time that it reads.
 *
 * The values are those of the label of the same name: of a log query's entries, or of the series that a metric query has at the end of
 * that time. An entry without the label is in no set. Sets are kept in the query's own tree, where label_filter.c finds them.
 *
 * Memory     At most CW_LIMIT_QUERY_VALUES values, from the query's allowance; they stay until the query is freed.
 * Threads    One; no pipeline of the query may be made before.
 * Errors     CW_E_LIMIT, and those of the queries.
 */
#ifndef CW_ENGINE_SUB_QUERY_H
#define CW_ENGINE_SUB_QUERY_H
#include "common/logql/ast.h"
#include "querier/engine/query_context.h"
#include "querier/engine/sample.h"

/* What the query around reads: a log query start_ns <= t < end_ns, a metric query what the windows of its grid hold. */
struct cw_sub_query_span {
    int64_t start_ns, end_ns;
    const struct cw_grid *grid;
};

struct cw_sub_query {
    struct cw_label_filter *filter; /* has the query, and wants its values */
    int64_t start_ns, end_ns;       /* what a log query reads */
    struct cw_grid grid;            /* the one step of a metric query */
};

/* Calls `fn` for each, those within it first; the first nonzero answer ends it and is returned. */
typedef int (*cw_sub_query_fn)(void *arg, const struct cw_sub_query *sub, struct cw_err *err);
int cw_sub_queries_each(struct cw_expr *expr, const struct cw_sub_query_span *span,
                        cw_sub_query_fn fn, void *arg, struct cw_err *err);
/* Of a log query: the count whose groups are the values. Borrows from the filter. */
struct cw_expr cw_sub_query_count(const struct cw_sub_query *sub);

/* Does nothing where there is no `in`. The expression passed cw_eval_check(). */
int cw_sub_queries_run(struct cw_query_context *query, struct cw_query *parsed,
                       const struct cw_sub_query_span *span, struct cw_err *err) CW_MUST_USE;

#endif
