/* test_wal_reader.c - segments read back whole, torn, flipped and hostile. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "common/store/wal_reader.h"

enum { SEGMENT = 7, NFRAMES = 6 };

/* A segment of a checkpoint and NFRAMES - 1 data frames with bodies of different lengths. */
struct log {
    struct cw_buf bytes;
    size_t ends[NFRAMES];
};

static void add_frame(struct log *log, size_t i, struct cw_wal_frame *frame)
{
    static const char zeros[CW_WAL_ALIGN];
    size_t at = log->bytes.len;
    frame->seq = 100 + i;
    frame->segment = SEGMENT;
    cw_wal_frame_encode(frame, &log->bytes);
    cw_buf_adds(&log->bytes, frame->body);
    cw_buf_add(&log->bytes, zeros, cw_wal_frame_padding(log->bytes.len - at));
    log->ends[i] = log->bytes.len;
}

static void log_init(struct log *log)
{
    static const uint32_t dropped[] = {1, 5, 9};
    static const struct cw_delivery_mark mark = {
        .source = {{1, 2, 3}}, .generation = 4, .offset = 5};
    static char body[300];
    struct cw_wal_header header = {.segment = SEGMENT, .first_seq = 100, .created_ns = 1};
    cw_buf_init(&log->bytes, 1 << 20);
    cw_wal_header_encode(&header, &log->bytes);
    struct cw_wal_frame checkpoint = {.kind = CW_WAL_CHECKPOINT, .last_seq = 99};
    add_frame(log, 0, &checkpoint);
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)(i * 7);
    for (size_t i = 1; i < NFRAMES; i++) {
        struct cw_wal_frame frame = {.kind = CW_WAL_DATA,
                                     .format = CW_WAL_BODY_LOKI_PROTOBUF,
                                     .codec = CW_CODEC_NONE,
                                     .received_ns = (int64_t)i,
                                     .tenant = CW_STR("tenant"),
                                     .dropped = dropped,
                                     .ndropped = i % 4,
                                     .has_delivery = i % 2,
                                     .marks = &mark,
                                     .nmarks = i % 2,
                                     .confirms = &mark,
                                     .nconfirms = i % 2,
                                     .body = cw_str_make(body, i * 50),
                                     .body_raw = (uint32_t)(i * 50)};
        add_frame(log, i, &frame);
    }
}

struct seen {
    uint64_t seqs[NFRAMES];
    size_t n, nbad;
    uint64_t bad_off, bad_len, cut;
    size_t tail;
};

static struct seen read_all(struct cw_str bytes)
{
    struct cw_wal_reader *reader;
    struct cw_wal_next next;
    struct cw_err err = {0};
    struct seen seen = {0};
    enum cw_wal_event event;
    cr_assert_eq(cw_wal_reader_open_bytes(bytes, &reader, &err), 0, "%s", err.text);
    while ((event = cw_wal_reader_next(reader, &next)) != CW_WAL_END) {
        if (event == CW_WAL_BAD) {
            seen.nbad++;
            seen.bad_off = next.off;
            seen.bad_len = next.len;
            cr_assert_neq(next.why[0], '\0');
            continue;
        }
        cr_assert_lt(seen.n, NFRAMES);
        seen.seqs[seen.n++] = next.frame.seq;
    }
    seen.tail = cw_wal_reader_tail(reader, &seen.cut).len;
    cw_wal_reader_close(&reader);
    return seen;
}

Test(wal_reader, frames_come_back_as_they_were_written)
{
    struct log log;
    log_init(&log);
    struct cw_wal_reader *reader;
    struct cw_wal_next next;
    struct cw_err err = {0};
    cr_assert_eq(cw_wal_reader_open_bytes(cw_buf_str(&log.bytes), &reader, &err), 0);
    cr_assert_eq(cw_wal_reader_header(reader)->first_seq, 100);
    cr_assert_eq(cw_wal_reader_next(reader, &next), CW_WAL_FRAME);
    cr_assert_eq(next.frame.kind, CW_WAL_CHECKPOINT);
    cr_assert_eq(next.frame.last_seq, 99);
    for (size_t i = 1; i < NFRAMES; i++) {
        cr_assert_eq(cw_wal_reader_next(reader, &next), CW_WAL_FRAME);
        cr_assert_eq(next.frame.seq, 100 + i);
        cr_assert_eq(next.frame.received_ns, (int64_t)i);
        cr_assert(cw_str_eqz(next.frame.tenant, "tenant"));
        cr_assert_eq(next.frame.ndropped, i % 4);
        if (i % 4 == 3)
            cr_assert_eq(next.frame.dropped[2], 9);
        cr_assert_eq(next.frame.has_delivery, i % 2);
        if (i % 2) {
            cr_assert_eq(next.frame.marks[0].offset, 5);
            cr_assert_eq(next.frame.confirms[0].generation, 4);
        }
        cr_assert_eq(next.frame.body.len, i * 50);
        cr_assert_eq(next.frame.body.ptr[1], 7);
    }
    cr_assert_eq(cw_wal_reader_next(reader, &next), CW_WAL_END);
    cw_wal_reader_close(&reader);
    cw_buf_fini(&log.bytes);
}

Test(wal_reader, a_segment_torn_at_any_byte_gives_the_frames_before_it)
{
    struct log log;
    log_init(&log);
    for (size_t len = CW_WAL_SEGMENT_HEADER_BYTES; len <= log.bytes.len; len++) {
        char *copy = malloc(len); /* to measure, so that the sanitizer sees a read past it */
        memcpy(copy, log.bytes.ptr, len);
        struct seen seen = read_all(cw_str_make(copy, len));
        size_t want = 0;
        while (want < NFRAMES && log.ends[want] <= len)
            want++;
        /* A frame whose padding alone is missing is whole. */
        cr_assert(seen.n == want || (seen.n == want + 1 && log.ends[want] - len < CW_WAL_ALIGN),
                  "%zu bytes: %zu frames", len, seen.n);
        cr_assert_eq(seen.nbad, 0, "%zu bytes", len);
        cr_assert_eq(seen.cut + seen.tail, len);
        free(copy);
    }
    cw_buf_fini(&log.bytes);
}

Test(wal_reader, a_flipped_byte_costs_its_frame_and_no_other)
{
    struct log log;
    log_init(&log);
    for (size_t at = CW_WAL_SEGMENT_HEADER_BYTES; at < log.bytes.len; at++) {
        size_t hit = 0;
        while (log.ends[hit] <= at)
            hit++;
        log.bytes.ptr[at] ^= 0x20;
        struct seen seen = read_all(cw_buf_str(&log.bytes));
        log.bytes.ptr[at] ^= 0x20;
        if (seen.n == NFRAMES)
            continue; /* padding: nobody reads it */
        cr_assert_eq(seen.n, NFRAMES - 1, "byte %zu: %zu frames", at, seen.n);
        for (size_t i = 0, k = 0; i < NFRAMES; i++)
            if (i != hit)
                cr_assert_eq(seen.seqs[k++], 100 + i, "byte %zu", at);
        if (hit == NFRAMES - 1) {
            cr_assert_eq(seen.nbad, 0);
            cr_assert_eq(seen.cut, log.ends[NFRAMES - 2]);
        } else {
            cr_assert_eq(seen.nbad, 1);
            cr_assert_eq(seen.bad_off, hit ? log.ends[hit - 1] : CW_WAL_SEGMENT_HEADER_BYTES);
            cr_assert_eq(seen.bad_len, log.ends[hit] - seen.bad_off);
        }
    }
    cw_buf_fini(&log.bytes);
}

Test(wal_reader, a_header_that_does_not_hold_is_an_error_that_names_what_is_wrong)
{
    struct log log;
    struct cw_wal_reader *reader;
    log_init(&log);
    for (size_t at = 0; at < CW_WAL_SEGMENT_HEADER_BYTES; at++) {
        struct cw_err err = {0};
        log.bytes.ptr[at] ^= 1;
        cr_assert_eq(cw_wal_reader_open_bytes(cw_buf_str(&log.bytes), &reader, &err), CW_E_CORRUPT,
                     "byte %zu", at);
        cr_assert_neq(err.text[0], '\0');
        log.bytes.ptr[at] ^= 1;
    }
    for (size_t len = 0; len < CW_WAL_SEGMENT_HEADER_BYTES; len++) {
        struct cw_err err = {0};
        cr_assert_eq(cw_wal_reader_open_bytes(cw_str_make(log.bytes.ptr, len), &reader, &err),
                     CW_E_CORRUPT);
    }
    cw_buf_fini(&log.bytes);
}

Test(wal_reader, frames_of_another_segment_and_of_an_earlier_life_are_not_taken)
{
    struct log log;
    log_init(&log);
    size_t first = CW_WAL_SEGMENT_HEADER_BYTES, len = log.ends[1] - log.ends[0];
    /* The second frame once more at the end: its number has passed. */
    cw_buf_add(&log.bytes, log.bytes.ptr + log.ends[0], len);
    struct seen seen = read_all(cw_buf_str(&log.bytes));
    cr_assert_eq(seen.n, NFRAMES);
    cr_assert_eq(seen.tail, len);
    struct cw_buf other;
    struct cw_wal_header header = {.segment = SEGMENT + 1, .first_seq = 100};
    cw_buf_init(&other, 1 << 20);
    cw_wal_header_encode(&header, &other);
    cw_buf_add(&other, log.bytes.ptr + first, log.ends[NFRAMES - 1] - first);
    cr_assert_eq(read_all(cw_buf_str(&other)).n, 0);
    cw_buf_fini(&other);
    cw_buf_fini(&log.bytes);
}

Test(wal_reader, a_body_that_looks_like_frames_is_skipped_with_its_own_frame)
{
    struct log inner, outer;
    log_init(&inner);
    struct cw_wal_header header = {.segment = SEGMENT, .first_seq = 1};
    cw_buf_init(&outer.bytes, 1 << 20);
    cw_wal_header_encode(&header, &outer.bytes);
    struct cw_wal_frame evil = {
        .kind = CW_WAL_DATA, .tenant = CW_STR("t"), .body = cw_buf_str(&inner.bytes)};
    struct cw_wal_frame good = {.kind = CW_WAL_DATA, .tenant = CW_STR("t")};
    add_frame(&outer, 0, &evil);
    add_frame(&outer, 1, &good);
    size_t body = CW_WAL_SEGMENT_HEADER_BYTES + CW_WAL_FRAME_HEADER_BYTES + 40;
    outer.bytes.ptr[body] ^= 1; /* the body's checksum fails, the header's holds */
    struct seen seen = read_all(cw_buf_str(&outer.bytes));
    cr_assert_eq(seen.n, 1);
    cr_assert_eq(seen.seqs[0], 101);
    cr_assert_eq(seen.nbad, 1);
    cw_buf_fini(&inner.bytes);
    cw_buf_fini(&outer.bytes);
}

Test(wal_reader, a_segment_full_of_magics_is_read_in_bounded_time)
{
    size_t n = 8u << 20;
    struct cw_buf bytes;
    struct cw_wal_header header = {.segment = SEGMENT, .first_seq = 1};
    cw_buf_init(&bytes, 2 * n);
    cw_wal_header_encode(&header, &bytes);
    char *at = cw_buf_reserve(&bytes, n);
    memset(at, 0, n);
    bytes.len += n;
    for (size_t off = 0; off + 64 < n; off += 64) {
        uint32_t magic = CW_WAL_FRAME_MAGIC, len = (uint32_t)(n - off - 64);
        uint64_t segment = SEGMENT;
        memcpy(at + off, &magic, 4);
        memcpy(at + off + 32, &segment, 8);
        memcpy(at + off + 56, &len,
               4); /* the checksum would cover all that follows: quadratic without a bound */
    }
    struct seen seen = read_all(cw_buf_str(&bytes));
    cr_assert_eq(seen.n, 0);
    cw_buf_fini(&bytes);
}

Test(wal_reader, a_checkpoint_survives_its_encoding_and_refuses_what_does_not_fit)
{
    struct cw_wal_session sessions[] = {{.shipper = {{1}}, .session = {{2}}, .drawn_ns = 3}};
    struct cw_wal_mark marks[] = {{.tenant = CW_STR("a"),
                                   .shipper = {{1}},
                                   .source = {{9}},
                                   .generation = 1,
                                   .offset = 2,
                                   .confirmed = 1,
                                   .last_ns = -5},
                                  {.tenant = CW_STR("bb"), .offset = UINT64_MAX}};
    struct cw_wal_checkpoint in = {.sessions = sessions,
                                   .nsessions = 1,
                                   .marks = marks,
                                   .nmarks = 2},
                             out;
    struct cw_arena *arena = cw_arena_new();
    struct cw_buf bytes;
    struct cw_err err = {0};
    cw_buf_init(&bytes, 1 << 20);
    cw_wal_checkpoint_encode(&in, &bytes);
    cr_assert_eq(cw_wal_checkpoint_decode(cw_buf_str(&bytes), arena, &out, &err), 0);
    cr_assert_eq(out.nmarks, 2);
    cr_assert_eq(out.marks[0].last_ns, -5);
    cr_assert(cw_str_eqz(out.marks[1].tenant, "bb"));
    cr_assert_eq(out.marks[1].offset, UINT64_MAX);
    cr_assert_eq(out.sessions[0].session.bytes[0], 2);
    for (size_t len = 0; len < bytes.len; len++)
        cr_assert_eq(cw_wal_checkpoint_decode(cw_str_make(bytes.ptr, len), arena, &out, &err),
                     CW_E_CORRUPT);
    memset(bytes.ptr, 0xff, 4); /* four billion sessions */
    cr_assert_eq(cw_wal_checkpoint_decode(cw_buf_str(&bytes), arena, &out, &err), CW_E_CORRUPT);
    cw_buf_fini(&bytes);
    cw_arena_free(&arena);
}
