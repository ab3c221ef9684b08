#include <criterion/criterion.h>
#include <stdio.h>

#include "querier/engine/step_values.h"

#define NSTEPS ((size_t)150)

static struct cw_str value_of(char *text, size_t size, unsigned i)
{
    return cw_str_make(text, (size_t)snprintf(text, size, "v%u", i));
}

Test(step_values, each_window_counts_a_value_once)
{
    struct cw_step_values values;
    uint64_t counts[NSTEPS] = {0};
    cw_step_values_init(&values);
    cr_expect(cw_step_values_add(&values, NSTEPS, CW_STR("a"), 0, 63));
    cr_expect_not(cw_step_values_add(&values, NSTEPS, CW_STR("a"), 60, 130));
    cr_expect(cw_step_values_add(&values, NSTEPS, CW_STR("b"), 64, 64));
    cr_expect(cw_step_values_add(&values, NSTEPS, CW_STR("c"), 149, 149));
    struct cw_err err;
    cr_assert_eq(cw_step_values_count(&values, NSTEPS, counts, &err), 0);
    for (size_t step = 0; step < NSTEPS; step++)
        cr_expect_eq(counts[step], (step <= 130) + (step == 64) + (step == 149), "%zu", step);
    cw_step_values_fini(&values);
}

/* Against a table of booleans. */
Test(step_values, random_ranges_merged_count_as_one_by_one)
{
    static bool held[40][NSTEPS];
    struct cw_step_values parts[3];
    uint64_t counts[NSTEPS] = {0};
    char text[16];
    size_t nadded = 0;
    unsigned r = 12345;
    for (int p = 0; p < 3; p++)
        cw_step_values_init(&parts[p]);
    for (int i = 0; i < 400; i++) {
        unsigned v = (r = r * 1103515245 + 12345) / 65536 % 40;
        size_t a = (r = r * 1103515245 + 12345) / 65536 % NSTEPS,
               b = a + (r = r * 1103515245 + 12345) / 65536 % (NSTEPS - a);
        cw_step_values_add(&parts[i % 3], NSTEPS, value_of(text, sizeof text, v), a, b);
        for (size_t step = a; step <= b; step++)
            held[v][step] = true;
    }
    size_t before = parts[0].ids.n;
    for (int p = 1; p < 3; p++)
        nadded += cw_step_values_merge(&parts[0], NSTEPS, &parts[p]);
    cr_expect_eq(parts[0].ids.n, before + nadded);
    struct cw_err err;
    cr_assert_eq(cw_step_values_count(&parts[0], NSTEPS, counts, &err), 0);
    for (size_t step = 0; step < NSTEPS; step++) {
        size_t want = 0;
        for (int v = 0; v < 40; v++)
            want += held[v][step];
        cr_expect_eq(counts[step], want, "step %zu: %lu, not %zu", step,
                     (unsigned long)counts[step], want);
    }
    for (int p = 0; p < 3; p++)
        cw_step_values_fini(&parts[p]);
}
