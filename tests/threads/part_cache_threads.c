/*
 * part_cache_threads.c - readers, parts that come and go, and others who need the memory, at once on one cache: for the thread
 * sanitizer. What a reader holds is what was put there, whatever happens to its place meanwhile.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/store/part_cache.h"
#include "tests/threads/check.h"

enum { READERS = 4, SLOTS = 64, ROUNDS = 20000, ITEM_BYTES = 256, MEMORY = SLOTS / 2 * ITEM_BYTES };

struct item {
    struct cw_cached base;
    size_t number;
    char rest[ITEM_BYTES - sizeof(struct cw_cached) - sizeof(size_t)];
};
_Static_assert(sizeof(struct item) == ITEM_BYTES, "items fill the budget");

static struct cw_part_cache *cache;
static struct cw_memory_budget budget;
static struct cw_cache_slot slots[SLOTS];
static atomic_bool done;

static int fill(void *arg, struct cw_cached *item, struct cw_err *err)
{
    (void)err;
    ((struct item *)item)->number = *(size_t *)arg;
    return 0;
}

/* Every fourth is an index. */
static struct cw_cache_place place_of(size_t number)
{
    return (struct cw_cache_place){
        .cache = cache, .slot = &slots[number], .is_index = number % 4 == 0};
}

static void *reader(void *arg)
{
    unsigned seed = (unsigned)(size_t)arg;
    struct cw_cached *held = NULL;
    size_t held_number = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t number = (size_t)rand_r(&seed) % SLOTS;
        struct cw_cached *item;
        struct cw_err err;
        CHECK(cw_part_cache_fetch(place_of(number), ITEM_BYTES, fill, &number, &item, &err) >= 0);
        if (item == NULL)
            (void)cw_part_cache_asked_again(place_of(number));
        if (held != NULL)
            CHECK(((struct item *)held)->number == held_number);
        if (item == NULL)
            continue;
        CHECK(((struct item *)item)->number == number);
        cw_cached_unref(held);
        held = item;
        held_number = number;
    }
    cw_cached_unref(held);
    return NULL;
}

/* Parts that are closed. */
static void *closer(void *arg)
{
    (void)arg;
    for (size_t i = 0; !atomic_load(&done); i = (i + 8) % SLOTS)
        cw_part_cache_drop(cache, &slots[i], 8);
    return NULL;
}

static void *presser(void *arg)
{
    (void)arg;
    while (!atomic_load(&done)) {
        if (cw_memory_take(&budget, CW_MEMORY_QUERIES, MEMORY / 2, NULL) == 0)
            cw_memory_give(&budget, CW_MEMORY_QUERIES, MEMORY / 2);
        cw_memory_add(&budget, CW_MEMORY_HEAD, MEMORY);
        cw_memory_give(&budget, CW_MEMORY_HEAD, MEMORY);
    }
    return NULL;
}

int main(void)
{
    pthread_t readers[READERS], closing, pressing;
    struct cw_part_cache_counts counts;
    cw_memory_budget_init(&budget, MEMORY);
    cache = cw_part_cache_new(MEMORY, &budget);
    for (size_t i = 0; i < READERS; i++)
        CHECK(pthread_create(&readers[i], NULL, reader, (void *)(i + 1)) == 0);
    CHECK(pthread_create(&closing, NULL, closer, NULL) == 0);
    CHECK(pthread_create(&pressing, NULL, presser, NULL) == 0);
    for (size_t i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    atomic_store(&done, true);
    pthread_join(closing, NULL);
    pthread_join(pressing, NULL);
    cw_part_cache_count(cache, &counts);
    CHECK(counts.misses > 0 && counts.hits + counts.misses == (uint64_t)READERS * ROUNDS);
    CHECK(counts.bytes == cw_memory_used(&budget, CW_MEMORY_CACHES));
    cw_part_cache_drop(cache, slots, SLOTS);
    CHECK(cw_memory_used(&budget, CW_MEMORY_CACHES) == 0);
    cw_part_cache_free(&cache);
    return 0;
}
