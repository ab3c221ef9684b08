/*
 * deletes.h - the deletes of all tenants: durable, seen by queries at once, carried out in the background.
 *
 *                              due_ns has passed, no gene-        no part and no frame of the
 *        POST                  ration that it is of waits         log is left that it is of
 *   ----------------> RECEIVED --------------------> PROCESSING --------------------> PROCESSED ---- 30 d ----> gone
 *                        |  cancelled                   |  cancelled by force
 *                        +------------------------------+-------> gone: what is left of its entries is seen again
 *
 * A delete is of the entries that were stored before it. The WAL thread makes it between two groups of pushes and closes the
 * head's generation there (store_delete.c), replay closes one there again, and merges do not join parts across it, so that each
 * part and each generation lies on one side of wal_seq. A part that is written anew without the entries has an id of purge_id or
 * more: the delete is no longer its.
 *
 * Ownership  Views hold references on their deletes; the registry outlives them.
 * Threads    Any. Changes are serialised inside (they wait for the disk); looking waits for nothing.
 * Errors     CW_E_IO, CW_E_UNAVAILABLE: the file could not be written, nothing is changed. CW_E_NOT_FOUND, CW_E_INVALID: with
 *            Loki's texts. CW_E_LIMIT: too many.
 */
#ifndef CW_INGESTER_DELETES_H
#define CW_INGESTER_DELETES_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/store/delete_list.h"
#include "common/store/hidden.h"
#include "common/store/part_reader.h"

/* Receipts of deletes that were carried out are kept so long. */
#define CW_DELETES_RECEIPT_NS (INT64_C(30) * 86400 * 1000000000)

struct cw_deletes;
/* Before the registry of parts is opened: is the file there, durably? A folder that never had one gets one of no lines. One that the
 * catalog says was there, and is not, is told. No room for it now: false, and the next start tries again. */
bool cw_deletes_keep(const char *data_dir);
/* Read the file. A damaged one is copied to quarantine/ and its good lines are used. */
int cw_deletes_open(const char *data_dir, struct cw_deletes **out, struct cw_err *err) CW_MUST_USE;
/* No view may still be held. NULL is fine. */
void cw_deletes_close(struct cw_deletes **deletes);

/* ---- what users do ---- */
/* Copies the row's texts; id and state are set here. */
int cw_deletes_add(struct cw_deletes *deletes, const struct cw_delete_row *row,
                   struct cw_err *err) CW_MUST_USE;
enum cw_deletes_cancel { CW_DELETES_CANCEL_WHOLE, CW_DELETES_CANCEL_FORCE };
int cw_deletes_cancel(struct cw_deletes *deletes, struct cw_str tenant, struct cw_str id,
                      enum cw_deletes_cancel how, struct cw_err *err) CW_MUST_USE;
/* In the order they were made; under a lock. */
struct cw_deletes_waits {
    size_t refused; /* parts that it waits for and that cannot be written anew */
    size_t no_room; /* parts for whose writing anew the disk had no room */
};
typedef void (*cw_deletes_fn)(void *arg, const struct cw_delete_row *row,
                              const struct cw_deletes_waits *waits);
void cw_deletes_each(struct cw_deletes *deletes, struct cw_str tenant, cw_deletes_fn fn, void *arg);

/* ---- the order of the WAL ---- */
/* The greatest wal_seq. */
uint64_t cw_deletes_last_seq(struct cw_deletes *deletes);
/* The greatest purge_id. */
uint64_t cw_deletes_last_id(struct cw_deletes *deletes);
/* Was a delete made after the frame `seq` and before the frame `next`? */
bool cw_deletes_between(struct cw_deletes *deletes, uint64_t seq, uint64_t next);

/* ---- what is hidden ---- */
enum cw_deletes_which {
    CW_DELETES_HIDING,  /* RECEIVED and PROCESSING */
    CW_DELETES_REMOVING /* PROCESSING */
};
/* NULL when there are none. */
struct cw_deletes_view;
struct cw_deletes_view *cw_deletes_view_new(struct cw_deletes *deletes, struct cw_str tenant,
                                            enum cw_deletes_which which);
/* NULL is fine. */
void cw_deletes_view_free(struct cw_deletes_view **view);
size_t cw_deletes_view_count(const struct cw_deletes_view *view);
/* The i-th delete as a rule; false when it is not of that place. */
bool cw_deletes_view_rule(const struct cw_deletes_view *view, size_t i,
                          const struct cw_delete_place *place, struct cw_hidden_rule *out);

/* ---- carrying them out ---- */
/* Parts lie apart that this is different of: entries were deleted between them, and are only hidden yet. */
uint64_t cw_deletes_epoch(struct cw_deletes *deletes, const struct cw_part_info *part);
/* Is a delete being carried out that is of this part? It must not be merged before. */
bool cw_deletes_holds(struct cw_deletes *deletes, const struct cw_part_footer *part);
/* For whoever draws the id of a new part, and must know which deletes its rows are of: he looks before he asks for those and
 * after he has the id. Odd, or another one: begin again. */
uint64_t cw_deletes_version(struct cw_deletes *deletes);
/* Nothing in the part matches the deletes of the view. */
void cw_deletes_clean(struct cw_deletes_view *view, uint64_t part_id);
/* The part cannot be written anew, and keeps what deletes hide in it. */
void cw_deletes_refuse(struct cw_deletes *deletes, const struct cw_part_footer *part);
/* There was no room on the disk to write the part anew; it is tried again. */
void cw_deletes_no_room(struct cw_deletes *deletes, const struct cw_part_footer *part);
/* Around the commit of a part that was written anew: nothing is cancelled meanwhile. CW_E_CONFLICT: something was before.
 * done[i] is of the i-th delete of the view; NULL: the commit failed. */
struct cw_deletes_done {
    uint64_t removed;
    uint64_t
        unread; /* entries that it may hide and that cannot be read: they have left the part for quarantine/ */
};
int cw_deletes_commit_begin(struct cw_deletes_view *view, struct cw_err *err) CW_MUST_USE;
void cw_deletes_commit_end(struct cw_deletes_view *view, const struct cw_deletes_done *done);

/* The two steps to the right in the drawing, and the end of old receipts. */
struct cw_deletes_advance {
    int64_t now_ns;
    void *ctx;
    /* May entries of the tenant be removed, and lies none that the delete may be of outside of parts? Then *purge_id_out: a fresh id of
     * a part. */
    bool (*may_remove)(void *ctx, const struct cw_delete_row *row, uint64_t *purge_id_out);
    /* It is about to count as carried out: a part that is missing and that it is of must not come back any more. On failure the
     * delete waits. NULL: no part is missing. */
    int (*forget)(void *ctx, const struct cw_delete_row *row, struct cw_err *err);
    /* Of all visible parts. */
    const struct cw_part_footer *const *parts;
    size_t nparts;
    /* The log holds no frame before this one. */
    uint64_t log_oldest_seq;
};
int cw_deletes_advance(struct cw_deletes *deletes, const struct cw_deletes_advance *step,
                       struct cw_err *err) CW_MUST_USE;

/* The greatest wal_seq of those that are being carried out; 0: none is. */
uint64_t cw_deletes_removing_seq(struct cw_deletes *deletes);

struct cw_deletes_counts {
    uint64_t received, processing, processed; /* now */
    uint64_t removed;                         /* entries, since the start */
};
void cw_deletes_count(struct cw_deletes *deletes, struct cw_deletes_counts *out);

#endif
