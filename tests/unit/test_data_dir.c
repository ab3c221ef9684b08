/* A data directory read without its server; one that changes meanwhile is in tests/e2e/test_query_local.py. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "querier/local/data_dir.h"
#include "tests/support/log_folder.h"

static struct cw_log_folder folder;
static struct cw_err err;
static char told[8192];

static void setup(void)
{
    char command[300];
    cw_log_folder_init(&folder);
    told[0] = '\0';
    snprintf(command, sizeof command, "cp -r %s/data_v1/. %s/", getenv("CW_TEST_DATA"), folder.dir);
    cr_assert_eq(system(command), 0);
}

static void teardown(void)
{
    cw_log_folder_fini(&folder);
}

TestSuite(data_dir, .init = setup, .fini = teardown);

static void on_bad(void *ctx, const struct cw_err *why)
{
    strncat(told, why->text, sizeof told - strlen(told) - 1);
}

static int open_as(const char *tenant, struct cw_data_dir **out)
{
    const struct cw_data_dir_options options = {
        .path = folder.dir, .tenant = cw_str_of(tenant), .bad = on_bad};
    return cw_data_dir_open(&options, out, &err);
}

/* How many entries a tenant has. */
static uint64_t count(const char *tenant)
{
    struct cw_data_dir *dir = NULL;
    struct cw_index_stats stats = {0};
    cr_assert_eq(open_as(tenant, &dir), 0, "%s", err.text);
    const struct cw_snapshot *snapshot = cw_data_dir_snapshot(dir);
    for (size_t i = 0; i < snapshot->n; i++)
        cr_assert_eq(snapshot->sources[i]->ops->stats(snapshot->sources[i], NULL, INT64_MIN,
                                                      INT64_MAX, &stats, &err),
                     0);
    cw_data_dir_close(&dir);
    return stats.entries;
}

static void remove_named(const char *name)
{
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s/%s", folder.dir, name);
    cr_assert_eq(system(command), 0);
}

Test(data_dir, parts_and_log_are_read_of_each_tenant_alone)
{
    cr_assert_eq(count("one"), 362);
    cr_assert_eq(count("two"), 360);
    cr_assert_eq(count("three"), 0);
    cr_assert_str_eq(told, "");
}

Test(data_dir, without_its_log_the_parts_are_there)
{
    remove_named("wal");
    cr_assert_eq(count("one"), 242);
    cr_assert_not_null(strstr(told, "the log lacks its newest segments"), "%s", told);
}

#define WAL "wal/0000000000000001.wal"

Test(data_dir, a_torn_end_of_the_log_is_told)
{
    cw_log_folder_append(&folder, WAL, "the half of a frame");
    cr_assert_eq(count("one"), 362);
    cr_assert_not_null(strstr(told, "19 bytes: torn end of the log"), "%s", told);
}

static void *write_on(void *arg)
{
    usleep(60000);
    cw_log_folder_append(&folder, WAL, ", and its other half");
    return NULL;
}

Test(data_dir, a_write_to_the_log_that_is_under_way_is_no_damage)
{
    pthread_t thread;
    cw_log_folder_append(&folder, WAL, "the half of a frame");
    cr_assert_eq(pthread_create(&thread, NULL, write_on, NULL), 0);
    cr_assert_eq(count("one"), 362);
    pthread_join(thread, NULL);
    cr_assert_str_eq(told, "");
}

Test(data_dir, a_catalog_that_is_lost_is_made_again_in_memory)
{
    remove_named("catalog");
    cr_assert_eq(count("one"), 362);
    cr_assert_eq(access(cw_log_folder_path(&folder, "catalog"), F_OK), -1);
    cw_log_folder_append(&folder, "catalog", "no catalog\n");
    cr_assert_eq(count("two"), 360);
    cr_assert_not_null(strstr(told, "made again"), "%s", told);
}

Test(data_dir, a_part_that_is_lost_or_damaged_is_told_and_the_others_are_read)
{
    remove_named("parts/one/2026-01-05/0000000000000001.part");
    cr_assert_lt(count("one"), 362);
    cr_assert_gt(count("one"), 100);
    cr_assert_not_null(strstr(told, "are lost"), "%s", told);
    told[0] = '\0';
    cw_log_folder_append(&folder, "parts/one/2026-01-05/0000000000000001.part", "no part");
    cr_assert_gt(count("one"), 100);
    cr_assert_not_null(strstr(told, "0000000000000001.part"), "%s", told);
    cr_assert_eq(count("two"), 360);
}

Test(data_dir, what_is_no_data_directory_is_refused)
{
    struct cw_data_dir *dir = NULL;
    remove_named("FORMAT");
    cr_assert_eq(open_as("one", &dir), CW_E_NOT_FOUND);
    cr_assert_not_null(strstr(err.text, "no data directory"), "%s", err.text);
    cw_log_folder_append(&folder, "FORMAT", "cordwood 99\n");
    cr_assert_lt(open_as("one", &dir), 0);
    cr_assert_null(dir);
}
