/*
 * many_waits.h - do the same to many files at once, where each is a wait for the disk.
 *
 * One fsync after the other waits for one commit of the file system's journal each; those that wait together share one. 1,000 new
 * folders on ext4 took 2.7 s one by one, 0.36 s by four threads, 0.33 s by sixteen. (syncfs(2) takes 0.2 s, but waits for what others
 * write on that disk, and does less than an fsync on FUSE.)
 *
 * Threads    The caller's, and for the time of the call as many more as are worth it; when the system gives none, it does
 *            without. They take no signals.
 */
#ifndef CW_BASE_MANY_WAITS_H
#define CW_BASE_MANY_WAITS_H
#include <stddef.h>
#include "common/base/err.h"

/* Calls under way at most: four share a commit as well as sixteen do, a slow disk wants some more. */
#define CW_MANY_WAITS_MAX 8

typedef int (*cw_wait_fn)(void *arg, size_t i, struct cw_err *err);
/* fn(arg, i) for i in [0, n), in any order, from several threads. After a failure none is begun; that one is returned, the first if
 * there are several. */
int cw_many_waits(size_t n, cw_wait_fn fn, void *arg, struct cw_err *err) CW_MUST_USE;
/* cw_file_sync_dir() of each. */
int cw_many_sync_dirs(char *const *dirs, size_t n, struct cw_err *err) CW_MUST_USE;

#endif
