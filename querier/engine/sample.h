/*
 * sample.h - the values that metric queries compute with: series over the steps of one grid.
 *
 * A query is evaluated at the steps of a cw_grid; an instant query has one step. A cw_table is a
 * set of series, each with a value or no value at every step. Instant vectors are tables of one
 * step.
 *
 * Ownership  A table owns an arena: series, labels and values live until cw_table_free().
 * Units      *_ns: nanoseconds since the epoch.
 * Threads    A table belongs to one thread at a time. A cw_allowance is shared by all threads of a
 *            query.
 * Errors     CW_E_LIMIT where the allowance is used up; CW_E_INVALID for a grid that cannot be.
 */
#ifndef CW_ENGINE_SAMPLE_H
#define CW_ENGINE_SAMPLE_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/memory_budget.h"
#include "common/labels/labels.h"

/* Points of one series that a range query may ask for (Loki's and Prometheus' bound). */
#define CW_GRID_MAX_STEPS 11000
/* Times are sums and differences of spans; a quarter of what int64 holds (73 years) leaves room for them. */
#define CW_GRID_SPAN_MAX_NS (INT64_MAX / 4)
#define CW_GRID_MAX_NS (INT64_MAX - CW_GRID_SPAN_MAX_NS)

struct cw_grid {
    int64_t start_ns; /* of step 0 */
    int64_t step_ns;  /* > 0; 1 where there is one step */
    size_t n;         /* steps, >= 1 */
};

/* Range query: `start` is rounded down and `end` up to multiples of step. CW_E_INVALID with Loki's
 * texts (step <= 0, too many points). */
int cw_grid_init_range(struct cw_grid *grid, int64_t start_ns, int64_t end_ns, int64_t step_ns,
                       struct cw_err *err) CW_MUST_USE;
void cw_grid_init_instant(struct cw_grid *grid, int64_t time_ns);
static inline int64_t cw_grid_time(const struct cw_grid *grid, size_t step)
{
    return grid->start_ns + (int64_t)step * grid->step_ns;
}

/* Memory of one query; taken by accumulators and tables, given back when they go. */
struct cw_allowance {
    atomic_size_t used, peak;        /* now, and the most at once */
    size_t max;                      /* 0: no bound */
    struct cw_memory_budget *budget; /* of all queries together; may be NULL */
};
void cw_allowance_init(struct cw_allowance *allowance, size_t max_bytes);
/* Draw from it too, from the start on. */
void cw_allowance_set_budget(struct cw_allowance *allowance, struct cw_memory_budget *budget);
/* Gives back what is still taken. */
void cw_allowance_fini(struct cw_allowance *allowance);
/* CW_E_LIMIT: "the query needs more memory than its allowance of ... bytes"; CW_E_OVERLOAD: all queries together need more than
 * there is now. NULL always has room. */
int cw_allowance_take(struct cw_allowance *allowance, size_t bytes, struct cw_err *err) CW_MUST_USE;
void cw_allowance_give(struct cw_allowance *allowance, size_t bytes);
/* For cw_arena_watch() and cw_buf_watch(): `allowance` is a struct cw_allowance. What they took goes with _fini(). */
int cw_allowance_watch(void *allowance, size_t bytes);
/* 0, or the error of an arena that was refused memory. */
int cw_allowance_check(struct cw_allowance *allowance, const struct cw_arena *arena,
                       struct cw_err *err) CW_MUST_USE;

struct cw_series {
    struct cw_labels labels;
    struct cw_hash128 id; /* cw_labels_hash() */
    double *values;       /* grid.n of them */
    uint64_t *present;    /* bitmap of grid.n bits, 64 a word: where there is a value */
};

struct cw_table {
    struct cw_grid grid;
    struct cw_series *items;
    size_t n, cap;
    struct cw_arena *arena;
    struct cw_allowance *allowance; /* borrowed; may be NULL */
    size_t taken;
};

struct cw_table *cw_table_new(const struct cw_grid *grid, struct cw_allowance *allowance);
void cw_table_free(struct cw_table **table);
/* Add a series without values; `labels` are copied when `copy`, else borrowed from an arena that
 * lives as long. *out dies at the next add. CW_E_LIMIT, CW_E_OVERLOAD, CW_E_CANCELED (match_stop.h). */
enum cw_table_labels { CW_TABLE_COPY, CW_TABLE_BORROW };
int cw_table_add(struct cw_table *table, struct cw_labels labels, enum cw_table_labels how,
                 struct cw_series **out, struct cw_err *err) CW_MUST_USE;
/* Series without a value. */
void cw_table_drop_empty(struct cw_table *table);
/* By labels (cw_labels_cmp), as answers are printed. CW_E_CANCELED (match_stop.h). */
int cw_table_sort(struct cw_table *table, struct cw_err *err) CW_MUST_USE;

static inline bool cw_series_has(const struct cw_series *series, size_t step)
{
    return (series->present[step / 64] >> (step % 64)) & 1;
}
static inline void cw_series_set(struct cw_series *series, size_t step, double value)
{
    series->values[step] = value;
    series->present[step / 64] |= UINT64_C(1) << (step % 64);
}
static inline void cw_series_unset(struct cw_series *series, size_t step)
{
    series->present[step / 64] &= ~(UINT64_C(1) << (step % 64));
}
/* How many steps have a value. */
size_t cw_series_count(const struct cw_series *series, size_t nsteps);

/* What a query answers. */
enum cw_result_kind {
    CW_RESULT_SCALAR, /* instant query of an expression of literals */
    CW_RESULT_VECTOR, /* instant: the series of `table`, in the order they are printed */
    CW_RESULT_MATRIX, /* range: the series of `table` with at least one value, by labels */
};
struct cw_result {
    enum cw_result_kind kind;
    double scalar;
    struct cw_table *table; /* owned; NULL for a scalar. Holds no series without a value. */
};
void cw_result_fini(struct cw_result *result);

#endif
