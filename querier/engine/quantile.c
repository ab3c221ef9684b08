#include "querier/engine/quantile.h"

#include <math.h>
#include <stdbool.h>

enum { SAMPLE = 33, SAMPLE_MIN = 256 };

/* NaN stands before every number. */
static bool less(double a, double b)
{
    return isnan(a) ? !isnan(b) : a < b;
}

/* A value of some of [from, to) that has about the rank among them. */
static double sample_rank(const double *values, size_t from, size_t to, size_t rank)
{
    double sample[SAMPLE];
    size_t stride = (to - from) / SAMPLE;
    for (size_t i = 0; i < SAMPLE; i++) {
        double value = values[from + i * stride];
        size_t k = i;
        for (; k > 0 && less(value, sample[k - 1]); k--)
            sample[k] = sample[k - 1];
        sample[k] = value;
    }
    return sample[(rank - from) * (SAMPLE - 1) / (to - from)];
}

/* Reorder so that values[rank] is what a sort would put there, and nothing behind it is less. */
static void select_rank(double *values, size_t n, size_t rank)
{
    size_t from = 0, to = n - 1;
    while (from < to) {
        /* Never the last one alone: each round leaves something away. Near the rank, most values fall on one side, foreseeably. */
        double pivot = to - from < SAMPLE_MIN ? values[from + (to - from) / 2]
                                              : sample_rank(values, from, to, rank);
        size_t i = from, k = to;
        for (;;) {
            while (less(values[i], pivot))
                i++;
            while (less(pivot, values[k]))
                k--;
            if (i >= k)
                break;
            double value = values[i];
            values[i++] = values[k];
            values[k--] = value;
        }
        if (rank <= k)
            to = k;
        else
            from = k + 1;
    }
}

double cw_quantile(double *values, size_t n, double quantile)
{
    if (quantile < 0 || isnan(quantile))
        return isnan(quantile) ? NAN : -INFINITY;
    if (quantile > 1)
        return INFINITY;
    double rank = quantile * (double)(n - 1);
    size_t lower = (size_t)floor(rank);
    double weight = rank - floor(rank);
    select_rank(values, n, lower);
    double below = values[lower], above = below;
    for (size_t i = lower + 1; i < n; i++)
        if (i == lower + 1 || less(values[i], above))
            above = values[i];
    return below * (1 - weight) + above * weight;
}
