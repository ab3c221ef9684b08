/*
 * http_access.h - how a discovery reaches an API, and who it is to it: the keys that Prometheus' discoveries have in common.
 */
#ifndef CW_SHIPPER_HTTP_ACCESS_H
#define CW_SHIPPER_HTTP_ACCESS_H
#include "common/base/arena.h"
#include "common/net/http_client.h"
#include "shipper/client_config.h"

struct cw_http_access {
    struct cw_basic_auth_config basic_auth;
    struct cw_authorization_config authorization;
    struct cw_str bearer_token, bearer_token_file;
    struct cw_tls_config tls;
    struct cw_proxy_config proxy;
    bool follow_redirects;
};
/* Whether credentials are given. */
bool cw_http_access_authenticates(const struct cw_http_access *access);
int cw_http_access_check(const struct cw_http_access *access, struct cw_err *err) CW_MUST_USE;

/* Rows of a table whose struct has a struct cw_http_access `access`. */
#define CW_HTTP_ACCESS_ROWS(type)                                                                  \
    {"basic_auth", CW_KEY_TABLE, offsetof(struct type, access.basic_auth),                         \
     .table = &cw_basic_auth_table, .doc = "HTTP basic authentication."},                          \
        {"authorization", CW_KEY_TABLE, offsetof(struct type, access.authorization),               \
         .table = &cw_authorization_table, .doc = "The header Authorization, of any type."},       \
        {"bearer_token", CW_KEY_STRING, offsetof(struct type, access.bearer_token),                \
         .flags = CW_KEY_SECRET, .doc = "A bearer token."},                                        \
        {"bearer_token_file", CW_KEY_STRING, offsetof(struct type, access.bearer_token_file),      \
         .doc = "A file that holds it; it is read for each request."},                             \
        {"tls_config", CW_KEY_TABLE, offsetof(struct type, access.tls), .table = &cw_tls_table,    \
         .doc = "TLS of https."},                                                                  \
        CW_PROXY_ROWS(type, access.proxy),                                                         \
        {"follow_redirects", CW_KEY_BOOL, offsetof(struct type, access.follow_redirects),          \
         .def = "true", .doc = "Ask where an answer of status 3xx points."},                       \
    {                                                                                              \
        "enable_http2", CW_KEY_IGNORED, .doc = "the server decides it"                             \
    }

/* Fill a call's TLS and proxy, but for the headers that a proxy is sent. */
void cw_http_reach_by(struct cw_http_call *call, const struct cw_tls_config *tls,
                      const struct cw_proxy_config *proxy);
/* Fill a call's credentials, TLS and proxy; secrets in files are read now. Texts live in the arena or the configuration. */
int cw_http_access_apply(const struct cw_http_access *access, struct cw_arena *arena,
                         struct cw_http_call *call, struct cw_err *err) CW_MUST_USE;

#endif
