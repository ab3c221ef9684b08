/* test_wal_salvage.c - segments written anew without what replay found bad in them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "common/base/file.h"
#include "common/store/wal_replay.h"
#include "common/store/wal_salvage.h"

enum { SEGMENT = 1, NPUSHES = 8 };

static char dir[] = "/tmp/cw-test-salvage-XXXXXX", path[100];
static struct cw_err err;
static struct cw_buf file;
static size_t starts[NPUSHES + 2]; /* of the frames, and the end */

static void add_frame(struct cw_wal_frame *frame)
{
    static const char zeros[CW_WAL_ALIGN];
    size_t at = file.len;
    frame->segment = SEGMENT;
    cw_wal_frame_encode(frame, &file);
    cw_buf_adds(&file, frame->body);
    cw_buf_add(&file, zeros, cw_wal_frame_padding(file.len - at));
}

/* Push i of one entry; its mark is 10 * i. A bad body has right checksums. */
static void add_push(uint64_t i, bool bad_body)
{
    char body[200];
    int n = snprintf(body, sizeof(body),
                     "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"%d\",\"line %d\"]]}]}",
                     (int)i, (int)i);
    struct cw_delivery_mark mark = {.source = {{9}}, .generation = 0, .offset = 10 * i};
    struct cw_wal_frame frame = {.kind = CW_WAL_DATA,
                                 .format = CW_WAL_BODY_LOKI_JSON,
                                 .seq = i + 1,
                                 .tenant = CW_STR("t"),
                                 .has_delivery = true,
                                 .marks = &mark,
                                 .nmarks = 1,
                                 .body = cw_str_make(body, bad_body ? (size_t)n - 3 : (size_t)n),
                                 .body_raw = (uint32_t)(bad_body ? n - 3 : n)};
    starts[i] = file.len;
    add_frame(&frame);
}

static void fill(uint64_t bad_body)
{
    struct cw_wal_header header = {.segment = SEGMENT, .first_seq = 1, .created_ns = 1};
    struct cw_wal_frame checkpoint = {
        .kind = CW_WAL_CHECKPOINT, .seq = 1, .body = CW_STR("\0\0\0\0\0\0\0\0"), .body_raw = 8};
    cw_wal_header_encode(&header, &file);
    starts[0] = file.len;
    add_frame(&checkpoint);
    for (uint64_t i = 1; i <= NPUSHES; i++)
        add_push(i, i == bad_body);
    starts[NPUSHES + 1] = file.len;
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/%016d.wal", dir, SEGMENT);
    cw_buf_init(&file, 1 << 20);
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
    cw_buf_fini(&file);
}

TestSuite(wal_salvage, .init = setup, .fini = teardown);

/* What replay makes of the folder. */
struct seen {
    uint64_t pushes, marks; /* bit i: push i */
    struct cw_wal_range bad[NPUSHES + 2];
    size_t nbad;
    bool bad_segment;
};

static int on_data(void *ctx, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                   struct cw_err *e)
{
    struct seen *seen = ctx;
    (void)batch;
    (void)e;
    seen->pushes |= UINT64_C(1) << (frame->seq - 1);
    return 0;
}

static void on_frame(void *ctx, const struct cw_wal_frame *frame)
{
    struct seen *seen = ctx;
    if (frame->nmarks == 1)
        seen->marks |= UINT64_C(1) << (frame->marks[0].offset / 10);
}

static void on_checkpoint(void *ctx, const struct cw_wal_checkpoint *checkpoint)
{
    (void)ctx;
    (void)checkpoint;
}

static void on_bad(void *ctx, const struct cw_wal_bad *bad)
{
    struct seen *seen = ctx;
    seen->bad[seen->nbad++] = (struct cw_wal_range){bad->off, bad->bytes.len};
}

static void on_bad_segment(void *ctx, uint64_t segment, const char *where, const char *why)
{
    struct seen *seen = ctx;
    (void)segment;
    (void)where;
    (void)why;
    seen->bad_segment = true;
}

static struct seen replay(void)
{
    struct seen seen = {0};
    struct cw_wal_replayed done;
    struct cw_wal_replay_ops ops = {.ctx = &seen,
                                    .data = on_data,
                                    .frame = on_frame,
                                    .checkpoint = on_checkpoint,
                                    .bad = on_bad,
                                    .bad_segment = on_bad_segment};
    cr_assert_eq(cw_wal_replay(dir, 0, &ops, &done, &err), 0, "%s", err.text);
    return seen;
}

/* Write the file, salvage what replay says, and compare what it then says. */
static struct seen salvaged(void)
{
    cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
    struct seen before = replay();
    cr_assert_not(before.bad_segment);
    cr_assert_eq(cw_wal_salvage(path, SEGMENT, before.bad, before.nbad, &err), 0, "%s", err.text);
    struct seen after = replay();
    cr_assert_eq(after.nbad, 0);
    cr_assert_not(after.bad_segment);
    cr_assert_eq(after.pushes, before.pushes);
    cr_assert_eq(after.marks, before.marks);
    return after;
}

static const uint64_t all = ((UINT64_C(1) << NPUSHES) - 1) << 1;

Test(wal_salvage, any_flipped_byte_leaves_what_replay_found_whole, .timeout = 60)
{
    fill(0);
    for (size_t i = 0; i < file.len; i += 3) {
        file.ptr[i] ^= 0x21;
        struct seen seen = salvaged();
        uint64_t lost = all & ~seen.pushes;
        cr_assert((lost & (lost - 1)) == 0, "byte %zu costs more than one push", i);
        file.ptr[i] ^= 0x21;
    }
}

Test(wal_salvage, several_bad_places_and_a_torn_end)
{
    fill(0);
    file.ptr[10] ^= 1; /* the header */
    file.ptr[starts[3] + 70] ^= 1;
    file.ptr[starts[4] + 20] ^= 1;
    file.ptr[starts[6] + 1] ^= 1;
    file.len = starts[NPUSHES] + 50;
    struct seen seen = salvaged();
    cr_assert_eq(seen.pushes, all & ~(UINT64_C(1) << 3 | UINT64_C(1) << 4 | UINT64_C(1) << 6 |
                                      UINT64_C(1) << NPUSHES));
}

Test(wal_salvage, a_body_that_is_no_push_goes_and_its_marks_stay)
{
    fill(5);
    struct seen seen = salvaged();
    cr_assert_eq(seen.pushes, all & ~(UINT64_C(1) << 5));
    cr_assert_eq(seen.marks, all);
}

Test(wal_salvage, where_nothing_is_whole_the_file_stays_as_it_is)
{
    struct cw_buf after;
    fill(0);
    file.len = 70;
    file.ptr[3] ^= 1;
    cr_assert_eq(cw_file_replace(path, cw_buf_str(&file), &err), 0);
    cr_assert_eq(cw_wal_salvage(path, SEGMENT, NULL, 0, &err), CW_E_CORRUPT);
    cw_buf_init(&after, 1 << 20);
    cr_assert_geq(cw_file_read(path, 1 << 20, &after, &err), 0);
    cr_assert(cw_str_eq(cw_buf_str(&after), cw_buf_str(&file)));
    cw_buf_fini(&after);
}
