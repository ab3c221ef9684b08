/*
 * head_priv.h - the head's insides, for head*.c alone.
 *
 * The writer makes rows and publishes them block by block through `nvisible`; readers load it (acquire) and never look past
 * it. Nothing that a reader may have seen moves or changes until the generation is freed.
 */
#ifndef CW_STORE_HEAD_PRIV_H
#define CW_STORE_HEAD_PRIV_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "common/base/arena.h"
#include "common/base/id_map.h"
#include "common/store/head.h"

/* Rows of one stream in order of arrival. One allocation: this, ts_ns, offsets, text. */
struct head_block {
    struct head_block *_Atomic next;
    _Atomic uint32_t nvisible;
    _Atomic int64_t min_ns,
        max_ns; /* of its rows, uncommitted ones too: may be too wide for a reader */
    /* Per row, NULL for one without; NULL while no row has any. Rows share sets. */
    const struct cw_labels **_Atomic metadata;
    uint32_t nrows, row_cap; /* the writer's; a frozen generation's rows are all visible */
    uint32_t text_len, text_cap;
    uint32_t first_row; /* number of its first row in the stream */
    int64_t *ts_ns;
    uint32_t *offsets; /* row i is text[offsets[i], offsets[i + 1]) */
    char *text;
};

struct head_stream {
    struct head_stream *_Atomic next; /* in the tenant, in order of arrival */
    struct cw_stream_ref ref;
    struct cw_generation *generation; /* whose it is */
    struct head_block *_Atomic first;
    atomic_bool unordered;                 /* some row is older than one before it */
    _Atomic uint64_t nentries, line_bytes; /* visible */

    /* The writer's. */
    struct head_block *tail;
    struct head_block **blocks; /* all up to tail: rows by number */
    uint32_t nblocks, blocks_cap;
    uint64_t text_caps; /* of all blocks */
    uint32_t nrows;
    int64_t max_ns;  /* of all rows */
    uint32_t *slots; /* row number + 1 by hash, 0 free; NULL while order decides */
    uint32_t slot_mask, nslots_used;
    /* What a rollback goes back to, while the stream is touched. */
    struct head_stream *next_touched;
    bool touched;
    uint32_t undo_block,
        undo_nrows; /* index of the tail and rows in the stream at the last commit */
    int64_t undo_max_ns;
};

struct head_tenant {
    struct head_tenant *_Atomic next;
    struct cw_str name;
    struct head_stream *_Atomic first;
    _Atomic int64_t min_ns, max_ns; /* as a block's */
    struct head_stream *last;       /* the writer's, as all below */
    struct head_stream **slots;     /* by id */
    size_t nstreams, slot_mask;
    bool deleted; /* entries of it are no duplicates of what comes now */
};

struct cw_generation {
    atomic_int refs;
    struct cw_head *head;
    struct head_tenant *_Atomic first_tenant;
    struct head_tenant *last_tenant;
    struct cw_id_map tenant_numbers; /* these two change under the head's lock ... */
    struct head_tenant **tenants;    /* ... which only the writer need not hold to look */
    size_t ntenants, tenants_cap;
    uint64_t first_seq;
    _Atomic uint64_t last_seq; /* of what is visible */
    uint64_t nentries, nstreams;
    struct cw_arena *arena; /* labels, streams, metadata */
    size_t arena_bytes;     /* as counted in `bytes` */
    _Atomic uint64_t bytes;
};

struct cw_head {
    pthread_mutex_t lock;         /* the list, and followers */
    struct cw_generation **items; /* oldest first; the last is the current one */
    size_t n, cap;
    struct cw_generation *current;
    struct cw_head_follow *followers; /* who is to see each generation to its end */
    struct cw_memory_budget *budget;  /* NULL: nobody accounts */
    _Atomic uint64_t bytes, nstreams, nentries;
    uint64_t seq;                /* the last one committed */
    struct head_stream *touched; /* since the last commit */
};

/* head.c */
void head_count_bytes(struct cw_generation *generation, int64_t delta);
struct head_stream *head_stream_find(const struct head_tenant *tenant, struct cw_hash128 id);
/* The writer's; others hold the head's lock, unless the generation is frozen. */
struct head_tenant *head_tenant_find(struct cw_generation *generation, struct cw_str name);
static inline struct head_block *head_stream_row_block(const struct head_stream *stream,
                                                       uint32_t row)
{
    uint32_t lo = 0, hi = stream->nblocks;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (stream->blocks[mid]->first_row <= row)
            lo = mid;
        else
            hi = mid;
    }
    return stream->blocks[lo];
}
static inline struct cw_str head_block_line(const struct head_block *block, uint32_t row)
{
    return (struct cw_str){block->text + block->offsets[row],
                           block->offsets[row + 1] - block->offsets[row]};
}

static inline struct cw_labels head_metadata_row(const struct cw_labels *const *metadata,
                                                 uint32_t row)
{
    return metadata && metadata[row] ? *metadata[row] : CW_LABELS_NONE;
}

/* head_duplicates.c */
bool head_has_row(struct head_stream *stream, const struct cw_push_entry *entry);
/* Tell the stream's table (if there is one) about its row of that number. */
void head_table_add(struct head_stream *stream, uint32_t row);
void head_table_drop(struct head_stream *stream);

/* head_follow.c: a generation begins. The head's lock is held. */
void head_followers_add(struct cw_head *head, struct cw_generation *generation);

/* head_scan.c */
extern const struct cw_source_ops head_source_ops;
struct cw_source *head_source_new(struct cw_generation *generation, struct head_tenant *tenant,
                                  int64_t horizon_ns);

#endif
