/*
 * part_cache.h - what was decoded of open parts and may be asked again: groups of streams (stream_table.h), TEXT, TIMES and ROWS
 * of blocks, as much as fits in a bound and in the memory budget.
 *
 * What is kept goes again with its part, when others need the memory, or when something displaces it. What was used longest ago goes
 * first, and only for what was itself used after that: who reads more than fits, again and again, finds as much of it as fits,
 * and what is read once displaces nothing. Indexes, which are small and say what need not be read (text_grams.h), displace whatever is
 * none, up to half of the bound; nothing else displaces them.
 *
 * Ownership  An item that is returned is referenced: release it with cw_cached_unref(). Slots are arrays of whoever opens a part,
 *            who drops them before they go; the cache outlives them.
 * Threads    Any; a short lock inside, never held while something is decoded, and none is taken under it.
 */
#ifndef CW_STORE_PART_CACHE_H
#define CW_STORE_PART_CACHE_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/memory_budget.h"

/* First member of what can be kept: one heap block, which does not change. */
struct cw_cached {
    atomic_int refs;
    size_t bytes; /* of the block */
};
/* Born with one reference. Not zeroed. */
void *cw_cached_new(size_t bytes);
/* NULL is fine. The last one frees the block. */
void cw_cached_unref(struct cw_cached *cached);

struct cw_part_cache;
/* One item's place; zeroed by whoever makes it, read and written by the cache alone. */
struct cw_cache_slot {
    struct cw_cached *item;
    struct cw_cache_slot *newer, *older; /* in order of their use, while it has an item */
    uint64_t used, used_before;          /* when it was last asked for, and before that; 0: never */
    bool is_index;                       /* while it has an item */
};
/* Where an item is to be kept; cache NULL: nowhere. */
struct cw_cache_place {
    struct cw_part_cache *cache;
    struct cw_cache_slot *slot;
    bool is_index;
};

/* `budget` (may be NULL) is asked for what is kept, and has it evicted when others need room. */
struct cw_part_cache *cw_part_cache_new(size_t bytes_max, struct cw_memory_budget *budget);
/* All slots are empty, and nobody uses the budget any more. NULL is fine. */
void cw_part_cache_free(struct cw_part_cache **cache);
/* The item, or NULL. */
struct cw_cached *cw_part_cache_get(struct cw_cache_place place);
/* After it was not found: was it asked for before? */
bool cw_part_cache_asked_again(struct cw_cache_place place);
/* After it was not found: would something of so many bytes be kept there? */
bool cw_part_cache_wants(struct cw_cache_place place, size_t bytes);
/* Keep what was just decoded, if it finds room; takes its reference. Returns what is to be used: another thread may have been
 * faster. */
struct cw_cached *cw_part_cache_put(struct cw_cache_place place, struct cw_cached *item);
/* Decode into an item of the `bytes` that were asked for, behind its struct cw_cached. */
typedef int (*cw_cache_fill_fn)(void *arg, struct cw_cached *item, struct cw_err *err);
/* All three: 1, it was there; 0, it is new, or *out is NULL, for it would not be kept; or what `fill` failed with. */
int cw_part_cache_fetch(struct cw_cache_place place, size_t bytes, cw_cache_fill_fn fill, void *arg,
                        struct cw_cached **out, struct cw_err *err) CW_MUST_USE;
/* Empty the slots of a part that is closed. */
void cw_part_cache_drop(struct cw_part_cache *cache, struct cw_cache_slot *slots, size_t n);

struct cw_part_cache_counts {
    uint64_t bytes; /* now */
    uint64_t hits, misses, evicted;
};
void cw_part_cache_count(struct cw_part_cache *cache, struct cw_part_cache_counts *out);

#endif
