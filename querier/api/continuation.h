/*
 * continuation.h - where an answer that is not whole ended, as a token that a client sends back to have the rest.
 *
 * What it stands for is complete in itself: ends of the range, step, direction, and for entries what was given at the last time. It
 * says of which query it is, and no secret: whoever forges one asks for what he may ask for anyway.
 *
 * Form       Base64 (the alphabet for URLs, no padding) of: version 1, kind, hash of the query, start, end, step; where entries were
 *            given: 1, time, count, labels of the stream; XXH3-64 of all that. Integers are little-endian.
 * Ownership  What is decoded lies in the arena.
 * Errors     CW_E_INVALID.
 */
#ifndef CW_API_CONTINUATION_H
#define CW_API_CONTINUATION_H
#include "querier/engine/partial_query.h"

enum cw_continuation_kind { CW_CONTINUE_FORWARD, CW_CONTINUE_BACKWARD, CW_CONTINUE_STEPS };

struct cw_continuation {
    enum cw_continuation_kind kind;
    uint64_t query;          /* cw_hash64() of its text */
    struct cw_log_rest rest; /* of STEPS: start and end alone, those of the grid */
    int64_t step_ns;         /* STEPS */
};

void cw_continuation_encode(const struct cw_continuation *continuation, struct cw_buf *out);
/* What came back makes sense in itself: start <= end, step > 0, the edge lies in the range. */
int cw_continuation_decode(struct cw_str token, struct cw_arena *arena, struct cw_continuation *out,
                           struct cw_err *err) CW_MUST_USE;

#endif
