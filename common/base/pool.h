/*
 * pool.h - a fixed set of worker threads with two priorities and bounded queues per group.
 *
 * A group is a set of jobs that somebody waits for (the work units of one query). Of groups of one priority the one that has used the
 * least CPU so far comes next, so that short queries go past long ones; every fourth turn is that of the group that waits for the
 * longest, so that none starves. CW_POOL_LOW runs only when nothing else waits (merges).
 *
 * Ownership  A job's argument stays the submitter's; it must live until the job ran.
 * Threads    Any thread may submit and wait; never wait from inside a job of the same pool.
 * Bounds     With CW_POOL_GROUP_JOBS queued in its group cw_pool_submit() waits, but not when a job of the same pool
 *            calls it: its own thread is one of those that make room.
 */
#ifndef CW_BASE_POOL_H
#define CW_BASE_POOL_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"

struct cw_pool;
struct cw_pool_group;
enum cw_pool_priority { CW_POOL_NORMAL, CW_POOL_LOW };
enum { CW_POOL_GROUP_JOBS = 4096 };
typedef void (*cw_pool_fn)(void *arg);

/* nthreads 0: one per online core. NULL: not all threads can be started (CW_E_UNAVAILABLE: the system allows no more). */
struct cw_pool *cw_pool_new(unsigned nthreads, struct cw_err *err);
/* Joins; all groups must have been freed, so all jobs ran. */
void cw_pool_free(struct cw_pool **pool);
unsigned cw_pool_threads(const struct cw_pool *pool);
struct cw_pool_group *cw_pool_group_new(struct cw_pool *pool, enum cw_pool_priority priority);
/* It has used so much already: it is one of several groups of one query. Before it submits. */
void cw_pool_group_used(struct cw_pool_group *group, uint64_t cpu_ns);
void cw_pool_submit(struct cw_pool_group *group, cw_pool_fn fn, void *arg);
void cw_pool_wait(struct cw_pool_group *group); /* until all submitted jobs of the group ran */
/* The same for so long at most: did all of them run? */
bool cw_pool_wait_for(struct cw_pool_group *group, int64_t ns);
void cw_pool_group_free(struct cw_pool_group **group); /* waits first */

#endif
