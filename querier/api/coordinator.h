/*
 * coordinator.h - a bounded set of threads, started as they are needed, that each see one query through, so that neither HTTP threads nor the pool's ever
 * wait for one; and a watch that ends queries whose client is gone or whose time is up.
 *
 * Turns      Of the jobs that wait, the next is of the tenant with the fewest under way; of one tenant, the one that came first. One
 *            tenant has at most three quarters of the threads, so that others never wait for all of its queries.
 *
 * Ownership  A job belongs to whoever submitted it until its function ran; contexts that are watched are borrowed.
 * Threads    Any.
 */
#ifndef CW_API_COORDINATOR_H
#define CW_API_COORDINATOR_H
#include <stdbool.h>
#include <stddef.h>
#include "querier/engine/query_context.h"

struct cw_coordinator;

struct cw_coordinator_job {
    void (*fn)(struct cw_coordinator_job *job);
    uint64_t tenant; /* a hash of its name */
    struct cw_coordinator_job *next;
};

/* At most max_threads jobs run and max_queued wait. NULL: the first threads cannot be started (CW_E_UNAVAILABLE: the system allows no
 * more). */
struct cw_coordinator *cw_coordinator_new(unsigned max_threads, size_t max_queued,
                                          struct cw_err *err);
/* Runs what is queued, then joins. */
void cw_coordinator_free(struct cw_coordinator **coordinator);
/* False when the queue is full (or the end has begun): the job was not taken. */
bool cw_coordinator_submit(struct cw_coordinator *coordinator, struct cw_coordinator_job *job);
/* Until _unwatch() the context is polled often enough that a query ends within 100 ms of its client's leaving. */
void cw_coordinator_watch(struct cw_coordinator *coordinator, struct cw_query_context *query);
void cw_coordinator_unwatch(struct cw_coordinator *coordinator, struct cw_query_context *query);
/* Jobs under way and jobs that wait. */
void cw_coordinator_load(struct cw_coordinator *coordinator, size_t *running_out,
                         size_t *queued_out);

#endif
