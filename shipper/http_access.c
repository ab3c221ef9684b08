#include "shipper/http_access.h"
#include "common/base/file.h"

/* A token or a password. */
enum { SECRET_BYTES = 64 << 10 };

#define ROW(type, member) offsetof(struct type, member)

static const struct cw_key_def tls_keys[] = {
    {"ca_file", CW_KEY_STRING, ROW(cw_tls_config, ca_file),
     .doc = "Certificates that the server's is checked with."},
    {"cert_file", CW_KEY_STRING, ROW(cw_tls_config, cert_file), .doc = "The client's certificate."},
    {"key_file", CW_KEY_STRING, ROW(cw_tls_config, key_file), .doc = "The client's key."},
    {"insecure_skip_verify", CW_KEY_BOOL, ROW(cw_tls_config, insecure_skip_verify), .def = "false",
     .doc = "Do not check the server's certificate."},
};
const struct cw_table_def cw_tls_config_table =
    CW_TABLE("tls_config", tls_keys, struct cw_tls_config);

static const struct cw_key_def basic_auth_keys[] = {
    {"username", CW_KEY_STRING, ROW(cw_basic_auth_config, username), .doc = "The user's name."},
    {"password", CW_KEY_STRING, ROW(cw_basic_auth_config, password), .flags = CW_KEY_SECRET,
     .doc = "The password."},
    {"password_file", CW_KEY_STRING, ROW(cw_basic_auth_config, password_file),
     .doc = "A file that holds it."},
};
const struct cw_table_def cw_basic_auth_config_table =
    CW_TABLE("basic_auth", basic_auth_keys, struct cw_basic_auth_config);

static int type_check(const void *value, struct cw_err *err)
{
    struct cw_str type = *(const struct cw_str *)value;
    if (cw_str_eq_nocase(type, CW_STR("Bearer")))
        return 0;
    return cw_err_set(err, CW_E_INVALID, "only Bearer is supported, not \"%.*s\"",
                      CW_STR_ARG(type));
}

static const struct cw_key_def authorization_keys[] = {
    {"type", CW_KEY_STRING, ROW(cw_authorization_config, type), .def = "Bearer",
     .check = type_check, .doc = "Bearer."},
    {"credentials", CW_KEY_STRING, ROW(cw_authorization_config, credentials),
     .flags = CW_KEY_SECRET, .doc = "The token."},
    {"credentials_file", CW_KEY_STRING, ROW(cw_authorization_config, credentials_file),
     .doc = "A file that holds it; it is read for each request."},
};
const struct cw_table_def cw_authorization_config_table =
    CW_TABLE("authorization", authorization_keys, struct cw_authorization_config);

int cw_http_access_check(const struct cw_http_access *access, struct cw_err *err)
{
    bool bearer = access->bearer_token.len > 0 || access->bearer_token_file.len > 0;
    bool authorization =
        access->authorization.credentials.len > 0 || access->authorization.credentials_file.len > 0;
    if ((access->basic_auth.username.len > 0) + bearer + authorization > 1)
        return cw_err_set(err, CW_E_INVALID,
                          "at most one of basic_auth, authorization and bearer_token may be set");
    return 0;
}

/* The secret as given or from its file. */
static int secret_read(struct cw_str given, struct cw_str path, struct cw_arena *arena,
                       struct cw_str *out, struct cw_err *err)
{
    struct cw_buf text;
    *out = given;
    if (path.len == 0)
        return 0;
    cw_buf_init(&text, SECRET_BYTES);
    int rc = cw_file_read(path.ptr, SECRET_BYTES, &text, err);
    *out = cw_arena_dup(arena, cw_str_trim(cw_buf_str(&text)));
    cw_buf_fini(&text);
    return rc;
}

static const char *z_or_null(struct cw_str s)
{
    return s.len > 0 ? s.ptr : NULL;
}

int cw_http_access_apply(const struct cw_http_access *access, struct cw_arena *arena,
                         struct cw_http_call *call, struct cw_err *err)
{
    const struct cw_basic_auth_config *basic = &access->basic_auth;
    const struct cw_authorization_config *authorization = &access->authorization;
    bool old = access->bearer_token.len > 0 || access->bearer_token_file.len > 0;
    struct cw_str secret = CW_STR_NONE;
    int rc = 0;
    if (basic->username.len > 0) {
        rc = secret_read(basic->password, basic->password_file, arena, &secret, err);
        call->user =
            cw_arena_printf(arena, "%.*s:%.*s", CW_STR_ARG(basic->username), CW_STR_ARG(secret))
                .ptr;
    } else {
        rc = old ? secret_read(access->bearer_token, access->bearer_token_file, arena, &secret, err)
                 : secret_read(authorization->credentials, authorization->credentials_file, arena,
                               &secret, err);
        call->bearer = z_or_null(secret);
    }
    call->ca_file = z_or_null(access->tls.ca_file);
    call->cert_file = z_or_null(access->tls.cert_file);
    call->key_file = z_or_null(access->tls.key_file);
    call->insecure_skip_verify = access->tls.insecure_skip_verify;
    call->proxy_url = z_or_null(access->proxy_url);
    return rc;
}
