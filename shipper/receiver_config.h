/*
 * receiver_config.h - the configuration of what is received rather than read from files: promtail's
 * journal, syslog, loki_push_api and gelf with its names, and ours.
 *
 * Ownership  Values live in the arena of their load.
 */
#ifndef CW_SHIPPER_RECEIVER_CONFIG_H
#define CW_SHIPPER_RECEIVER_CONFIG_H
#include <stdbool.h>
#include <stdint.h>
#include "common/config/schema.h"
#include "shipper/server_config.h"

struct cw_spool_config {
    int64_t segment_bytes, max_bytes, max_age_ns;
    int when_full; /* enum cw_spool_full */
};

/* TLS of connections that are taken. */
struct cw_receiver_tls_config {
    struct cw_str cert, cert_file, key, key_file, ca, ca_file;
    int min_version; /* enum cw_tls_version */
};
bool cw_receiver_tls_wanted(const struct cw_receiver_tls_config *tls);

struct cw_stdin_config {
    bool seen;
    struct cw_config_map labels;
};
struct cw_fifo_config {
    bool seen;
    struct cw_str path;
    struct cw_config_map labels;
};
struct cw_lines_config {
    bool seen;
    struct cw_str listen_address;
    int64_t idle_timeout_ns;
    struct cw_receiver_tls_config tls;
    struct cw_config_map labels;
};
struct cw_exec_config {
    bool seen;
    struct cw_config_strings command;
    int64_t restart_wait_ns;
    struct cw_config_map labels;
};

enum cw_syslog_protocol { CW_SYSLOG_TCP, CW_SYSLOG_UDP };
enum cw_syslog_format { CW_SYSLOG_AUTO, CW_SYSLOG_RFC5424, CW_SYSLOG_RFC3164, CW_SYSLOG_RAW };
struct cw_syslog_config {
    bool seen;
    struct cw_str listen_address;
    int listen_protocol; /* enum cw_syslog_protocol */
    int syslog_format;   /* enum cw_syslog_format */
    int64_t idle_timeout_ns, max_message_length;
    bool label_structured_data, use_incoming_timestamp, use_rfc5424_message;
    struct cw_receiver_tls_config tls;
    struct cw_config_map labels;
};

struct cw_loki_push_config {
    bool seen;
    struct cw_server_config server;
    bool use_incoming_timestamp;
    struct cw_config_map labels;
};

struct cw_journal_config {
    bool seen, json;
    int64_t max_age_ns;
    struct cw_str path, matches;
    struct cw_config_map labels;
};

enum cw_gelf_protocol { CW_GELF_UDP, CW_GELF_TCP };
struct cw_gelf_config {
    bool seen;
    struct cw_str listen_address;
    int listen_protocol; /* enum cw_gelf_protocol */
    bool use_incoming_timestamp;
    int64_t idle_timeout_ns;
    struct cw_receiver_tls_config tls;
    struct cw_config_map labels;
};

struct cw_forward_config {
    bool seen;
    struct cw_str listen_address;
    int64_t idle_timeout_ns;
    bool use_incoming_timestamp;
    struct cw_str shared_key, self_hostname;
    struct cw_config_tables users; /* struct cw_forward_user */
    struct cw_receiver_tls_config tls;
    struct cw_config_map labels;
};

extern const struct cw_table_def cw_spool_table, cw_stdin_table, cw_fifo_table, cw_lines_table,
    cw_exec_table, cw_syslog_table, cw_loki_push_table, cw_journal_table, cw_gelf_table,
    cw_forward_table;

#endif
