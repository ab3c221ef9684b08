#include "shipper/kubernetes_api.h"
#include <inttypes.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/base/file.h"
#include "common/net/http_params.h"
#include "shipper/kubeconfig.h"
#include "shipper/kubernetes_object.h"

/* Objects on one page of a list. */
#define PAGE "500"

/* ---- the server ---- */

static int in_cluster(const char *account, struct cw_arena *arena, struct cw_kubernetes_server *out,
                      struct cw_err *err)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == NULL || port == NULL || host[0] == '\0' || port[0] == '\0')
        return cw_err_set(err, CW_E_INVALID,
                          "no api_server is given, and this is no pod of a cluster "
                          "(KUBERNETES_SERVICE_HOST is not set)");
    out->url =
        cw_arena_printf(arena, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
    out->access.bearer_token_file = cw_arena_printf(arena, "%s/token", account);
    out->access.tls.min_version = CW_HTTP_TLS_12;
    out->access.tls.ca_file = cw_arena_printf(arena, "%s/ca.crt", account);
    return 0;
}

static struct cw_str own_namespace_read(const char *account, struct cw_arena *arena)
{
    struct cw_buf text;
    struct cw_err none;
    struct cw_str out = CW_STR_NONE;
    cw_buf_init(&text, 1024);
    if (cw_file_read(cw_arena_printf(arena, "%s/namespace", account).ptr, 1024, &text, &none) == 0)
        out = cw_arena_dup(arena, cw_str_trim(cw_buf_str(&text)));
    cw_buf_fini(&text);
    return out;
}

int cw_kubernetes_server_find(const struct cw_kubernetes_sd_config *config, const char *account,
                              struct cw_arena *arena, struct cw_kubernetes_server *out,
                              struct cw_err *err)
{
    *out = (struct cw_kubernetes_server){.url = config->api_server, .access = config->access};
    if (config->own_namespace)
        out->own_namespace = own_namespace_read(account, arena);
    if (config->own_namespace && out->own_namespace.len == 0)
        return cw_err_set(err, CW_E_INVALID, "own_namespace: %s/namespace cannot be read", account);
    int rc = 0;
    if (config->kubeconfig_file.len > 0)
        rc = cw_kubeconfig_read(config->kubeconfig_file.ptr, arena, &out->url, &out->access, err);
    else if (config->api_server.len == 0)
        rc = in_cluster(account, arena, out, err);
    while (cw_str_ends(out->url, CW_STR("/")))
        out->url.len--;
    return rc;
}

/* ---- what is asked ---- */

static void param_add(struct cw_buf *out, const char *name, struct cw_str value)
{
    if (value.len == 0)
        return;
    cw_buf_addf(out, "&%s=", name);
    cw_http_escape(value, out);
}

/* By enum cw_kubernetes_role. */
static const struct {
    const char *group, *name;
} resources[] = {{"/api/v1/", "pods"},
                 {"/api/v1/", "nodes"},
                 {"/api/v1/", "services"},
                 {"/api/v1/", "endpoints"},
                 {"/apis/discovery.k8s.io/v1/", "endpointslices"},
                 {"/apis/networking.k8s.io/v1/", "ingresses"}};

size_t cw_kubernetes_joined(const struct cw_kubernetes_sd_config *config, int *kinds_out)
{
    size_t n = 0;
    if (config->role == CW_KUBERNETES_ENDPOINTS || config->role == CW_KUBERNETES_ENDPOINTSLICE) {
        kinds_out[n++] = CW_KUBERNETES_SERVICE;
        kinds_out[n++] = CW_KUBERNETES_POD;
    }
    if (config->attach_node)
        kinds_out[n++] = CW_KUBERNETES_NODE;
    return n;
}

static void url_begin(const struct cw_kubernetes_sd_config *config, int kind, struct cw_str server,
                      struct cw_str namespace, const char *query, struct cw_buf *out)
{
    const struct cw_kubernetes_selector *selector = config->selectors.items;
    cw_buf_adds(out, server);
    cw_buf_addz(out, resources[kind].group);
    if (namespace.len > 0 && kind != CW_KUBERNETES_NODE) {
        cw_buf_addz(out, "namespaces/");
        cw_http_escape(namespace, out);
        cw_buf_addc(out, '/');
    }
    cw_buf_addf(out, "%s?%s", resources[kind].name, query);
    for (size_t i = 0; i < config->selectors.n; i++) {
        if (selector[i].role != kind)
            continue;
        param_add(out, "labelSelector", selector[i].label);
        param_add(out, "fieldSelector", selector[i].field);
    }
}

void cw_kubernetes_list_url(const struct cw_kubernetes_sd_config *config, int kind,
                            struct cw_str server, struct cw_str namespace, struct cw_str more,
                            struct cw_buf *out)
{
    url_begin(config, kind, server, namespace, "limit=" PAGE, out);
    param_add(out, "continue", more);
}

void cw_kubernetes_watch_url(const struct cw_kubernetes_sd_config *config, int kind,
                             struct cw_str server, struct cw_str namespace, struct cw_str version,
                             int64_t timeout_s, struct cw_buf *out)
{
    url_begin(config, kind, server, namespace, "watch=1&allowWatchBookmarks=true", out);
    cw_buf_addf(out, "&timeoutSeconds=%" PRId64, timeout_s);
    param_add(out, "resourceVersion", version);
}

/* ---- what is answered ---- */

static int document_load(struct cw_str body, json_t **out, struct cw_err *err)
{
    json_error_t error;
    *out = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_ALLOW_NUL, &error);
    return *out ? 0
                : cw_err_set(err, CW_E_INVALID, "the API server's answer is no JSON: %s",
                             error.text);
}

/* A Status, as a body or as the object of an event of type ERROR. */
static int status_error(int code, const json_t *status, struct cw_err *err)
{
    const json_t *number = json_object_get(status, "code");
    const char *message = json_string_value(json_object_get(status, "message"));
    if (json_is_integer(number))
        code = (int)json_integer_value(number);
    int ours = code == 410                  ? CW_E_NOT_FOUND
               : code == 401 || code == 403 ? CW_E_FORBIDDEN
                                            : CW_E_UNAVAILABLE;
    return cw_err_set(err, ours, "status %d of the API server%s%.300s", code,
                      message != NULL ? ": " : "", message != NULL ? message : "");
}

int cw_kubernetes_status(int status, struct cw_str body, struct cw_err *err)
{
    json_t *document = NULL;
    struct cw_err none;
    if (document_load(body, &document, &none) < 0)
        document = NULL;
    json_t *plain = document != NULL && json_is_object(document) ? document : json_object();
    json_object_del(plain, "code"); /* the answer's own status counts */
    int rc = status_error(status, plain, err);
    if (plain != document)
        json_decref(plain);
    json_decref(document);
    return rc;
}

int cw_kubernetes_list_decode(struct cw_str body, int kind, const struct cw_kubernetes_view *view,
                              struct cw_arena *arena, struct cw_kubernetes_list *out,
                              struct cw_err *err)
{
    json_t *document;
    int rc = document_load(body, &document, err);
    if (rc < 0)
        return rc;
    const json_t *metadata = json_object_get(document, "metadata");
    const json_t *items = json_object_get(document, "items");
    *out = (struct cw_kubernetes_list){.version =
                                           cw_kubernetes_text(metadata, "resourceVersion", arena),
                                       .more = cw_kubernetes_text(metadata, "continue", arena)};
    if (out->version.len == 0 || !(json_is_array(items) || json_is_null(items)))
        rc = cw_err_set(err, CW_E_INVALID, "the API server's answer is no list");
    size_t n = json_array_size(items);
    out->objects = CW_ARENA_ARRAY(arena, struct cw_kubernetes_object, n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        out->n += cw_kubernetes_object_decode(json_array_get(items, i), kind, view, arena,
                                              &out->objects[out->n]);
    json_decref(document);
    return rc;
}

int cw_kubernetes_event_decode(struct cw_str line, int kind, const struct cw_kubernetes_view *view,
                               struct cw_arena *arena, struct cw_kubernetes_object *out,
                               struct cw_str *version_out, struct cw_err *err)
{
    json_t *event;
    int rc = document_load(line, &event, err);
    if (rc < 0)
        return rc;
    struct cw_str type = cw_kubernetes_text(event, "type", arena);
    const json_t *object = json_object_get(event, "object");
    *version_out =
        cw_kubernetes_text(json_object_get(object, "metadata"), "resourceVersion", arena);
    if (cw_str_eqz(type, "ERROR") || cw_str_eqz(cw_kubernetes_text(event, "kind", arena), "Status"))
        rc = status_error(500, cw_str_eqz(type, "ERROR") ? object : event, err);
    else if (cw_str_eqz(type, "BOOKMARK"))
        rc = 0;
    else if (version_out->len > 0 &&
             (cw_str_eqz(type, "ADDED") || cw_str_eqz(type, "MODIFIED") ||
              cw_str_eqz(type, "DELETED")) &&
             cw_kubernetes_object_decode(object, kind, view, arena, out))
        rc = 1;
    else
        rc = cw_err_set(err, CW_E_INVALID, "the API server tells of no object");
    if (rc == 1)
        out->deleted = cw_str_eqz(type, "DELETED");
    json_decref(event);
    return rc;
}

void cw_kubernetes_text_decode(struct cw_str key, struct cw_str text,
                               const struct cw_kubernetes_view *view, struct cw_arena *arena,
                               struct cw_kubernetes_object *out)
{
    json_t *object = json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL);
    CW_ASSERT(object != NULL); /* we wrote it */
    *out = (struct cw_kubernetes_object){.key = key};
    cw_kubernetes_found_decode(object, view, arena, out);
    json_decref(object);
}
