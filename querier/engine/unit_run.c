#include "querier/engine/unit_run.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/match_stop.h"

/* What a worker does for one query before it looks whether another waits: many small units, or one large. */
static const int64_t turn_ns = CW_NS_PER_MS;

/* A query that is done before costs less on one worker: others would wait for it more than they help. */
static const int64_t alone_ns = CW_NS_PER_MS;

struct unit_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    cw_unit_fn fn;
    void *arg;
    struct cw_pool_group *group; /* NULL: there is no pool */
    pthread_mutex_t lock;        /* guards what follows, and the plan's order */
    size_t next;                 /* position in the plan's order */
    bool done;                   /* an error, or nothing later matters */
    unsigned *free_slots;
    unsigned nfree;
    int rc;
    struct cw_err err;
};

unsigned cw_unit_run_slots(const struct cw_query_context *query)
{
    return query->pool != NULL ? cw_pool_threads(query->pool) : 1;
}

static bool has_more(const struct unit_run *run)
{
    return !run->done && run->next < run->plan->units.n;
}

/* Under the lock, which is released while the unit runs. */
static void run_one(struct unit_run *run, unsigned slot)
{
    struct cw_err err = {0};
    size_t unit = cw_unit_order_get(run->plan->order, run->next++);
    pthread_mutex_unlock(&run->lock);
    int rc = cw_query_context_check(run->query, &err);
    if (rc == 0)
        rc = run->fn(run->arg, slot, unit, &err);
    pthread_mutex_lock(&run->lock);
    if (rc != 0)
        run->done = true;
    if (rc < 0 && run->rc == 0) {
        run->rc = rc;
        run->err = err;
    }
}

/* Units for as long as a turn lasts; behind it the job goes to the end of the queue again, until nothing is left to do. */
static void run_units(void *arg)
{
    struct unit_run *run = arg;
    int64_t begun_ns = cw_clock_thread_cpu_ns(), end_ns = cw_clock_mono_ns() + turn_ns;
    pthread_mutex_lock(&run->lock);
    CW_ASSERT(run->nfree > 0);
    unsigned slot = run->free_slots[--run->nfree];
    while (has_more(run)) {
        run_one(run, slot);
        if (run->group != NULL && cw_clock_mono_ns() >= end_ns)
            break;
    }
    run->free_slots[run->nfree++] = slot;
    bool more = has_more(run);
    pthread_mutex_unlock(&run->lock);
    atomic_fetch_add_explicit(&run->query->times[CW_STEP_SCAN].cpu_ns,
                              (uint64_t)(cw_clock_thread_cpu_ns() - begun_ns),
                              memory_order_relaxed);
    if (more && run->group != NULL)
        cw_pool_submit(run->group, run_units, run);
}

static void begin_workers(struct unit_run *run)
{
    size_t n = CW_MIN(run->plan->units.n, (size_t)cw_pool_threads(run->query->pool));
    if (n == 0)
        return;
    cw_pool_submit(run->group, run_units, run);
    if (n == 1 || cw_pool_wait_for(run->group, alone_ns))
        return;
    for (size_t i = 1; i < n; i++)
        cw_pool_submit(run->group, run_units, run);
}

int cw_unit_run(struct cw_query_context *query, const struct cw_plan *plan, cw_unit_fn fn,
                void *arg, struct cw_err *err)
{
    struct unit_run run = {
        .query = query, .plan = plan, .fn = fn, .arg = arg, .nfree = cw_unit_run_slots(query)};
    run.free_slots = cw_mem_array(run.nfree, sizeof *run.free_slots);
    for (unsigned i = 0; i < run.nfree; i++)
        run.free_slots[i] = run.nfree - 1 - i;
    pthread_mutex_init(&run.lock, NULL);
    int64_t begun_ns = cw_clock_mono_ns();
    if (query->pool == NULL) {
        run_units(&run);
    } else {
        run.group = cw_pool_group_new(query->pool, CW_POOL_NORMAL);
        cw_pool_group_used(run.group, atomic_load(&query->times[CW_STEP_SCAN].cpu_ns));
        begin_workers(&run);
        cw_pool_group_free(&run.group);
    }
    atomic_fetch_add(&query->times[CW_STEP_SCAN].wall_ns,
                     (uint64_t)(cw_clock_mono_ns() - begun_ns));
    pthread_mutex_destroy(&run.lock);
    free(run.free_slots);
    if (run.rc < 0)
        return cw_err_set(err, run.rc, "%s", run.err.text);
    return 0;
}

static int read_batches(struct cw_query_context *query, struct cw_cursor *cursor, cw_batch_fn fn,
                        void *arg, struct cw_err *err)
{
    struct cw_entry_batch batch = {0};
    int rc;
    while ((rc = cw_cursor_next(cursor, &batch, err)) > 0) {
        struct cw_step_clock begun = {0};
        if (query->timed)
            begun = cw_step_begin();
        rc = fn(arg, &batch, err);
        if (query->timed)
            cw_step_end(query, CW_STEP_PROCESS, &begun);
        if (rc == CW_E_CORRUPT && batch.templates != NULL) {
            cw_cursor_bad(cursor, err);
            rc = 0;
        }
        if (rc != 0)
            return rc < 0 ? rc : 0;
        rc = cw_query_context_check(query, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

int cw_unit_read(struct cw_query_context *query, const struct cw_scan *scan,
                 const struct cw_unit *unit, cw_batch_fn fn, void *arg, struct cw_err *err)
{
    struct cw_cursor *cursor = NULL;
    const atomic_bool *watched = cw_match_stop_watch(&query->stop);
    int rc = unit->source->ops->open(unit->source, scan, unit, &cursor, err);
    if (rc == 0)
        rc = read_batches(query, cursor, fn, arg, err);
    cw_cursor_close(&cursor);
    cw_match_stop_watch(watched);
    if (scan->stats != NULL)
        atomic_fetch_add(&query->units_read, 1);
    return rc < 0 ? cw_query_context_reason(query, rc, err) : 0;
}
