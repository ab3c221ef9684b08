#include <criterion/criterion.h>
#include <stdlib.h>
#include "querier/engine/range_steps.h"

#define S INT64_C(1000000000)

/* Against the definition: the window of step k is (t - range, t]. */
static void expect_steps(int64_t start_ns, int64_t step_ns, size_t n, int64_t range_ns,
                         unsigned seed)
{
    struct cw_grid grid = {.start_ns = start_ns, .step_ns = step_ns, .n = n};
    struct cw_range_steps steps;
    cw_range_steps_init(&steps, &grid, range_ns);
    int64_t end_ns = cw_grid_time(&grid, n - 1), span_ns = end_ns - start_ns + range_ns + 4;
    for (int i = 0; i < 2000; i++) {
        int64_t ts_ns = start_ns - range_ns - 2 + (int64_t)rand_r(&seed) % span_ns;
        int64_t first = -1, last = -2;
        const struct cw_segment *found;
        for (size_t k = 0; k < n; k++) {
            int64_t t = cw_grid_time(&grid, k);
            if (ts_ns <= t - range_ns || ts_ns > t)
                continue;
            first = first < 0 ? (int64_t)k : first;
            last = (int64_t)k;
        }
        bool any = cw_range_steps_find(&steps, ts_ns, &found);
        cr_assert_eq(any, first <= last && first >= 0, "%lld", (long long)ts_ns);
        if (any)
            cr_assert(found->first == first && found->last == last, "%lld: %lld to %lld",
                      (long long)ts_ns, (long long)found->first, (long long)found->last);
    }
}

Test(range_steps, times_lie_in_the_windows_that_hold_them)
{
    for (unsigned seed = 1; seed < 10; seed++) {
        expect_steps(1000, 10, 20, 10, seed);
        expect_steps(1000, 10, 20, 35, seed);
        expect_steps(1000, 10, 20, 3, seed);
        expect_steps(-50, 7, 30, 100, seed);
        expect_steps(0, 1, 40, 1, seed);
    }
}

Test(range_steps, the_bounds_hold_every_window_and_do_not_overflow)
{
    struct cw_grid grid = {.start_ns = 100 * S, .step_ns = 10 * S, .n = 3};
    struct cw_range_steps steps;
    cw_range_steps_init(&steps, &grid, 5 * S);
    cr_expect_eq(steps.start_ns, 95 * S + 1);
    cr_expect_eq(steps.end_ns, 120 * S + 1);
    grid = (struct cw_grid){.start_ns = INT64_MIN, .step_ns = 1, .n = 1};
    cw_range_steps_init(&steps, &grid, INT64_MAX);
    cr_expect_eq(steps.start_ns, INT64_MIN);
    grid.start_ns = INT64_MAX;
    cw_range_steps_init(&steps, &grid, INT64_MAX);
    cr_expect_eq(steps.end_ns, INT64_MAX);
}

Test(range_steps, one_step_takes_what_the_scan_brings)
{
    struct cw_grid grid = {.start_ns = 100, .step_ns = 1, .n = 1};
    struct cw_range_steps steps;
    const struct cw_segment *found;
    cw_range_steps_init(&steps, &grid, 5);
    cr_expect(cw_range_steps_find(&steps, 7, &found));
    cr_expect(found->first == 0 && found->last == 0);
}
