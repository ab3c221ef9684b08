#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "querier/engine/quantile.h"

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

Test(quantile, it_is_that_of_the_sorted_values)
{
    static double values[3000], sorted[3000];
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        /* Few that are the same, or many of few kinds; and in order, up or down. */
        unsigned kinds = round % 3 == 0 ? 12 : 100000, order = (unsigned)round / 3 % 4;
        double quantile = (double)(rand_r(&seed) % 101) / 100;
        size_t n = 1 + (size_t)rand_r(&seed) % (round % 10 == 0 ? CW_COUNT(values) : 40);
        for (size_t i = 0; i < n; i++)
            sorted[i] = values[i] = (double)((unsigned)rand_r(&seed) % kinds);
        qsort(sorted, n, sizeof *sorted, by_value);
        for (size_t i = 0; order < 2 && i < n; i++)
            values[i] = sorted[order == 0 ? i : n - 1 - i];
        double rank = quantile * (double)(n - 1);
        size_t lower = (size_t)rank, upper = CW_MIN(lower + 1, n - 1);
        double want = sorted[lower] + (sorted[upper] - sorted[lower]) * (rank - (double)lower);
        cr_assert_float_eq(cw_quantile(values, n, quantile), want, 1e-6);
    }
}

Test(quantile, what_is_no_number_comes_first)
{
    cr_expect(isnan(cw_quantile((double[]){2, NAN, 1}, 3, 0)));
    cr_expect_eq(cw_quantile((double[]){2, NAN, 1}, 3, 1), 2);
    double many[1000];
    for (size_t i = 0; i < CW_COUNT(many); i++)
        many[i] = i % 2 == 0 ? NAN : (double)i;
    cr_expect(isnan(cw_quantile(many, CW_COUNT(many), 0.49)));
    cr_expect_eq(cw_quantile(many, CW_COUNT(many), 1), 999);
}

Test(quantile, outside_of_0_to_1_it_is_infinite)
{
    cr_expect_eq(cw_quantile((double[]){2}, 1, -0.1), -INFINITY);
    cr_expect_eq(cw_quantile((double[]){2}, 1, 1.1), INFINITY);
    cr_expect(isnan(cw_quantile((double[]){2}, 1, NAN)));
}
