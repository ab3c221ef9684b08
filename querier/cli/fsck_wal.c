/*
 * fsck_wal.c - the log, read as a start reads it; every body is decoded, those of pushes too that are in parts already.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
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
    enum { BAD_RANGE, BAD_SEGMENT, BAD_MISSING } what;
    uint64_t after_seq, next_seq; /* frames between; next 0: nothing follows */
    struct cw_str why, path;      /* path: of a whole segment */
};

struct wal_check {
    struct cw_fsck *fsck;
    struct cw_arena *arena;
    char *dir;
    struct bad_bytes *bad;
    size_t nbad, cap;
    uint64_t *given_up; /* segments with frames missing before them, told above or not */
    size_t ngiven_up, given_up_cap;
    bool log_end_missing;
    struct cw_wal_replayed done;
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
    bad->what = BAD_SEGMENT;
    bad->path = cw_arena_dup(check->arena, cw_str_of(path));
}

static void on_missing(void *ctx, const struct cw_wal_missing *missing)
{
    struct wal_check *check = ctx;
    if (missing->segment == 0) {
        check->log_end_missing = true;
    } else {
        check->given_up =
            cw_arena_grow(check->arena, check->given_up, check->ngiven_up, &check->given_up_cap,
                          check->ngiven_up + 1, sizeof(*check->given_up));
        check->given_up[check->ngiven_up++] = missing->segment;
    }
    if (missing->is_told)
        return;
    struct bad_bytes *bad = bad_add(check, missing->segment, "");
    bad->what = BAD_MISSING;
    bad->after_seq = missing->first_seq - 1;
    bad->next_seq = missing->last_seq + 1;
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
                                    .all = true,
                                    .data = on_data,
                                    .frame = on_frame,
                                    .checkpoint = on_checkpoint,
                                    .bad = on_bad,
                                    .bad_segment = on_bad_segment,
                                    .missing = on_missing,
                                    .segment_end = on_segment_end};
    struct cw_catalog now = {0};
    struct cw_err ignored = {0};
    uint64_t flushed = check->fsck->catalog.wal_flushed;
    check->nbad = check->ngiven_up = 0;
    check->log_end_missing = false;
    check->last_seq = check->nsegments = check->npushes = 0;
    /* A server may have flushed since the catalog was read. */
    if (!check->fsck->catalog_lost && cw_catalog_read(check->fsck->dir, &now, &ignored) == 0) {
        flushed = now.wal_flushed;
        cw_catalog_fini(&now);
    }
    if (!cw_file_exists(check->dir)) {
        if (flushed > 0)
            on_missing(check, &(struct cw_wal_missing){.first_seq = 1, .last_seq = flushed});
        check->done = (struct cw_wal_replayed){.next_segment = 1};
        return 0;
    }
    return cw_wal_replay(check->dir, flushed, &ops, &check->done, err);
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

static bool is_header(const struct bad_bytes *bad)
{
    return bad->what == BAD_RANGE && bad->range.off == 0;
}

/* Damages one behind the other lost the same frames: the first of them says how many. */
static bool is_same_loss(const struct bad_bytes *a, const struct bad_bytes *b)
{
    return !is_header(a) && a->after_seq == b->after_seq && a->next_seq == b->next_seq;
}

/* Frames are numbered without gaps: what is missing between two was in the bad bytes. Each segment begins with one that is no push. */
static const char *cost_text(struct wal_check *check, size_t i)
{
    const struct bad_bytes *bad = &check->bad[i];
    struct cw_fsck *fsck = check->fsck;
    uint64_t flushed = fsck->catalog.wal_flushed, nfirst = 0;
    if (is_header(bad))
        return "it costs nothing: its frames say the same";
    if (bad->next_seq > 0 && bad->next_seq <= flushed + 1)
        return "it costs nothing: what was there is in parts";
    if (i > 0 && is_same_loss(&check->bad[i - 1], bad))
        return "what it costs is counted above";
    if (bad->next_seq == 0) {
        fsck->lost_pushes++;
        fsck->lost_pushes_least = true;
        return "it costs at least one push (a crash leaves such an end of pushes that were never "
               "answered)";
    }
    bool exact = true;
    for (size_t j = i; j < check->nbad && is_same_loss(bad, &check->bad[j]); j++) {
        nfirst += check->bad[j].what != BAD_RANGE;
        exact = exact && check->bad[j].what == BAD_RANGE;
    }
    uint64_t n = bad->next_seq - CW_MAX(bad->after_seq, flushed) - 1;
    n = exact ? CW_MAX(n, (uint64_t)1) : n - CW_MIN(n, nfirst);
    fsck->lost_pushes += n;
    fsck->lost_pushes_most = fsck->lost_pushes_most || (!exact && n > 0);
    return n == 0 ? "it costs no push"
                  : cw_arena_printf(check->arena, "it costs %s%" PRIu64 " push%s",
                                    exact ? "" : "up to ", n, n == 1 ? "" : "es")
                        .ptr;
}

static void missing_tell(struct wal_check *check, size_t i)
{
    const struct bad_bytes *bad = &check->bad[i];
    struct cw_fsck *fsck = check->fsck;
    if (bad->segment == 0) {
        fsck->lost_pushes_least = true;
        cw_fsck_problem(fsck, check->dir,
                        "the newest segments are missing: the log ends before frame %" PRIu64
                        ", and frames up to %" PRIu64
                        " were written, which are in parts; nobody knows what came behind them",
                        bad->after_seq + 1, bad->next_seq - 1);
        return;
    }
    cw_fsck_problem(fsck, segment_path(check, bad->segment),
                    "frames %" PRIu64 " to %" PRIu64
                    ", which come before it, are in no segment%s; %s",
                    bad->after_seq + 1, bad->next_seq - 1,
                    fsck->catalog_lost ? " and in no part that is left (retention or a delete may "
                                         "have removed what they held)"
                                       : "",
                    cost_text(check, i));
}

static void bad_tell(struct wal_check *check, size_t i)
{
    const struct bad_bytes *bad = &check->bad[i];
    if (bad->what == BAD_MISSING) {
        missing_tell(check, i);
        return;
    }
    const char *path = segment_path(check, bad->segment), *cost = cost_text(check, i);
    if (bad->what == BAD_SEGMENT)
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
    *n_out = 1;
    if (first->what == BAD_MISSING)
        return 0; /* log_give_up() */
    struct cw_wal_range *ranges =
        CW_ARENA_ARRAY(check->arena, struct cw_wal_range, check->nbad - i);
    while (i + n < check->nbad && check->bad[i + n].segment == first->segment &&
           check->bad[i + n].what == first->what) {
        ranges[n] = check->bad[i + n].range;
        n++;
    }
    *n_out = n;
    bool whole_segment = first->what == BAD_SEGMENT;
    int rc = whole_segment ? cw_quarantine_wal_segment(check->fsck->quarantine, first->segment,
                                                       first->path.ptr, err)
                           : cw_wal_salvage(path, first->segment, ranges, n, err);
    if (rc == 0)
        cw_fsck_note(check->fsck, path,
                     whole_segment ? "repaired: moved to quarantine/"
                                   : "repaired: written anew; bad bytes are in quarantine/");
    return rc;
}

/* What is missing stays so, and is not told again: the segment behind it says it. At the log's end that is a new one, as a crash
 * leaves it that comes when only its header is written. */
static int log_give_up(struct wal_check *check, struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < check->ngiven_up && rc == 0; i++)
        rc =
            cw_wal_give_up_before(segment_path(check, check->given_up[i]), check->given_up[i], err);
    if (rc < 0 || !check->log_end_missing)
        return rc;
    struct cw_wal_header header = {
        .segment = check->done.next_segment,
        .first_seq = CW_MAX(check->done.last_seq, check->fsck->catalog.wal_flushed) + 1,
        .created_ns = cw_clock_now_ns(),
        .before = CW_WAL_BEFORE_GIVEN_UP};
    struct cw_buf bytes;
    cw_buf_init(&bytes, CW_WAL_SEGMENT_HEADER_BYTES);
    cw_wal_header_encode(&header, &bytes);
    rc = cw_file_mkdirs(check->dir, err);
    if (rc == 0)
        rc = cw_file_replace(segment_path(check, header.segment), cw_buf_str(&bytes), err);
    cw_buf_fini(&bytes);
    if (rc == 0)
        cw_fsck_note(check->fsck, segment_path(check, header.segment),
                     "repaired: the log goes on with frame %" PRIu64, header.first_seq);
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
        bad_tell(check, i);
    for (size_t i = 0, n; i < check->nbad && rc == 0 && check->fsck->quarantine != NULL; i += n)
        rc = segment_repair(check, i, &n, err);
    return rc < 0 || check->fsck->quarantine == NULL ? rc : log_give_up(check, err);
}

int cw_fsck_wal(struct cw_fsck *fsck, struct cw_err *err)
{
    struct cw_buf dir;
    cw_buf_init(&dir, SIZE_MAX);
    cw_buf_addf(&dir, "%s/wal", fsck->dir);
    struct wal_check check = {
        .fsck = fsck, .arena = cw_arena_new(), .dir = cw_buf_take(&dir, NULL)};
    int rc = log_check(&check, err);
    cw_arena_free(&check.arena);
    free(check.dir);
    return rc;
}
