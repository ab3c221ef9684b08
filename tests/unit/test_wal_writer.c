/* test_wal_writer.c - segments written, rotated, cut after a failed write, removed; and what a replay makes of them. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/base/file.h"
#include "common/base/hash.h"
#include "common/store/wal_replay.h"
#include "common/store/wal_salvage.h"
#include "ingester/wal_writer.h"
#include "tests/support/io_trace.h"

static char dir[] = "/tmp/cw-test-wal-XXXXXX";

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(wal_writer, .init = setup, .fini = teardown);

static struct cw_err err;

static void begin_as(struct cw_wal_writer *writer, enum cw_wal_before before)
{
    cr_assert_eq(cw_wal_writer_begin(writer, CW_STR("\0\0\0\0\0\0\0\0"), before, 1, &err), 0, "%s",
                 err.text);
}

static void begin(struct cw_wal_writer *writer)
{
    begin_as(writer, CW_WAL_BEFORE_NEEDED);
}

/* A push of one entry, as JSON: what replay decodes. */
static int append(struct cw_wal_writer *writer, const char *line)
{
    struct cw_buf body;
    cw_buf_init(&body, 1 << 20);
    cw_buf_addf(&body, "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"%s\"]]}]}",
                line);
    struct cw_delivery_mark mark = {.offset = cw_wal_writer_last_seq(writer)};
    struct cw_wal_frame frame = {.kind = CW_WAL_DATA,
                                 .format = CW_WAL_BODY_LOKI_JSON,
                                 .tenant = CW_STR("t"),
                                 .body = cw_buf_str(&body),
                                 .body_raw = (uint32_t)body.len,
                                 .has_delivery = true,
                                 .marks = &mark,
                                 .nmarks = 1};
    int rc = cw_wal_writer_append(writer, &frame, &err);
    cw_buf_fini(&body);
    return rc;
}

static void put(struct cw_wal_writer *writer, const char *line)
{
    cr_assert_eq(append(writer, line), 0, "%s", err.text);
    cr_assert_eq(cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err), 0, "%s", err.text);
}

struct replayed {
    struct cw_buf lines;
    size_t nmarks, ncheckpoints, nbad, nmissing;
    struct cw_wal_missing missing; /* the last */
    struct cw_wal_replayed done;
};

static int on_data(void *ctx, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                   struct cw_err *e)
{
    struct replayed *out = ctx;
    (void)frame;
    (void)e;
    cw_buf_adds(&out->lines, batch->push->streams[0].entries[0].line);
    cw_buf_addc(&out->lines, ' ');
    return 0;
}

static void on_frame(void *ctx, const struct cw_wal_frame *frame)
{
    ((struct replayed *)ctx)->nmarks += frame->nmarks;
}

static void on_checkpoint(void *ctx, const struct cw_wal_checkpoint *checkpoint)
{
    (void)checkpoint;
    ((struct replayed *)ctx)->ncheckpoints++;
}

static void on_bad(void *ctx, const struct cw_wal_bad *bad)
{
    cr_assert_gt(bad->bytes.len, 0);
    ((struct replayed *)ctx)->nbad++;
}

static void on_bad_segment(void *ctx, uint64_t segment, const char *path, const char *why)
{
    (void)segment;
    (void)path;
    (void)why;
    ((struct replayed *)ctx)->nbad++;
}

static void on_missing(void *ctx, const struct cw_wal_missing *missing)
{
    struct replayed *out = ctx;
    cr_assert_leq(missing->first_seq, missing->last_seq);
    out->missing = *missing;
    out->nmissing++;
}

static struct replayed replay(uint64_t flushed_seq)
{
    struct replayed out = {0};
    struct cw_wal_replay_ops ops = {.ctx = &out,
                                    .data = on_data,
                                    .frame = on_frame,
                                    .checkpoint = on_checkpoint,
                                    .bad = on_bad,
                                    .bad_segment = on_bad_segment,
                                    .missing = on_missing};
    cw_buf_init(&out.lines, 1 << 20);
    cr_assert_eq(cw_wal_replay(dir, flushed_seq, &ops, &out.done, &err), 0, "%s", err.text);
    cw_buf_z(&out.lines);
    return out;
}

static void expect(uint64_t flushed_seq, const char *lines)
{
    struct replayed out = replay(flushed_seq);
    cr_assert_str_eq(out.lines.ptr, lines);
    cw_buf_fini(&out.lines);
}

Test(wal_writer, an_empty_folder_replays_to_nothing)
{
    expect(0, "");
    cr_assert_eq(cw_wal_oldest_seq(dir), UINT64_MAX);
}

Test(wal_writer, what_was_written_over_several_segments_is_replayed_in_order)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "one");
    begin(writer);
    put(writer, "two");
    put(writer, "three");
    cr_assert_eq(cw_wal_writer_last_seq(writer), 5);
    cw_wal_writer_close(&writer);
    struct replayed out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "one two three ");
    cr_assert_eq(out.ncheckpoints, 2);
    cr_assert_eq(out.nmarks, 3);
    cr_assert_eq(out.done.last_seq, 5);
    cr_assert_eq(out.done.next_segment, 3);
    cw_buf_fini(&out.lines);
    cr_assert_eq(cw_wal_oldest_seq(dir), 1);
}

Test(wal_writer, frames_that_are_in_parts_tell_their_marks_alone)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "one");
    put(writer, "two");
    cw_wal_writer_close(&writer);
    struct replayed out = replay(2);
    cr_assert_str_eq(out.lines.ptr, "two ");
    cr_assert_eq(out.nmarks, 2);
    cw_buf_fini(&out.lines);
}

Test(wal_writer, a_segment_is_full_at_its_size)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 4096);
    cr_assert_not(cw_wal_writer_ready(writer));
    begin(writer);
    int n = 0;
    for (; cw_wal_writer_ready(writer); n++)
        put(writer, "some line");
    cr_assert(n > 10 && n < 60, "%d", n);
    begin(writer);
    cr_assert(cw_wal_writer_ready(writer));
    cw_wal_writer_close(&writer);
}

/* The file may grow to `bytes`; writes past it fail with EFBIG after what fits was written. */
static void limit_file(rlim_t bytes)
{
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(wal_writer, a_failed_write_cuts_the_segment_and_nothing_of_it_comes_back)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "good");
    limit_file(600); /* half of a frame is written */
    cr_assert_eq(append(writer, "failed"), 0);
    cr_assert_eq(cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err), 0);
    int rc = 0;
    while (rc == 0) {
        rc = append(writer, "lost");
        if (rc == 0)
            rc = cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err);
    }
    cr_assert_not(cw_wal_writer_ready(writer));
    uint64_t last = cw_wal_writer_last_seq(writer);
    limit_file(RLIM_INFINITY);
    begin(writer);
    put(writer, "after");
    cr_assert_eq(cw_wal_writer_last_seq(writer), last + 2);
    cw_wal_writer_close(&writer);
    struct replayed out = replay(0);
    cr_assert_not_null(strstr(out.lines.ptr, "good failed "));
    cr_assert_not_null(strstr(out.lines.ptr, "after"));
    cr_assert_eq(out.nbad, 0, "the torn frame was cut off");
    cr_assert_eq(out.done.nvoid, 0);
    cw_buf_fini(&out.lines);
}

static size_t nsegments_in_dir(void)
{
    struct cw_wal_list list;
    cr_assert_eq(cw_wal_list(dir, &list, &err), 0, "%s", err.text);
    size_t n = list.n;
    cw_wal_list_fini(&list);
    return n;
}

Test(wal_writer, writes_that_find_no_room_leave_the_segment_as_it_was_and_it_goes_on)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "good");
    for (size_t room = 0; room < 300;
         room += 20) { /* torn at every place, and frames before it whole */
        io_trace_room(".wal", room);
        cr_assert_eq(append(writer, "refused"), 0);
        cr_assert_eq(append(writer, "too"), 0);
        cr_assert_eq(cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err), CW_E_UNAVAILABLE);
        cr_assert(cw_wal_writer_ready(writer));
        cr_assert_eq(cw_wal_writer_last_seq(writer), 2);
        expect(0, "good ");
    }
    io_trace_room(NULL, 0);
    cr_assert_eq(nsegments_in_dir(), 1);
    io_trace_clear();
    put(writer, "after");
    cr_assert(io_trace_synced("0000000000000001.wal", NULL));
    begin(writer);
    put(writer, "last");
    cw_wal_writer_close(&writer);
    struct replayed out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "good after last ");
    cr_assert_eq(out.nbad, 0);
    cr_assert_eq(out.done.nvoid, 0);
    cr_assert_eq(out.done.next_segment, 3);
    cw_buf_fini(&out.lines);
}

Test(wal_writer, a_large_body_that_finds_no_room_leaves_the_segment_too)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    char *big = malloc(100001);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    begin(writer);
    put(writer, "good");
    io_trace_room(".wal", 50000);
    cr_assert_eq(append(writer, big), CW_E_UNAVAILABLE);
    io_trace_room(NULL, 0);
    cr_assert(cw_wal_writer_ready(writer));
    put(writer, "after");
    cw_wal_writer_close(&writer);
    cr_assert_eq(nsegments_in_dir(), 1);
    expect(0, "good after ");
    free(big);
}

Test(wal_writer, a_segment_that_went_on_is_durable_before_the_next_begins)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "good");
    io_trace_room(".wal", 100);
    cr_assert_eq(append(writer, "refused"), 0);
    cr_assert_lt(cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err), 0);
    io_trace_room(NULL, 0);
    io_trace_clear();
    begin(writer);
    cr_assert(io_trace_synced("0000000000000001.wal", NULL));
    cw_wal_writer_close(&writer);
    expect(0, "good ");
}

Test(wal_writer, frames_that_wait_for_their_fsync_get_it_when_a_later_write_fails)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    cr_assert_eq(append(writer, "answered"), 0);
    cr_assert_eq(cw_wal_writer_sync(writer, CW_WAL_SYNC_WRITTEN, &err), 0);
    io_trace_clear();
    limit_file(500); /* not for want of room: the segment ends */
    int rc = 0;
    for (int i = 0; rc == 0 && i < 10; i++) {
        rc = append(writer, "refused");
        if (rc == 0)
            rc = cw_wal_writer_sync(writer, CW_WAL_SYNC_WRITTEN, &err);
    }
    cr_assert_eq(rc, CW_E_IO);
    cr_assert_not(cw_wal_writer_ready(writer));
    cr_assert(io_trace_synced("0000000000000001.wal", NULL));
    limit_file(RLIM_INFINITY);
    cw_wal_writer_close(&writer);
}

Test(wal_writer, frames_past_the_next_segment_s_checkpoint_are_void)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "good");
    /* The write went through, the fsync did not, and neither did the cut: the next segment begins after "good". */
    cr_assert_eq(append(writer, "ghost"), 0);
    cr_assert_eq(cw_wal_writer_sync(writer, CW_WAL_SYNC_WRITTEN, &err), 0);
    cw_wal_writer_close(&writer);
    writer = cw_wal_writer_new(dir, 1 << 20);
    cw_wal_writer_continue(writer, 2, 2);
    begin(writer);
    put(writer, "after");
    cw_wal_writer_close(&writer);
    struct replayed out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "good after ");
    cr_assert_eq(out.done.nvoid, 1);
    cr_assert_eq(out.nmarks, 2, "the ghost's mark is void too");
    cw_buf_fini(&out.lines);
}

Test(wal_writer, a_segment_that_cannot_be_begun_leaves_no_file_and_is_tried_again)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    limit_file(70);
    for (int i = 0; i < 3; i++)
        cr_assert_lt(
            cw_wal_writer_begin(writer, CW_STR("\0\0\0\0\0\0\0\0"), CW_WAL_BEFORE_NEEDED, 1, &err),
            0);
    cr_assert_eq(nsegments_in_dir(), 0);
    limit_file(RLIM_INFINITY);
    begin(writer);
    put(writer, "one");
    cw_wal_writer_close(&writer);
    struct replayed out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "one ");
    cr_assert_eq(out.done.next_segment, 2, "no number was used up");
    cw_buf_fini(&out.lines);
}

Test(wal_writer, a_torn_end_of_the_last_segment_is_told_once_and_loses_nothing_before_it)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "one");
    put(writer, "two");
    cw_wal_writer_close(&writer);
    struct cw_buf path;
    struct stat st;
    cw_buf_init(&path, 1000);
    cw_wal_path(dir, 1, &path);
    cr_assert_eq(stat(cw_buf_z(&path), &st), 0);
    cr_assert_eq(truncate(path.ptr, st.st_size - 20), 0);
    struct replayed out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "one ");
    cr_assert_eq(out.nbad, 1);
    cr_assert_eq(out.done.last_seq, 2);
    cw_buf_fini(&out.lines);
    cr_assert_eq(truncate(path.ptr, 30), 0); /* not even the header */
    out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "");
    cr_assert_eq(out.nbad, 1);
    cr_assert_eq(out.done.next_segment, 2, "its number is not used again");
    cw_buf_fini(&out.lines);
    cw_buf_fini(&path);
}

static void overwrite(unsigned segment, off_t off, struct cw_str bytes)
{
    struct cw_buf path;
    cw_buf_init(&path, 1000);
    cw_wal_path(dir, segment, &path);
    int fd = open(cw_buf_z(&path), O_WRONLY);
    cr_assert_eq(pwrite(fd, bytes.ptr, bytes.len, off), (ssize_t)bytes.len);
    close(fd);
    cw_buf_fini(&path);
}

Test(wal_writer, a_segment_whose_header_is_damaged_loses_nothing)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    begin(writer);
    put(writer, "one");
    begin(writer);
    put(writer, "two");
    cw_wal_writer_close(&writer);
    overwrite(1, 20, CW_STR("?"));
    overwrite(2, 60, CW_STR("?"));
    struct replayed out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "one two ");
    cr_assert_eq(out.nbad, 2);
    cw_buf_fini(&out.lines);
    overwrite(2, 72, CW_STR("?")); /* its checkpoint too */
    out = replay(0);
    cr_assert_str_eq(out.lines.ptr, "one two ");
    cw_buf_fini(&out.lines);
}

Test(wal_writer, a_segment_of_another_version_ends_the_replay_untouched)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    struct cw_wal_replayed done;
    struct cw_wal_replay_ops ops = {.data = on_data};
    char header[CW_WAL_SEGMENT_HEADER_BYTES] = CW_WAL_SEGMENT_MAGIC;
    begin(writer);
    put(writer, "one");
    cw_wal_writer_close(&writer);
    header[8] = CW_WAL_VERSION + 1;
    header[16] = 1;
    uint64_t hash = cw_hash64(header, 56);
    memcpy(header + 56, &hash, sizeof(hash));
    overwrite(1, 0, cw_str_make(header, sizeof(header)));
    cr_assert_eq(cw_wal_replay(dir, 0, &ops, &done, &err), CW_E_NOT_IMPLEMENTED);
    char version[32];
    snprintf(version, sizeof(version), "version %u", CW_WAL_VERSION + 1);
    cr_assert(strstr(err.text, version) && strstr(err.text, dir), "%s", err.text);
}

Test(wal_writer, segments_go_when_their_frames_are_in_parts_and_a_later_checkpoint_is_durable)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    uint64_t bytes, nsegments;
    begin(writer);
    put(writer, "one");
    begin(writer);
    put(writer, "two");
    begin(writer);
    put(writer, "three");
    cr_assert_eq(cw_wal_writer_remove_before(writer, 3, &err), 0);
    cw_wal_writer_count(writer, &bytes, &nsegments);
    cr_assert_eq(nsegments, 2);
    expect(3, "two three ");
    cr_assert_eq(cw_wal_writer_remove_before(writer, UINT64_MAX, &err), 0);
    cw_wal_writer_count(writer, &bytes, &nsegments);
    cr_assert_eq(nsegments, 1, "the open one stays");
    expect(4, "three ");
    cw_wal_writer_close(&writer);
}

static void remove_all(void *writer)
{
    cr_assert_eq(cw_wal_writer_remove_before(writer, UINT64_MAX, &err), 0);
}

Test(wal_writer, a_segment_that_ends_stays_until_the_next_is_durable)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    char path[100];
    begin(writer);
    put(writer, "one");
    /* The flusher comes at the worst time. */
    io_trace_on_close("0000000000000001.wal", remove_all, writer);
    begin(writer);
    io_trace_on_close(NULL, NULL, NULL);
    snprintf(path, sizeof(path), "%s/0000000000000001.wal", dir);
    cr_assert_eq(access(path, F_OK), 0, "it held the only marks that were durable");
    remove_all(writer);
    cr_assert_neq(access(path, F_OK), 0);
    cw_wal_writer_close(&writer);
}

Test(wal_writer, large_and_small_bodies_in_one_group_keep_their_order)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 64 << 20);
    char *big = malloc(100001);
    memset(big, 'x', 100000);
    big[100000] = '\0';
    begin(writer);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(append(writer, "small"), 0);
        cr_assert_eq(append(writer, big), 0);
    }
    cr_assert_eq(cw_wal_writer_sync(writer, CW_WAL_SYNC_DURABLE, &err), 0);
    cw_wal_writer_close(&writer);
    struct replayed out = replay(0);
    cr_assert_eq(out.done.nentries, 10);
    cr_assert_eq(out.lines.len, 5 * (6 + 100001));
    cr_assert_eq(out.nbad, 0);
    cw_buf_fini(&out.lines);
    free(big);
}

/* ---- frames that are missing ---- */

static void remove_segment(unsigned segment)
{
    struct cw_buf path;
    cw_buf_init(&path, 1000);
    cw_wal_path(dir, segment, &path);
    cr_assert_eq(unlink(cw_buf_z(&path)), 0);
    cw_buf_fini(&path);
}

/* first 0: nothing is. */
static void expect_missing(uint64_t flushed_seq, uint64_t first, uint64_t last, uint64_t segment)
{
    struct replayed out = replay(flushed_seq);
    cr_assert_eq(out.nmissing, first > 0 ? 1u : 0u);
    cr_assert_eq(out.missing.first_seq, first);
    cr_assert_eq(out.missing.last_seq, last);
    cr_assert_eq(out.missing.segment, segment);
    cr_assert(!out.missing.is_told);
    cw_buf_fini(&out.lines);
}

/* Segments 1 to 4, each a checkpoint and two pushes: frames 1 to 12. */
static void write_four(enum cw_wal_before third)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    for (int i = 1; i <= 4; i++) {
        begin_as(writer, i == 3 ? third : CW_WAL_BEFORE_NEEDED);
        put(writer, "a");
        put(writer, "b");
    }
    cw_wal_writer_close(&writer);
}

Test(wal_writer, a_segment_that_is_missing_between_others_is_told_unless_parts_have_its_frames)
{
    write_four(CW_WAL_BEFORE_NEEDED);
    expect_missing(0, 0, 0, 0);
    remove_segment(3);
    expect_missing(0, 7, 9, 4);
    expect_missing(8, 9, 9, 4);
    expect_missing(9, 0, 0, 0);
}

Test(wal_writer, the_oldest_segment_that_is_missing_is_told_unless_parts_have_its_frames)
{
    write_four(CW_WAL_BEFORE_NEEDED);
    remove_segment(1);
    expect_missing(0, 1, 3, 2);
    expect_missing(3, 0, 0, 0);
}

Test(wal_writer, nothing_is_missing_before_a_segment_that_needs_nothing_before_it)
{
    write_four(CW_WAL_BEFORE_SETTLED);
    remove_segment(1);
    expect_missing(0, 0, 0, 0);
    remove_segment(2);
    expect_missing(0, 0, 0, 0);
}

Test(wal_writer, the_oldest_segment_of_an_older_version_does_not_say_what_it_needs)
{
    struct cw_wal_writer *writer = cw_wal_writer_new(dir, 1 << 20);
    for (int i = 1; i <= 3; i++) {
        begin_as(writer, CW_WAL_BEFORE_UNKNOWN);
        put(writer, "a");
    }
    cw_wal_writer_close(&writer);
    remove_segment(1);
    expect_missing(0, 0, 0, 0);
    remove_segment(2);
    expect_missing(0, 0, 0, 0);
}

Test(wal_writer, a_log_that_ends_before_what_is_flushed_lacks_its_newest_segments)
{
    write_four(CW_WAL_BEFORE_NEEDED);
    expect_missing(12, 0, 0, 0);
    remove_segment(4);
    expect_missing(9, 0, 0, 0);
    expect_missing(12, 10, 12, 0);
    for (unsigned i = 1; i <= 3; i++)
        remove_segment(i);
    expect_missing(12, 1, 12, 0);
    expect_missing(0, 0, 0, 0);
}

Test(wal_writer, frames_that_bad_bytes_took_are_told_as_told)
{
    struct stat st;
    struct cw_buf path;
    write_four(CW_WAL_BEFORE_NEEDED);
    cw_buf_init(&path, 1000);
    cw_wal_path(dir, 2, &path);
    cr_assert_eq(stat(cw_buf_z(&path), &st), 0);
    cr_assert_eq(truncate(path.ptr, st.st_size - 20), 0);
    cw_buf_fini(&path);
    struct replayed out = replay(0);
    cr_assert_eq(out.nbad, 1);
    cr_assert_eq(out.nmissing, 1);
    cr_assert(out.missing.is_told);
    cr_assert_eq(out.missing.first_seq, 6);
    cr_assert_eq(out.missing.last_seq, 6);
    cr_assert_eq(out.missing.segment, 3);
    cw_buf_fini(&out.lines);
}

Test(wal_writer, frames_that_are_given_up_are_not_told_again)
{
    struct cw_buf path;
    write_four(CW_WAL_BEFORE_NEEDED);
    remove_segment(3);
    cw_buf_init(&path, 1000);
    cw_wal_path(dir, 4, &path);
    cr_assert_eq(cw_wal_give_up_before(cw_buf_z(&path), 4, &err), 0, "%s", err.text);
    cw_buf_fini(&path);
    expect_missing(0, 0, 0, 0);
    expect(0, "a b a b a b ");
    remove_segment(1); /* another loss is */
    expect_missing(0, 1, 3, 2);
}
