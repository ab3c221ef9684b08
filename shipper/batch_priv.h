/*
 * batch_priv.h - what batch_cut.c (from a source to entries) and batch_pieces.c (one staging for several outputs) have in common.
 */
#ifndef CW_SHIPPER_BATCH_PRIV_H
#define CW_SHIPPER_BATCH_PRIV_H
#include "common/pipeline/stages.h"
#include "shipper/batch.h"
#include "shipper/batch_streams.h"
#include "shipper/framing.h"

/* What happened to an entry that is not in the batch, or not whole: counted if the cut goes past
 * it, by the output whose entry it is. */
enum cw_cut_note_kind {
    CW_NOTE_SKIPPED,
    CW_NOTE_PAIR_LEFT_OUT,
    CW_NOTE_UNSELECTED,
    CW_NOTE_DROPPED /* by a stage, ahead of all outputs: each of them counts it */
};
struct cw_cut_note {
    uint64_t from;
    enum cw_cut_note_kind kind;
    struct cw_str tenant; /* as an entry of the batch has them, but of one that was dropped */
    uint32_t stream;
};

/* An entry of several lines: the cut does not end inside it. */
struct cw_cut_span {
    uint64_t from, to;
};

/* Times by offset: what the next cut goes on from depends on where this one ends. */
struct cw_cut_times {
    struct cw_cut_time {
        uint64_t at;
        int64_t ts_ns;
    } * items;
    size_t n, cap;
};

/* One source's part of a batch, while it is cut. */
struct cw_cut {
    struct cw_batch *batch;
    struct cw_source *source;
    const struct cw_batch_report *report;
    struct cw_batch_part part;
    struct cw_framing framing;
    struct cw_stages_run *run; /* NULL: the source has no stages */
    struct cw_framed line;     /* the one that goes through stages */
    uint64_t line_bytes_before;
    size_t max_entries;
    int64_t now_ns;
    uint64_t start;
    bool at_end;
    size_t used;         /* of the batch's bytes */
    int64_t last_ts_ns;  /* that a line was given; the next one's is later */
    int64_t blocked_ns;  /* a limit lets more through after so long; 0: none holds back */
    bool alone;          /* nothing else is in the batch: what does not fit now never will */
    bool full;           /* stopped at a bound: begin with this source next time */
    bool refused;        /* full, for an entry that had no room: there is something to read */
    uint64_t stuck_from; /* the first entry whose tenant can have no output */
    uint32_t streams[CW_SOURCE_STREAMS]; /* numbers of the source's own label sets + 1 */
    struct cw_cut_note *notes;
    size_t nnotes, notes_cap;
    struct cw_cut_span *spans;
    size_t nspans, spans_cap;
    struct cw_cut_times given;
    struct cw_str tenant;       /* the source's */
    struct cw_str other_tenant; /* the last that was told */
    const char *drop_reason;    /* of the last entry that a stage dropped, and its metric */
    struct cw_metric *drop_metric;
};

/* What the ledger says about where it begins. */
void cw_cut_begin(struct cw_cut *cut);
/* Read, frame and stage what is behind cut->start, up to where the cut ends. */
int cw_cut_read(struct cw_cut *cut, struct cw_err *err) CW_MUST_USE;
/* The same, from what was staged for another output, or is now for all of them. */
int cw_cut_share(struct cw_cut *cut, struct cw_err *err) CW_MUST_USE;

/* Whether an entry is for this output; another tenant gets an output of its own, or the cut is stuck there. */
bool cw_cut_takes(struct cw_cut *cut, struct cw_str tenant, uint64_t from);
bool cw_cut_room_for(const struct cw_cut *cut, size_t line_len);
/* Of an entry as the batch would have it. */
void cw_cut_note(struct cw_cut *cut, const struct cw_batch_entry *entry,
                 enum cw_cut_note_kind kind);
/* The largest offset up to `end` that lies inside no entry. */
uint64_t cw_cut_unspanned(const struct cw_cut *cut, uint64_t end);
/* It ends at `to`: forget what begins there or behind, and add up the rest. */
void cw_cut_end(struct cw_cut *cut, uint64_t to);

#endif
