/*
 * fsck_wal.c - the log, read as a start reads it; every body is decoded, those of pushes too that are in parts already.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/wal_replay.h"
#include "common/store/wal_salvage.h"
#include "querier/cli/fsck.h"

enum {
    /* A server may append, or remove segments, while this reads: what is bad is looked at again. */
    TRIES = 3,
    TRY_AGAIN_US = 100000,
};

struct bad_bytes {
    uint64_t segment;
    struct cw_wal_range range;
    bool whole_segment;
    uint64_t after_seq, next_seq; /* pushes between; next 0: nothing follows */
    struct cw_str why, path;      /* path: of a whole segment */
};

struct wal_check {
    struct cw_fsck *fsck;
    struct cw_arena *arena;
    char *dir;
    struct bad_bytes *bad;
    size_t nbad, cap;
    uint64_t last_seq, nsegments, npushes;
};

static struct bad_bytes *bad_add(struct wal_check *check, uint64_t segment, const char *why)
{
    check->bad = cw_arena_grow(check->arena, check->bad, check->nbad, &check->cap, check->nbad + 1,
                               sizeof(*check->bad));
    struct bad_bytes *bad = &check->bad[check->nbad++];
    *bad = (struct bad_bytes){.segment = segment,
                              .after_seq = check->last_seq,
                              .why = cw_arena_dup(check->arena, cw_str_of(why))};
    return bad;
}

static int on_data(void *ctx, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                   struct cw_err *err)
{
    struct wal_check *check = ctx;
    (void)frame;
    (void)batch;
    (void)err;
    check->npushes++;
    return 0;
}

static void on_frame(void *ctx, const struct cw_wal_frame *frame)
{
    struct wal_check *check = ctx;
    for (size_t i = check->nbad; i-- > 0 && check->bad[i].next_seq == 0;)
        check->bad[i].next_seq = frame->seq;
    check->last_seq = frame->seq;
}

static void on_checkpoint(void *ctx, const struct cw_wal_checkpoint *checkpoint)
{
    (void)ctx;
    (void)checkpoint;
}

static void on_bad(void *ctx, const struct cw_wal_bad *bad)
{
    struct wal_check *check = ctx;
    bad_add(check, bad->segment, bad->why)->range = (struct cw_wal_range){bad->off, bad->bytes.len};
    if (check->fsck->quarantine != NULL)
        cw_quarantine_wal_bytes(check->fsck->quarantine, bad);
}

static void on_bad_segment(void *ctx, uint64_t segment, const char *path, const char *why)
{
    struct wal_check *check = ctx;
    struct bad_bytes *bad = bad_add(check, segment, why);
    bad->whole_segment = true;
    bad->path = cw_arena_dup(check->arena, cw_str_of(path));
}

static int on_segment_end(void *ctx, const struct cw_wal_segment_end *end, struct cw_err *err)
{
    struct wal_check *check = ctx;
    (void)end;
    (void)err;
    check->nsegments++;
    return 0;
}

static int log_read(struct wal_check *check, struct cw_err *err)
{
    struct cw_wal_replay_ops ops = {.ctx = check,
                                    .data = on_data,
                                    .frame = on_frame,
                                    .checkpoint = on_checkpoint,
                                    .bad = on_bad,
                                    .bad_segment = on_bad_segment,
                                    .segment_end = on_segment_end};
    struct cw_wal_replayed done;
    check->nbad = check->last_seq = check->nsegments = check->npushes = 0;
    return cw_wal_replay(check->dir, 0, &ops, &done, err);
}

/* Nobody else writes when the lock is ours. */
static int log_read_settled(struct wal_check *check, struct cw_err *err)
{
    int rc = CW_E_NOT_FOUND;
    for (int i = 0; i < TRIES; i++) {
        if (i > 0)
            usleep(TRY_AGAIN_US);
        rc = log_read(check, err);
        bool settled = rc == 0 && check->nbad == 0;
        if (settled || check->fsck->quarantine != NULL || (rc < 0 && rc != CW_E_NOT_FOUND))
            break;
    }
    return rc;
}

/* ---- telling ---- */

static const char *segment_path(const struct wal_check *check, uint64_t segment)
{
    struct cw_buf path;
    cw_buf_init(&path, SIZE_MAX);
    cw_wal_path(check->dir, segment, &path);
    struct cw_str text = cw_arena_dup(check->arena, cw_str_of(cw_buf_z(&path)));
    cw_buf_fini(&path);
    return text.ptr;
}

/* Frames are numbered without gaps: what is missing between two was in the bad bytes. */
static const char *cost_text(struct wal_check *check, const struct bad_bytes *bad)
{
    uint64_t flushed = check->fsck->catalog.wal_flushed;
    if (bad->range.off == 0 && !bad->whole_segment)
        return "it costs nothing: its frames say the same";
    if (bad->next_seq > 0 && bad->next_seq <= flushed + 1)
        return "it costs nothing: what was there is in parts";
    uint64_t from = CW_MAX(bad->after_seq, flushed);
    if (bad->next_seq == 0) {
        check->fsck->lost_pushes++;
        return "it costs one push or more (a crash leaves such an end of pushes that were never "
               "answered)";
    }
    uint64_t n = bad->next_seq - from - 1;
    n = CW_MAX(n, (uint64_t)1);
    check->fsck->lost_pushes += n;
    return cw_arena_printf(check->arena, "it costs %" PRIu64 " push%s", n, n == 1 ? "" : "es").ptr;
}

static void bad_tell(struct wal_check *check, const struct bad_bytes *bad)
{
    const char *path = segment_path(check, bad->segment), *cost = cost_text(check, bad);
    if (bad->whole_segment)
        cw_fsck_problem(check->fsck, path, "nothing in it is whole: %.*s; %s", CW_STR_ARG(bad->why),
                        cost);
    else
        cw_fsck_problem(check->fsck, path, "bytes %" PRIu64 " to %" PRIu64 ": %.*s; %s",
                        bad->range.off, bad->range.off + bad->range.len, CW_STR_ARG(bad->why),
                        cost);
}

/* ---- repairing ---- */

/* The bad bytes of one segment, from `i` on; *n_out of them. */
static int segment_repair(struct wal_check *check, size_t i, size_t *n_out, struct cw_err *err)
{
    const struct bad_bytes *first = &check->bad[i];
    const char *path = segment_path(check, first->segment);
    size_t n = 0;
    struct cw_wal_range *ranges =
        CW_ARENA_ARRAY(check->arena, struct cw_wal_range, check->nbad - i);
    while (i + n < check->nbad && check->bad[i + n].segment == first->segment) {
        ranges[n] = check->bad[i + n].range;
        n++;
    }
    *n_out = n;
    int rc = first->whole_segment ? cw_quarantine_wal_segment(check->fsck->quarantine,
                                                              first->segment, first->path.ptr, err)
                                  : cw_wal_salvage(path, first->segment, ranges, n, err);
    if (rc == 0)
        cw_fsck_note(check->fsck, path,
                     first->whole_segment ? "repaired: moved to quarantine/"
                                          : "repaired: written anew; bad bytes are in quarantine/");
    return rc;
}

static int log_check(struct wal_check *check, struct cw_err *err)
{
    int rc = log_read_settled(check, err);
    if (rc < 0)
        return rc;
    check->fsck->nsegments = check->nsegments;
    check->fsck->npushes = check->npushes;
    for (size_t i = 0; i < check->nbad; i++)
        bad_tell(check, &check->bad[i]);
    for (size_t i = 0, n; i < check->nbad && rc == 0 && check->fsck->quarantine != NULL; i += n)
        rc = segment_repair(check, i, &n, err);
    return rc;
}

int cw_fsck_wal(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_buf dir;
    cw_buf_init(&dir, SIZE_MAX);
    cw_buf_addf(&dir, "%s/wal", fsck->dir);
    struct wal_check check = {
        .fsck = fsck, .arena = cw_arena_new(), .dir = cw_buf_take(&dir, NULL)};
    int rc = cw_file_exists(check.dir) ? log_check(&check, err) : 0;
    cw_arena_free(&check.arena);
    free(check.dir);
    return rc;
}
