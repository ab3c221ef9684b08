#include <criterion/criterion.h>

#include "common/base/arena.h"
#include "common/store/stream_cache.h"

enum { GROUP_BYTES = 1000 };

static struct cw_stream_group *group_new(uint32_t first)
{
    struct cw_stream_group *group = cw_mem_new(sizeof(*group));
    atomic_init(&group->refs, 1);
    group->first = first;
    group->bytes = GROUP_BYTES;
    return group;
}

static void put(struct cw_stream_cache *cache, struct cw_stream_slot *slots, uint32_t i)
{
    struct cw_stream_group *group = cw_stream_cache_put(cache, &slots[i], group_new(i));
    cw_stream_group_unref(&group);
}

static bool has(struct cw_stream_cache *cache, struct cw_stream_slot *slots, uint32_t i)
{
    struct cw_stream_group *group = cw_stream_cache_get(cache, &slots[i]);
    bool found = group != NULL;
    cr_assert(!found || group->first == i);
    cw_stream_group_unref(&group);
    return found;
}

Test(stream_cache, what_was_used_longest_ago_goes_when_it_is_full)
{
    struct cw_stream_cache *cache = cw_stream_cache_new(3 * GROUP_BYTES);
    struct cw_stream_slot slots[5] = {0};
    for (uint32_t i = 0; i < 3; i++)
        put(cache, slots, i);
    cr_assert(has(cache, slots, 0));
    put(cache, slots, 3);
    cr_expect(has(cache, slots, 0));
    cr_expect_not(has(cache, slots, 1));
    cr_expect(has(cache, slots, 2));
    cr_expect(has(cache, slots, 3));
    cr_expect_eq(cw_stream_cache_bytes(cache), 3 * GROUP_BYTES);
    cw_stream_cache_drop(cache, slots, 5);
    cr_expect_eq(cw_stream_cache_bytes(cache), 0);
    cr_expect_not(has(cache, slots, 0));
    cw_stream_cache_free(&cache);
}

Test(stream_cache, a_group_that_is_held_outlives_its_place)
{
    struct cw_stream_cache *cache = cw_stream_cache_new(GROUP_BYTES);
    struct cw_stream_slot slots[2] = {0};
    struct cw_stream_group *held = cw_stream_cache_put(cache, &slots[0], group_new(0));
    put(cache, slots, 1);
    cr_expect_not(has(cache, slots, 0));
    cr_expect_eq(atomic_load(&held->refs), 1);
    cr_expect_eq(held->first, 0);
    cw_stream_group_unref(&held);
    cw_stream_cache_drop(cache, slots, 2);
    cw_stream_cache_free(&cache);
}

Test(stream_cache, of_two_that_decode_the_same_group_the_first_is_kept)
{
    struct cw_stream_cache *cache = cw_stream_cache_new(10 * GROUP_BYTES);
    struct cw_stream_slot slot = {0};
    struct cw_stream_group *a = cw_stream_cache_put(cache, &slot, group_new(0));
    struct cw_stream_group *b = cw_stream_cache_put(cache, &slot, group_new(0));
    cr_expect_eq(a, b);
    cr_expect_eq(cw_stream_cache_bytes(cache), GROUP_BYTES);
    cw_stream_group_unref(&a);
    cw_stream_group_unref(&b);
    cw_stream_cache_drop(cache, &slot, 1);
    cw_stream_cache_free(&cache);
}

Test(stream_cache, one_that_keeps_nothing_still_gives_what_it_was_given)
{
    struct cw_stream_cache *cache = cw_stream_cache_new(0);
    struct cw_stream_slot slot = {0};
    struct cw_stream_group *group = cw_stream_cache_put(cache, &slot, group_new(0));
    cr_expect_eq(atomic_load(&group->refs), 1);
    cw_stream_group_unref(&group);
    cr_expect_not(has(cache, &slot, 0));
    cw_stream_cache_free(&cache);
}
