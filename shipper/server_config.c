#include "shipper/server_config.h"
#include <inttypes.h>
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/net/tls_session.h"

#define ROW(type, member) offsetof(struct type, member)

/* ---- rules that a row cannot say ---- */

static int prefix_check(const void *value, struct cw_err *err)
{
    const struct cw_str *prefix = value;
    if (prefix->len > 0 && prefix->ptr[0] != '/')
        return cw_err_set(err, CW_E_INVALID, "a path is needed, from / on");
    return 0;
}

static int both(struct cw_str text, struct cw_str file, const char *name, struct cw_err *err)
{
    if (text.len > 0 && file.len > 0)
        return cw_err_set(err, CW_E_INVALID, "at most one of %s and %s_file may be set", name,
                          name);
    return 0;
}

static bool has_identity(const struct cw_server_tls_config *tls)
{
    return tls->cert.len + tls->cert_file.len > 0;
}

static int tls_check(const void *value, struct cw_err *err)
{
    const struct cw_server_tls_config *tls = value;
    int auth = tls->client_auth;
    bool ca = tls->client_ca.len + tls->client_ca_file.len > 0;
    bool verifies =
        auth == CW_TLS_CLIENT_VERIFY_IF_GIVEN || auth == CW_TLS_CLIENT_REQUIRE_AND_VERIFY;
    int rc = both(tls->cert, tls->cert_file, "cert", err);
    if (rc == 0)
        rc = both(tls->key, tls->key_file, "key", err);
    if (rc == 0)
        rc = both(tls->client_ca, tls->client_ca_file, "client_ca", err);
    if (rc < 0)
        return rc;
    if (has_identity(tls) != (tls->key.len + tls->key_file.len > 0) ||
        (!has_identity(tls) && (ca || auth > CW_TLS_CLIENT_NONE)))
        return cw_err_set(err, CW_E_INVALID,
                          "TLS needs both a certificate (cert or cert_file) and its key (key or "
                          "key_file)");
    if (ca && !verifies)
        return cw_err_set(err, CW_E_INVALID,
                          "a client CA is of no use without client_auth_type: "
                          "RequireAndVerifyClientCert or VerifyClientCertIfGiven");
    if (verifies && !ca)
        return cw_err_set(err, CW_E_INVALID,
                          "client_auth_type: certificates are to be verified, so client_ca_file "
                          "(or client_ca) is needed");
    return 0;
}

/* ---- the tables ---- */

/* Both lists in the order of their enums. */
static const char *const auth_names[] = {"NoClientCert",
                                         "RequestClientCert",
                                         "RequireAnyClientCert",
                                         "VerifyClientCertIfGiven",
                                         "RequireAndVerifyClientCert",
                                         NULL};
static const char *const version_names[] = {"VersionTLS10", "VersionTLS11", "VersionTLS12",
                                            "VersionTLS13", NULL};

static const struct cw_key_def tls_keys[] = {
    {"cert_file", CW_KEY_STRING, ROW(cw_server_tls_config, cert_file),
     .doc = "The server's certificate, with those between it and its root (PEM). Files are read at "
            "the start and at each reload."},
    {"key_file", CW_KEY_STRING, ROW(cw_server_tls_config, key_file), .doc = "Its key."},
    {"client_ca_file", CW_KEY_STRING, ROW(cw_server_tls_config, client_ca_file),
     .doc = "What certificates of clients are verified with."},
    {"client_auth_type", CW_KEY_ENUM, ROW(cw_server_tls_config, client_auth), .def = "NoClientCert",
     .names = auth_names, .doc = "What certificate is asked of clients, in Go's words."},
    {"cert", CW_KEY_STRING, ROW(cw_server_tls_config, cert),
     .doc = "The same as text (PEM) in place of cert_file."},
    {"key", CW_KEY_STRING, ROW(cw_server_tls_config, key), .flags = CW_KEY_SECRET,
     .doc = "In place of key_file."},
    {"client_ca", CW_KEY_STRING, ROW(cw_server_tls_config, client_ca),
     .doc = "In place of client_ca_file."},
};
static const struct cw_table_def tls_table = {.name = "http_tls_config",
                                              .keys = tls_keys,
                                              .nkeys = CW_COUNT(tls_keys),
                                              .size = sizeof(struct cw_server_tls_config),
                                              .check = tls_check};

#define IGNORED(key, why)                                                                          \
    {                                                                                              \
        (key), CW_KEY_IGNORED, .doc = (why)                                                        \
    }
#define NO_GRPC "there is no gRPC here"
#define NOT_LOGGED "requests are not logged"
/* Keys that all servers have. */
#define SERVER_ROWS                                                                                \
    {"http_listen_conn_limit",                                                                     \
     CW_KEY_INT,                                                                                   \
     ROW(cw_server_config, max_connections),                                                       \
     .def = "0",                                                                                   \
     .min = "0",                                                                                   \
     .max = "100000",                                                                              \
     .doc = "Connections at a time; 0: 1,024."},                                                   \
        {"http_server_idle_timeout",                                                               \
         CW_KEY_DURATION,                                                                          \
         ROW(cw_server_config, idle_timeout_ns),                                                   \
         .def = "2m",                                                                              \
         .min = "1s",                                                                              \
         .max = "1d",                                                                              \
         .doc = "A client that neither sends nor reads for so long is cut off, amid a request "    \
                "too."},                                                                           \
        {"http_path_prefix", CW_KEY_STRING, ROW(cw_server_config, path_prefix),                    \
         .check = prefix_check, .doc = "What all paths begin with: /v1/."},                        \
        {"http_tls_config", CW_KEY_TABLE, ROW(cw_server_config, tls), .table = &tls_table,         \
         .doc = "With a certificate the server speaks HTTPS, and nothing else."},                  \
        {"tls_min_version",                                                                        \
         CW_KEY_ENUM,                                                                              \
         ROW(cw_server_config, tls_min_version),                                                   \
         .def = "VersionTLS12",                                                                    \
         .names = version_names,                                                                   \
         .doc = "The oldest version of TLS."},                                                     \
        IGNORED("tls_cipher_suites", "those of GnuTLS for this version of TLS are used"),          \
        IGNORED("http_listen_network", "the address says it"),                                     \
        IGNORED("http_server_read_timeout", "http_server_idle_timeout is the limit"),              \
        IGNORED("http_server_read_header_timeout", "http_server_idle_timeout is the limit"),       \
        IGNORED("http_server_write_timeout", "http_server_idle_timeout is the limit"),             \
        IGNORED("http_log_closed_connections_without_response_enabled", NOT_LOGGED),               \
        IGNORED("proxy_protocol_enabled", "the PROXY protocol is not spoken"),                     \
        IGNORED("external_url", "no link needs it"),                                               \
        IGNORED("profiling_enabled", "there is nothing to profile from outside"),                  \
        IGNORED("log_source_ips_enabled", NOT_LOGGED), IGNORED("log_source_ips_full", NOT_LOGGED), \
        IGNORED("log_source_ips_header", NOT_LOGGED), IGNORED("log_source_ips_regex", NOT_LOGGED), \
        IGNORED("log_request_headers", NOT_LOGGED),                                                \
        IGNORED("log_request_at_info_level_enabled", NOT_LOGGED),                                  \
        IGNORED("log_request_exclude_headers_list", NOT_LOGGED),                                   \
        IGNORED("grpc_listen_network", NO_GRPC), IGNORED("grpc_listen_address", NO_GRPC),          \
        IGNORED("grpc_listen_port", NO_GRPC), IGNORED("grpc_listen_conn_limit", NO_GRPC),          \
        IGNORED("grpc_tls_config", NO_GRPC), IGNORED("grpc_server_max_recv_msg_size", NO_GRPC),    \
        IGNORED("grpc_server_max_send_msg_size", NO_GRPC),                                         \
        IGNORED("grpc_server_max_concurrent_streams", NO_GRPC),                                    \
        IGNORED("grpc_server_max_connection_idle", NO_GRPC),                                       \
        IGNORED("grpc_server_max_connection_age", NO_GRPC),                                        \
        IGNORED("grpc_server_max_connection_age_grace", NO_GRPC),                                  \
        IGNORED("grpc_server_keepalive_time", NO_GRPC),                                            \
        IGNORED("grpc_server_keepalive_timeout", NO_GRPC),                                         \
        IGNORED("grpc_server_min_time_between_pings", NO_GRPC),                                    \
        IGNORED("grpc_server_ping_without_stream_allowed", NO_GRPC),                               \
        IGNORED("grpc_server_num_workers", NO_GRPC),                                               \
        IGNORED("report_grpc_codes_in_instrumentation_label_enabled", NO_GRPC)

static const char *const level_names[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_names[] = {"logfmt", "json", NULL};

static const struct cw_key_def server_keys[] = {
    {"http_listen_address", CW_KEY_STRING, ROW(cw_server_config, http_listen_address),
     .def = "0.0.0.0", .doc = "The address of /metrics, /ready and /targets."},
    {"http_listen_port", CW_KEY_INT, ROW(cw_server_config, http_listen_port), .def = "-1",
     .min = "-1", .max = "65535",
     .doc = "Their port; 0 takes a free one, -1 (the default; promtail's is 80) serves nothing."},
    {"disable", CW_KEY_BOOL, ROW(cw_server_config, disable), .def = "false",
     .doc = "Serve nothing, whatever the port."},
    {"log_level", CW_KEY_ENUM, ROW(cw_server_config, log_level), .def = "info",
     .names = level_names, .doc = "What is logged."},
    {"log_format", CW_KEY_ENUM, ROW(cw_server_config, log_format), .def = "logfmt",
     .names = format_names, .doc = "How."},
    {"graceful_shutdown_timeout", CW_KEY_DURATION, ROW(cw_server_config, drain_ns), .def = "5s",
     .min = "0", .max = "1h",
     .doc =
         "How long SIGTERM (or SIGINT) may take to deliver what is in the files by then, and what "
         "receivers took; a second one ends that. What is not delivered waits for the next start. "
         "Stages that join lines (multiline, cri) wait for half of it at most."},
    {"register_instrumentation", CW_KEY_BOOL, ROW(cw_server_config, instrumentation), .def = "true",
     .doc = "Serve /metrics."},
    {"health_check_target", CW_KEY_BOOL, ROW(cw_server_config, health_check_target), .def = "true",
     .doc = "/ready says whether every server has answered; with false it is always ready."},
    {"enable_runtime_reload", CW_KEY_BOOL, ROW(cw_server_config, runtime_reload), .def = "false",
     .doc = "POST /reload reads the configuration anew, as SIGHUP does; one that is wrong is "
            "answered with its mistakes, and changes nothing."},
    SERVER_ROWS,
};
const struct cw_table_def cw_server_table =
    CW_TABLE("server", server_keys, struct cw_server_config);

static const struct cw_key_def push_server_keys[] = {
    {"http_listen_address", CW_KEY_STRING, ROW(cw_server_config, http_listen_address), .def = "",
     .doc = "The address of this receiver's own server; empty: all."},
    {"http_listen_port", CW_KEY_INT, ROW(cw_server_config, http_listen_port), .def = "3500",
     .min = "0", .max = "65535", .doc = "Its port; 0 takes a free one."},
    IGNORED("disable", "leave loki_push_api out instead"),
    IGNORED("log_level", "the shipper has one log level: server.log_level"),
    IGNORED("log_format", "the shipper has one log format: server.log_format"),
    IGNORED("graceful_shutdown_timeout", "the shipper has one: server.graceful_shutdown_timeout"),
    IGNORED("register_instrumentation", "the shipper's server has /metrics"),
    IGNORED("health_check_target", "/ready says whether pushes are taken"),
    IGNORED("enable_runtime_reload", "the shipper's server has /reload"),
    SERVER_ROWS,
};
const struct cw_table_def cw_push_server_table =
    CW_TABLE("server", push_server_keys, struct cw_server_config);

/* ---- the server ---- */

bool cw_server_wanted(const struct cw_server_config *config)
{
    return !config->disable && config->http_listen_port >= 0;
}

int cw_server_tls_open(const struct cw_server_config *config, struct cw_tls_server **out,
                       struct cw_err *err)
{
    const struct cw_server_tls_config *tls = &config->tls;
    const struct cw_tls_server_options options = {
        .cert = tls->cert,
        .key = tls->key,
        .client_ca = tls->client_ca,
        .cert_file = tls->cert_file.ptr,
        .key_file = tls->key_file.ptr,
        .client_ca_file = tls->client_ca_file.ptr,
        .client_auth = (enum cw_tls_client_auth)tls->client_auth,
        .min_version = (enum cw_tls_version)config->tls_min_version};
    *out = NULL;
    return has_identity(tls) ? cw_tls_server_new(&options, out, err) : 0;
}

int cw_server_open(const struct cw_server_config *config, struct cw_http_server_options *options,
                   struct cw_tls_server **tls, struct cw_http_server **out, struct cw_err *err)
{
    struct cw_str address = config->http_listen_address;
    bool v6 = cw_str_find_byte(address, ':') >= 0 && address.ptr[0] != '[';
    struct cw_buf listen;
    int rc = cw_server_tls_open(config, tls, err);
    if (rc < 0)
        return rc;
    cw_buf_init(&listen, 1024);
    cw_buf_addf(&listen, v6 ? "[%.*s]:%" PRId64 : "%.*s:%" PRId64, CW_STR_ARG(address),
                config->http_listen_port);
    options->listen = cw_buf_z(&listen);
    options->tls = *tls;
    options->path_prefix = config->path_prefix;
    options->max_connections = (unsigned)config->max_connections;
    options->idle_timeout_s = (unsigned)((config->idle_timeout_ns + CW_NS_PER_S - 1) / CW_NS_PER_S);
    rc = cw_http_server_new(options, out, err);
    options->listen = NULL;
    cw_buf_fini(&listen);
    return rc;
}

void cw_server_url(const struct cw_server_config *config, const struct cw_http_server *server,
                   struct cw_buf *out)
{
    struct cw_str prefix = config->path_prefix;
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == '/')
        prefix.len--;
    cw_buf_addf(out, "%s://%s%.*s", has_identity(&config->tls) ? "https" : "http",
                cw_http_server_address(server), CW_STR_ARG(prefix));
}
