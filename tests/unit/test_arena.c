#include <criterion/criterion.h>

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/arena.h"

Test(arena, everything_is_aligned_and_apart)
{
    struct cw_arena *arena = cw_arena_new();
    char *last = NULL;
    for (size_t size = 0; size < 3000; size++) {
        char *at = cw_arena_alloc(arena, size);
        cr_assert_eq((uintptr_t)at % 16, 0);
        memset(at, (int)size, size);
        if (last != NULL && size > 1)
            cr_assert_eq(last[size - 2], (char)(size - 1));
        last = at;
    }
    cw_arena_free(&arena);
    cr_assert_null(arena);
    cw_arena_free(&arena);
}

Test(arena, sizes_larger_than_a_block_fit)
{
    struct cw_arena *arena = cw_arena_new();
    char *big = cw_arena_alloc(arena, 10 << 20);
    memset(big, 1, 10 << 20);
    char *small = cw_arena_calloc(arena, 3, 5);
    for (int i = 0; i < 15; i++)
        cr_assert_eq(small[i], 0);
    cr_assert_geq(cw_arena_bytes(arena), 10 << 20);
    cw_arena_free(&arena);
}

Test(arena, reset_keeps_one_block_only)
{
    struct cw_arena *arena = cw_arena_new();
    cw_arena_reset(arena);
    cw_arena_alloc(arena, 100);
    cw_arena_alloc(arena, 1 << 20);
    cw_arena_alloc(arena, 100);
    cw_arena_reset(arena);
    size_t held = cw_arena_bytes(arena);
    cr_assert_geq(held, 1 << 20);
    cr_assert_lt(held, (1 << 20) + 8192);
    memset(cw_arena_alloc(arena, 1 << 20), 7, 1 << 20);
    cr_assert_eq(cw_arena_bytes(arena), held);
    cw_arena_free(&arena);
}

Test(arena, a_round_like_the_one_before_finds_room_in_what_reset_kept)
{
    struct cw_arena *arena = cw_arena_new();
    size_t held = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++)
            memset(cw_arena_alloc(arena, 100), 1, 100);
        cr_expect(round == 0 || cw_arena_bytes(arena) == held, "round %d", round);
        cw_arena_reset(arena);
        held = cw_arena_bytes(arena);
        cr_assert_geq(held, 3000 * 112);
    }
    cw_arena_free(&arena);
}

Test(arena, copies_and_formats_end_with_nul)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_str copy = cw_arena_dup(arena, cw_str_make("abcdef", 3));
    cr_assert_str_eq(copy.ptr, "abc");
    cr_assert_eq(copy.len, 3);
    cr_assert_str_eq(cw_arena_dup(arena, CW_STR_NONE).ptr, "");
    cr_assert_str_eq(cw_arena_printf(arena, "%d/%s", 3, "x").ptr, "3/x");
    struct cw_str wide = cw_arena_printf(arena, "%1000d", 7);
    cr_assert_eq(wide.len, 1000);
    cr_assert_eq(wide.ptr[999], '7');
    cr_assert_eq(wide.ptr[1000], '\0');
    cw_arena_free(&arena);
}

Test(arena, arrays_grow_and_keep_their_elements)
{
    struct cw_arena *arena = cw_arena_new();
    int *numbers = NULL;
    size_t cap = 0;
    for (size_t n = 0; n < 10000; n++) {
        numbers = cw_arena_grow(arena, numbers, n, &cap, n + 1, sizeof *numbers);
        numbers[n] = (int)n;
    }
    for (int n = 0; n < 10000; n++)
        cr_assert_eq(numbers[n], n);
    cw_arena_free(&arena);
}

Test(arena, an_overflowing_size_aborts, .signal = SIGABRT)
{
    struct cw_arena *arena = cw_arena_new();
    cw_arena_calloc(arena, SIZE_MAX / 2, 3);
}

Test(arena, heap_memory_is_zeroed_and_never_null)
{
    int *numbers = cw_mem_array(10, sizeof *numbers);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(numbers[i], 0);
    numbers = cw_mem_resize(numbers, 1000);
    cr_assert_eq(numbers[9], 0);
    free(numbers);
    void *none = cw_mem_new(0);
    cr_assert_not_null(none);
    free(none);
}

static int grant(void *ctx, size_t bytes)
{
    size_t *left = ctx;
    if (bytes > *left)
        return CW_E_OVERLOAD;
    *left -= bytes;
    return 0;
}

Test(arena, a_refusal_of_memory_is_told_and_the_arena_goes_on)
{
    struct cw_arena *arena = cw_arena_new();
    size_t left = 100000;
    cw_arena_watch(arena, grant, &left);
    for (int i = 0; i < 50; i++)
        cw_arena_alloc(arena, 1000);
    cr_assert_eq(cw_arena_refused(arena), 0);
    cr_assert_leq(left, 100000 - 50 * 1000);
    cr_assert_geq(100000 - left + sizeof(void *) * 10, cw_arena_bytes(arena) - 100);
    char *large = cw_arena_alloc(arena, 1 << 20);
    memset(large, 1, 1 << 20);
    cr_assert_eq(cw_arena_refused(arena), CW_E_OVERLOAD);
    cw_arena_watch(arena, NULL, NULL);
    cr_assert_eq(cw_arena_refused(arena), 0);
    cw_arena_free(&arena);
}
