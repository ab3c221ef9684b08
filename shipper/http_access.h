/*
 * http_access.h - how an HTTP server is reached and who we are to it: the keys `tls_config`, `basic_auth`, `bearer_token` and
 * their like, for clients and for discoveries.
 */
#ifndef CW_SHIPPER_HTTP_ACCESS_H
#define CW_SHIPPER_HTTP_ACCESS_H
#include "common/base/arena.h"
#include "common/config/schema.h"
#include "common/net/http_client.h"

struct cw_tls_config {
    struct cw_str ca_file, cert_file, key_file;
    bool insecure_skip_verify;
};
struct cw_basic_auth_config {
    struct cw_str username, password, password_file;
};
extern const struct cw_table_def cw_tls_config_table;
extern const struct cw_table_def cw_basic_auth_config_table;

/* What Prometheus calls an http_config: the keys that its discoveries have in common. */
struct cw_authorization_config {
    struct cw_str type, credentials, credentials_file;
};
struct cw_http_access {
    struct cw_basic_auth_config basic_auth;
    struct cw_authorization_config authorization;
    struct cw_str bearer_token, bearer_token_file, proxy_url;
    struct cw_tls_config tls;
};
extern const struct cw_table_def cw_authorization_config_table;
int cw_http_access_check(const struct cw_http_access *access, struct cw_err *err) CW_MUST_USE;

/* Rows of a table whose struct has a struct cw_http_access `access`. */
#define CW_HTTP_ACCESS_ROWS(type)                                                                  \
    {"basic_auth", CW_KEY_TABLE, offsetof(struct type, access.basic_auth),                         \
     .table = &cw_basic_auth_config_table, .doc = "HTTP basic authentication."},                   \
        {"authorization", CW_KEY_TABLE, offsetof(struct type, access.authorization),               \
         .table = &cw_authorization_config_table, .doc = "A token, as Prometheus writes it."},     \
        {"bearer_token", CW_KEY_STRING, offsetof(struct type, access.bearer_token),                \
         .flags = CW_KEY_SECRET, .doc = "A bearer token."},                                        \
        {"bearer_token_file", CW_KEY_STRING, offsetof(struct type, access.bearer_token_file),      \
         .doc = "A file that holds it; it is read for each request."},                             \
        {"proxy_url", CW_KEY_STRING, offsetof(struct type, access.proxy_url),                      \
         .doc = "An HTTP proxy."},                                                                 \
        {"tls_config", CW_KEY_TABLE, offsetof(struct type, access.tls),                            \
         .table = &cw_tls_config_table, .doc = "TLS of https."},                                   \
        {"follow_redirects", CW_KEY_IGNORED, .doc = "such an API does not redirect"},              \
    {                                                                                              \
        "enable_http2", CW_KEY_IGNORED, .doc = "both are spoken"                                   \
    }

/* Fill a call's user, bearer, TLS and proxy; secrets in files are read now. Texts live in the arena or the configuration. */
int cw_http_access_apply(const struct cw_http_access *access, struct cw_arena *arena,
                         struct cw_http_call *call, struct cw_err *err) CW_MUST_USE;

#endif
