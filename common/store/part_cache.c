/* part_cache.c - two lists of slots, each in order of their use: indexes, and what is none. */
#include "common/store/part_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

/* Indexes may take one part in so many of the bound. */
enum { INDEX_SHARE = 2 };

struct list {
    struct cw_cache_slot *newest, *oldest;
    size_t bytes;
};

struct cw_part_cache {
    struct cw_memory_budget *budget;
    size_t bytes_max;
    pthread_mutex_t lock; /* guards what follows, and all slots */
    struct list items, indexes;
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

static struct list *list_of(struct cw_part_cache *cache, bool is_index)
{
    return is_index ? &cache->indexes : &cache->items;
}

static void list_push(struct list *list, struct cw_cache_slot *slot)
{
    slot->newer = NULL;
    slot->older = list->newest;
    if (list->newest != NULL)
        list->newest->newer = slot;
    else
        list->oldest = slot;
    list->newest = slot;
}

static void list_remove(struct list *list, struct cw_cache_slot *slot)
{
    *(slot->newer != NULL ? &slot->newer->older : &list->newest) = slot->older;
    *(slot->older != NULL ? &slot->older->newer : &list->oldest) = slot->newer;
    slot->newer = slot->older = NULL;
}

static void slot_fill(struct cw_part_cache *cache, struct cw_cache_place place,
                      struct cw_cached *item)
{
    struct list *list = list_of(cache, place.is_index);
    place.slot->item = item;
    place.slot->is_index = place.is_index;
    list_push(list, place.slot);
    list->bytes += item->bytes;
    cache->counts.bytes += item->bytes;
}

/* The cache's reference goes; who holds the item keeps it. */
static void slot_empty(struct cw_part_cache *cache, struct cw_cache_slot *slot)
{
    struct list *list = list_of(cache, slot->is_index);
    list_remove(list, slot);
    list->bytes -= slot->item->bytes;
    cache->counts.bytes -= slot->item->bytes;
    cw_memory_give(cache->budget, CW_MEMORY_CACHES, slot->item->bytes);
    cw_cached_unref(slot->item);
    slot->item = NULL;
}

static void evict_oldest(struct cw_part_cache *cache, struct list *list)
{
    slot_empty(cache, list->oldest);
    cache->counts.evicted++;
}

/* Somebody else finds no room. */
static void on_need(void *ctx, uint64_t bytes)
{
    struct cw_part_cache *cache = ctx;
    pthread_mutex_lock(&cache->lock);
    uint64_t left = cache->counts.bytes > bytes ? cache->counts.bytes - bytes : 0;
    while (cache->counts.bytes > left)
        evict_oldest(cache, list_of(cache, cache->items.oldest == NULL));
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
    CW_ASSERT(cache->items.newest == NULL && cache->indexes.newest == NULL);
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
        struct list *list = list_of(cache, slot->is_index);
        list_remove(list, slot);
        list_push(list, slot);
        item = cached_ref(slot->item);
        cache->counts.hits++;
    } else {
        cache->counts.misses++;
    }
    pthread_mutex_unlock(&cache->lock);
    return item;
}

bool cw_part_cache_asked_again(struct cw_cache_place place)
{
    if (place.cache == NULL)
        return false;
    pthread_mutex_lock(&place.cache->lock);
    bool again = place.slot->used_before != 0;
    pthread_mutex_unlock(&place.cache->lock);
    return again;
}

/* What others leave to the list. */
static size_t room_of(const struct cw_part_cache *cache, bool is_index)
{
    return is_index ? cache->bytes_max / INDEX_SHARE : cache->bytes_max - cache->indexes.bytes;
}

/* May the slot's item displace the one of the list that was used longest ago? */
static bool displaces(const struct list *list, const struct cw_cache_slot *slot)
{
    return list->oldest != NULL && list->oldest->used < slot->used_before;
}

bool cw_part_cache_wants(struct cw_cache_place place, size_t bytes)
{
    struct cw_part_cache *cache = place.cache;
    if (cache == NULL)
        return false;
    pthread_mutex_lock(&cache->lock);
    const struct list *list = list_of(cache, place.is_index);
    size_t room = room_of(cache, place.is_index);
    bool wants = bytes <= room && (bytes <= room - list->bytes || displaces(list, place.slot));
    pthread_mutex_unlock(&cache->lock);
    return wants;
}

/* Room for an item in the bound and in the budget. */
static bool room_make(struct cw_part_cache *cache, struct cw_cache_place place, size_t bytes)
{
    struct list *own = list_of(cache, place.is_index);
    size_t room = room_of(cache, place.is_index);
    if (bytes > room)
        return false;
    while (bytes > room - own->bytes || bytes > cache->bytes_max - cache->counts.bytes ||
           cw_memory_take(cache->budget, CW_MEMORY_CACHES, bytes, NULL) < 0) {
        if (place.is_index && bytes <= room - own->bytes && cache->items.oldest != NULL)
            evict_oldest(cache, &cache->items);
        else if (displaces(own, place.slot))
            evict_oldest(cache, own);
        else
            return false;
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
    } else if (room_make(cache, place, item->bytes)) {
        slot_fill(cache, place, cached_ref(item));
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
