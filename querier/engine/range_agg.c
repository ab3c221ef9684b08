#include "querier/engine/range_agg.h"

#include <math.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "querier/engine/eval_table.h"
#include "querier/engine/field_rows.h"
#include "querier/engine/grouping.h"
#include "common/base/id_map.h"
#include "querier/engine/log_group.h"
#include "common/base/limits.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/step_values.h"

/* Longer ranges see all that a store can hold; the bound keeps sums of times within int64. */
#define RANGE_MAX_NS (INT64_MAX / 4)

/*
 * Difference arrays over the steps: what an entry adds stands at the first step whose window holds
 * it, and its negative behind the last one; running sums give the windows. Unsigned, so that they
 * wrap without harm.
 */
struct series_sum {
    struct cw_labels labels;
    struct cw_hash128 id;
    uint64_t *entries;             /* grid.n + 1 */
    uint64_t *bytes;               /* the same; NULL when sizes are not needed */
    struct cw_sample_list samples; /* instead of both where values are unwrapped */
    struct cw_step_values values;  /* the same where different values are counted */
};

/* Times (low, high] lie in the windows of the same steps: first to last, none if first > last. */
struct segment {
    int64_t low_ns, high_ns;
    int64_t first, last;
};

struct cw_range_part {
    const struct cw_range_agg *agg;
    struct cw_arena *arena;     /* labels and sums */
    struct cw_arena *scratch;   /* of one batch */
    struct cw_id_map by_labels; /* labels' hash: index in items */
    struct series_sum *items;
    size_t n, cap;
    struct cw_id_map streams; /* stream id: index in stream_series */
    /* the series of a stream's entries without metadata; SIZE_MAX: not known yet */
    size_t *stream_series;
    size_t stream_cap;
    size_t taken;                 /* from the allowance */
    struct cw_pipeline_run *run;  /* NULL: entries are counted as they are */
    struct cw_field_rows *fields; /* NULL: it looks at lines */
    struct segment windows;       /* of the entry before */
    uint64_t place;               /* of the next sample: the unit, then a count */
    size_t nvalues;               /* of all series */
};

struct cw_range_agg {
    const struct cw_expr *expr;
    const struct cw_range_rule *rule;
    bool grouped; /* series are the groups of `grouping` ... */
    bool fused;   /* ... of a sum around the aggregation */
    struct cw_grouping grouping;
    struct cw_grid grid;     /* moved back by the offset */
    int64_t answer_start_ns; /* of the grid that the answer has */
    int64_t range_ns;
    struct cw_allowance *allowance;
    struct cw_range_part *total;
    struct cw_pipeline *pipeline;
    bool sampled; /* values are unwrapped */
    struct cw_str *
        names; /* of `grouping`: sorted, each once, the unwrapped or counted label among those of `without` */
};

bool cw_range_agg_fusible(enum cw_range_fn fn)
{
    return cw_range_rules[fn].adds_up;
}

static int by_text(const void *a, const void *b)
{
    return cw_str_cmp(*(const struct cw_str *)a, *(const struct cw_str *)b);
}

/* What the series are grouped by; `by ()` where no label matters. */
static void set_grouping(struct cw_range_agg *agg, const struct cw_grouping *fusion)
{
    const struct cw_expr *expr = agg->expr;
    struct cw_grouping grouping = fusion != NULL ? *fusion : expr->grouping;
    agg->fused = fusion != NULL;
    bool unwraps =
        (agg->sampled || agg->rule->distinct) &&
        (grouping.kind == CW_GROUP_WITHOUT || (fusion == NULL && grouping.kind == CW_GROUP_NONE));
    agg->grouped =
        fusion != NULL || agg->rule->inverted || grouping.kind != CW_GROUP_NONE || unwraps;
    agg->names = cw_mem_array(grouping.n + 1, sizeof *agg->names);
    for (size_t i = 0; i < grouping.n; i++)
        agg->names[i] = grouping.names[i];
    if (unwraps) {
        grouping.kind = CW_GROUP_WITHOUT;
        agg->names[grouping.n++] = agg->sampled ? expr->unwrap.label : expr->counted;
    }
    qsort(agg->names, grouping.n, sizeof *agg->names, by_text);
    size_t n = 0;
    for (size_t i = 0; i < grouping.n; i++)
        if (n == 0 || !cw_str_eq(agg->names[n - 1], agg->names[i]))
            agg->names[n++] = agg->names[i];
    agg->grouping = (struct cw_grouping){grouping.kind, agg->names, n};
}

static struct cw_grid grid_behind_offset(const struct cw_expr *expr, const struct cw_grid *grid)
{
    struct cw_grid moved = *grid;
    if (__builtin_sub_overflow(grid->start_ns, expr->offset_ns, &moved.start_ns))
        moved.start_ns = expr->offset_ns > 0 ? INT64_MIN : INT64_MAX;
    /* What cw_grid_init_range() promises of times must hold behind the offset too. */
    if (grid->n > 1)
        moved.start_ns = CW_MIN(CW_MAX(moved.start_ns, INT64_MIN / 2), INT64_MAX - RANGE_MAX_NS);
    return moved;
}

struct cw_range_agg *cw_range_agg_new(const struct cw_expr *expr, const struct cw_grouping *fusion,
                                      const struct cw_grid *grid, struct cw_allowance *allowance)
{
    struct cw_range_agg *agg = cw_mem_new(sizeof(*agg));
    agg->expr = expr;
    agg->rule = &cw_range_rules[expr->range_fn];
    CW_ASSERT(fusion == NULL || agg->rule->adds_up);
    agg->sampled = expr->unwrap.present && agg->rule->samples != NULL;
    CW_ASSERT(agg->sampled || agg->rule->value != NULL);
    set_grouping(agg, fusion);
    struct cw_err err;
    int rc = cw_pipeline_new(expr, agg->grouped ? &agg->grouping : NULL,
                             agg->rule->needs_sizes ? CW_PIPELINE_SIZE : CW_PIPELINE_COUNT,
                             &agg->pipeline, &err);
    CW_ASSERT(rc == 0); /* the expression passed cw_eval_check() */
    agg->grid = grid_behind_offset(expr, grid);
    agg->answer_start_ns = grid->start_ns;
    agg->range_ns = CW_MIN(expr->range_ns, RANGE_MAX_NS);
    agg->allowance = allowance;
    return agg;
}

void cw_range_agg_free(struct cw_range_agg **agg)
{
    if (*agg == NULL)
        return;
    cw_range_part_free(&(*agg)->total);
    cw_pipeline_free(&(*agg)->pipeline);
    free((*agg)->names);
    free(*agg);
    *agg = NULL;
}

static void find_bounds(const struct cw_grid *grid, int64_t range_ns, int64_t *start_ns_out,
                        int64_t *end_ns_out)
{
    int64_t last_ns = cw_grid_time(grid, grid->n - 1);
    if (__builtin_sub_overflow(grid->start_ns, range_ns - 1, start_ns_out))
        *start_ns_out = INT64_MIN;
    if (__builtin_add_overflow(last_ns, 1, end_ns_out))
        *end_ns_out = INT64_MAX;
}

void cw_range_bounds(const struct cw_expr *expr, const struct cw_grid *grid, int64_t *start_ns_out,
                     int64_t *end_ns_out)
{
    struct cw_grid moved = grid_behind_offset(expr, grid);
    find_bounds(&moved, CW_MIN(expr->range_ns, RANGE_MAX_NS), start_ns_out, end_ns_out);
}

void cw_range_agg_bounds(const struct cw_range_agg *agg, int64_t *start_ns_out, int64_t *end_ns_out)
{
    find_bounds(&agg->grid, agg->range_ns, start_ns_out, end_ns_out);
}

/* Could structured metadata tell two series apart? */
static bool needs_metadata(const struct cw_range_agg *agg)
{
    return !agg->grouped || agg->grouping.kind == CW_GROUP_WITHOUT || agg->grouping.n > 0;
}

unsigned cw_range_agg_need(const struct cw_range_agg *agg)
{
    unsigned need = 0;
    if (agg->grid.n > 1)
        need |= CW_NEED_TIMES;
    if (agg->rule->needs_sizes)
        need |= CW_NEED_SIZES;
    if (needs_metadata(agg))
        need |= CW_NEED_METADATA;
    if (!cw_pipeline_is_idle(agg->pipeline)) {
        need |= CW_NEED_TIMES | CW_NEED_METADATA;
        if (cw_pipeline_parser(agg->pipeline) != NULL)
            need |= CW_NEED_TEMPLATES;
        else if (agg->rule->needs_sizes || cw_pipeline_needs_lines(agg->pipeline))
            need |= CW_NEED_LINES;
    }
    return need;
}

const struct cw_expr *cw_range_agg_expr(const struct cw_range_agg *agg)
{
    return agg->expr;
}

const struct cw_pipeline *cw_range_agg_pipeline(const struct cw_range_agg *agg)
{
    return agg->pipeline;
}

/* ---- partial accumulators ---- */

static int settle(void *arg, uint32_t *end_out, struct cw_err *err);

struct cw_range_part *cw_range_part_new(const struct cw_range_agg *agg)
{
    struct cw_range_part *part = cw_mem_new(sizeof(*part));
    part->agg = agg;
    part->arena = cw_arena_new();
    part->scratch = cw_arena_new();
    cw_id_map_init(&part->by_labels);
    cw_id_map_init(&part->streams);
    if (!cw_pipeline_is_idle(agg->pipeline))
        part->run = cw_pipeline_run_new(agg->pipeline);
    if (cw_pipeline_parser(agg->pipeline) != NULL)
        part->fields = cw_field_rows_new(agg->expr, &agg->grouping, part->run, settle, part);
    return part;
}

void cw_range_part_free(struct cw_range_part **part)
{
    if (*part == NULL)
        return;
    cw_allowance_give((*part)->agg->allowance, (*part)->taken);
    cw_arena_free(&(*part)->arena);
    cw_arena_free(&(*part)->scratch);
    cw_id_map_fini(&(*part)->by_labels);
    cw_id_map_fini(&(*part)->streams);
    cw_field_rows_free(&(*part)->fields);
    cw_pipeline_run_free(&(*part)->run);
    for (size_t i = 0; i < (*part)->n; i++) {
        cw_sample_list_fini(&(*part)->items[i].samples);
        cw_step_values_fini(&(*part)->items[i].values);
    }
    free((*part)->items);
    free((*part)->stream_series);
    free(*part);
    *part = NULL;
}

static int part_take(struct cw_range_part *part, size_t bytes, struct cw_err *err)
{
    int rc = cw_allowance_take(part->agg->allowance, bytes, err);
    if (rc == 0)
        part->taken += bytes;
    return rc;
}

/* The series of these labels, found or made. */
static int find_series(struct cw_range_part *part, struct cw_labels labels, size_t *idx_out,
                       struct cw_err *err)
{
    const struct cw_range_agg *agg = part->agg;
    struct cw_hash128 id = cw_labels_hash(labels);
    bool added;
    *idx_out = cw_id_map_put(&part->by_labels, id, &added);
    if (!added)
        return 0;
    size_t nsums = agg->sampled || agg->rule->distinct ? 0 : agg->grid.n + 1, label_bytes = 0;
    for (size_t i = 0; i < labels.n; i++)
        label_bytes +=
            sizeof(struct cw_label) + labels.items[i].name.len + labels.items[i].value.len;
    int rc = part_take(part,
                       2 * sizeof(struct series_sum) + CW_ID_MAP_ENTRY_BYTES + label_bytes +
                           nsums * sizeof(uint64_t) * (agg->rule->needs_sizes ? 2 : 1),
                       err);
    if (rc < 0)
        return rc;
    if (part->n == part->cap) {
        part->cap = CW_MAX(16, part->cap * 2);
        part->items = cw_mem_resize(part->items, part->cap * sizeof(*part->items));
    }
    struct series_sum *series = &part->items[part->n++];
    series->labels = cw_labels_dup(part->arena, labels);
    series->id = id;
    series->samples = (struct cw_sample_list){NULL, 0, 0};
    cw_step_values_init(&series->values);
    series->entries = cw_arena_calloc(part->arena, nsums, sizeof(uint64_t));
    series->bytes =
        agg->rule->needs_sizes ? cw_arena_calloc(part->arena, nsums, sizeof(uint64_t)) : NULL;
    return 0;
}

static int find_group(struct cw_range_part *part, struct cw_labels labels, size_t *idx_out,
                      struct cw_err *err)
{
    if (part->agg->grouped)
        labels = cw_grouping_apply(&part->agg->grouping, labels, part->scratch);
    return find_series(part, labels, idx_out, err);
}

/* The series of a stream's entries without metadata. */
static int find_stream(struct cw_range_part *part, const struct cw_stream_ref *stream,
                       size_t *idx_out, struct cw_err *err)
{
    bool added;
    size_t slot = cw_id_map_put(&part->streams, stream->id, &added);
    if (added) {
        int rc = part_take(part, 2 * sizeof(size_t) + CW_ID_MAP_ENTRY_BYTES, err);
        if (rc < 0)
            return rc;
        if (slot >= part->stream_cap) {
            part->stream_cap = CW_MAX(16, part->stream_cap * 2);
            part->stream_series =
                cw_mem_resize(part->stream_series, part->stream_cap * sizeof(size_t));
        }
        part->stream_series[slot] = SIZE_MAX;
    }
    if (part->stream_series[slot] == SIZE_MAX) {
        int rc = find_group(part, stream->labels, &part->stream_series[slot], err);
        if (rc < 0)
            return rc;
    }
    *idx_out = part->stream_series[slot];
    return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - (a % b < 0);
}

static struct segment segment_at(const struct cw_range_agg *agg, int64_t ts_ns)
{
    const struct cw_grid *grid = &agg->grid;
    int64_t d = ts_ns - grid->start_ns, nsteps = (int64_t)grid->n;
    /* The window of step k is (start + k step - range, start + k step]. */
    int64_t first = floor_div(d - 1, grid->step_ns) + 1;
    int64_t last = floor_div(d + agg->range_ns - 1, grid->step_ns);
    int64_t from_first = first * grid->step_ns,
            behind_last = (last + 1) * grid->step_ns - agg->range_ns;
    int64_t from_before = from_first - grid->step_ns, from_last = behind_last - grid->step_ns;
    struct segment segment = {
        .low_ns = grid->start_ns + CW_MAX(from_before, from_last),
        .high_ns = grid->start_ns + CW_MIN(from_first, behind_last),
        .first = CW_MAX(first, 0),
        .last = CW_MIN(last, nsteps - 1),
    };
    return segment;
}

static void add_to(uint64_t *sums, const struct segment *segment, uint64_t value)
{
    sums[segment->first] += value;
    sums[segment->last + 1] -= value;
}

static uint64_t sum_sizes(const uint32_t *sizes, size_t from, size_t to)
{
    uint64_t sum = 0;
    for (size_t i = from; i < to; i++)
        sum += sizes[i];
    return sum;
}

/* Rows [from, to) of a batch belong to one series. */
static void add_rows(const struct cw_range_agg *agg, struct series_sum *series,
                     const struct cw_entry_batch *batch, size_t from, size_t to)
{
    if (agg->grid.n == 1) { /* the scan brings what the one window holds */
        struct segment all = {.first = 0, .last = 0};
        add_to(series->entries, &all, to - from);
        if (series->bytes != NULL)
            add_to(series->bytes, &all, sum_sizes(batch->sizes, from, to));
        return;
    }
    int64_t start_ns, end_ns;
    cw_range_agg_bounds(agg, &start_ns, &end_ns);
    for (size_t i = from; i < to;) {
        int64_t ts_ns = batch->ts_ns[i];
        if (ts_ns < start_ns || ts_ns >= end_ns) {
            i++;
            continue;
        }
        struct segment segment = segment_at(agg, ts_ns);
        size_t end = i + 1;
        while (end < to && batch->ts_ns[end] > segment.low_ns &&
               batch->ts_ns[end] <= segment.high_ns)
            end++;
        if (segment.first <= segment.last) {
            add_to(series->entries, &segment, end - i);
            if (series->bytes != NULL)
                add_to(series->bytes, &segment, sum_sizes(batch->sizes, i, end));
        }
        i = end;
    }
}

static bool same_metadata(const struct cw_labels *a, const struct cw_labels *b)
{
    return (a->items == b->items && a->n == b->n) || cw_labels_eq(*a, *b);
}

/* ---- entries that go through stages ---- */

/* The steps whose windows hold the time; false: there is none. Neighbours have the same ones most of the time. */
static bool find_windows(struct cw_range_part *part, int64_t ts_ns, struct segment *out)
{
    const struct cw_range_agg *agg = part->agg;
    int64_t start_ns, end_ns;
    *out = (struct segment){.first = 0, .last = 0};
    if (agg->grid.n == 1)
        return true;
    if (ts_ns <= part->windows.low_ns || ts_ns > part->windows.high_ns) {
        cw_range_agg_bounds(agg, &start_ns, &end_ns);
        if (ts_ns < start_ns || ts_ns >= end_ns)
            return false;
        part->windows = segment_at(agg, ts_ns);
    }
    *out = part->windows;
    return out->first <= out->last;
}

static int fail_series(struct cw_labels labels, struct cw_err *err)
{
    struct cw_str error = cw_labels_get(labels, CW_STR("__error__"));
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_labels_format(labels, &text);
    int rc = cw_err_set(
        err, CW_E_INVALID,
        "pipeline error: '%.*s' for series: '%s'.\n"
        "Use a label filter to intentionally skip this error. (e.g | __error__!=\"%.*s\").\n"
        "To skip all potential errors you can match empty errors.(e.g __error__=\"\")\n"
        "The label filter can also be specified after unwrap. (e.g | unwrap latency | "
        "__error__=\"\" )",
        CW_STR_ARG(error), cw_buf_z(&text), CW_STR_ARG(error));
    cw_buf_fini(&text);
    return rc;
}

/* The labels of the entry's series. An error shows all of them, and fails the query unless that asked for errors by name; a sum around
 * the aggregation groups those too, and of absence there is one series. */
static int find_labels(struct cw_range_part *part, struct cw_labels *out, struct cw_err *err)
{
    const struct cw_range_agg *agg = part->agg;
    struct cw_label_builder *builder = &part->run->builder;
    bool failed = builder->error.len > 0 && !agg->expr->keeps_errors;
    if (!failed && agg->grouped && agg->grouping.kind != CW_GROUP_WITHOUT) {
        *out = cw_label_builder_get_named(builder, agg->grouping.names, agg->grouping.n);
    } else {
        *out = cw_label_builder_get_all(builder);
        if (!failed && agg->grouped)
            *out = cw_grouping_apply(&agg->grouping, *out, builder->scratch);
    }
    if (cw_labels_has(*out, CW_STR("__error__")) &&
        !cw_str_eqz(cw_labels_get(*out, CW_STR("__preserve_error__")), "true"))
        return fail_series(*out, err);
    if (failed && (agg->fused || agg->rule->inverted))
        *out = cw_grouping_apply(&agg->grouping, *out, builder->scratch);
    return 0;
}

static int add_sample(struct cw_range_part *part, struct series_sum *series, int64_t ts_ns,
                      double value, struct cw_err *err)
{
    struct cw_sample sample = {.ts_ns = ts_ns, .value = value, .place = part->place++};
    if (cw_sample_list_push(&series->samples, &sample))
        return 0;
    size_t growth = cw_sample_list_growth(&series->samples, 1);
    int rc = growth > 0 ? part_take(part, growth, err) : 0;
    if (rc == 0)
        cw_sample_list_add(&series->samples, &sample, 1);
    return rc;
}

static int take_values(struct cw_range_part *part, size_t nadded, struct cw_err *err)
{
    part->nvalues += nadded;
    if (part->nvalues > CW_LIMIT_QUERY_VALUES)
        return cw_err_set(err, CW_E_LIMIT,
                          "count_distinct_over_time found more than %u different values of %.*s, "
                          "which is as many as a query may tell apart",
                          CW_LIMIT_QUERY_VALUES, CW_STR_ARG(part->agg->expr->counted));
    return part_take(part, nadded * cw_step_values_bytes(part->agg->grid.n), err);
}

/* The series of the entry that stands in the run. */
static int settle(void *arg, uint32_t *end_out, struct cw_err *err)
{
    struct cw_range_part *part = arg;
    struct cw_labels labels;
    size_t idx;
    int rc = find_labels(part, &labels, err);
    if (rc == 0)
        rc = find_series(part, labels, &idx, err);
    if (rc == 0 && idx >= CW_FIELD_ROW_LINE)
        rc = cw_err_set(err, CW_E_LIMIT, "too many series");
    if (rc == 0)
        *end_out = (uint32_t)idx;
    return rc;
}

/* An entry of that series. */
static int add_entry(struct cw_range_part *part, uint32_t idx, const struct segment *windows,
                     int64_t ts_ns, double value, size_t size, struct cw_err *err)
{
    struct series_sum *series = &part->items[idx];
    if (part->agg->sampled)
        return add_sample(part, series, ts_ns, value, err);
    add_to(series->entries, windows, 1);
    if (series->bytes != NULL)
        add_to(series->bytes, windows, size);
    return 0;
}

static int add_processed(struct cw_range_part *part, const struct cw_entry_batch *batch, size_t i,
                         struct cw_str line, struct cw_err *err)
{
    struct cw_pipeline_run *run = part->run;
    struct segment windows;
    uint32_t idx;
    if (!find_windows(part, batch->ts_ns[i], &windows))
        return 0;
    int rc =
        cw_pipeline_entry(run, batch->ts_ns[i], batch->stream.labels,
                          batch->metadata != NULL ? batch->metadata[i] : CW_LABELS_NONE, line, err);
    if (rc <= 0)
        return rc;
    struct cw_str value = CW_STR_NONE;
    enum cw_label_category category;
    if (part->agg->rule->distinct &&
        (!cw_label_builder_get(&run->builder, part->agg->expr->counted, &value, &category) ||
         value.len == 0))
        return 0;
    rc = settle(part, &idx, err);
    if (rc == 0 && part->agg->rule->distinct)
        return take_values(part,
                           cw_step_values_add(&part->items[idx].values, part->agg->grid.n, value,
                                              (size_t)windows.first, (size_t)windows.last),
                           err);
    return rc < 0 ? rc
                  : add_entry(part, idx, &windows, batch->ts_ns[i], run->value, run->line.len, err);
}

/* What the rows come to without their lines. */
static int find_ends(struct cw_range_part *part, const struct cw_entry_batch *batch,
                     struct cw_field_row *ends, struct cw_err *err)
{
    struct segment windows = {0};
    int rc = cw_field_rows_begin(part->fields, batch, err);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        if (find_windows(part, batch->ts_ns[i], &windows))
            rc = cw_field_rows_row(part->fields, i, &ends[i], err);
        else
            ends[i].end = CW_FIELD_ROW_GONE;
    }
    return rc;
}

/* All that can go wrong with the block goes wrong before a row is added. */
static int add_templates(struct cw_range_part *part, const struct cw_entry_batch *batch,
                         struct cw_err *err)
{
    cw_arena_reset(part->scratch);
    struct cw_field_row *ends = cw_arena_alloc(part->scratch, batch->n * sizeof *ends);
    struct cw_str *lines = cw_arena_alloc(part->scratch, batch->n * sizeof *lines);
    int rc = find_ends(part, batch, ends, err);
    if (rc == 0)
        rc = cw_field_rows_lines(part->fields, ends, lines, err);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        struct segment windows;
        if (ends[i].end == CW_FIELD_ROW_LINE)
            rc = add_processed(part, batch, i, lines[i], err);
        else if (ends[i].end != CW_FIELD_ROW_GONE && find_windows(part, batch->ts_ns[i], &windows))
            rc = add_entry(part, ends[i].end, &windows, batch->ts_ns[i], ends[i].value,
                           batch->sizes != NULL ? batch->sizes[i] : 0, err);
    }
    return rc;
}

void cw_range_part_begin_unit(struct cw_range_part *part, uint32_t unit)
{
    part->place = (uint64_t)unit << 32;
    if (part->fields != NULL)
        cw_field_rows_forget(part->fields);
}

int cw_range_part_add(struct cw_range_part *part, const struct cw_entry_batch *batch,
                      struct cw_err *err)
{
    const struct cw_range_agg *agg = part->agg;
    if (part->run != NULL && batch->templates != NULL)
        return add_templates(part, batch, err);
    if (part->run != NULL) {
        int rc = 0;
        for (size_t i = 0; rc == 0 && i < batch->n; i++)
            rc = add_processed(part, batch, i, batch->lines != NULL ? batch->lines[i] : CW_STR_NONE,
                               err);
        return rc;
    }
    bool with_metadata = batch->metadata != NULL && needs_metadata(agg);
    cw_arena_reset(part->scratch);
    for (size_t from = 0, to; from < batch->n; from = to) {
        size_t idx;
        int rc;
        to = batch->n;
        if (with_metadata) {
            for (to = from + 1;
                 to < batch->n && same_metadata(&batch->metadata[from], &batch->metadata[to]);)
                to++;
        }
        if (with_metadata && batch->metadata[from].n > 0)
            rc = find_group(
                part, cw_log_labels(batch->stream.labels, batch->metadata[from], part->scratch),
                &idx, err);
        else
            rc = find_stream(part, &batch->stream, &idx, err);
        if (rc < 0)
            return rc;
        add_rows(agg, &part->items[idx], batch, from, to);
    }
    return 0;
}

/* ---- merging and finishing ---- */

static int add_series(struct cw_range_part *total, const struct series_sum *series,
                      struct cw_err *err)
{
    size_t idx, nsums = total->agg->grid.n + 1;
    int rc = find_series(total, series->labels, &idx, err);
    if (rc < 0)
        return rc;
    struct series_sum *sum = &total->items[idx];
    if (total->agg->sampled) {
        rc = part_take(total, cw_sample_list_growth(&sum->samples, series->samples.n), err);
        if (rc == 0)
            cw_sample_list_add(&sum->samples, series->samples.items, series->samples.n);
        return rc;
    }
    if (total->agg->rule->distinct)
        return take_values(
            total, cw_step_values_merge(&sum->values, total->agg->grid.n, &series->values), err);
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
    for (size_t i = 0; rc == 0 && i < (*part)->n; i++)
        rc = add_series(agg->total, &(*part)->items[i], err);
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
    struct cw_window window = {.range_s = (double)agg->range_ns / (double)CW_NS_PER_S};
    for (size_t step = 0; step < agg->grid.n; step++) {
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
    size_t n = agg->grid.n, bytes = n * sizeof(uint64_t);
    int rc = cw_allowance_take(agg->allowance, bytes, err);
    if (rc < 0)
        return rc;
    uint64_t *counts = cw_mem_array(n, sizeof *counts);
    cw_step_values_count(&from->values, n, counts);
    for (size_t step = 0; step < n; step++)
        if (counts[step] > 0)
            cw_series_set(to, step, (double)counts[step]);
    free(counts);
    cw_allowance_give(agg->allowance, bytes);
    return 0;
}

/* Room for a window's values. */
static int scratch_grow(const struct cw_range_agg *agg, struct cw_sample_window *window,
                        size_t *bytes, struct cw_err *err)
{
    size_t want = window->n * sizeof(double);
    if (want <= *bytes)
        return 0;
    want = CW_MAX(want, 2 * *bytes);
    int rc = cw_allowance_take(agg->allowance, want, err);
    if (rc < 0)
        return rc;
    cw_allowance_give(agg->allowance, *bytes);
    free(window->scratch);
    window->scratch = cw_mem_resize(NULL, want);
    *bytes = want;
    return 0;
}

/* Windows move over the samples: both ends only go forward. */
static int set_windows(const struct cw_range_agg *agg, const struct cw_sample_list *list,
                       struct cw_series *to, struct cw_err *err)
{
    size_t first = 0, end = 0, bytes = 0;
    int rc = 0;
    struct cw_sample_window window = {.range_s = (double)agg->range_ns / (double)CW_NS_PER_S,
                                      .param = agg->expr->param};
    for (size_t step = 0; rc == 0 && step < agg->grid.n; step++) {
        int64_t t = cw_grid_time(&agg->grid, step);
        while (end < list->n && list->items[end].ts_ns <= t)
            end++;
        while (first < end && list->items[first].ts_ns <= t - agg->range_ns)
            first++;
        window.items = list->items + first;
        window.n = end - first;
        window.end_ns = t;
        if (window.n == 0)
            continue;
        rc = scratch_grow(agg, &window, &bytes, err);
        if (rc == 0)
            cw_series_set(to, step, agg->rule->samples(&window));
    }
    free(window.scratch);
    cw_allowance_give(agg->allowance, bytes);
    return rc;
}

static int set_sampled(const struct cw_range_agg *agg, struct series_sum *from,
                       struct cw_series *to, struct cw_err *err)
{
    size_t bytes = cw_sample_list_sort_bytes(&from->samples);
    int rc = cw_allowance_take(agg->allowance, bytes, err);
    if (rc < 0)
        return rc;
    cw_sample_list_sort(&from->samples);
    cw_allowance_give(agg->allowance, bytes);
    return set_windows(agg, &from->samples, to, err);
}

int cw_range_agg_finish(struct cw_range_agg *agg, struct cw_table **out, struct cw_err *err)
{
    struct cw_grid grid = agg->grid;
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
            rc = cw_table_add(table, agg->total->items[i].labels, CW_TABLE_COPY, &series, err);
            if (rc == 0 && agg->sampled)
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
