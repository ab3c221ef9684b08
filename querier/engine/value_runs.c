#include "querier/engine/value_runs.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/match/stop_sort.h"

void cw_value_runs_fini(struct cw_value_runs *runs)
{
    while (runs->more != NULL) {
        struct cw_value_runs *more = runs->more;
        runs->more = more->more;
        free(more->values);
        free(more->runs);
        free(more);
    }
    free(runs->values);
    free(runs->runs);
    *runs = (struct cw_value_runs){0};
}

static bool begins_run(const struct cw_value_runs *runs, const struct cw_segment *windows)
{
    const struct cw_value_run *last = runs->nruns > 0 ? &runs->runs[runs->nruns - 1] : NULL;
    return last == NULL || last->first != windows->first || last->last != windows->last ||
           last->n == UINT32_MAX;
}

static size_t cap_behind(size_t cap)
{
    return CW_MAX(16, cap * 2);
}

size_t cw_value_runs_growth(const struct cw_value_runs *runs, const struct cw_segment *windows)
{
    size_t bytes = 0;
    if (runs->n == runs->cap)
        bytes += (cap_behind(runs->cap) - runs->cap) * sizeof *runs->values;
    if (runs->nruns == runs->runs_cap && begins_run(runs, windows))
        bytes += (cap_behind(runs->runs_cap) - runs->runs_cap) * sizeof *runs->runs;
    return bytes;
}

static void run_begin(struct cw_value_runs *runs, const struct cw_segment *windows)
{
    if (runs->nruns == runs->runs_cap) {
        runs->runs_cap = cap_behind(runs->runs_cap);
        runs->runs = cw_mem_resize(runs->runs, runs->runs_cap * sizeof *runs->runs);
    }
    runs->runs[runs->nruns++] =
        (struct cw_value_run){(uint32_t)windows->first, (uint32_t)windows->last, 0};
}

void cw_value_runs_add(struct cw_value_runs *runs, const struct cw_segment *windows, double value)
{
    if (runs->n == runs->cap) {
        runs->cap = cap_behind(runs->cap);
        runs->values = cw_mem_resize(runs->values, runs->cap * sizeof *runs->values);
    }
    if (begins_run(runs, windows))
        run_begin(runs, windows);
    runs->runs[runs->nruns - 1].n++;
    runs->values[runs->n++] = value;
}

void cw_value_runs_merge(struct cw_value_runs *runs, struct cw_value_runs *from)
{
    CW_ASSERT(from->more == NULL);
    struct cw_value_runs *more = cw_mem_new(sizeof *more);
    *more = *from;
    more->more = runs->more;
    runs->more = more;
    *from = (struct cw_value_runs){0};
}

/* ---- windows ---- */

static size_t count_runs(const struct cw_value_runs *runs)
{
    size_t n = 0;
    for (; runs != NULL; runs = runs->more)
        n += runs->nruns;
    return n;
}

size_t cw_run_walk_bytes(const struct cw_value_runs *runs)
{
    return 2 * count_runs(runs) * sizeof(struct cw_run_place); /* sorting takes as much */
}

/* Of two runs whose windows differ both ends go the same way. */
static int by_steps(const void *a, const void *b, void *arg)
{
    (void)arg;
    const struct cw_value_run *x = &((const struct cw_run_place *)a)->run,
                              *y = &((const struct cw_run_place *)b)->run;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return x->last < y->last ? -1 : x->last > y->last;
}

int cw_run_walk_init(struct cw_run_walk *walk, const struct cw_value_runs *runs, struct cw_err *err)
{
    *walk = (struct cw_run_walk){
        .places = cw_mem_resize(NULL, (count_runs(runs) + 1) * sizeof *walk->places)};
    for (; runs != NULL; runs = runs->more) {
        const double *values = runs->values;
        for (size_t i = 0; i < runs->nruns; values += runs->runs[i++].n)
            walk->places[walk->n++] = (struct cw_run_place){runs->runs[i], values};
    }
    return cw_stop_sort(walk->places, walk->n, sizeof *walk->places, by_steps, NULL, err);
}

void cw_run_walk_fini(struct cw_run_walk *walk)
{
    free(walk->places);
    *walk = (struct cw_run_walk){0};
}

size_t cw_run_walk_step(struct cw_run_walk *walk, size_t step)
{
    size_t n = 0;
    while (walk->to < walk->n && walk->places[walk->to].run.first <= step)
        walk->to++;
    while (walk->from < walk->to && walk->places[walk->from].run.last < step)
        walk->from++;
    for (size_t i = walk->from; i < walk->to; i++)
        n += walk->places[i].run.n;
    return n;
}

void cw_run_walk_values(const struct cw_run_walk *walk, double *out)
{
    for (size_t i = walk->from; i < walk->to; i++) {
        memcpy(out, walk->places[i].values, walk->places[i].run.n * sizeof *out);
        out += walk->places[i].run.n;
    }
}
