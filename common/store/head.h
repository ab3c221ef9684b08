/*
 * head.h - the entries that are in no part yet: a row of generations, each bound to a range of WAL sequence numbers.
 *
 * A generation holds, per tenant and stream, rows of blocks: lines lie one behind the other in a block, so that line filters
 * run over them as they do over a part's. One thread appends (the WAL's, in WAL order); what it appended is seen by
 * nobody until _commit(), after the fsync, or is taken back by _rollback(). Queries read what is committed without a lock.
 *
 * Duplicates (design 4.3): an entry with the time, line and metadata of one of the stream's in any generation of the head, not
 * yet committed ones included, is left out when asked for. Only a detected_level that was sent counts: one that was found in the
 * entry (discovery.h) depends on settings that may have changed since the other came. Entries in order cost one comparison; a table of hashes is made only
 * for streams where that does not decide.
 *
 * Ownership  The head owns its generations with one reference each; sources and flushes hold their own.
 * Threads    _append, _commit, _rollback, _freeze: the writer. All else: any thread. cw_head_drop and cw_head_add_sources take
 *            a short lock; whoever swaps a generation for parts holds the parts' lock around both (ingester/parts.h).
 * Errors     Nothing here fails: what comes in was checked, and out of memory aborts. Who appends watches cw_head_bytes().
 */
#ifndef CW_STORE_HEAD_H
#define CW_STORE_HEAD_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/store/cursor.h"
#include "common/wire/push.h"

struct cw_head;
struct cw_generation;
struct cw_memory_budget;

/* `seq`: the last frame whose entries are in parts already. */
struct cw_head *cw_head_new(uint64_t seq);
/* Tell the budget of all its memory (CW_MEMORY_HEAD); before the first append. The budget outlives the head. */
void cw_head_set_budget(struct cw_head *head, struct cw_memory_budget *budget);
/* More than a push of these costs here, where it does not add to streams that are there: what to ask room for. */
uint64_t cw_head_cost(const struct cw_push *push);
/* No source of it may still be held. NULL is fine. */
void cw_head_free(struct cw_head **head);

enum cw_head_duplicates {
    CW_HEAD_KEEP_DUPLICATES, /* deliveries of a shipper: real twins are both kept */
    CW_HEAD_DROP_DUPLICATES,
};

/* Indices over all entries of a push, in order of streams and entries; ascending. */
struct cw_head_dropped {
    uint32_t *items; /* heap; the owner frees it */
    size_t n, cap;
};

struct cw_head_batch {
    struct cw_str tenant;
    const struct cw_push *push;   /* resolved: push_resolve.h */
    const struct cw_hash128 *ids; /* of its streams */
    enum cw_head_duplicates duplicates;
};

/* Append a push; what was left out is added to *dropped. */
void cw_head_append(struct cw_head *head, const struct cw_head_batch *batch,
                    struct cw_head_dropped *dropped);
/* Replay: append all but the listed entries, decide nothing. */
void cw_head_append_listed(struct cw_head *head, const struct cw_head_batch *batch,
                           const uint32_t *dropped, size_t ndropped);
/* All that was appended becomes visible; the frames up to `seq` are durable. */
void cw_head_commit(struct cw_head *head, uint64_t seq);
/* All that was appended since the last commit is gone. */
void cw_head_rollback(struct cw_head *head);
/* Close the current generation and begin another. A reference to the closed one; NULL when it holds no entries (it stays
 * the current one). Nothing may be uncommitted. */
struct cw_generation *cw_head_freeze(struct cw_head *head);
/* Has the current generation entries of the tenant that may lie between these times (inclusive)? The writer's. */
bool cw_head_current_touches(struct cw_head *head, struct cw_str tenant, int64_t first_ns,
                             int64_t last_ns);
/* Entries of the tenant were deleted: what comes from now on is no duplicate of an entry that is in the head. The writer's, right
 * after a freeze. */
void cw_head_forget_duplicates(struct cw_head *head, struct cw_str tenant);
/* Does a frozen generation wait for its flush whose entries came up to the frame `seq`, and has it some of the tenant that may lie
 * between these times (inclusive)? */
bool cw_head_waits(struct cw_head *head, uint64_t seq, struct cw_str tenant, int64_t first_ns,
                   int64_t last_ns);
/* A frozen generation is in parts now. */
void cw_head_drop(struct cw_head *head, struct cw_generation *generation);

/* Append a source for each generation that has entries of the tenant. Entries before `horizon_ns` are hidden (retention;
 * INT64_MIN: none). Initialise *out to zero before. */
void cw_head_add_sources(struct cw_head *head, struct cw_str tenant, int64_t horizon_ns,
                         struct cw_snapshot *out);
/* The last frame of what a source of the head showed when it was made. */
uint64_t cw_head_source_last_seq(const struct cw_source *source);
/* Bytes of memory of all generations, those included that only a query still holds. */
uint64_t cw_head_bytes(const struct cw_head *head);
/* Of the current generation: what decides on a flush. The writer's. */
uint64_t cw_head_current_bytes(const struct cw_head *head);
uint64_t cw_head_streams(const struct cw_head *head); /* of all generations */
uint64_t cw_head_entries(const struct cw_head *head);

/* ---- a frozen generation ---- */
void cw_generation_unref(struct cw_generation **generation);
/* The sequence numbers of its frames, inclusive. */
uint64_t cw_generation_first_seq(const struct cw_generation *generation);
uint64_t cw_generation_last_seq(const struct cw_generation *generation);

struct cw_generation_stream {
    struct cw_str tenant;
    struct cw_stream_ref ref;
    uint64_t nentries, line_bytes;
    int64_t min_ns, max_ns; /* inclusive, exact */
    uint64_t key;           /* for _open */
};
/* All streams with entries; those of one tenant follow each other. Everything is borrowed from the generation. */
typedef void (*cw_generation_stream_fn)(void *arg, const struct cw_generation_stream *stream);
void cw_generation_each_stream(struct cw_generation *generation, cw_generation_stream_fn fn,
                               void *arg);
/* One stream's entries with start_ns <= t < end_ns (INT64_MAX is inclusive), oldest first, ties in order of arrival, with times,
 * lines and metadata. The generation must outlive the cursor. */
int cw_generation_open(struct cw_generation *generation, uint64_t key, int64_t start_ns,
                       int64_t end_ns, struct cw_cursor **out, struct cw_err *err) CW_MUST_USE;

#endif
