#include "querier/engine/range_steps.h"

#include "common/base/assert.h"

void cw_range_steps_init(struct cw_range_steps *steps, const struct cw_grid *grid, int64_t range_ns)
{
    /* Longer ranges see all that a store can hold; the bound keeps sums of times within int64. */
    *steps =
        (struct cw_range_steps){.grid = *grid, .range_ns = CW_MIN(range_ns, CW_GRID_SPAN_MAX_NS)};
    int64_t last_ns = cw_grid_time(grid, grid->n - 1);
    if (__builtin_sub_overflow(grid->start_ns, steps->range_ns - 1, &steps->start_ns))
        steps->start_ns = INT64_MIN;
    if (__builtin_add_overflow(last_ns, 1, &steps->end_ns))
        steps->end_ns = INT64_MAX;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b < 0);
}

struct cw_segment cw_range_steps_segment(const struct cw_range_steps *steps, int64_t ts_ns)
{
    const struct cw_grid *grid = &steps->grid;
    int64_t d = ts_ns - grid->start_ns, nsteps = (int64_t)grid->n;
    /* The window of step k is (start + k step - range, start + k step]. */
    int64_t first = floor_div(d - 1, grid->step_ns) + 1;
    int64_t last = floor_div(d + steps->range_ns - 1, grid->step_ns);
    int64_t from_first = first * grid->step_ns,
            behind_last = (last + 1) * grid->step_ns - steps->range_ns;
    int64_t from_before = from_first - grid->step_ns, from_last = behind_last - grid->step_ns;
    struct cw_segment segment = {
        .low_ns = grid->start_ns + CW_MAX(from_before, from_last),
        .high_ns = grid->start_ns + CW_MIN(from_first, behind_last),
        .first = CW_MAX(first, 0),
        .last = CW_MIN(last, nsteps - 1),
    };
    return segment;
}
