#include "querier/engine/vector_agg.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/id_map.h"
#include "common/match/match_stop.h"
#include "common/match/stop_sort.h"
#include "querier/engine/grouping.h"

/* Which group each series of a table belongs to. */
struct groups {
    size_t *of;               /* by series */
    struct cw_labels *labels; /* by group; from the arena */
    size_t n, cap;
    struct cw_arena *arena;
    struct cw_allowance *allowance;
    size_t taken; /* from it: for these arrays, and one of candidates or folds */
};

/* What is made of one series beside the result's. */
enum {
    MEMBER_BYTES = 2 * sizeof(size_t) + CW_ID_MAP_ENTRY_BYTES + 2 * sizeof(struct cw_labels) + 64
};

/* `without` with the metric's name among what it drops. */
static struct cw_grouping whole_grouping(const struct cw_grouping *grouping, struct cw_arena *arena)
{
    if (grouping->kind != CW_GROUP_WITHOUT)
        return *grouping;
    struct cw_str *names = CW_ARENA_ARRAY(arena, struct cw_str, grouping->n + 1);
    for (size_t i = 0; i < grouping->n; i++)
        names[i] = grouping->names[i];
    names[grouping->n] = CW_STR(CW_METRIC_NAME);
    return (struct cw_grouping){CW_GROUP_WITHOUT, names, grouping->n + 1};
}

static int groups_init(struct groups *groups, const struct cw_grouping *written,
                       const struct cw_table *in, struct cw_err *err)
{
    struct cw_id_map map;
    *groups = (struct groups){.allowance = in->allowance, .taken = in->n * MEMBER_BYTES};
    int rc = cw_allowance_take(groups->allowance, groups->taken, err);
    if (rc < 0) {
        groups->taken = 0;
        return rc;
    }
    groups->of = cw_mem_array(in->n + 1, sizeof(*groups->of));
    groups->arena = cw_arena_new();
    const struct cw_grouping grouping = whole_grouping(written, groups->arena);
    cw_id_map_init(&map);
    for (size_t i = 0; rc == 0 && i < in->n; i++) {
        bool added;
        struct cw_labels labels =
            cw_grouping_samples(&grouping, in->items[i].labels, groups->arena);
        groups->of[i] = cw_id_map_put(&map, cw_labels_hash(labels), &added);
        rc = cw_match_stop_check(err);
        if (!added)
            continue;
        groups->labels = cw_arena_grow(groups->arena, groups->labels, groups->n, &groups->cap,
                                       groups->n + 1, sizeof(labels));
        groups->labels[groups->n++] = labels;
    }
    cw_id_map_fini(&map);
    return rc;
}

static void groups_fini(struct groups *groups)
{
    free(groups->of);
    cw_arena_free(&groups->arena);
    cw_allowance_give(groups->allowance, groups->taken);
}

/* ---- one value a group ---- */

/* Welford's running mean and sum of squared distances: exact where the plain sums of squares would
 * cancel. */
struct fold {
    double value, mean, squares;
    uint64_t n;
};

static void fold_add(enum cw_vector_fn fn, struct fold *fold, double value)
{
    fold->n++;
    double delta = value - fold->mean;
    switch (fn) {
    case CW_VECTOR_SUM: fold->value += value; break;
    case CW_VECTOR_MIN:
        if (fold->n == 1 || value < fold->value || isnan(fold->value))
            fold->value = value;
        break;
    case CW_VECTOR_MAX:
        if (fold->n == 1 || value > fold->value || isnan(fold->value))
            fold->value = value;
        break;
    case CW_VECTOR_COUNT: break;
    default:
        fold->mean += delta / (double)fold->n;
        fold->squares += delta * (value - fold->mean);
        break;
    }
}

static double fold_result(enum cw_vector_fn fn, const struct fold *fold)
{
    switch (fn) {
    case CW_VECTOR_COUNT: return (double)fold->n;
    case CW_VECTOR_AVG: return fold->mean;
    case CW_VECTOR_STDVAR: return fold->squares / (double)fold->n;
    case CW_VECTOR_STDDEV: return sqrt(fold->squares / (double)fold->n);
    default: return fold->value;
    }
}

int cw_vector_agg_fold(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                       struct cw_err *err)
{
    struct groups groups = {0};
    /* Sums of doubles depend on their order: the same query gives the same digits. */
    int rc = cw_table_sort(in, err);
    if (rc == 0)
        rc = groups_init(&groups, &expr->grouping, in, err);
    struct cw_table *table = cw_table_new(&in->grid, in->allowance);
    struct fold *folds = cw_mem_array(groups.n + 1, sizeof(*folds));
    for (size_t g = 0; rc == 0 && g < groups.n; g++) {
        struct cw_series *series;
        rc = cw_table_add(table, groups.labels[g], CW_TABLE_COPY, &series, err);
    }
    for (size_t step = 0; rc == 0 && step < in->grid.n; step++) {
        rc = cw_match_stop_check(err);
        memset(folds, 0, groups.n * sizeof(*folds));
        for (size_t i = 0; i < in->n; i++)
            if (cw_series_has(&in->items[i], step))
                fold_add(expr->vector_fn, &folds[groups.of[i]], in->items[i].values[step]);
        for (size_t g = 0; g < groups.n; g++)
            if (folds[g].n > 0)
                cw_series_set(&table->items[g], step, fold_result(expr->vector_fn, &folds[g]));
    }
    free(folds);
    groups_fini(&groups);
    if (rc < 0)
        cw_table_free(&table);
    else
        *out = table;
    return rc;
}

/* ---- some series of a group ---- */

struct candidate {
    double value;
    size_t group, idx;
};

/* By group, then the best first: NaN behind every number, of equals the earlier. */
static int best_first(const struct candidate *a, const struct candidate *b, bool largest)
{
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    if (isnan(a->value) != isnan(b->value))
        return isnan(a->value) ? 1 : -1;
    if (a->value != b->value && !isnan(a->value))
        return (a->value > b->value) == largest ? -1 : 1;
    return a->idx < b->idx ? -1 : a->idx > b->idx;
}

static int largest_first(const void *a, const void *b, void *arg)
{
    (void)arg;
    return best_first(a, b, true);
}

static int smallest_first(const void *a, const void *b, void *arg)
{
    (void)arg;
    return best_first(a, b, false);
}

static int copy_series(struct cw_table *to, const struct cw_series *from, bool values,
                       struct cw_err *err)
{
    struct cw_series *series;
    int rc = cw_table_add(to, from->labels, CW_TABLE_COPY, &series, err);
    if (rc < 0 || !values)
        return rc;
    memcpy(series->values, from->values, to->grid.n * sizeof(double));
    memcpy(series->present, from->present, (to->grid.n + 63) / 64 * sizeof(uint64_t));
    return 0;
}

int cw_vector_agg_select(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                         struct cw_err *err)
{
    struct groups groups = {0};
    int rc = cw_table_sort(in, err);
    if (rc == 0)
        rc = groups_init(&groups, &expr->grouping, in, err);
    struct cw_table *table = cw_table_new(&in->grid, in->allowance);
    struct candidate *candidates = cw_mem_array(in->n + 1, sizeof(*candidates));
    for (size_t i = 0; rc == 0 && i < in->n; i++)
        rc = copy_series(table, &in->items[i], false, err);
    for (size_t step = 0; rc == 0 && step < in->grid.n; step++) {
        size_t n = 0;
        for (size_t i = 0; i < in->n; i++)
            if (cw_series_has(&in->items[i], step))
                candidates[n++] = (struct candidate){in->items[i].values[step], groups.of[i], i};
        rc = cw_stop_sort(candidates, n, sizeof(*candidates),
                          expr->vector_fn == CW_VECTOR_BOTTOMK ? smallest_first : largest_first,
                          NULL, err);
        size_t chosen = 0;
        for (size_t i = 0; rc == 0 && i < n; i++) {
            chosen = i > 0 && candidates[i].group == candidates[i - 1].group ? chosen + 1 : 1;
            if ((double)chosen <= expr->param)
                cw_series_set(&table->items[candidates[i].idx], step, candidates[i].value);
        }
    }
    free(candidates);
    groups_fini(&groups);
    if (rc < 0)
        cw_table_free(&table);
    else
        *out = table;
    return rc;
}

/* ---- sort ---- */

int cw_vector_agg_sort(const struct cw_expr *expr, struct cw_table *in, struct cw_table **out,
                       struct cw_err *err)
{
    int rc = cw_table_sort(in, err);
    struct cw_table *table = cw_table_new(&in->grid, in->allowance);
    struct candidate *candidates = cw_mem_array(in->n + 1, sizeof(*candidates));
    size_t n = 0;
    for (size_t i = 0; i < in->n; i++) {
        double value = cw_series_has(&in->items[i], 0) ? in->items[i].values[0] : NAN;
        candidates[n++] = (struct candidate){value, 0, i};
    }
    if (rc == 0 && in->grid.n == 1)
        rc = cw_stop_sort(candidates, n, sizeof(*candidates),
                          expr->vector_fn == CW_VECTOR_SORT ? smallest_first : largest_first, NULL,
                          err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = copy_series(table, &in->items[candidates[i].idx], true, err);
    free(candidates);
    if (rc < 0)
        cw_table_free(&table);
    else
        *out = table;
    return rc;
}
