/* store_commit.c - the WAL thread: takes what waits, appends it in order, makes it durable with one fsync, answers. */
#include "ingester/store_priv.h"

#include <stdlib.h>
#include <time.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/log.h"
#include "common/store/wal_reader.h"

enum {
    /* One fsync serves so much at most: the first of a group must not wait for ever. */
    GROUP_OPS_MAX = 256,
    GROUP_TICK_MS = 200,
    /* While the log cannot be written, a segment that was begun and failed has a successor after so long at the earliest: each
     * is a file with nothing in it, and a push that fails must not cost one. */
    SEGMENT_AGAIN_MS = 1000,
};
#define GROUP_BYTES_MAX (32u << 20)
#define FORGET_EVERY_NS (INT64_C(600) * CW_NS_PER_S)
/* A log of less is left as it is when the head has become empty: a new segment costs two syncs. */
#define RENEW_BYTES_MIN (1u << 20)

struct cw_marks *cw_store_marks(struct cw_store *store)
{
    return store->marks;
}

struct cw_head *cw_store_head(struct cw_store *store)
{
    return store->head;
}

int cw_store_append(struct cw_store *store, struct cw_wal_frame *frame, struct cw_err *err)
{
    int rc = cw_wal_writer_append(store->writer, frame, err);
    store->wrote = true;
    return rc;
}

int cw_store_submit(struct cw_store *store, struct cw_store_op *op, struct cw_err *err)
{
    if (!cw_store_ready(store, err))
        return err ? err->code : CW_E_UNAVAILABLE;
    pthread_mutex_lock(&store->ops_lock);
    if (store->ops_closed) {
        pthread_mutex_unlock(&store->ops_lock);
        return cw_err_set(err, CW_E_UNAVAILABLE, "the server is stopping");
    }
    op->next = NULL;
    if (store->ops_last)
        store->ops_last->next = op;
    else
        store->ops_first = op;
    store->ops_last = op;
    pthread_cond_signal(&store->ops_cond);
    pthread_mutex_unlock(&store->ops_lock);
    return 0;
}

static bool group_goes_on(const struct cw_store_op *last)
{
    return !last->ends_group && !last->appends_nothing && !last->next->appends_nothing;
}

/* A group of ops; NULL after a tick without any, or when *closed_out. */
static struct cw_store_op *take_group(struct cw_store *store, bool *closed_out)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GROUP_TICK_MS * CW_NS_PER_MS;
    until.tv_sec += until.tv_nsec / CW_NS_PER_S;
    until.tv_nsec %= CW_NS_PER_S;
    pthread_mutex_lock(&store->ops_lock);
    while (!store->ops_first && !store->ops_closed) {
        if (pthread_cond_timedwait(&store->ops_cond, &store->ops_lock, &until) != 0)
            break;
    }
    struct cw_store_op *first = store->ops_first, *last = first;
    if (first) {
        uint64_t bytes = first->bytes;
        for (unsigned n = 1; last->next && group_goes_on(last) && n < GROUP_OPS_MAX &&
                             bytes + last->next->bytes <= GROUP_BYTES_MAX;
             n++) {
            last = last->next;
            bytes += last->bytes;
        }
        store->ops_first = last->next;
        if (!last->next)
            store->ops_last = NULL;
        last->next = NULL;
    }
    *closed_out = !first && store->ops_closed;
    pthread_mutex_unlock(&store->ops_lock);
    return first;
}

/* Does no frame of the log hold an entry that is in no part? */
static bool log_is_settled(struct cw_store *store)
{
    return cw_head_entries(store->head) == 0 && store_nfrozen(store) == 0;
}

int store_segment_begin(struct cw_store *store, struct cw_err *err)
{
    enum cw_wal_before before =
        log_is_settled(store) ? CW_WAL_BEFORE_SETTLED : CW_WAL_BEFORE_NEEDED;
    struct cw_buf marks;
    cw_buf_init(&marks, CW_WAL_BODY_BYTES_MAX);
    cw_marks_checkpoint(store->marks, &marks);
    CW_ASSERT(!cw_buf_failed(&marks));
    int rc = cw_wal_writer_begin(store->writer, cw_buf_str(&marks), before, cw_clock_now_ns(), err);
    cw_buf_fini(&marks);
    if (rc < 0)
        cw_err_wrap(err, "a new segment of the log");
    return rc;
}

static void finish_group(struct cw_store *store, struct cw_store_op *op, int rc, struct cw_err *err)
{
    while (op) {
        struct cw_store_op *next = op->next;
        uint64_t bytes = op->bytes;
        op->finish(op, rc, err);
        cw_store_release(store, bytes);
        op = next;
    }
}

/* ---- while the log cannot be written ---- */

/* Said once, however many pushes meet it. */
static void trouble_note(struct cw_store *store, const struct cw_store_op *ops,
                         const struct cw_err *err)
{
    struct store_log_trouble *trouble = &store->trouble;
    if (trouble->nrefused == 0) {
        trouble->since_ns = cw_clock_mono_ns();
        cw_log_error("the log cannot be written, pushes are refused until it can: %s", err->text);
    }
    trouble->last = *err;
    for (; ops; ops = ops->next)
        trouble->nrefused++;
}

static void trouble_end(struct cw_store *store, const char *how)
{
    struct store_log_trouble *trouble = &store->trouble;
    if (trouble->nrefused == 0)
        return;
    cw_log_info("%s; %llu pushes were refused in %lld ms", how,
                (unsigned long long)trouble->nrefused,
                (long long)((cw_clock_mono_ns() - trouble->since_ns) / CW_NS_PER_MS));
    *trouble = (struct store_log_trouble){0};
}

/* There is a segment to append to. */
static int segment_ready(struct cw_store *store, struct cw_err *err)
{
    struct store_log_trouble *trouble = &store->trouble;
    int64_t now_ns = cw_clock_mono_ns();
    if (cw_wal_writer_ready(store->writer))
        return 0;
    if (trouble->nrefused > 0 && trouble->begun_ns != 0 &&
        now_ns - trouble->begun_ns < SEGMENT_AGAIN_MS * CW_NS_PER_MS) {
        *err = trouble->last;
        return err->code;
    }
    int rc = store_segment_begin(store, err);
    if (rc == 0 && trouble->nrefused > 0)
        trouble->begun_ns = now_ns;
    return rc;
}

static void group_failed(struct cw_store *store, struct cw_store_op *ops, int rc,
                         struct cw_err *err)
{
    trouble_note(store, ops, err);
    atomic_fetch_add(&store->counters.wal_failures, 1);
    cw_head_rollback(store->head);
    cw_marks_rollback(store->marks);
    finish_group(store, ops, rc, err);
}

static int group_sync(struct cw_store *store, struct cw_err *err)
{
    int64_t before_ns = cw_clock_mono_ns();
    bool now = store->options.wal_sync == CW_STORE_SYNC_ALWAYS;
    int rc =
        cw_wal_writer_sync(store->writer, now ? CW_WAL_SYNC_DURABLE : CW_WAL_SYNC_WRITTEN, err);
    store->last_push_ns = cw_clock_mono_ns();
    if (rc == 0 && now) {
        atomic_fetch_add(&store->counters.wal_syncs, 1);
        atomic_fetch_add(&store->counters.wal_sync_ns, (uint64_t)(store->last_push_ns - before_ns));
        store->last_sync_ns = store->last_push_ns;
    }
    return rc;
}

static void run_group(struct cw_store *store, struct cw_store_op *ops)
{
    struct cw_err err = {0};
    store->wrote = false;
    int rc = ops->appends_nothing ? 0 : segment_ready(store, &err);
    /* A failed append has cut the segment: nothing of the group is left, and what was not looked at yet fails with it. */
    for (struct cw_store_op *op = ops; op && rc == 0; op = op->next)
        rc = op->prepare(op, store, &err);
    if (rc == 0 && store->wrote)
        rc = group_sync(store, &err);
    if (rc < 0) {
        group_failed(store, ops, rc, &err);
        return;
    }
    if (store->wrote)
        trouble_end(store, "the log is written again");
    cw_head_commit(store->head, cw_wal_writer_last_seq(store->writer));
    cw_marks_commit(store->marks);
    atomic_store(&store->counters.marks, cw_marks_count(store->marks));
    finish_group(store, ops, 0, &err);
}

/* ---- between groups ---- */

/* Entries in a part whose marks a power cut takes would come twice: with wal.sync: interval their frames are made durable
 * first. If that fails, the marks are in the next segment's checkpoint, which is. */
static void sync_before_flush(struct cw_store *store)
{
    struct cw_err err = {0};
    int rc = store_make_durable(store, &err);
    if (rc < 0)
        rc = store_segment_begin(store, &err);
    if (rc < 0)
        cw_log_error("pushes that were answered may not survive a power cut: %s", err.text);
}

int store_make_durable(struct cw_store *store, struct cw_err *err)
{
    return cw_wal_writer_dirty(store->writer)
               ? cw_wal_writer_sync(store->writer, CW_WAL_SYNC_DURABLE, err)
               : 0;
}

void store_freeze_now(struct cw_store *store)
{
    sync_before_flush(store);
    struct cw_generation *generation = cw_head_freeze(store->head);
    if (!generation)
        return;
    struct store_frozen *frozen = cw_mem_new(sizeof(*frozen));
    frozen->generation = generation;
    pthread_mutex_lock(&store->flush_lock);
    struct store_frozen **at = &store->frozen;
    while (*at)
        at = &(*at)->next;
    *at = frozen;
    store->nfrozen++;
    pthread_cond_broadcast(&store->flush_cond);
    pthread_mutex_unlock(&store->flush_lock);
}

/* Pushes that come faster than they can be flushed wait here, so that memory stays what it is. Not for a flush that fails: then
 * the head grows up to its budget, and pushes are refused after that. */
static void maybe_freeze(struct cw_store *store)
{
    uint64_t bytes = cw_head_current_bytes(store->head);
    bool idle =
        cw_clock_mono_ns() - store->last_push_ns >= STORE_IDLE_NS && bytes > STORE_IDLE_FLUSH_BYTES;
    bool full = bytes >= store->options.head_flush_bytes;
    bool pressed = atomic_load(&store->pressed);
    if ((full && store_wait_frozen(store, CW_STORE_FROZEN_MAX - 1)) ||
        ((idle || pressed) && store_nfrozen(store) < CW_STORE_FROZEN_MAX)) {
        atomic_store(&store->pressed, false);
        store_freeze_now(store);
    }
}

/* Everything that the log holds is in parts: begin a segment with the marks, and let all before it go. Once per content of
 * the log, whether it works or not. */
static void renew_log(struct cw_store *store, uint64_t bytes_min)
{
    uint64_t bytes, nsegments, last_seq = cw_wal_writer_last_seq(store->writer);
    struct cw_err err = {0};
    if (last_seq == store->renewed_seq || !log_is_settled(store))
        return;
    cw_wal_writer_count(store->writer, &bytes, &nsegments);
    if (nsegments == 0 || bytes < bytes_min)
        return;
    int rc = store_segment_begin(store, &err);
    if (rc == 0)
        rc = cw_wal_writer_remove_before(store->writer, last_seq, &err);
    if (rc < 0)
        cw_log_warn("the log is not made smaller: %s", err.text);
    store->renewed_seq = cw_wal_writer_last_seq(store->writer);
}

/* Deletes are being carried out: what they are of must leave the log too. A new segment begins, and the head goes with the old
 * ones, which leave when it is flushed. Once; but when the head is empty, what is left of them can leave at any time. */
static void purge_log(struct cw_store *store)
{
    struct cw_err err = {0};
    uint64_t seq = atomic_exchange(&store->purge_seq, 0);
    uint64_t last_seq = cw_wal_writer_last_seq(store->writer);
    bool empty = log_is_settled(store);
    if (seq == 0)
        return;
    if (seq <= store->log_purged_seq) {
        if (empty)
            renew_log(store, 0);
        return;
    }
    int rc = store_segment_begin(store, &err);
    if (rc == 0 && empty)
        rc = cw_wal_writer_remove_before(store->writer, last_seq, &err);
    if (rc < 0) { /* asked again with the keeper's next turn */
        if (!store->log_purge_fails)
            cw_log_warn("deleted entries stay in the log for now: %s", err.text);
        store->log_purge_fails = true;
        return;
    }
    store->log_purge_fails = false;
    store->log_purged_seq = cw_wal_writer_last_seq(store->writer);
    store_freeze_now(store);
}

static void sync_interval(struct cw_store *store)
{
    struct cw_err err = {0};
    int64_t now_ns = cw_clock_mono_ns();
    if (store->options.wal_sync != CW_STORE_SYNC_INTERVAL || !cw_wal_writer_dirty(store->writer) ||
        now_ns - store->last_sync_ns < store->options.wal_sync_interval_ns)
        return;
    store->last_sync_ns = now_ns;
    if (cw_wal_writer_sync(store->writer, CW_WAL_SYNC_DURABLE, &err) < 0)
        cw_log_error("pushes of the last %lld ms may not survive a power cut: %s",
                     (long long)(store->options.wal_sync_interval_ns / CW_NS_PER_MS), err.text);
}

static void maybe_forget(struct cw_store *store, int64_t *last_ns)
{
    int64_t now_ns = cw_clock_mono_ns();
    if (now_ns - *last_ns < FORGET_EVERY_NS)
        return;
    *last_ns = now_ns;
    size_t n = cw_marks_forget(store->marks, cw_clock_now_ns(), store->options.sources_forget_ns);
    if (n > 0)
        cw_log_info("%zu marks of sources that fell silent are forgotten", n);
    atomic_fetch_add(&store->counters.forgotten, n);
}

void *store_wal_main(void *arg)
{
    struct cw_store *store = arg;
    bool closed = false;
    int64_t last_forget_ns = cw_clock_mono_ns();
    struct cw_err err = {0};
    if (store_replay(store, &err) < 0) {
        if (err.code == CW_E_CANCELED)
            return NULL; /* stopped meanwhile: the next start begins again */
        cw_log_error("the log cannot be replayed; this server only answers queries: %s", err.text);
        store->failure = err;
        atomic_store(&store->state, STORE_FAILED);
        return NULL;
    }
    enum store_state replaying = STORE_REPLAYING;
    atomic_compare_exchange_strong(&store->state, &replaying, STORE_READY);
    while (!closed) {
        struct cw_store_op *ops = take_group(store, &closed);
        if (ops)
            run_group(store, ops);
        sync_interval(store);
        maybe_freeze(store);
        renew_log(store, RENEW_BYTES_MIN);
        purge_log(store);
        maybe_forget(store, &last_forget_ns);
    }
    trouble_end(store, "the log could not be written to the last");
    store_freeze_now(store);
    if (store_wait_frozen(store, 0))
        renew_log(store, 0);
    return NULL;
}
