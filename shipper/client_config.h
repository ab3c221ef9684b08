/*
 * client_config.h - how a client reaches its server: TLS, proxies, credentials. promtail's keys, which are those of
 * Prometheus' HTTP clients.
 *
 * Ownership  Texts live in the arena of the configuration's load.
 */
#ifndef CW_SHIPPER_CLIENT_CONFIG_H
#define CW_SHIPPER_CLIENT_CONFIG_H
#include <stdbool.h>
#include "common/config/schema.h"

struct cw_tls_config {
    struct cw_str ca_file, cert_file, key_file, server_name;
    struct cw_str ca, cert, key;  /* PEM, instead of a file */
    int min_version, max_version; /* enum cw_http_tls_version */
    bool insecure_skip_verify;
};
struct cw_basic_auth_config {
    struct cw_str username, username_file, password, password_file;
};
struct cw_authorization_config {
    struct cw_str type, credentials, credentials_file;
};
struct cw_proxy_config {
    struct cw_str url, no_proxy;
    bool from_environment;
    struct cw_config_map connect_headers;
};
struct cw_oauth2_config {
    struct cw_str client_id, client_secret, client_secret_file, token_url;
    struct cw_config_strings scopes;
    struct cw_config_map endpoint_params;
    struct cw_tls_config tls;
    struct cw_proxy_config proxy;
};

extern const struct cw_table_def cw_tls_table, cw_basic_auth_table, cw_authorization_table,
    cw_oauth2_table;

/* The rows of a struct cw_proxy_config, which stand beside other keys in promtail's file. */
#define CW_PROXY_ROWS(type, member)                                                                \
    {"proxy_url", CW_KEY_STRING, offsetof(struct type, member.url), .check = cw_url_check,         \
     .doc = "An HTTP proxy; it may have a user and a password in it."},                            \
        {"no_proxy", CW_KEY_STRING, offsetof(struct type, member.no_proxy),                        \
         .doc = "Hosts, domains and networks (10.0.0.0/8) that are reached without it, separated " \
                "by commas."},                                                                     \
        {"proxy_from_environment", CW_KEY_BOOL, offsetof(struct type, member.from_environment),    \
         .def = "false",                                                                           \
         .doc = "Take the proxy from http_proxy, HTTPS_PROXY and NO_PROXY; otherwise those do "    \
                "not count."},                                                                     \
    {                                                                                              \
        "proxy_connect_header", CW_KEY_MAP, offsetof(struct type, member.connect_headers),         \
            .doc = "Headers for the proxy's CONNECT."                                              \
    }

/* http:// or https://, for rows. */
int cw_url_check(const void *value, struct cw_err *err);
/* Rules between keys. */
int cw_proxy_check(const struct cw_proxy_config *proxy, struct cw_err *err) CW_MUST_USE;

#endif
