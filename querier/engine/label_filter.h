/*
 * label_filter.h - LogQL's label filters: strings, numbers, durations, sizes, ip(), with `and` and `or`.
 *
 * `in (query)` looks into the values that sub_query.h put into the filter.
 *
 * A value that cannot be converted keeps the entry, with LabelFilterErr, unless it has an error already. A label that is not
 * there is an empty text to a string compare and never passes another one. An ip() that is no address lets no entry pass, whether it
 * is asked for or not, but those with an error.
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
/* Calls `fn` for each filter of the tree that is no `and` or `or`. */
typedef void (*cw_label_filter_fn)(void *arg, const struct cw_label_filter *leaf);
void cw_label_filter_leaves(const struct cw_label_filter *filter, cw_label_filter_fn fn, void *arg);
/* The label that such a one reads. */
struct cw_str cw_label_filter_name(const struct cw_label_filter *leaf);
/* Does one of kind CW_LF_NUMBER let the number pass? */
bool cw_label_filter_number(const struct cw_label_filter *leaf, double number);

#endif
