#include "querier/engine/sample.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/match/match_stop.h"
#include "common/match/stop_sort.h"

static int64_t floor_to(int64_t time_ns, int64_t step_ns)
{
    int64_t rest = time_ns % step_ns;
    return time_ns - (rest < 0 ? rest + step_ns : rest);
}

int cw_grid_init_range(struct cw_grid *grid, int64_t start_ns, int64_t end_ns, int64_t step_ns,
                       struct cw_err *err)
{
    int64_t span_ns;
    if (step_ns <= 0)
        return cw_err_set(err, CW_E_INVALID,
                          "zero or negative query resolution step widths are not accepted. Try a "
                          "positive integer");
    if (end_ns < start_ns)
        return cw_err_set(err, CW_E_INVALID,
                          "end timestamp must not be before or equal to start time");
    if (__builtin_sub_overflow(end_ns, start_ns, &span_ns) || span_ns > CW_GRID_SPAN_MAX_NS ||
        step_ns > CW_GRID_SPAN_MAX_NS || start_ns < INT64_MIN / 2 || end_ns > CW_GRID_MAX_NS)
        return cw_err_set(err, CW_E_INVALID, "the query time range is too long");
    if (span_ns / step_ns > CW_GRID_MAX_STEPS)
        return cw_err_set(err, CW_E_INVALID,
                          "exceeded maximum resolution of 11,000 points per timeseries. Try "
                          "decreasing the query resolution (?step=XX)");
    grid->start_ns = floor_to(start_ns, step_ns);
    grid->step_ns = step_ns;
    int64_t end_floor_ns = floor_to(end_ns, step_ns);
    grid->n = (size_t)((end_floor_ns - grid->start_ns) / step_ns) + 1 + (end_floor_ns < end_ns);
    return 0;
}

void cw_grid_init_instant(struct cw_grid *grid, int64_t time_ns)
{
    *grid = (struct cw_grid){.start_ns = time_ns, .step_ns = 1, .n = 1};
}

void cw_allowance_init(struct cw_allowance *allowance, size_t max_bytes)
{
    atomic_init(&allowance->used, 0);
    atomic_init(&allowance->peak, 0);
    allowance->max = max_bytes;
    allowance->budget = NULL;
}

void cw_allowance_set_budget(struct cw_allowance *allowance, struct cw_memory_budget *budget)
{
    allowance->budget = budget;
}

void cw_allowance_fini(struct cw_allowance *allowance)
{
    cw_allowance_give(allowance, atomic_load(&allowance->used));
}

static int over_allowance(const struct cw_allowance *allowance, struct cw_err *err)
{
    return cw_err_set(
        err, CW_E_LIMIT,
        "the query needs more memory than its allowance of %zu bytes; ask for fewer series, "
        "a larger step or a shorter time",
        allowance->max);
}

static void raise_peak(struct cw_allowance *allowance, size_t used)
{
    size_t peak = atomic_load_explicit(&allowance->peak, memory_order_relaxed);
    while (used > peak &&
           !atomic_compare_exchange_weak_explicit(&allowance->peak, &peak, used,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

int cw_allowance_take(struct cw_allowance *allowance, size_t bytes, struct cw_err *err)
{
    if (allowance == NULL)
        return 0;
    size_t used = atomic_fetch_add(&allowance->used, bytes);
    int rc = 0;
    if (allowance->max > 0 && (used > allowance->max || bytes > allowance->max - used))
        rc = over_allowance(allowance, err);
    if (rc == 0)
        rc = cw_memory_take(allowance->budget, CW_MEMORY_QUERIES, bytes, err);
    if (rc < 0)
        atomic_fetch_sub(&allowance->used, bytes);
    else
        raise_peak(allowance, used + bytes);
    return rc;
}

void cw_allowance_give(struct cw_allowance *allowance, size_t bytes)
{
    if (allowance == NULL)
        return;
    atomic_fetch_sub(&allowance->used, bytes);
    cw_memory_give(allowance->budget, CW_MEMORY_QUERIES, bytes);
}

int cw_allowance_watch(void *allowance, size_t bytes)
{
    return cw_allowance_take(allowance, bytes, NULL);
}

int cw_allowance_check(struct cw_allowance *allowance, const struct cw_arena *arena,
                       struct cw_err *err)
{
    int rc = cw_arena_refused(arena);
    if (rc == CW_E_LIMIT)
        return over_allowance(allowance, err);
    return rc < 0
               ? cw_err_set(err, rc, "the memory for queries is used up (memory.limit), try again")
               : 0;
}

struct cw_table *cw_table_new(const struct cw_grid *grid, struct cw_allowance *allowance)
{
    struct cw_table *table = cw_mem_new(sizeof(*table));
    table->grid = *grid;
    table->arena = cw_arena_new();
    table->allowance = allowance;
    return table;
}

void cw_table_free(struct cw_table **table)
{
    if (*table == NULL)
        return;
    cw_allowance_give((*table)->allowance, (*table)->taken);
    cw_arena_free(&(*table)->arena);
    free((*table)->items);
    free(*table);
    *table = NULL;
}

static size_t labels_bytes(struct cw_labels labels)
{
    size_t bytes = labels.n * sizeof(struct cw_label);
    for (size_t i = 0; i < labels.n; i++)
        bytes += labels.items[i].name.len + labels.items[i].value.len + 2;
    return bytes;
}

int cw_table_add(struct cw_table *table, struct cw_labels labels, enum cw_table_labels how,
                 struct cw_series **out, struct cw_err *err)
{
    size_t nwords = (table->grid.n + 63) / 64;
    size_t bytes =
        2 * sizeof(struct cw_series) + table->grid.n * sizeof(double) + nwords * sizeof(uint64_t);
    if (how == CW_TABLE_COPY)
        bytes += labels_bytes(labels);
    int rc = cw_match_stop_check(err);
    if (rc == 0)
        rc = cw_allowance_take(table->allowance, bytes, err);
    if (rc < 0)
        return rc;
    table->taken += bytes;
    if (table->n == table->cap) {
        table->cap = CW_MAX(16, table->cap * 2);
        table->items = cw_mem_resize(table->items, table->cap * sizeof(*table->items));
    }
    struct cw_series *series = &table->items[table->n++];
    series->labels = how == CW_TABLE_COPY ? cw_labels_dup(table->arena, labels) : labels;
    series->id = cw_labels_hash(labels);
    series->values = cw_arena_calloc(table->arena, table->grid.n, sizeof(double));
    series->present = cw_arena_calloc(table->arena, nwords, sizeof(uint64_t));
    *out = series;
    return 0;
}

static int by_labels(const void *a, const void *b, void *arg)
{
    (void)arg;
    return cw_labels_cmp(((const struct cw_series *)a)->labels,
                         ((const struct cw_series *)b)->labels);
}

void cw_table_drop_empty(struct cw_table *table)
{
    size_t n = 0;
    for (size_t i = 0; i < table->n; i++)
        if (cw_series_count(&table->items[i], table->grid.n) > 0)
            table->items[n++] = table->items[i];
    table->n = n;
}

int cw_table_sort(struct cw_table *table, struct cw_err *err)
{
    return cw_stop_sort(table->items, table->n, sizeof(*table->items), by_labels, NULL, err);
}

size_t cw_series_count(const struct cw_series *series, size_t nsteps)
{
    size_t n = 0;
    for (size_t i = 0; i < (nsteps + 63) / 64; i++)
        n += (size_t)__builtin_popcountll(series->present[i]);
    return n;
}

void cw_result_fini(struct cw_result *result)
{
    cw_table_free(&result->table);
}
