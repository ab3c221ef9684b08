/*
 * marks.h - how far each source of each shipper is stored, and which session of a shipper is the living one.
 *
 * A mark is kept per (tenant, shipper, source, generation), 0 at first. The rules are design.md section 4.2, checked by
 * tests/models/delivery.py; what is said on the wire is common/wire/delivery.h. Changes since the last commit are taken back
 * by _rollback() when their fsync failed.
 *
 * Ownership  Copies what it keeps.
 * Threads    None: the WAL's thread alone.
 * Errors     CW_E_CONFLICT, CW_E_INVALID, CW_E_OVERLOAD as said below.
 */
#ifndef CW_INGESTER_MARKS_H
#define CW_INGESTER_MARKS_H
#include <stddef.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/wal_frame.h"
#include "common/wire/push.h"

/* About 130 bytes each: a store that was told of more sources than this refuses new ones (429). */
#define CW_MARKS_MAX (1u << 20)
/* A session is 40 bytes; with these two bounds a checkpoint of the longest tenant names fits its frame. */
#define CW_MARKS_SESSIONS_MAX (1u << 18)

/* Ranges of one push: each is compared with each. */
#define CW_MARKS_RANGES_MAX 4096

struct cw_marks;
struct cw_marks *cw_marks_new(void);
void cw_marks_free(struct cw_marks **marks);

enum cw_marks_verdict {
    CW_MARKS_NEW,     /* every range begins at its mark: store */
    CW_MARKS_REPEAT,  /* every range ends at or below its mark: stored before */
    CW_MARKS_RANGE,   /* neither, or mixed: 409 with the marks */
    CW_MARKS_SESSION, /* not the session that the store knows: 409, the shipper asks */
    CW_MARKS_FULL,    /* no room for another source */
};
/* What the marks (uncommitted ones too: order counts) say to a delivery. */
enum cw_marks_verdict cw_marks_check(const struct cw_marks *marks, struct cw_str tenant,
                                     const struct cw_push_delivery *delivery);
/* CW_E_INVALID: a range that is none (from > to, an offset over 2^63 - 1, a source twice), entries without a range. Decided
 * without the marks. */
int cw_marks_validate(const struct cw_push *push, struct cw_err *err) CW_MUST_USE;
/* marks := to, and what was confirmed. */
void cw_marks_apply(struct cw_marks *marks, struct cw_str tenant,
                    const struct cw_push_delivery *delivery, int64_t now_ns);
uint64_t cw_marks_get(const struct cw_marks *marks, struct cw_str tenant,
                      const struct cw_id128 *shipper, const struct cw_id128 *source,
                      uint64_t generation);

/* The shipper's session, or NULL. */
const struct cw_id128 *cw_marks_session(const struct cw_marks *marks,
                                        const struct cw_id128 *shipper);
/* CW_E_OVERLOAD when there is no room for another shipper. */
int cw_marks_set_session(struct cw_marks *marks, const struct cw_id128 *shipper,
                         const struct cw_id128 *session, int64_t now_ns,
                         struct cw_err *err) CW_MUST_USE;

void cw_marks_commit(struct cw_marks *marks);
void cw_marks_rollback(struct cw_marks *marks);

/* Replay: what a frame says, and what a checkpoint says of everything. */
void cw_marks_replay(struct cw_marks *marks, const struct cw_wal_frame *frame);
void cw_marks_replace(struct cw_marks *marks, const struct cw_wal_checkpoint *checkpoint);
/* The body of a checkpoint of all marks and sessions. */
void cw_marks_checkpoint(const struct cw_marks *marks, struct cw_buf *out);

/* Drop marks that were silent for `age_ns` and that the shipper's positions on disk have passed; how many. Sessions as old go
 * with the last mark of their shipper. */
size_t cw_marks_forget(struct cw_marks *marks, int64_t now_ns, int64_t age_ns);

typedef void (*cw_marks_fn)(void *arg, const struct cw_wal_mark *mark);
/* The tenant's marks; of one shipper when it is not NULL. */
void cw_marks_each(const struct cw_marks *marks, struct cw_str tenant,
                   const struct cw_id128 *shipper, cw_marks_fn fn, void *arg);
size_t cw_marks_count(const struct cw_marks *marks);

#endif
