/* test_literal_plan.c - which pieces of a literal must be in TEXT. */
#include <criterion/criterion.h>

#include "common/base/assert.h"
#include "common/store/literal_plan.h"

struct expected {
    const char *text;
    bool nocase;
    const char *needles[CW_LITERAL_NEEDLES_MAX];
};

Test(literal_plan, pieces_that_no_value_but_a_string_holds)
{
    static const struct expected cases[] = {
        {"error", false, {"error"}},
        {"EEDLE_hdf", false, {"EEDLE", "hdf", NULL}},
        {"NEEDLE_hdfs_0", false, {"NEEDLE", "_hdfs_"}},
        {"10.0.3.209", false, {NULL}},
        {"feed", false, {NULL}},   /* may be digits of a hex value */
        {"FEED", false, {"FEED"}}, /* hex values are small */
        {"feed", true, {NULL}},
        {"x3 took 12 ms and", false, {" ms ", " took ", "and", "x3"}},
        {"a=\"user\" b", false, {"user", NULL}},    /* a quote may be where a value begins */
        {" is bad now ", false, {" now ", " is "}}, /* "bad" may be a group of a UUID */
        {": ", false, {NULL}},
    };
    struct cw_arena *arena = cw_arena_new();
    for (size_t i = 0; i < CW_COUNT(cases); i++) {
        struct cw_literal_plan plan;
        cw_literal_plan_init(&plan, cw_str_of(cases[i].text), cases[i].nocase, arena);
        size_t want = 0;
        while (want < CW_LITERAL_NEEDLES_MAX && cases[i].needles[want] != NULL)
            want++;
        cr_assert_eq(plan.nneedles, want, "%s: %zu", cases[i].text, plan.nneedles);
        for (size_t k = 0; k < want; k++) {
            bool found = false;
            for (size_t n = 0; n < plan.nneedles; n++)
                found |= cw_str_eqz(plan.needles[n].needle, cases[i].needles[k]);
            cr_assert(found, "%s: no %s", cases[i].text, cases[i].needles[k]);
        }
        for (size_t k = 1; k < plan.nneedles; k++)
            cr_assert_geq(plan.needles[k - 1].needle.len, plan.needles[k].needle.len);
    }
    cw_arena_free(&arena);
}

Test(literal_plan, the_longest_of_many_are_kept)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_literal_plan plan;
    cw_literal_plan_init(&plan, CW_STR("xx1-yyyy2-zzz3-wwwwww4-vvvvv5-u6"), false, arena);
    cr_assert_eq(plan.nneedles, CW_LITERAL_NEEDLES_MAX);
    cr_assert(cw_str_eqz(plan.needles[0].needle, "wwwwww4"));
    cr_assert(cw_str_eqz(plan.needles[3].needle, "zzz3"));
    cw_arena_free(&arena);
}

Test(literal_plan, reserved_bytes_are_seen)
{
    struct cw_arena *arena = cw_arena_new();
    struct cw_literal_plan plan;
    cw_literal_plan_init(&plan, CW_STR("a\x06"), false, arena);
    cr_assert(plan.reserved);
    cw_literal_plan_init(&plan, CW_STR("a\t\r\n\x1b"), false, arena);
    cr_assert_not(plan.reserved);
    cw_arena_free(&arena);
}
