/*
 * wal_frame.h - one frame of the log, to bytes and back (wal_format.h draws them).
 *
 * Ownership  A decoded frame borrows tenant, body and discovery from the bytes, and its lists from the arena.
 * Errors     Any bytes are safe to decode. CW_E_CORRUPT says what does not hold.
 */
#ifndef CW_STORE_WAL_FRAME_H
#define CW_STORE_WAL_FRAME_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/codec.h"
#include "common/base/err.h"
#include "common/store/wal_format.h"
#include "common/wire/delivery.h"

struct cw_wal_frame {
    enum cw_wal_kind kind;
    enum cw_wal_body_format format;
    enum cw_codec codec;
    uint64_t seq, segment;
    int64_t received_ns;
    struct cw_str body; /* as stored */
    uint32_t body_raw;  /* its size decompressed */
    /* data */
    struct cw_str tenant;
    const uint32_t *dropped;
    size_t ndropped;
    bool has_delivery;
    struct cw_id128 shipper, session; /* session: kind session alone */
    const struct cw_delivery_mark *marks, *confirms;
    size_t nmarks, nconfirms;
    struct cw_str discovery; /* how the body is completed: discovery.h; empty: it is complete */
    /* checkpoint */
    uint64_t last_seq;
};

/* Append header and meta; the body and cw_wal_frame_padding() zeros follow them in the file. */
void cw_wal_frame_encode(const struct cw_wal_frame *frame, struct cw_buf *out);
/* Zeros behind a frame whose header, meta and body are `bytes` long. */
static inline size_t cw_wal_frame_padding(size_t bytes)
{
    return (CW_WAL_ALIGN - bytes % CW_WAL_ALIGN) % CW_WAL_ALIGN;
}

/* The frame at the front of `bytes`; *len_out is its length with padding (may be set on CW_E_CORRUPT too, when the header
 * holds and only the body does not: else it is 0). */
int cw_wal_frame_decode(struct cw_str bytes, uint64_t segment, struct cw_arena *arena,
                        struct cw_wal_frame *out, size_t *len_out, struct cw_err *err) CW_MUST_USE;

/* ---- the body of a checkpoint ---- */
struct cw_wal_session {
    struct cw_id128 shipper, session;
    int64_t drawn_ns;
};
struct cw_wal_mark {
    struct cw_str tenant;
    struct cw_id128 shipper, source;
    uint64_t generation, offset, confirmed;
    int64_t last_ns; /* when it was last pushed or confirmed */
};
struct cw_wal_checkpoint {
    struct cw_wal_session *sessions;
    struct cw_wal_mark *marks;
    size_t nsessions, nmarks;
};
void cw_wal_checkpoint_encode(const struct cw_wal_checkpoint *checkpoint, struct cw_buf *out);
/* `body` is decompressed. Tenants borrow from it. */
int cw_wal_checkpoint_decode(struct cw_str body, struct cw_arena *arena,
                             struct cw_wal_checkpoint *out, struct cw_err *err) CW_MUST_USE;

#endif
