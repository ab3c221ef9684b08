/* range_finish.c - partial accumulators become one, and that the table of windows. */
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/match/match_stop.h"
#include "querier/engine/range_agg_priv.h"

static int add_series(struct cw_range_part *total, struct series_sum *series, struct cw_err *err)
{
    size_t idx, nsums = total->agg->steps.grid.n + 1;
    int rc = cw_range_part_series(total, series->labels, &idx, err);
    if (rc < 0)
        return rc;
    struct series_sum *sum = &total->items[idx];
    if (total->agg->unordered) {
        cw_value_runs_merge(&sum->runs, &series->runs);
        return cw_range_part_take(total, sizeof series->runs, err);
    }
    if (total->agg->sampled) {
        rc =
            cw_range_part_take(total, cw_sample_list_growth(&sum->samples, series->samples.n), err);
        if (rc == 0)
            cw_sample_list_add(&sum->samples, series->samples.items, series->samples.n);
        return rc;
    }
    if (total->agg->rule->distinct)
        return cw_range_part_values(
            total, cw_step_values_merge(&sum->values, total->agg->steps.grid.n, &series->values),
            err);
    for (size_t i = 0; i < nsums; i++)
        sum->entries[i] += series->entries[i];
    for (size_t i = 0; sum->bytes != NULL && i < nsums; i++)
        sum->bytes[i] += series->bytes[i];
    return 0;
}

int cw_range_agg_merge(struct cw_range_agg *agg, struct cw_range_part **part, struct cw_err *err)
{
    int rc = 0;
    if (agg->total == NULL) {
        agg->total = *part;
        *part = NULL;
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < (*part)->n; i++) {
        rc = cw_match_stop_check(err);
        if (rc == 0)
            rc = add_series(agg->total, &(*part)->items[i], err);
    }
    if (agg->unordered) { /* its values are the total's now */
        agg->total->taken += (*part)->taken;
        (*part)->taken = 0;
    }
    cw_range_part_free(part);
    return rc;
}

/* The labels of absent_over_time: those of `=` matchers, unless the name has another matcher too.
 * */
static struct cw_labels absent_labels(const struct cw_selector *selector, struct cw_arena *arena)
{
    struct cw_label *pairs = cw_arena_calloc(arena, selector->n + 1, sizeof(*pairs));
    struct cw_labels labels;
    struct cw_err err;
    size_t n = 0;
    for (size_t i = 0; i < selector->n; i++) {
        const struct cw_matcher *matcher = &selector->items[i];
        bool alone = matcher->op == CW_MATCH_EQ;
        for (size_t k = 0; k < selector->n && alone; k++)
            alone = k == i || !cw_str_eq(selector->items[k].name, matcher->name);
        if (alone)
            pairs[n++] = (struct cw_label){matcher->name, matcher->value};
    }
    int rc = cw_labels_from_pairs(pairs, n, &labels, &err);
    CW_ASSERT(rc == 0); /* names are unique */
    return labels;
}

static void set_values(const struct cw_range_agg *agg, const struct series_sum *from,
                       struct cw_series *to)
{
    struct cw_window window = {.range_s = (double)agg->steps.range_ns / (double)CW_NS_PER_S};
    for (size_t step = 0; step < agg->steps.grid.n; step++) {
        if (from != NULL) {
            window.entries += from->entries[step];
            window.bytes += from->bytes != NULL ? from->bytes[step] : 0;
        }
        if ((window.entries > 0) != agg->rule->inverted)
            cw_series_set(to, step, agg->rule->value(&window));
    }
}

static int set_distinct(const struct cw_range_agg *agg, const struct series_sum *from,
                        struct cw_series *to, struct cw_err *err)
{
    size_t n = agg->steps.grid.n, bytes = n * sizeof(uint64_t);
    int rc = cw_allowance_take(agg->allowance, bytes, err);
    if (rc < 0)
        return rc;
    uint64_t *counts = cw_mem_array(n, sizeof *counts);
    rc = cw_step_values_count(&from->values, n, counts, err);
    for (size_t step = 0; rc == 0 && step < n; step++)
        if (counts[step] > 0)
            cw_series_set(to, step, (double)counts[step]);
    free(counts);
    cw_allowance_give(agg->allowance, bytes);
    return rc;
}

/* Room for the values of one window. */
struct room {
    double *values;
    size_t bytes; /* from the allowance */
};

static int room_grow(const struct cw_range_agg *agg, struct room *room, size_t n,
                     struct cw_err *err)
{
    size_t want = n * sizeof(double);
    if (want <= room->bytes)
        return 0;
    want = CW_MAX(want, 2 * room->bytes);
    int rc = cw_allowance_take(agg->allowance, want, err);
    if (rc < 0)
        return rc;
    cw_allowance_give(agg->allowance, room->bytes);
    free(room->values);
    *room = (struct room){cw_mem_resize(NULL, want), want};
    return 0;
}

static int set_unordered(const struct cw_range_agg *agg, const struct series_sum *from,
                         struct cw_series *to, struct cw_err *err)
{
    struct cw_run_walk walk;
    struct room room = {0};
    size_t bytes = cw_run_walk_bytes(&from->runs);
    int rc = cw_allowance_take(agg->allowance, bytes, err);
    if (rc < 0)
        return rc;
    rc = cw_run_walk_init(&walk, &from->runs, err);
    for (size_t step = 0; rc == 0 && step < agg->steps.grid.n; step++) {
        size_t n = cw_run_walk_step(&walk, step);
        if (n == 0)
            continue;
        rc = room_grow(agg, &room, n, err);
        if (rc == 0)
            rc = cw_match_stop_check(err);
        if (rc < 0)
            break;
        cw_run_walk_values(&walk, room.values);
        cw_series_set(to, step, agg->rule->values(room.values, n, agg->expr->param));
    }
    free(room.values);
    cw_run_walk_fini(&walk);
    cw_allowance_give(agg->allowance, bytes + room.bytes);
    return rc;
}

/* Windows move over the samples: both ends only go forward. */
static int set_windows(const struct cw_range_agg *agg, const struct cw_sample_list *list,
                       struct cw_series *to, struct cw_err *err)
{
    size_t first = 0, end = 0;
    int rc = 0;
    struct cw_sample_window window = {.range_s = (double)agg->steps.range_ns / (double)CW_NS_PER_S};
    for (size_t step = 0; rc == 0 && step < agg->steps.grid.n; step++) {
        int64_t t = cw_grid_time(&agg->steps.grid, step);
        while (end < list->n && list->items[end].ts_ns <= t)
            end++;
        while (first < end && list->items[first].ts_ns <= t - agg->steps.range_ns)
            first++;
        window.items = list->items + first;
        window.n = end - first;
        window.end_ns = t;
        if (window.n == 0)
            continue;
        rc = cw_match_stop_check(err);
        if (rc == 0)
            cw_series_set(to, step, agg->rule->samples(&window));
    }
    return rc;
}

static int set_sampled(const struct cw_range_agg *agg, struct series_sum *from,
                       struct cw_series *to, struct cw_err *err)
{
    size_t bytes = cw_sample_list_sort_bytes(&from->samples);
    int rc = cw_allowance_take(agg->allowance, bytes, err);
    if (rc < 0)
        return rc;
    rc = cw_sample_list_sort(&from->samples, err);
    cw_allowance_give(agg->allowance, bytes);
    return rc < 0 ? rc : set_windows(agg, &from->samples, to, err);
}

int cw_range_agg_finish(struct cw_range_agg *agg, struct cw_table **out, struct cw_err *err)
{
    struct cw_grid grid = agg->steps.grid;
    grid.start_ns = agg->answer_start_ns;
    struct cw_table *table = cw_table_new(&grid, agg->allowance);
    struct cw_series *series;
    int rc = 0;
    size_t n = agg->total != NULL ? agg->total->n : 0;
    if (agg->rule->inverted) {
        rc = cw_table_add(table, absent_labels(&agg->expr->selector, table->arena), CW_TABLE_COPY,
                          &series, err);
        if (rc == 0)
            set_values(agg, n > 0 ? &agg->total->items[0] : NULL, series);
    } else {
        for (size_t i = 0; rc == 0 && i < n; i++) {
            rc = cw_match_stop_check(err);
            if (rc == 0)
                rc = cw_table_add(table, agg->total->items[i].labels, CW_TABLE_COPY, &series, err);
            if (rc == 0 && agg->unordered)
                rc = set_unordered(agg, &agg->total->items[i], series, err);
            else if (rc == 0 && agg->sampled)
                rc = set_sampled(agg, &agg->total->items[i], series, err);
            else if (rc == 0 && agg->rule->distinct)
                rc = set_distinct(agg, &agg->total->items[i], series, err);
            else if (rc == 0)
                set_values(agg, &agg->total->items[i], series);
        }
    }
    cw_range_part_free(&agg->total);
    if (rc < 0)
        cw_table_free(&table);
    else
        *out = table;
    return rc;
}
