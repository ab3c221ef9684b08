#include <criterion/criterion.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "querier/engine/unit_order.h"
#include "tests/support/part_model.h"

enum { UNITS = 500 };

static struct cw_units units;

/* Few times, so that many are the same, and the ends of what there is. */
static int64_t some_time(uint64_t *state)
{
    uint64_t r = part_model_random(state) % 40;
    return r == 0 ? INT64_MIN : r == 1 ? INT64_MAX : (int64_t)r - 20;
}

static void init(void)
{
    uint64_t state = 3;
    units = (struct cw_units){0};
    for (size_t i = 0; i < UNITS; i++) {
        int64_t a = some_time(&state), b = some_time(&state);
        cw_units_add(&units,
                     (struct cw_unit){.key = i, .min_ns = CW_MIN(a, b), .max_ns = CW_MAX(a, b)});
    }
}

static void fini(void)
{
    cw_units_fini(&units);
}

TestSuite(unit_order, .init = init, .fini = fini);

static bool comes_before(size_t i, size_t k, bool newest_first)
{
    const struct cw_unit *a = &units.items[i], *b = &units.items[k];
    if (newest_first)
        return a->max_ns != b->max_ns ? a->max_ns > b->max_ns : i > k;
    return a->min_ns != b->min_ns ? a->min_ns < b->min_ns : i < k;
}

static void expect_order(struct cw_unit_order *order, size_t n, bool newest_first)
{
    for (size_t i = 1; i < n; i++)
        cr_assert(comes_before(cw_unit_order_get(order, i - 1), cw_unit_order_get(order, i),
                               newest_first),
                  "position %zu", i);
}

Test(unit_order, every_unit_comes_once_and_in_order_however_it_is_asked)
{
    for (int newest_first = 0; newest_first < 2; newest_first++) {
        struct cw_unit_order *order = cw_unit_order_new(&units, newest_first != 0);
        bool seen[UNITS] = {0};
        expect_order(order, 10, newest_first != 0);
        expect_order(order, 5, newest_first != 0); /* again: it is as it was */
        size_t middle = cw_unit_order_get(order, UNITS / 2);
        expect_order(order, UNITS, newest_first != 0);
        cr_expect_eq(cw_unit_order_get(order, UNITS / 2), middle);
        for (size_t i = 0; i < UNITS; i++)
            seen[cw_unit_order_get(order, i)] = true;
        for (size_t i = 0; i < UNITS; i++)
            cr_assert(seen[i], "unit %zu", i);
        cw_unit_order_free(&order);
        cr_expect_null(order);
    }
}

Test(unit_order, of_no_units_there_is_one_too)
{
    struct cw_units none = {0};
    struct cw_unit_order *order = cw_unit_order_new(&none, true);
    cw_unit_order_free(&order);
}
