/*
 * parts_threads.c - snapshots, scans, flushes, merges and retention at once on one registry, with a cache that is too small and
 * that others take memory from: for the thread sanitizer. Every snapshot holds all entries that were published before it, each
 * once.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/log.h"
#include "common/base/pool.h"
#include "common/store/part_source.h"
#include "ingester/flush.h"
#include "ingester/merge.h"
#include "ingester/purge.h"
#include "ingester/retention.h"
#include "tests/threads/check.h"

enum { READERS = 3, FLUSHES = 60, ENTRIES = 500, MEMORY = 40000 };

static struct cw_parts *parts;
static struct cw_memory_budget budget;
static atomic_uint_fast64_t published;
static atomic_bool done;

struct row_cursor {
    struct cw_cursor base;
    bool given;
    int64_t times[ENTRIES];
    struct cw_str lines[ENTRIES];
};

static int row_next(struct cw_cursor *cursor, struct cw_entry_batch *out, struct cw_err *err)
{
    struct row_cursor *c = (struct row_cursor *)cursor;
    if (c->given)
        return 0;
    c->given = true;
    *out = (struct cw_entry_batch){.n = ENTRIES, .ts_ns = c->times, .lines = c->lines};
    return 1;
}

static void row_close(struct cw_cursor *cursor)
{
    free(cursor);
}

static const struct cw_cursor_ops row_ops = {.next = row_next, .close = row_close};

/* Entry i of flush f says so. */
static int row_open(void *ctx, const struct cw_flush_stream *stream, int64_t start_ns,
                    int64_t end_ns, struct cw_cursor **out, struct cw_err *err)
{
    struct row_cursor *c = cw_mem_new(sizeof(*c));
    c->base.ops = &row_ops;
    for (int i = 0; i < ENTRIES; i++) {
        c->times[i] = (int64_t)(*(uint64_t *)ctx * ENTRIES) + i;
        c->lines[i] = CW_STR("a line");
    }
    *out = &c->base;
    return 0;
}

static void flush(uint64_t n)
{
    struct cw_label pair = {CW_STR("app"), CW_STR("a")};
    struct cw_labels labels = {&pair, 1};
    struct cw_flush_stream stream = {.ref = {cw_labels_hash(labels), labels},
                                     .nentries = ENTRIES,
                                     .line_bytes = ENTRIES * 6,
                                     .min_ns = (int64_t)n * ENTRIES,
                                     .max_ns = (int64_t)n * ENTRIES + ENTRIES - 1};
    struct cw_flush_tenant tenant = {CW_STR("t"), &stream, 1};
    struct cw_flush_input input = {.tenants = &tenant,
                                   .ntenants = 1,
                                   .wal_first = n + 1,
                                   .wal_last = n + 1,
                                   .ctx = &n,
                                   .open = row_open};
    struct cw_parts_change *change;
    struct cw_err err;
    CHECK(cw_flush_write(parts, &input, &change, &err) == 0);
    CHECK(cw_parts_commit(parts, change, &err) == 0);
    cw_parts_lock(parts);
    cw_parts_publish(parts, change);
    atomic_store(&published, (n + 1) * ENTRIES);
    cw_parts_unlock(parts);
    cw_parts_change_free(&change);
}

/* Rows of all sources; each time once. */
static uint64_t read_all(const struct cw_snapshot *s, uint8_t *seen)
{
    int64_t everything = INT64_MAX;
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = CW_NEED_TIMES | CW_NEED_LINES,
                           .cut_ns = &everything,
                           .keep_decoded = true};
    uint64_t rows = 0;
    for (size_t i = 0; i < s->n; i++) {
        struct cw_units units = {0};
        struct cw_err err;
        CHECK(s->sources[i]->ops->plan(s->sources[i], &scan, &units, &err) == 0);
        for (size_t u = 0; u < units.n; u++) {
            struct cw_cursor *cursor;
            struct cw_entry_batch batch;
            int rc = s->sources[i]->ops->open(s->sources[i], &scan, &units.items[u], &cursor, &err);
            CHECK(rc == 0);
            while ((rc = cw_cursor_next(cursor, &batch, &err)) > 0) {
                rows += batch.n;
                for (size_t r = 0; r < batch.n; r++)
                    CHECK(seen[batch.ts_ns[r]]++ == 0);
            }
            CHECK(rc == 0);
            cw_cursor_close(&cursor);
        }
        cw_units_fini(&units);
    }
    return rows;
}

/* Takes all the memory that there is, again and again. */
static void *presser(void *arg)
{
    while (!atomic_load(&done)) {
        uint64_t taken = 0;
        while (cw_memory_take(&budget, CW_MEMORY_QUERIES, MEMORY / 20, NULL) == 0)
            taken += MEMORY / 20;
        cw_memory_add(&budget, CW_MEMORY_HEAD, MEMORY);
        cw_memory_give(&budget, CW_MEMORY_HEAD, MEMORY);
        cw_memory_give(&budget, CW_MEMORY_QUERIES, taken);
    }
    return NULL;
}

static void *reader(void *arg)
{
    uint8_t *seen = cw_mem_array(FLUSHES, ENTRIES);
    while (!atomic_load(&done)) {
        struct cw_snapshot s = {0};
        cw_parts_lock(parts);
        cw_parts_add_sources(parts, CW_STR("t"), &s);
        uint64_t want = atomic_load(&published);
        cw_parts_unlock(parts);
        memset(seen, 0, (size_t)FLUSHES * ENTRIES);
        CHECK(read_all(&s, seen) == want);
        cw_snapshot_fini(&s);
    }
    free(seen);
    return NULL;
}

static struct cw_retention_policy *keep_all(void *ctx, struct cw_str tenant)
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

int main(void)
{
    char dir[] = "/tmp/cw-parts-threads-XXXXXX", command[64];
    struct cw_parts_options options = {.data_dir = dir};
    struct cw_retention_options retention = {.policy = keep_all};
    struct cw_err err;
    pthread_t threads[READERS], pressing;
    cw_memory_budget_init(&budget, MEMORY);
    options.cache = cw_part_cache_new(MEMORY, &budget);
    CHECK(mkdtemp(dir) != NULL);
    cw_log_init(CW_LOG_WARN, CW_LOG_LOGFMT);
    CHECK(cw_parts_open(&options, &parts, &err) == 0);
    struct cw_pool *pool = cw_pool_new(2, NULL);
    struct cw_deletes *deletes;
    CHECK(cw_deletes_open(dir, &deletes, &err) == 0);
    struct cw_retention_shares *shares = cw_retention_shares_new();
    struct cw_purge *purge = cw_purge_new(parts, deletes, &retention, shares, CW_CODEC_LZ4);
    struct cw_retention_totals totals = {0};
    struct cw_merge *merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
    for (int i = 0; i < READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, reader, NULL) == 0);
    CHECK(pthread_create(&pressing, NULL, presser, NULL) == 0);
    for (uint64_t n = 0; n < FLUSHES; n++) {
        flush(n);
        cw_merge_kick(merge);
        CHECK(cw_retention_run(parts, &retention, INT64_MAX, 0, &totals, &err) == 0);
    }
    cw_merge_wait(merge);
    atomic_store(&done, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(pressing, NULL);
    struct cw_part_cache_counts cached;
    cw_part_cache_count(options.cache, &cached);
    CHECK(cached.hits > 0 && cached.evicted > 0);
    struct cw_merge_counts counts;
    struct cw_parts_counts left;
    cw_merge_count(merge, &counts);
    cw_parts_count(parts, &left);
    CHECK(counts.merges > 0 && counts.failed == 0);
    CHECK(left.entries == FLUSHES * ENTRIES && left.parts < FLUSHES / 2);
    cw_merge_free(&merge);
    cw_purge_free(&purge);
    cw_retention_shares_free(&shares);
    cw_deletes_close(&deletes);
    cw_pool_free(&pool);
    cw_parts_close(&parts);
    CHECK(cw_memory_used(&budget, CW_MEMORY_CACHES) == 0);
    cw_part_cache_free(&options.cache);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    return system(command) == 0 ? 0 : 1;
}
