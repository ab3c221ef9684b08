/*
 * server_config.h - the block `server`: the HTTP server of the shipper itself, and of each receiver of
 * pushes, by promtail's keys.
 *
 * Ownership  Values live in the arena of their load.
 */
#ifndef CW_SHIPPER_SERVER_CONFIG_H
#define CW_SHIPPER_SERVER_CONFIG_H
#include <stdbool.h>
#include <stdint.h>
#include "common/config/schema.h"
#include "common/net/http_server.h"

/* TLS of an HTTP server (http_tls_config). */
struct cw_server_tls_config {
    struct cw_str cert, cert_file, key, key_file, client_ca, client_ca_file;
    int client_auth; /* enum cw_tls_client_auth */
};

struct cw_server_config {
    struct cw_str http_listen_address;
    int64_t http_listen_port; /* -1: none */
    int64_t max_connections;  /* 0: the server's own limit */
    int64_t idle_timeout_ns;
    struct cw_str path_prefix; /* empty, or "/..." */
    int tls_min_version;       /* enum cw_tls_version */
    struct cw_server_tls_config tls;
    /* Of the shipper's own: */
    bool disable, instrumentation, health_check_target, runtime_reload;
    int log_level, log_format;
    int64_t drain_ns;
};

extern const struct cw_table_def cw_server_table, cw_push_server_table;

/* Whether it is to be there. */
bool cw_server_wanted(const struct cw_server_config *config);
/* What it is encrypted with; NULL where nothing is configured. The caller's. */
int cw_server_tls_open(const struct cw_server_config *config, struct cw_tls_server **out,
                       struct cw_err *err) CW_MUST_USE;
/* Bind it; `options` says what the configuration does not. *tls is to outlive *out, and may become NULL. */
int cw_server_open(const struct cw_server_config *config, struct cw_http_server_options *options,
                   struct cw_tls_server **tls, struct cw_http_server **out,
                   struct cw_err *err) CW_MUST_USE;
/* "https://127.0.0.1:9080/prefix": where its paths begin; append it to *out. */
void cw_server_url(const struct cw_server_config *config, const struct cw_http_server *server,
                   struct cw_buf *out);

#endif
