#include "shipper/push_target.h"
#include <stdlib.h>
#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "shipper/http_access.h"
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

/* A value may come out of a log line (a tenant): bytes that would end a header become '%', which no
 * tenant's name may hold, so that the server refuses it. */
static char *header_make(struct cw_str name, struct cw_str value)
{
    struct cw_buf out;
    cw_buf_init(&out, SIZE_MAX);
    cw_buf_adds(&out, name);
    cw_buf_addz(&out, ": ");
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        cw_buf_addc(&out, c < 0x20 || c == 0x7f ? '%' : (char)c);
    }
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

/* "Name: value" of each pair, ended by NULL; NULL when there are none. */
static char **map_headers(const struct cw_config_map *map)
{
    if (map->n == 0)
        return NULL;
    char **headers = cw_mem_array(map->n + 1, sizeof *headers);
    for (size_t i = 0; i < map->n; i++)
        headers[i] = header_make(map->items[i].name, map->items[i].value);
    return headers;
}

void cw_push_target_init(struct cw_push_target *target, const struct cw_client_config *config,
                         struct cw_str tenant)
{
    *target = (struct cw_push_target){
        .config = config,
        .name = name_of(config, tenant),
        .push_url = cw_str_dupz(config->url),
        .ask_url = ask_url(config->url),
        .push_headers = headers_make(config, tenant, CW_STR("application/x-protobuf"),
                                     config->compression == CW_CLIENT_GZIP),
        .ask_headers = headers_make(config, tenant, CW_STR("application/json"), false),
        .proxy_headers = map_headers(&config->proxy.connect_headers),
        .token_proxy_headers = map_headers(&config->oauth2.proxy.connect_headers),
    };
    cw_oauth2_init(&target->oauth2, &config->oauth2);
}

void cw_push_target_fini(struct cw_push_target *target)
{
    CW_ASSERT(target->handle == NULL);
    headers_free(target->push_headers);
    headers_free(target->ask_headers);
    headers_free(target->proxy_headers);
    headers_free(target->token_proxy_headers);
    cw_oauth2_fini(&target->oauth2);
    free(target->name);
    free(target->push_url);
    free(target->ask_url);
    free(target->user);
    free(target->authorization);
    *target = (struct cw_push_target){0};
}

/* ---- credentials ---- */

/* As given, or from its file. */
static void secret_add(struct cw_buf *out, struct cw_str secret, struct cw_str file)
{
    struct cw_buf from_file;
    struct cw_err err;
    cw_buf_init(&from_file, SECRET_BYTES);
    if (file.len > 0 && cw_file_read(file.ptr, SECRET_BYTES, &from_file, &err) < 0)
        cw_log_warn("%s", err.text);
    cw_buf_adds(out, file.len > 0 ? cw_str_trim(cw_buf_str(&from_file)) : secret);
    cw_buf_fini(&from_file);
}

/* "first<separator>secret" in *out. */
static void credentials_set(char **out, struct cw_str first, struct cw_str first_file,
                            char separator, struct cw_str secret, struct cw_str file)
{
    struct cw_buf text;
    cw_buf_init(&text, SIZE_MAX);
    secret_add(&text, first, first_file);
    cw_buf_addc(&text, separator);
    secret_add(&text, secret, file);
    free(*out);
    *out = buf_finish(&text);
}

static void credentials_read(struct cw_push_target *target)
{
    const struct cw_client_config *config = target->config;
    const struct cw_basic_auth_config *basic = &config->basic_auth;
    const struct cw_authorization_config *other = &config->authorization;
    if (basic->username.len > 0 || basic->username_file.len > 0)
        credentials_set(&target->user, basic->username, basic->username_file, ':', basic->password,
                        basic->password_file);
    else if (config->bearer_token.len > 0 || config->bearer_token_file.len > 0)
        credentials_set(&target->authorization, CW_STR("Bearer"), CW_STR_NONE, ' ',
                        config->bearer_token, config->bearer_token_file);
    else if (other->credentials.len > 0 || other->credentials_file.len > 0)
        credentials_set(&target->authorization, other->type, CW_STR_NONE, ' ', other->credentials,
                        other->credentials_file);
    else if (target->oauth2.token != NULL)
        credentials_set(&target->authorization, CW_STR("Bearer"), CW_STR_NONE, ' ',
                        cw_str_of(target->oauth2.token), CW_STR_NONE);
}

/* ---- calls ---- */

struct cw_http_call cw_push_target_call(struct cw_push_target *target,
                                        enum cw_push_target_kind kind, struct cw_str body)
{
    const struct cw_client_config *config = target->config;
    bool ask = kind == CW_PUSH_TARGET_ASK;
    credentials_read(target);
    struct cw_http_call call = {
        .method = "POST",
        .url = ask ? target->ask_url : target->push_url,
        .headers = (const char *const *)(ask ? target->ask_headers : target->push_headers),
        .body = body,
        .timeout_ns = config->timeout_ns,
        .user = target->user,
        .authorization = target->authorization,
        .follow_redirects = config->follow_redirects,
    };
    cw_http_reach_by(&call, &config->tls, &config->proxy);
    call.proxy_headers = (const char *const *)target->proxy_headers;
    return call;
}

static void on_call_done(void *arg, int rc, const struct cw_http_answer *answer,
                         const struct cw_err *err)
{
    struct cw_push_target *target = arg;
    target->handle = NULL;
    if (rc == 0 && answer->status == 401)
        cw_oauth2_forget(&target->oauth2); /* it may have been taken back */
    target->on_done(target->arg, rc, answer, err);
}

static int call_start(struct cw_push_target *target, enum cw_push_target_kind kind,
                      struct cw_err *err)
{
    struct cw_http_call call = cw_push_target_call(target, kind, target->body);
    call.max_answer_bytes = target->max_answer_bytes;
    return cw_http_client_start(target->http, &call, NULL, on_call_done, target, &target->handle,
                                err);
}

static int token_start(struct cw_push_target *target, struct cw_err *err);

static void on_token_done(void *arg, int rc, const struct cw_http_answer *answer,
                          const struct cw_err *call_err)
{
    struct cw_push_target *target = arg;
    struct cw_err err = *call_err;
    target->handle = NULL;
    if (rc == 0)
        rc = cw_oauth2_answer(&target->oauth2, answer, cw_clock_mono_ns(), &err);
    if (rc == CW_E_CONFLICT)
        rc = token_start(target, &err);
    else if (rc == 0)
        rc = call_start(target, target->kind, &err);
    if (rc == 0)
        return;
    cw_err_wrap(&err, "OAuth2 token");
    target->on_done(target->arg, rc, NULL, &err);
}

static int token_start(struct cw_push_target *target, struct cw_err *err)
{
    const struct cw_oauth2_config *oauth2 = &target->config->oauth2;
    struct cw_http_call call = cw_oauth2_request(&target->oauth2);
    call.timeout_ns = target->config->timeout_ns;
    cw_http_reach_by(&call, &oauth2->tls, &oauth2->proxy);
    call.proxy_headers = (const char *const *)target->token_proxy_headers;
    return cw_http_client_start(target->http, &call, NULL, on_token_done, target, &target->handle,
                                err);
}

int cw_push_target_start(struct cw_push_target *target, struct cw_http_client *http,
                         enum cw_push_target_kind kind, struct cw_str body, size_t max_answer_bytes,
                         cw_http_done_fn on_done, void *arg, struct cw_err *err)
{
    CW_ASSERT(target->handle == NULL);
    target->http = http;
    target->kind = kind;
    target->body = body;
    target->max_answer_bytes = max_answer_bytes;
    target->on_done = on_done;
    target->arg = arg;
    if (target->config->oauth2.client_id.len > 0 &&
        !cw_oauth2_good(&target->oauth2, cw_clock_mono_ns()))
        return token_start(target, err);
    return call_start(target, kind, err);
}

void cw_push_target_abort(struct cw_push_target *target)
{
    if (target->handle != NULL)
        cw_http_client_abort(target->http, &target->handle);
}
