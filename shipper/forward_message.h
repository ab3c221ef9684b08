/*
 * forward_message.h - messages of Fluentd's forward protocol, version 1: Message, Forward,
 * PackedForward and CompressedPackedForward. Pure.
 *
 *   [tag, time, record, option?]   [tag, [[time, record], ...], option?]
 *   [tag, bytes of [time, record]..., option?]      option: {"chunk": id, "compressed": "gzip" or "zstd"}
 * A time is seconds, or an EventTime (extension 0); Fluent Bit puts it into an array beside metadata.
 * An entry's line is its record as JSON; of a record that has one member alone, called log or message,
 * that text.
 *
 * Ownership  Decoded values borrow from the message or live in the arena.
 * Errors     CW_E_INVALID, CW_E_TOO_LARGE (unpacked). Any bytes are safe.
 * Source     github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1
 */
#ifndef CW_SHIPPER_FORWARD_MESSAGE_H
#define CW_SHIPPER_FORWARD_MESSAGE_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

/* Fluentd's chunks have 8 MB in memory; and what such a one is unpacked to. */
#define CW_FORWARD_MESSAGE_BYTES (16u << 20)
#define CW_FORWARD_RAW_BYTES (64u << 20)

struct cw_forward_entry {
    int64_t ts_ns; /* CW_PUSH_TS_NONE: none that int64 holds */
    struct cw_str line;
};

struct cw_forward_message {
    struct cw_str tag;
    struct cw_str chunk; /* to be acknowledged; empty: no answer is wanted */
    struct cw_forward_entry *entries;
    size_t n;
};

/* `message` is one whole value (cw_msgpack_measure). */
int cw_forward_message_decode(struct cw_str message, struct cw_arena *arena,
                              struct cw_forward_message *out, struct cw_err *err) CW_MUST_USE;
/* {"ack": chunk} */
void cw_forward_ack_encode(struct cw_str chunk, struct cw_buf *out);

#endif
