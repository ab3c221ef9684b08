#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/match/match_stop.h"
#include "common/match/stop_sort.h"

/* Counts, and raises the flag at one of the comparisons. */
struct counter {
    size_t n, raise_at;
    atomic_bool stop;
};

static int by_number(const void *a, const void *b, void *arg)
{
    struct counter *counter = arg;
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    if (++counter->n == counter->raise_at)
        atomic_store(&counter->stop, true);
    return x < y ? -1 : x > y;
}

static unsigned *numbers(size_t n)
{
    unsigned *items = calloc(n + 1, sizeof *items), seed = 7;
    for (size_t i = 0; i < n; i++)
        items[i] = (seed = seed * 1664525 + 1013904223) >> 8;
    return items;
}

Test(stop_sort, any_number_of_items_is_sorted)
{
    static const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 8192, 20000, 100001};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct counter counter = {0};
        struct cw_err err;
        unsigned *items = numbers(sizes[s]), *wanted = numbers(sizes[s]);
        cr_assert_eq(cw_stop_sort(items, sizes[s], sizeof *items, by_number, &counter, &err), 0);
        qsort_r(wanted, sizes[s], sizeof *wanted, by_number, &counter);
        cr_expect_arr_eq(items, wanted, sizes[s] * sizeof *items, "%zu", sizes[s]);
        free(items);
        free(wanted);
    }
}

Test(stop_sort, little_is_compared_behind_the_flag_and_no_item_is_lost)
{
    enum { N = 200000 };
    struct counter whole = {0};
    struct cw_err err;
    unsigned *items = numbers(N);
    cr_assert_eq(cw_stop_sort(items, N, sizeof *items, by_number, &whole, &err), 0);
    free(items);
    for (size_t part = 1; part < 10; part++) {
        struct counter counter = {.raise_at = whole.n * part / 10}, check = {0};
        items = numbers(N);
        unsigned *wanted = numbers(N);
        cw_match_stop_watch(&counter.stop);
        cr_expect_eq(cw_stop_sort(items, N, sizeof *items, by_number, &counter, &err),
                     CW_E_CANCELED);
        cw_match_stop_watch(NULL);
        /* a run is sorted without a look: 12 comparisons for each of its items at most */
        cr_expect_leq(counter.n - counter.raise_at, 12 * CW_STOP_SORT_RUN, "%zu", part);
        qsort_r(items, N, sizeof *items, by_number, &check);
        qsort_r(wanted, N, sizeof *wanted, by_number, &check);
        cr_expect_arr_eq(items, wanted, N * sizeof *items);
        free(items);
        free(wanted);
    }
}
