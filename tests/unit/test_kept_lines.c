/* test_kept_lines.c - what is gathered is found, and nothing else; too much is not kept. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    return (struct cw_cache_place){.cache = cache, .slot = &slot};
}

static void gather(uint32_t row, const char *line)
{
    cw_lines_gather(&gathered, row, cw_str_of(line), CW_LABELS_NONE);
}

/* `npairs` pairs of names and values of so many bytes in all. */
static void gather_pairs(uint32_t row, const char *line, size_t npairs, size_t bytes)
{
    struct cw_label *pairs = cw_mem_array(npairs, sizeof(*pairs));
    char *text = cw_mem_new(bytes + 1);
    memset(text, 'p', bytes);
    for (size_t i = 0; i < npairs; i++)
        pairs[i] = (struct cw_label){cw_str_make(text, 0), cw_str_make(text, 0)};
    pairs[0].name = cw_str_make(text, bytes / 2);
    pairs[npairs - 1].value = cw_str_make(text, bytes - bytes / 2);
    cw_lines_gather(&gathered, row, cw_str_of(line), (struct cw_labels){pairs, npairs});
    free(text);
    free(pairs);
}

/* What is kept of the row; `line` NULL: it is not there. */
static void check(uint32_t row, const char *line)
{
    struct cw_cached *item = cw_part_cache_get(place());
    const struct cw_kept_lines *lines = (const void *)item;
    const struct cw_kept_line *found = lines != NULL ? cw_kept_lines_find(lines, row) : NULL;
    cr_assert_eq(found != NULL, line != NULL, "row %u", row);
    if (found != NULL) {
        struct cw_str text = cw_str_make(lines->text + found->offset, found->len);
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
    cw_lines_gather(&gathered, 1, cw_str_make(line, CW_KEPT_LINES_BYTES_MAX), CW_LABELS_NONE);
    gather(2, "");
    cr_expect_not(gathered.too_many);
    gather(3, "z");
    cr_expect(gathered.too_many);
    cw_lines_gathered_keep(&gathered, place());
    check(1, "x");
    free(line);
}

/* The row's metadata as text. */
static void check_metadata(uint32_t row, const char *want)
{
    char text[100] = "";
    struct cw_cached *item = cw_part_cache_get(place());
    cr_assert_not_null(item);
    const struct cw_kept_lines *lines = (const void *)item;
    struct cw_labels pairs = cw_kept_lines_metadata(lines, cw_kept_lines_find(lines, row));
    for (size_t i = 0, at = 0; i < pairs.n; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%.*s=%.*s ",
                               (int)pairs.items[i].name.len, pairs.items[i].name.ptr,
                               (int)pairs.items[i].value.len, pairs.items[i].value.ptr);
    cr_expect_str_eq(text, want, "row %u", row);
    cw_cached_unref(item);
}

Test(kept_lines, metadata_stays_with_its_row)
{
    char level[] = "info"; /* nobody else's memory is needed later */
    struct cw_label pairs[] = {{CW_STR("level"), cw_str_of(level)},
                               {CW_STR("trace"), CW_STR("7af")},
                               {CW_STR("empty"), CW_STR("")}};
    cw_lines_gather(&gathered, 9, CW_STR("nine"), (struct cw_labels){pairs, 2});
    cw_lines_gather(&gathered, 4, CW_STR("four"), CW_LABELS_NONE);
    cw_lines_gather(&gathered, 2, CW_STR(""), (struct cw_labels){pairs + 1, 2});
    memset(level, 'x', sizeof(level) - 1);
    cw_lines_gathered_keep(&gathered, place());
    cw_lines_gathered_clear(&gathered);
    check(9, "nine");
    check_metadata(9, "level=info trace=7af ");
    check(4, "four");
    check_metadata(4, "");
    check(2, "");
    check_metadata(2, "trace=7af empty= ");
    struct cw_part_cache_counts counts;
    cw_part_cache_count(cache, &counts);
    cr_expect_gt(counts.bytes, 4 * sizeof(struct cw_label), "pairs are counted");
}

Test(kept_lines, too_much_metadata_is_not_kept)
{
    gather_pairs(0, "most", CW_KEPT_LINES_PAIRS_MAX - 1, 0);
    gather_pairs(1, "last", 1, 10);
    cr_expect_not(gathered.too_many);
    gather_pairs(2, "more", 1, 0);
    cr_expect(gathered.too_many);
    cw_lines_gathered_clear(&gathered);
    gather_pairs(3, "half", 2, CW_KEPT_LINES_BYTES_MAX / 2);
    gather_pairs(4, "rest", 1, CW_KEPT_LINES_BYTES_MAX / 2 - 2 * strlen("rest"));
    cr_expect_not(gathered.too_many);
    cr_expect_eq(gathered.text.len, CW_KEPT_LINES_BYTES_MAX);
    gather_pairs(5, "", 1, 1);
    cr_expect(gathered.too_many);
    cw_lines_gathered_keep(&gathered, place());
    check(3, NULL);
}

Test(kept_lines, memory_that_is_refused_keeps_nothing)
{
    cw_part_cache_free(&cache);
    cache = cw_part_cache_new(200, NULL);
    gather_pairs(1, "one", 5, 100);
    cw_lines_gathered_keep(&gathered, place());
    check(1, NULL);
}

Test(kept_lines, without_a_cache_nothing_is_kept)
{
    gather(1, "one");
    cw_lines_gathered_keep(&gathered, (struct cw_cache_place){0});
    check(1, NULL);
}
