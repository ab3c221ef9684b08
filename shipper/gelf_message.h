/*
 * gelf_message.h - Graylog's extended log format: chunks of datagrams joined, compression taken off,
 * the members that label an entry read. Pure.
 *
 * Ownership  Decoded texts live in the arena or borrow from the JSON.
 * Bounds     Messages in the making: CW_GELF_PARTIAL_MAX, for CW_GELF_PARTIAL_NS each, of
 *            CW_GELF_CHUNKS_MAX chunks; beyond it the oldest goes.
 * Errors     CW_E_INVALID, CW_E_TOO_LARGE. Any bytes are safe.
 * Source     archivedocs.graylog.org, "GELF via UDP": a chunk is 1e 0f, id 8, number 1, count 1, bytes.
 */
#ifndef CW_SHIPPER_GELF_MESSAGE_H
#define CW_SHIPPER_GELF_MESSAGE_H
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"

enum { CW_GELF_CHUNKS_MAX = 128, CW_GELF_PARTIAL_MAX = 256 };
#define CW_GELF_PARTIAL_NS (INT64_C(5) * 1000000000)
/* A message, unpacked. */
#define CW_GELF_BYTES (1u << 20)

struct cw_gelf_chunks; /* messages in the making */

struct cw_gelf_chunks *cw_gelf_chunks_new(void);
void cw_gelf_chunks_free(struct cw_gelf_chunks **chunks);
/* Take a datagram. 1: *out is a whole message (borrowed until the next call); 0: more chunks are to
 * come. `*lost` is raised by the messages that were given up. */
int cw_gelf_chunks_add(struct cw_gelf_chunks *chunks, struct cw_str datagram, int64_t now_mono_ns,
                       struct cw_str *out, uint64_t *lost, struct cw_err *err) CW_MUST_USE;

/* gzip and zlib are taken off (into `raw`), or the bytes are as they are. */
int cw_gelf_unpack(struct cw_str message, struct cw_buf *raw, struct cw_str *out,
                   struct cw_err *err) CW_MUST_USE;

struct cw_gelf_message {
    struct cw_str version, host, facility; /* empty: not there */
    struct cw_str level; /* "emergency" (0) to "debug" (7); empty: not there, or no such number */
    int64_t ts_ns;       /* CW_PUSH_TS_NONE: not there */
};

int cw_gelf_message_decode(struct cw_str json, struct cw_arena *arena, struct cw_gelf_message *out,
                           struct cw_err *err) CW_MUST_USE;

#endif
