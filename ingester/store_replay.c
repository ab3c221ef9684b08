/* store_replay.c - at start: the log back into the head and the marks, with what is bad set aside. */
#include "ingester/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/store/wal_replay.h"

struct replay_ctx {
    struct cw_store *store;
    uint64_t last_seq; /* of the data that is in the head */
};

static int on_data(void *arg, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                   struct cw_err *err)
{
    struct replay_ctx *ctx = arg;
    struct cw_store *store = ctx->store;
    if (atomic_load(&store->state) == STORE_STOPPING)
        return cw_err_set(err, CW_E_CANCELED, "the server is stopping");
    /* A delete was made here: what came before it and what came after are apart. */
    if (cw_deletes_between(store->deletes, ctx->last_seq, frame->seq))
        store_freeze_now(store);
    ctx->last_seq = frame->seq;
    cw_head_append_listed(store->head, batch, frame->dropped, frame->ndropped);
    cw_head_commit(store->head, frame->seq);
    if (cw_head_current_bytes(store->head) < store->options.head_flush_bytes)
        return 0;
    /* The log may be larger than memory. Where the disk is full the flush fails, and the replay goes on in memory as long as there
     * is some; then it waits until there is room on the disk. */
    while (!store_wait_frozen(store, CW_STORE_FROZEN_MAX - 1)) {
        if (cw_head_bytes(store->head) <= store->options.memory_bytes)
            return 0;
        if (!store_wait_flush(store))
            return cw_err_set(err, CW_E_CANCELED, "the server is stopping");
    }
    store_freeze_now(store);
    return 0;
}

static void on_frame(void *arg, const struct cw_wal_frame *frame)
{
    struct replay_ctx *ctx = arg;
    cw_marks_replay(ctx->store->marks, frame);
}

static void on_checkpoint(void *arg, const struct cw_wal_checkpoint *checkpoint)
{
    struct replay_ctx *ctx = arg;
    cw_marks_replace(ctx->store->marks, checkpoint);
}

static void on_bad(void *arg, const struct cw_wal_bad *bad)
{
    struct replay_ctx *ctx = arg;
    atomic_fetch_add(&ctx->store->counters.wal_bad, 1);
    cw_log_warn("bad bytes in the log: segment %llu, offset %llu, %zu bytes: %s",
                (unsigned long long)bad->segment, (unsigned long long)bad->off, bad->bytes.len,
                bad->why);
    cw_quarantine_wal_bytes(ctx->store->quarantine, bad);
}

static void on_bad_segment(void *arg, uint64_t segment, const char *path, const char *why)
{
    struct replay_ctx *ctx = arg;
    struct cw_err err = {0};
    atomic_fetch_add(&ctx->store->counters.wal_bad, 1);
    cw_log_warn("segment %llu of the log is unreadable: %s", (unsigned long long)segment, why);
    if (cw_quarantine_wal_segment(ctx->store->quarantine, segment, path, &err) < 0)
        cw_log_warn("%s", err.text);
}

/* What bad bytes cost is not told twice. */
static void on_missing(void *arg, const struct cw_wal_missing *missing)
{
    struct replay_ctx *ctx = arg;
    unsigned long long first = missing->first_seq, last = missing->last_seq;
    if (missing->is_told)
        return;
    atomic_fetch_add(&ctx->store->counters.wal_missing, last - first + 1);
    if (missing->segment == 0)
        cw_log_error(
            "the log lacks its newest segments: it ends before frame %llu, and frames up to %llu were "
            "written and are in parts; what came behind them is lost",
            first, last);
    else if (cw_parts_catalog_was_lost(ctx->store->parts))
        cw_log_error(
            "frames %llu to %llu are neither in the log, whose segment %llu begins behind them, "
            "nor in a part that is left: but for what retention and deletes removed, their entries are lost",
            first, last, (unsigned long long)missing->segment);
    else
        cw_log_error(
            "frames %llu to %llu of the log are missing, segment %llu begins behind them: up "
            "to %llu pushes that were answered are lost",
            first, last, (unsigned long long)missing->segment, last - first + 1);
}

int store_each_segment(struct cw_store *store, store_segment_fn fn, struct cw_err *err)
{
    struct cw_wal_list list = {0};
    struct stat st;
    int rc = cw_wal_list(store->wal_dir, &list, err);
    for (size_t i = 0; i < list.n && rc == 0; i++) {
        struct cw_buf path;
        cw_buf_init(&path, 1 << 16);
        cw_wal_path(store->wal_dir, list.numbers[i], &path);
        if (stat(cw_buf_z(&path), &st) == 0 && !S_ISREG(st.st_mode)) {
            cw_buf_fini(&path);
            continue;
        }
        int fd = cw_file_open(cw_buf_z(&path), O_RDWR, err);
        rc = fd < 0 ? fd : fn(fd, cw_buf_z(&path), err);
        if (fd >= 0)
            close(fd);
        cw_buf_fini(&path);
    }
    cw_wal_list_fini(&list);
    return rc;
}

/* What is read must be durable before it is answered, or flushed: it may only be in the page cache of a process that was
 * killed, and a part with entries whose marks a power cut takes would let them come twice. */
static int segments_sync(struct cw_store *store, struct cw_err *err)
{
    int rc = store_each_segment(store, cw_file_sync, err);
    return rc < 0 ? rc : cw_file_sync_dir(store->wal_dir, err);
}

/* The torn end of the last segment goes, durably. */
static int on_segment_end(void *arg, const struct cw_wal_segment_end *end, struct cw_err *err)
{
    struct replay_ctx *ctx = arg;
    bool cut = end->is_last && end->good_end < end->bytes;
    int rc = 0;
    if (cut) {
        int fd = cw_file_open(end->path, O_RDWR, err);
        if (fd < 0)
            return fd;
        if (ftruncate(fd, (off_t)end->good_end) < 0)
            rc = cw_err_errno(err, CW_E_IO, errno, "cut %s", end->path);
        if (rc == 0)
            rc = cw_file_sync(fd, end->path, err);
        close(fd);
    }
    cw_wal_writer_add_old(ctx->store->writer, end->segment, end->last_seq,
                          cut ? end->good_end : end->bytes);
    return rc;
}

int store_replay(struct cw_store *store, struct cw_err *err)
{
    struct replay_ctx ctx = {.store = store};
    struct cw_wal_replay_ops ops = {.ctx = &ctx,
                                    .data = on_data,
                                    .frame = on_frame,
                                    .checkpoint = on_checkpoint,
                                    .bad = on_bad,
                                    .bad_segment = on_bad_segment,
                                    .missing = on_missing,
                                    .segment_end = on_segment_end};
    struct cw_wal_replayed done;
    uint64_t flushed_seq = cw_parts_wal_flushed(store->parts);
    int64_t start_ns = cw_clock_mono_ns();
    /* The writer only keeps the list of segments until the last number is known. */
    int rc = segments_sync(store, err);
    if (rc == 0)
        rc = cw_wal_replay(store->wal_dir, flushed_seq, &ops, &done, err);
    if (rc < 0)
        return rc;
    rc = cw_file_sync_dir(store->wal_dir, err);
    if (rc < 0)
        return rc;
    /* Also where the log's end was lost: what comes is not of the deletes that are there. */
    uint64_t last_seq =
        CW_MAX(done.last_seq, CW_MAX(flushed_seq, cw_deletes_last_seq(store->deletes)));
    if (cw_deletes_between(store->deletes, ctx.last_seq, last_seq + 1))
        store_freeze_now(store);
    cw_wal_writer_continue(store->writer, done.next_segment, last_seq);
    if (done.nframes <= 1) /* a checkpoint: as small as it gets */
        store->renewed_seq = cw_wal_writer_last_seq(store->writer);
    atomic_store(&store->counters.replayed, done.nentries);
    atomic_store(&store->counters.marks, cw_marks_count(store->marks));
    if (done.nframes > 0)
        cw_log_info("the log is replayed: %llu frames, %llu entries to the head, %llu void, %llu "
                    "bad, in %lld ms",
                    (unsigned long long)done.nframes, (unsigned long long)done.nentries,
                    (unsigned long long)done.nvoid, (unsigned long long)done.nbad,
                    (long long)((cw_clock_mono_ns() - start_ns) / CW_NS_PER_MS));
    return 0;
}
