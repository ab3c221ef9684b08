/*
 * progress.h - a line on the terminal while a query takes long: how long, and how far it is. It comes after a second, and is gone
 * before anything else is printed. Where standard error is no terminal there is none.
 *
 * Ownership  Borrows `arg` until it is stopped.
 * Threads    It has one of its own, which calls `say`.
 */
#ifndef CW_CLI_PROGRESS_H
#define CW_CLI_PROGRESS_H
#include "common/base/buf.h"

/* Append what stands behind the time ("12 of 30 MB"), or nothing. */
typedef void (*cw_progress_fn)(void *arg, struct cw_buf *out);

struct cw_progress;
/* NULL when standard error is no terminal, or no thread can be started: the others take that. `say` may be NULL. */
struct cw_progress *cw_progress_start(cw_progress_fn say, void *arg);
/* Something is about to be printed: the line goes, until _resume(). */
void cw_progress_pause(struct cw_progress *progress);
void cw_progress_resume(struct cw_progress *progress);
void cw_progress_stop(struct cw_progress **progress);

#endif
