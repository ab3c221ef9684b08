/*
 * delivery.h - what a cordwood shipper and an ingester say to each other about marks, and the answers' JSON.
 *
 * The delivery itself travels in the push (push.h, field 1000). This header is the rest of the contract.
 *
 * ASK      POST /cordwood/v1/sources, header X-Scope-OrgID as for pushes, body
 *            {"shipper":"<32 hex>","sessions":["<32 hex>", ...]}
 *          sessions: all that this state directory has drawn, oldest first, this start's last (the shipper may keep the newest
 *          CW_DELIVERY_SESSIONS_MAX). Asked at the start, for each tenant, after an answer that never came or a 5xx, and after
 *          a 409 with code "session".
 *          200  the store had no session for this shipper, or one of those: it has the newest now, durably. The answer tells
 *               the marks of the request's tenant for this shipper, as they are after their fsync:
 *                 {"shipper":"..","session":"..","marks":[{"source":"<32 hex>","generation":1,"offset":4096}, ...]}
 *               A source that is not listed has the mark 0.
 *          409  {"code":"session","error":"..."}: the store's session is none of those: a copied state directory. The shipper
 *               goes on from its positions under a new uuid (and asks with that).
 *          400  {"code":"request","error":"..."}; 503 while the WAL is replayed (ask again).
 * PUSH     with a delivery of ranges; the session must be the store's.
 *          204  stored now, or all ranges end at or below their marks (a repeat): settled up to each range's `to`.
 *          409  {"code":"range","error":"...","marks":[one per range of the push]}: nothing stored; take these as the marks and
 *               cut again (a range that ends at or below its mark is settled).
 *          409  {"code":"session","error":"..."}: nothing stored; ask.
 *          other 4xx  refused whole, text/plain as Loki answers: cut smaller (413 too); final for a single line, and for all when
 *                     the text begins with "N errors like: " and N is how many the push has.
 *          5xx, 429, no answer: unknown; ask, then push again from the mark.
 *          Confirms alone (no ranges, no streams) answer 204; the session must be the store's.
 * LIST     GET /cordwood/v1/sources[?shipper=<hex>]: the tenant's marks, as they are after their fsync, for people and tests:
 *            {"sources":[{"shipper":"..","source":"..","generation":1,"offset":4096,"confirmed":4096,
 *                         "last_push":"2026-01-05T10:00:00Z"}, ...]}
 *
 * Numbers are JSON integers up to 2^63 - 1. Unknown keys are ignored.
 * Ownership  Decoded values borrow from the arena.
 * Errors     CW_E_INVALID with a sentence. Any bytes are safe to decode.
 */
#ifndef CW_WIRE_DELIVERY_H
#define CW_WIRE_DELIVERY_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/wire/push.h"

#define CW_DELIVERY_SOURCES_PATH "/cordwood/v1/sources"
#define CW_DELIVERY_CODE_RANGE "range"
#define CW_DELIVERY_CODE_SESSION "session"
#define CW_DELIVERY_CODE_REQUEST "request"
/* One is drawn at each start; a copy older than this many starts is taken for a twin, which is safe. */
#define CW_DELIVERY_SESSIONS_MAX 1000
/* An ask with as many sessions is under 40 KB; an answer with 100,000 marks about 9 MB. */
#define CW_DELIVERY_ASK_BYTES (256u << 10)
#define CW_DELIVERY_ANSWER_BYTES (256u << 20)

struct cw_delivery_mark {
    struct cw_id128 source;
    uint64_t generation, offset;
};

struct cw_delivery_ask {
    struct cw_id128 shipper;
    struct cw_id128 *sessions; /* oldest first; at least one */
    size_t nsessions;
};

/* Any JSON answer above: fields that it does not have are empty. */
struct cw_delivery_answer {
    struct cw_str code; /* empty on 200 */
    struct cw_str error;
    struct cw_delivery_mark *marks;
    size_t nmarks;
};

void cw_delivery_ask_encode(const struct cw_delivery_ask *ask, struct cw_buf *out);
int cw_delivery_ask_decode(struct cw_str body, struct cw_arena *arena, struct cw_delivery_ask *out,
                           struct cw_err *err) CW_MUST_USE;
/* The 200 of an ask. */
void cw_delivery_marks_encode(const struct cw_id128 *shipper, const struct cw_id128 *session,
                              const struct cw_delivery_mark *marks, size_t n, struct cw_buf *out);
/* The 409s and 400s. marks may be NULL. */
void cw_delivery_refusal_encode(const char *code, struct cw_str error,
                                const struct cw_delivery_mark *marks, size_t n, struct cw_buf *out);
int cw_delivery_answer_decode(struct cw_str body, struct cw_arena *arena,
                              struct cw_delivery_answer *out, struct cw_err *err) CW_MUST_USE;

/* 32 lower-case hex digits (upper case is read too). */
void cw_id128_format(const struct cw_id128 *id, char out[33]);
bool cw_id128_parse(struct cw_str hex, struct cw_id128 *out);

#endif
