/*
 * step_values.h - the different values that the windows of a series hold: exactly, by the hashes of the values, with a bit for each step of
 * the grid whose window has the value.
 *
 * Memory     cw_step_values_bytes() for each value, whatever the number of entries.
 * Ownership  Nothing is borrowed.
 * Threads    One at a time.
 */
#ifndef CW_ENGINE_STEP_VALUES_H
#define CW_ENGINE_STEP_VALUES_H
#include "common/base/err.h"
#include "common/base/id_map.h"
#include "common/base/str.h"

struct cw_step_values {
    struct cw_id_map ids;
    uint64_t *bits; /* nwords of each value */
    size_t cap;     /* values that there is room for */
};

void cw_step_values_init(struct cw_step_values *values);
void cw_step_values_fini(struct cw_step_values *values);
/* What one value costs at most, its share of arrays that double. */
size_t cw_step_values_bytes(size_t nsteps);
/* The windows of the steps first to last hold the value; true: it is new to the series. */
bool cw_step_values_add(struct cw_step_values *values, size_t nsteps, struct cw_str value,
                        size_t first, size_t last);
/* What `from` has too; how many of them are new. */
size_t cw_step_values_merge(struct cw_step_values *values, size_t nsteps,
                            const struct cw_step_values *from);
/* How many values each window holds: `counts` is nsteps long, and zeroed. CW_E_CANCELED (match_stop.h). */
int cw_step_values_count(const struct cw_step_values *values, size_t nsteps, uint64_t *counts,
                         struct cw_err *err) CW_MUST_USE;

#endif
