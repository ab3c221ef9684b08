/*
 * ingester_config.h - the ingester's flags and configuration file, with the limits of each tenant.
 *
 * Ownership  Everything lives in the config's arena. A reload makes a new config.
 * Errors     CW_E_INVALID with file:line:column; all problems of the file are printed by who loads it.
 */
#ifndef CW_INGESTER_INGESTER_CONFIG_H
#define CW_INGESTER_INGESTER_CONFIG_H
#include <stdbool.h>
#include <stdint.h>
#include "common/config/flags.h"
#include "common/config/yaml_load.h"
#include "ingester/otlp_config.h"

/* A rule of retention_stream. */
struct cw_retention_stream {
    struct cw_str selector;
    int64_t priority, period_ns;
    int64_t bytes;
    bool period_seen;
};
/* A rule of blocked_queries. */
struct cw_blocked_query_config {
    struct cw_str pattern;
    bool regex;
    int64_t hash;
    struct cw_config_strings types;
    struct cw_config_map tags;
};
/* deletion_mode, in the order of the names in the table. */
enum cw_deletion_mode {
    CW_DELETION_DISABLED,
    CW_DELETION_FILTER_ONLY,
    CW_DELETION_FILTER_AND_DELETE
};

/* Loki's limits_config; 0 is no limit where Loki says so. */
struct cw_ingester_limits {
    bool reject_old_samples;
    int64_t reject_old_samples_max_age_ns;
    int64_t creation_grace_period_ns;
    int64_t max_line_size;
    bool max_line_size_truncate;
    int64_t max_label_name_length, max_label_value_length, max_label_names_per_series;
    bool allow_structured_metadata, increment_duplicate_timestamp;
    struct cw_config_strings discover_service_name;
    bool discover_log_levels;
    struct cw_config_strings log_level_fields;
    int64_t log_level_from_json_max_depth;
    struct cw_otlp_config otlp;
    int64_t max_structured_metadata_size, max_structured_metadata_entries_count;
    int64_t retention_period_ns;
    struct cw_config_tables retention_stream; /* of struct cw_retention_stream */
    int64_t retention_bytes;
    int deletion_mode;
    int64_t max_entries_limit_per_query, max_query_series, max_streams_matchers_per_query;
    int64_t max_query_length_ns, max_query_lookback_ns, max_query_range_ns, query_timeout_ns;
    int64_t max_query_bytes_read;
    bool volume_enabled;
    int64_t volume_max_series;
    struct cw_config_strings required_labels;
    int64_t minimum_labels_number;
    struct cw_config_tables blocked_queries; /* of struct cw_blocked_query_config */
    int64_t max_query_parallelism, tsdb_max_query_parallelism;
    struct cw_config_strings shard_aggregations;
    bool enable_multi_variant_queries;
    int64_t max_concurrent_tail_requests;
};

struct cw_ingester_config {
    struct cw_arena *arena;
    bool auth_enabled;
    struct cw_str listen_address;
    int64_t listen_port;
    bool check_origin;
    int64_t graceful_shutdown_timeout_ns;
    int log_level, log_format;
    struct cw_str data_dir;
    int64_t wal_segment_bytes;
    int wal_sync;
    int64_t wal_sync_interval_ns;
    int64_t head_flush_bytes;
    int64_t memory_limit; /* 0: a quarter of the machine or the cgroup */
    double memory_caches; /* share of it */
    double min_free;
    int merge_codec;
    int64_t max_bytes; /* 0: any */
    int64_t delete_cancel_period_ns;
    int64_t sources_forget_ns;
    int64_t tail_max_duration_ns;
    struct cw_config_strings otlp_label_attributes;
    struct cw_ingester_limits limits;
    struct cw_config_table_map overrides; /* of struct cw_ingester_limits */
};

struct cw_ingester_args {
    struct cw_str config, data_dir, listen, listen_file;
    bool has_data_dir; /* given, if only as "" */
    bool check, print_config;
};

extern const struct cw_table_def cw_ingester_table;
extern const struct cw_command_def cw_ingester_command;

/* `path` empty: the defaults. *problems (may be NULL) lives in the config's arena. On failure the config is still to be freed. */
int cw_ingester_config_load(const char *path, struct cw_ingester_config **out,
                            struct cw_config_problems *problems, struct cw_err *err) CW_MUST_USE;
/* What flags say of the same things as the file; they win. */
int cw_ingester_config_flags(struct cw_ingester_config *config, const struct cw_ingester_args *args,
                             struct cw_err *err) CW_MUST_USE;
void cw_ingester_config_free(struct cw_ingester_config **config);
/* Below it there is no room for merges and for carrying deletes out beside the rest. */
#define CW_INGESTER_MEMORY_ENOUGH (UINT64_C(64) << 20)
/* The memory budget in bytes: memory.limit, or a quarter of what the machine or the cgroup allows. */
uint64_t cw_ingester_memory(const struct cw_ingester_config *config);

#endif
