/*
 * value_runs.h - the values of one series, for functions of a window that do not ask for their order: kept by the windows that they lie
 * in, without their times.
 *
 * Values come in order of time mostly, so that many in a row lie in the same windows: a run.
 *
 * Memory     8 bytes a value and 16 a run, and as much again while it grows; what _growth() says is taken by the caller first.
 * Ownership  Nothing is borrowed.
 * Threads    One at a time.
 */
#ifndef CW_ENGINE_VALUE_RUNS_H
#define CW_ENGINE_VALUE_RUNS_H
#include "querier/engine/range_steps.h"

struct cw_value_run {
    uint32_t first, last; /* steps */
    uint32_t n;
};

struct cw_value_runs {
    double *values;
    size_t n, cap;
    struct cw_value_run *runs; /* of the values in their order */
    size_t nruns, runs_cap;
    struct cw_value_runs *more; /* that were merged into these; owned */
};
void cw_value_runs_fini(struct cw_value_runs *runs);
/* Bytes that one more value would allocate. */
size_t cw_value_runs_growth(const struct cw_value_runs *runs, const struct cw_segment *windows);
void cw_value_runs_add(struct cw_value_runs *runs, const struct cw_segment *windows, double value);
/* `from` is emptied; nothing is copied but its header, of so many bytes. */
void cw_value_runs_merge(struct cw_value_runs *runs, struct cw_value_runs *from);

/* All values by step: windows move over them, and both ends only go forward. */
struct cw_run_place {
    struct cw_value_run run;
    const double *values;
};
struct cw_run_walk {
    struct cw_run_place *places; /* by their steps; heap */
    size_t n;
    size_t from, to; /* of the window */
};
/* Bytes that a walk allocates. */
size_t cw_run_walk_bytes(const struct cw_value_runs *runs);
/* Whatever it returns, _fini() follows. CW_E_CANCELED (match_stop.h). */
int cw_run_walk_init(struct cw_run_walk *walk, const struct cw_value_runs *runs,
                     struct cw_err *err) CW_MUST_USE;
void cw_run_walk_fini(struct cw_run_walk *walk);
/* Move on to a later step; how many values its window holds. */
size_t cw_run_walk_step(struct cw_run_walk *walk, size_t step);
/* They. */
void cw_run_walk_values(const struct cw_run_walk *walk, double *out);

#endif
