/*
 * range_steps.h - in the windows of which steps of a grid an entry lies: that of step t is (t - range, t].
 *
 * Times between two window edges lie in the same windows: a segment. Both the first and the last step of segments go up with time.
 */
#ifndef CW_ENGINE_RANGE_STEPS_H
#define CW_ENGINE_RANGE_STEPS_H
#include "querier/engine/sample.h"

/* Times (low, high] lie in the windows of the steps first to last; none if first > last. */
struct cw_segment {
    int64_t low_ns, high_ns;
    int64_t first, last;
};

struct cw_range_steps {
    struct cw_grid grid;
    int64_t range_ns;
    int64_t start_ns, end_ns;  /* times of all windows: start <= t < end */
    struct cw_segment segment; /* of the time before */
};

/* The range is bounded for sums of times. */
void cw_range_steps_init(struct cw_range_steps *steps, const struct cw_grid *grid,
                         int64_t range_ns);
struct cw_segment cw_range_steps_segment(const struct cw_range_steps *steps, int64_t ts_ns);

/* The windows of the time; false: it lies in none. Neighbours have the same ones most of the time. With one step all times that the
 * scan brings lie in its window. */
static inline bool cw_range_steps_find(struct cw_range_steps *steps, int64_t ts_ns,
                                       const struct cw_segment **out)
{
    struct cw_segment *segment = &steps->segment;
    *out = segment;
    if (steps->grid.n == 1)
        return true;
    if (ts_ns <= segment->low_ns || ts_ns > segment->high_ns) {
        if (ts_ns < steps->start_ns || ts_ns >= steps->end_ns)
            return false;
        *segment = cw_range_steps_segment(steps, ts_ns);
    }
    return segment->first <= segment->last;
}

#endif
