#include "querier/api/answer_explain.h"

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/logql/functions.h"
#include "querier/engine/label_filter.h"
#include "querier/engine/plan.h"

static void key(struct cw_json_writer *w, const char *name)
{
    cw_json_key(w, cw_str_of(name));
}

static void begin(struct cw_json_writer *w, const char *name)
{
    key(w, name);
    cw_json_begin_object(w);
}

static void key_seconds(struct cw_json_writer *w, const char *name, int64_t ns)
{
    key(w, name);
    cw_json_f64(w, (double)ns / CW_NS_PER_S);
}

static void key_time(struct cw_json_writer *w, const char *name, int64_t ns)
{
    key(w, name);
    cw_json_i64_string(w, ns);
}

static void key_bool(struct cw_json_writer *w, const char *name, bool value)
{
    key(w, name);
    cw_json_bool(w, value);
}

typedef void (*format_fn)(const void *what, struct cw_buf *out);

static void key_format(struct cw_json_writer *w, const char *name, format_fn format,
                       const void *what)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    format(what, &text);
    cw_json_key_string(w, name, cw_buf_str(&text));
    cw_buf_fini(&text);
}

static void format_expr(const void *what, struct cw_buf *out)
{
    cw_expr_format(what, out);
}

static void format_selector(const void *what, struct cw_buf *out)
{
    cw_selector_format(what, out);
}

static void format_stage(const void *what, struct cw_buf *out)
{
    cw_stage_format(what, out);
}

/* ---- stages ---- */

/* What an entry must bring along for the stage: its line, or labels by name. */
static void write_filter_name(void *arg, const struct cw_label_filter *leaf)
{
    cw_json_string(arg, cw_label_filter_name(leaf));
}

static void write_stage_needs(const struct cw_stage *stage, struct cw_json_writer *w)
{
    static const unsigned by_labels = 1u << CW_STAGE_LABEL_FILTER | 1u << CW_STAGE_DROP |
                                      1u << CW_STAGE_KEEP | 1u << CW_STAGE_LABEL_FORMAT |
                                      1u << CW_STAGE_DISTINCT | 1u << CW_STAGE_SORT;
    bool gathers = stage->kind == CW_STAGE_DISTINCT || stage->kind == CW_STAGE_SORT;
    if (stage->kind == CW_STAGE_LABEL_FILTER || gathers) {
        key(w, "needs_labels");
        cw_json_begin_array(w);
        if (!gathers)
            cw_label_filter_leaves(stage->label_filter, write_filter_name, w);
        for (size_t i = 0; i < stage->nkeys; i++)
            cw_json_string(w, stage->keys[i].name);
        cw_json_end_array(w);
    }
    key_bool(w, "needs_line", (by_labels & 1u << stage->kind) == 0);
}

/* What is looked for ahead of the filter itself, in templates and in text. */
static void write_literals(const struct cw_line_filter *filter, struct cw_json_writer *w)
{
    key(w, "literals");
    cw_json_begin_array(w);
    for (size_t i = 0; i < cw_line_filter_noperands(filter); i++) {
        struct cw_line_operand operand;
        cw_line_filter_operand(filter, i, &operand);
        for (size_t k = 0; k < operand.nliterals; k++)
            cw_json_string(w, operand.literals[k].text);
    }
    cw_json_end_array(w);
}

static void write_stage(const struct cw_explain_scan *scan, const struct cw_stage *stage,
                        bool pushed, struct cw_json_writer *w)
{
    cw_json_begin_object(w);
    key_format(w, "stage", format_stage, stage);
    cw_json_key_string(w, "runs",
                       pushed                                    ? CW_STR("in the store")
                       : cw_pipeline_runs(scan->pipeline, stage) ? CW_STR("in the pipeline")
                                                                 : CW_STR("never: not needed"));
    write_stage_needs(stage, w);
    if (stage->kind == CW_STAGE_LINE_FILTER)
        write_literals(stage->filter, w);
    cw_json_end_object(w);
}

static void write_stages(const struct cw_explain_scan *scan, struct cw_json_writer *w)
{
    bool ahead = true; /* of what holds line filters back: plan.h */
    key(w, "stages");
    cw_json_begin_array(w);
    for (const struct cw_stage *stage = scan->expr->stages; stage != NULL; stage = stage->next) {
        ahead = ahead && !cw_plan_holds_back(stage->kind);
        write_stage(scan, stage, ahead && stage->kind == CW_STAGE_LINE_FILTER, w);
    }
    cw_json_end_array(w);
    const struct cw_unwrap *unwrap = &scan->expr->unwrap;
    if (!unwrap->present)
        return;
    cw_json_key_string(w, "unwrap", unwrap->label);
    key(w, "stages_behind_unwrap");
    cw_json_begin_array(w);
    for (const struct cw_stage *stage = unwrap->post_filters; stage != NULL; stage = stage->next)
        write_stage(scan, stage, false, w);
    cw_json_end_array(w);
}

/* Hints: what parsers are to take out of a line. */
static void write_fields(const struct cw_explain_scan *scan, struct cw_json_writer *w)
{
    const struct cw_label_hints *hints = cw_pipeline_hints(scan->pipeline);
    key(w, "fields");
    if (hints->required == NULL && !hints->no_labels) {
        cw_json_string(w, CW_STR("all"));
        return;
    }
    cw_json_begin_array(w);
    for (size_t i = 0; i < hints->nrequired; i++)
        cw_json_string(w, hints->required[i]);
    cw_json_end_array(w);
}

static void write_reads(unsigned need, struct cw_json_writer *w)
{
    static const struct {
        unsigned need;
        const char *name;
    } names[] = {{CW_NEED_TIMES, "times"},   {CW_NEED_LINES, "lines"},
                 {CW_NEED_SIZES, "sizes"},   {CW_NEED_METADATA, "metadata"},
                 {CW_NEED_VALUES, "values"}, {CW_NEED_TEMPLATES, "templates"}};
    key(w, "reads");
    cw_json_begin_array(w);
    for (size_t i = 0; i < CW_COUNT(names); i++)
        if ((need & names[i].need) != 0)
            cw_json_string(w, cw_str_of(names[i].name));
    cw_json_end_array(w);
}

/* ---- scans ---- */

static void write_aggregation(const struct cw_expr *expr, struct cw_json_writer *w)
{
    begin(w, "aggregation");
    cw_json_key_string(w, "function", cw_str_of(cw_range_def(expr->range_fn)->name));
    key_seconds(w, "range_seconds", expr->range_ns);
    key_seconds(w, "offset_seconds", expr->offset_ns);
    cw_json_end_object(w);
}

static void write_chosen(const struct cw_explain_scan *scan, struct cw_json_writer *w)
{
    cw_json_key_u64(w, "streams", scan->streams);
    begin(w, "sources");
    cw_json_key_u64(w, "total", scan->sources);
    cw_json_key_u64(w, "skipped_by_time", scan->sources_outside);
    cw_json_key_u64(w, "selected", scan->sources - scan->sources_outside);
    cw_json_end_object(w);
    begin(w, "blocks");
    cw_json_key_u64(w, "skipped_by_time", scan->blocks_outside);
    cw_json_key_u64(w, "skipped_by_streams", scan->blocks_unmatched);
    cw_json_key_u64(w, "selected", scan->blocks);
    cw_json_end_object(w);
    begin(w, "text_bytes");
    cw_json_key_u64(w, "skipped_by_time", scan->bytes_outside);
    cw_json_key_u64(w, "skipped_by_streams", scan->bytes_unmatched);
    cw_json_key_u64(w, "selected", scan->text_bytes);
    cw_json_end_object(w);
    cw_json_key_u64(w, "stored_bytes", scan->stored_bytes);
    cw_json_key_u64(w, "entries", scan->entries);
    begin(w, "estimate");
    cw_json_key_string(w, "kind", cw_str_of(cw_scan_kind_name(scan->kind)));
    cw_json_key_u64(w, "text_bytes", scan->text_bytes_in_range);
    cw_json_key_u64(w, "entries", scan->entries_in_range);
    key_seconds(w, "cpu_seconds", (int64_t)scan->cpu_ns);
    cw_json_end_object(w);
}

static void write_purpose(const struct cw_explain_scan *scan, struct cw_json_writer *w)
{
    static const char *const names[] = {[CW_EXPLAIN_ANSWER] = "answer",
                                        [CW_EXPLAIN_VALUES] = "values",
                                        [CW_EXPLAIN_CONTEXT] = "context"};
    cw_json_key_string(w, "purpose", cw_str_of(names[scan->purpose]));
    if (scan->purpose == CW_EXPLAIN_VALUES)
        cw_json_key_string(w, "values_of", scan->values_of);
}

static void write_scan(const struct cw_explain_scan *scan, struct cw_json_writer *w)
{
    cw_json_begin_object(w);
    write_purpose(scan, w);
    key_format(w, "selector", format_selector, &scan->expr->selector);
    if (scan->expr->kind == CW_EXPR_RANGE_AGG)
        write_aggregation(scan->expr, w);
    key_time(w, "start_ns", scan->start_ns);
    key_time(w, "end_ns", scan->end_ns);
    write_stages(scan, w);
    write_fields(scan, w);
    write_reads(scan->need, w);
    write_chosen(scan, w);
    cw_json_end_object(w);
}

/* ---- the query ---- */

struct sums {
    uint64_t text_bytes, stored_bytes, entries, cpu_ns, wall_ns;
};

static struct sums sums_of(const struct cw_explain *explain, unsigned workers)
{
    struct sums sums = {0};
    for (size_t i = 0; i < explain->n; i++) {
        const struct cw_explain_scan *scan = &explain->scans[i];
        sums.text_bytes += scan->text_bytes_in_range;
        sums.stored_bytes += scan->stored_bytes;
        sums.entries += scan->entries_in_range;
        sums.cpu_ns += scan->cpu_ns;
    }
    sums.wall_ns = sums.cpu_ns / CW_MAX(workers, 1u);
    return sums;
}

static void write_asked(const struct cw_explain_asked *asked, struct cw_json_writer *w)
{
    static const char *const kinds[] = {[CW_EVAL_INSTANT] = "vector", [CW_EVAL_RANGE] = "matrix"};
    key_format(w, "query", format_expr, asked->query->root);
    cw_json_key_string(w, "result_type",
                       asked->grid != NULL ? cw_str_of(kinds[asked->kind]) : CW_STR("streams"));
    key_time(w, "start_ns", asked->start_ns);
    key_time(w, "end_ns", asked->end_ns);
    if (asked->grid == NULL) {
        cw_json_key_string(w, "direction", asked->forward ? CW_STR("forward") : CW_STR("backward"));
        cw_json_key_u64(w, "limit_entries", asked->limit);
    } else if (asked->kind == CW_EVAL_RANGE) {
        key_seconds(w, "step_seconds", asked->grid->step_ns);
        cw_json_key_u64(w, "steps", asked->grid->n);
    }
}

static void write_limit(struct cw_json_writer *w, const char *name, const char *unit, double limit,
                        double value)
{
    cw_json_begin_object(w);
    cw_json_key_string(w, "name", cw_str_of(name));
    cw_json_key_string(w, "unit", cw_str_of(unit));
    key(w, "limit");
    cw_json_f64(w, limit);
    key(w, "query");
    cw_json_f64(w, value);
    key_bool(w, "exceeded", limit > 0 && value > limit);
    cw_json_end_object(w);
}

/* Those that can be told before the query runs; 0 is no limit. */
static void write_limits(const struct cw_explain_asked *asked, const struct sums *sums,
                         struct cw_json_writer *w)
{
    const struct cw_query_limits *limits = asked->limits;
    const double s = CW_NS_PER_S;
    key(w, "limits");
    cw_json_begin_array(w);
    write_limit(w, "query_timeout", "seconds", (double)limits->query_timeout_ns / s,
                (double)sums->wall_ns / s);
    write_limit(w, "max_query_length", "seconds", (double)limits->max_query_length_ns / s,
                ((double)asked->end_ns - (double)asked->start_ns) / s);
    write_limit(w, "max_query_bytes_read", "bytes", (double)limits->max_query_bytes_read,
                (double)sums->text_bytes);
    if (asked->grid == NULL)
        write_limit(w, "max_entries_limit_per_query", "entries",
                    limits->max_entries_limit_per_query, asked->limit);
    cw_json_end_array(w);
    if (asked->refused.len > 0)
        cw_json_key_string(w, "refused", asked->refused);
}

void cw_answer_explain(const struct cw_explain_asked *asked, const struct cw_explain *explain,
                       struct cw_json_writer *w)
{
    struct sums sums = sums_of(explain, asked->workers);
    write_asked(asked, w);
    key(w, "scans");
    cw_json_begin_array(w);
    for (size_t i = 0; i < explain->n; i++)
        write_scan(&explain->scans[i], w);
    cw_json_end_array(w);
    begin(w, "estimate");
    cw_json_key_u64(w, "text_bytes", sums.text_bytes);
    cw_json_key_u64(w, "stored_bytes", sums.stored_bytes);
    cw_json_key_u64(w, "entries", sums.entries);
    key_seconds(w, "cpu_seconds", (int64_t)sums.cpu_ns);
    key_seconds(w, "wall_seconds", (int64_t)sums.wall_ns);
    cw_json_key_u64(w, "workers", asked->workers);
    cw_json_end_object(w);
    if (asked->limits != NULL)
        write_limits(asked, &sums, w);
}

/* ---- what a run came to ---- */

static void write_time(struct cw_json_writer *w, const char *name, int64_t wall_ns, int64_t cpu_ns)
{
    begin(w, name);
    if (wall_ns >= 0)
        key_seconds(w, "wall_seconds", wall_ns);
    if (cpu_ns >= 0)
        key_seconds(w, "cpu_seconds", cpu_ns);
    cw_json_end_object(w);
}

static void write_step(struct cw_json_writer *w, const char *name,
                       const struct cw_query_context *query, enum cw_query_step step)
{
    write_time(w, name, (int64_t)atomic_load(&query->times[step].wall_ns),
               (int64_t)atomic_load(&query->times[step].cpu_ns));
}

/* Of a scan, what cursors take (blocks opened and filtered, lines rebuilt) and what becomes of their entries: CPU of all workers. */
static void write_times(const struct cw_explain_result *result, struct cw_json_writer *w)
{
    const struct cw_query_context *query = result->query;
    int64_t scan_ns = (int64_t)atomic_load(&query->times[CW_STEP_SCAN].cpu_ns);
    int64_t process_ns =
        CW_MIN((int64_t)atomic_load(&query->times[CW_STEP_PROCESS].cpu_ns), scan_ns);
    begin(w, "time");
    write_time(w, "queue", result->queue_ns, -1);
    write_step(w, "plan", query, CW_STEP_PLAN);
    write_step(w, "scan", query, CW_STEP_SCAN);
    write_time(w, "scan_read", -1, scan_ns - process_ns);
    write_time(w, "scan_process", -1, process_ns);
    write_step(w, "evaluate", query, CW_STEP_EVALUATE);
    write_step(w, "answer", query, CW_STEP_ANSWER);
    write_time(w, "total", result->total_ns, -1);
    cw_json_end_object(w);
}

static void key_counter(struct cw_json_writer *w, const char *name,
                        const atomic_uint_fast64_t *counter)
{
    cw_json_key_u64(w, name, atomic_load(counter));
}

static void write_blocks(const struct cw_query_context *query, struct cw_json_writer *w)
{
    const struct cw_scan_stats *stats = &query->stats;
    uint64_t planned = atomic_load(&query->sources_planned),
             outside = atomic_load(&query->sources_outside);
    begin(w, "sources");
    cw_json_key_u64(w, "total", planned);
    cw_json_key_u64(w, "skipped_by_time", outside);
    cw_json_key_u64(w, "selected", planned - outside);
    cw_json_end_object(w);
    begin(w, "blocks");
    key_counter(w, "skipped_by_time", &stats->blocks_outside);
    key_counter(w, "skipped_by_streams", &stats->blocks_unmatched);
    key_counter(w, "selected", &query->units_planned);
    cw_json_key_u64(
        w, "skipped_by_limit",
        atomic_load(&query->units_planned) -
            CW_MIN(atomic_load(&query->units_read), atomic_load(&query->units_planned)));
    key_counter(w, "skipped_by_rows", &stats->blocks_skipped);
    key_counter(w, "read", &stats->blocks_read);
    key_counter(w, "skipped_by_value_filter", &stats->blocks_ruled_out_by_values);
    key_counter(w, "skipped_by_literals", &stats->blocks_ruled_out_by_text);
    key_counter(w, "damaged", &stats->corrupt_blocks);
    cw_json_end_object(w);
    begin(w, "bytes");
    key_counter(w, "text_skipped_by_time", &stats->bytes_outside);
    key_counter(w, "text_skipped_by_streams", &stats->bytes_unmatched);
    key_counter(w, "stored_read", &stats->bytes_stored_read);
    key_counter(w, "decompressed", &stats->bytes_decompressed);
    cw_json_end_object(w);
    begin(w, "entries");
    key_counter(w, "in_range", &stats->rows_seen);
    key_counter(w, "skipped_by_literals", &stats->rows_ruled_out);
    key_counter(w, "lines_rebuilt", &stats->rows_rebuilt);
    key_counter(w, "matched_in_store", &stats->rows_matched);
    cw_json_end_object(w);
    begin(w, "cache");
    key_counter(w, "hits", &stats->cache_hits);
    key_counter(w, "misses", &stats->cache_misses);
    cw_json_end_object(w);
}

void cw_answer_analyze(const struct cw_explain_result *result, struct cw_json_writer *w)
{
    begin(w, "answer");
    cw_json_key_u64(w, "entries", result->entries);
    cw_json_key_u64(w, "series", result->series);
    cw_json_key_u64(w, "bytes", result->answer_bytes);
    cw_json_end_object(w);
    write_blocks(result->query, w);
    write_times(result, w);
    cw_json_key_u64(w, "peak_memory_bytes", atomic_load(&result->query->allowance.peak));
}
