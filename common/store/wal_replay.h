/*
 * wal_replay.h - go through the log from its oldest segment on: the ingester's start, and the CLI on a data directory.
 *
 * Frames that a later segment declares void are left out (wal_format.h). Of frames whose entries are in parts already
 * (seq <= flushed_seq) only the marks are told. Frames that must be there and are not are told too.
 *
 * Ownership  What a callback gets dies when it returns.
 * Errors     CW_E_IO, CW_E_NOT_IMPLEMENTED (another version); what a callback returns ends the replay. Bad bytes are told and stepped over.
 */
#ifndef CW_STORE_WAL_REPLAY_H
#define CW_STORE_WAL_REPLAY_H
#include "common/base/err.h"
#include "common/store/head.h"
#include "common/store/wal_reader.h"

struct cw_wal_bad {
    uint64_t segment, off; /* in the segment */
    struct cw_str bytes;
    const char *why;
    bool is_log_end; /* the last bytes of all: a torn write, or one under way */
};

/* Frames, one at least, that no segment holds and no segment or catalog says to be of no need. */
struct cw_wal_missing {
    uint64_t first_seq, last_seq; /* inclusive */
    uint64_t segment;             /* begins behind them; 0: the log ends before them */
    bool is_told;                 /* they were in what `bad` or `bad_segment` just told */
};

struct cw_wal_segment_end {
    const char *path;
    uint64_t segment, last_seq, bytes;
    uint64_t good_end; /* what is behind it is torn; only the last segment's is cut */
    bool is_last;
};

/* All but `data` may be NULL. */
struct cw_wal_replay_ops {
    void *ctx;
    bool all; /* `data` of the frames too that are in parts already */
    /* Entries to be appended, with the frame's list of dropped ones. */
    int (*data)(void *ctx, const struct cw_wal_frame *frame, const struct cw_head_batch *batch,
                struct cw_err *err);
    /* Every frame that is valid, after its data. */
    void (*frame)(void *ctx, const struct cw_wal_frame *frame);
    void (*checkpoint)(void *ctx, const struct cw_wal_checkpoint *checkpoint);
    void (*bad)(void *ctx, const struct cw_wal_bad *bad);
    /* A segment in which nothing is whole. One whose header alone is bad is read, and the header told by `bad`. */
    void (*bad_segment)(void *ctx, uint64_t segment, const char *path, const char *why);
    /* Those up to flushed_seq are in parts. Where the log ends before that, its newest segments are gone: whatever they held besides
     * is gone with them, and nobody knows how much that is. */
    void (*missing)(void *ctx, const struct cw_wal_missing *missing);
    int (*segment_end)(void *ctx, const struct cw_wal_segment_end *end, struct cw_err *err);
};

struct cw_wal_replayed {
    uint64_t last_seq;     /* of the last valid frame, 0: none */
    uint64_t next_segment; /* a number that no file has */
    uint64_t nframes, nentries, nvoid, nbad;
};
int cw_wal_replay(const char *dir, uint64_t flushed_seq, const struct cw_wal_replay_ops *ops,
                  struct cw_wal_replayed *out, struct cw_err *err) CW_MUST_USE;
/* The lowest sequence number that the log in `dir` may hold, UINT64_MAX when there is no segment, 0 when unknown. */
uint64_t cw_wal_oldest_seq(const char *dir);

#endif
