#include "querier/engine/pattern_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "querier/engine/pattern_merge.h"

enum { SAMPLES_MIN = 8 };

/* What a pattern takes beside its text and its samples. */
enum { SUM_BYTES = 2 * sizeof(struct cw_pattern_sum) + CW_ID_MAP_ENTRY_BYTES };

void cw_pattern_table_init(struct cw_pattern_table *table, struct cw_allowance *allowance)
{
    *table = (struct cw_pattern_table){.allowance = allowance, .arena = cw_arena_new()};
    cw_id_map_init(&table->map);
}

void cw_pattern_table_fini(struct cw_pattern_table *table)
{
    for (size_t i = 0; i < table->n; i++)
        free(table->items[i].samples);
    free(table->items);
    cw_id_map_fini(&table->map);
    cw_arena_free(&table->arena);
    cw_allowance_give(table->allowance, table->taken);
    *table = (struct cw_pattern_table){0};
}

static int take(struct cw_pattern_table *table, size_t bytes, struct cw_err *err)
{
    int rc = cw_allowance_take(table->allowance, bytes, err);
    if (rc == 0)
        table->taken += bytes;
    return rc;
}

int cw_pattern_table_put(struct cw_pattern_table *table, struct cw_str text, size_t *idx_out,
                         struct cw_err *err)
{
    struct cw_hash128 id = cw_hash128(text.ptr, text.len);
    if (cw_id_map_find(&table->map, id, idx_out))
        return 0;
    int rc = take(table, text.len + SUM_BYTES, err);
    if (rc < 0)
        return rc;
    bool added;
    *idx_out = cw_id_map_put(&table->map, id, &added);
    if (table->n == table->cap) {
        table->cap = table->cap > 0 ? 2 * table->cap : 64;
        table->items = cw_mem_resize(table->items, table->cap * sizeof *table->items);
    }
    table->items[table->n++] = (struct cw_pattern_sum){.text = cw_arena_dup(table->arena, text)};
    return 0;
}

/* ---- samples ---- */

static uint64_t sample_key(const struct cw_pattern_sample *sample)
{
    return (uint64_t)sample->level << 32 | sample->step;
}

/* Where the sample stands among the others, or where it would: mostly at the one that was counted last, or behind it. */
static size_t sample_place(const struct cw_pattern_sum *sum, uint64_t key)
{
    size_t from = 0, to = sum->n;
    if (to == 0 || sample_key(&sum->samples[to - 1]) < key)
        return to;
    for (size_t i = sum->last; i < to && i < sum->last + 2; i++)
        if (sample_key(&sum->samples[i]) == key)
            return i;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (sample_key(&sum->samples[mid]) < key)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static int samples_room(struct cw_pattern_table *table, struct cw_pattern_sum *sum,
                        struct cw_err *err)
{
    if (sum->n < sum->cap)
        return 0;
    size_t cap = sum->cap > 0 ? 2 * sum->cap : SAMPLES_MIN;
    int rc = take(table, (cap - sum->cap) * sizeof *sum->samples, err);
    if (rc < 0)
        return rc;
    sum->samples = cw_mem_resize(sum->samples, cap * sizeof *sum->samples);
    sum->cap = cap;
    return 0;
}

int cw_pattern_table_add(struct cw_pattern_table *table, size_t idx,
                         struct cw_pattern_sample sample, struct cw_err *err)
{
    struct cw_pattern_sum *sum = &table->items[idx];
    uint64_t key = sample_key(&sample);
    size_t at = sample_place(sum, key);
    if (at == sum->n || sample_key(&sum->samples[at]) != key) {
        int rc = samples_room(table, sum, err);
        if (rc < 0)
            return rc;
        memmove(sum->samples + at + 1, sum->samples + at, (sum->n - at) * sizeof *sum->samples);
        sum->samples[at] = (struct cw_pattern_sample){sample.level, sample.step, 0};
        sum->n++;
    }
    sum->samples[at].count += sample.count;
    sum->count += sample.count;
    sum->last = at;
    return 0;
}

/* ---- tables ---- */

static int add_sum(struct cw_pattern_table *table, const struct cw_pattern_sum *sum,
                   struct cw_err *err)
{
    size_t idx;
    int rc = cw_pattern_table_put(table, sum->text, &idx, err);
    for (size_t i = 0; rc == 0 && i < sum->n; i++)
        rc = cw_pattern_table_add(table, idx, sum->samples[i], err);
    return rc;
}

int cw_pattern_table_add_table(struct cw_pattern_table *table, const struct cw_pattern_table *from,
                               struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < from->n; i++)
        rc = add_sum(table, &from->items[i], err);
    return rc;
}

static int by_count(const void *a, const void *b)
{
    const struct cw_pattern_sum *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return cw_str_cmp(x->text, y->text);
}

void cw_pattern_table_sort(struct cw_pattern_table *table, size_t keep)
{
    if (table->n > 1)
        qsort(table->items, table->n, sizeof *table->items, by_count);
    for (size_t i = keep; i < table->n; i++)
        free(table->items[i].samples);
    table->n = CW_MIN(table->n, keep);
}

int cw_pattern_table_make_room(struct cw_pattern_table *table, struct cw_err *err)
{
    if (table->n <= CW_PATTERN_TABLE_MAX)
        return 0;
    struct cw_pattern_table merged;
    cw_pattern_table_init(&merged, table->allowance);
    int rc = cw_pattern_merge(table, &merged, err);
    if (rc == 0 && merged.n > CW_PATTERN_TABLE_MAX / 2) {
        cw_pattern_table_sort(&merged, CW_PATTERN_TABLE_MAX / 2);
        cw_pattern_table_fini(table);
        cw_pattern_table_init(table, merged.allowance);
        rc = cw_pattern_table_add_table(table, &merged, err);
        cw_pattern_table_fini(&merged);
        return rc;
    }
    cw_pattern_table_fini(rc == 0 ? table : &merged);
    if (rc == 0)
        *table = merged;
    return rc;
}
