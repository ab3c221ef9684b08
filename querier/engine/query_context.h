/*
 * query_context.h - what every step of one query shares: where it runs, over what, how long and in how much memory, and
 * what it cost.
 *
 * Ownership  Borrows the pool and the snapshot; both outlive it.
 * Threads    The flags, the allowance and the statistics are for any thread of the query; the rest is set before it starts.
 * Errors     CW_E_CANCELED, CW_E_TIMEOUT with Loki's sentences.
 */
#ifndef CW_ENGINE_QUERY_CONTEXT_H
#define CW_ENGINE_QUERY_CONTEXT_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/pool.h"
#include "common/store/cursor.h"
#include "querier/engine/sample.h"

/* Where the time of a query goes. */
enum cw_query_step {
    CW_STEP_PLAN, /* streams and blocks are chosen */
    /* Blocks are opened and filtered, lines rebuilt, entries processed. CPU is of all workers, wall of who waits for them. */
    CW_STEP_SCAN,
    /* Of SCAN: entries go through the pipeline, into an answer or into series. Of all workers; only when the query is `timed`. */
    CW_STEP_PROCESS,
    CW_STEP_EVALUATE, /* what workers have is merged, and computed with */
    CW_STEP_ANSWER,   /* the answer is written */
    CW_QUERY_NSTEPS
};
struct cw_step_time {
    atomic_uint_fast64_t wall_ns, cpu_ns;
};
struct cw_scan_costs;

struct cw_query_context {
    struct cw_pool *pool; /* NULL: everything runs on the calling thread */
    const struct cw_snapshot *snapshot;
    int64_t deadline_mono_ns;       /* 0: none */
    const atomic_bool *client_gone; /* may be NULL */
    uint64_t max_bytes; /* of lines that its plans may come to (max_query_bytes_read); 0: any */
    struct cw_allowance allowance;
    struct cw_scan_stats stats;
    atomic_bool stop; /* what cursors look at: raised by _poll() */
    atomic_uint_fast64_t units_planned, units_read, bytes_planned, line_bytes;
    atomic_uint_fast64_t sources_planned, sources_outside; /* of all, and not in the range */
    struct cw_step_time times[CW_QUERY_NSTEPS];
    bool timed;                  /* PROCESS too: clocks are read for each batch */
    struct cw_scan_costs *costs; /* learn from this query (scan_cost.h); may be NULL */
};

/* Time from a begin on, of the calling thread. */
struct cw_step_clock {
    int64_t wall_ns, cpu_ns;
};
struct cw_step_clock cw_step_begin(void);
void cw_step_end(struct cw_query_context *query, enum cw_query_step step,
                 const struct cw_step_clock *begun);

void cw_query_context_init(struct cw_query_context *query, struct cw_pool *pool,
                           const struct cw_snapshot *snapshot, size_t memory_bytes);
/* One of its own for planning ahead on the caller's thread: over the same, ending with it, and counting for itself. It takes no
 * memory. */
void cw_query_context_fork(const struct cw_query_context *query, struct cw_query_context *out);
/* Raise `stop` once the client is gone or the deadline has passed. Somebody calls it often enough (the coordinator's watch);
 * steps of the engine call it between work units. True when the query is to end. */
bool cw_query_context_poll(struct cw_query_context *query);
/* 0, or the reason why the query ends. */
int cw_query_context_check(struct cw_query_context *query, struct cw_err *err) CW_MUST_USE;
/* Turn the CW_E_CANCELED of a cursor into the query's reason; other codes pass through. */
int cw_query_context_reason(struct cw_query_context *query, int rc, struct cw_err *err);

#endif
