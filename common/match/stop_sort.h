/*
 * stop_sort.h - sort what may be a million items, and end when the query that asked is over (match_stop.h).
 *
 * Takes as much memory beside as the items have.
 *
 * Errors     CW_E_CANCELED; the items are there, each once, in some order.
 */
#ifndef CW_MATCH_STOP_SORT_H
#define CW_MATCH_STOP_SORT_H
#include <stddef.h>
#include "common/base/err.h"

/* Less than 0: a comes before b. `arg` is the caller's. */
typedef int (*cw_stop_sort_fn)(const void *a, const void *b, void *arg);
/* So many items at most are compared and moved between two looks at the flag. */
enum { CW_STOP_SORT_RUN = 4096 };
int cw_stop_sort(void *items, size_t n, size_t size, cw_stop_sort_fn compare, void *arg,
                 struct cw_err *err) CW_MUST_USE;

#endif
