#include "shipper/client_config.h"
#include "common/net/http_client.h"

#define ROW(type, member) offsetof(struct type, member)

int cw_url_check(const void *value, struct cw_err *err)
{
    struct cw_str url = *(const struct cw_str *)value;
    if (url.len > 0 && !cw_str_starts(url, CW_STR("http://")) &&
        !cw_str_starts(url, CW_STR("https://")))
        return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no http:// or https:// URL",
                          CW_STR_ARG(url));
    return 0;
}

int cw_proxy_check(const struct cw_proxy_config *proxy, struct cw_err *err)
{
    if (proxy->from_environment && (proxy->url.len > 0 || proxy->no_proxy.len > 0))
        return cw_err_set(err, CW_E_INVALID,
                          "proxy_from_environment goes with no proxy_url and no_proxy");
    if (proxy->url.len == 0 && !proxy->from_environment &&
        (proxy->no_proxy.len > 0 || proxy->connect_headers.n > 0))
        return cw_err_set(err, CW_E_INVALID,
                          "no_proxy and proxy_connect_header need proxy_url or "
                          "proxy_from_environment");
    return 0;
}

/* At most one of a text and the file that holds it. */
static int either(struct cw_str value, struct cw_str file, const char *name, struct cw_err *err)
{
    if (value.len > 0 && file.len > 0)
        return cw_err_set(err, CW_E_INVALID, "at most one of %s and %s_file may be set", name,
                          name);
    return 0;
}

/* ---- TLS ---- */

static int tls_check(const void *value, struct cw_err *err)
{
    const struct cw_tls_config *tls = value;
    int rc = either(tls->ca, tls->ca_file, "ca", err);
    if (rc == 0)
        rc = either(tls->cert, tls->cert_file, "cert", err);
    if (rc == 0)
        rc = either(tls->key, tls->key_file, "key", err);
    if (rc < 0)
        return rc;
    if ((tls->cert.len + tls->cert_file.len > 0) != (tls->key.len + tls->key_file.len > 0))
        return cw_err_set(
            err, CW_E_INVALID,
            "a client's certificate (cert or cert_file) and its key (key or key_file) "
            "go together");
    if (tls->max_version != CW_HTTP_TLS_ANY && tls->max_version < tls->min_version)
        return cw_err_set(err, CW_E_INVALID, "max_version is less than min_version");
    return 0;
}

/* A PEM text, as far as it shows without a TLS library. */
static int pem_check(const void *value, struct cw_err *err)
{
    struct cw_str text = *(const struct cw_str *)value;
    if (text.len > 0 && cw_str_find(text, CW_STR("-----BEGIN ")) < 0)
        return cw_err_set(err, CW_E_INVALID,
                          "no PEM text (-----BEGIN ...); a path belongs into the key with _file");
    return 0;
}

/* enum cw_http_tls_version */
static const char *const tls_versions[] = {"any", "TLS10", "TLS11", "TLS12", "TLS13", NULL};
static const struct cw_key_def tls_keys[] = {
    {"ca_file", CW_KEY_STRING, ROW(cw_tls_config, ca_file),
     .doc = "Certificates that the server's is checked with; default: the system's."},
    {"cert_file", CW_KEY_STRING, ROW(cw_tls_config, cert_file),
     .doc = "The client's certificate. Files are read again for each new connection."},
    {"key_file", CW_KEY_STRING, ROW(cw_tls_config, key_file), .doc = "The client's key."},
    {"ca", CW_KEY_STRING, ROW(cw_tls_config, ca), .check = pem_check,
     .doc = "The same as text (PEM) in place of ca_file."},
    {"cert", CW_KEY_STRING, ROW(cw_tls_config, cert), .check = pem_check,
     .doc = "In place of cert_file."},
    {"key", CW_KEY_STRING, ROW(cw_tls_config, key), .check = pem_check, .flags = CW_KEY_SECRET,
     .doc = "In place of key_file."},
    {"server_name", CW_KEY_STRING, ROW(cw_tls_config, server_name),
     .doc = "The name that the server's certificate is for, if it is not the URL's host."},
    {"insecure_skip_verify", CW_KEY_BOOL, ROW(cw_tls_config, insecure_skip_verify), .def = "false",
     .doc = "Do not check the server's certificate."},
    {"min_version", CW_KEY_ENUM, ROW(cw_tls_config, min_version), .def = "TLS12",
     .names = tls_versions, .doc = "The oldest version of TLS."},
    {"max_version", CW_KEY_ENUM, ROW(cw_tls_config, max_version), .def = "any",
     .names = tls_versions, .doc = "The newest version of TLS."},
};
const struct cw_table_def cw_tls_table = {.name = "tls_config",
                                          .keys = tls_keys,
                                          .nkeys = sizeof tls_keys / sizeof tls_keys[0],
                                          .size = sizeof(struct cw_tls_config),
                                          .check = tls_check};

/* ---- credentials ---- */

static int basic_auth_check(const void *value, struct cw_err *err)
{
    const struct cw_basic_auth_config *auth = value;
    int rc = either(auth->username, auth->username_file, "username", err);
    return rc < 0 ? rc : either(auth->password, auth->password_file, "password", err);
}

static const struct cw_key_def basic_auth_keys[] = {
    {"username", CW_KEY_STRING, ROW(cw_basic_auth_config, username), .doc = "The user's name."},
    {"username_file", CW_KEY_STRING, ROW(cw_basic_auth_config, username_file),
     .doc = "A file that holds it; such files are read again for every request."},
    {"password", CW_KEY_STRING, ROW(cw_basic_auth_config, password), .flags = CW_KEY_SECRET,
     .doc = "The password."},
    {"password_file", CW_KEY_STRING, ROW(cw_basic_auth_config, password_file),
     .doc = "A file that holds it."},
};
const struct cw_table_def cw_basic_auth_table = {.name = "basic_auth",
                                                 .keys = basic_auth_keys,
                                                 .nkeys = sizeof basic_auth_keys /
                                                          sizeof basic_auth_keys[0],
                                                 .size = sizeof(struct cw_basic_auth_config),
                                                 .check = basic_auth_check};

static int authorization_check(const void *value, struct cw_err *err)
{
    const struct cw_authorization_config *auth = value;
    if (cw_str_eq_nocase(auth->type, CW_STR("basic")))
        return cw_err_set(err, CW_E_INVALID, "the type Basic is basic_auth");
    return either(auth->credentials, auth->credentials_file, "credentials", err);
}

static const struct cw_key_def authorization_keys[] = {
    {"type", CW_KEY_STRING, ROW(cw_authorization_config, type), .def = "Bearer",
     .doc = "The first word of the header Authorization."},
    {"credentials", CW_KEY_STRING, ROW(cw_authorization_config, credentials),
     .flags = CW_KEY_SECRET, .doc = "What follows it."},
    {"credentials_file", CW_KEY_STRING, ROW(cw_authorization_config, credentials_file),
     .doc = "A file that holds it."},
};
const struct cw_table_def cw_authorization_table = {.name = "authorization",
                                                    .keys = authorization_keys,
                                                    .nkeys = sizeof authorization_keys /
                                                             sizeof authorization_keys[0],
                                                    .size = sizeof(struct cw_authorization_config),
                                                    .check = authorization_check};

static int oauth2_check(const void *value, struct cw_err *err)
{
    const struct cw_oauth2_config *oauth2 = value;
    if (oauth2->client_id.len == 0 && oauth2->token_url.len == 0)
        return 0; /* not given */
    if (oauth2->client_id.len == 0 || oauth2->token_url.len == 0)
        return cw_err_set(err, CW_E_INVALID, "client_id and token_url are needed");
    int rc = either(oauth2->client_secret, oauth2->client_secret_file, "client_secret", err);
    return rc < 0 ? rc : cw_proxy_check(&oauth2->proxy, err);
}

static const struct cw_key_def oauth2_keys[] = {
    {"client_id", CW_KEY_STRING, ROW(cw_oauth2_config, client_id), .doc = "Who asks for a token."},
    {"client_secret", CW_KEY_STRING, ROW(cw_oauth2_config, client_secret), .flags = CW_KEY_SECRET,
     .doc = "Its secret."},
    {"client_secret_file", CW_KEY_STRING, ROW(cw_oauth2_config, client_secret_file),
     .doc = "A file that holds it; it is read again for each token."},
    {"scopes", CW_KEY_STRINGS, ROW(cw_oauth2_config, scopes), .doc = "What the token is to allow."},
    {"token_url", CW_KEY_STRING, ROW(cw_oauth2_config, token_url), .check = cw_url_check,
     .doc = "Where tokens are given."},
    {"endpoint_params", CW_KEY_MAP, ROW(cw_oauth2_config, endpoint_params),
     .doc = "More parameters for it."},
    {"tls_config", CW_KEY_TABLE, ROW(cw_oauth2_config, tls), .table = &cw_tls_table,
     .doc = "TLS of an https:// token_url."},
    CW_PROXY_ROWS(cw_oauth2_config, proxy),
};
const struct cw_table_def cw_oauth2_table = {.name = "oauth2",
                                             .keys = oauth2_keys,
                                             .nkeys = sizeof oauth2_keys / sizeof oauth2_keys[0],
                                             .size = sizeof(struct cw_oauth2_config),
                                             .check = oauth2_check};
