/* test_store.c - the store whole: ops, replay, failed writes, flush, the lock, the memory budget. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/wire/push_resolve.h"
#include "ingester/store.h"
#include "tests/support/grabbed_log.h"
#include "tests/support/io_trace.h"

static char dir[] = "/tmp/cw-test-store-XXXXXX";
static struct cw_pool *pool;

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    pool = cw_pool_new(1, NULL);
}

static void teardown(void)
{
    char command[100];
    cw_pool_free(&pool);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(store, .init = setup, .fini = teardown);

static struct cw_retention_policy *keep(void *ctx, struct cw_str tenant)
{
    static const struct cw_ingester_limits limits = {.deletion_mode =
                                                         CW_DELETION_FILTER_AND_DELETE};
    struct cw_retention_policy *policy;
    struct cw_err err;
    (void)ctx;
    (void)tenant;
    cr_assert_eq(cw_retention_policy_new(&limits, &policy, &err), 0);
    return policy;
}

static struct cw_store_options defaults(void)
{
    return (struct cw_store_options){.data_dir = dir,
                                     .merge_codec = CW_CODEC_LZ4,
                                     .segment_bytes = 1 << 20,
                                     .head_flush_bytes = 64 << 20,
                                     .memory_bytes = 512 << 20,
                                     .sources_forget_ns = INT64_MAX,
                                     .retention = {.policy = keep},
                                     .pool = pool};
}

static struct cw_store *open_with(const struct cw_store_options *options)
{
    struct cw_store *store;
    struct cw_err err = {0};
    cr_assert_eq(cw_store_open(options, &store, &err), 0, "%s", err.text);
    while (!cw_store_ready(store, &err))
        sched_yield();
    return store;
}

static struct cw_store *open_store(void)
{
    struct cw_store_options options = defaults();
    return open_with(&options);
}

/* An op that pushes `n` entries of one stream, with the mark `to` of a source. */
struct push_op {
    struct cw_store_op op;
    struct cw_arena *arena;
    struct cw_push *push;
    struct cw_hash128 *ids;
    struct cw_buf body;
    sem_t done;
    int rc;
    uint64_t mark_seen;
    uint64_t to;
    struct cw_err err;
};

static const struct cw_id128 shipper = {{1}}, source = {{2}};

static int prepare(struct cw_store_op *base, struct cw_store *store, struct cw_err *err)
{
    struct push_op *op = CW_CONTAINER_OF(base, struct push_op, op);
    struct cw_head_batch batch = {.tenant = CW_STR("t"), .push = op->push, .ids = op->ids};
    struct cw_head_dropped dropped = {0};
    struct cw_delivery_mark mark = {.source = source, .offset = op->to};
    struct cw_push_range range = {.source = source, .from = op->mark_seen, .to = op->to};
    struct cw_push_delivery delivery = {
        .present = true, .shipper = shipper, .ranges = &range, .nranges = 1};
    op->mark_seen = cw_marks_get(cw_store_marks(store), CW_STR("t"), &shipper, &source, 0);
    cw_head_append(cw_store_head(store), &batch, &dropped);
    struct cw_wal_frame frame = {.kind = CW_WAL_DATA,
                                 .format = CW_WAL_BODY_LOKI_PROTOBUF,
                                 .tenant = CW_STR("t"),
                                 .body = cw_buf_str(&op->body),
                                 .body_raw = (uint32_t)op->body.len,
                                 .has_delivery = true,
                                 .shipper = shipper,
                                 .marks = &mark,
                                 .nmarks = 1};
    int rc = cw_store_append(store, &frame, err);
    if (rc == 0)
        cw_marks_apply(cw_store_marks(store), CW_STR("t"), &delivery, 1);
    return rc;
}

static void finish(struct cw_store_op *base, int rc, const struct cw_err *err)
{
    struct push_op *op = CW_CONTAINER_OF(base, struct push_op, op);
    op->rc = rc;
    op->err = *err;
    sem_post(&op->done);
}

static struct push_op *op_new(int64_t first_ns, size_t n, size_t line_bytes, uint64_t to)
{
    struct cw_arena *arena = cw_arena_new();
    struct push_op *op = CW_ARENA_NEW(arena, struct push_op);
    struct cw_err err = {0};
    op->arena = arena;
    op->to = to;
    op->op.prepare = prepare;
    op->op.finish = finish;
    sem_init(&op->done, 0, 0);
    op->push = CW_ARENA_NEW(arena, struct cw_push);
    op->push->streams = CW_ARENA_NEW(arena, struct cw_push_stream);
    op->push->nstreams = 1;
    op->push->streams->labels_text = CW_STR("{a=\"b\"}");
    op->push->streams->entries = CW_ARENA_ARRAY(arena, struct cw_push_entry, n);
    op->push->streams->nentries = op->push->nentries = n;
    char *line = cw_arena_calloc(arena, 1, line_bytes);
    for (size_t i = 0; i < n; i++)
        op->push->streams->entries[i] =
            (struct cw_push_entry){.ts_ns = first_ns + (int64_t)i, .line = {line, line_bytes}};
    cw_buf_init(&op->body, 1 << 28);
    cw_push_loki_protobuf_encode(op->push, &op->body);
    cr_assert_eq(cw_push_resolve(op->push, NULL, arena, &op->ids, &err), 0);
    return op;
}

static void op_free(struct push_op *op)
{
    cw_buf_fini(&op->body);
    sem_destroy(&op->done);
    struct cw_arena *arena = op->arena; /* the op lives in it */
    cw_arena_free(&arena);
}

static int push(struct cw_store *store, int64_t first_ns, size_t n, uint64_t to)
{
    struct push_op *op = op_new(first_ns, n, 100, to);
    struct cw_err err = {0};
    cr_assert_eq(cw_store_submit(store, &op->op, &err), 0, "%s", err.text);
    sem_wait(&op->done);
    int rc = op->rc;
    op_free(op);
    return rc;
}

static uint64_t count(struct cw_store *store)
{
    struct cw_entry_store entries = cw_store_entries(store);
    struct cw_snapshot snapshot;
    struct cw_err err = {0};
    struct cw_scan scan = {.start_ns = INT64_MIN, .end_ns = INT64_MAX};
    uint64_t n = 0;
    cr_assert_eq(entries.snapshot(entries.ctx, CW_STR("t"), &snapshot, &err), 0);
    for (size_t s = 0; s < snapshot.n; s++) {
        struct cw_units units = {0};
        cr_assert_eq(snapshot.sources[s]->ops->plan(snapshot.sources[s], &scan, &units, &err), 0);
        for (size_t u = 0; u < units.n; u++) {
            struct cw_cursor *cursor;
            struct cw_entry_batch batch;
            cr_assert_eq(snapshot.sources[s]->ops->open(snapshot.sources[s], &scan, &units.items[u],
                                                        &cursor, &err),
                         0);
            while (cw_cursor_next(cursor, &batch, &err) == 1)
                n += batch.n;
            cw_cursor_close(&cursor);
        }
        cw_units_fini(&units);
    }
    cw_snapshot_fini(&snapshot);
    return n;
}

static uint64_t mark_of(struct cw_store *store)
{
    struct push_op *op = op_new(1, 0, 1, 0);
    struct cw_err err = {0};
    cr_assert_eq(cw_store_submit(store, &op->op, &err), 0);
    sem_wait(&op->done);
    uint64_t mark = op->mark_seen;
    op_free(op);
    return mark;
}

Test(store, entries_and_marks_survive_a_stop_through_parts_and_the_log)
{
    struct cw_store *store = open_store();
    struct cw_store_counts counts;
    cr_assert_eq(push(store, 1, 100, 10), 0);
    cr_assert_eq(push(store, 1000, 100, 20), 0);
    cr_assert_eq(count(store), 200);
    cw_store_close(&store);
    store = open_store();
    cr_assert_eq(count(store), 200);
    cw_store_count(store, &counts);
    cr_assert_eq(counts.parts.entries, 200, "the stop flushed");
    cr_assert_eq(counts.head_entries, 0, "the replay skipped what is in parts");
    cr_assert_eq(mark_of(store), 20);
    cw_store_close(&store);
}

/* A child that dies without a word, as kill -9 does. */
Test(store, what_was_answered_survives_a_kill)
{
    pid_t pid = fork();
    if (pid == 0) {
        pool = cw_pool_new(1, NULL);
        struct cw_store *store = open_store();
        for (int i = 0; i < 50; i++)
            push(store, i * 100, 100, (uint64_t)i + 1);
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    struct cw_store *store = open_store();
    cr_assert_eq(count(store), 5000);
    cr_assert_eq(mark_of(store), 50);
    cw_store_close(&store);
}

static void limit_file(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(store, a_failed_write_is_told_and_leaves_no_entry_and_no_mark)
{
    struct cw_store *store = open_store();
    cr_assert_eq(push(store, 1, 100, 10), 0);
    limit_file(100);
    cr_assert_lt(push(store, 1000, 100, 20), 0);
    cr_assert_lt(push(store, 2000, 100, 30), 0, "no segment can be begun");
    limit_file(RLIM_INFINITY);
    cr_assert_eq(count(store), 100);
    cr_assert_eq(mark_of(store), 10);
    cr_assert_eq(push(store, 1000, 100, 20), 0);
    cr_assert_eq(count(store), 200);
    cw_store_close(&store);
    store = open_store();
    cr_assert_eq(count(store), 200);
    cw_store_close(&store);
}

Test(store, pushes_that_find_no_room_cost_no_segment_and_are_told_once)
{
    struct cw_store *store = open_store();
    struct cw_store_counts counts;
    unsigned nlines;
    cr_assert_eq(push(store, 1, 100, 10), 0);
    grabbed_log_begin();
    io_trace_room("/wal/", 300);
    for (int i = 0; i < 20; i++)
        cr_assert_eq(push(store, 1000, 100, 20), CW_E_UNAVAILABLE);
    cr_assert_eq(count(store), 100);
    cr_assert_eq(mark_of(store), 10);
    io_trace_room(NULL, 0);
    cr_assert_eq(push(store, 1000, 100, 20), 0, "at once");
    const char *log = grabbed_log_end(&nlines);
    cr_assert_eq(nlines, 2, "%s", log);
    cr_assert(strstr(log, "the log cannot be written") && strstr(log, "No space left"), "%s", log);
    cr_assert_not_null(strstr(log, "; 21 pushes were refused in "), "%s", log);
    cw_store_count(store, &counts);
    cr_assert_eq(counts.wal_segments, 1);
    cr_assert_eq(count(store), 200);
    cw_store_close(&store);
    store = open_store();
    cr_assert_eq(count(store), 200);
    cr_assert_eq(mark_of(store), 20);
    cw_store_close(&store);
}

Test(store, pushes_that_fail_otherwise_cost_one_segment_a_second_at_most)
{
    struct cw_store *store = open_store();
    struct cw_store_counts counts;
    unsigned nlines;
    cr_assert_eq(push(store, 1, 100, 10), 0);
    int64_t start_ns = cw_clock_mono_ns();
    grabbed_log_begin();
    limit_file(200); /* header and checkpoint of a segment have room, the push has not */
    for (int i = 0; i < 20; i++)
        cr_assert_eq(push(store, 1000, 100, 20), CW_E_IO);
    int64_t seconds = (cw_clock_mono_ns() - start_ns) / CW_NS_PER_S;
    cw_store_count(store, &counts);
    cr_assert_leq((int64_t)counts.wal_segments, 2 + seconds);
    limit_file(RLIM_INFINITY);
    while (push(store, 1000, 100, 20) < 0)
        sched_yield();
    const char *log = grabbed_log_end(&nlines);
    cr_assert_eq(nlines, 2, "%s", log);
    cr_assert_eq(count(store), 200);
    cr_assert_eq(mark_of(store), 20);
    cw_store_close(&store);
}

static void flushed(void *arg, int rc, const struct cw_err *err)
{
    cr_assert_eq(rc, 0, "%s", err->text);
    sem_post(arg);
}

static int flush(struct cw_store *store)
{
    struct cw_err err = {0};
    sem_t done;
    sem_init(&done, 0, 0);
    int rc = cw_store_flush(store, flushed, &done, &err);
    if (rc == 0)
        sem_wait(&done);
    sem_destroy(&done);
    return rc;
}

Test(store, a_flush_moves_every_entry_once_and_old_segments_go)
{
    struct cw_store *store = open_store();
    struct cw_err err = {0};
    struct cw_store_counts counts;
    sem_t done;
    sem_init(&done, 0, 0);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 20; i++)
            cr_assert_eq(push(store, (round * 20 + i) * 1000, 1000, 1), 0);
        cr_assert_eq(cw_store_flush(store, flushed, &done, &err), 0);
        sem_wait(&done);
        cr_assert_eq(count(store), (uint64_t)(round + 1) * 20000);
    }
    cw_store_count(store, &counts);
    cr_assert_eq(counts.head_entries, 0);
    cr_assert_eq(counts.parts.entries, 80000);
    cr_assert_lt(counts.wal_bytes, 3 << 20, "of %llu", 4ull * 20 * 100000);
    cw_store_close(&store);
    sem_destroy(&done);
}

Test(store, after_a_stop_the_log_holds_a_checkpoint_alone)
{
    struct cw_store *store = open_store();
    struct cw_store_counts counts;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(push(store, i * 1000, 1000, (uint64_t)i), 0);
    cw_store_count(store, &counts);
    cr_assert_gt(counts.wal_bytes, 500000);
    cw_store_close(&store);
    for (int i = 0; i < 2; i++) {
        store = open_store();
        cr_assert_eq(mark_of(store), i == 0 ? 4 : 0); /* it moves the mark to 0 */
        cw_store_count(store, &counts);
        cr_assert_leq(counts.wal_segments, 2); /* the ask began one */
        cr_assert_lt(counts.wal_bytes, 2000);
        cr_assert_eq(counts.replayed_entries, 0);
        cr_assert_eq(count(store), 5000);
        cw_store_close(&store);
    }
}

Test(store, a_log_larger_than_the_head_is_flushed_while_it_is_replayed)
{
    pid_t pid = fork();
    if (pid == 0) {
        pool = cw_pool_new(1, NULL);
        struct cw_store_options options = defaults();
        options.segment_bytes = 8 << 20;
        struct cw_store *store = open_with(&options);
        for (int i = 0; i < 100; i++)
            push(store, i * 5000, 5000, 1);
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    struct cw_store_options options = defaults();
    struct cw_store_counts counts;
    options.head_flush_bytes = 4 << 20;
    io_trace_clear();
    struct cw_store *store = open_with(&options);
    cw_store_count(store, &counts);
    /* Before the first catalog that names parts (the first of all names none). */
    for (int i = 1; i <= 7; i++) {
        char name[32];
        snprintf(name, sizeof(name), "/%016d.wal", i);
        cr_assert(io_trace_synced(name, ".part"), "%s", name);
    }
    cr_assert_eq(counts.replayed_entries, 500000);
    cr_assert_gt(counts.flushes, 5);
    cr_assert_lt(counts.head_bytes, 24 << 20);
    cr_assert_eq(count(store), 500000);
    cw_store_close(&store);
}

Test(store, with_a_sync_interval_frames_are_durable_before_their_entries_are_in_parts)
{
    struct cw_store_options options = defaults();
    options.wal_sync = CW_STORE_SYNC_INTERVAL;
    options.wal_sync_interval_ns = 3600 * CW_NS_PER_S;
    struct cw_store *store = open_with(&options);
    cr_assert_eq(push(store, 0, 10, 1), 0);
    io_trace_clear();
    cr_assert_eq(push(store, 100, 10, 2), 0);
    cr_assert_not(io_trace_synced(".wal", NULL));
    cr_assert_eq(flush(store), 0);
    cr_assert(io_trace_synced(".wal", "/catalog"));
    cw_store_close(&store);
}

Test(store, folders_that_a_killed_process_left_are_made_durable)
{
    char path[100];
    struct cw_store *store = open_store();
    snprintf(path, sizeof(path), "%s/parts", dir);
    cr_assert_eq(mkdir(path, 0700), 0);
    strcat(path, "/t");
    cr_assert_eq(mkdir(path, 0700), 0);
    io_trace_clear();
    cr_assert_eq(push(store, 0, 10, 1), 0);
    cr_assert_eq(flush(store), 0);
    cr_assert(io_trace_synced(dir, "/catalog"));
    cr_assert(io_trace_synced("/parts", "/catalog"));
    cr_assert(io_trace_synced("/parts/t", "/catalog"));
    cw_store_close(&store);
}

Test(store, a_head_that_is_too_small_for_a_flush_makes_room_for_a_push_that_needs_it)
{
    struct cw_store_options options = defaults();
    struct cw_err err = {0};
    options.memory_bytes = 16 << 20;
    struct cw_store *store = open_with(&options);
    cr_assert_eq(push(store, 0, 20000, 1), 0);
    uint64_t bytes = 15 << 20, held = 0;
    cr_assert_eq(cw_store_admit(store, &held, bytes, &err), CW_E_OVERLOAD);
    int64_t until_ns = cw_clock_mono_ns() + 20 * CW_NS_PER_S;
    while (cw_store_admit(store, &held, bytes, &err) < 0) {
        cr_assert_lt(cw_clock_mono_ns(), until_ns, "%s", err.text);
        sched_yield();
    }
    cw_store_release(store, held);
    cw_store_close(&store);
}

Test(store, a_second_server_on_the_same_folder_is_refused_and_told_who_holds_it)
{
    struct cw_store *store = open_store(), *second;
    struct cw_store_options options = defaults();
    struct cw_err err = {0};
    struct stat st;
    cr_assert_eq(cw_store_set_address(store, "127.0.0.1:12345", &err), 0);
    cr_assert_eq(cw_store_open(&options, &second, &err), CW_E_UNAVAILABLE);
    cr_assert_not_null(strstr(err.text, "127.0.0.1:12345"), "%s", err.text);
    cr_assert_eq(stat(dir, &st), 0);
    cr_assert_eq(st.st_mode & 07777, 0700);
    cw_store_close(&store);
    store = open_store();
    cw_store_close(&store);
}

Test(store, threads_that_cannot_be_started_are_an_error_that_leaves_nothing_open)
{
    struct cw_store_options options = defaults();
    struct cw_store *store;
    struct cw_err err = {0};
    pthread_attr_t wide, usual;
    pthread_getattr_default_np(&usual);
    pthread_attr_init(&wide);
    cr_assert_eq(pthread_attr_setstacksize(&wide, (size_t)1 << 47),
                 0); /* all addresses there are */
    cr_assert_eq(pthread_setattr_default_np(&wide), 0);
    cr_assert_eq(cw_store_open(&options, &store, &err), CW_E_UNAVAILABLE);
    cr_assert_str_eq(err.text, "start a thread of the store: Resource temporarily unavailable");
    cr_assert_eq(pthread_setattr_default_np(&usual), 0);
    store = open_store();
    cw_store_close(&store);
}

Test(store, pushes_over_the_memory_budget_are_refused_until_there_is_room)
{
    struct cw_store *store = open_store();
    struct cw_err err = {0};
    uint64_t half = 256 << 20, first = 0, second = 0;
    cr_assert_eq(cw_store_admit(store, &first, half, &err), 0);
    cr_assert_eq(first, half);
    cr_assert_eq(cw_store_admit(store, &second, half + 1, &err), CW_E_OVERLOAD);
    cr_assert_eq(second, 0);
    cr_assert_eq(cw_store_admit(store, &second, 3 * half, &err), CW_E_TOO_LARGE,
                 "it will never fit");
    cr_assert_eq(cw_store_admit(store, &first, half + 1, &err), CW_E_TOO_LARGE,
                 "nor beside what the push holds already");
    cw_store_release(store, first);
    cr_assert_eq(cw_store_admit(store, &second, half + 1, &err), 0);
    cw_store_release(store, second);
    cw_store_close(&store);
}

Test(store, the_whole_budget_bounds_pushes_too_and_knows_the_head)
{
    struct cw_store_options options = defaults();
    struct cw_memory_budget budget;
    struct cw_err err = {0};
    uint64_t held = 0;
    cw_memory_budget_init(&budget, 64 << 20);
    options.budget = &budget;
    struct cw_store *store = open_with(&options);
    cr_assert_eq(push(store, 0, 20000, 1), 0);
    struct cw_store_counts counts;
    cw_store_count(store, &counts);
    cr_assert_gt(counts.head_bytes, 100000);
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_HEAD), counts.head_bytes);
    cw_memory_add(&budget, CW_MEMORY_QUERIES, 48 << 20);
    cr_assert_eq(cw_store_admit(store, &held, 20 << 20, &err), CW_E_OVERLOAD);
    cr_assert_eq(held, 0);
    cw_memory_give(&budget, CW_MEMORY_QUERIES, 48 << 20);
    cr_assert_eq(cw_store_admit(store, &held, 20 << 20, &err), 0);
    cr_assert_eq(cw_memory_used(&budget, CW_MEMORY_PUSHES), 20 << 20);
    cw_store_release(store, held);
    cr_assert_eq(flush(store), 0);
    cw_store_close(&store);
    for (size_t i = 0; i < CW_MEMORY_NUSES; i++)
        cr_assert_eq(cw_memory_used(&budget, i), 0, "%s", cw_memory_use_names[i]);
    cr_assert_geq(cw_memory_peak(&budget, CW_MEMORY_FLUSH), 1 << 20);
}

struct many {
    struct cw_store *store;
    int thread;
};

static void *push_many(void *arg)
{
    struct many *many = arg;
    for (int i = 0; i < 100; i++)
        cr_assert_eq(push(many->store, (many->thread * 100 + i) * 10, 10, 1), 0);
    return NULL;
}

Test(store, pushes_that_wait_share_a_sync)
{
    struct cw_store *store = open_store();
    pthread_t threads[8];
    struct many many[8];
    struct cw_store_counts counts;
    for (int i = 0; i < 8; i++) {
        many[i] = (struct many){store, i};
        pthread_create(&threads[i], NULL, push_many, &many[i]);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(count(store), 8000);
    cw_store_count(store, &counts);
    cr_assert_leq(counts.wal_syncs, 800);
    cw_store_close(&store);
}

/* ---- deletes ---- */

struct delete_wait {
    sem_t done;
    int rc;
};

static void deleted(void *arg, int rc, const struct cw_err *err)
{
    struct delete_wait *wait = arg;
    (void)err;
    wait->rc = rc;
    sem_post(&wait->done);
}

/* Of entries with times in [first_ns, last_ns]. */
static int delete_range(struct cw_store *store, int64_t first_ns, int64_t last_ns)
{
    struct delete_wait wait;
    struct cw_err err = {0};
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{a=\"b\"}"),
                                .first_ns = first_ns,
                                .last_ns = last_ns,
                                .due_ns = INT64_MAX};
    sem_init(&wait.done, 0, 0);
    cr_assert_eq(cw_store_delete(store, &row, deleted, &wait, &err), 0, "%s", err.text);
    sem_wait(&wait.done);
    sem_destroy(&wait.done);
    return wait.rc;
}

Test(store, a_delete_is_of_what_was_pushed_before_it_in_the_same_group)
{
    enum { PUSHES = 40 };
    struct cw_store *store = open_store();
    struct push_op *ops[PUSHES];
    struct delete_wait waits[PUSHES];
    struct cw_err err = {0};
    struct cw_delete_row row = {.tenant = CW_STR("t"),
                                .query = CW_STR("{a=\"b\"}"),
                                .last_ns = INT64_MAX,
                                .due_ns = INT64_MAX};
    /* All are queued faster than an fsync takes: pushes and deletes lie in one group until a delete ends it. */
    for (int i = 0; i < PUSHES; i++)
        ops[i] = op_new(i * 10, 10, 100, 1);
    for (int i = 0; i < PUSHES; i++) {
        cr_assert_eq(cw_store_submit(store, &ops[i]->op, &err), 0);
        sem_init(&waits[i].done, 0, 0);
        if (i % 4 == 0)
            cr_assert_eq(cw_store_delete(store, &row, deleted, &waits[i], &err), 0);
    }
    for (int i = 0; i < PUSHES; i++) {
        sem_wait(&ops[i]->done);
        cr_assert_eq(ops[i]->rc, 0);
        op_free(ops[i]);
        if (i % 4 == 0)
            sem_wait(&waits[i].done);
        sem_destroy(&waits[i].done);
    }
    cr_assert_eq(count(store), 30, "three pushes came after the last delete");
    cw_store_close(&store);
    store = open_store();
    cr_assert_eq(count(store), 30);
    cw_store_close(&store);
}

Test(store, a_delete_that_cannot_be_carried_out_is_told_once)
{
    struct cw_store *store = open_store();
    struct cw_delete_row row = {.tenant = CW_STR("t"), .query = CW_STR("{a=\"b\"}"), .last_ns = 99};
    struct cw_store_counts counts;
    struct delete_wait wait;
    struct cw_err err = {0};
    unsigned nlines;
    cr_assert_eq(push(store, 0, 100, 1), 0);
    cr_assert_eq(flush(store), 0);
    grabbed_log_begin();
    sem_init(&wait.done, 0, 0);
    row.due_ns = cw_clock_now_ns() + CW_NS_PER_S; /* it is to be kept before the disk is full */
    cr_assert_eq(cw_store_delete(store, &row, deleted, &wait, &err), 0);
    sem_wait(&wait.done);
    sem_destroy(&wait.done);
    cr_assert_eq(wait.rc, 0);
    io_trace_room("/deletes", 0);
    while (io_trace_nrefused() < 5)
        cr_assert_eq(flush(store), 0);
    io_trace_room(NULL, 0);
    do {
        cr_assert_eq(flush(store), 0);
        cw_store_count(store, &counts);
    } while (counts.deletes.received > 0);
    const char *log = grabbed_log_end(&nlines), *first = strstr(log, "deletes: ");
    cr_assert(first != NULL && strstr(first, "No space left") != NULL, "%s", log);
    const char *second = strstr(first + 1, "deletes: ");
    cr_assert(second != NULL && strstr(second, "deletes: done, after it failed") == second, "%s",
              log);
    cr_assert_null(strstr(second + 1, "deletes: "), "%s", log);
    cw_store_close(&store);
}

/* The log of it holds entries of before and of after each delete. */
Test(store, replay_tells_what_was_before_a_delete_from_what_came_after)
{
    pid_t pid = fork();
    if (pid == 0) {
        pool = cw_pool_new(1, NULL);
        struct cw_store_options options = defaults();
        struct cw_store *store = open_with(&options);
        for (int i = 0; i < 10; i++) {
            push(store, 0, 100, (uint64_t)i + 1);
            if (i % 3 == 2)
                delete_range(store, i, i + 9);
        }
        _exit(0);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    struct cw_store *store = open_store();
    uint64_t after_replay = count(store);
    cr_assert_eq(flush(store), 0);
    cr_assert_eq(count(store), after_replay);
    /* 10 pushes of the times 0..99; deletes after 3, 6 and 9 of them, of 2..11, 5..14 and 8..17. */
    uint64_t want = 0;
    for (int i = 0; i < 10; i++)
        for (int ns = 0; ns < 100; ns++) {
            bool hidden = (i < 3 && ns >= 2 && ns <= 11) || (i < 6 && ns >= 5 && ns <= 14) ||
                          (i < 9 && ns >= 8 && ns <= 17);
            want += !hidden;
        }
    cr_assert_eq(after_replay, want);
    cw_store_close(&store);
}

Test(store, a_delete_that_cannot_be_kept_hides_nothing)
{
    struct cw_store *store = open_store();
    char folder[200], inside[210];
    cr_assert_eq(push(store, 0, 100, 1), 0);
    /* A folder stands where the file is to be. */
    snprintf(folder, sizeof(folder), "%s/deletes", dir);
    snprintf(inside, sizeof(inside), "%s/x", folder);
    cr_assert_eq(unlink(folder), 0, "the list of none");
    cr_assert_eq(mkdir(folder, 0700), 0);
    cr_assert_eq(mkdir(inside, 0700), 0);
    cr_assert_lt(delete_range(store, 0, 1000), 0);
    cr_assert_eq(count(store), 100);
    cr_assert_eq(rmdir(inside), 0);
    cr_assert_eq(rmdir(folder), 0);
    cr_assert_eq(delete_range(store, 0, 1000), 0);
    cr_assert_eq(count(store), 0);
    cr_assert_eq(push(store, 0, 100, 2), 0);
    cr_assert_eq(count(store), 100);
    cw_store_close(&store);
}
