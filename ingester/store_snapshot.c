/*
 * store_snapshot.c - snapshots of the store.
 *
 * Between two groups of the WAL thread: all that was acknowledged is in the log, every generation that is flushed or will be came
 * before this point, and so did the marks. The segment ends there; segments and parts are linked (parts last: what leaves the log
 * meanwhile is in them). Nothing can be flushed that came later, since this thread alone closes generations. The fsyncs are the
 * pool's: pushes wait for some links, not for the disk.
 */
#include "ingester/store_priv.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "ingester/snapshots.h"

struct snapshot_job {
    struct cw_store_op op;
    struct cw_store *store;
    struct cw_snapshot_draft draft;
    struct cw_str name; /* remove */
    cw_store_snapshot_fn done;
    void *arg;
};

#define ANSWER_BYTES_MAX (16u << 20)

static void job_done(struct snapshot_job *job, int rc, struct cw_buf *json,
                     const struct cw_err *err)
{
    job->done(job->arg, rc, json, err);
    cw_buf_fini(json);
    free((char *)job->name.ptr);
    free(job);
}

static void job_ended(struct snapshot_job *job, int rc, const struct cw_err *err)
{
    struct cw_buf none;
    cw_buf_init(&none, ANSWER_BYTES_MAX);
    job_done(job, rc, &none, err);
}

/* ---- create ---- */

static void create_finish(void *arg)
{
    struct snapshot_job *job = arg;
    struct cw_err err = {0};
    struct cw_buf json;
    cw_buf_init(&json, ANSWER_BYTES_MAX);
    int rc = cw_snapshots_finish(&job->draft, &json, &err);
    job_done(job, rc, &json, &err);
}

static int create_prepare(struct cw_store_op *op, struct cw_store *store, struct cw_err *err)
{
    (void)op;
    (void)store;
    (void)err;
    return 0;
}

static int create_links(struct snapshot_job *job, struct cw_err *err)
{
    struct cw_store *store = job->store;
    uint64_t wal_seq = cw_wal_writer_last_seq(store->writer);
    int rc = store_segment_begin(store, err);
    if (rc == 0)
        rc = cw_snapshots_begin(store->data_dir, cw_clock_now_ns(), wal_seq, &job->draft, err);
    if (rc < 0)
        return rc;
    rc = cw_parts_link_all(store->parts, job->draft.dir, &job->draft.catalog, err);
    if (rc < 0)
        cw_snapshots_abandon(&job->draft);
    return rc;
}

/* The group is committed. */
static void create_committed(struct cw_store_op *op, int rc, const struct cw_err *err)
{
    struct snapshot_job *job = CW_CONTAINER_OF(op, struct snapshot_job, op);
    struct cw_err why = {0};
    if (rc < 0) {
        job_ended(job, rc, err);
        return;
    }
    rc = create_links(job, &why);
    if (rc < 0)
        job_ended(job, rc, &why);
    else
        cw_pool_submit(job->store->snapshots, create_finish, job);
}

static struct snapshot_job *job_new(struct cw_store *store, cw_store_snapshot_fn done, void *arg)
{
    struct snapshot_job *job = cw_mem_new(sizeof(*job));
    job->store = store;
    job->done = done;
    job->arg = arg;
    return job;
}

int cw_store_snapshot(struct cw_store *store, cw_store_snapshot_fn done, void *arg,
                      struct cw_err *err)
{
    struct snapshot_job *job = job_new(store, done, arg);
    job->op = (struct cw_store_op){.prepare = create_prepare, .finish = create_committed};
    int rc = cw_store_submit(store, &job->op, err);
    if (rc < 0)
        free(job);
    return rc;
}

/* ---- list, remove ---- */

static void list_run(void *arg)
{
    struct snapshot_job *job = arg;
    struct cw_err err = {0};
    struct cw_buf json;
    cw_buf_init(&json, ANSWER_BYTES_MAX);
    int rc = cw_snapshots_list(job->store->data_dir, &json, &err);
    job_done(job, rc, &json, &err);
}

void cw_store_snapshots_list(struct cw_store *store, cw_store_snapshot_fn done, void *arg)
{
    cw_pool_submit(store->snapshots, list_run, job_new(store, done, arg));
}

static void remove_run(void *arg)
{
    struct snapshot_job *job = arg;
    struct cw_err err = {0};
    int rc = cw_snapshots_remove(job->store->data_dir, job->name, &err);
    job_ended(job, rc, &err);
}

void cw_store_snapshots_remove(struct cw_store *store, struct cw_str name,
                               cw_store_snapshot_fn done, void *arg)
{
    struct snapshot_job *job = job_new(store, done, arg);
    job->name = cw_str_make(cw_str_dupz(name), name.len);
    cw_pool_submit(store->snapshots, remove_run, job);
}
