/* store.c - open and close the data directory; snapshots, the memory budget, figures. */
#include "ingester/store.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/head_follow.h"
#include "common/store/part_source.h"
#include "common/store/wal_replay.h"
#include "ingester/hiding.h"
#include "ingester/snapshots.h"
#include "ingester/store_priv.h"

static char *join(const char *dir, const char *name)
{
    struct cw_buf path;
    cw_buf_init(&path, 1 << 16);
    cw_buf_addf(&path, "%s/%s", dir, name);
    return cw_buf_take(&path, NULL);
}

int cw_store_set_address(struct cw_store *store, const char *address, struct cw_err *err)
{
    return cw_data_lock_set_address(store->lock, address, err);
}

/* ---- open, close ---- */

static int segment_opens(int fd, const char *path, struct cw_err *err)
{
    (void)fd;
    (void)path;
    (void)err;
    return 0;
}

/* Said at once, not when the replay comes to it: what may not be read is no damage that could be set aside. */
static int check_log_access(struct cw_store *store, struct cw_err *err)
{
    return store_each_segment(store, segment_opens, err);
}

static int open_dirs(struct cw_store *store, struct cw_err *err)
{
    /* First: a folder that is refused stays as it is. */
    int rc = cw_parts_check_format(store->data_dir, err);
    if (rc == 0)
        rc = cw_file_mkdirs(store->data_dir, err);
    if (rc < 0)
        return rc;
    /* A folder that was there already keeps its owner's choice of the group, but nobody else reads logs. */
    if (chmod(store->data_dir, 0700) < 0 && errno != EPERM)
        return cw_err_errno(err, CW_E_IO, errno, "chmod %s", store->data_dir);
    rc = cw_data_lock_take(store->data_dir, &store->lock, err);
    if (rc == 0)
        rc = cw_file_mkdirs(store->wal_dir, err);
    if (rc == 0)
        rc = cw_quarantine_open(store->data_dir, &store->quarantine, err);
    if (rc == 0)
        rc = cw_snapshots_clean(store->data_dir, err);
    if (rc == 0)
        rc = check_log_access(store, err);
    return rc;
}

static int thread_start(struct cw_store *store, pthread_t *out, void *(*run)(void *),
                        struct cw_err *err)
{
    int errnum = pthread_create(out, NULL, run, store);
    if (errnum != 0)
        return cw_err_errno(err, CW_E_UNAVAILABLE, errnum, "start a thread of the store");
    store->nthreads++;
    return 0;
}

/* On failure those that have started run. */
static int threads_start(struct cw_store *store, struct cw_err *err)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->ops_lock, NULL);
    pthread_cond_init(&store->ops_cond, &attr);
    pthread_mutex_init(&store->flush_lock, NULL);
    pthread_cond_init(&store->flush_cond, &attr);
    pthread_condattr_destroy(&attr);
    int rc = thread_start(store, &store->flush_thread, store_flush_main, err);
    if (rc == 0)
        rc = thread_start(store, &store->keeper_thread, store_keeper_main, err);
    if (rc == 0)
        rc = thread_start(store, &store->wal_thread, store_wal_main, err);
    return rc;
}

static void threads_stop(struct cw_store *store)
{
    atomic_store(&store->state, STORE_STOPPING);
    pthread_mutex_lock(&store->ops_lock);
    store->ops_closed = true;
    pthread_cond_broadcast(&store->ops_cond);
    pthread_mutex_unlock(&store->ops_lock);
    if (store->nthreads > 2)
        pthread_join(store->wal_thread, NULL);
    pthread_mutex_lock(&store->flush_lock);
    store->flush_stop = true;
    pthread_cond_broadcast(&store->flush_cond);
    pthread_mutex_unlock(&store->flush_lock);
    if (store->nthreads > 0)
        pthread_join(store->flush_thread, NULL);
    pthread_mutex_lock(&store->flush_lock);
    store->keeper_stop = true;
    pthread_cond_broadcast(&store->flush_cond);
    pthread_mutex_unlock(&store->flush_lock);
    if (store->nthreads > 1)
        pthread_join(store->keeper_thread, NULL);
    pthread_mutex_destroy(&store->ops_lock);
    pthread_cond_destroy(&store->ops_cond);
    pthread_mutex_destroy(&store->flush_lock);
    pthread_cond_destroy(&store->flush_cond);
}

static void store_free(struct cw_store *store)
{
    cw_pool_group_free(&store->snapshots);
    cw_pool_group_free(&store->reports);
    cw_merge_free(&store->merge);
    cw_purge_free(&store->purge);
    cw_retention_shares_free(&store->shares);
    cw_wal_writer_close(&store->writer);
    cw_marks_free(&store->marks);
    cw_head_free(&store->head);
    cw_deletes_close(&store->deletes);
    cw_parts_close(&store->parts);
    cw_quarantine_close(&store->quarantine);
    cw_data_lock_release(&store->lock);
    free(store->data_dir);
    free(store->wal_dir);
    free(store);
}

int cw_store_open(const struct cw_store_options *options, struct cw_store **out, struct cw_err *err)
{
    struct cw_store *store = cw_mem_new(sizeof(*store));
    store->options = *options;
    store->data_dir = cw_str_dupz(cw_str_of(options->data_dir));
    store->options.data_dir = store->data_dir;
    /* With a small budget the head must be flushed long before pushes are refused for it. */
    store->options.head_flush_bytes =
        CW_MIN(options->head_flush_bytes, CW_MAX(options->memory_bytes / 4, UINT64_C(1) << 20));
    store->wal_dir = join(store->data_dir, "wal");
    int rc = open_dirs(store, err);
    if (rc == 0) {
        struct cw_parts_options parts = {.data_dir = store->data_dir,
                                         .wal_oldest_seq = cw_wal_oldest_seq(store->wal_dir),
                                         .cache = options->cache,
                                         .keeps_deletes = cw_deletes_keep(store->data_dir)};
        rc = cw_parts_open(&parts, &store->parts, err);
    }
    if (rc == 0)
        rc = cw_deletes_open(store->data_dir, &store->deletes, err);
    if (rc < 0) {
        store_free(store);
        return rc;
    }
    store->head = cw_head_new(cw_parts_wal_flushed(store->parts));
    cw_head_set_budget(store->head, options->budget);
    store->marks = cw_marks_new();
    store->writer = cw_wal_writer_new(store->wal_dir, options->segment_bytes);
    cw_parts_ids_after(store->parts, cw_deletes_last_id(store->deletes));
    store->shares = cw_retention_shares_new();
    store->purge = cw_purge_new(store->parts, store->deletes, &store->options.retention,
                                store->shares, options->merge_codec);
    store->merge = cw_merge_new(store->parts, store->deletes, store->purge, options->pool,
                                options->merge_codec);
    store->reports = cw_pool_group_new(options->pool, CW_POOL_LOW);
    store->snapshots = cw_pool_group_new(options->pool, CW_POOL_NORMAL);
    cw_merge_set_budget(store->merge, options->budget);
    store->last_push_ns = store->last_sync_ns = cw_clock_mono_ns();
    rc = threads_start(store, err);
    if (rc < 0) {
        cw_store_close(&store);
        return rc;
    }
    *out = store;
    return 0;
}

void cw_store_close(struct cw_store **handle)
{
    struct cw_store *store = *handle;
    if (!store)
        return;
    threads_stop(store);
    store_free(store);
    *handle = NULL;
}

/* Replay waits for a flush when the head is full: say what that waits for. */
static void why_replaying(struct cw_store *store, struct cw_err *why)
{
    pthread_mutex_lock(&store->flush_lock);
    if (store->flush_error.code < 0)
        cw_err_set(why, CW_E_UNAVAILABLE,
                   "the log is being replayed, and entries cannot be flushed to disk: %s",
                   store->flush_error.text);
    else
        cw_err_set(why, CW_E_UNAVAILABLE, "the log is being replayed, try again");
    pthread_mutex_unlock(&store->flush_lock);
}

bool cw_store_ready(struct cw_store *store, struct cw_err *why)
{
    switch (atomic_load(&store->state)) {
    case STORE_READY: return true;
    case STORE_REPLAYING: why_replaying(store, why); return false;
    case STORE_FAILED:
        cw_err_set(why, CW_E_UNAVAILABLE, "the log could not be replayed: %s", store->failure.text);
        return false;
    case STORE_STOPPING: break;
    }
    cw_err_set(why, CW_E_UNAVAILABLE, "the server is stopping");
    return false;
}

/* ---- queries ---- */

static int entries_snapshot(void *ctx, struct cw_str tenant, struct cw_snapshot *out,
                            struct cw_err *err)
{
    struct cw_store *store = ctx;
    (void)err;
    int64_t now_ns = cw_clock_now_ns();
    struct cw_retention_policy *policy =
        store->options.retention.policy(store->options.retention.ctx, tenant);
    int64_t horizon_ns = cw_retention_policy_horizon_ns(policy, now_ns);
    struct cw_hiding *hiding =
        cw_hiding_new(policy, store->deletes, tenant, CW_DELETES_HIDING, now_ns);
    cw_retention_policy_unref(&policy);
    *out = (struct cw_snapshot){0};
    cw_parts_lock(store->parts);
    cw_parts_add_sources(store->parts, tenant, out);
    for (size_t i = 0; i < out->n; i++) /* a part that is new since retention last ran */
        cw_part_source_hide_before(out->sources[i], horizon_ns);
    size_t nparts = out->n;
    cw_head_add_sources(store->head, tenant, horizon_ns, out);
    cw_parts_unlock(store->parts);
    for (size_t i = 0; hiding != NULL && i < out->n; i++) {
        struct cw_source *source = out->sources[i];
        struct cw_delete_place place = {.wal_last =
                                            i < nparts ? 0 : cw_head_source_last_seq(source),
                                        .min_ns = source->min_ns,
                                        .max_ns = source->max_ns};
        if (i < nparts)
            place = cw_hiding_place(cw_part_reader_footer(cw_part_source_reader(source)));
        cw_hiding_wrap(hiding, &place, &out->sources[i]);
    }
    cw_hiding_unref(&hiding);
    return 0;
}

static struct cw_str entries_warning(void *ctx)
{
    struct cw_store *store = ctx;
    switch (atomic_load(&store->state)) {
    case STORE_REPLAYING:
        return CW_STR("the write-ahead log is being replayed: the newest entries may be missing");
    case STORE_FAILED:
        return CW_STR("the write-ahead log could not be replayed: the newest entries are missing");
    default: return CW_STR_NONE;
    }
}

static int entries_follow(void *ctx, const struct cw_follow_options *options,
                          struct cw_head_follow **out, struct cw_err *err)
{
    struct cw_store *store = ctx;
    if (!cw_store_ready(store, err))
        return err->code;
    return cw_head_follow_open(store->head, options, out, err);
}

struct cw_entry_store cw_store_entries(struct cw_store *store)
{
    return (struct cw_entry_store){.ctx = store,
                                   .snapshot = entries_snapshot,
                                   .warning = entries_warning,
                                   .follow = entries_follow};
}

/* ---- the memory budget ---- */

/* Counted among what waits, if there is room in the store's part and in the whole. */
static int pending_take(struct cw_store *store, uint64_t bytes, struct cw_err *err)
{
    uint64_t pending = atomic_fetch_add(&store->pending_bytes, bytes) + bytes;
    int rc = 0;
    if (pending + cw_head_bytes(store->head) > store->options.memory_bytes)
        rc = cw_err_set(err, CW_E_OVERLOAD,
                        "the memory for entries that wait to be written is used up, try again");
    if (rc == 0)
        rc = cw_memory_take(store->options.budget, CW_MEMORY_PUSHES, bytes, err);
    if (rc < 0)
        atomic_fetch_sub(&store->pending_bytes, bytes);
    return rc;
}

int cw_store_admit(struct cw_store *store, uint64_t *held, uint64_t bytes, struct cw_err *err)
{
    if (bytes > store->options.memory_bytes || *held > store->options.memory_bytes - bytes)
        return cw_err_set(err, CW_E_TOO_LARGE,
                          "the push needs %llu bytes of memory, the limit is %llu (memory.limit)",
                          (unsigned long long)(*held + bytes),
                          (unsigned long long)store->options.memory_bytes);
    int rc = pending_take(store, bytes, err);
    if (rc == 0) {
        *held += bytes;
        return 0;
    }
    /* A head that is too small for a flush of its own accord must not stand in the way for good. */
    atomic_store(&store->pressed, true);
    pthread_mutex_lock(&store->flush_lock);
    if (store->flush_error.code < 0)
        rc = cw_err_set(err, CW_E_UNAVAILABLE, "entries cannot be flushed to disk: %s",
                        store->flush_error.text);
    pthread_mutex_unlock(&store->flush_lock);
    return rc;
}

void cw_store_release(struct cw_store *store, uint64_t bytes)
{
    atomic_fetch_sub(&store->pending_bytes, bytes);
    cw_memory_give(store->options.budget, CW_MEMORY_PUSHES, bytes);
}

uint64_t cw_store_memory_bytes(const struct cw_store *store)
{
    return store->options.memory_bytes;
}

void cw_store_count(struct cw_store *store, struct cw_store_counts *out)
{
    const struct store_counters *counters = &store->counters;
    *out = (struct cw_store_counts){.head_bytes = cw_head_bytes(store->head),
                                    .head_streams = cw_head_streams(store->head),
                                    .head_entries = cw_head_entries(store->head),
                                    .pending_bytes = atomic_load(&store->pending_bytes),
                                    .memory_bytes = store->options.memory_bytes,
                                    .wal_syncs = atomic_load(&counters->wal_syncs),
                                    .wal_sync_ns = atomic_load(&counters->wal_sync_ns),
                                    .wal_failures = atomic_load(&counters->wal_failures),
                                    .wal_bad_frames = atomic_load(&counters->wal_bad),
                                    .wal_missing_frames = atomic_load(&counters->wal_missing),
                                    .flushes = atomic_load(&counters->flushes),
                                    .flush_failures = atomic_load(&counters->flush_failures),
                                    .marks = atomic_load(&counters->marks),
                                    .marks_forgotten = atomic_load(&counters->forgotten),
                                    .replayed_entries = atomic_load(&counters->replayed)};
    cw_wal_writer_count(store->writer, &out->wal_bytes, &out->wal_segments);
    cw_parts_count(store->parts, &out->parts);
    cw_merge_count(store->merge, &out->merges);
    cw_deletes_count(store->deletes, &out->deletes);
    cw_purge_count(store->purge, &out->purge);
    cw_retention_count(&store->retention_totals, &out->retention);
}
