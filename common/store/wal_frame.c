#include "common/store/wal_frame.h"

#include <endian.h>

#include "common/base/assert.h"
#include "common/base/hash.h"

enum { MARK_BYTES = 32, SESSION_BYTES = 40, CHECKPOINT_MARK_BYTES_MIN = 68 };

/* ---- writing ---- */

static void add_u32(struct cw_buf *out, uint32_t value)
{
    uint32_t le = htole32(value);
    cw_buf_add(out, &le, sizeof(le));
}

static void add_u64(struct cw_buf *out, uint64_t value)
{
    uint64_t le = htole64(value);
    cw_buf_add(out, &le, sizeof(le));
}

static void add_id(struct cw_buf *out, const struct cw_id128 *id)
{
    cw_buf_add(out, id->bytes, sizeof(id->bytes));
}

static void add_marks(struct cw_buf *out, const struct cw_delivery_mark *marks, size_t n)
{
    add_u32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        add_id(out, &marks[i].source);
        add_u64(out, marks[i].generation);
        add_u64(out, marks[i].offset);
    }
}

static void add_meta(const struct cw_wal_frame *frame, struct cw_buf *out)
{
    if (frame->kind == CW_WAL_CHECKPOINT) {
        add_u64(out, frame->last_seq);
        return;
    }
    if (frame->kind == CW_WAL_SESSION) {
        add_id(out, &frame->shipper);
        add_id(out, &frame->session);
        return;
    }
    add_u32(out, (uint32_t)frame->tenant.len);
    cw_buf_adds(out, frame->tenant);
    add_u32(out, (uint32_t)frame->ndropped);
    for (size_t i = 0; i < frame->ndropped; i++)
        add_u32(out, frame->dropped[i]);
    add_u32(out, frame->has_delivery);
    if (frame->has_delivery) {
        add_id(out, &frame->shipper);
        add_marks(out, frame->marks, frame->nmarks);
        add_marks(out, frame->confirms, frame->nconfirms);
    }
    cw_buf_adds(out, frame->discovery);
}

void cw_wal_frame_encode(const struct cw_wal_frame *frame, struct cw_buf *out)
{
    size_t at = out->len;
    CW_ASSERT(frame->body.len <= CW_WAL_BODY_BYTES_MAX);
    add_u32(out, CW_WAL_FRAME_MAGIC);
    cw_buf_addc(out, (char)frame->kind);
    cw_buf_addc(out, (char)frame->format);
    cw_buf_addc(out, (char)frame->codec);
    cw_buf_addc(out, 0);
    add_u64(out, 0); /* the checksum, below */
    add_u64(out, frame->seq);
    add_u64(out, (uint64_t)frame->received_ns);
    add_u64(out, frame->segment);
    add_u64(out, cw_hash64(frame->body.ptr, frame->body.len));
    add_u32(out, frame->body_raw);
    add_u32(out, (uint32_t)frame->body.len);
    add_u32(out, 0); /* meta_len, below */
    add_u32(out, 0);
    add_meta(frame, out);
    if (cw_buf_failed(out))
        return;
    char *header = out->ptr + at;
    uint32_t meta_len = htole32((uint32_t)(out->len - at - CW_WAL_FRAME_HEADER_BYTES));
    memcpy(header + 56, &meta_len, sizeof(meta_len));
    uint64_t sum = htole64(cw_hash64(header + 16, out->len - at - 16));
    memcpy(header + 8, &sum, sizeof(sum));
}

void cw_wal_checkpoint_encode(const struct cw_wal_checkpoint *checkpoint, struct cw_buf *out)
{
    add_u32(out, (uint32_t)checkpoint->nsessions);
    for (size_t i = 0; i < checkpoint->nsessions; i++) {
        add_id(out, &checkpoint->sessions[i].shipper);
        add_id(out, &checkpoint->sessions[i].session);
        add_u64(out, (uint64_t)checkpoint->sessions[i].drawn_ns);
    }
    add_u32(out, (uint32_t)checkpoint->nmarks);
    for (size_t i = 0; i < checkpoint->nmarks; i++) {
        const struct cw_wal_mark *mark = &checkpoint->marks[i];
        add_u32(out, (uint32_t)mark->tenant.len);
        cw_buf_adds(out, mark->tenant);
        add_id(out, &mark->shipper);
        add_id(out, &mark->source);
        add_u64(out, mark->generation);
        add_u64(out, mark->offset);
        add_u64(out, mark->confirmed);
        add_u64(out, (uint64_t)mark->last_ns);
    }
}

/* ---- reading: a cursor that never leaves its bytes; `bad` sticks ---- */

struct input {
    const char *ptr;
    size_t left;
    bool bad;
};

static const char *take(struct input *in, size_t n)
{
    if (in->bad || in->left < n) {
        in->bad = true;
        return NULL;
    }
    const char *at = in->ptr;
    in->ptr += n;
    in->left -= n;
    return at;
}

static uint32_t take_u32(struct input *in)
{
    uint32_t value = 0;
    const char *at = take(in, sizeof(value));
    if (at)
        memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t take_u64(struct input *in)
{
    uint64_t value = 0;
    const char *at = take(in, sizeof(value));
    if (at)
        memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

static void take_id(struct input *in, struct cw_id128 *out)
{
    const char *at = take(in, sizeof(out->bytes));
    if (at)
        memcpy(out->bytes, at, sizeof(out->bytes));
}

static struct cw_str take_text(struct input *in)
{
    size_t len = take_u32(in);
    const char *at = take(in, len);
    return at ? cw_str_make(at, len) : CW_STR_NONE;
}

/* A count whose items are at least `size` bytes each: never more than can be there. */
static size_t take_count(struct input *in, size_t size)
{
    size_t n = take_u32(in);
    if (n > in->left / size)
        in->bad = true;
    return in->bad ? 0 : n;
}

static const struct cw_delivery_mark *take_marks(struct input *in, struct cw_arena *arena,
                                                 size_t *n_out)
{
    size_t n = take_count(in, MARK_BYTES);
    struct cw_delivery_mark *marks = CW_ARENA_ARRAY(arena, struct cw_delivery_mark, n);
    for (size_t i = 0; i < n; i++) {
        take_id(in, &marks[i].source);
        marks[i].generation = take_u64(in);
        marks[i].offset = take_u64(in);
    }
    *n_out = n;
    return marks;
}

static const uint32_t *take_dropped(struct input *in, struct cw_arena *arena, size_t *n_out)
{
    size_t n = take_count(in, sizeof(uint32_t));
    uint32_t *items = CW_ARENA_ARRAY(arena, uint32_t, n);
    for (size_t i = 0; i < n; i++) {
        items[i] = take_u32(in);
        if (i > 0 && items[i] <= items[i - 1])
            in->bad = true;
    }
    *n_out = n;
    return items;
}

static int decode_meta(struct cw_str meta, struct cw_arena *arena, struct cw_wal_frame *out,
                       struct cw_err *err)
{
    struct input in = {.ptr = meta.ptr, .left = meta.len};
    switch (out->kind) {
    case CW_WAL_CHECKPOINT: out->last_seq = take_u64(&in); break;
    case CW_WAL_SESSION:
        take_id(&in, &out->shipper);
        take_id(&in, &out->session);
        break;
    case CW_WAL_DATA:
        out->tenant = take_text(&in);
        out->dropped = take_dropped(&in, arena, &out->ndropped);
        out->has_delivery = take_u32(&in) != 0;
        if (out->has_delivery) {
            take_id(&in, &out->shipper);
            out->marks = take_marks(&in, arena, &out->nmarks);
            out->confirms = take_marks(&in, arena, &out->nconfirms);
        }
        out->discovery = cw_str_make(in.ptr, in.left);
        in.left = 0;
        break;
    default: return cw_err_set(err, CW_E_CORRUPT, "frame of unknown kind %d", (int)out->kind);
    }
    if (in.bad || in.left > 0)
        return cw_err_set(err, CW_E_CORRUPT, "a frame's fields do not fit its length");
    return 0;
}

static uint32_t at_u32(const char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t at_u64(const char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

int cw_wal_frame_decode(struct cw_str bytes, uint64_t segment, struct cw_arena *arena,
                        struct cw_wal_frame *out, size_t *len_out, struct cw_err *err)
{
    const char *at = bytes.ptr;
    *len_out = 0;
    if (bytes.len < CW_WAL_FRAME_HEADER_BYTES || at_u32(at) != CW_WAL_FRAME_MAGIC)
        return cw_err_set(err, CW_E_CORRUPT, "no frame");
    size_t body_len = at_u32(at + 52), meta_len = at_u32(at + 56);
    size_t left = bytes.len - CW_WAL_FRAME_HEADER_BYTES;
    if (meta_len > CW_WAL_META_BYTES_MAX || meta_len > left)
        return cw_err_set(err, CW_E_CORRUPT, "a frame's fields end past the segment");
    if (cw_hash64(at + 16, CW_WAL_FRAME_HEADER_BYTES - 16 + meta_len) != at_u64(at + 8))
        return cw_err_set(err, CW_E_CORRUPT, "bad checksum of a frame's header");
    if (at_u64(at + 32) != segment)
        return cw_err_set(err, CW_E_CORRUPT, "a frame of segment %llu",
                          (unsigned long long)at_u64(at + 32));
    if (body_len > CW_WAL_BODY_BYTES_MAX || body_len > left - meta_len)
        return cw_err_set(err, CW_E_CORRUPT, "a frame's body ends past the segment");
    struct cw_wal_frame frame = {
        .kind = (enum cw_wal_kind)(uint8_t)at[4],
        .format = (enum cw_wal_body_format)(uint8_t)at[5],
        .codec = (enum cw_codec)(uint8_t)at[6],
        .seq = at_u64(at + 16),
        .received_ns = (int64_t)at_u64(at + 24),
        .segment = segment,
        .body_raw = at_u32(at + 48),
        .body = cw_str_make(at + CW_WAL_FRAME_HEADER_BYTES + meta_len, body_len)};
    size_t len = CW_WAL_FRAME_HEADER_BYTES + meta_len + body_len;
    *len_out = CW_MIN(len + cw_wal_frame_padding(len), bytes.len);
    if (cw_hash64(frame.body.ptr, body_len) != at_u64(at + 40))
        return cw_err_set(err, CW_E_CORRUPT, "bad checksum of the body of frame %llu",
                          (unsigned long long)frame.seq);
    int rc = decode_meta(cw_str_make(at + CW_WAL_FRAME_HEADER_BYTES, meta_len), arena, &frame, err);
    if (rc == 0)
        *out = frame;
    return rc;
}

int cw_wal_checkpoint_decode(struct cw_str body, struct cw_arena *arena,
                             struct cw_wal_checkpoint *out, struct cw_err *err)
{
    struct input in = {.ptr = body.ptr, .left = body.len};
    struct cw_wal_checkpoint checkpoint = {0};
    checkpoint.nsessions = take_count(&in, SESSION_BYTES);
    checkpoint.sessions = CW_ARENA_ARRAY(arena, struct cw_wal_session, checkpoint.nsessions);
    for (size_t i = 0; i < checkpoint.nsessions; i++) {
        take_id(&in, &checkpoint.sessions[i].shipper);
        take_id(&in, &checkpoint.sessions[i].session);
        checkpoint.sessions[i].drawn_ns = (int64_t)take_u64(&in);
    }
    checkpoint.nmarks = take_count(&in, CHECKPOINT_MARK_BYTES_MIN);
    checkpoint.marks = CW_ARENA_ARRAY(arena, struct cw_wal_mark, checkpoint.nmarks);
    for (size_t i = 0; i < checkpoint.nmarks; i++) {
        struct cw_wal_mark *mark = &checkpoint.marks[i];
        mark->tenant = take_text(&in);
        take_id(&in, &mark->shipper);
        take_id(&in, &mark->source);
        mark->generation = take_u64(&in);
        mark->offset = take_u64(&in);
        mark->confirmed = take_u64(&in);
        mark->last_ns = (int64_t)take_u64(&in);
    }
    if (in.bad || in.left > 0)
        return cw_err_set(err, CW_E_CORRUPT, "a checkpoint's fields do not fit its length");
    *out = checkpoint;
    return 0;
}
