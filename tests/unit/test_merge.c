/* test_merge.c - which merges are begun, and what becomes of those that fail. (What they make is in test_merge_run.c, test_parts.c.) */
#include <criterion/criterion.h>

#include <sched.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "ingester/merge.h"
#include "ingester/merge_pick.h"
#include "ingester/purge.h"
#include "ingester/retention.h"
#include "tests/support/grabbed_log.h"
#include "tests/support/io_trace.h"
#include "tests/support/part_model.h"

enum { DAY = 20000 };

static char dir[64];
static struct cw_err err;
static struct cw_parts *parts;
static struct cw_deletes *deletes;
static struct cw_retention_shares *shares;
static struct cw_purge *purge;
static struct cw_pool *pool;
static struct cw_merge *merge;
static int64_t made_ns;                  /* of the next parts' files; 0: now */
static struct cw_ingester_limits limits; /* of all tenants */
static const int64_t day_ns = 86400 * CW_NS_PER_S;
static const int64_t start_ns = DAY * INT64_C(86400) * CW_NS_PER_S;

static unsigned nlooks; /* at all parts: those ask for the tenant's policy; on the pool's thread */

static struct cw_retention_policy *policy(void *ctx, struct cw_str tenant)
{
    struct cw_retention_policy *made;
    nlooks++;
    (void)ctx;
    (void)tenant;
    cr_assert_eq(cw_retention_policy_new(&limits, &made, &err), 0, "%s", err.text);
    return made;
}

static struct cw_retention_options retention = {.policy = policy};

static void setup(void)
{
    struct cw_parts_options options = {.data_dir = dir};
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    strcpy(dir, "/tmp/cw-test-merge-XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    limits.deletion_mode = CW_DELETION_FILTER_AND_DELETE;
    cr_assert_eq(cw_parts_open(&options, &parts, &err), 0, "%s", err.text);
    cr_assert_eq(cw_deletes_open(dir, &deletes, &err), 0, "%s", err.text);
    shares = cw_retention_shares_new();
    purge = cw_purge_new(parts, deletes, &retention, shares, CW_CODEC_LZ4);
    pool = cw_pool_new(1, NULL);
    merge = cw_merge_new(parts, deletes, purge, pool, CW_CODEC_LZ4);
}

static void teardown(void)
{
    char command[100];
    cw_merge_free(&merge);
    cw_pool_free(&pool);
    cw_purge_free(&purge);
    cw_retention_shares_free(&shares);
    cw_deletes_close(&deletes);
    cw_parts_close(&parts);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(merge, .init = setup, .fini = teardown);

/* A part of random entries of that day. */
static void part_add(uint64_t seed, int32_t day)
{
    struct cw_parts_change *change = cw_parts_change_new(parts);
    struct cw_part_info info = part_model_info(0);
    struct part_model model;
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    info.day = day;
    cr_assert_eq(cw_parts_new_path(parts, info.tenant, day, &info.id, &path, &err), 0, "%s",
                 err.text);
    info.wal_first = info.wal_last = info.flush_id = info.id;
    part_model_init(&model);
    part_model_fill(&model, seed, 10, 200, day * day_ns);
    part_model_write(&model, cw_buf_z(&path), &info);
    part_model_fini(&model);
    if (made_ns != 0) {
        struct timespec time = {.tv_sec = made_ns / CW_NS_PER_S};
        cr_assert_eq(utimensat(AT_FDCWD, path.ptr, (struct timespec[]){time, time}, 0), 0);
    }
    cr_assert_eq(cw_parts_change_add(change, cw_buf_z(&path), &err), 0, "%s", err.text);
    cr_assert_eq(cw_parts_commit(parts, change, &err), 0, "%s", err.text);
    cw_parts_lock(parts);
    cw_parts_publish(parts, change);
    cw_parts_unlock(parts);
    cw_parts_change_free(&change);
    cw_buf_fini(&path);
}

static size_t nparts(void)
{
    struct cw_parts_counts counts;
    cw_parts_count(parts, &counts);
    return counts.parts;
}

static uint64_t footer_id(struct cw_source *source)
{
    return cw_part_reader_footer(cw_part_source_reader(source))->info.id;
}

static int count_file(void *arg, const char *path, uint64_t id)
{
    (void)path;
    (void)id;
    ++*(size_t *)arg;
    return 0;
}

static size_t nfiles(void)
{
    size_t n = 0;
    cr_assert_eq(cw_catalog_each_file(dir, count_file, &n, &err), 0);
    return n;
}

static uint64_t nfailed(void)
{
    struct cw_merge_counts counts;
    cw_merge_count(merge, &counts);
    return counts.failed;
}

/* Kicks as they come from the keeper and from flushes, until so many tries have failed; how long that took. */
static int64_t kick_until(uint64_t failed)
{
    int64_t since_ns = cw_clock_mono_ns();
    while (nfailed() < failed) {
        cw_merge_kick(merge);
        sched_yield();
    }
    return cw_clock_mono_ns() - since_ns;
}

Test(merge, a_merge_without_room_is_tried_again_later_and_later_and_told_once)
{
    unsigned nlines;
    part_add(1, DAY - 5);
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN; i++)
        part_add(2 + i, DAY);
    cw_log_init(CW_LOG_INFO, CW_LOG_LOGFMT);
    grabbed_log_begin();
    io_trace_room("/parts/", 1000);
    int64_t since_ns = cw_clock_mono_ns();
    kick_until(2);
    cr_assert_geq(cw_clock_mono_ns() - since_ns, CW_NS_PER_S);
    for (uint64_t n = 2; n < 10; n = nfailed()) { /* who waits for merges has them tried at once */
        cw_merge_wait(merge);
        cr_assert_gt(nfailed(), n);
    }
    /* The next try by itself is a minute away; but a part leaves. */
    struct cw_retention_totals totals = {0};
    limits.retention_period_ns = 2 * day_ns;
    cr_assert_eq(nparts(), CW_MERGE_FAN_IN + 1);
    cr_assert_eq(cw_retention_run(parts, &retention, start_ns, 0, &totals, &err), 0);
    cr_assert_lt(kick_until(nfailed() + 1), 30 * CW_NS_PER_S);
    cr_assert_eq(nparts(), CW_MERGE_FAN_IN);
    cr_assert_eq(nfiles(), CW_MERGE_FAN_IN, "what was written of it is gone");
    io_trace_room(NULL, 0);
    cw_merge_wait(merge);
    const char *log = grabbed_log_end(&nlines);
    cr_assert_eq(nparts(), 1);
    cr_assert_eq(nlines, 3, "with that of retention: %s", log);
    cr_assert(strstr(log, "merging parts failed") && strstr(log, "No space left"), "%s", log);
    cr_assert_not_null(strstr(log, "merging parts: done, after "), "%s", log);
}

/* The newest part's file loses its last `n` bytes, or all from byte `n` on if negative. */
static void newest_cut(off_t n)
{
    struct cw_snapshot all = {0};
    struct cw_source *newest = NULL;
    cw_parts_all(parts, &all);
    for (size_t i = 0; i < all.n; i++)
        if (newest == NULL || footer_id(all.sources[i]) > footer_id(newest))
            newest = all.sources[i];
    const char *path = cw_part_reader_path(cw_part_source_reader(newest));
    off_t bytes = (off_t)cw_part_reader_footer(cw_part_source_reader(newest))->file_bytes;
    cr_assert_eq(truncate(path, n < 0 ? -n : bytes - n), 0);
    cw_snapshot_fini(&all);
}

static void check_not_merged_with_the_cut(off_t n)
{
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN; i++)
        part_add(20 + i, DAY);
    newest_cut(n);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), CW_MERGE_FAN_IN, "what it lost would be lost for good");
    part_add(30, DAY);
    cw_merge_wait(merge);
    cr_assert_eq(nparts(), 2, "the others are merged without it");
}

Test(merge, a_part_with_pages_that_cannot_be_read_is_not_merged)
{
    check_not_merged_with_the_cut(-4096);
}

Test(merge, a_part_that_is_cut_within_its_last_page_is_not_merged)
{
    check_not_merged_with_the_cut(1);
}

static struct cw_merge_counts merged(void)
{
    struct cw_merge_counts counts;
    cw_merge_wait(merge);
    cw_merge_count(merge, &counts);
    return counts;
}

Test(merge, what_is_left_of_a_day_is_joined_when_it_is_over_and_quiet_and_then_it_rests)
{
    int32_t tomorrow = (int32_t)(cw_clock_now_ns() / day_ns) + 1;
    uint64_t seed = 40;
    for (uint64_t i = 0; i < CW_MERGE_FAN_IN - 1; i++) {
        for (int32_t day = DAY; day < DAY + 3; day++) {
            made_ns = cw_clock_now_ns() - 2 * CW_MERGE_QUIET_NS;
            part_add(seed++, day);
        }
        part_add(seed++, tomorrow);
        made_ns = 0;
        part_add(seed++, DAY + 3);
    }
    uint64_t left = 3 + 2 * (CW_MERGE_FAN_IN - 1);
    cr_assert_eq(merged().merges, 3, "one a day, but for tomorrow and the day that is not quiet");
    cr_assert_eq(nparts(), left);
    cr_assert_eq(merged().merges, 3, "none is written anew");
    made_ns = cw_clock_now_ns() - 2 * CW_MERGE_QUIET_NS;
    part_add(seed++, DAY);
    cr_assert_eq(merged().merges, 3, "those that were made just now are not quiet");
    cr_assert_eq(nparts(), left + 1);
    struct cw_parts_counts counts;
    cw_parts_count(parts, &counts);
    cr_assert_eq(counts.entries, 200 * (5 * (CW_MERGE_FAN_IN - 1) + 1));
}

static void nothing(void *arg)
{
    (void)arg;
}

/* Kick, and wait for what that begins: the pool's only thread runs this job behind it. */
static void kick(void)
{
    struct cw_pool_group *behind = cw_pool_group_new(pool, CW_POOL_LOW);
    cw_pool_group_used(behind, UINT64_MAX / 2);
    cw_merge_kick(merge);
    cw_pool_submit(behind, nothing, NULL);
    cw_pool_group_free(&behind);
}

Test(merge, a_kick_looks_at_parts_that_have_changed)
{
    part_add(1, DAY);
    kick();
    unsigned before = nlooks;
    cr_assert_gt(before, 0);
    for (int i = 0; i < 3; i++)
        kick();
    cr_assert_eq(nlooks, before, "nothing was due, and nothing changed");
    part_add(2, DAY);
    kick();
    cr_assert_eq(nlooks, before + 1);
    cw_merge_wait(merge);
    cr_assert_eq(nlooks, before + 2, "somebody waits");
    kick();
    cr_assert_eq(nlooks, before + 2);
}
