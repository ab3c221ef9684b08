#include <criterion/criterion.h>
#include "common/base/assert.h"
#include "querier/engine/value_runs.h"

#define S INT64_C(1000000000)

enum { NVALUES = 4000 };

static void add(struct cw_value_runs *runs, struct cw_range_steps *steps, int64_t ts_ns,
                double value)
{
    const struct cw_segment *windows;
    if (!cw_range_steps_find(steps, ts_ns, &windows))
        return;
    size_t before = runs->cap * sizeof(double) + runs->runs_cap * sizeof(struct cw_value_run);
    size_t growth = cw_value_runs_growth(runs, windows);
    cw_value_runs_add(runs, windows, value);
    cr_assert_eq(runs->cap * sizeof(double) + runs->runs_cap * sizeof(struct cw_value_run),
                 before + growth);
}

/* Each window's values add up to those of the times in it. */
static void expect_windows(int64_t range_ns, int64_t step_ns, size_t nsteps, unsigned seed)
{
    static int64_t times[NVALUES];
    static double out[NVALUES];
    struct cw_grid grid = {.start_ns = 1000 * S, .step_ns = step_ns, .n = nsteps};
    struct cw_range_steps steps;
    struct cw_value_runs parts[3] = {0};
    cw_range_steps_init(&steps, &grid, range_ns);
    /* Some in order, some not; none outside where there is one step: such are not brought. */
    for (size_t i = 0; i < NVALUES; i++) {
        times[i] = 900 * S + (i % 4 == 0 ? rand_r(&seed) % 500 : (int64_t)i / 8) * S;
        if (nsteps == 1 && (times[i] < steps.start_ns || times[i] >= steps.end_ns))
            times[i] = 1000 * S;
        add(&parts[rand_r(&seed) % 3], &steps, times[i], (double)(i + 1));
    }
    cw_value_runs_merge(&parts[0], &parts[1]);
    cw_value_runs_merge(&parts[0], &parts[2]);
    struct cw_run_walk walk;
    struct cw_err err;
    cr_assert_eq(cw_run_walk_init(&walk, &parts[0], &err), 0);
    for (size_t step = 0; step < nsteps; step++) {
        int64_t t = cw_grid_time(&grid, step);
        double want = 0, sum = 0;
        size_t nwant = 0, n = cw_run_walk_step(&walk, step);
        for (size_t i = 0; i < NVALUES; i++) {
            bool within = times[i] > t - range_ns && times[i] <= t;
            want += within ? (double)(i + 1) : 0;
            nwant += within;
        }
        cr_assert_eq(n, nwant, "step %zu: %zu, not %zu", step, n, nwant);
        cw_run_walk_values(&walk, out);
        for (size_t i = 0; i < n; i++)
            sum += out[i];
        cr_assert_float_eq(sum, want, 0.5);
    }
    cw_run_walk_fini(&walk);
    cw_value_runs_fini(&parts[0]);
}

Test(value_runs, windows_hold_the_values_of_their_times)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        expect_windows(60 * S, 60 * S, 6, seed);
        expect_windows(90 * S, 20 * S, 17, seed); /* windows overlap ... */
        expect_windows(7 * S, 20 * S, 17, seed);  /* ... or leave gaps */
        expect_windows(400 * S, S, 300, seed);
        expect_windows(200 * S, 1, 1, seed);
    }
}

Test(value_runs, none_are_none)
{
    struct cw_value_runs runs = {0};
    struct cw_run_walk walk;
    struct cw_err err;
    cr_assert_eq(cw_run_walk_init(&walk, &runs, &err), 0);
    cr_expect_eq(cw_run_walk_step(&walk, 0), 0);
    cw_run_walk_fini(&walk);
    cw_value_runs_fini(&runs);
}

Test(value_runs, values_of_the_same_windows_are_one_run)
{
    struct cw_value_runs runs = {0};
    struct cw_segment one = {.first = 1, .last = 2}, two = {.first = 2, .last = 2};
    for (size_t i = 0; i < 100; i++)
        cw_value_runs_add(&runs, i < 60 ? &one : &two, (double)i);
    cr_expect_eq(runs.nruns, 2);
    cr_expect_eq(runs.runs[0].n, 60);
    cr_expect_eq(cw_value_runs_growth(&runs, &two), 0);
    cw_value_runs_fini(&runs);
}
