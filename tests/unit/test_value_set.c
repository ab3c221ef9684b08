#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/engine/value_set.h"

static struct cw_str number(char *text, size_t size, unsigned i)
{
    return cw_str_make(text, (size_t)snprintf(text, size, "%u", i));
}

Test(value_set, has_what_was_added_and_nothing_else)
{
    enum { N = 1000 };
    struct cw_arena *arena = cw_arena_new();
    struct cw_value_set *set = cw_value_set_new(arena, N);
    char text[16];
    for (unsigned i = 0; i < N; i++)
        cw_value_set_add(set, number(text, sizeof text, 2 * i));
    cw_value_set_add(set, CW_STR("0")); /* it is there */
    for (unsigned i = 0; i < 2 * N; i++)
        cr_expect_eq(cw_value_set_has(set, number(text, sizeof text, i)), i % 2 == 0, "%u", i);
    cr_expect_not(cw_value_set_has(set, CW_STR("")));
    cw_arena_free(&arena);
}

Test(value_set, an_empty_one_has_nothing)
{
    struct cw_arena *arena = cw_arena_new();
    const struct cw_value_set *set = cw_value_set_new(arena, 0);
    cr_expect_not(cw_value_set_has(set, CW_STR("a")));
    cr_expect_not(cw_value_set_has(set, CW_STR("")));
    cw_arena_free(&arena);
}
