#include "shipper/http_access.h"
#include "common/base/file.h"

/* A token or a password. */
enum { SECRET_BYTES = 64 << 10 };

static int ncredentials(const struct cw_http_access *access)
{
    bool basic = access->basic_auth.username.len > 0 || access->basic_auth.username_file.len > 0;
    bool bearer = access->bearer_token.len > 0 || access->bearer_token_file.len > 0;
    bool authorization =
        access->authorization.credentials.len > 0 || access->authorization.credentials_file.len > 0;
    return basic + bearer + authorization;
}

bool cw_http_access_authenticates(const struct cw_http_access *access)
{
    return ncredentials(access) > 0;
}

int cw_http_access_check(const struct cw_http_access *access, struct cw_err *err)
{
    if (ncredentials(access) > 1)
        return cw_err_set(err, CW_E_INVALID,
                          "at most one of basic_auth, authorization and bearer_token may be set");
    return cw_proxy_check(&access->proxy, err);
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

static int credentials_apply(const struct cw_http_access *access, struct cw_arena *arena,
                             struct cw_http_call *call, struct cw_err *err)
{
    const struct cw_basic_auth_config *basic = &access->basic_auth;
    const struct cw_authorization_config *other = &access->authorization;
    struct cw_str user, secret = CW_STR_NONE, type = CW_STR("Bearer");
    int rc = secret_read(basic->username, basic->username_file, arena, &user, err);
    if (rc == 0 && user.len > 0) {
        rc = secret_read(basic->password, basic->password_file, arena, &secret, err);
        call->user = cw_arena_printf(arena, "%.*s:%.*s", CW_STR_ARG(user), CW_STR_ARG(secret)).ptr;
        return rc;
    }
    if (rc == 0)
        rc = secret_read(access->bearer_token, access->bearer_token_file, arena, &secret, err);
    if (rc == 0 && secret.len == 0) {
        type = other->type;
        rc = secret_read(other->credentials, other->credentials_file, arena, &secret, err);
    }
    if (rc == 0 && secret.len > 0)
        call->authorization =
            cw_arena_printf(arena, "%.*s %.*s", CW_STR_ARG(type), CW_STR_ARG(secret)).ptr;
    return rc;
}

static const char *given(struct cw_str s)
{
    return s.len > 0 ? s.ptr : NULL;
}

void cw_http_reach_by(struct cw_http_call *call, const struct cw_tls_config *tls,
                      const struct cw_proxy_config *proxy)
{
    call->ca_file = given(tls->ca_file);
    call->cert_file = given(tls->cert_file);
    call->key_file = given(tls->key_file);
    call->ca_text = tls->ca;
    call->cert_text = tls->cert;
    call->key_text = tls->key;
    call->server_name = given(tls->server_name);
    call->insecure_skip_verify = tls->insecure_skip_verify;
    call->tls_min = (enum cw_http_tls_version)tls->min_version;
    call->tls_max = (enum cw_http_tls_version)tls->max_version;
    if (!proxy->from_environment) { /* without the word for it the environment does not count */
        call->proxy_url = proxy->url.len > 0 ? proxy->url.ptr : "";
        call->no_proxy = proxy->no_proxy.len > 0 ? proxy->no_proxy.ptr : "";
    }
}

int cw_http_access_apply(const struct cw_http_access *access, struct cw_arena *arena,
                         struct cw_http_call *call, struct cw_err *err)
{
    const struct cw_proxy_config *proxy = &access->proxy;
    cw_http_reach_by(call, &access->tls, proxy);
    call->follow_redirects = access->follow_redirects;
    const char **headers = CW_ARENA_ARRAY(arena, const char *, proxy->connect_headers.n + 1);
    for (size_t i = 0; i < proxy->connect_headers.n; i++)
        headers[i] =
            cw_arena_printf(arena, "%.*s: %.*s", CW_STR_ARG(proxy->connect_headers.items[i].name),
                            CW_STR_ARG(proxy->connect_headers.items[i].value))
                .ptr;
    call->proxy_headers = proxy->connect_headers.n > 0 ? headers : NULL;
    return credentials_apply(access, arena, call, err);
}
