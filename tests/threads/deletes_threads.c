/*
 * deletes_threads.c - queries with filters over a cache that is too small, beside pushes, flushes, merges, and deletes that are made, cancelled
 * and carried out: for the thread sanitizer. What a delete hides is in no query that begins after it, and in every one after its
 * cancellation; what none hides is in every query, once.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/base/memory_budget.h"
#include "ingester/store.h"
#include "tests/threads/check.h"
#include "tests/threads/store_push.h"

enum { PUSHES = 40, ENTRIES = 200, DELETERS = 2, DELETES = 12, READERS = 2, CACHE = 30000 };

static struct cw_store *store;
static struct cw_memory_budget budget; /* of the cache, and of whoever wants its memory */
static struct cw_part_cache *cache;
static atomic_bool done;
static atomic_uint_fast64_t kept; /* entries that no delete is of, which were acknowledged */

/* Entries whose lines hold `word`, and other words. */
static void push(const char *labels, const char *word, int64_t start_ns)
{
    static const char *const colours[] = {"red", "green", "blue", "brown", "white"};
    struct cw_push_entry entries[ENTRIES] = {0};
    char lines[ENTRIES][64];
    for (int i = 0; i < ENTRIES; i++) {
        int n = snprintf(lines[i], sizeof(lines[i]), "%s of %s took %d ms as u%dx", word,
                         colours[i % 5], i, i % 50);
        entries[i] =
            (struct cw_push_entry){.ts_ns = start_ns + i, .line = cw_str_make(lines[i], (size_t)n)};
    }
    store_push(store, labels, entries, ENTRIES);
}

static uint64_t read_source(struct cw_source *source, const struct cw_scan *scan, const char *word)
{
    struct cw_units units = {0};
    struct cw_err err = {0};
    uint64_t n = 0;
    CHECK(source->ops->plan(source, scan, &units, &err) == 0);
    for (size_t u = 0; u < units.n; u++) {
        struct cw_cursor *cursor;
        struct cw_entry_batch batch;
        int rc = source->ops->open(source, scan, &units.items[u], &cursor, &err);
        CHECK(rc == 0);
        while ((rc = cw_cursor_next(cursor, &batch, &err)) == 1) {
            n += batch.n;
            for (size_t i = 0; i < batch.n; i++)
                CHECK(cw_str_starts(batch.lines[i], cw_str_of(word)));
        }
        CHECK(rc == 0);
        cw_cursor_close(&cursor);
    }
    cw_units_fini(&units);
    return n;
}

/* Lines that hold the word, as a query finds them. */
static uint64_t count(const char *word, bool newest_first)
{
    struct cw_entry_store entries = cw_store_entries(store);
    struct cw_snapshot snapshot;
    struct cw_line_filter *filter;
    struct cw_err err = {0};
    CHECK(cw_line_filter_new(CW_FILTER_CONTAINS, &filter, &err) == 0);
    CHECK(cw_line_filter_add(filter, cw_str_of(word), 0, &err) == 0);
    const struct cw_line_filter *filters[] = {filter};
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .filters = filters,
                           .nfilters = 1,
                           .need = CW_NEED_LINES | CW_NEED_TIMES,
                           .newest_first = newest_first,
                           .keep_decoded = true};
    uint64_t n = 0;
    CHECK(entries.snapshot(entries.ctx, CW_STR("t"), &snapshot, &err) == 0);
    for (size_t i = 0; i < snapshot.n; i++)
        n += read_source(snapshot.sources[i], &scan, word);
    cw_snapshot_fini(&snapshot);
    cw_line_filter_free(&filter);
    return n;
}

static void *pusher(void *arg)
{
    (void)arg;
    for (int i = 0; i < PUSHES; i++) {
        push("{app=\"kept\"}", "keptword", (int64_t)i * ENTRIES);
        atomic_fetch_add(&kept, ENTRIES);
    }
    return NULL;
}

static void *reader(void *arg)
{
    for (int i = (int)(intptr_t)arg; !atomic_load(&done); i++) {
        uint64_t least = atomic_load(&kept);
        uint64_t n = count("keptword", i % 2 == 0);
        CHECK(n >= least && n <= (uint64_t)PUSHES * ENTRIES);
        CHECK(count("nowhereword", i % 2 == 0) == 0);
    }
    return NULL;
}

/* Now and then, all that the cache has. */
static void *presser(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        cw_memory_add(&budget, CW_MEMORY_HEAD, CACHE);
        cw_memory_give(&budget, CW_MEMORY_HEAD, CACHE);
        usleep(2000);
    }
    return NULL;
}

static void answered(void *arg, int rc, const struct cw_err *err)
{
    (void)err;
    CHECK(rc == 0);
    sem_post(arg);
}

static void flush(void)
{
    struct cw_err err = {0};
    sem_t answer;
    sem_init(&answer, 0, 0);
    CHECK(cw_store_flush(store, answered, &answer, &err) == 0);
    sem_wait(&answer);
    sem_destroy(&answer);
}

static void *flusher(void *arg)
{
    (void)arg;
    while (!atomic_load(&done))
        flush();
    return NULL;
}

struct wanted {
    const char *query;
    char id[9];
};

static void find_id(void *arg, const struct cw_delete_row *row,
                    const struct cw_deletes_waits *waits)
{
    struct wanted *wanted = arg;
    CHECK(waits->refused + waits->no_room == 0);
    if (cw_str_eqz(row->query, wanted->query))
        snprintf(wanted->id, sizeof(wanted->id), "%08x", row->id);
}

/* Entries of a word of their own, which are deleted; of every other word the delete is cancelled, the rest is removed. */
static void doom(const char *word, bool cancels, sem_t *answer)
{
    char query[80];
    struct cw_err err = {0};
    push("{app=\"doomed\"}", word, 7 * ENTRIES);
    CHECK(count(word, false) == ENTRIES);
    snprintf(query, sizeof(query), "{app=~\".+\"} |= \"%s\"", word);
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = cw_str_of(query),
                                .first_ns = INT64_MIN,
                                .last_ns = INT64_MAX,
                                .due_ns = cancels ? INT64_MAX : 0};
    CHECK(cw_store_delete(store, &row, answered, answer, &err) == 0);
    sem_wait(answer);
    CHECK(count(word, true) == 0);
    if (!cancels)
        return;
    struct wanted wanted = {.query = query};
    cw_deletes_each(cw_store_deletes(store), CW_STR("t"), find_id, &wanted);
    CHECK(cw_store_cancel_delete(store, CW_STR("t"), cw_str_of(wanted.id), CW_DELETES_CANCEL_WHOLE,
                                 answered, answer, &err) == 0);
    sem_wait(answer);
    CHECK(count(word, false) == ENTRIES);
}

/* The word of a deleter's i-th delete. */
static void word_of(char *out, size_t size, int deleter, int i)
{
    snprintf(out, size, "doom%c%cword", 'a' + deleter, 'a' + i);
}

static void *deleter(void *arg)
{
    sem_t answer;
    sem_init(&answer, 0, 0);
    for (int i = 0; i < DELETES; i++) {
        char word[16];
        word_of(word, sizeof(word), (int)(intptr_t)arg, i);
        doom(word, i % 2 == 1, &answer);
    }
    sem_destroy(&answer);
    return NULL;
}

static void check_all(void)
{
    CHECK(count("keptword", false) == (uint64_t)PUSHES * ENTRIES);
    for (int d = 0; d < DELETERS; d++) {
        for (int i = 0; i < DELETES; i++) {
            char word[16];
            word_of(word, sizeof(word), d, i);
            CHECK(count(word, i % 4 < 2) == (i % 2 == 1 ? ENTRIES : 0));
        }
    }
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

static void run(void)
{
    pthread_t pushing, flushing, pressing, readers[READERS], deleters[DELETERS];
    CHECK(pthread_create(&pushing, NULL, pusher, NULL) == 0);
    CHECK(pthread_create(&flushing, NULL, flusher, NULL) == 0);
    CHECK(pthread_create(&pressing, NULL, presser, NULL) == 0);
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&readers[i], NULL, reader, (void *)(intptr_t)i) == 0);
    for (int i = 0; i < DELETERS; i++)
        CHECK(pthread_create(&deleters[i], NULL, deleter, (void *)(intptr_t)i) == 0);
    pthread_join(pushing, NULL);
    for (int i = 0; i < DELETERS; i++)
        pthread_join(deleters[i], NULL);
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    pthread_join(flushing, NULL);
    pthread_join(pressing, NULL);
}

int main(void)
{
    char dir[] = "/tmp/cw-deletes-threads-XXXXXX", command[64];
    struct cw_err err = {0};
    CHECK(mkdtemp(dir) != NULL);
    cw_log_init(CW_LOG_WARN, CW_LOG_LOGFMT);
    cw_memory_budget_init(&budget, CACHE);
    cache = cw_part_cache_new(CACHE, &budget);
    struct cw_pool *pool = cw_pool_new(2, NULL);
    struct cw_store_options options = {.data_dir = dir,
                                       .merge_codec = CW_CODEC_LZ4,
                                       .segment_bytes = 1 << 20,
                                       .head_flush_bytes = 1 << 20,
                                       .memory_bytes = 256 << 20,
                                       .cache = cache,
                                       .sources_forget_ns = INT64_MAX,
                                       .retention = {.policy = keep},
                                       .pool = pool};
    CHECK(cw_store_open(&options, &store, &err) == 0);
    while (!cw_store_ready(store, &err))
        sched_yield();
    run();
    check_all();
    struct cw_store_counts counts;
    struct cw_part_cache_counts cached;
    for (int i = 0; i < 100; i++) {
        flush();
        cw_store_count(store, &counts);
        if (counts.deletes.received + counts.deletes.processing == 0)
            break;
    }
    check_all();
    cw_store_count(store, &counts);
    cw_part_cache_count(cache, &cached);
    CHECK(counts.deletes.removed == (uint64_t)DELETERS * (DELETES / 2) * ENTRIES);
    CHECK(counts.merges.merges > 0 && counts.purge.rewritten > 0 && counts.purge.failed == 0);
    CHECK(cached.hits > 0 && cached.evicted > 0);
    cw_store_close(&store);
    cw_pool_free(&pool);
    CHECK(cw_memory_used(&budget, CW_MEMORY_CACHES) == 0);
    cw_part_cache_free(&cache);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
