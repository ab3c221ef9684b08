/* test_snapshots.c - the folders of snapshots: names, what is linked, what a crash leaves, in which order they become durable. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/file_tree.h"
#include "ingester/snapshots.h"
#include "tests/support/io_trace.h"

static char dir[] = "/tmp/cw-test-snapshots-XXXXXX", path[400];
static struct cw_err err;
static struct cw_buf json;
static const int64_t now_ns = INT64_C(1767607200) * CW_NS_PER_S; /* 2026-01-05T10:00:00Z */

static const char *at(const char *name)
{
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void put(const char *name, const char *text)
{
    cr_assert_eq(cw_file_replace(at(name), cw_str_of(text), &err), 0, "%s", err.text);
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_eq(cw_file_mkdirs(at("wal"), &err), 0);
    put("FORMAT", "cordwood 1\n");
    put("wal/0000000000000001.wal", "first");
    put("wal/0000000000000002.wal", "second");
    put("wal/0000000000000003.wal", "grows");
    cw_buf_init(&json, 1 << 20);
}

static void teardown(void)
{
    cr_assert_eq(cw_file_tree_remove(dir, &err), 0);
    cw_buf_fini(&json);
}

TestSuite(snapshots, .init = setup, .fini = teardown);

static struct cw_snapshot_draft begin(uint64_t seq)
{
    struct cw_snapshot_draft draft;
    cr_assert_eq(cw_snapshots_begin(dir, now_ns, seq, &draft, &err), 0, "%s", err.text);
    return draft;
}

static void make(uint64_t seq)
{
    struct cw_snapshot_draft draft = begin(seq);
    cw_buf_clear(&json);
    cr_assert_eq(cw_snapshots_finish(&draft, &json, &err), 0, "%s", err.text);
}

static const char *list(void)
{
    cw_buf_clear(&json);
    cr_assert_eq(cw_snapshots_list(dir, &json, &err), 0, "%s", err.text);
    return cw_buf_z(&json);
}

#define NAME "20260105T100000Z-000000004711"

Test(snapshots, sealed_segments_are_linked_and_the_growing_one_is_copied)
{
    struct stat st;
    make(4711);
    cr_assert_eq(stat(at("snapshots/" NAME "/wal/0000000000000001.wal"), &st), 0);
    cr_assert_eq(st.st_nlink, 2);
    cr_assert_eq(stat(at("snapshots/" NAME "/FORMAT"), &st), 0);
    cr_assert_eq(st.st_nlink, 2);
    cr_assert(cw_file_exists(at("snapshots/" NAME "/wal/0000000000000002.wal")));
    cr_assert(cw_file_exists(at("snapshots/" NAME "/catalog")));
    cr_assert_eq(stat(at("snapshots/" NAME "/wal/0000000000000003.wal"), &st), 0);
    cr_assert_eq(st.st_nlink, 1);
    cr_assert_eq(st.st_size, strlen("grows"));
    const char *told = cw_buf_z(&json);
    cr_assert_not_null(strstr(told, "\"name\":\"" NAME "\""), "%s", told);
    cr_assert_not_null(strstr(told, "\"made\":\"2026-01-05T10:00:00Z\""), "%s", told);
    cr_assert_not_null(strstr(told, "\"wal_sequence\":4711"), "%s", told);
}

Test(snapshots, everything_in_it_is_durable_before_it_has_its_name)
{
    struct cw_snapshot_draft draft = begin(4711);
    io_trace_clear();
    cr_assert_eq(cw_snapshots_finish(&draft, &json, &err), 0);
    cr_assert(io_trace_synced(NAME ".tmp", "snapshots/" NAME));
    cr_assert(io_trace_synced(NAME ".tmp/wal", "snapshots/" NAME));
    cr_assert(io_trace_synced("catalog.tmp", "snapshots/" NAME));
    cr_assert(io_trace_synced("/snapshots", NULL));
    cr_assert(io_trace_synced(strrchr(dir, '/'), NULL));
}

Test(snapshots, only_finished_ones_are_listed_and_the_rest_goes_at_the_start)
{
    cr_assert_str_eq(list(), "{\"snapshots\":[]}");
    struct cw_snapshot_draft draft = begin(7);
    cr_assert_str_eq(list(), "{\"snapshots\":[]}");
    cr_assert(cw_file_exists(draft.dir));
    char *left = cw_str_dupz(cw_str_of(draft.dir));
    cr_assert_eq(cw_file_mkdirs(at("snapshots/of somebody else.tmp"), &err), 0);
    make(4711);
    cr_assert_eq(cw_snapshots_clean(dir, &err), 0);
    cr_assert_not(cw_file_exists(left));
    cr_assert(cw_file_exists(at("snapshots/of somebody else.tmp")));
    cr_assert(cw_file_exists(at("snapshots/" NAME)));
    cw_snapshots_abandon(&draft);
    free(left);
}

Test(snapshots, an_abandoned_one_leaves_nothing)
{
    struct cw_snapshot_draft draft = begin(7);
    char *left = cw_str_dupz(cw_str_of(draft.dir));
    cw_snapshots_abandon(&draft);
    cr_assert_not(cw_file_exists(left));
    cr_assert_null(draft.dir);
    free(left);
}

Test(snapshots, one_is_removed_by_its_name_alone)
{
    static const char *const others[] = {"",
                                         ".",
                                         "..",
                                         "../wal",
                                         NAME "/",
                                         NAME ".tmp",
                                         NAME "0",
                                         "20260105T100000Z-4711",
                                         "20261305T100000Z-000000004711"};
    make(4711);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_eq(cw_snapshots_remove(dir, cw_str_of(others[i]), &err), CW_E_NOT_FOUND, "%s",
                     others[i]);
    cr_assert_not_null(strstr(list(), NAME));
    cr_assert_eq(cw_snapshots_remove(dir, CW_STR(NAME), &err), 0);
    cr_assert_str_eq(list(), "{\"snapshots\":[]}");
    cr_assert_not(cw_file_exists(at("snapshots/" NAME ".tmp")));
    cr_assert(cw_file_exists(at("wal/0000000000000001.wal")));
    cr_assert_eq(cw_snapshots_remove(dir, CW_STR(NAME), &err), CW_E_NOT_FOUND);
}
