/* test_kept_lines.c - what is gathered is found, and nothing else; too much is not kept. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/store/kept_lines.h"

static struct cw_part_cache *cache;
static struct cw_cache_slot slot;
static struct cw_lines_gathered gathered;

static void setup(void)
{
    cache = cw_part_cache_new(1 << 20, NULL);
    cw_lines_gathered_init(&gathered);
}

static void teardown(void)
{
    cw_lines_gathered_fini(&gathered);
    cw_part_cache_drop(cache, &slot, 1);
    cw_part_cache_free(&cache);
}

TestSuite(kept_lines, .init = setup, .fini = teardown);

static struct cw_cache_place place(void)
{
    return (struct cw_cache_place){cache, &slot};
}

static void gather(uint32_t row, const char *line)
{
    cw_lines_gather(&gathered, row, cw_str_of(line));
}

/* What is kept of the row; `line` NULL: it is not there. */
static void check(uint32_t row, const char *line)
{
    struct cw_cached *item = cw_part_cache_get(place());
    const struct cw_kept_lines *lines = (const void *)item;
    const struct cw_kept_line *found = lines != NULL ? cw_kept_lines_find(lines, row) : NULL;
    cr_assert_eq(found != NULL, line != NULL, "row %u", row);
    if (found != NULL) {
        struct cw_str text = cw_str_make(cw_kept_lines_text(lines) + found->offset, found->len);
        cr_expect(cw_str_eqz(text, line), "row %u", row);
    }
    cw_cached_unref(item);
}

Test(kept_lines, rows_are_found_whatever_the_order_they_came_in)
{
    gather(700, "seven");
    gather(701, "");
    gather(3, "three");
    gather(0, "none");
    cw_lines_gathered_keep(&gathered, place());
    check(0, "none");
    check(3, "three");
    check(700, "seven");
    check(701, "");
    check(1, NULL);
    check(699, NULL);
    check(UINT32_MAX, NULL);
}

Test(kept_lines, later_rows_take_the_place_of_earlier_ones)
{
    gather(1, "one");
    cw_lines_gathered_keep(&gathered, place());
    cw_lines_gathered_clear(&gathered);
    gather(2, "two");
    cw_lines_gathered_keep(&gathered, place());
    check(1, NULL);
    check(2, "two");
    cw_lines_gathered_clear(&gathered);
    cw_lines_gathered_keep(&gathered, place()); /* of nothing: what is there stays */
    check(2, "two");
}

Test(kept_lines, too_many_rows_or_bytes_are_not_kept)
{
    char *line = cw_mem_new(CW_KEPT_LINES_BYTES_MAX + 1);
    for (uint32_t i = 0; i < CW_KEPT_LINES_MAX; i++)
        gather(i, "x");
    cw_lines_gathered_keep(&gathered, place());
    check(CW_KEPT_LINES_MAX - 1, "x");
    cw_lines_gathered_clear(&gathered);
    for (uint32_t i = 0; i <= CW_KEPT_LINES_MAX; i++)
        gather(i, "y");
    cw_lines_gathered_keep(&gathered, place());
    check(0, "x");
    cw_lines_gathered_clear(&gathered);
    cw_lines_gather(&gathered, 1, cw_str_make(line, CW_KEPT_LINES_BYTES_MAX));
    gather(2, "");
    cr_expect_not(gathered.too_many);
    gather(3, "z");
    cr_expect(gathered.too_many);
    cw_lines_gathered_keep(&gathered, place());
    check(1, "x");
    free(line);
}

Test(kept_lines, without_a_cache_nothing_is_kept)
{
    gather(1, "one");
    cw_lines_gathered_keep(&gathered, (struct cw_cache_place){0});
    check(1, NULL);
}
