/* store_flush.c - the flusher (generations into parts) and the keeper (retention, merges, POST /flush). */
#include "ingester/store_priv.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/part_writer.h"
#include "ingester/flush.h"

enum {
    FLUSH_RETRY_MS = 1000, /* the disk may have room again */
    KEEPER_TICK_MS = 1000,
    RETENTION_EVERY_TICKS = 10,
};

/* Wait on flush_cond for at most `ms`; the lock is held. */
static void wait_ms(struct cw_store *store, int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms * CW_NS_PER_MS;
    until.tv_sec += until.tv_nsec / CW_NS_PER_S;
    until.tv_nsec %= CW_NS_PER_S;
    pthread_cond_timedwait(&store->flush_cond, &store->flush_lock, &until);
}

size_t store_nfrozen(struct cw_store *store)
{
    pthread_mutex_lock(&store->flush_lock);
    size_t n = store->nfrozen;
    pthread_mutex_unlock(&store->flush_lock);
    return n;
}

bool store_wait_frozen(struct cw_store *store, size_t n)
{
    pthread_mutex_lock(&store->flush_lock);
    while (store->nfrozen > n && store->flush_error.code == 0 && !store->flush_stop)
        pthread_cond_wait(&store->flush_cond, &store->flush_lock);
    bool ok = store->nfrozen <= n;
    pthread_mutex_unlock(&store->flush_lock);
    return ok;
}

bool store_wait_flush(struct cw_store *store)
{
    pthread_mutex_lock(&store->flush_lock);
    uint64_t before = store->nflushed;
    while (store->nflushed == before && store->nfrozen > 0 &&
           atomic_load(&store->state) != STORE_STOPPING)
        wait_ms(store, FLUSH_RETRY_MS);
    pthread_mutex_unlock(&store->flush_lock);
    return atomic_load(&store->state) != STORE_STOPPING;
}

/* ---- one generation ---- */

struct gather {
    struct cw_flush_tenant *tenants;
    size_t ntenants, cap, streams_cap;
};

static void on_stream(void *arg, const struct cw_generation_stream *stream)
{
    struct gather *gather = arg;
    struct cw_flush_tenant *tenant =
        gather->ntenants ? &gather->tenants[gather->ntenants - 1] : NULL;
    if (!tenant || !cw_str_eq(tenant->tenant, stream->tenant)) {
        if (gather->ntenants == gather->cap) {
            gather->cap = gather->cap ? 2 * gather->cap : 4;
            gather->tenants =
                cw_mem_resize(gather->tenants, gather->cap * sizeof(*gather->tenants));
        }
        tenant = &gather->tenants[gather->ntenants++];
        *tenant = (struct cw_flush_tenant){.tenant = stream->tenant};
        gather->streams_cap = 0;
    }
    if (tenant->nstreams == gather->streams_cap) {
        gather->streams_cap = gather->streams_cap ? 2 * gather->streams_cap : 64;
        tenant->streams =
            cw_mem_resize(tenant->streams, gather->streams_cap * sizeof(*tenant->streams));
    }
    tenant->streams[tenant->nstreams++] = (struct cw_flush_stream){.ref = stream->ref,
                                                                   .nentries = stream->nentries,
                                                                   .line_bytes = stream->line_bytes,
                                                                   .min_ns = stream->min_ns,
                                                                   .max_ns = stream->max_ns,
                                                                   .key = stream->key};
}

static int open_stream(void *ctx, const struct cw_flush_stream *stream, int64_t start_ns,
                       int64_t end_ns, struct cw_cursor **out, struct cw_err *err)
{
    return cw_generation_open(ctx, stream->key, start_ns, end_ns, out, err);
}

static int flush_generation(struct cw_store *store, struct cw_generation *generation,
                            struct cw_err *err)
{
    struct gather gather = {0};
    struct cw_parts_change *change = NULL;
    int64_t start_ns = cw_clock_mono_ns();
    cw_generation_each_stream(generation, on_stream, &gather);
    struct cw_flush_input input = {.tenants = gather.tenants,
                                   .ntenants = gather.ntenants,
                                   .wal_first = cw_generation_first_seq(generation),
                                   .wal_last = cw_generation_last_seq(generation),
                                   .ctx = generation,
                                   .open = open_stream};
    int rc = cw_flush_write(store->parts, &input, &change, err);
    if (rc == 0)
        rc = cw_parts_commit(store->parts, change, err);
    if (rc == 0) {
        cw_parts_lock(store->parts);
        cw_parts_publish(store->parts, change);
        cw_head_drop(store->head, generation);
        cw_parts_unlock(store->parts);
        cw_log_debug("flushed frames %llu to %llu in %lld ms", (unsigned long long)input.wal_first,
                     (unsigned long long)input.wal_last,
                     (long long)((cw_clock_mono_ns() - start_ns) / CW_NS_PER_MS));
    }
    cw_parts_change_free(&change);
    for (size_t i = 0; i < gather.ntenants; i++)
        free(gather.tenants[i].streams);
    free(gather.tenants);
    return rc;
}

/* The first frozen generation left the list; the lock is held. */
static void pop_frozen(struct cw_store *store)
{
    struct store_frozen *frozen = store->frozen;
    store->frozen = frozen->next;
    store->nfrozen--;
    store->nflushed++;
    cw_generation_unref(&frozen->generation);
    free(frozen);
}

static void remove_segments(struct cw_store *store)
{
    struct cw_err err = {0};
    if (cw_wal_writer_remove_before(store->writer, cw_parts_wal_flushed(store->parts), &err) < 0)
        cw_log_warn("an old segment of the log cannot be removed: %s", err.text);
}

void *store_flush_main(void *arg)
{
    struct cw_store *store = arg;
    pthread_mutex_lock(&store->flush_lock);
    for (;;) {
        while (!store->frozen && !store->flush_stop)
            pthread_cond_wait(&store->flush_cond, &store->flush_lock);
        if (!store->frozen)
            break;
        struct cw_generation *generation = store->frozen->generation;
        struct cw_err err = {0};
        pthread_mutex_unlock(&store->flush_lock);
        /* It makes room: it is never refused any. */
        cw_memory_add(store->options.budget, CW_MEMORY_FLUSH, CW_PART_WRITER_MEMORY);
        int rc = flush_generation(store, generation, &err);
        cw_memory_give(store->options.budget, CW_MEMORY_FLUSH, CW_PART_WRITER_MEMORY);
        if (rc == 0) {
            remove_segments(store);
            cw_merge_kick(store->merge);
        }
        pthread_mutex_lock(&store->flush_lock);
        if (rc < 0 && store->flush_error.code == 0)
            cw_log_error("the head cannot be flushed, it will be tried again: %s", err.text);
        store->flush_error = err;
        atomic_fetch_add(rc < 0 ? &store->counters.flush_failures : &store->counters.flushes, 1);
        if (rc == 0)
            pop_frozen(store);
        pthread_cond_broadcast(&store->flush_cond);
        if (rc < 0 && store->flush_stop)
            break; /* the log has it all; the next start tries again */
        if (rc < 0)
            wait_ms(store, FLUSH_RETRY_MS);
    }
    while (store->frozen)
        pop_frozen(store);
    pthread_mutex_unlock(&store->flush_lock);
    return NULL;
}

/* ---- the keeper ---- */

static int freeze_prepare(struct cw_store_op *op, struct cw_store *store, struct cw_err *err)
{
    (void)op;
    (void)store;
    (void)err;
    return 0;
}

/* The group is committed: all that was acknowledged before is in the generation. */
static void freeze_finish(struct cw_store_op *op, int rc, const struct cw_err *err)
{
    struct store_flush_wait *wait = CW_CONTAINER_OF(op, struct store_flush_wait, op);
    struct cw_store *store = wait->store;
    (void)rc;
    (void)err;
    store_freeze_now(store);
    pthread_mutex_lock(&store->flush_lock);
    wait->next = store->waits;
    store->waits = wait;
    pthread_cond_broadcast(&store->flush_cond);
    pthread_mutex_unlock(&store->flush_lock);
}

int cw_store_flush(struct cw_store *store,
                   void (*done)(void *arg, int rc, const struct cw_err *err), void *arg,
                   struct cw_err *err)
{
    struct store_flush_wait *wait = cw_mem_new(sizeof(*wait));
    *wait = (struct store_flush_wait){.done = done,
                                      .arg = arg,
                                      .store = store,
                                      .op = {.prepare = freeze_prepare, .finish = freeze_finish}};
    int rc = cw_store_submit(store, &wait->op, err);
    if (rc < 0)
        free(wait);
    return rc;
}

static void answer_waits(struct cw_store *store, struct store_flush_wait *waits, bool flushed)
{
    struct cw_err err = {0};
    if (flushed) {
        store_deletes_advance(store);
        cw_merge_wait(store->merge);
        store_deletes_advance(store);
    } else {
        pthread_mutex_lock(&store->flush_lock);
        err = store->flush_error;
        pthread_mutex_unlock(&store->flush_lock);
        if (err.code == 0)
            cw_err_set(&err, CW_E_UNAVAILABLE, "the server is stopping");
    }
    while (waits) {
        struct store_flush_wait *next = waits->next;
        waits->done(waits->arg, err.code, &err);
        free(waits);
        waits = next;
    }
}

void store_tell(struct store_told *told, const char *what, int rc, const struct cw_err *err)
{
    if (rc < 0 && rc != told->code)
        cw_log_warn("%s: %s", what, err->text);
    else if (rc >= 0 && told->code < 0)
        cw_log_info("%s: done, after it failed", what);
    told->code = CW_MIN(rc, 0);
}

static void run_retention(struct cw_store *store)
{
    struct cw_err err = {0};
    uint64_t log_bytes, nsegments;
    cw_wal_writer_count(store->writer, &log_bytes, &nsegments);
    int rc = cw_retention_run(store->parts, &store->options.retention, cw_clock_now_ns(), log_bytes,
                              &store->retention_totals, &err);
    store_tell(&store->retention_told, "retention", rc, &err);
}

static bool flush_fails(struct cw_store *store)
{
    pthread_mutex_lock(&store->flush_lock);
    bool fails = store->flush_error.code < 0;
    pthread_mutex_unlock(&store->flush_lock);
    return fails;
}

void *store_keeper_main(void *arg)
{
    struct cw_store *store = arg;
    unsigned tick = 0;
    for (;;) {
        pthread_mutex_lock(&store->flush_lock);
        if (!store->keeper_stop && !store->waits)
            wait_ms(store, KEEPER_TICK_MS);
        struct store_flush_wait *waits = store->waits;
        bool stop = store->keeper_stop;
        store->waits = NULL;
        pthread_mutex_unlock(&store->flush_lock);
        if (waits)
            answer_waits(store, waits, store_wait_frozen(store, 0));
        else if (stop)
            return NULL;
        /* While flushes fail the disk may be full: the oldest parts make room at once. */
        if (tick++ % RETENTION_EVERY_TICKS == 0 || flush_fails(store))
            run_retention(store);
        store_deletes_advance(store);
        cw_merge_kick(store->merge);
    }
}
