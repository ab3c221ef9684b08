/*
 * postings_spill.h - sorted label pairs with their runs of streams, put away compressed in memory while a part is written.
 *
 * Ownership  A spill owns its bytes; a cursor borrows them.
 * Threads    One.
 * Errors     What a spill holds was written by this process: a cursor that meets an error says CW_E_CORRUPT.
 */
#ifndef CW_STORE_POSTINGS_SPILL_H
#define CW_STORE_POSTINGS_SPILL_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Runs of stream numbers as they stand in a chunk (format.h): per run varint gap since the end of the run before, varint length
 * less 1. The last run is written when the next one begins or at _end(). */
struct postings_runs {
    struct cw_buf bytes;
    uint32_t n; /* in bytes */
    uint32_t base, first, len;
};
void postings_runs_init(struct postings_runs *runs);
void postings_runs_fini(struct postings_runs *runs);
void postings_runs_clear(struct postings_runs *runs);
/* Runs rise; one that follows the last without a gap becomes part of it. */
void postings_runs_add(struct postings_runs *runs, uint32_t first, uint32_t len);
void postings_runs_end(struct postings_runs *runs);

struct postings_spill {
    struct cw_buf bytes; /* pieces: raw u32 | stored u32 | that many bytes, lz4 */
    struct cw_buf piece;
    struct cw_buf name, value; /* of the pair before */
};
void postings_spill_init(struct postings_spill *spill);
void postings_spill_fini(struct postings_spill *spill);
/* Pairs come sorted by name, then value, each once. `nruns` runs, as postings_runs writes them. */
int postings_spill_add(struct postings_spill *spill, struct cw_str name, struct cw_str value,
                       uint32_t nruns, struct cw_str runs, struct cw_err *err) CW_MUST_USE;
int postings_spill_end(struct postings_spill *spill, struct cw_err *err) CW_MUST_USE;

struct postings_spill_cursor {
    struct cw_str rest; /* of the spill */
    struct cw_buf piece;
    struct cw_str in; /* rest of the piece */
    struct cw_buf name, value;
    uint32_t nruns;
    struct cw_str runs;
};
void postings_spill_cursor_init(struct postings_spill_cursor *cursor,
                                const struct postings_spill *spill);
void postings_spill_cursor_fini(struct postings_spill_cursor *cursor);
/* 1: a pair stands in the cursor; 0: the end. */
int postings_spill_next(struct postings_spill_cursor *cursor, struct cw_err *err) CW_MUST_USE;
/* The pair's runs behind those that `runs` has. */
void postings_spill_runs(const struct postings_spill_cursor *cursor, struct postings_runs *runs);

#endif
