#include "tests/support/parts_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"

static void works(int rc, const struct cw_err *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "parts_rig: %s\n", err->text);
    abort();
}

static struct cw_retention_policy *policy(void *ctx, struct cw_str tenant)
{
    struct parts_rig *rig = ctx;
    return cw_retention_policy_ref(rig->policy);
}

void parts_rig_hold(struct parts_rig *rig, const struct cw_ingester_limits *limits)
{
    struct cw_err err;
    cw_retention_policy_unref(&rig->policy);
    works(cw_retention_policy_new(limits, &rig->policy, &err), &err);
}

static void parts_open(struct parts_rig *rig)
{
    struct cw_parts_options options = {.data_dir = rig->dir};
    struct cw_err err;
    works(cw_parts_open(&options, &rig->parts, &err), &err);
    works(cw_deletes_open(rig->dir, &rig->deletes, &err), &err);
    rig->shares = cw_retention_shares_new();
    rig->purge = cw_purge_new(rig->parts, rig->deletes, &rig->retention, rig->shares, CW_CODEC_LZ4);
}

static void parts_close(struct parts_rig *rig)
{
    cw_purge_free(&rig->purge);
    cw_retention_shares_free(&rig->shares);
    cw_deletes_close(&rig->deletes);
    cw_parts_close(&rig->parts);
}

void parts_rig_open(struct parts_rig *rig)
{
    struct cw_ingester_limits limits = {.deletion_mode = CW_DELETION_FILTER_AND_DELETE};
    *rig = (struct parts_rig){.dir = "/tmp/cw-test-parts-XXXXXX",
                              .retention = {.policy = policy, .ctx = rig}};
    CW_ASSERT(mkdtemp(rig->dir) != NULL);
    parts_rig_hold(rig, &limits);
    parts_open(rig);
}

void parts_rig_reopen(struct parts_rig *rig)
{
    parts_close(rig);
    parts_open(rig);
}

void parts_rig_close(struct parts_rig *rig)
{
    char command[100];
    parts_close(rig);
    cw_retention_policy_unref(&rig->policy);
    snprintf(command, sizeof(command), "rm -rf %s", rig->dir);
    CW_ASSERT(system(command) == 0);
}

void parts_rig_add(struct parts_rig *rig, const struct part_model *model, const char *tenant,
                   int32_t day)
{
    struct cw_parts_change *change = cw_parts_change_new(rig->parts);
    struct cw_part_info info = part_model_info(0);
    struct cw_buf path;
    struct cw_err err;
    cw_buf_init(&path, SIZE_MAX);
    info.tenant = cw_str_of(tenant);
    info.day = day;
    works(cw_parts_new_path(rig->parts, info.tenant, day, &info.id, &path, &err), &err);
    info.wal_first = info.wal_last = ++rig->wal_seq;
    info.flush_id = info.id;
    part_model_write(model, cw_buf_z(&path), &info);
    works(cw_parts_change_add(change, cw_buf_z(&path), &err), &err);
    works(cw_parts_commit(rig->parts, change, &err), &err);
    cw_parts_lock(rig->parts);
    cw_parts_publish(rig->parts, change);
    cw_parts_unlock(rig->parts);
    cw_parts_change_free(&change);
    cw_buf_fini(&path);
}

size_t parts_rig_nparts(const struct parts_rig *rig)
{
    struct cw_parts_counts counts;
    cw_parts_count(rig->parts, &counts);
    return counts.parts;
}

static int count_file(void *arg, const char *path, uint64_t id)
{
    ++*(size_t *)arg;
    return 0;
}

size_t parts_rig_nfiles(const struct parts_rig *rig)
{
    struct cw_err err;
    size_t n = 0;
    works(cw_catalog_each_file(rig->dir, count_file, &n, &err), &err);
    return n;
}

void parts_rig_shell(const struct parts_rig *rig, const char *command)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_addf(&text, "cd %s && %s", rig->dir, command);
    if (system(cw_buf_z(&text)) != 0) {
        fprintf(stderr, "parts_rig: %s fails\n", text.ptr);
        abort();
    }
    cw_buf_fini(&text);
}
