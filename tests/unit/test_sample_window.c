#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "querier/engine/sample_window.h"

#define S INT64_C(1000000000)

static double apply(double (*fn)(const struct cw_sample_window *window), const double *values,
                    size_t n)
{
    struct cw_sample items[64];
    for (size_t i = 0; i < n; i++)
        items[i] = (struct cw_sample){(int64_t)(i + 1) * 10 * S, values[i], i};
    struct cw_sample_window window = {items, n, 60, (int64_t)n * 10 * S};
    return fn(&window);
}

#define APPLY(fn, ...)                                                                             \
    apply(cw_sample_window_##fn, (double[]){__VA_ARGS__},                                          \
          sizeof((double[]){__VA_ARGS__}) / sizeof(double))

Test(sample_window, functions_of_plain_values)
{
    cr_expect_float_eq(APPLY(sum, 1, 2, 4.5), 7.5, 1e-12);
    cr_expect_float_eq(APPLY(rate, 1, 2, 3), 0.1, 1e-12);
    cr_expect_float_eq(APPLY(avg, 1, 2, 6), 3, 1e-12);
    cr_expect_float_eq(APPLY(min, 3, -1, 2), -1, 0);
    cr_expect_float_eq(APPLY(max, 3, -1, 2), 3, 0);
    cr_expect_float_eq(APPLY(stdvar, 1, 2, 3, 4), 1.25, 1e-12);
    cr_expect_float_eq(APPLY(stddev, 5, 5, 5), 0, 0);
    cr_expect_float_eq(APPLY(first, 3, 1, 2), 3, 0);
    cr_expect_float_eq(APPLY(last, 3, 1, 2), 2, 0);
}

Test(sample_window, what_is_no_number_and_infinities)
{
    cr_expect(isnan(APPLY(sum, 1, NAN)));
    cr_expect_eq(APPLY(max, NAN, 1), 1);
    cr_expect_eq(APPLY(min, NAN, 1), 1);
    cr_expect_eq(APPLY(avg, INFINITY, 1, 2), INFINITY);
    cr_expect_eq(APPLY(avg, INFINITY, INFINITY), INFINITY);
    cr_expect(isnan(APPLY(avg, INFINITY, -INFINITY)));
}

Test(sample_window, a_counter_is_extrapolated_and_may_be_reset)
{
    cr_expect_eq(APPLY(rate_counter, 5), 0);
    /* 6 values in 50 s, growth 50; the window begins 10 s ahead, where the counter was 0. */
    cr_expect_float_eq(APPLY(rate_counter, 10, 20, 30, 40, 50, 60), 1, 1e-12);
    /* 20 + 30 behind the reset, over 50 s, taken to 60 s: as far as one more sample. */
    cr_expect_float_eq(APPLY(rate_counter, 100, 110, 120, 10, 20, 30), 50.0 * 60 / 50 / 60, 1e-12);
}

Test(sample_window, lists_are_sorted_by_time_and_then_by_place)
{
    struct cw_sample_list list = {0};
    const struct cw_sample items[] = {{5, 1, 0}, {3, 2, 2}, {3, 3, 1}, {9, 4, 0}};
    cr_expect_gt(cw_sample_list_growth(&list, 4), 0);
    cw_sample_list_add(&list, items, 4);
    cr_expect_eq(cw_sample_list_growth(&list, 1), 0);
    cw_sample_list_add(&list, NULL, 0);
    struct cw_err err;
    cr_assert_eq(cw_sample_list_sort(&list, &err), 0);
    const double want[] = {3, 2, 1, 4};
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(list.items[i].value, want[i]);
    cw_sample_list_fini(&list);
    cr_expect_eq(list.n, 0);
}

static int by_time_and_place(const void *a, const void *b)
{
    const struct cw_sample *x = a, *y = b;
    if (x->ts_ns != y->ts_ns)
        return x->ts_ns < y->ts_ns ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

Test(sample_window, runs_of_any_lengths_are_sorted_as_single_samples_are)
{
    uint64_t state = 99;
    for (int round = 0; round < 300; round++) {
        struct cw_sample_list list = {0};
        size_t n = state % 500, run = 0;
        struct cw_sample *want = malloc((n + 1) * sizeof *want);
        for (size_t i = 0; i < n; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            run = i == 0 || state >> 58 == 0 ? state >> 40 : run + (state >> 61);
            want[i] = (struct cw_sample){(int64_t)(run % 1000) - 500, (double)i, state >> 62};
        }
        cw_sample_list_add(&list, want, n);
        qsort(want, n, sizeof *want, by_time_and_place);
        struct cw_err err;
        cr_assert_eq(cw_sample_list_sort(&list, &err), 0);
        cr_assert_eq(list.n, n);
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(by_time_and_place(&list.items[i], &want[i]), 0);
        cw_sample_list_fini(&list);
        free(want);
        state += (uint64_t)round;
    }
}
