#include "querier/engine/range_agg.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "querier/engine/grouping.h"
#include "querier/engine/log_group.h"
#include "common/base/limits.h"
#include "querier/engine/pipeline.h"
#include "querier/engine/range_agg_priv.h"

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
    agg->names = cw_mem_array(grouping.n + 2, sizeof *agg->names);
    for (size_t i = 0; i < grouping.n; i++)
        agg->names[i] = grouping.names[i];
    if (fusion != NULL && grouping.kind == CW_GROUP_WITHOUT)
        agg->names[grouping.n++] = CW_STR(CW_METRIC_NAME);
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
        moved.start_ns = CW_MIN(CW_MAX(moved.start_ns, INT64_MIN / 2), CW_GRID_MAX_NS);
    return moved;
}

struct cw_range_agg *cw_range_agg_new(const struct cw_expr *expr, const struct cw_grouping *fusion,
                                      const struct cw_grid *grid, struct cw_allowance *allowance)
{
    struct cw_range_agg *agg = cw_mem_new(sizeof(*agg));
    agg->expr = expr;
    agg->rule = &cw_range_rules[expr->range_fn];
    CW_ASSERT(fusion == NULL || agg->rule->adds_up);
    agg->unordered = expr->unwrap.present && agg->rule->values != NULL;
    agg->sampled = agg->unordered || (expr->unwrap.present && agg->rule->samples != NULL);
    CW_ASSERT(agg->sampled || agg->rule->value != NULL);
    set_grouping(agg, fusion);
    struct cw_err err;
    int rc = cw_pipeline_new(expr, agg->grouped ? &agg->grouping : NULL,
                             agg->rule->needs_sizes ? CW_PIPELINE_SIZE : CW_PIPELINE_COUNT,
                             &agg->pipeline, &err);
    CW_ASSERT(rc == 0); /* the expression passed cw_eval_check() */
    struct cw_grid moved = grid_behind_offset(expr, grid);
    cw_range_steps_init(&agg->steps, &moved, expr->range_ns);
    agg->answer_start_ns = grid->start_ns;
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

void cw_range_bounds(const struct cw_expr *expr, const struct cw_grid *grid, int64_t *start_ns_out,
                     int64_t *end_ns_out)
{
    struct cw_grid moved = grid_behind_offset(expr, grid);
    struct cw_range_steps steps;
    cw_range_steps_init(&steps, &moved, expr->range_ns);
    *start_ns_out = steps.start_ns;
    *end_ns_out = steps.end_ns;
}

void cw_range_agg_bounds(const struct cw_range_agg *agg, int64_t *start_ns_out, int64_t *end_ns_out)
{
    *start_ns_out = agg->steps.start_ns;
    *end_ns_out = agg->steps.end_ns;
}

/* Could structured metadata tell two series apart? */
static bool needs_metadata(const struct cw_range_agg *agg)
{
    return !agg->grouped || agg->grouping.kind == CW_GROUP_WITHOUT || agg->grouping.n > 0;
}

unsigned cw_range_agg_need(const struct cw_range_agg *agg)
{
    unsigned need = 0;
    if (agg->steps.grid.n > 1)
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
    part->steps = agg->steps;
    part->arena = cw_arena_new();
    part->scratch = cw_arena_new();
    cw_id_map_init(&part->by_labels);
    cw_id_map_init(&part->streams);
    if (!cw_pipeline_is_idle(agg->pipeline))
        part->run = cw_pipeline_run_new(agg->pipeline);
    if (cw_pipeline_parser(agg->pipeline) != NULL)
        part->fields =
            cw_field_rows_new(agg->expr, &agg->grouping, part->run, settle, part, agg->allowance);
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
        cw_value_runs_fini(&(*part)->items[i].runs);
        cw_step_values_fini(&(*part)->items[i].values);
    }
    free((*part)->items);
    free((*part)->stream_series);
    free(*part);
    *part = NULL;
}

int cw_range_part_take(struct cw_range_part *part, size_t bytes, struct cw_err *err)
{
    int rc = cw_allowance_take(part->agg->allowance, bytes, err);
    if (rc == 0)
        part->taken += bytes;
    return rc;
}

/* The series of these labels, found or made. */
int cw_range_part_series(struct cw_range_part *part, struct cw_labels labels, size_t *idx_out,
                         struct cw_err *err)
{
    const struct cw_range_agg *agg = part->agg;
    struct cw_hash128 id = cw_labels_hash(labels);
    bool added;
    *idx_out = cw_id_map_put(&part->by_labels, id, &added);
    if (!added)
        return 0;
    size_t nsums = agg->sampled || agg->rule->distinct ? 0 : agg->steps.grid.n + 1, label_bytes = 0;
    for (size_t i = 0; i < labels.n; i++)
        label_bytes +=
            sizeof(struct cw_label) + labels.items[i].name.len + labels.items[i].value.len;
    int rc =
        cw_range_part_take(part,
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
    *series = (struct series_sum){.labels = cw_labels_dup(part->arena, labels), .id = id};
    cw_step_values_init(&series->values);
    series->entries = cw_arena_calloc(part->arena, nsums, sizeof(uint64_t));
    series->bytes =
        agg->rule->needs_sizes ? cw_arena_calloc(part->arena, nsums, sizeof(uint64_t)) : NULL;
    return 0;
}

static struct cw_labels group(const struct cw_range_agg *agg, struct cw_labels labels,
                              struct cw_arena *arena)
{
    return agg->fused ? cw_grouping_samples(&agg->grouping, labels, arena)
                      : cw_grouping_apply(&agg->grouping, labels, arena);
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

static int find_group(struct cw_range_part *part, struct cw_labels labels, size_t *idx_out,
                      struct cw_err *err)
{
    if (part->agg->grouped)
        labels = group(part->agg, labels, part->scratch);
    if (cw_labels_has(labels, CW_STR("__error__"))) /* pushed so */
        return fail_series(labels, err);
    return cw_range_part_series(part, labels, idx_out, err);
}

/* The series of a stream's entries without metadata. */
static int find_stream(struct cw_range_part *part, const struct cw_stream_ref *stream,
                       size_t *idx_out, struct cw_err *err)
{
    bool added;
    size_t slot = cw_id_map_put(&part->streams, stream->id, &added);
    if (added) {
        int rc = cw_range_part_take(part, 2 * sizeof(size_t) + CW_ID_MAP_ENTRY_BYTES, err);
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

static void add_to(uint64_t *sums, const struct cw_segment *segment, uint64_t value)
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
    if (agg->steps.grid.n == 1) { /* the scan brings what the one window holds */
        struct cw_segment all = {.first = 0, .last = 0};
        add_to(series->entries, &all, to - from);
        if (series->bytes != NULL)
            add_to(series->bytes, &all, sum_sizes(batch->sizes, from, to));
        return;
    }
    for (size_t i = from; i < to;) {
        int64_t ts_ns = batch->ts_ns[i];
        if (ts_ns < agg->steps.start_ns || ts_ns >= agg->steps.end_ns) {
            i++;
            continue;
        }
        struct cw_segment segment = cw_range_steps_segment(&agg->steps, ts_ns);
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
        if (agg->grouped && builder->error.len == 0)
            builder->details =
                CW_STR_NONE; /* of no error any more: only a series of all labels has them */
        *out = cw_label_builder_get_all(builder);
        if (!failed && agg->grouped)
            *out = group(agg, *out, builder->scratch);
    }
    if (cw_labels_has(*out, CW_STR("__error__")) &&
        !cw_str_eqz(cw_labels_get(*out, CW_STR("__preserve_error__")), "true"))
        return fail_series(*out, err);
    if (failed && (agg->fused || agg->rule->inverted))
        *out = group(agg, *out, builder->scratch);
    return 0;
}

static int add_value(struct cw_range_part *part, struct series_sum *series,
                     const struct cw_segment *windows, double value, struct cw_err *err)
{
    size_t growth = cw_value_runs_growth(&series->runs, windows);
    int rc = growth > 0 ? cw_range_part_take(part, growth, err) : 0;
    if (rc == 0)
        cw_value_runs_add(&series->runs, windows, value);
    return rc;
}

static int add_sample(struct cw_range_part *part, struct series_sum *series, int64_t ts_ns,
                      double value, struct cw_err *err)
{
    struct cw_sample sample = {.ts_ns = ts_ns, .value = value, .place = part->place++};
    if (cw_sample_list_push(&series->samples, &sample))
        return 0;
    size_t growth = cw_sample_list_growth(&series->samples, 1);
    int rc = growth > 0 ? cw_range_part_take(part, growth, err) : 0;
    if (rc == 0)
        cw_sample_list_add(&series->samples, &sample, 1);
    return rc;
}

int cw_range_part_values(struct cw_range_part *part, size_t nadded, struct cw_err *err)
{
    part->nvalues += nadded;
    if (part->nvalues > CW_LIMIT_QUERY_VALUES)
        return cw_err_set(err, CW_E_LIMIT,
                          "count_distinct_over_time found more than %u different values of %.*s, "
                          "which is as many as a query may tell apart",
                          CW_LIMIT_QUERY_VALUES, CW_STR_ARG(part->agg->expr->counted));
    return cw_range_part_take(part, nadded * cw_step_values_bytes(part->agg->steps.grid.n), err);
}

/* The series of the entry that stands in the run. */
static int settle(void *arg, uint32_t *end_out, struct cw_err *err)
{
    struct cw_range_part *part = arg;
    struct cw_labels labels;
    size_t idx;
    int rc = find_labels(part, &labels, err);
    if (rc == 0)
        rc = cw_range_part_series(part, labels, &idx, err);
    if (rc == 0 && idx >= CW_FIELD_ROW_LINE)
        rc = cw_err_set(err, CW_E_LIMIT, "too many series");
    if (rc == 0)
        *end_out = (uint32_t)idx;
    return rc;
}

/* An entry of that series. */
static int add_entry(struct cw_range_part *part, uint32_t idx, const struct cw_segment *windows,
                     int64_t ts_ns, double value, size_t size, struct cw_err *err)
{
    struct series_sum *series = &part->items[idx];
    if (part->agg->unordered)
        return add_value(part, series, windows, value, err);
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
    const struct cw_segment *windows;
    uint32_t idx;
    if (!cw_range_steps_find(&part->steps, batch->ts_ns[i], &windows))
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
        return cw_range_part_values(
            part,
            cw_step_values_add(&part->items[idx].values, part->agg->steps.grid.n, value,
                               (size_t)windows->first, (size_t)windows->last),
            err);
    return rc < 0 ? rc
                  : add_entry(part, idx, windows, batch->ts_ns[i], run->value, run->line.len, err);
}

/* What the rows come to without their lines. */
static int find_ends(struct cw_range_part *part, const struct cw_entry_batch *batch,
                     struct cw_field_row *ends, struct cw_err *err)
{
    const struct cw_segment *windows;
    int rc = cw_field_rows_begin(part->fields, batch, err);
    for (size_t i = 0; rc == 0 && i < batch->n; i++) {
        if (cw_range_steps_find(&part->steps, batch->ts_ns[i], &windows))
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
        const struct cw_segment *windows;
        if (ends[i].end == CW_FIELD_ROW_LINE)
            rc = add_processed(part, batch, i, lines[i], err);
        else if (ends[i].end != CW_FIELD_ROW_GONE &&
                 cw_range_steps_find(&part->steps, batch->ts_ns[i], &windows))
            rc = add_entry(part, ends[i].end, windows, batch->ts_ns[i], ends[i].value,
                           batch->sizes != NULL ? batch->sizes[i] : 0, err);
    }
    return rc;
}

void cw_range_part_begin_unit(struct cw_range_part *part, uint32_t unit,
                              struct cw_scan_stats *stats)
{
    part->place = (uint64_t)unit << 32;
    if (part->fields != NULL)
        cw_field_rows_forget(part->fields, stats);
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
