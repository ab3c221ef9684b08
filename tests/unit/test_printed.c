#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/cli/printed.h"

static struct cw_printed *printed;

static void setup(void)
{
    printed = cw_printed_new();
    cw_printed_source(printed);
}

static void teardown(void)
{
    cw_printed_free(&printed);
}

TestSuite(printed, .init = setup, .fini = teardown);

static bool take(int64_t ts_ns, const char *app, const char *line)
{
    struct cw_label pair = {CW_STR("app"), cw_str_of(app)};
    return cw_printed_take(printed, ts_ns, (struct cw_labels){&pair, 1}, cw_str_of(line));
}

static int64_t resume(int64_t back_ns)
{
    int64_t start_ns = -1;
    cr_assert(cw_printed_resume(printed, back_ns, &start_ns));
    return start_ns;
}

Test(printed, another_source_gives_the_same_entries_again)
{
    cr_expect(take(1, "a", "x"));
    cr_expect(take(1, "a", "y"));
    cr_expect(take(1, "b", "x"));
    cr_expect(take(2, "a", "x"));
    cw_printed_source(printed);
    cr_expect_not(take(1, "b", "x"));
    cr_expect_not(take(1, "a", "y"));
    cr_expect(take(3, "a", "x"));
    cw_printed_source(printed);
    cr_expect_not(take(3, "a", "x"));
}

Test(printed, real_twins_are_printed_as_often_as_a_source_has_them)
{
    cr_expect(take(1, "a", "x"));
    cr_expect(take(1, "a", "x"));
    cw_printed_source(printed);
    cr_expect_not(take(1, "a", "x"));
    cr_expect_not(take(1, "a", "x"));
    cr_expect(take(1, "a", "x"), "a third one came");
    cw_printed_source(printed);
    for (int i = 0; i < 3; i++)
        cr_expect_not(take(1, "a", "x"));
}

Test(printed, a_source_begins_some_way_before_the_newest)
{
    int64_t start_ns;
    cr_expect_not(cw_printed_resume(printed, 30, &start_ns), "nothing was printed");
    take(100, "a", "x");
    take(90, "a", "late");
    cr_expect_eq(resume(30), 70);
    take(INT64_MIN + 5, "a", "of the beginning of time");
    cr_expect_eq(resume(30), 70);
}

Test(printed, what_is_forgotten_is_not_asked_for_again)
{
    char line[32];
    for (int64_t i = 0; i < CW_PRINTED_MAX + 10; i++) {
        snprintf(line, sizeof line, "%d", (int)i);
        cr_assert(take(i, "a", line));
    }
    cr_expect_eq(resume(1000), CW_PRINTED_MAX + 9 - 1000, "all of that is remembered");
    cr_expect_eq(resume(1 << 20), 10, "no more than what is remembered");
    cw_printed_source(printed);
    cr_expect_not(take(10, "a", "10"));
    cr_expect(take(9, "a", "9"), "forgotten");
}

Test(printed, more_than_is_remembered_of_one_time)
{
    char line[32];
    for (int i = 0; i < CW_PRINTED_MAX + 10; i++) {
        snprintf(line, sizeof line, "%d", i);
        cr_assert(take(5, "a", line));
    }
    cr_expect_eq(resume(30), 5, "printed twice rather than left out");
}
