/*
 * stream_cache.h - decoded groups of streams (stream_table.h) of all open parts, as many as fit in a bound.
 *
 * A part of a million streams is some 300 MB of decoded labels, so a group lives as long as somebody holds it or the cache has
 * room for it; what was used longest ago goes first. A part's slots are its own array: slot i is group i.
 *
 * Ownership  A group that is returned is referenced: release it with cw_stream_group_unref(). The cache outlives the slots.
 * Threads    Any; a short lock inside, never held while a group is decoded.
 */
#ifndef CW_STORE_STREAM_CACHE_H
#define CW_STORE_STREAM_CACHE_H
#include <stddef.h>
#include "common/store/stream_table.h"

struct cw_stream_cache;
/* One group's place; zeroed by whoever makes it, read and written by the cache alone. */
struct cw_stream_slot {
    struct cw_stream_group *group;
    struct cw_stream_slot *newer, *older; /* in order of their use, while it has a group */
};

struct cw_stream_cache *cw_stream_cache_new(size_t bytes_max);
/* All slots are emptied before. NULL is fine. */
void cw_stream_cache_free(struct cw_stream_cache **cache);
/* The slot's group, or NULL. */
struct cw_stream_group *cw_stream_cache_get(struct cw_stream_cache *cache,
                                            struct cw_stream_slot *slot);
/* Keep a group that was just decoded; takes its reference. Returns what is to be used: another thread may have been faster. */
struct cw_stream_group *cw_stream_cache_put(struct cw_stream_cache *cache,
                                            struct cw_stream_slot *slot,
                                            struct cw_stream_group *group);
/* Empty the slots of a part that is closed. */
void cw_stream_cache_drop(struct cw_stream_cache *cache, struct cw_stream_slot *slots, size_t n);
/* Of the groups that it keeps. */
size_t cw_stream_cache_bytes(struct cw_stream_cache *cache);

#endif
