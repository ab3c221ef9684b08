/*
 * slices.h - walk a range from its begin to its end in slices, each done before the next begins, until a cost limit is reached: what
 * lies before the place where the walk stopped is complete then.
 *
 * A range is positions [0, total): whatever the caller counts in (ns, steps). The first slice is small, and each has twice the bytes of
 * the one before or less, so that the time of what is left can be told from what was.
 *
 * Progress   The first slice is done whatever it costs: who goes on from where a walk stopped comes to the end.
 * Threads    One.
 */
#ifndef CW_ENGINE_SLICES_H
#define CW_ENGINE_SLICES_H
#include <stdint.h>
#include "common/base/err.h"

enum cw_slices_stop {
    CW_SLICES_DONE,  /* the whole range */
    CW_SLICES_BYTES, /* max_bytes */
    CW_SLICES_TIME,  /* time_ns, or a slice that began within it was ended by the query's timeout */
    CW_SLICES_LIMIT, /* another limit, met in a slice: `err` says which, though it is no error */
    CW_SLICES_CALLER, /* run() said so */
};

struct cw_slices {
    uint64_t total;
    uint64_t max_bytes;   /* 0: any */
    uint64_t first_bytes; /* of the first slice; > 0 */
    int64_t time_ns;      /* for all of them; 0: any */
    /* What the positions [from, to) cost; never less for a larger `to`. */
    uint64_t (*bytes)(void *ctx, uint64_t from, uint64_t to);
    /* 0 it is done, 1 the walk is to stop before its end, negative: an error, and nothing of it was done. */
    int (*run)(void *ctx, uint64_t from, uint64_t to, struct cw_err *err);
    void *ctx;
};

/* *done_out: positions before it are done. Errors of run() are the walk's, but for CW_E_TIMEOUT, CW_E_LIMIT and CW_E_OVERLOAD of any
 * slice behind the first. */
int cw_slices_walk(const struct cw_slices *slices, uint64_t *done_out,
                   enum cw_slices_stop *stop_out, struct cw_err *err) CW_MUST_USE;

#endif
