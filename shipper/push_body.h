/*
 * push_body.h - the body of a push that a receiver took, in the formats and encodings that clients of
 * Loki and of OTLP send. Pure.
 *
 * Ownership  Texts borrow from the body, the buffer and the arena.
 * Errors     CW_E_INVALID, CW_E_TOO_LARGE. Any bytes are safe.
 */
#ifndef CW_SHIPPER_PUSH_BODY_H
#define CW_SHIPPER_PUSH_BODY_H
#include "common/base/buf.h"
#include "common/wire/push.h"

/* A body as it comes, and unpacked: what a shipper has room for beside its work. */
#define CW_PUSH_BODY_BYTES (16u << 20)
#define CW_PUSH_BODY_RAW_BYTES (64u << 20)

enum cw_push_body_kind { CW_PUSH_BODY_LOKI, CW_PUSH_BODY_OTLP, CW_PUSH_BODY_LINES };

struct cw_push_body {
    enum cw_push_body_kind kind;
    struct cw_str content_type, content_encoding; /* the headers */
    struct cw_str bytes;
};

/* Of CW_PUSH_BODY_LINES: one stream without labels, an entry a line. `raw` is what it is unpacked to. */
int cw_push_body_decode(const struct cw_push_body *body, int64_t now_ns, struct cw_buf *raw,
                        struct cw_arena *arena, struct cw_push *out,
                        struct cw_err *err) CW_MUST_USE;

#endif
