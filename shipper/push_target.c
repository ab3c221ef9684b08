#include "shipper/push_target.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/wire/delivery.h"

/* A token or a password. */
enum { SECRET_BYTES = 64 << 10 };

static char *buf_finish(struct cw_buf *buf)
{
    char *z = cw_str_dupz(cw_buf_str(buf));
    cw_buf_fini(buf);
    return z;
}

/* Scheme, host and what stands before the push's own path: a proxy may add a prefix. */
static char *ask_url(struct cw_str url)
{
    static const char *const push_paths[] = {"/loki/api/v1/push", "/api/prom/push"};
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    ptrdiff_t query = cw_str_find_byte(url, '?');
    url = query >= 0 ? cw_str_sub(url, 0, (size_t)query) : url;
    struct cw_str base = CW_STR_NONE;
    for (size_t i = 0; i < 2; i++)
        if (cw_str_ends(url, cw_str_of(push_paths[i])))
            base = cw_str_sub(url, 0, url.len - strlen(push_paths[i]));
    if (base.ptr == NULL) {
        ptrdiff_t scheme = cw_str_find(url, CW_STR("://"));
        ptrdiff_t slash = cw_str_find_byte(cw_str_sub(url, (size_t)scheme + 3, url.len), '/');
        base = slash < 0 ? url : cw_str_sub(url, 0, (size_t)(scheme + 3 + slash));
    }
    cw_buf_adds(&out, base);
    cw_buf_addz(&out, CW_DELIVERY_SOURCES_PATH);
    return buf_finish(&out);
}

static char *name_of(const struct cw_client_config *config, struct cw_str tenant)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_adds(&out, config->name);
    if (tenant.len > 0)
        cw_buf_addc(&out, '/');
    cw_buf_adds(&out, tenant);
    return buf_finish(&out);
}

static char *header_make(struct cw_str name, struct cw_str value)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_adds(&out, name);
    cw_buf_addz(&out, ": ");
    cw_buf_adds(&out, value);
    return buf_finish(&out);
}

static char **headers_make(const struct cw_client_config *config, struct cw_str tenant,
                           struct cw_str content_type, bool gzip)
{
    char **headers = cw_mem_array(config->headers.n + 5, sizeof *headers);
    size_t n = 0;
    headers[n++] = header_make(CW_STR("Content-Type"), content_type);
    if (gzip)
        headers[n++] = header_make(CW_STR("Content-Encoding"), CW_STR("gzip"));
    headers[n++] = header_make(CW_STR("User-Agent"), CW_STR("cordwood-shipper/" CW_VERSION));
    if (tenant.len == 0)
        tenant = config->tenant_id;
    if (tenant.len > 0)
        headers[n++] = header_make(CW_STR("X-Scope-OrgID"), tenant);
    for (size_t i = 0; i < config->headers.n; i++)
        headers[n++] = header_make(config->headers.items[i].name, config->headers.items[i].value);
    return headers;
}

static void headers_free(char **headers)
{
    for (char **header = headers; header != NULL && *header != NULL; header++)
        free(*header);
    free(headers);
}

void cw_push_target_init(struct cw_push_target *target, const struct cw_client_config *config,
                         struct cw_str tenant, size_t output)
{
    *target = (struct cw_push_target){
        .config = config,
        .name = name_of(config, tenant),
        .push_url = cw_str_dupz(config->url),
        .ask_url = ask_url(config->url),
        .push_headers = headers_make(config, tenant, CW_STR("application/x-protobuf"),
                                     config->compression == CW_CLIENT_GZIP),
        .ask_headers = headers_make(config, tenant, CW_STR("application/json"), false),
    };
}

void cw_push_target_fini(struct cw_push_target *target)
{
    headers_free(target->push_headers);
    headers_free(target->ask_headers);
    free(target->name);
    free(target->push_url);
    free(target->ask_url);
    free(target->user);
    free(target->bearer);
    *target = (struct cw_push_target){0};
}

/* "user:" or "" before the secret; the secret as given or from its file. */
static void secret_set(char **out, struct cw_str user, struct cw_str secret, struct cw_str file)
{
    struct cw_buf text, from_file;
    struct cw_err err;
    cw_buf_init(&text, SIZE_MAX);
    cw_buf_init(&from_file, SECRET_BYTES);
    if (user.len > 0) {
        cw_buf_adds(&text, user);
        cw_buf_addc(&text, ':');
    }
    if (file.len > 0 && cw_file_read(file.ptr, SECRET_BYTES, &from_file, &err) < 0)
        cw_log_warn("%s", err.text);
    cw_buf_adds(&text, file.len > 0 ? cw_str_trim(cw_buf_str(&from_file)) : secret);
    cw_buf_fini(&from_file);
    free(*out);
    *out = buf_finish(&text);
}

struct cw_http_call cw_push_target_call(struct cw_push_target *target,
                                        enum cw_push_target_kind kind, struct cw_str body)
{
    const struct cw_client_config *config = target->config;
    const struct cw_basic_auth_config *auth = &config->basic_auth;
    if (auth->username.len > 0)
        secret_set(&target->user, auth->username, auth->password, auth->password_file);
    if (config->bearer_token.len > 0 || config->bearer_token_file.len > 0)
        secret_set(&target->bearer, CW_STR_NONE, config->bearer_token, config->bearer_token_file);
    bool ask = kind == CW_PUSH_TARGET_ASK;
    return (struct cw_http_call){
        .method = "POST",
        .url = ask ? target->ask_url : target->push_url,
        .headers = (const char *const *)(ask ? target->ask_headers : target->push_headers),
        .body = body,
        .timeout_ns = config->timeout_ns,
        .user = target->user,
        .bearer = target->bearer,
        .ca_file = config->tls.ca_file.len ? config->tls.ca_file.ptr : NULL,
        .cert_file = config->tls.cert_file.len ? config->tls.cert_file.ptr : NULL,
        .key_file = config->tls.key_file.len ? config->tls.key_file.ptr : NULL,
        .insecure_skip_verify = config->tls.insecure_skip_verify,
        .proxy_url = config->proxy_url.len ? config->proxy_url.ptr : NULL,
    };
}
