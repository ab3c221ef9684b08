#include "querier/engine/unit_run.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/match_stop.h"

struct unit_run {
    struct cw_query_context *query;
    const struct cw_plan *plan;
    cw_unit_fn fn;
    void *arg;
    pthread_mutex_t lock; /* guards what follows */
    size_t next;          /* position in plan->order */
    bool done;            /* an error, or nothing later matters */
    unsigned *free_slots;
    unsigned nfree;
    int rc;
    struct cw_err err;
};

unsigned cw_unit_run_slots(const struct cw_query_context *query)
{
    return query->pool != NULL ? cw_pool_threads(query->pool) : 1;
}

static bool take_unit(struct unit_run *run, size_t *unit, unsigned *slot)
{
    pthread_mutex_lock(&run->lock);
    bool more = !run->done && run->next < run->plan->units.n;
    if (more) {
        *unit = run->plan->order[run->next++];
        CW_ASSERT(run->nfree > 0);
        *slot = run->free_slots[--run->nfree];
    }
    pthread_mutex_unlock(&run->lock);
    return more;
}

static void run_unit(void *arg)
{
    struct unit_run *run = arg;
    size_t unit;
    unsigned slot;
    if (!take_unit(run, &unit, &slot))
        return;
    struct cw_err err = {0};
    int64_t begun_ns = cw_clock_thread_cpu_ns();
    int rc = cw_query_context_check(run->query, &err);
    if (rc == 0)
        rc = run->fn(run->arg, slot, unit, &err);
    atomic_fetch_add_explicit(&run->query->times[CW_STEP_SCAN].cpu_ns,
                              (uint64_t)(cw_clock_thread_cpu_ns() - begun_ns),
                              memory_order_relaxed);
    pthread_mutex_lock(&run->lock);
    run->free_slots[run->nfree++] = slot;
    if (rc != 0)
        run->done = true;
    if (rc < 0 && run->rc == 0) {
        run->rc = rc;
        run->err = err;
    }
    pthread_mutex_unlock(&run->lock);
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
        for (size_t i = 0; i < plan->units.n && !run.done; i++)
            run_unit(&run);
    } else {
        struct cw_pool_group *group = cw_pool_group_new(query->pool, CW_POOL_NORMAL);
        cw_pool_group_used(group, atomic_load(&query->times[CW_STEP_SCAN].cpu_ns));
        for (size_t i = 0; i < plan->units.n; i++)
            cw_pool_submit(group, run_unit, &run);
        cw_pool_group_free(&group);
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
    cw_match_stop_watch(&query->stop);
    int rc = unit->source->ops->open(unit->source, scan, unit, &cursor, err);
    if (rc == 0)
        rc = read_batches(query, cursor, fn, arg, err);
    cw_cursor_close(&cursor);
    cw_match_stop_watch(NULL);
    if (scan->stats != NULL)
        atomic_fetch_add(&query->units_read, 1);
    return rc < 0 ? cw_query_context_reason(query, rc, err) : 0;
}
