/*
 * ledger.h - the delivery protocol's account: what one output (client) has settled of one source.
 *
 * `mark` is what the store has said or answered, and where the next range must begin. `done` is
 * what needs no delivery any more, counted from the source's beginning without a gap: stored,
 * refused for good, or left out. The two differ: lines that were refused or skipped move `done`
 * alone; a store that lost or forgot its mark moves `mark` back alone. Lines are sent from
 * max(mark, done), under a range that begins at the mark (tests/models/delivery.py). Both count
 * within the source's present generation.
 *
 * Threads    Plain values.
 */
#ifndef CW_SHIPPER_LEDGER_H
#define CW_SHIPPER_LEDGER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_ledger_row {
    uint64_t mark, done;
    uint64_t sent_to; /* entries that begin ahead of it were in a push before */
    uint64_t
        told_to; /* the tally has what a run before settled ahead of it, though done began at the position */
    uint64_t confirmed; /* the store was told that positions on disk passed this */
    /* At this size of the file nothing whole was found behind done; 0: not looked at. */
    uint64_t held_size;
    int64_t done_ts_ns; /* that a line below done was given; the next one's is later */
    uint32_t tally_at; /* where the source's tally counts for this client, + 1; 0: not looked for */
    bool off;          /* nothing of the source is ever for this output */
};

/* Where the next entry to send begins. */
static inline uint64_t cw_ledger_next(const struct cw_ledger_row *row)
{
    return row->mark > row->done ? row->mark : row->done;
}
/* The store's list or a 409 says where the mark is. What is below it is stored. */
void cw_ledger_adopt(struct cw_ledger_row *row, uint64_t mark);
/* A 2xx to a push whose range ended at `to`. */
void cw_ledger_stored(struct cw_ledger_row *row, uint64_t to, int64_t last_ts_ns);
/* [cw_ledger_next(), to) was refused for good, and counted. Its times are taken: letters that are sent again keep theirs. */
void cw_ledger_refused(struct cw_ledger_row *row, uint64_t to, int64_t last_ts_ns);
/* [cw_ledger_next(), to) holds nothing to deliver: lines left out. */
void cw_ledger_dropped(struct cw_ledger_row *row, uint64_t to, int64_t last_ts_ns);
/* The source's generation was raised: a new account. */
void cw_ledger_raised(struct cw_ledger_row *row);
/* The smallest `done` of the outputs that it is for: what the positions file may say. */
uint64_t cw_ledger_position(const struct cw_ledger_row *rows, size_t n);
/* Whether the store should be told now that positions on disk (`durable`) have passed its mark. */
bool cw_ledger_confirm_due(const struct cw_ledger_row *row, uint64_t durable);

#endif
