/* store_delete.c - deletes in WAL order, and their time in the background. */
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/store/part_source.h"
#include "common/store/wal_replay.h"
#include "ingester/retention_report.h"
#include "ingester/store_priv.h"

struct delete_op {
    struct cw_store_op op;
    struct cw_store *store;
    struct cw_delete_row row; /* create: texts are owned */
    struct cw_str id;         /* cancel: owned */
    enum cw_deletes_cancel how;
    cw_store_done_fn done;
    void *arg;
};

static int nothing_prepare(struct cw_store_op *op, struct cw_store *store, struct cw_err *err)
{
    (void)op;
    (void)store;
    (void)err;
    return 0;
}

static void op_end(struct delete_op *op, int rc, const struct cw_err *err)
{
    op->done(op->arg, rc, err);
    free((char *)op->row.tenant.ptr);
    free((char *)op->row.query.ptr);
    free((char *)op->id.ptr);
    free(op);
}

/* Everything before is committed, and nothing is appended behind. The log must be as durable as the delete: with its end a power
 * cut would take sequence numbers, and the delete would hide what comes under them again. The head is closed here if it has
 * entries that the delete may be of; what is in it else need not be told apart. */
static void delete_finish(struct cw_store_op *base, int rc, const struct cw_err *failed)
{
    struct delete_op *op = CW_CONTAINER_OF(base, struct delete_op, op);
    struct cw_store *store = op->store;
    struct cw_err err = *failed;
    if (rc == 0)
        rc = store_make_durable(store, &err);
    if (rc == 0 &&
        cw_head_current_touches(store->head, op->row.tenant, op->row.first_ns, op->row.last_ns))
        store_freeze_now(store);
    op->row.wal_seq = cw_wal_writer_last_seq(store->writer);
    if (rc == 0)
        rc = cw_deletes_add(store->deletes, &op->row, &err);
    if (rc == 0)
        cw_head_forget_duplicates(store->head, op->row.tenant);
    op_end(op, rc, &err);
}

static void cancel_finish(struct cw_store_op *base, int rc, const struct cw_err *failed)
{
    struct delete_op *op = CW_CONTAINER_OF(base, struct delete_op, op);
    struct cw_err err = *failed;
    if (rc == 0)
        rc = cw_deletes_cancel(op->store->deletes, op->row.tenant, op->id, op->how, &err);
    op_end(op, rc, &err);
}

static int op_submit(struct delete_op *op, struct cw_err *err)
{
    int rc = cw_store_submit(op->store, &op->op, err);
    if (rc == 0)
        return 0;
    free((char *)op->row.tenant.ptr);
    free((char *)op->row.query.ptr);
    free((char *)op->id.ptr);
    free(op);
    return rc;
}

int cw_store_delete(struct cw_store *store, const struct cw_delete_row *row, cw_store_done_fn done,
                    void *arg, struct cw_err *err)
{
    struct delete_op *op = cw_mem_new(sizeof(*op));
    *op = (struct delete_op){.op = {.prepare = nothing_prepare,
                                    .finish = delete_finish,
                                    .ends_group = true,
                                    .appends_nothing = true},
                             .store = store,
                             .row = *row,
                             .done = done,
                             .arg = arg};
    op->row.tenant.ptr = cw_str_dupz(row->tenant);
    op->row.query.ptr = cw_str_dupz(row->query);
    return op_submit(op, err);
}

int cw_store_cancel_delete(struct cw_store *store, struct cw_str tenant, struct cw_str id,
                           enum cw_deletes_cancel how, cw_store_done_fn done, void *arg,
                           struct cw_err *err)
{
    struct delete_op *op = cw_mem_new(sizeof(*op));
    *op = (struct delete_op){
        .op = {.prepare = nothing_prepare, .finish = cancel_finish, .appends_nothing = true},
        .store = store,
        .how = how,
        .done = done,
        .arg = arg};
    op->row.tenant = (struct cw_str){cw_str_dupz(tenant), tenant.len};
    op->id = (struct cw_str){cw_str_dupz(id), id.len};
    return op_submit(op, err);
}

struct cw_deletes *cw_store_deletes(struct cw_store *store)
{
    return store->deletes;
}

/* ---- in the background ---- */

static bool may_remove(void *ctx, const struct cw_delete_row *row, uint64_t *purge_id_out)
{
    struct cw_store *store = ctx;
    const struct cw_retention_options *retention = &store->options.retention;
    struct cw_retention_policy *policy = retention->policy(retention->ctx, row->tenant);
    bool removes = policy->removes_deletes;
    cw_retention_policy_unref(&policy);
    /* The lock of the swap: a generation that is no more has its parts, with lower ids. */
    cw_parts_lock(store->parts);
    removes = removes &&
              !cw_head_waits(store->head, row->wal_seq, row->tenant, row->first_ns, row->last_ns);
    if (removes)
        *purge_id_out = cw_parts_draw_id(store->parts);
    cw_parts_unlock(store->parts);
    return removes;
}

static bool missing_is_of(void *arg, const struct cw_catalog_part *part)
{
    const struct cw_delete_row *row = arg;
    struct cw_delete_place place = {part->id, part->wal_last, part->min_ns, part->max_ns};
    return cw_str_eq(row->tenant, part->tenant) &&
           cw_delete_list_row_is_of(row, cw_delete_list_below_id(row), &place);
}

static int forget_missing(void *ctx, const struct cw_delete_row *row, struct cw_err *err)
{
    struct cw_store *store = ctx;
    return cw_parts_forget(store->parts, missing_is_of, (void *)row, err);
}

void store_deletes_advance(struct cw_store *store)
{
    struct cw_snapshot all = {0};
    struct cw_deletes_counts counts;
    struct cw_err err = {0};
    cw_deletes_count(store->deletes, &counts);
    if (counts.received + counts.processing + counts.processed == 0)
        return;
    if (!cw_store_ready(store, &err))
        return; /* replay fills the head with what was stored before deletes */
    cw_parts_all(store->parts, &all);
    const struct cw_part_footer **footers = cw_mem_array(all.n + 1, sizeof(*footers));
    for (size_t i = 0; i < all.n; i++)
        footers[i] = cw_part_reader_footer(cw_part_source_reader(all.sources[i]));
    struct cw_deletes_advance step = {.now_ns = cw_clock_now_ns(),
                                      .ctx = store,
                                      .may_remove = may_remove,
                                      .forget = forget_missing,
                                      .log_oldest_seq = cw_wal_oldest_seq(store->wal_dir),
                                      .parts = footers,
                                      .nparts = all.n};
    int rc = cw_deletes_advance(store->deletes, &step, &err);
    store_tell(&store->deletes_told, "deletes", rc, &err);
    uint64_t removing_seq = cw_deletes_removing_seq(store->deletes);
    if (removing_seq >= step.log_oldest_seq)
        atomic_store(&store->purge_seq, removing_seq);
    free(footers);
    cw_snapshot_fini(&all);
}

/* ---- what goes when ---- */

struct report_job {
    struct cw_store *store;
    struct cw_str tenant; /* owned */
    void (*done)(void *arg, struct cw_buf *body);
    void *arg;
};

static void report_run(void *arg)
{
    struct report_job *job = arg;
    struct cw_store *store = job->store;
    struct cw_buf body;
    uint64_t log_bytes, nsegments;
    cw_wal_writer_count(store->writer, &log_bytes, &nsegments);
    cw_retention_report(store->parts, store->deletes, store->shares, &store->options.retention,
                        job->tenant, log_bytes, cw_clock_now_ns(), &body);
    job->done(job->arg, &body);
    free((char *)job->tenant.ptr);
    free(job);
}

int cw_store_retention_report(struct cw_store *store, struct cw_str tenant,
                              void (*done)(void *arg, struct cw_buf *body), void *arg,
                              struct cw_err *err)
{
    if (atomic_load(&store->state) == STORE_STOPPING)
        return cw_err_set(err, CW_E_UNAVAILABLE, "the server is stopping");
    struct report_job *job = cw_mem_new(sizeof(*job));
    *job = (struct report_job){store, {cw_str_dupz(tenant), tenant.len}, done, arg};
    cw_pool_submit(store->reports, report_run, job);
    return 0;
}
