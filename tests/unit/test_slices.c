#include <criterion/criterion.h>

#include "common/base/clock.h"
#include "querier/engine/slices.h"

/* Every position costs `each`; the slice that holds `fails_at` fails, the one that holds `stops_at` stops. */
struct walk {
    uint64_t each, next, fails_at, stops_at;
    int fails_with;
    unsigned nslices;
};

static uint64_t bytes(void *ctx, uint64_t from, uint64_t to)
{
    return ((struct walk *)ctx)->each * (to - from);
}

static int run(void *ctx, uint64_t from, uint64_t to, struct cw_err *err)
{
    struct walk *walk = ctx;
    cr_assert_eq(from, walk->next, "slices follow each other");
    cr_assert_lt(from, to);
    walk->nslices++;
    if (walk->fails_with < 0 && walk->fails_at < to)
        return cw_err_set(err, walk->fails_with, "no");
    if (walk->stops_at < to)
        return 1;
    walk->next = to;
    return 0;
}

static struct cw_slices slices_of(struct walk *walk, uint64_t total)
{
    if (walk->stops_at == 0)
        walk->stops_at = UINT64_MAX;
    return (struct cw_slices){.total = total,
                              .first_bytes = 10,
                              .time_ns = 3600 * CW_NS_PER_S,
                              .bytes = bytes,
                              .run = run,
                              .ctx = walk};
}

static void expect(const struct cw_slices *slices, uint64_t want_done, enum cw_slices_stop want)
{
    struct cw_err err;
    uint64_t done;
    enum cw_slices_stop stop;
    cr_assert_eq(cw_slices_walk(slices, &done, &stop, &err), 0);
    cr_expect_eq(done, want_done, "%llu", (unsigned long long)done);
    cr_expect_eq(stop, want, "%d", stop);
}

Test(slices, cover_the_range_and_grow)
{
    struct walk walk = {.each = 1};
    struct cw_slices slices = slices_of(&walk, 1000);
    expect(&slices, 1000, CW_SLICES_DONE);
    cr_expect(walk.nslices >= 5 && walk.nslices <= 8, "%u", walk.nslices);
    walk = (struct walk){.each = 1};
    slices = slices_of(&walk, 1000);
    slices.time_ns = 0;
    expect(&slices, 1000, CW_SLICES_DONE);
    cr_expect_eq(walk.nslices, 1, "without a bound on time there is nothing to watch");
    slices = slices_of(&walk, 0);
    expect(&slices, 0, CW_SLICES_DONE);
}

Test(slices, end_at_the_bytes_and_always_go_on)
{
    struct walk walk = {.each = 3};
    struct cw_slices slices = slices_of(&walk, 1000);
    slices.max_bytes = 100;
    expect(&slices, 33, CW_SLICES_BYTES);
    walk = (struct walk){.each = 1000};
    slices = slices_of(&walk, UINT64_C(1) << 40);
    slices.max_bytes = 1;
    expect(&slices, 1, CW_SLICES_BYTES);
    walk = (struct walk){.each = 0};
    slices = slices_of(&walk, UINT64_C(1) << 40);
    slices.max_bytes = 1;
    expect(&slices, UINT64_C(1) << 40, CW_SLICES_DONE);
}

Test(slices, end_when_time_is_up_behind_a_slice)
{
    struct walk walk = {.each = 1};
    struct cw_slices slices = slices_of(&walk, 1000);
    slices.time_ns = 1;
    expect(&slices, 10, CW_SLICES_TIME);
}

Test(slices, keep_what_is_done_when_a_later_one_meets_a_limit)
{
    struct walk walk = {.each = 1, .fails_with = CW_E_TIMEOUT, .fails_at = 100};
    struct cw_slices slices = slices_of(&walk, 1000);
    expect(&slices, 10 + 20 + 40, CW_SLICES_TIME);
    walk = (struct walk){.each = 1, .fails_with = CW_E_LIMIT, .fails_at = 100};
    slices = slices_of(&walk, 1000);
    expect(&slices, 10 + 20 + 40, CW_SLICES_LIMIT);
    walk = (struct walk){.each = 1, .stops_at = 50};
    slices = slices_of(&walk, 1000);
    expect(&slices, 10 + 20, CW_SLICES_CALLER);
}

Test(slices, fail_with_nothing_done_and_with_what_is_no_limit)
{
    struct cw_err err;
    uint64_t done;
    enum cw_slices_stop stop;
    struct walk walk = {.each = 1, .fails_with = CW_E_TIMEOUT};
    struct cw_slices slices = slices_of(&walk, 1000);
    cr_expect_eq(cw_slices_walk(&slices, &done, &stop, &err), CW_E_TIMEOUT);
    walk = (struct walk){.each = 1, .fails_with = CW_E_CANCELED, .fails_at = 100};
    slices = slices_of(&walk, 1000);
    cr_expect_eq(cw_slices_walk(&slices, &done, &stop, &err), CW_E_CANCELED);
}
