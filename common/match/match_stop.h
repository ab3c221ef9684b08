/*
 * match_stop.h - end regular expressions over many lines when the query that asked is over.
 *
 * A slow pattern may take tens of milliseconds a line, and a cursor matches thousands of lines before it comes back: so the
 * thread's flag is looked at before each line.
 *
 * Threads    The flag is the calling thread's.
 */
#ifndef CW_MATCH_MATCH_STOP_H
#define CW_MATCH_MATCH_STOP_H
#include <stdatomic.h>
#include <stdbool.h>

/* Line filters of this thread end with CW_E_CANCELED once *stop is true; NULL: they do not. Borrowed until the next call. */
void cw_match_stop_watch(const atomic_bool *stop);
bool cw_match_stop_raised(void);

#endif
