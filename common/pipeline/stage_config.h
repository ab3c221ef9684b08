/*
 * stage_config.h - how pipeline_stages are written in a configuration file: promtail's names and defaults.
 *
 * A list of stages is a CW_KEY_TABLES of cw_stage_table, whose items are struct cw_stage_config. The table's check compiles each
 * stage, so that whatever is wrong with it is told with its place in the file.
 */
#ifndef CW_PIPELINE_STAGE_CONFIG_H
#define CW_PIPELINE_STAGE_CONFIG_H
#include "common/config/schema.h"

extern const struct cw_table_def cw_stage_table;

struct cw_stage_cri_config {
    int64_t max_partial_lines, max_partial_line_size, max_wait_ns;
    bool max_partial_line_size_truncate;
};
struct cw_stage_none_config { /* of stages without options */
    char none;
};
struct cw_stage_drop_config {
    struct cw_config_strings source;
    struct cw_str separator, expression, value, drop_counter_reason;
    bool has_value, has_older_than, has_longer_than;
    int64_t older_than_ns, longer_than_bytes;
};
struct cw_stage_geoip_config {
    struct cw_str db, source;
    int db_type; /* enum cw_geo_ip_type */
    struct cw_config_map custom_lookups;
};
struct cw_stage_json_config {
    struct cw_config_map expressions;
    struct cw_str regex, source;
    bool drop_malformed;
};
struct cw_stage_level_config {
    struct cw_str source, target;
    struct cw_config_strings fields;
    int64_t json_depth;
    int as; /* enum cw_stage_level_as */
};
enum cw_stage_level_as { CW_STAGE_LEVEL_METADATA, CW_STAGE_LEVEL_LABEL, CW_STAGE_LEVEL_EXTRACTED };
struct cw_stage_limit_config {
    double rate;
    int64_t burst, max_distinct_labels;
    bool drop;
    struct cw_str by_label_name;
};
struct cw_stage_logfmt_config {
    struct cw_config_map mapping;
    struct cw_str regex, source;
};
struct cw_stage_luhn_config {
    struct cw_str source, replacement, delimiters, skip_regex;
    int64_t min_length;
};
struct cw_stage_match_config {
    struct cw_str selector, pipeline_name, drop_counter_reason;
    bool has_pipeline_name;
    int action; /* enum cw_stage_match_action */
    struct cw_config_tables stages;
};
enum cw_stage_match_action { CW_STAGE_MATCH_KEEP, CW_STAGE_MATCH_DROP };
struct cw_stage_metric_config { /* one of a metrics stage */
    struct cw_str type, description, source, prefix, value, action;
    int64_t max_idle_ns;
    bool has_value, match_all, count_entry_bytes;
    struct cw_config_strings buckets;
};
struct cw_stage_multiline_config {
    struct cw_str firstline, continuation;
    int64_t max_lines, max_wait_ns;
    bool trim_newlines;
};
struct cw_stage_source_config { /* output, split_json */
    struct cw_str source;
};
struct cw_stage_pack_config {
    struct cw_config_strings labels;
    bool ingest_timestamp;
};
struct cw_stage_pattern_config {
    struct cw_str pattern, source;
    bool labels_from_groups;
};
struct cw_stage_eventlogmessage_config {
    struct cw_str source;
    bool drop_invalid_labels, overwrite_existing;
};
struct cw_stage_redact_rule {
    struct cw_str name, expression, replacement;
    int action; /* enum cw_redact_action */
    bool has_action, has_replacement;
};
struct cw_stage_redact_config {
    struct cw_config_strings detectors;
    struct cw_config_tables rules;
    struct cw_str source, replacement, salt, salt_file;
    int action; /* enum cw_redact_action */
    bool dry_run, labels, structured_metadata;
};
struct cw_stage_regex_config {
    struct cw_str expression, source;
    bool labels_from_groups;
};
struct cw_stage_replace_config {
    struct cw_str expression, source, replace;
};
struct cw_stage_sampling_config {
    double rate;
    struct cw_str drop_counter_reason;
};
struct cw_stage_template_config {
    struct cw_str source, template;
};
struct cw_stage_tenant_config {
    struct cw_str label, source, value;
};
struct cw_stage_timestamp_config {
    struct cw_str source, format, location;
    struct cw_config_strings fallback_formats;
    int action_on_failure, action_on_duplicate; /* enum cw_stage_time_action */
};
enum cw_stage_time_action { CW_STAGE_TIME_FUDGE, CW_STAGE_TIME_KEEP };
struct cw_stage_truncate_rule {
    int64_t limit_bytes;
    struct cw_config_strings sources;
    struct cw_str suffix;
    int source_type; /* enum cw_stage_truncate_type */
};
enum cw_stage_truncate_type {
    CW_STAGE_TRUNCATE_LINE,
    CW_STAGE_TRUNCATE_LABEL,
    CW_STAGE_TRUNCATE_METADATA,
    CW_STAGE_TRUNCATE_EXTRACTED,
};
struct cw_stage_truncate_config {
    struct cw_config_tables rules;
};

/* The stages: the name in the file, the stem of its definition, and the member's type. The only list: struct cw_stage_config and
 * the table in stages.c follow it; the rows of stage_config.c say how each is read. */
#define CW_STAGES(X)                                                                               \
    X(cri, cri, struct cw_stage_cri_config)                                                        \
    X(docker, docker, struct cw_stage_none_config)                                                 \
    X(decolorize, decolorize, struct cw_stage_none_config)                                         \
    X(drop, drop, struct cw_stage_drop_config)                                                     \
    X(eventlogmessage, eventlogmessage, struct cw_stage_eventlogmessage_config)                    \
    X(geoip, geoip, struct cw_stage_geoip_config)                                                  \
    X(json, json, struct cw_stage_json_config)                                                     \
    X(label_drop, labeldrop, struct cw_config_strings)                                             \
    X(label_keep, labelallow, struct cw_config_strings)                                            \
    X(labelallow, labelallow, struct cw_config_strings)                                            \
    X(labeldrop, labeldrop, struct cw_config_strings)                                              \
    X(labels, labels, struct cw_config_map)                                                        \
    X(level, level, struct cw_stage_level_config)                                                  \
    X(limit, limit, struct cw_stage_limit_config)                                                  \
    X(logfmt, logfmt, struct cw_stage_logfmt_config)                                               \
    X(luhn, luhn, struct cw_stage_luhn_config)                                                     \
    X(match, match, struct cw_stage_match_config)                                                  \
    X(metrics, metrics, struct cw_config_table_map)                                                \
    X(multiline, multiline, struct cw_stage_multiline_config)                                      \
    X(non_indexed_labels, structured_metadata, struct cw_config_map)                               \
    X(output, output, struct cw_stage_source_config)                                               \
    X(pack, pack, struct cw_stage_pack_config)                                                     \
    X(pattern, pattern, struct cw_stage_pattern_config)                                            \
    X(redact, redact, struct cw_stage_redact_config)                                               \
    X(regex, regex, struct cw_stage_regex_config)                                                  \
    X(replace, replace, struct cw_stage_replace_config)                                            \
    X(sampling, sampling, struct cw_stage_sampling_config)                                         \
    X(split_json, split_json, struct cw_stage_source_config)                                       \
    X(static_labels, static_labels, struct cw_config_map)                                          \
    X(structured_metadata, structured_metadata, struct cw_config_map)                              \
    X(structured_metadata_drop, structured_metadata_drop, struct cw_config_strings)                \
    X(structured_metadata_regex, structured_metadata_regex, struct cw_str)                         \
    X(template, template, struct cw_stage_template_config)                                         \
    X(tenant, tenant, struct cw_stage_tenant_config)                                               \
    X(timestamp, timestamp, struct cw_stage_timestamp_config)                                      \
    X(truncate, truncate, struct cw_stage_truncate_config)

struct cw_stage_config {
#define CW_STAGE_MEMBER(name, stem, type) type name;
    CW_STAGES(CW_STAGE_MEMBER)
#undef CW_STAGE_MEMBER
    struct {
#define CW_STAGE_SEEN(name, stem, type) bool name;
        CW_STAGES(CW_STAGE_SEEN)
#undef CW_STAGE_SEEN
    } seen; /* exactly one is set */
};

#endif
