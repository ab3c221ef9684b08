#include "querier/api/answer.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/base64.h"
#include "common/base/clock.h"
#include "common/match/match_stop.h"
#include "querier/api/answer_stats.h"

void cw_answer_labels(struct cw_json_writer *w, struct cw_labels labels)
{
    cw_json_begin_object(w);
    for (size_t i = 0; i < labels.n; i++) {
        cw_json_key(w, labels.items[i].name);
        cw_json_string(w, labels.items[i].value);
    }
    cw_json_end_object(w);
}

void cw_answer_warning(struct cw_json_writer *w, struct cw_str warning)
{
    if (warning.len == 0)
        return;
    cw_json_key(w, CW_STR("warnings"));
    cw_json_begin_array(w);
    cw_json_string(w, warning);
    cw_json_end_array(w);
}

static void write_warnings(struct cw_json_writer *w, const struct cw_answer_extra *extra)
{
    if (extra->warning.len == 0 || extra->partial.len == 0) {
        cw_answer_warning(w, extra->warning.len > 0 ? extra->warning : extra->partial);
        return;
    }
    cw_json_key(w, CW_STR("warnings"));
    cw_json_begin_array(w);
    cw_json_string(w, extra->warning);
    cw_json_string(w, extra->partial);
    cw_json_end_array(w);
}

static void begin_data(struct cw_json_writer *w, const char *type,
                       const struct cw_answer_extra *extra)
{
    cw_json_begin_object(w);
    cw_json_key_string(w, "status", CW_STR("success"));
    write_warnings(w, extra);
    if (extra->continuation.len > 0)
        cw_json_key_string(w, "continuation", extra->continuation);
    cw_json_key(w, CW_STR("data"));
    cw_json_begin_object(w);
    cw_json_key_string(w, "resultType", cw_str_of(type));
    if (extra->categorised) {
        cw_json_key(w, CW_STR("encodingFlags"));
        cw_json_begin_array(w);
        cw_json_string(w, CW_STR("categorize-labels"));
        cw_json_end_array(w);
    }
    cw_json_key(w, CW_STR("result"));
}

static void end_data(struct cw_json_writer *w, const struct cw_answer_stats *stats)
{
    cw_json_key(w, CW_STR("stats"));
    cw_answer_stats_write(w, stats);
    cw_json_end_object(w);
    cw_json_end_object(w);
}

void cw_answer_categories(struct cw_json_writer *w, const struct cw_log_entry *entry,
                          struct cw_arena *arena)
{
    cw_json_begin_object(w);
    if (entry->metadata.n > 0) {
        cw_json_key(w, CW_STR("structuredMetadata"));
        cw_answer_labels(w, cw_log_metadata(entry->stream, entry->metadata, arena));
    }
    if (entry->parsed.n > 0) {
        cw_json_key(w, CW_STR("parsed"));
        cw_answer_labels(w, entry->parsed);
    }
    cw_json_end_object(w);
}

void cw_answer_streams(const struct cw_log_groups *groups, const struct cw_answer_extra *extra,
                       const struct cw_answer_stats *stats, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    struct cw_arena *arena = cw_arena_new();
    begin_data(&w, "streams", extra);
    cw_json_begin_array(&w);
    for (size_t i = 0; i < groups->n && !cw_match_stop_raised(); i++) {
        const struct cw_log_group *group = &groups->items[i];
        cw_json_begin_object(&w);
        cw_json_key(&w, CW_STR("stream"));
        cw_answer_labels(&w, group->labels);
        cw_json_key(&w, CW_STR("values"));
        cw_json_begin_array(&w);
        for (size_t k = 0; k < group->n && !cw_match_stop_raised(); k++) {
            cw_json_begin_array(&w);
            cw_json_i64_string(&w, group->entries[k]->ts_ns);
            cw_json_string(&w, group->entries[k]->line);
            if (extra->categorised)
                cw_answer_categories(&w, group->entries[k], arena);
            cw_json_end_array(&w);
        }
        cw_json_end_array(&w);
        cw_json_end_object(&w);
    }
    cw_json_end_array(&w);
    end_data(&w, stats);
    cw_arena_free(&arena);
}

/* Seconds with as many of three digits as are needed. */
static void write_seconds(struct cw_json_writer *w, int64_t ns)
{
    int64_t ms = ns / CW_NS_PER_MS;
    struct cw_buf text;
    cw_buf_init(&text, 64);
    int64_t seconds = ms / 1000, rest = ms % 1000;
    cw_buf_addf(&text, "%s%lld", ms < 0 && seconds == 0 ? "-" : "", (long long)seconds);
    if (rest != 0) {
        cw_buf_addf(&text, ".%03d", (int)(rest < 0 ? -rest : rest));
        while (text.ptr[text.len - 1] == '0')
            text.len--;
    }
    cw_json_raw(w, cw_buf_str(&text));
    cw_buf_fini(&text);
}

static void write_sample(struct cw_json_writer *w, int64_t ns, double value)
{
    cw_json_begin_array(w);
    write_seconds(w, ns);
    cw_json_f64_string(w, value);
    cw_json_end_array(w);
}

static void write_vector(struct cw_json_writer *w, const struct cw_table *table, int64_t time_ns)
{
    cw_json_begin_array(w);
    for (size_t i = 0; i < table->n && !cw_match_stop_raised(); i++) {
        cw_json_begin_object(w);
        cw_json_key(w, CW_STR("metric"));
        cw_answer_labels(w, table->items[i].labels);
        cw_json_key(w, CW_STR("value"));
        write_sample(w, time_ns, table->items[i].values[0]);
        cw_json_end_object(w);
    }
    cw_json_end_array(w);
}

/* Points of `n` series of one name; more than one are label_replace's doing. */
static void write_points(struct cw_json_writer *w, const struct cw_grid *grid,
                         const struct cw_series *series, size_t n)
{
    cw_json_begin_array(w);
    for (size_t step = 0; step < grid->n; step++)
        for (size_t i = 0; i < n; i++)
            if (cw_series_has(&series[i], step))
                write_sample(w, cw_grid_time(grid, step), series[i].values[step]);
    cw_json_end_array(w);
}

/* Every name once, as in Loki, which collects the points of its steps by the name of their series. */
static void write_matrix(struct cw_json_writer *w, const struct cw_table *table)
{
    size_t n;
    cw_json_begin_array(w);
    for (size_t i = 0; i < table->n && !cw_match_stop_raised(); i += n) {
        const struct cw_series *series = &table->items[i];
        for (n = 1; i + n < table->n && cw_labels_eq(series->labels, series[n].labels);)
            n++;
        cw_json_begin_object(w);
        cw_json_key(w, CW_STR("metric"));
        cw_answer_labels(w, series->labels);
        cw_json_key(w, CW_STR("values"));
        write_points(w, &table->grid, series, n);
        cw_json_end_object(w);
    }
    cw_json_end_array(w);
}

void cw_answer_samples(const struct cw_result *result, int64_t time_ns,
                       const struct cw_answer_extra *extra, const struct cw_answer_stats *stats,
                       struct cw_buf *out)
{
    static const char *const names[] = {"scalar", "vector", "matrix"};
    struct cw_json_writer w = cw_json_writer_make(out);
    struct cw_answer_extra plain = *extra;
    plain.categorised = false;
    begin_data(&w, names[result->kind], &plain);
    if (result->kind == CW_RESULT_SCALAR)
        write_sample(&w, time_ns, result->scalar);
    else if (result->kind == CW_RESULT_VECTOR)
        write_vector(&w, result->table, time_ns);
    else
        write_matrix(&w, result->table);
    end_data(&w, stats);
}

static size_t nsamples(const struct cw_volume *volume, size_t nsteps)
{
    size_t n = 0;
    for (size_t i = 0; i < nsteps; i++)
        n += volume->steps[i] > 0;
    return n;
}

static bool is_matrix(const struct cw_volumes *volumes, const struct cw_volume_steps *steps)
{
    for (size_t i = 0; steps != NULL && i < volumes->n && !cw_match_stop_raised(); i++)
        if (nsamples(&volumes->items[i], steps->n) > 1)
            return true;
    return false;
}

static void write_volume_steps(struct cw_json_writer *w, const struct cw_volume *volume,
                               const struct cw_volume_steps *steps)
{
    for (size_t i = 0; i < steps->n; i++)
        if (volume->steps[i] > 0)
            write_sample(w, cw_volume_steps_time(steps, i), (double)volume->steps[i]);
}

void cw_answer_volumes(const struct cw_volumes *volumes, const struct cw_volume_steps *steps,
                       int64_t time_ns, const struct cw_answer_extra *extra,
                       const struct cw_answer_stats *stats, struct cw_buf *out)
{
    bool matrix = is_matrix(volumes, steps);
    struct cw_json_writer w = cw_json_writer_make(out);
    begin_data(&w, matrix ? "matrix" : "vector", extra);
    cw_json_begin_array(&w);
    for (size_t i = 0; i < volumes->n && !cw_match_stop_raised(); i++) {
        const struct cw_volume *volume = &volumes->items[i];
        cw_json_begin_object(&w);
        cw_json_key(&w, CW_STR("metric"));
        cw_answer_labels(&w, volume->labels);
        cw_json_key(&w, matrix ? CW_STR("values") : CW_STR("value"));
        if (matrix)
            cw_json_begin_array(&w);
        if (steps != NULL)
            write_volume_steps(&w, volume, steps);
        else
            write_sample(&w, time_ns, (double)volume->bytes);
        if (matrix)
            cw_json_end_array(&w);
        cw_json_end_object(&w);
    }
    cw_json_end_array(&w);
    end_data(&w, stats);
}

void cw_answer_index_stats(struct cw_json_writer *w, const struct cw_index_stats *stats)
{
    cw_json_begin_object(w);
    cw_json_key_u64(w, "streams", stats->streams);
    cw_json_key_u64(w, "chunks", stats->chunks);
    cw_json_key_u64(w, "bytes", stats->bytes);
    cw_json_key_u64(w, "entries", stats->entries);
    cw_json_end_object(w);
}

static void list_begin_array(struct cw_answer_list *list)
{
    cw_json_key(&list->w, list->form == CW_ANSWER_LIST ? CW_STR("data") : CW_STR("values"));
    cw_json_begin_array(&list->w);
    list->begun = true;
}

void cw_answer_list_begin(struct cw_answer_list *list, enum cw_answer_list_form form,
                          enum cw_list_what what, struct cw_str warning, struct cw_buf *out)
{
    *list = (struct cw_answer_list){.w = cw_json_writer_make(out), .form = form, .what = what};
    cw_json_begin_object(&list->w);
    if (form == CW_ANSWER_LIST)
        cw_json_key_string(&list->w, "status", CW_STR("success"));
    cw_answer_warning(&list->w, warning);
    if (what == CW_LIST_STREAMS)
        list_begin_array(list);
}

void cw_answer_list_add(struct cw_answer_list *list, const struct cw_list_item *item)
{
    if (!list->begun)
        list_begin_array(list);
    if (list->what == CW_LIST_STREAMS)
        cw_answer_labels(&list->w, item->stream.labels);
    else
        cw_json_string(&list->w, item->text);
}

void cw_answer_list_end(struct cw_answer_list *list)
{
    if (list->begun)
        cw_json_end_array(&list->w);
    cw_json_end_object(&list->w);
}

void cw_answer_old_streams(const struct cw_log_groups *groups, const struct cw_answer_stats *stats,
                           struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("streams"));
    cw_json_begin_array(&w);
    for (size_t i = 0; i < groups->n && !cw_match_stop_raised(); i++) {
        const struct cw_log_group *group = &groups->items[i];
        cw_buf_clear(&text);
        cw_labels_format(group->labels, &text);
        cw_json_begin_object(&w);
        cw_json_key_string(&w, "labels", cw_buf_str(&text));
        cw_json_key(&w, CW_STR("entries"));
        cw_json_begin_array(&w);
        for (size_t k = 0; k < group->n && !cw_match_stop_raised(); k++) {
            cw_buf_clear(&text);
            cw_time_format_rfc3339(group->entries[k]->ts_ns, &text);
            cw_json_begin_object(&w);
            cw_json_key_string(&w, "ts", cw_buf_str(&text));
            cw_json_key_string(&w, "line", group->entries[k]->line);
            cw_json_end_object(&w);
        }
        cw_json_end_array(&w);
        cw_json_end_object(&w);
    }
    cw_json_end_array(&w);
    cw_json_key(&w, CW_STR("stats"));
    cw_answer_stats_write(&w, stats);
    cw_json_end_object(&w);
    cw_buf_fini(&text);
}

void cw_answer_export_line(const struct cw_log_entry *entry, struct cw_buf *out)
{
    struct cw_json_writer w = cw_json_writer_make(out);
    cw_json_begin_object(&w);
    cw_json_key(&w, CW_STR("ts"));
    cw_json_i64_string(&w, entry->ts_ns);
    cw_json_key(&w, CW_STR("labels"));
    cw_answer_labels(&w, entry->stream);
    if (cw_utf8_valid(entry->line)) {
        cw_json_key_string(&w, "line", entry->line);
    } else {
        cw_json_key(&w, CW_STR("line_b64"));
        struct cw_buf text;
        cw_buf_init(&text, SIZE_MAX);
        cw_buf_addc(&text, '"');
        cw_base64_encode(entry->line, &text);
        cw_buf_addc(&text, '"');
        cw_json_raw(&w, cw_buf_str(&text));
        cw_buf_fini(&text);
    }
    if (entry->metadata.n > 0) {
        cw_json_key(&w, CW_STR("metadata"));
        cw_answer_labels(&w, entry->metadata);
    }
    if (entry->parsed.n > 0) {
        cw_json_key(&w, CW_STR("parsed"));
        cw_answer_labels(&w, entry->parsed);
    }
    cw_json_end_object(&w);
    cw_buf_addc(out, '\n');
}
