#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/engine/pattern_merge.h"

static struct cw_pattern_table table;
static struct cw_err err;

static void setup(void)
{
    cw_pattern_table_init(&table, NULL);
}
static void teardown(void)
{
    cw_pattern_table_fini(&table);
}
TestSuite(pattern_merge, .init = setup, .fini = teardown);

static void add(const char *text, uint32_t step, uint64_t count)
{
    size_t idx;
    cr_assert_eq(cw_pattern_table_put(&table, cw_str_of(text), &idx, &err), 0);
    struct cw_pattern_sample sample = {CW_LEVEL_UNKNOWN, step, count};
    cr_assert_eq(cw_pattern_table_add(&table, idx, sample, &err), 0);
}

/* Patterns as "text:step=count,step=count;", the most frequent first. */
static void expect(const char *want)
{
    struct cw_pattern_table merged;
    struct cw_buf text;
    cw_pattern_table_init(&merged, NULL);
    cr_assert_eq(cw_pattern_merge(&table, &merged, &err), 0);
    cw_pattern_table_sort(&merged, 100);
    cw_buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < merged.n; i++) {
        const struct cw_pattern_sum *sum = &merged.items[i];
        cw_buf_addf(&text, "%.*s:", CW_STR_ARG(sum->text));
        for (size_t k = 0; k < sum->n; k++)
            cw_buf_addf(&text, "%s%u=%llu", k > 0 ? "," : "", sum->samples[k].step,
                        (unsigned long long)sum->samples[k].count);
        cw_buf_addc(&text, ';');
    }
    cr_expect_str_eq(cw_buf_z(&text), want);
    cw_buf_fini(&text);
    cw_pattern_table_fini(&merged);
}

Test(pattern_merge, samples_are_in_order_and_each_step_once)
{
    add("a", 5, 1);
    add("a", 2, 1);
    add("a", 9, 1);
    add("a", 2, 3);
    add("b", 1, 1);
    expect("a:2=4,5=1,9=1;b:1=1;");
}

Test(pattern_merge, few_words_stay_apart)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
    for (size_t i = 0; i < 5; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s disk is <_> full", levels[i]);
        add(text, 0, i + 1);
    }
    expect("FATAL disk is <_> full:0=5;ERROR disk is <_> full:0=4;WARN disk is <_> full:0=3;"
           "INFO disk is <_> full:0=2;DEBUG disk is <_> full:0=1;");
}

Test(pattern_merge, a_word_that_varies_is_a_placeholder)
{
    for (char c = 'a'; c < 'a' + CW_PATTERN_MERGE_MIN; c++) {
        char text[64];
        snprintf(text, sizeof text, "user=%c%c%c, logged in from <_>", c, c, c);
        add(text, (uint32_t)(c - 'a') % 2, 1);
    }
    add("user=xy, logged out from <_>", 0, 1);
    expect("user=<_>, logged in from <_>:0=4,1=4;user=xy, logged out from <_>:0=1;");
}

Test(pattern_merge, a_placeholder_takes_the_words_at_its_place)
{
    add("user <_> left", 0, 1);
    add("user bob left", 1, 2);
    add("user bob came", 1, 4);
    expect("user bob came:1=4;user <_> left:0=1,1=2;");
}

Test(pattern_merge, a_pattern_with_quoted_slots_takes_what_it_stands_for)
{
    add("<_> \"<_>\" n=\"<_>\" <_>", 0, 5);
    add("<_> \"GET <_>\" n=\"\" <_>", 1, 1);
    add("<_> \"say \\\"x\\\"\" n=\"a b\" <_>", 1, 1);
    add("<_> \"GET <_>\" n=\"open <_>", 1, 4);
    add("say \"GET\"", 1, 3);
    expect("<_> \"<_>\" n=\"<_>\" <_>:0=5,1=2;<_> \"GET <_>\" n=\"open <_>:1=4;say \"GET\":1=3;");
}

Test(pattern_merge, two_places_may_vary)
{
    for (char c = 'a'; c < 'a' + 10; c++)
        for (char d = 'a'; d < 'a' + 10; d++) {
            char text[64];
            snprintf(text, sizeof text, "copy %c%c to %c", c, c, d);
            add(text, 0, 1);
        }
    expect("copy <_> to <_>:0=100;");
}

Test(pattern_merge, what_stands_between_words_must_be_the_same)
{
    for (char c = 'a'; c < 'a' + CW_PATTERN_MERGE_MIN; c++) {
        char text[64];
        snprintf(text, sizeof text, c % 2 ? "set [%c]" : "set (%c)", c);
        add(text, 0, 1);
    }
    struct cw_pattern_table merged;
    cw_pattern_table_init(&merged, NULL);
    cr_assert_eq(cw_pattern_merge(&table, &merged, &err), 0);
    cr_expect_eq(merged.n, CW_PATTERN_MERGE_MIN);
    cw_pattern_table_fini(&merged);
}

Test(pattern_merge, a_full_table_keeps_the_most_frequent)
{
    char text[64];
    for (size_t i = 0; i < CW_PATTERN_TABLE_MAX + 1; i++) {
        /* Each of another shape: nothing merges. */
        int len = snprintf(text, sizeof text, "p%zx", i);
        for (size_t k = 0; k < 15; k++)
            len += snprintf(text + len, sizeof text - (size_t)len, "%s", i >> k & 1 ? " x" : ";x");
        add(text, 0, i + 1);
    }
    cr_assert_eq(cw_pattern_table_make_room(&table, &err), 0);
    cr_expect_eq(table.n, CW_PATTERN_TABLE_MAX / 2);
    cw_pattern_table_sort(&table, 1);
    cr_expect_eq(table.items[0].count, CW_PATTERN_TABLE_MAX + 1);
}

Test(pattern_merge, the_allowance_bounds_a_table)
{
    struct cw_allowance allowance;
    struct cw_pattern_table bounded;
    size_t idx;
    int rc = 0;
    cw_allowance_init(&allowance, 10000);
    cw_pattern_table_init(&bounded, &allowance);
    for (size_t i = 0; rc == 0 && i < 1000; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "pattern %zu", i);
        rc = cw_pattern_table_put(&bounded, cw_str_make(text, (size_t)len), &idx, &err);
    }
    cr_expect_eq(rc, CW_E_LIMIT);
    cw_pattern_table_fini(&bounded);
    cr_expect_eq(atomic_load(&allowance.used), 0);
}
