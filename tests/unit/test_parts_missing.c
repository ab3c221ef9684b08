/* test_parts_missing.c - parts that were not there at some start: put back they are taken in, unless they were to be gone. */
#include <criterion/criterion.h>

#include <stdio.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "ingester/merge.h"
#include "ingester/merge_pick.h"
#include "tests/support/parts_rig.h"

enum { DAY = 20000, ROWS = 100 };

static struct parts_rig rig;
static struct cw_err err;
static struct part_model all;
static const int64_t day_ns = 86400 * CW_NS_PER_S;
static const int64_t start_ns = DAY * INT64_C(86400) * CW_NS_PER_S;

static void setup(void)
{
    cw_log_init(CW_LOG_ERROR + 1, CW_LOG_LOGFMT);
    parts_rig_open(&rig);
    part_model_init(&all);
}

static void teardown(void)
{
    part_model_fini(&all);
    parts_rig_close(&rig);
}

TestSuite(parts_missing, .init = setup, .fini = teardown);

/* A part of one stream of the day, which `all` has too. */
static void add_part(int32_t day)
{
    struct part_model m;
    char line[64];
    part_model_init(&m);
    for (int i = 0; i < ROWS; i++) {
        int64_t ts_ns = day * day_ns + i * CW_NS_PER_S;
        snprintf(line, sizeof(line), "part %zu line %d", all.n / ROWS, i);
        part_model_add(&m, part_model_stream(&m, "{a=\"b\"}"), ts_ns, cw_str_of(line), NULL);
        part_model_add(&all, part_model_stream(&all, "{a=\"b\"}"), ts_ns, cw_str_of(line), NULL);
    }
    parts_rig_add(&rig, &m, "t", day);
    part_model_fini(&m);
}

static void has(size_t nparts, uint64_t nmissing)
{
    struct cw_parts_counts counts;
    cw_parts_count(rig.parts, &counts);
    cr_assert_eq(counts.parts, nparts, "%ju parts", (uintmax_t)counts.parts);
    cr_assert_eq(counts.missing, nmissing, "%ju missing", (uintmax_t)counts.missing);
}

/* Each entry that was ever added, once. */
static void has_all(size_t nparts)
{
    struct cw_scan scan = {.start_ns = INT64_MIN,
                           .end_ns = INT64_MAX,
                           .need = CW_NEED_TIMES | CW_NEED_LINES | CW_NEED_METADATA};
    struct cw_snapshot snapshot = {0};
    struct model_rows want = {0}, got = {0};
    has(nparts, 0);
    cw_parts_all(rig.parts, &snapshot);
    for (size_t i = 0; i < snapshot.n; i++)
        cr_assert_eq(model_rows_of_source(snapshot.sources[i], &scan, &got, &err), 0, "%s",
                     err.text);
    model_rows_of_model(&all, &scan, &want);
    cr_assert(model_rows_equal(&got, &want));
    model_rows_fini(&want);
    model_rows_fini(&got);
    cw_snapshot_fini(&snapshot);
}

Test(parts_missing, a_part_that_is_put_back_is_taken_in_again)
{
    add_part(DAY);
    add_part(DAY + 1);
    parts_rig_shell(&rig, "mv parts kept");
    for (int starts = 0; starts < 2; starts++) {
        parts_rig_reopen(&rig);
        has(0, 2);
    }
    add_part(DAY + 2);
    has(1, 2);
    parts_rig_shell(&rig, "cp -r kept/. parts");
    for (int starts = 0; starts < 2; starts++) {
        parts_rig_reopen(&rig);
        has_all(3);
    }
}

Test(parts_missing, a_part_that_was_set_aside_is_taken_in_when_a_good_one_is_put_back)
{
    add_part(DAY);
    add_part(DAY + 1);
    parts_rig_shell(&rig, "cp -r parts kept && truncate -s 300 parts/t/*/*2.part");
    parts_rig_reopen(&rig);
    has(1, 1);
    parts_rig_shell(&rig, "test -e quarantine/*2.part && cp -r kept/. parts");
    parts_rig_reopen(&rig);
    has_all(2);
}

Test(parts_missing, what_is_not_the_missing_part_is_set_aside_and_not_taken_in)
{
    static const char *const others[] = {"cp parts/t/*/*1.part $(cat name)", /* another part */
                                         "head -c 300 kept > $(cat name)", "mkdir $(cat name)"};
    add_part(DAY);
    add_part(DAY + 1);
    parts_rig_shell(&rig, "ls parts/t/*/*2.part > name && mv $(cat name) kept");
    parts_rig_reopen(&rig);
    for (size_t i = 0; i < CW_COUNT(others); i++) {
        parts_rig_shell(&rig, others[i]);
        parts_rig_reopen(&rig);
        has(1, 1);
        parts_rig_shell(&rig,
                        "test ! -e $(cat name) && test -e quarantine/$(basename $(cat name))");
    }
    parts_rig_shell(&rig, "cp kept $(cat name)");
    parts_rig_reopen(&rig);
    has_all(2);
}

Test(parts_missing, a_part_of_the_same_id_with_other_entries_is_not_taken_in)
{
    add_part(DAY);
    parts_rig_shell(&rig, "mv parts kept");
    parts_rig_reopen(&rig);
    struct parts_rig other;
    struct part_model m;
    char command[200];
    parts_rig_open(&other);
    part_model_init(&m);
    part_model_add(&m, part_model_stream(&m, "{a=\"b\"}"), start_ns, CW_STR("foreign"), NULL);
    parts_rig_add(&other, &m, "t", DAY);
    snprintf(command, sizeof(command), "cp -r %s/parts .", other.dir);
    parts_rig_shell(&rig, command);
    part_model_fini(&m);
    parts_rig_close(&other);
    parts_rig_reopen(&rig);
    has(0, 1);
    parts_rig_shell(&rig, "cp -r kept/. parts");
    parts_rig_reopen(&rig);
    has_all(1);
}

Test(parts_missing, parts_that_were_merged_are_not_taken_in_again)
{
    struct cw_pool *pool = cw_pool_new(1, NULL);
    struct cw_merge *merge = cw_merge_new(rig.parts, rig.deletes, rig.purge, pool, CW_CODEC_LZ4);
    for (int i = 0; i < CW_MERGE_FAN_IN; i++)
        add_part(DAY);
    parts_rig_shell(&rig, "cp -r parts kept");
    cw_merge_wait(merge);
    cw_merge_free(&merge);
    cw_pool_free(&pool);
    has(1, 0);
    /* The merged one too is missing for a while. */
    parts_rig_shell(&rig, "mv parts merged && cp -r kept parts");
    parts_rig_reopen(&rig);
    has(0, 1);
    cr_assert_eq(parts_rig_nfiles(&rig), 0);
    parts_rig_shell(&rig, "cp -r merged/. kept/. parts");
    parts_rig_reopen(&rig);
    has_all(1);
    cr_assert_eq(parts_rig_nfiles(&rig), 1);
}

static void retain(int64_t now_ns)
{
    struct cw_retention_totals totals = {0};
    cr_assert_eq(cw_retention_run(rig.parts, &rig.retention, now_ns, 0, &totals, &err), 0, "%s",
                 err.text);
}

Test(parts_missing, one_is_forgotten_when_retention_would_have_dropped_it)
{
    struct cw_ingester_limits limits = {.retention_period_ns = 10 * day_ns};
    parts_rig_hold(&rig, &limits);
    add_part(DAY);
    parts_rig_shell(&rig, "mv parts kept");
    parts_rig_reopen(&rig);
    retain(start_ns + 10 * day_ns);
    has(0, 1);
    retain(start_ns + 11 * day_ns);
    has(0, 0);
    parts_rig_shell(&rig, "cp -r kept parts");
    parts_rig_reopen(&rig);
    has(0, 0);
    cr_assert_eq(parts_rig_nfiles(&rig), 0);
}

static bool is_of_day(void *arg, const struct cw_catalog_part *part)
{
    return part->day == *(int32_t *)arg;
}

Test(parts_missing, what_is_forgotten_is_not_taken_in_and_the_rest_is)
{
    int32_t day = DAY + 1;
    add_part(DAY + 1);
    cr_assert_eq(cw_parts_forget(rig.parts, is_of_day, &day, &err), 0, "it is not missing");
    parts_rig_shell(&rig, "mv parts kept");
    parts_rig_reopen(&rig);
    part_model_fini(&all);
    part_model_init(&all);
    add_part(DAY);
    parts_rig_shell(&rig, "cp -r parts/. kept && rm -r parts");
    parts_rig_reopen(&rig);
    has(0, 2);
    cr_assert_eq(cw_parts_forget(rig.parts, is_of_day, &day, &err), 0);
    has(0, 1);
    parts_rig_shell(&rig, "cp -r kept parts");
    parts_rig_reopen(&rig);
    has_all(1);
}
