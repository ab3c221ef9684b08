#include "ingester/published_limits.h"

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/str.h"

struct published {
    const struct cw_ingester_config *config;
    const struct cw_ingester_limits *limits;
    struct cw_json_writer *w;
};

static void write_texts(struct cw_json_writer *w, const struct cw_config_strings *texts)
{
    cw_json_begin_array(w);
    for (size_t i = 0; i < texts->n; i++)
        cw_json_string(w, texts->items[i]);
    cw_json_end_array(w);
}

static void write_duration(struct cw_json_writer *w, int64_t ns)
{
    struct cw_buf text;
    cw_buf_init(&text, 64);
    cw_duration_format_prom(ns, &text);
    cw_json_string(w, cw_buf_str(&text));
    cw_buf_fini(&text);
}

/* The largest unit of which it is a multiple. */
static void write_bytes(struct cw_json_writer *w, int64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    struct cw_buf text;
    size_t unit = 0;
    for (; bytes != 0 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    cw_buf_init(&text, 64);
    cw_buf_addf(&text, "%lld%s", (long long)bytes, units[unit]);
    cw_json_string(w, cw_buf_str(&text));
    cw_buf_fini(&text);
}

/* ---- otlp_config ---- */

static void write_rule(struct cw_json_writer *w, const struct cw_otlp_attributes_config *rule)
{
    static const char *const actions[] = {[CW_OTLP_METADATA] = "structured_metadata",
                                          [CW_OTLP_LABEL] = "index_label",
                                          [CW_OTLP_DROP] = "drop"};
    cw_json_begin_object(w);
    cw_json_key_string(w, "action", cw_str_of(actions[rule->action]));
    if (rule->attributes.n > 0) {
        cw_json_key(w, CW_STR("attributes"));
        write_texts(w, &rule->attributes);
    }
    if (rule->regex.len > 0)
        cw_json_key_string(w, "regex", rule->regex);
    cw_json_end_object(w);
}

/* `first` may be NULL. Without any rule nothing is written. */
static void write_rules(struct cw_json_writer *w, const char *name,
                        const struct cw_otlp_attributes_config *first,
                        const struct cw_config_tables *rules)
{
    const struct cw_otlp_attributes_config *items = rules->items;
    if (first == NULL && rules->n == 0)
        return;
    cw_json_key(w, cw_str_of(name));
    cw_json_begin_array(w);
    if (first != NULL)
        write_rule(w, first);
    for (size_t i = 0; i < rules->n; i++)
        write_rule(w, &items[i]);
    cw_json_end_array(w);
}

static void write_otlp(const struct published *p)
{
    const struct cw_otlp_config *otlp = &p->limits->otlp;
    const struct cw_otlp_attributes_config defaults = {
        .action = CW_OTLP_LABEL, .attributes = p->config->otlp_label_attributes};
    bool ignored = otlp->resource_attributes.ignore_defaults;
    cw_json_begin_object(p->w);
    cw_json_key(p->w, CW_STR("resource_attributes"));
    cw_json_begin_object(p->w);
    if (ignored) {
        cw_json_key(p->w, CW_STR("ignore_defaults"));
        cw_json_bool(p->w, true);
    }
    write_rules(p->w, "attributes_config", ignored ? NULL : &defaults,
                &otlp->resource_attributes.attributes_config);
    cw_json_end_object(p->w);
    write_rules(p->w, "scope_attributes", NULL, &otlp->scope_attributes);
    write_rules(p->w, "log_attributes", NULL, &otlp->log_attributes);
    if (otlp->severity_text_as_label) {
        cw_json_key(p->w, CW_STR("severity_text_as_label"));
        cw_json_bool(p->w, true);
    }
    cw_json_end_object(p->w);
}

/* ---- the others ---- */

static void write_retention(const struct published *p)
{
    const struct cw_retention_stream *items = p->limits->retention_stream.items;
    cw_json_begin_array(p->w);
    for (size_t i = 0; i < p->limits->retention_stream.n; i++) {
        cw_json_begin_object(p->w);
        cw_json_key(p->w, CW_STR("period"));
        write_duration(p->w, items[i].period_ns);
        cw_json_key(p->w, CW_STR("priority"));
        cw_json_i64(p->w, items[i].priority);
        cw_json_key_string(p->w, "selector", items[i].selector);
        cw_json_end_object(p->w);
    }
    cw_json_end_array(p->w);
}

/* What is no key here: patterns are told of everything that is stored, and no metrics are stored as lines. */
static void write_true(const struct published *p)
{
    cw_json_bool(p->w, true);
}

static void write_false(const struct published *p)
{
    cw_json_bool(p->w, false);
}

struct row {
    const char *name;
    enum cw_key_kind kind; /* of the member at `offset`, unless `write` is set */
    size_t offset;
    void (*write)(const struct published *p);
};

#define AT(member) offsetof(struct cw_ingester_limits, member)

/* By name, as Loki's encoder sorts them. */
static const struct row rows[] = {
    {"discover_log_levels", CW_KEY_BOOL, AT(discover_log_levels), NULL},
    {"discover_service_name", CW_KEY_STRINGS, AT(discover_service_name), NULL},
    {"log_level_fields", CW_KEY_STRINGS, AT(log_level_fields), NULL},
    {"max_entries_limit_per_query", CW_KEY_INT, AT(max_entries_limit_per_query), NULL},
    {"max_line_size_truncate", CW_KEY_BOOL, AT(max_line_size_truncate), NULL},
    {"max_query_bytes_read", CW_KEY_BYTES, AT(max_query_bytes_read), NULL},
    {"max_query_length", CW_KEY_DURATION, AT(max_query_length_ns), NULL},
    {"max_query_lookback", CW_KEY_DURATION, AT(max_query_lookback_ns), NULL},
    {"max_query_range", CW_KEY_DURATION, AT(max_query_range_ns), NULL},
    {"max_query_series", CW_KEY_INT, AT(max_query_series), NULL},
    {"metric_aggregation_enabled", CW_KEY_BOOL, 0, write_false},
    {"otlp_config", CW_KEY_TABLE, AT(otlp), write_otlp},
    {"pattern_persistence_enabled", CW_KEY_BOOL, 0, write_true},
    {"query_timeout", CW_KEY_DURATION, AT(query_timeout_ns), NULL},
    {"retention_period", CW_KEY_DURATION, AT(retention_period_ns), NULL},
    {"retention_stream", CW_KEY_TABLES, AT(retention_stream), write_retention},
    {"volume_enabled", CW_KEY_BOOL, AT(volume_enabled), NULL},
    {"volume_max_series", CW_KEY_INT, AT(volume_max_series), NULL},
};

/* Only a list of tables can be left out. */
static bool is_there(const struct row *row, const struct cw_ingester_limits *limits)
{
    const struct cw_config_tables *list = (const void *)((const char *)limits + row->offset);
    return row->kind != CW_KEY_TABLES || list->n > 0;
}

static void write_value(const struct published *p, const struct row *row)
{
    const void *at = (const char *)p->limits + row->offset;
    if (row->write != NULL) {
        row->write(p);
        return;
    }
    switch (row->kind) {
    case CW_KEY_BOOL: cw_json_bool(p->w, *(const bool *)at); break;
    case CW_KEY_INT: cw_json_i64(p->w, *(const int64_t *)at); break;
    case CW_KEY_BYTES: write_bytes(p->w, *(const int64_t *)at); break;
    case CW_KEY_DURATION: write_duration(p->w, *(const int64_t *)at); break;
    default: write_texts(p->w, at); break;
    }
}

void cw_published_limits_write(const struct cw_ingester_config *config,
                               const struct cw_ingester_limits *limits, struct cw_json_writer *out)
{
    const struct published p = {config, limits, out};
    cw_json_begin_object(out);
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        if (!is_there(&rows[i], limits))
            continue;
        cw_json_key(out, cw_str_of(rows[i].name));
        write_value(&p, &rows[i]);
    }
    cw_json_end_object(out);
}

void cw_published_limits_print(const struct cw_ingester_config *config,
                               const struct cw_ingester_limits *limits, struct cw_buf *out)
{
    for (size_t i = 0; i < CW_COUNT(rows); i++) {
        if (!is_there(&rows[i], limits))
            continue;
        struct cw_json_writer w = cw_json_writer_make(out);
        const struct published p = {config, limits, &w};
        cw_buf_addf(out, "%s: ", rows[i].name);
        write_value(&p, &rows[i]);
        cw_buf_addc(out, '\n');
    }
}
