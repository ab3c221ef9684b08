/*
 * match_stop.h - end long work when the query that asked is over: regular expressions over many lines, windows of many series,
 * answers of many entries.
 *
 * A slow pattern may take tens of milliseconds a line, and a cursor matches thousands of lines before it comes back: so the
 * thread's flag is looked at before each line. What computes with series looks at it before each of them, or each step; what
 * sorts them, between runs of some thousands.
 *
 * Threads    The flag is the calling thread's.
 * Errors     CW_E_CANCELED.
 */
#ifndef CW_MATCH_MATCH_STOP_H
#define CW_MATCH_MATCH_STOP_H
#include <stdatomic.h>
#include <stdbool.h>
#include "common/base/err.h"

/* Work of this thread ends with CW_E_CANCELED once *stop is true; NULL: it does not. Borrowed until the next call. Returns what was
 * watched before. */
const atomic_bool *cw_match_stop_watch(const atomic_bool *stop);
bool cw_match_stop_raised(void);
/* 0, or the error when it is. */
int cw_match_stop_check(struct cw_err *err) CW_MUST_USE;

#endif
