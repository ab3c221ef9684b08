#include "ingester/ingester_config.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/config/value.h"
#include "common/logql/ast.h"
#include "common/net/http_listen.h"
#include "common/extract/level_detect.h"
#include "common/store/discovery.h"
#include "ingester/tenant_name.h"
#include "querier/querier.h"

enum {
    MEMORY_MIN_BYTES = 8 << 20,
    STORAGE_MIN_BYTES = 16 << 20,
};

static int check_selector(const void *value, struct cw_err *err)
{
    struct cw_selector selector;
    int rc = cw_logql_parse_selector(*(const struct cw_str *)value, &selector, err);
    if (rc == 0)
        cw_selector_fini(&selector);
    return rc;
}

/* A rule that says neither keeps for ever: then it says so. */
static int check_retention_stream(const void *value, struct cw_err *err)
{
    const struct cw_retention_stream *rule = value;
    if (!rule->period_seen && rule->bytes == 0)
        return cw_err_set(err, CW_E_INVALID, "a rule needs a period or bytes");
    return 0;
}

/* As a user writes it. Makes *out. */
static void bytes_text(int64_t bytes, struct cw_buf *out)
{
    static const struct cw_value_rule rule = {.kind = CW_KEY_BYTES};
    cw_buf_init(out, 64);
    cw_value_format(&rule, &bytes, out);
}

/* "0, or so many bytes at least". */
static int check_floor(const void *value, int64_t floor, const char *zero, const char *why,
                       struct cw_err *err)
{
    int64_t bytes = *(const int64_t *)value;
    struct cw_buf texts[2];
    if (bytes == 0 || bytes >= floor)
        return 0;
    bytes_text(bytes, &texts[0]);
    bytes_text(floor, &texts[1]);
    cw_err_set(err, CW_E_INVALID, "%s is less than %s (or 0: %s): %s", cw_buf_z(&texts[0]),
               cw_buf_z(&texts[1]), zero, why);
    for (size_t i = 0; i < 2; i++)
        cw_buf_fini(&texts[i]);
    return err->code;
}

static int check_listen_address(const void *value, struct cw_err *err)
{
    return cw_http_host_check(*(const struct cw_str *)value, err);
}

static int check_memory_limit(const void *value, struct cw_err *err)
{
    return check_floor(value, MEMORY_MIN_BYTES, "a quarter of the machine",
                       "a push and its copies would find no room", err);
}

static int check_max_bytes(const void *value, struct cw_err *err)
{
    return check_floor(value, STORAGE_MIN_BYTES, "no bound", "the log alone takes more", err);
}

static int check_names(const void *value, struct cw_err *err)
{
    const struct cw_config_strings *names = value;
    size_t bytes = names->n;
    for (size_t i = 0; i < names->n; i++) {
        bytes += names->items[i].len;
        if (memchr(names->items[i].ptr, '\0', names->items[i].len) != NULL)
            return cw_err_set(err, CW_E_INVALID, "a name holds a NUL");
    }
    if (names->n > CW_DISCOVERY_NAMES_MAX || bytes > CW_DISCOVERY_LIST_BYTES_MAX)
        return cw_err_set(err, CW_E_INVALID, "more than %d names, or than %d bytes of them",
                          CW_DISCOVERY_NAMES_MAX, CW_DISCOVERY_LIST_BYTES_MAX);
    return 0;
}

static int check_tenant_name(const void *value, struct cw_err *err)
{
    return cw_tenant_name_check(*(const struct cw_str *)value, err);
}

#define AT(member) offsetof(struct cw_retention_stream, member)

static const struct cw_key_def retention_stream_keys[] = {
    {"selector", CW_KEY_STRING, AT(selector), .flags = CW_KEY_REQUIRED, .check = check_selector,
     .doc = "The streams: `{namespace=\"dev\", level=~\"debug|trace\"}`."},
    {"priority", CW_KEY_INT, AT(priority), .def = "0", .min = "-2147483648", .max = "2147483647",
     .doc = "Of rules that match a stream the one with the largest priority counts, of equal ones "
            "the one with the shortest period."},
    {"period", CW_KEY_DURATION, AT(period_ns), .def = "0", .min = "0",
     .seen = CW_KEY_AT(struct cw_retention_stream, period_seen),
     .doc = "Drop their entries when they are older than this; 0, or a rule that has bytes alone, "
            "keeps them, whatever retention_period is. A rule has a period, bytes, or both."},
    {"bytes", CW_KEY_BYTES, AT(bytes), .def = "0", .min = "0",
     .doc = "Remove their oldest entries when they take more of the disk than this, counted as "
            "their share of each part's size by the bytes of lines. All that a part (a day or "
            "less) has of them goes at once; what the newest part has stays. 0 is no bound."},
};
static const struct cw_table_def retention_stream_table = {
    .name = "retention_stream",
    .keys = retention_stream_keys,
    .nkeys = sizeof(retention_stream_keys) / sizeof(retention_stream_keys[0]),
    .size = sizeof(struct cw_retention_stream),
    .check = check_retention_stream,
};

static int check_pattern(const void *value, struct cw_err *err)
{
    const struct cw_blocked_query_config *rule = value;
    const struct cw_blocked_query blocked = {.pattern = rule->pattern, .regex = rule->regex};
    const struct cw_query_policy_options options = {.blocked = &blocked, .nblocked = 1};
    struct cw_query_policy *policy = NULL;
    struct cw_err why;
    int rc = cw_query_policy_new(&options, &policy, &why);
    cw_query_policy_unref(&policy);
    return rc < 0 ? cw_err_set(err, rc, "pattern: %s", why.text) : 0;
}

static int check_types(const void *value, struct cw_err *err)
{
    const struct cw_config_strings *named = value;
    for (size_t i = 0; i < named->n; i++) {
        struct cw_str type = named->items[i];
        if (!cw_str_eqz(type, "metric") && !cw_str_eqz(type, "filter") &&
            !cw_str_eqz(type, "limited"))
            return cw_err_set(err, CW_E_INVALID,
                              "\"%.*s\" is no type of query: expected metric, filter or limited",
                              CW_STR_ARG(type));
    }
    return 0;
}

#undef AT
#define AT(member) offsetof(struct cw_blocked_query_config, member)

static const struct cw_key_def blocked_query_keys[] = {
    {"pattern", CW_KEY_STRING, AT(pattern),
     .doc =
         "The whole query, or with regex an expression for a part of it. Without a pattern and a "
         "hash the rule is about every query."},
    {"regex", CW_KEY_BOOL, AT(regex), .def = "false", .doc = "pattern is a regular expression."},
    {"hash", CW_KEY_INT, AT(hash), .def = "0", .min = "0", .max = "4294967295",
     .doc = "The 32-bit FNV-1 hash of the query, in place of a pattern."},
    {"types", CW_KEY_STRINGS, AT(types), .flags = CW_KEY_ONE_OR_LIST, .check = check_types,
     .doc = "metric, filter (a log query with a line or label filter), limited (one without): a "
            "list, or `filter,limited`. None is all."},
    {"tags", CW_KEY_MAP, AT(tags),
     .doc = "What the header X-Query-Tags must say (`Source=logcli,...`), up to case."},
};
static const struct cw_table_def blocked_query_table = {
    .name = "blocked_queries",
    .keys = blocked_query_keys,
    .nkeys = sizeof(blocked_query_keys) / sizeof(blocked_query_keys[0]),
    .size = sizeof(struct cw_blocked_query_config),
    .check = check_pattern,
};

static const char *const deletion_modes[] = {"disabled", "filter-only", "filter-and-delete", NULL};

#undef AT
#define AT(member) offsetof(struct cw_ingester_limits, member)

/* Loki's limits that exist to protect a shared server: here the memory budget bounds them all. */
#define UNLIMITED "Not enforced: the memory budget (memory.limit) bounds what a tenant can cost."
/* Of Loki's limits that say how its processes share a query. */
#define ONE_PROCESS "One process answers each query, on all cores, and splits it as it sees fit."
#define NO_CACHE "No answers are cached."

static const struct cw_key_def limit_keys[] = {
    {"reject_old_samples", CW_KEY_BOOL, AT(reject_old_samples), .def = "false",
     .doc = "Refuse entries older than reject_old_samples_max_age."},
    {"reject_old_samples_max_age", CW_KEY_DURATION, AT(reject_old_samples_max_age_ns), .def = "7d",
     .min = "0", .doc = "The oldest entry that is taken, when reject_old_samples is on."},
    {"creation_grace_period", CW_KEY_DURATION, AT(creation_grace_period_ns), .def = "10m",
     .min = "0", .doc = "Refuse entries further in the future than this."},
    {"max_line_size", CW_KEY_BYTES, AT(max_line_size), .def = "256KiB", .min = "0", .max = "128MiB",
     .doc = "The longest line that is taken; 0 is no limit but that of a push."},
    {"max_line_size_truncate", CW_KEY_BOOL, AT(max_line_size_truncate), .def = "false",
     .doc = "Cut longer lines to max_line_size instead of refusing them."},
    {"max_label_name_length", CW_KEY_INT, AT(max_label_name_length), .def = "1024", .min = "1",
     .max = "65536", .doc = "The longest label name, in bytes."},
    {"max_label_value_length", CW_KEY_INT, AT(max_label_value_length), .def = "2048", .min = "1",
     .max = "1048576", .doc = "The longest label value, in bytes."},
    {"max_label_names_per_series", CW_KEY_INT, AT(max_label_names_per_series), .def = "15",
     .min = "1", .max = "1024", .doc = "The most labels of a stream."},
    {"allow_structured_metadata", CW_KEY_BOOL, AT(allow_structured_metadata), .def = "true",
     .doc =
         "Take entries with structured metadata. In its names each run of what is no ASCII letter or "
         "digit becomes one `_`, and `key_` goes before a digit in front, as by Loki; a name without a "
         "letter or digit costs the push (400)."},
    {"max_structured_metadata_size", CW_KEY_BYTES, AT(max_structured_metadata_size), .def = "64KiB",
     .min = "0", .max = "16MiB",
     .doc = "The most bytes of names and values in one entry's structured metadata; 0 is the "
            "largest."},
    {"max_structured_metadata_entries_count", CW_KEY_INT, AT(max_structured_metadata_entries_count),
     .def = "128", .min = "0", .max = "65536",
     .doc = "The most pairs in one entry's structured metadata; 0 is the largest."},
    {"increment_duplicate_timestamp", CW_KEY_BOOL, AT(increment_duplicate_timestamp),
     .def = "false",
     .doc =
         "An entry of a push that has the time of the one ahead of it in its stream, and another "
         "line, comes a nanosecond behind it. Entries of one time keep their order without it."},
    {"discover_service_name", CW_KEY_STRINGS, AT(discover_service_name),
     .def = CW_DISCOVERY_SERVICE_NAMES, .check = check_names,
     .doc = "A stream without a label service_name gets one, with the value of the first of these "
            "labels that it has, or unknown_service. An empty list adds none."},
    {"discover_log_levels", CW_KEY_BOOL, AT(discover_log_levels), .def = "true",
     .doc = "Add detected_level to the structured metadata of each entry that comes without it: "
            "from its level fields, OTLP's severity, JSON, logfmt, or a word in its line; unknown "
            "where there is none. It needs allow_structured_metadata."},
    {"log_level_fields", CW_KEY_STRINGS, AT(log_level_fields), .def = CW_LEVEL_FIELDS,
     .check = check_names,
     .doc = "Labels, metadata and fields of JSON and logfmt lines that hold a level, first to "
            "last. An empty list is the default one."},
    {"log_level_from_json_max_depth", CW_KEY_INT, AT(log_level_from_json_max_depth), .def = "2",
     .min = "-2147483648", .max = "2147483647",
     .doc = "Look for level fields in objects of JSON lines down to this depth; 0 and less is any "
            "(64 at most)."},
    {"otlp_config", CW_KEY_TABLE, AT(otlp), .table = &cw_otlp_config_table,
     .doc = "What becomes of the attributes of OpenTelemetry's logs (/otlp/v1/logs)."},
    {"retention_period", CW_KEY_DURATION, AT(retention_period_ns), .def = "0", .min = "0",
     .doc = "Drop entries older than this; 0 keeps them. It works alone: nothing else has to be "
            "set."},
    {"retention_stream", CW_KEY_TABLES, AT(retention_stream), .table = &retention_stream_table,
     .doc = "Periods and bytes of single streams, in place of retention_period: entries past the "
            "period are hidden at once, and removed when all of a part that are theirs have come "
            "of age."},
    {"retention_bytes", CW_KEY_BYTES, AT(retention_bytes), .def = "0", .min = "0",
     .doc = "Drop the tenant's oldest parts when its parts take more of the disk than this; the "
            "newest one stays. 0 is no bound."},
    {"deletion_mode", CW_KEY_ENUM, AT(deletion_mode), .def = "filter-and-delete",
     .names = deletion_modes,
     .doc = "filter-and-delete: deletes hide at once, and their entries are removed after "
            "storage.delete_cancel_period. filter-only: they hide. disabled: none is taken; those "
            "there are hide."},
    {"max_entries_limit_per_query", CW_KEY_INT, AT(max_entries_limit_per_query), .def = "5000",
     .min = "0", .max = "4294967295",
     .doc = "The most entries that one log query returns; 0 is no limit."},
    {"max_query_series", CW_KEY_INT, AT(max_query_series), .def = "500", .min = "0",
     .max = "4294967295", .doc = "The most series that one metric query returns."},
    {"max_streams_matchers_per_query", CW_KEY_INT, AT(max_streams_matchers_per_query),
     .def = "1000", .min = "0", .max = "4294967295", .doc = "The most matchers of one query."},
    {"max_query_length", CW_KEY_DURATION, AT(max_query_length_ns), .def = "721h", .min = "0",
     .doc = "The longest range of one query; 0 is no limit."},
    {"max_query_lookback", CW_KEY_DURATION, AT(max_query_lookback_ns), .def = "0", .min = "0",
     .doc = "How far back queries may look; 0 is no limit."},
    {"max_query_range", CW_KEY_DURATION, AT(max_query_range_ns), .def = "0", .min = "0",
     .doc = "The longest range in brackets; 0 is no limit."},
    {"max_query_bytes_read", CW_KEY_BYTES, AT(max_query_bytes_read), .def = "0", .min = "0",
     .doc =
         "The most bytes of lines that one query may have to look at, as far as the tables of parts "
         "tell before it runs; 0 is no limit."},
    {"query_timeout", CW_KEY_DURATION, AT(query_timeout_ns), .def = "1m", .min = "0",
     .doc = "A query ends after this."},
    {"volume_enabled", CW_KEY_BOOL, AT(volume_enabled), .def = "true",
     .doc = "Answer index/volume."},
    {"volume_max_series", CW_KEY_INT, AT(volume_max_series), .def = "1000", .min = "0",
     .max = "4294967295",
     .doc = "The most series that index/volume may find, of which its `limit` are answered; in "
            "index/volume_range in each piece."},
    {"required_labels", CW_KEY_STRINGS, AT(required_labels),
     .doc = "Labels that each selector of a range query must have, and of patterns; as in Loki not "
            "of instant queries."},
    {"minimum_labels_number", CW_KEY_INT, AT(minimum_labels_number), .def = "0", .min = "0",
     .max = "4294967295", .doc = "The fewest matchers of such a selector."},
    {"blocked_queries", CW_KEY_TABLES, AT(blocked_queries), .table = &blocked_query_table,
     .doc =
         "Queries that are refused; the first rule whose pattern or hash is the query's decides."},
    {"max_query_parallelism", CW_KEY_INT, AT(max_query_parallelism), .def = "32", .min = "0",
     .max = "4294967295",
     .doc = "0: querying is disabled (429), as in Loki. Any other number changes nothing: a query "
            "runs on all cores."},
    {"tsdb_max_query_parallelism", CW_KEY_INT, AT(tsdb_max_query_parallelism), .def = "128",
     .min = "0", .max = "4294967295", .doc = "The same."},
    {"shard_aggregations", CW_KEY_STRINGS, AT(shard_aggregations),
     .doc =
         "Loki's switch for aggregations that it may estimate: with approx_topk in the list that "
         "function is answered. Here it is exact."},
    {"enable_multi_variant_queries", CW_KEY_BOOL, AT(enable_multi_variant_queries), .def = "false",
     .doc = "Answer variants(...) of (...)."},
    {"max_concurrent_tail_requests", CW_KEY_INT, AT(max_concurrent_tail_requests), .def = "10",
     .min = "0", .max = "4294967295", .doc = "The most live tails at a time."},
    {"ingestion_rate_strategy", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"ingestion_rate_mb", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"ingestion_burst_size_mb", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"per_stream_rate_limit", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"per_stream_rate_limit_burst", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"max_streams_per_user", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"max_global_streams_per_user", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"unordered_writes", CW_KEY_IGNORED, .doc = "Entries are taken in any order."},
    {"use_owned_stream_count", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"cardinality_limit", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"max_chunks_per_query", CW_KEY_IGNORED, .doc = UNLIMITED},
    {"max_querier_bytes_read", CW_KEY_IGNORED,
     .doc = "One process answers each query: max_query_bytes_read is the limit to set."},
    {"max_queriers_per_tenant", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"max_query_capacity", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"min_sharding_lookback", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"tsdb_max_bytes_per_shard", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"tsdb_sharding_strategy", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"tsdb_precompute_chunks", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"split_queries_by_interval", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"split_metadata_queries_by_interval", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"split_recent_metadata_queries_by_interval", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"recent_metadata_query_window", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"split_instant_metric_queries_by_interval", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"split_ingester_queries_by_interval", CW_KEY_IGNORED, .doc = ONE_PROCESS},
    {"max_cache_freshness_per_query", CW_KEY_IGNORED, .doc = NO_CACHE},
    {"max_metadata_cache_freshness", CW_KEY_IGNORED, .doc = NO_CACHE},
    {"max_stats_cache_freshness", CW_KEY_IGNORED, .doc = NO_CACHE},
    {"query_ready_index_num_days", CW_KEY_IGNORED, .doc = "All of the index is always ready."},
    {"shard_streams", CW_KEY_IGNORED, .doc = "A stream has no limit of its own, so none is split."},
    {"pattern_persistence_enabled", CW_KEY_IGNORED,
     .doc = "Patterns are told of everything that is stored."},
    {"metric_aggregation_enabled", CW_KEY_IGNORED,
     .doc = "No metrics are stored as lines: index/volume counts what is there."},
    {"discover_generic_fields", CW_KEY_IGNORED, .flags = CW_KEY_REFUSED,
     .doc = "no fields are added to structured metadata but detected_level; parse them in queries "
            "(| json, | logfmt)"},
};
static const struct cw_table_def limits_table =
    CW_TABLE("limits_config", limit_keys, struct cw_ingester_limits);

#undef AT
#define AT(member) offsetof(struct cw_ingester_config, member)

static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_names[] = {"logfmt", "json", NULL};
static const char *const sync_names[] = {"always", "interval", NULL};
static const char *const codec_names[] = {"lz4", "zstd", NULL};

static const struct cw_key_def keys[] = {
    {"auth_enabled", CW_KEY_BOOL, AT(auth_enabled), .def = "false",
     .doc = "Take the tenant from the header X-Scope-OrgID; without it everything belongs to the "
            "tenant `fake`."},
    {"server.http_listen_address", CW_KEY_STRING, AT(listen_address), .def = "127.0.0.1",
     .check = check_listen_address, .doc = "Address to listen on; empty is all."},
    {"server.http_listen_port", CW_KEY_INT, AT(listen_port), .def = "3100", .min = "0",
     .max = "65535", .doc = "Port to listen on; 0 is any."},
    {"server.check_origin", CW_KEY_BOOL, AT(check_origin), .def = "true",
     .doc =
         "On loopback refuse requests with a foreign Origin or Host, which a web page could send."},
    {"server.graceful_shutdown_timeout", CW_KEY_DURATION, AT(graceful_shutdown_timeout_ns),
     .def = "10s", .min = "0",
     .doc = "How long requests under way may take when the server stops."},
    {"server.log_level", CW_KEY_ENUM, AT(log_level), .def = "info", .names = level_names,
     .doc = "Log events of this level and above."},
    {"server.log_format", CW_KEY_ENUM, AT(log_format), .def = "logfmt", .names = format_names,
     .doc = "How events are written to stderr."},
    {"server.grpc_listen_address", CW_KEY_IGNORED, .doc = "There is no gRPC server."},
    {"server.grpc_listen_port", CW_KEY_IGNORED, .doc = "There is no gRPC server."},
    {"data_dir", CW_KEY_STRING, AT(data_dir), .def = "./cordwood-data",
     .doc = "Where entries are kept."},
    {"wal.segment_bytes", CW_KEY_BYTES, AT(wal_segment_bytes), .def = "64MiB", .min = "1MiB",
     .max = "1GiB", .doc = "Start a new segment of the write-ahead log at this size."},
    {"wal.sync", CW_KEY_ENUM, AT(wal_sync), .def = "always", .names = sync_names,
     .doc = "always: a push is answered when it is on disk. interval: it is answered before, and a "
            "power cut may lose wal.sync_interval."},
    {"wal.sync_interval", CW_KEY_DURATION, AT(wal_sync_interval_ns), .def = "1s", .min = "10ms",
     .max = "1h", .doc = "Time between syncs with wal.sync: interval."},
    {"head.flush_bytes", CW_KEY_BYTES, AT(head_flush_bytes), .def = "40MiB", .min = "1MiB",
     .max = "4GiB", .doc = "Write entries from memory into parts at this size."},
    {"memory.limit", CW_KEY_BYTES, AT(memory_limit), .def = "0", .min = "0",
     .check = check_memory_limit,
     .doc =
         "The memory budget, a ceiling for the head, pushes, connections, queries, answers, merges "
         "and caches together; what goes over it is refused with 429. The program itself takes some "
         "10 MiB beside it. At least 8MiB, and 64MiB for parts to be merged and deletes to be "
         "carried out; 0 is a quarter of the machine or the cgroup, 64MiB at least. An eighth of it "
         "is for the bodies of requests: a larger push is refused with 413, and never taken. It also "
         "pays for the connections of clients: one for each MiB, 1024 at most; when all are taken, one that "
         "waits for its client is closed for a new one."},
    {"memory.caches", CW_KEY_FLOAT, AT(memory_caches), .def = "0.125", .min = "0", .max = "0.9",
     .doc =
         "The share of the memory budget that may hold what queries decoded (words and labels of "
         "parts) for the next ones. Whatever else needs memory gets it from there first. 0 "
         "keeps nothing."},
    {"storage.min_free", CW_KEY_FLOAT, AT(min_free), .def = "0.1", .min = "0", .max = "0.9",
     .doc = "Drop the oldest parts when less than this share of the disk is free; 0 is never."},
    {"storage.merge_codec", CW_KEY_ENUM, AT(merge_codec), .def = "lz4", .names = codec_names,
     .doc = "What merged parts are compressed with. zstd: a tenth smaller, and slower to merge and "
            "to read."},
    {"storage.max_bytes", CW_KEY_BYTES, AT(max_bytes), .def = "0", .min = "0",
     .check = check_max_bytes,
     .doc = "Drop the oldest parts when all parts and the log take more of the disk than this; the "
            "newest part stays. At least 16MiB, and not less than wal.segment_bytes; 0 is no "
            "bound."},
    {"storage.delete_cancel_period", CW_KEY_DURATION, AT(delete_cancel_period_ns), .def = "24h",
     .min = "0",
     .doc = "How long a delete can be cancelled: only after it its entries are removed from the "
            "disk."},
    {"sources.forget", CW_KEY_DURATION, AT(sources_forget_ns), .def = "30d", .min = "1h",
     .doc = "Forget how far a source is stored after so long a silence, if its shipper has "
            "confirmed that it needs it no more."},
    {"querier.tail_max_duration", CW_KEY_DURATION, AT(tail_max_duration_ns), .def = "1h",
     .min = "0", .doc = "End a live tail after so long (clients connect again); 0 is never."},
    {"querier.multi_tenant_queries_enabled", CW_KEY_IGNORED,
     .doc = "A request is of one tenant: X-Scope-OrgID: a|b is refused."},
    {"distributor.otlp_config.default_resource_attributes_as_index_labels", CW_KEY_STRINGS,
     AT(otlp_label_attributes), .def = CW_OTLP_LABEL_ATTRIBUTES, .flags = CW_KEY_RELOADED,
     .doc = "Attributes of OpenTelemetry's resources that are labels, unless a tenant's "
            "otlp_config ignores them."},
    {"limits_config", CW_KEY_TABLE, AT(limits), .table = &limits_table, .flags = CW_KEY_RELOADED,
     .doc = "The limits of every tenant."},
    {"overrides", CW_KEY_TABLE_MAP, AT(overrides), .table = &limits_table,
     .inherit = CW_KEY_AT(struct cw_ingester_config, limits), .check_name = check_tenant_name,
     .flags = CW_KEY_RELOADED, .doc = "Limits of single tenants, by name."},
};

/* Rules between keys. */
static int check_config(const void *value, struct cw_err *err)
{
    const struct cw_ingester_config *config = value;
    if (config->max_bytes == 0 || config->max_bytes >= config->wal_segment_bytes)
        return 0;
    struct cw_buf texts[2];
    bytes_text(config->max_bytes, &texts[0]);
    bytes_text(config->wal_segment_bytes, &texts[1]);
    cw_err_set(
        err, CW_E_INVALID,
        "storage.max_bytes (%s) is less than wal.segment_bytes (%s): the log alone takes more",
        cw_buf_z(&texts[0]), cw_buf_z(&texts[1]));
    for (size_t i = 0; i < CW_COUNT(texts); i++)
        cw_buf_fini(&texts[i]);
    return err->code;
}
const struct cw_table_def cw_ingester_table = {.name = "ingester",
                                               .keys = keys,
                                               .nkeys = CW_COUNT(keys),
                                               .size = sizeof(struct cw_ingester_config),
                                               .check = check_config};

#undef AT
#define AT(member) offsetof(struct cw_ingester_args, member)

static const struct cw_flag_def flag_rows[] = {
    {"config", .kind = CW_KEY_STRING, .offset = AT(config), .arg = "FILE", .alias = "config.file",
     .doc = "Read the configuration from FILE. Without it the defaults hold."},
    {"data-dir", .kind = CW_KEY_STRING, .offset = AT(data_dir), .arg = "DIR",
     .seen = CW_KEY_AT(struct cw_ingester_args, has_data_dir),
     .doc = "Keep entries in DIR (default ./cordwood-data)."},
    {"listen", .kind = CW_KEY_STRING, .offset = AT(listen), .arg = "HOST:PORT",
     .doc = "Listen there (default 127.0.0.1:3100); port 0 is any."},
    {"listen-file", .kind = CW_KEY_STRING, .offset = AT(listen_file), .arg = "FILE",
     .doc = "Write HOST:PORT to FILE when the server listens."},
    {"check", .kind = CW_KEY_BOOL, .offset = AT(check),
     .doc = "Check the configuration and exit: 0 when it is good, 2 when not."},
    {"print-config", .kind = CW_KEY_BOOL, .offset = AT(print_config),
     .doc = "Print the effective configuration as YAML and exit."},
};
static const struct cw_flag_group options = CW_FLAG_GROUP("Options", flag_rows);
static const struct cw_flag_group *const groups[] = {&options, NULL};
static const struct cw_exit_def exits[] = {
    {0, "Stopped by SIGTERM or SIGINT, everything flushed; or --check, --print-config, --help, "
        "--version."},
    {1, "The server could not start."},
    {2, "Wrong flags or configuration."},
    {0, NULL},
};
static const struct cw_example_def examples[] = {
    {"cordwood-ingester --data-dir /var/lib/cordwood --listen :3100",
     "Serve everybody on port 3100."},
    {NULL, NULL},
};

const struct cw_command_def cw_ingester_command = {
    .name = "cordwood-ingester",
    .brief = "log server: takes pushes, stores entries, answers LogQL queries",
    .doc =
        "Takes log entries over Loki's push API, keeps them in a data directory, and answers "
        "Loki's query API on the same port.\n\n"
        "SIGTERM and SIGINT flush and stop. SIGHUP reads limits_config, overrides and "
        "distributor.otlp_config of the configuration file again; the other keys are read at the "
        "start alone: the log names those that have changed, and /config goes on to show what is "
        "in force.",
    .groups = groups,
    .config = &cw_ingester_table,
    .exits = exits,
    .examples = examples,
};

int cw_ingester_config_load(const char *path, struct cw_ingester_config **out,
                            struct cw_config_problems *problems, struct cw_err *err)
{
    struct cw_yaml_options expand = {.expand = CW_YAML_EXPAND_STRICT};
    struct cw_arena *arena = cw_arena_new();
    struct cw_ingester_config *config = CW_ARENA_NEW(arena, struct cw_ingester_config);
    int rc = 0;
    if (path && *path)
        rc = cw_yaml_load_file(path, &cw_ingester_table, &expand, arena, config, problems, err);
    else
        cw_schema_defaults(&cw_ingester_table, arena, config);
    config->arena = arena;
    *out = config;
    return rc;
}

int cw_ingester_config_flags(struct cw_ingester_config *config, const struct cw_ingester_args *args,
                             struct cw_err *err)
{
    struct cw_str host;
    if (args->has_data_dir && args->data_dir.len == 0)
        return cw_err_set(err, CW_E_INVALID,
                          "--data-dir: \"\" names no folder: expected this server's, or a new one");
    if (args->data_dir.len > 0)
        config->data_dir = cw_arena_dup(config->arena, args->data_dir);
    if (args->listen.len == 0)
        return 0;
    int rc = cw_http_listen_split(args->listen, &host, &config->listen_port, err);
    if (rc == 0)
        config->listen_address = cw_arena_dup(config->arena, host);
    return rc;
}

void cw_ingester_config_free(struct cw_ingester_config **config)
{
    if (!*config)
        return;
    struct cw_arena *arena = (*config)->arena;
    cw_arena_free(&arena);
    *config = NULL;
}

/* The number in a file of the cgroup, or UINT64_MAX ("max", or no such file). */
static uint64_t cgroup_limit(const char *path)
{
    struct cw_buf text;
    struct cw_err ignored = {0};
    uint64_t value = UINT64_MAX;
    cw_buf_init(&text, 4096);
    if (cw_file_read(path, 4096, &text, &ignored) == 0)
        cw_str_to_u64(cw_str_trim(cw_buf_str(&text)), &value);
    cw_buf_fini(&text);
    return value;
}

uint64_t cw_ingester_memory(const struct cw_ingester_config *config)
{
    if (config->memory_limit > 0)
        return (uint64_t)config->memory_limit;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t all =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_C(4) << 30;
    all = CW_MIN(all, cgroup_limit("/sys/fs/cgroup/memory.max"));
    all = CW_MIN(all, cgroup_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    return CW_MAX(all / 4, CW_INGESTER_MEMORY_ENOUGH);
}
