/*
 * tally.h - what became of the lines of one source: read, joined and dropped by stages (and why), redacted, spooled; for each client
 * left out (and why), sent, acknowledged and refused (and why); and the gaps, bytes that nobody will read.
 *
 * It adds up over restarts (tally_file.h). Once all is settled,
 *   read + made = joined + dropped + left out + acknowledged + refused     for each client
 * but for what a store took without us hearing of it: `adopted` bytes, told by its mark after a kill or a lost answer.
 *
 * Counting   A line counts as read and dropped when it is met for the first time: at offsets from `counted_to` on. What a client
 *            settled counts once too, though after a restart it is read again for the sake of a slower one: `places` say up to
 *            where. They are kept with the counts, ahead of the positions, and name all that is beyond the positions on disk too:
 *            wherever a kill falls, what the ledger on disk has does not count again. But for places that have no room there
 *            (CW_TALLY_PLACES_BYTES), and the gap of a truncation, if the kill is ahead of the positions that say the generation.
 *            What was counted since that ledger is lost with the memory: it counts when it is read again, as `adopted` if a store
 *            has it, and not at all if the ledger could not be written and the positions were.
 * Ownership  A tally owns its texts and outputs; an output is borrowed until the next one is added.
 * Bounds     CW_TALLY_REASONS reasons each (more are added up as "other"); of gaps the newest CW_TALLY_GAPS are listed.
 * Threads    Plain values.
 */
#ifndef CW_SHIPPER_TALLY_H
#define CW_SHIPPER_TALLY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"

enum { CW_TALLY_REASONS = 32, CW_TALLY_GAPS = 8 };

/* Very many sources have none, so it is a pointer and no more. */
struct cw_tally_reasons {
    struct cw_tally_reason {
        char *why; /* NULL: behind the last one */
        uint64_t n;
    } * items; /* NULL: none */
};
struct cw_tally_gap {
    uint64_t generation, from, to;
    char *why;
};
struct cw_tally_output {
    char *client;
    uint64_t sent;    /* entries in pushes, each once in a run */
    uint64_t retried; /* and again: after a failure, or in a smaller batch after a refusal */
    uint64_t acknowledged;
    uint64_t adopted;    /* bytes that the store had without us hearing of it, for any tenant */
    uint64_t adopted_to; /* those ahead of it are counted; not in the file */
    struct cw_tally_reasons left_out, refused;
};
/* In the file: how far the counts go of an output that is ahead of where a restart reads again: of the source's position, or of the
 * one on disk while that is smaller. */
struct cw_tally_place {
    char *client, *tenant;     /* as struct cw_output has them */
    uint64_t sent_to, told_to; /* ledger.h */
};
struct cw_tally {
    struct cw_tally_output *outputs; /* in the order in which they came */
    struct cw_tally_gap *gaps;       /* oldest first; NULL while there are none */
    struct cw_tally_place *places;   /* from and to the file alone */
    uint32_t noutputs, ngaps, nplaces;
    bool text_whole;                 /* all of the text is unpacked */
    uint64_t generation, counted_to; /* where in the source the next line counts as read */
    uint64_t read, read_bytes;       /* lines and their bytes */
    uint64_t joined;                 /* lines that stages put into the entry of one ahead */
    uint64_t
        made; /* entries beyond the one that a line is: of split_json, and pieces of long lines */
    uint64_t redacted; /* lines in which something was hidden */
    uint64_t spooled;  /* entries that receivers put into the spool */
    struct cw_tally_reasons dropped;
    uint64_t gap_bytes; /* of all, those that are not listed too */
    uint64_t
        text_size; /* of a compressed file, whose offsets are those of its text: so much is unpacked; 0: it is none */
    /* From and to the file alone: of the source, if that is ahead of where a restart reads again. */
    uint64_t emitted_to;
};

struct cw_tally *cw_tally_new(void);
void cw_tally_free(struct cw_tally **tally);
size_t cw_tally_nreasons(const struct cw_tally_reasons *reasons);
/* Add to a reason. */
void cw_tally_count(struct cw_tally_reasons *reasons, struct cw_str why, uint64_t n);
uint64_t cw_tally_total(const struct cw_tally_reasons *reasons);
/* The client's part; made when it is first asked for. */
struct cw_tally_output *cw_tally_output(struct cw_tally *tally, struct cw_str client);
void cw_tally_gap_add(struct cw_tally *tally, uint64_t generation, uint64_t from, uint64_t to,
                      struct cw_str why);
/* The source's generation is another: its offsets begin anew. */
void cw_tally_generation_set(struct cw_tally *tally, uint64_t generation);
void cw_tally_place_add(struct cw_tally *tally, struct cw_str client, struct cw_str tenant,
                        uint64_t sent_to, uint64_t told_to);
void cw_tally_places_clear(struct cw_tally *tally);
/* Add what another counted, wherever. */
void cw_tally_join(struct cw_tally *tally, const struct cw_tally *other);

#endif
