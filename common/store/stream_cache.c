/* stream_cache.c - a list of slots in order of their use. */
#include "common/store/stream_cache.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

struct cw_stream_cache {
    pthread_mutex_t lock;
    struct cw_stream_slot *newest, *oldest;
    size_t bytes, bytes_max;
};

struct cw_stream_cache *cw_stream_cache_new(size_t bytes_max)
{
    struct cw_stream_cache *cache = cw_mem_new(sizeof(*cache));
    pthread_mutex_init(&cache->lock, NULL);
    cache->bytes_max = bytes_max;
    return cache;
}

void cw_stream_cache_free(struct cw_stream_cache **handle)
{
    struct cw_stream_cache *cache = *handle;
    *handle = NULL;
    if (cache == NULL)
        return;
    CW_ASSERT(cache->newest == NULL);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static void list_push(struct cw_stream_cache *cache, struct cw_stream_slot *slot)
{
    slot->newer = NULL;
    slot->older = cache->newest;
    if (cache->newest != NULL)
        cache->newest->newer = slot;
    else
        cache->oldest = slot;
    cache->newest = slot;
}

static void list_remove(struct cw_stream_cache *cache, struct cw_stream_slot *slot)
{
    *(slot->newer != NULL ? &slot->newer->older : &cache->newest) = slot->older;
    *(slot->older != NULL ? &slot->older->newer : &cache->oldest) = slot->newer;
    slot->newer = slot->older = NULL;
}

/* The cache's reference goes; who holds the group keeps it. */
static void slot_empty(struct cw_stream_cache *cache, struct cw_stream_slot *slot)
{
    list_remove(cache, slot);
    cache->bytes -= slot->group->bytes;
    cw_stream_group_unref(&slot->group);
}

struct cw_stream_group *cw_stream_cache_get(struct cw_stream_cache *cache,
                                            struct cw_stream_slot *slot)
{
    struct cw_stream_group *group = NULL;
    pthread_mutex_lock(&cache->lock);
    if (slot->group != NULL) {
        list_remove(cache, slot);
        list_push(cache, slot);
        group = cw_stream_group_ref(slot->group);
    }
    pthread_mutex_unlock(&cache->lock);
    return group;
}

struct cw_stream_group *cw_stream_cache_put(struct cw_stream_cache *cache,
                                            struct cw_stream_slot *slot,
                                            struct cw_stream_group *group)
{
    pthread_mutex_lock(&cache->lock);
    if (slot->group == NULL) {
        slot->group = cw_stream_group_ref(group);
        list_push(cache, slot);
        cache->bytes += group->bytes;
        while (cache->bytes > cache->bytes_max)
            slot_empty(cache, cache->oldest);
    } else {
        cw_stream_group_unref(&group);
        group = cw_stream_group_ref(slot->group);
    }
    pthread_mutex_unlock(&cache->lock);
    return group;
}

void cw_stream_cache_drop(struct cw_stream_cache *cache, struct cw_stream_slot *slots, size_t n)
{
    pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < n; i++)
        if (slots[i].group != NULL)
            slot_empty(cache, &slots[i]);
    pthread_mutex_unlock(&cache->lock);
}

size_t cw_stream_cache_bytes(struct cw_stream_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}
