/* part_cache.c - a list of slots in order of their use. */
#include "common/store/part_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_part_cache {
    struct cw_memory_budget *budget;
    size_t bytes_max;
    pthread_mutex_t lock; /* guards what follows, and all slots */
    struct cw_cache_slot *newest, *oldest;
    uint64_t uses; /* so far: the clock of slots */
    struct cw_part_cache_counts counts;
};

void *cw_cached_new(size_t bytes)
{
    struct cw_cached *cached = cw_mem_resize(NULL, bytes);
    atomic_init(&cached->refs, 1);
    cached->bytes = bytes;
    return cached;
}

static struct cw_cached *cached_ref(struct cw_cached *cached)
{
    atomic_fetch_add_explicit(&cached->refs, 1, memory_order_relaxed);
    return cached;
}

void cw_cached_unref(struct cw_cached *cached)
{
    if (cached != NULL && atomic_fetch_sub_explicit(&cached->refs, 1, memory_order_acq_rel) == 1)
        free(cached);
}

static void list_push(struct cw_part_cache *cache, struct cw_cache_slot *slot)
{
    slot->newer = NULL;
    slot->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = slot;
    else
        cache->oldest = slot;
    cache->newest = slot;
}

static void list_remove(struct cw_part_cache *cache, struct cw_cache_slot *slot)
{
    *(slot->newer != NULL ? &slot->newer->older : &cache->newest) = slot->older;
    *(slot->older != NULL ? &slot->older->newer : &cache->oldest) = slot->newer;
    slot->newer = slot->older = NULL;
}

/* The cache's reference goes; who holds the item keeps it. */
static void slot_empty(struct cw_part_cache *cache, struct cw_cache_slot *slot)
{
    list_remove(cache, slot);
    cache->counts.bytes -= slot->item->bytes;
    cw_memory_give(cache->budget, CW_MEMORY_CACHES, slot->item->bytes);
    cw_cached_unref(slot->item);
    slot->item = NULL;
}

static void evict_oldest(struct cw_part_cache *cache)
{
    slot_empty(cache, cache->oldest);
    cache->counts.evicted++;
}

/* Somebody else finds no room. */
static void on_need(void *ctx, uint64_t bytes)
{
    struct cw_part_cache *cache = ctx;
    pthread_mutex_lock(&cache->lock);
    uint64_t left = cache->counts.bytes > bytes ? cache->counts.bytes - bytes : 0;
    while (cache->counts.bytes > left)
        evict_oldest(cache);
    pthread_mutex_unlock(&cache->lock);
}

struct cw_part_cache *cw_part_cache_new(size_t bytes_max, struct cw_memory_budget *budget)
{
    struct cw_part_cache *cache = cw_mem_new(sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    cache->bytes_max = bytes_max;
    cache->budget = budget;
    if (budget != NULL)
        cw_memory_budget_on_need(budget, on_need, cache);
    return cache;
}

void cw_part_cache_free(struct cw_part_cache **handle)
{
    struct cw_part_cache *cache = *handle;
    *handle = NULL;
    if (cache == NULL)
        return;
    CW_ASSERT(cache->newest == NULL);
    if (cache->budget != NULL)
        cw_memory_budget_on_need(cache->budget, NULL, NULL);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

struct cw_cached *cw_part_cache_get(struct cw_cache_place place)
{
    struct cw_part_cache *cache = place.cache;
    struct cw_cache_slot *slot = place.slot;
    struct cw_cached *item = NULL;
    if (cache == NULL)
        return NULL;
    pthread_mutex_lock(&cache->lock);
    slot->used_before = slot->used;
    slot->used = ++cache->uses;
    if (slot->item != NULL) {
        list_remove(cache, slot);
        list_push(cache, slot);
        item = cached_ref(slot->item);
        cache->counts.hits++;
    } else {
        cache->counts.misses++;
    }
    pthread_mutex_unlock(&cache->lock);
    return item;
}

/* May the slot's item displace the one that was used longest ago? */
static bool displaces(const struct cw_part_cache *cache, const struct cw_cache_slot *slot)
{
    return cache->oldest != NULL && cache->oldest->used < slot->used_before;
}

bool cw_part_cache_wants(struct cw_cache_place place, size_t bytes)
{
    struct cw_part_cache *cache = place.cache;
    if (cache == NULL || bytes > cache->bytes_max)
        return false;
    pthread_mutex_lock(&cache->lock);
    bool wants = bytes <= cache->bytes_max - cache->counts.bytes || displaces(cache, place.slot);
    pthread_mutex_unlock(&cache->lock);
    return wants;
}

/* Room for an item in the bound and in the budget. */
static bool room_make(struct cw_part_cache *cache, const struct cw_cache_slot *slot, size_t bytes)
{
    if (bytes > cache->bytes_max)
        return false;
    while (bytes > cache->bytes_max - cache->counts.bytes ||
           cw_memory_take(cache->budget, CW_MEMORY_CACHES, bytes, NULL) < 0) {
        if (!displaces(cache, slot))
            return false;
        evict_oldest(cache);
    }
    return true;
}

struct cw_cached *cw_part_cache_put(struct cw_cache_place place, struct cw_cached *item)
{
    struct cw_part_cache *cache = place.cache;
    struct cw_cache_slot *slot = place.slot;
    struct cw_cached *use = item;
    if (cache == NULL)
        return item;
    pthread_mutex_lock(&cache->lock);
    if (slot->item != NULL) {
        use = cached_ref(slot->item);
    } else if (room_make(cache, slot, item->bytes)) {
        slot->item = cached_ref(item);
        list_push(cache, slot);
        cache->counts.bytes += item->bytes;
    }
    pthread_mutex_unlock(&cache->lock);
    if (use != item)
        cw_cached_unref(item);
    return use;
}

int cw_part_cache_fetch(struct cw_cache_place place, size_t bytes, cw_cache_fill_fn fill, void *arg,
                        struct cw_cached **out, struct cw_err *err)
{
    *out = cw_part_cache_get(place);
    if (*out != NULL)
        return 1;
    if (!cw_part_cache_wants(place, bytes))
        return 0;
    struct cw_cached *item = cw_cached_new(bytes);
    int rc = fill(arg, item, err);
    if (rc < 0) {
        cw_cached_unref(item);
        return rc;
    }
    *out = cw_part_cache_put(place, item);
    return 0;
}

void cw_part_cache_drop(struct cw_part_cache *cache, struct cw_cache_slot *slots, size_t n)
{
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < n; i++)
        if (slots[i].item != NULL)
            slot_empty(cache, &slots[i]);
    pthread_mutex_unlock(&cache->lock);
}

void cw_part_cache_count(struct cw_part_cache *cache, struct cw_part_cache_counts *out)
{
    pthread_mutex_lock(&cache->lock);
    *out = cache->counts;
    pthread_mutex_unlock(&cache->lock);
}
