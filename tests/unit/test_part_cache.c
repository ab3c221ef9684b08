/* test_part_cache.c - what stays, what goes, and for whom. */
#include <criterion/criterion.h>

#include "common/store/part_cache.h"

enum { ITEM_BYTES = 1000 };

struct item {
    struct cw_cached base;
    uint32_t number;
    char rest[ITEM_BYTES - sizeof(struct cw_cached) - sizeof(uint32_t)];
};

static struct cw_part_cache *cache;
static struct cw_cache_slot slots[100];
static struct cw_memory_budget budget;

static void teardown(void)
{
    cw_part_cache_drop(cache, slots, 100);
    cw_part_cache_free(&cache);
}

TestSuite(part_cache, .fini = teardown);

static void cache_make(size_t items, struct cw_memory_budget *budget)
{
    cache = cw_part_cache_new(items * ITEM_BYTES, budget);
}

static struct cw_cache_place place(uint32_t i)
{
    return (struct cw_cache_place){.cache = cache, .slot = &slots[i]};
}

static struct cw_cache_place index_place(uint32_t i)
{
    return (struct cw_cache_place){.cache = cache, .slot = &slots[i], .is_index = true};
}

static struct cw_cached *item_new(uint32_t number)
{
    struct item *item = cw_cached_new(sizeof(*item));
    item->number = number;
    return &item->base;
}

/* As a reader does: was it there? */
static bool use_at(struct cw_cache_place at, uint32_t i)
{
    struct cw_cached *item = cw_part_cache_get(at);
    bool found = item != NULL;
    if (!found)
        item = cw_part_cache_put(at, item_new(i));
    cr_assert_eq(((struct item *)item)->number, i);
    cw_cached_unref(item);
    return found;
}

static bool use(uint32_t i)
{
    return use_at(place(i), i);
}

static bool use_index(uint32_t i)
{
    return use_at(index_place(i), i);
}

static struct cw_part_cache_counts counts(void)
{
    struct cw_part_cache_counts c;
    cw_part_cache_count(cache, &c);
    return c;
}

/* Without using it. */
static bool is_kept(uint32_t i)
{
    return slots[i].item != NULL;
}

Test(part_cache, what_was_used_longest_ago_goes_for_what_is_asked_again)
{
    cache_make(3, NULL);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_not(use(i));
    cr_assert_not(use(3));
    cr_assert(use(0));
    cr_assert(use(2));
    cr_assert_not(use(3), "it was not kept: nothing was used before it was");
    cr_assert(use(3));
    cr_expect(is_kept(0));
    cr_expect_not(is_kept(1), "it was used longest ago, before 3 was first");
    cr_expect(is_kept(2));
    cr_expect_eq(counts().bytes, 3 * ITEM_BYTES);
    cr_expect_eq(counts().evicted, 1);
    cr_expect_eq(counts().hits, 3);
    cr_expect_eq(counts().misses, 5);
}

Test(part_cache, who_reads_more_than_fits_again_and_again_finds_what_fits)
{
    cache_make(40, NULL);
    size_t found = 0;
    for (uint32_t round = 0; round < 5; round++)
        for (uint32_t i = 0; i < 100; i++)
            found += use(i);
    cr_expect_eq(found, 4 * 40);
    cr_expect_eq(counts().evicted, 0);
}

Test(part_cache, what_is_asked_no_more_makes_room_for_what_is)
{
    cache_make(40, NULL);
    for (uint32_t i = 0; i < 40; i++)
        use(i);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 40; i < 80; i++)
            use(i);
    for (uint32_t i = 40; i < 80; i++)
        cr_expect(use(i));
}

Test(part_cache, what_will_not_be_kept_is_told_before_it_is_decoded)
{
    cache_make(2, NULL);
    cr_expect_null(cw_part_cache_get(place(0)));
    cr_expect(cw_part_cache_wants(place(0), 2 * ITEM_BYTES));
    cr_expect_not(cw_part_cache_wants(place(0), 2 * ITEM_BYTES + 1));
    use(0);
    use(1);
    cr_expect_null(cw_part_cache_get(place(2)));
    cr_expect_not(cw_part_cache_wants(place(2), ITEM_BYTES));
    cr_expect_null(cw_part_cache_get(place(2)));
    use(1);
    cr_expect_not(cw_part_cache_wants((struct cw_cache_place){0}, 1));
}

Test(part_cache, an_item_that_is_held_outlives_its_place)
{
    cache_make(1, NULL);
    struct cw_cached *held = cw_part_cache_put(place(0), item_new(0));
    cr_expect(is_kept(0));
    cw_part_cache_drop(cache, slots, 1);
    cr_expect_not(is_kept(0));
    cr_expect_eq(atomic_load(&held->refs), 1);
    cr_expect_eq(((struct item *)held)->number, 0);
    cw_cached_unref(held);
}

Test(part_cache, of_two_that_decode_the_same_the_first_is_kept)
{
    cache_make(10, NULL);
    struct cw_cached *a = cw_part_cache_put(place(0), item_new(0));
    struct cw_cached *b = cw_part_cache_put(place(0), item_new(0));
    cr_expect_eq(a, b);
    cr_expect_eq(counts().bytes, ITEM_BYTES);
    cw_cached_unref(a);
    cw_cached_unref(b);
}

Test(part_cache, one_that_keeps_nothing_still_gives_what_it_was_given)
{
    cache_make(0, NULL);
    cr_expect_not(use(0));
    cr_expect_not(use(0));
    struct cw_cached *item = cw_part_cache_put((struct cw_cache_place){0}, item_new(7));
    cr_expect_eq(((struct item *)item)->number, 7);
    cw_cached_unref(item);
}

Test(part_cache, what_it_keeps_is_of_the_memory_budget)
{
    cw_memory_budget_init(&budget, 5 * ITEM_BYTES);
    cache_make(10, &budget);
    for (uint32_t i = 0; i < 8; i++)
        use(i);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_CACHES), 5 * ITEM_BYTES);
    cr_expect_eq(counts().bytes, 5 * ITEM_BYTES);
    cw_part_cache_drop(cache, slots, 100);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_CACHES), 0);
}

Test(part_cache, others_get_the_memory_before_they_are_refused)
{
    struct cw_err err;
    cw_memory_budget_init(&budget, 5 * ITEM_BYTES);
    cache_make(5, &budget);
    for (uint32_t i = 0; i < 5; i++)
        use(i);
    cr_assert_eq(cw_memory_take(&budget, CW_MEMORY_QUERIES, 2 * ITEM_BYTES - 1, &err), 0);
    cr_expect_not(is_kept(0));
    cr_expect_not(is_kept(1));
    cr_expect(is_kept(2));
    cw_memory_add(&budget, CW_MEMORY_HEAD, 2 * ITEM_BYTES);
    cr_expect_not(is_kept(3));
    cr_expect(is_kept(4));
    cr_expect_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, 6 * ITEM_BYTES, &err), CW_E_OVERLOAD);
    cr_expect(is_kept(4), "for what can never be had nothing is evicted");
    cr_expect_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, 2 * ITEM_BYTES, &err), CW_E_OVERLOAD);
    cr_expect_eq(counts().bytes, 0);
    cr_expect_eq(cw_memory_take(&budget, CW_MEMORY_PUSHES, ITEM_BYTES, &err), 0);
    cr_expect_not(use(4));
    cr_expect_eq(counts().bytes, 0, "there is no room to keep it");
}

Test(part_cache, an_index_displaces_what_is_none_up_to_half_of_the_bound)
{
    cache_make(10, NULL);
    for (uint32_t i = 0; i < 10; i++)
        use(i);
    for (uint32_t i = 50; i < 60; i++) {
        cr_expect_eq(cw_part_cache_wants(index_place(i), ITEM_BYTES), i < 55);
        cr_expect_not(use_index(i));
    }
    for (uint32_t i = 0; i < 10; i++)
        cr_expect_eq(is_kept(i), i >= 5, "%u: what was used longest ago goes first", i);
    for (uint32_t i = 50; i < 60; i++)
        cr_expect_eq(is_kept(i), i < 55);
    cr_expect_eq(counts().bytes, 10 * ITEM_BYTES);
    cr_expect_eq(counts().evicted, 5);
    cr_expect_not(cw_part_cache_wants(index_place(60), 5 * ITEM_BYTES + 1));
}

Test(part_cache, nothing_but_an_index_displaces_one)
{
    cache_make(10, NULL);
    for (uint32_t i = 50; i < 55; i++)
        use_index(i);
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 10; i++)
            use(i);
    cr_expect_not(cw_part_cache_wants(place(20), 5 * ITEM_BYTES + 1));
    for (uint32_t i = 50; i < 55; i++)
        cr_expect(is_kept(i));
    use_index(60);
    cr_expect_not(is_kept(60), "it was never asked for before");
    use_index(60);
    cr_expect(is_kept(60));
    cr_expect_not(is_kept(50));
    cr_expect(use_index(54));
}

Test(part_cache, who_needs_memory_gets_that_of_indexes_last)
{
    cw_memory_budget_init(&budget, 6 * ITEM_BYTES);
    cache_make(6, &budget);
    for (uint32_t i = 50; i < 53; i++)
        use_index(i);
    for (uint32_t i = 0; i < 3; i++)
        use(i);
    cw_memory_add(&budget, CW_MEMORY_HEAD, 4 * ITEM_BYTES);
    for (uint32_t i = 0; i < 3; i++)
        cr_expect_not(is_kept(i));
    cr_expect_not(is_kept(50));
    cr_expect(is_kept(51));
    cr_expect_not(use_index(50), "the budget has no room, and nothing was used before");
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_CACHES), 2 * ITEM_BYTES);
    cw_part_cache_drop(cache, slots, 100);
    cr_expect_eq(cw_memory_used(&budget, CW_MEMORY_CACHES), 0);
}

Test(part_cache, it_knows_what_was_asked_for_again)
{
    cache_make(0, NULL);
    cr_expect_null(cw_part_cache_get(place(3)));
    cr_expect_not(cw_part_cache_asked_again(place(3)));
    cr_expect_null(cw_part_cache_get(place(3)));
    cr_expect(cw_part_cache_asked_again(place(3)));
    cr_expect_not(cw_part_cache_asked_again((struct cw_cache_place){0}));
}
