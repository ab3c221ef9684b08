/*
 * shipper_config.h - the shipper's configuration: promtail's file as it is, and the command line's
 * short form of it.
 *
 * Ownership  A loaded configuration lives in the arena of its load.
 * Errors     CW_E_INVALID with file:line:column, CW_E_NOT_FOUND, CW_E_IO.
 */
#ifndef CW_SHIPPER_SHIPPER_CONFIG_H
#define CW_SHIPPER_SHIPPER_CONFIG_H
#include <stdbool.h>
#include <stdint.h>
#include "common/config/flags.h"
#include "common/config/yaml_load.h"
#include "common/logql/ast.h"
#include "shipper/batch.h"
#include "shipper/client_config.h"
#include "shipper/discovery_config.h"
#include "shipper/promtail_flags.h"
#include "shipper/receiver_config.h"
#include "shipper/relabel_config.h"
#include "shipper/server_config.h"

struct cw_backoff_config {
    int64_t min_period_ns, max_period_ns, max_retries;
};
enum cw_client_compression { CW_CLIENT_SNAPPY, CW_CLIENT_GZIP };
struct cw_client_config {
    struct cw_str name, url, selector, tenant_id, bearer_token, bearer_token_file;
    int64_t batch_bytes, batch_wait_ns, timeout_ns;
    int compression; /* enum cw_client_compression */
    struct cw_config_map external_labels, headers;
    struct cw_basic_auth_config basic_auth;
    struct cw_backoff_config backoff;
    struct cw_tls_config tls;
    struct cw_authorization_config authorization;
    struct cw_oauth2_config oauth2;
    struct cw_proxy_config proxy;
    bool follow_redirects, drop_rate_limited;
};
struct cw_scrape_config {
    struct cw_str job_name;
    size_t line;                                   /* of the file; 0: it is of the command line */
    struct cw_config_tables static_configs;        /* struct cw_static_config */
    struct cw_config_tables file_sd_configs;       /* struct cw_file_sd_config */
    struct cw_config_tables docker_sd_configs;     /* struct cw_docker_sd_config */
    struct cw_config_tables kubernetes_sd_configs; /* struct cw_kubernetes_sd_config */
    struct cw_config_tables pod_logs_configs;      /* struct cw_pod_logs_config */
    struct cw_config_tables relabel_configs;       /* struct cw_relabel_config */
    struct cw_config_tables pipeline_stages;       /* struct cw_stage_config */
    struct cw_decompression_config {
        bool enabled;
        int64_t initial_delay_ns;
        struct cw_str format;
    } decompression;
    bool named; /* files of the command line that are no patterns: each is to be there */
    struct cw_str encoding; /* cw_text_encoding_new() knows it; empty: none */
    /* receivers; each is there if it was seen */
    struct cw_journal_config journal;
    struct cw_syslog_config syslog;
    struct cw_loki_push_config loki_push_api;
    struct cw_gelf_config gelf;
    struct cw_forward_config forward;
    struct cw_lines_config lines;
    struct cw_stdin_config standard_input;
    struct cw_fifo_config fifo;
    struct cw_exec_config exec;
};
struct cw_limits_config {
    int64_t max_line_bytes;
    int long_lines; /* enum cw_long_lines: cw_limits_long_lines() */
    bool max_line_truncate;
    struct cw_str max_line_truncate_mark;
    int64_t max_outputs, max_streams;
    bool rate_enabled, rate_drop;
    double rate; /* lines a second, of all together */
    int64_t burst;
};
struct cw_shipper_config {
    struct cw_server_config server;
    struct cw_config_tables clients; /* struct cw_client_config; `client`, if there, is the last */
    struct cw_client_config client;
    bool has_client;
    struct cw_str positions_file;
    int64_t positions_sync_ns, rescan_ns, poll_min_ns, poll_max_ns;
    bool keep_stage_metrics;
    struct cw_config_tables scrape_configs; /* struct cw_scrape_config */
    struct cw_config_table_map pipelines;   /* struct cw_pipeline_config */
    struct cw_limits_config limits;
    struct cw_spool_config spool;
};

struct cw_shipper_args {
    struct cw_str config, push, docker, state_dir, tenant, external_labels;
    struct cw_config_map labels;
    bool check, dry_run, inspect, once, from_end, expand_env, only_public;
    struct cw_promtail_flags promtail;
};

extern const struct cw_table_def cw_shipper_table;
extern const struct cw_command_def cw_shipper_command;

/* A client's `selector`: any, {level!="debug"} too. Free with cw_query_free(). */
int cw_client_selector_parse(struct cw_str text, struct cw_query **out,
                             struct cw_err *err) CW_MUST_USE;
/* Read and check a file; every problem goes to stderr, warnings too. */
/* Of `n` problems, each a line: 0 of none; a single one is *err; several are printed to stderr, and *err has their number. */
int cw_shipper_config_problems(const char *file, const struct cw_buf *lines, size_t n,
                               struct cw_err *err) CW_MUST_USE;
int cw_shipper_config_load(const struct cw_shipper_args *args, struct cw_arena *arena,
                           struct cw_shipper_config *out, struct cw_err *err) CW_MUST_USE;
/* Whether all that is read is standard input, which ends. */
bool cw_shipper_config_ends(const struct cw_shipper_config *config);
/* By either of its two keys. */
enum cw_long_lines cw_limits_long_lines(const struct cw_limits_config *limits);
/* How a client without a name is called: its URL's host, and its number if it is not the first. */
struct cw_str cw_client_default_name(struct cw_str url, size_t number, struct cw_arena *arena);
/* For subcommands: --config, or --push (which may be left out) and --state-dir; nothing is to be read. */
int cw_shipper_config_of_state(const struct cw_shipper_args *args, struct cw_arena *arena,
                               struct cw_shipper_config *out, struct cw_err *err) CW_MUST_USE;
/* Make one from --push, --label, --docker and paths. */
int cw_shipper_config_from_args(const struct cw_shipper_args *args, const struct cw_str *paths,
                                size_t npaths, struct cw_arena *arena,
                                struct cw_shipper_config *out, struct cw_err *err) CW_MUST_USE;

#endif
