#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/cli/page_edge.h"

static struct cw_page_edge edge;

static void teardown(void)
{
    cw_page_edge_fini(&edge);
}

TestSuite(page_edge, .fini = teardown);

/* An entry of the stream {app="<app>"}. */
static bool take(int64_t ts_ns, const char *app, const char *line)
{
    struct cw_label pair = {CW_STR("app"), cw_str_of(app)};
    return cw_page_edge_take(&edge, ts_ns, (struct cw_labels){&pair, 1}, cw_str_of(line));
}

Test(page_edge, entries_of_the_last_time_come_again_once)
{
    cr_assert(take(1, "a", "x"));
    cr_assert(take(2, "a", "x"));
    cr_assert(take(2, "a", "y"));
    cw_page_edge_turn(&edge);
    cr_assert_not(take(2, "a", "x"));
    cr_assert_not(take(2, "a", "y"));
    cr_assert(take(2, "a", "z"));
    cr_assert(take(3, "a", "x"));
    cw_page_edge_turn(&edge);
    cr_assert_not(take(3, "a", "x"));
    cr_assert(take(2, "a", "x"), "of an earlier time: new");
}

Test(page_edge, the_order_of_one_time_does_not_matter)
{
    /* The first page had one entry of each stream; the next one gives stream by stream. */
    cr_assert(take(5, "a", "1"));
    cr_assert(take(5, "b", "1"));
    cw_page_edge_turn(&edge);
    cr_assert_not(take(5, "a", "1"));
    cr_assert(take(5, "a", "2"));
    cr_assert_not(take(5, "b", "1"));
    cr_assert(take(5, "b", "2"));
    cw_page_edge_turn(&edge);
    cr_assert_not(take(5, "b", "2"));
    cr_assert_not(take(5, "b", "1"));
    cr_assert_not(take(5, "a", "2"));
    cr_assert_not(take(5, "a", "1"));
    cr_assert(take(5, "c", "1"));
}

Test(page_edge, equal_entries_count)
{
    cr_assert(take(7, "a", "same"));
    cr_assert(take(7, "a", "same"));
    cw_page_edge_turn(&edge);
    cr_assert_not(take(7, "a", "same"));
    cr_assert_not(take(7, "a", "same"));
    cr_assert(take(7, "a", "same"));
}

Test(page_edge, many_entries_of_one_time)
{
    char line[32];
    for (int page = 0; page < 3; page++) {
        cw_page_edge_turn(&edge);
        for (int i = 0; i < 1000 * (page + 1); i++) {
            snprintf(line, sizeof line, "%d", i);
            cr_assert_eq(take(9, "a", line), i >= 1000 * page, "%d of page %d", i, page);
        }
    }
}
