/*
 * label_filter.h - LogQL's label filters: strings, numbers, durations, sizes, ip(), with `and` and `or`.
 *
 * `in (query)` looks into the values that sub_query.h put into the filter.
 *
 * A value that cannot be converted keeps the entry, with LabelFilterErr, unless it has an error already. A label that is not
 * there is an empty text to a string compare and never passes another one.
 *
 * Ownership  A filter borrows from the expression.
 * Threads    Read-only after it is made.
 */
#ifndef CW_ENGINE_LABEL_FILTER_H
#define CW_ENGINE_LABEL_FILTER_H
#include "common/extract/label_builder.h"
#include "common/logql/ast.h"

struct cw_label_test;

struct cw_label_test *cw_label_filter_new(const struct cw_label_filter *filter,
                                          struct cw_arena *arena);
/* 1 it passes, 0 not, negative: an error (a regex's limit). */
int cw_label_filter_run(const struct cw_label_test *test, struct cw_label_builder *builder,
                        struct cw_err *err) CW_MUST_USE;
/* Calls `fn` for the name of each label that the filter reads. */
void cw_label_filter_names(const struct cw_label_filter *filter,
                           void (*fn)(void *arg, struct cw_str name), void *arg);

#endif
