#include "common/store/wal_replay.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/store/discovery.h"
#include "common/wire/push_resolve.h"

struct replay {
    const struct cw_wal_replay_ops *ops;
    struct cw_wal_replayed *out;
    uint64_t flushed_seq;
    uint64_t next_seq;      /* of the frame that must come next, had none been lost */
    bool bad_since;         /* something bad was told since the last whole frame */
    struct cw_arena *arena; /* of one frame */
    struct cw_buf raw;
    struct cw_discovery *discovery; /* of the last frame that had one */
};

static int header_of(const char *path, struct cw_wal_header *out, struct cw_err *err)
{
    char bytes[CW_WAL_SEGMENT_HEADER_BYTES];
    struct stat st;
    int rc = 0, fd = cw_file_open(path, O_RDONLY | O_NONBLOCK, err); /* a pipe is not waited for */
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        rc = cw_err_errno(err, CW_E_IO, errno, "stat %s", path);
    else if (!S_ISREG(st.st_mode))
        rc = cw_err_set(err, CW_E_CORRUPT, "it is no regular file");
    else if (st.st_size < (off_t)sizeof(bytes))
        rc = cw_err_set(err, CW_E_CORRUPT, "the segment has no header");
    if (rc == 0)
        rc = cw_file_pread_all(fd, bytes, sizeof(bytes), 0, path, err);
    close(fd);
    if (rc == 0)
        rc = cw_wal_header_decode(cw_str_make(bytes, sizeof(bytes)), out, err);
    return rc;
}

static int decode_body(struct replay *replay, const struct cw_wal_frame *frame,
                       struct cw_push *push, struct cw_err *err)
{
    cw_buf_clear(&replay->raw);
    if (frame->body_raw > CW_WAL_BODY_BYTES_MAX)
        return cw_err_set(err, CW_E_CORRUPT, "frame %llu says it holds %u bytes",
                          (unsigned long long)frame->seq, frame->body_raw);
    int rc = cw_codec_decompress(frame->codec, frame->body, frame->body_raw, &replay->raw, err);
    if (rc < 0)
        return rc;
    switch (frame->format) {
    case CW_WAL_BODY_NONE: *push = (struct cw_push){0}; return 0;
    case CW_WAL_BODY_LOKI_PROTOBUF:
        return cw_push_loki_protobuf_decode(cw_buf_str(&replay->raw), replay->arena, push, err);
    case CW_WAL_BODY_LOKI_JSON:
        return cw_push_loki_json_decode(cw_buf_str(&replay->raw), replay->arena, push, err);
    }
    return cw_err_set(err, CW_E_CORRUPT, "frame %llu has a body of unknown format %d",
                      (unsigned long long)frame->seq, (int)frame->format);
}

static void tell_bad_as(struct replay *replay, const struct cw_wal_reader *reader, uint64_t off,
                        uint64_t len, struct cw_wal_bad bad)
{
    replay->out->nbad++;
    replay->bad_since = true;
    if (!replay->ops->bad)
        return;
    bad.segment = cw_wal_reader_header(reader)->segment;
    bad.off = off;
    bad.bytes = cw_str_sub(cw_wal_reader_bytes(reader), off, off + len);
    replay->ops->bad(replay->ops->ctx, &bad);
}

static void tell_bad(struct replay *replay, const struct cw_wal_reader *reader, uint64_t off,
                     uint64_t len, const char *why)
{
    tell_bad_as(replay, reader, off, len, (struct cw_wal_bad){.why = why});
}

static void tell_log_end(struct replay *replay, const struct cw_wal_reader *reader, uint64_t off,
                         uint64_t len)
{
    tell_bad_as(replay, reader, off, len,
                (struct cw_wal_bad){.why = "torn end of the log", .is_log_end = true});
}

/* The settings of a frame, which are mostly those of the one before. */
static int discovery_of(struct replay *replay, struct cw_str encoded, struct cw_err *err)
{
    if (replay->discovery != NULL && cw_str_eq(cw_discovery_encoded(replay->discovery), encoded))
        return 0;
    cw_discovery_unref(&replay->discovery);
    return cw_discovery_decode(encoded, &replay->discovery, err);
}

/* Labels, ids, metadata, and what was discovered. */
static int complete(struct replay *replay, const struct cw_wal_frame *frame, struct cw_push *push,
                    struct cw_hash128 **ids, struct cw_err *err)
{
    if (frame->discovery.len == 0)
        return cw_push_resolve(push, NULL, replay->arena, ids, err);
    int rc = discovery_of(replay, frame->discovery, err);
    if (rc == 0)
        rc = cw_push_resolve(push, &cw_discovery_options(replay->discovery)->service_names,
                             replay->arena, ids, err);
    for (size_t i = 0; rc == 0 && i < push->nstreams; i++)
        cw_discovery_add_levels(replay->discovery, &push->streams[i], replay->arena);
    return rc;
}

/* 1: the body is no push, which its checksum did not tell. */
static int replay_data(struct replay *replay, const struct cw_wal_frame *frame, struct cw_err *why,
                       struct cw_err *err)
{
    struct cw_push push;
    struct cw_hash128 *ids;
    if ((frame->seq <= replay->flushed_seq && !replay->ops->all) ||
        frame->format == CW_WAL_BODY_NONE)
        return 0;
    if (decode_body(replay, frame, &push, why) < 0 || complete(replay, frame, &push, &ids, why) < 0)
        return 1;
    struct cw_head_batch batch = {.tenant = frame->tenant, .push = &push, .ids = ids};
    replay->out->nentries += push.nentries - CW_MIN(frame->ndropped, push.nentries);
    return replay->ops->data(replay->ops->ctx, frame, &batch, err);
}

static int replay_checkpoint(struct replay *replay, const struct cw_wal_frame *frame,
                             struct cw_err *why)
{
    struct cw_wal_checkpoint checkpoint;
    if (!replay->ops->checkpoint)
        return 0;
    cw_buf_clear(&replay->raw);
    if (frame->body_raw > CW_WAL_BODY_BYTES_MAX ||
        cw_codec_decompress(frame->codec, frame->body, frame->body_raw, &replay->raw, why) < 0 ||
        cw_wal_checkpoint_decode(cw_buf_str(&replay->raw), replay->arena, &checkpoint, why) < 0)
        return 1;
    replay->ops->checkpoint(replay->ops->ctx, &checkpoint);
    return 0;
}

static int replay_frame(struct replay *replay, const struct cw_wal_reader *reader,
                        const struct cw_wal_next *next, struct cw_err *err)
{
    struct cw_err why = {0};
    int rc = 0;
    cw_arena_reset(replay->arena);
    if (next->frame.kind == CW_WAL_DATA)
        rc = replay_data(replay, &next->frame, &why, err);
    else if (next->frame.kind == CW_WAL_CHECKPOINT)
        rc = replay_checkpoint(replay, &next->frame, &why);
    if (rc < 0)
        return rc;
    if (rc > 0)
        tell_bad(replay, reader, next->off, next->len, why.text);
    /* Marks hold even where the body does not: what it held is in quarantine, and is not sent again. */
    if (replay->ops->frame)
        replay->ops->frame(replay->ops->ctx, &next->frame);
    replay->out->nframes++;
    return 0;
}

struct segment {
    char *path;
    struct cw_wal_header header;
    enum { SEGMENT_GOOD, SEGMENT_SALVAGED, SEGMENT_BAD, SEGMENT_EMPTY } state;
    struct cw_err why; /* not GOOD */
};

/* The header, or what the frames say in its place. An error is not the segment's. */
static int segment_load(struct segment *segment, uint64_t number, struct cw_err *err)
{
    struct cw_wal_reader *reader;
    struct cw_err ignored;
    struct stat st;
    int rc = header_of(segment->path, &segment->header, &segment->why);
    if (rc == 0 && segment->header.segment != number)
        rc = cw_err_set(&segment->why, CW_E_CORRUPT, "the header is of segment %llu",
                        (unsigned long long)segment->header.segment);
    if (rc == 0)
        return 0;
    if (rc != CW_E_CORRUPT)
        return cw_err_set(err, rc, "%s: %s", segment->path, segment->why.text);
    /* A crash came between its making and its first bytes. */
    if (stat(segment->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0) {
        segment->state = SEGMENT_EMPTY;
        return 0;
    }
    segment->state = SEGMENT_BAD;
    if (cw_wal_reader_salvage(segment->path, number, &reader, &ignored) == 0) {
        segment->state = SEGMENT_SALVAGED;
        segment->header = *cw_wal_reader_header(reader);
        cw_wal_reader_close(&reader);
    }
    return 0;
}

static int segments_load(const char *dir, const struct cw_wal_list *list, struct segment *out,
                         struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < list->n && rc == 0; i++) {
        struct cw_buf path;
        cw_buf_init(&path, 1 << 16);
        cw_wal_path(dir, list->numbers[i], &path);
        cw_buf_z(&path);
        out[i].path = cw_buf_take(&path, NULL);
        rc = segment_load(&out[i], list->numbers[i], err);
    }
    return rc;
}

/* Frames from `void_seq` on are not valid. */
static int replay_segment(struct replay *replay, const struct segment *segment, uint64_t void_seq,
                          bool is_last, struct cw_err *err)
{
    const char *path = segment->path;
    struct cw_wal_reader *reader;
    struct cw_wal_next next;
    enum cw_wal_event event;
    uint64_t last_seq = 0, good_end;
    int rc = segment->state == SEGMENT_GOOD
                 ? cw_wal_reader_open(path, &reader, err)
                 : cw_wal_reader_salvage(path, segment->header.segment, &reader, err);
    if (rc < 0)
        return rc;
    if (segment->state == SEGMENT_SALVAGED)
        tell_bad(replay, reader, 0, CW_WAL_SEGMENT_HEADER_BYTES, segment->why.text);
    while (rc == 0 && (event = cw_wal_reader_next(reader, &next)) != CW_WAL_END) {
        if (event == CW_WAL_BAD) {
            tell_bad(replay, reader, next.off, next.len, next.why);
        } else if (next.frame.seq >= void_seq) {
            replay->out->nvoid++;
        } else {
            replay->bad_since = false;
            rc = replay_frame(replay, reader, &next, err);
            last_seq = next.frame.seq;
        }
    }
    if (rc == 0) {
        struct cw_str tail = cw_wal_reader_tail(reader, &good_end);
        size_t zeros = 0;
        while (zeros < tail.len && tail.ptr[zeros] == 0)
            zeros++;
        if (zeros < tail.len && is_last)
            tell_log_end(replay, reader, good_end, tail.len);
        else if (zeros < tail.len)
            tell_bad(replay, reader, good_end, tail.len, next.why);
        replay->out->last_seq = CW_MAX(replay->out->last_seq, last_seq);
        replay->next_seq = CW_MAX(replay->next_seq, last_seq + 1);
        struct cw_wal_segment_end end = {.path = path,
                                         .segment = cw_wal_reader_header(reader)->segment,
                                         .last_seq = last_seq,
                                         .bytes = cw_wal_reader_bytes(reader).len,
                                         .good_end = good_end,
                                         .is_last = is_last};
        cw_wal_reader_close(&reader); /* the file may be cut: nothing may be mapped */
        if (replay->ops->segment_end)
            rc = replay->ops->segment_end(replay->ops->ctx, &end, err);
    }
    cw_wal_reader_close(&reader);
    return rc;
}

static int end_empty(const struct replay *replay, const char *path, uint64_t number,
                     struct cw_err *err)
{
    struct cw_wal_segment_end end = {.path = path, .segment = number};
    return replay->ops->segment_end ? replay->ops->segment_end(replay->ops->ctx, &end, err) : 0;
}

/* ---- what is not there ---- */

static void tell_missing(const struct replay *replay, uint64_t end_seq, uint64_t segment)
{
    struct cw_wal_missing missing = {.first_seq = replay->next_seq,
                                     .last_seq = end_seq - 1,
                                     .segment = segment,
                                     .is_told = replay->bad_since};
    if (replay->next_seq < end_seq && replay->ops->missing)
        replay->ops->missing(replay->ops->ctx, &missing);
}

/* Frames before this are of no need: they are in parts, or a segment says so. */
static uint64_t needed_from(const struct segment *segments, size_t n, uint64_t flushed_seq)
{
    uint64_t seq = flushed_seq + 1;
    for (size_t i = 0; i < n; i++)
        if (segments[i].state == SEGMENT_GOOD && segments[i].header.before == CW_WAL_BEFORE_SETTLED)
            seq = CW_MAX(seq, segments[i].header.first_seq);
    return seq;
}

/* Of the oldest segment older versions do not say whether anything before it is needed. */
static void check_before(struct replay *replay, const struct segment *segment, bool is_oldest)
{
    enum cw_wal_before before = segment->header.before;
    if (before != CW_WAL_BEFORE_GIVEN_UP && (!is_oldest || before == CW_WAL_BEFORE_NEEDED))
        tell_missing(replay, segment->header.first_seq, segment->header.segment);
    replay->next_seq = CW_MAX(replay->next_seq, segment->header.first_seq);
}

int cw_wal_replay(const char *dir, uint64_t flushed_seq, const struct cw_wal_replay_ops *ops,
                  struct cw_wal_replayed *out, struct cw_err *err)
{
    struct cw_wal_list list;
    struct replay replay = {.ops = ops, .out = out, .flushed_seq = flushed_seq};
    *out = (struct cw_wal_replayed){.next_segment = 1};
    int rc = cw_wal_list(dir, &list, err);
    if (rc < 0)
        return rc;
    struct segment *segments = cw_mem_array(list.n + 1, sizeof(*segments));
    uint64_t *void_seqs = cw_mem_array(list.n + 1, sizeof(*void_seqs));
    rc = segments_load(dir, &list, segments, err);
    void_seqs[list.n] = UINT64_MAX;
    for (size_t i = list.n; i-- > 0;)
        void_seqs[i] = segments[i].state < SEGMENT_BAD
                           ? CW_MIN(void_seqs[i + 1], segments[i].header.first_seq)
                           : void_seqs[i + 1];
    replay.arena = cw_arena_new();
    cw_buf_init(&replay.raw, CW_WAL_BODY_BYTES_MAX);
    replay.next_seq = needed_from(segments, list.n, flushed_seq);
    uint64_t reached_seq = 0;
    for (size_t i = 0; i < list.n && rc == 0; i++) {
        out->next_segment = list.numbers[i] + 1;
        if (segments[i].state < SEGMENT_BAD) {
            replay.bad_since |= segments[i].state == SEGMENT_SALVAGED;
            check_before(&replay, &segments[i], reached_seq == 0);
            rc = replay_segment(&replay, &segments[i], void_seqs[i + 1], i + 1 == list.n, err);
            reached_seq = CW_MAX(segments[i].header.first_seq, out->last_seq + 1);
        } else if (segments[i].state == SEGMENT_EMPTY) {
            rc = end_empty(&replay, segments[i].path, list.numbers[i], err);
        } else {
            replay.bad_since = true;
            if (ops->bad_segment)
                ops->bad_segment(ops->ctx, list.numbers[i], segments[i].path, segments[i].why.text);
        }
    }
    if (rc == 0 && reached_seq <= flushed_seq) {
        replay.next_seq = CW_MAX(reached_seq, 1u);
        tell_missing(&replay, flushed_seq + 1, 0);
    }
    cw_buf_fini(&replay.raw);
    cw_discovery_unref(&replay.discovery);
    cw_arena_free(&replay.arena);
    for (size_t i = 0; i < list.n; i++)
        free(segments[i].path);
    free(segments);
    free(void_seqs);
    cw_wal_list_fini(&list);
    return rc;
}

uint64_t cw_wal_oldest_seq(const char *dir)
{
    struct cw_wal_list list;
    struct cw_err ignored = {0};
    struct cw_wal_header header = {0};
    struct cw_buf path;
    if (cw_wal_list(dir, &list, &ignored) < 0)
        return 0;
    uint64_t oldest = UINT64_MAX;
    if (list.n > 0) {
        cw_buf_init(&path, 1 << 16);
        cw_wal_path(dir, list.numbers[0], &path);
        oldest = header_of(cw_buf_z(&path), &header, &ignored) == 0 ? header.first_seq : 0;
        cw_buf_fini(&path);
    }
    cw_wal_list_fini(&list);
    return oldest;
}
