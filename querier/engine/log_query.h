/*
 * log_query.h - entries of a log query in time order, page by page: a limited query is one page, an export all of them.
 *
 * The order is total and the same in every run: by time; ties by labels, then in order of arrival; newest first is the exact
 * reverse. A page holds the best entries behind the one before; what lies on a page's end is found again by its place in
 * that order, so entries of one timestamp may fill any number of pages. Units are read best first, and not at all once their
 * times lie behind the worst entry of a full page.
 *
 * Queries that gather (log_gather.h, log_context.h) find all of their entries at the first page, in an order of their own.
 *
 * Memory     A page is bounded by entries and bytes; workers gather as much again each while it is made.
 * Ownership  Borrows context and expression. A page's entries die at the next page or at close.
 * Threads    One thread uses it; the work is done by the context's pool.
 */
#ifndef CW_ENGINE_LOG_QUERY_H
#define CW_ENGINE_LOG_QUERY_H
#include "common/logql/ast.h"
#include "querier/engine/log_top.h"
#include "querier/engine/query_context.h"

struct cw_log_query;

struct cw_log_page {
    const struct cw_log_entry *entries; /* in order */
    size_t n;
    bool last; /* nothing follows */
};

/* Entries with start_ns <= t < end_ns. The expression passed cw_eval_check(). */
int cw_log_query_open(struct cw_query_context *query, const struct cw_expr *expr, int64_t start_ns,
                      int64_t end_ns, bool newest_first, struct cw_log_query **out,
                      struct cw_err *err) CW_MUST_USE;
/* What it asks of its scans (enum cw_need). */
unsigned cw_log_query_need(const struct cw_expr *expr);
void cw_log_query_close(struct cw_log_query **log_query);
/* Before the first page: no more entries than these will be asked for, in all pages. A query that gathers (cw_expr_gathers()) finds all of
 * them at the first page, and need not keep others. */
void cw_log_query_expect(struct cw_log_query *log_query, size_t max_entries);
/* Before the first page: begin behind entries that were given before, by another query over the same. Left out are those that come
 * before the time, those of the time whose stream's labels come before these (in the order), and the first `n` with both. */
int cw_log_query_seek(struct cw_log_query *log_query, int64_t ts_ns, struct cw_labels labels,
                      uint64_t n, size_t max_bytes, struct cw_err *err) CW_MUST_USE;
/* At most max_entries > 0, and as many as fit in max_bytes, but at least one if there is any. */
int cw_log_query_page(struct cw_log_query *log_query, size_t max_entries, size_t max_bytes,
                      struct cw_log_page *out, struct cw_err *err) CW_MUST_USE;

#endif
