/* store_threads.c - pushes, queries, flushes and a stop at once on one store: for the thread sanitizer. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "ingester/store.h"
#include "tests/threads/check.h"
#include "tests/threads/store_push.h"

enum { PUSHERS = 4, PUSHES = 60, ENTRIES = 50 };

static struct cw_store *store;
static atomic_bool done;
static atomic_uint_fast64_t answered;

static void push(int thread, int n)
{
    char labels[32];
    struct cw_push_entry entries[ENTRIES] = {0};
    snprintf(labels, sizeof(labels), "{thread=\"%d\"}", thread);
    for (int i = 0; i < ENTRIES; i++)
        entries[i] = (struct cw_push_entry){.ts_ns = (int64_t)n * ENTRIES + i,
                                            .line = CW_STR("a line of some length")};
    store_push(store, labels, entries, ENTRIES);
    atomic_fetch_add(&answered, ENTRIES);
}

static void *pusher(void *arg)
{
    for (int n = 0; n < PUSHES; n++)
        push((int)(intptr_t)arg, n);
    return NULL;
}

static uint64_t count(void)
{
    struct cw_entry_store entries = cw_store_entries(store);
    struct cw_snapshot snapshot;
    struct cw_err err = {0};
    struct cw_scan scan = {.start_ns = INT64_MIN, .end_ns = INT64_MAX, .need = CW_NEED_LINES};
    uint64_t n = 0;
    CHECK(entries.snapshot(entries.ctx, CW_STR("t"), &snapshot, &err) == 0);
    for (size_t s = 0; s < snapshot.n; s++) {
        struct cw_units units = {0};
        CHECK(snapshot.sources[s]->ops->plan(snapshot.sources[s], &scan, &units, &err) == 0);
        for (size_t u = 0; u < units.n; u++) {
            struct cw_cursor *cursor;
            struct cw_entry_batch batch;
            CHECK(snapshot.sources[s]->ops->open(snapshot.sources[s], &scan, &units.items[u],
                                                 &cursor, &err) == 0);
            while (cw_cursor_next(cursor, &batch, &err) == 1)
                n += batch.n;
            cw_cursor_close(&cursor);
        }
        cw_units_fini(&units);
    }
    cw_snapshot_fini(&snapshot);
    return n;
}

static void *reader(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        uint64_t before = atomic_load(&answered);
        struct cw_store_counts counts;
        CHECK(count() >= before);
        cw_store_count(store, &counts);
    }
    return NULL;
}

static void flushed(void *arg, int rc, const struct cw_err *err)
{
    CHECK(rc == 0 || err->code < 0);
    sem_post(arg);
}

static void *flusher(void *arg)
{
    sem_t answer;
    struct cw_err err = {0};
    (void)arg;
    sem_init(&answer, 0, 0);
    while (!atomic_load(&done)) {
        CHECK(cw_store_flush(store, flushed, &answer, &err) == 0);
        sem_wait(&answer);
    }
    sem_destroy(&answer);
    return NULL;
}

static void last_id(void *arg, const struct cw_delete_row *row,
                    const struct cw_deletes_waits *waits)
{
    CHECK(waits->refused + waits->no_room == 0);
    snprintf(arg, 9, "%08x", row->id);
}

/* Deletes that no entry matches, so that the counts hold: some are carried out, some are cancelled, if it is not too late. */
static void *deleter(void *arg)
{
    sem_t answer;
    struct cw_err err = {0};
    (void)arg;
    sem_init(&answer, 0, 0);
    for (int i = 0; !atomic_load(&done); i++) {
        char id[9] = "";
        struct cw_delete_row row = {.tenant = CW_STR("t"),
                                    .query = CW_STR("{thread=~\".+\"} |= \"nobody wrote this\""),
                                    .first_ns = INT64_MIN,
                                    .last_ns = INT64_MAX,
                                    .due_ns = i % 2 ? 0 : INT64_MAX};
        CHECK(cw_store_delete(store, &row, flushed, &answer, &err) == 0);
        sem_wait(&answer);
        cw_deletes_each(cw_store_deletes(store), CW_STR("t"), last_id, id);
        CHECK(cw_store_cancel_delete(store, CW_STR("t"), cw_str_of(id),
                                     i % 4 ? CW_DELETES_CANCEL_WHOLE : CW_DELETES_CANCEL_FORCE,
                                     flushed, &answer, &err) == 0);
        sem_wait(&answer);
        usleep(5000);
    }
    sem_destroy(&answer);
    return NULL;
}

static struct cw_retention_policy *keep(void *ctx, struct cw_str tenant)
{
    static const struct cw_ingester_limits limits = {.deletion_mode =
                                                         CW_DELETION_FILTER_AND_DELETE};
    struct cw_retention_policy *policy;
    struct cw_err err;
    (void)ctx;
    (void)tenant;
    CHECK(cw_retention_policy_new(&limits, &policy, &err) == 0);
    return policy;
}

/* ---- parts are found clean while a delete is asked whether it still holds any ---- */

enum { CLEAN_PARTS = 2000 };

static void *cleaner(void *view)
{
    for (uint64_t id = 2; id < CLEAN_PARTS; id++)
        cw_deletes_clean(view, id);
    atomic_store(&done, true);
    return NULL;
}

static bool may_remove(void *ctx, const struct cw_delete_row *row, uint64_t *purge_id_out)
{
    (void)ctx;
    (void)row;
    *purge_id_out = UINT64_MAX;
    return true;
}

static void clean_while_advancing(const char *dir)
{
    struct cw_deletes *deletes;
    struct cw_err err = {0};
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{a=\"b\"}"),
                                .wal_seq = 1,
                                .first_ns = INT64_MIN,
                                .last_ns = INT64_MAX};
    struct cw_part_footer footer = {.info = {.id = 1, .tenant = CW_STR("t"), .wal_last = 1}};
    const struct cw_part_footer *parts[] = {&footer};
    struct cw_deletes_advance step = {
        .may_remove = may_remove, .parts = parts, .nparts = 1, .log_oldest_seq = UINT64_MAX};
    pthread_t thread;
    CHECK(cw_deletes_open(dir, &deletes, &err) == 0);
    CHECK(cw_deletes_add(deletes, &row, &err) == 0);
    CHECK(cw_deletes_advance(deletes, &step, &err) == 0);
    struct cw_deletes_view *view = cw_deletes_view_new(deletes, CW_STR("t"), CW_DELETES_REMOVING);
    CHECK(view != NULL);
    pthread_create(&thread, NULL, cleaner, view);
    while (!atomic_load(&done))
        CHECK(cw_deletes_advance(deletes, &step, &err) == 0);
    pthread_join(thread, NULL);
    atomic_store(&done, false);
    struct cw_deletes_counts counts;
    cw_deletes_count(deletes, &counts);
    CHECK(counts.processing == 1); /* the part that was not found clean */
    cw_deletes_view_free(&view);
    cw_deletes_close(&deletes);
    char path[100];
    snprintf(path, sizeof(path), "%s/deletes", dir);
    CHECK(unlink(path) == 0);
}

int main(void)
{
    char dir[] = "/tmp/cw-store-threads-XXXXXX", command[100];
    pthread_t pushers[PUSHERS], others[3];
    struct cw_err err = {0};
    CHECK(mkdtemp(dir));
    clean_while_advancing(dir);
    struct cw_pool *pool = cw_pool_new(2, NULL);
    struct cw_store_options options = {.data_dir = dir,
                                       .merge_codec = CW_CODEC_LZ4,
                                       .segment_bytes = 1 << 20,
                                       .head_flush_bytes = 1 << 20,
                                       .memory_bytes = 256 << 20,
                                       .sources_forget_ns = INT64_MAX,
                                       .retention = {.policy = keep},
                                       .pool = pool};
    CHECK(cw_store_open(&options, &store, &err) == 0);
    while (!cw_store_ready(store, &err))
        sched_yield();
    for (int i = 0; i < PUSHERS; i++)
        pthread_create(&pushers[i], NULL, pusher, (void *)(intptr_t)i);
    pthread_create(&others[0], NULL, reader, NULL);
    pthread_create(&others[1], NULL, flusher, NULL);
    pthread_create(&others[2], NULL, deleter, NULL);
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i], NULL);
    atomic_store(&done, true);
    pthread_join(others[0], NULL);
    pthread_join(others[1], NULL);
    pthread_join(others[2], NULL);
    CHECK(count() == (uint64_t)PUSHERS * PUSHES * ENTRIES);
    cw_store_close(&store);
    CHECK(cw_store_open(&options, &store, &err) == 0);
    while (!cw_store_ready(store, &err))
        sched_yield();
    CHECK(count() == (uint64_t)PUSHERS * PUSHES * ENTRIES);
    cw_store_close(&store);
    cw_pool_free(&pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) != 0;
}
