/*
 * field_filter.h - rows that the label filters of a log expression drop, found by the values of their slots (field_rows.h): lines are
 * rebuilt only of the others.
 *
 * What drops a row is the front of the pipeline: one `json` or `logfmt`, and label filters behind it (drop and keep may stand between), as
 * far as nothing else does.
 *
 * Ownership  A prefix borrows the expression, a filter the prefix and a block until the next _forget().
 * Threads    A prefix is read-only; a filter belongs to one thread at a time.
 * Errors     As field_rows.h.
 */
#ifndef CW_ENGINE_FIELD_FILTER_H
#define CW_ENGINE_FIELD_FILTER_H
#include "common/logql/ast.h"
#include "common/store/cursor.h"
#include "querier/engine/sample.h"

struct cw_field_prefix;
/* NULL: the expression has no such. */
struct cw_field_prefix *cw_field_prefix_new(const struct cw_expr *expr);
void cw_field_prefix_free(struct cw_field_prefix **prefix);

struct cw_field_filter;
struct cw_field_filter *cw_field_filter_new(const struct cw_field_prefix *prefix,
                                            struct cw_allowance *allowance);
void cw_field_filter_free(struct cw_field_filter **filter);
/* Batches that follow are of another cursor, which counts in `stats`. */
void cw_field_filter_forget(struct cw_field_filter *filter, struct cw_scan_stats *stats);
/* The first n rows of a batch with templates: *lines_out has the line of each that may stay, and a NULL pointer in place of the others'.
 * Borrowed until the next call. */
int cw_field_filter_lines(struct cw_field_filter *filter, const struct cw_entry_batch *batch,
                          size_t n, const struct cw_str **lines_out,
                          struct cw_err *err) CW_MUST_USE;

#endif
