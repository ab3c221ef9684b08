#include "shipper/docker_api.h"
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include "common/base/assert.h"
#include "common/net/http_params.h"
#include "common/wire/json_writer.h"

#define LABEL_PREFIX "__meta_docker_container_label_"

/* ---- what is asked ---- */

void cw_docker_base_url(const struct cw_docker_sd_config *config, struct cw_buf *out,
                        const char **socket_out)
{
    struct cw_str host = config->host;
    bool tls = config->access.tls.ca_file.len > 0 || config->access.tls.cert_file.len > 0 ||
               config->access.tls.insecure_skip_verify;
    *socket_out = NULL;
    if (cw_str_starts(host, CW_STR("unix://"))) {
        *socket_out = host.ptr + sizeof("unix://") - 1;
        cw_buf_addz(out, "http://docker");
        return;
    }
    while (cw_str_ends(host, CW_STR("/")))
        host.len--;
    if (cw_str_starts(host, CW_STR("tcp://"))) {
        cw_buf_addz(out, tls ? "https://" : "http://");
        host = cw_str_sub(host, sizeof("tcp://") - 1, host.len);
    }
    cw_buf_adds(out, host);
}

void cw_docker_networks_url(struct cw_buf *url)
{
    cw_buf_addz(url, "/networks");
}

void cw_docker_list_url(const struct cw_docker_sd_config *config, struct cw_buf *url)
{
    const struct cw_docker_filter *filters = config->filters.items;
    struct cw_buf json;
    cw_buf_init(&json, 1 << 20);
    struct cw_json_writer w = cw_json_writer_make(&json);
    cw_json_begin_object(&w);
    for (size_t i = 0; i < config->filters.n; i++) {
        cw_json_key(&w, filters[i].name);
        cw_json_begin_array(&w);
        for (size_t k = 0; k < filters[i].values.n; k++)
            cw_json_string(&w, filters[i].values.items[k]);
        cw_json_end_array(&w);
    }
    cw_json_end_object(&w);
    cw_buf_addz(url, "/containers/json?all=1&filters=");
    cw_http_escape(cw_buf_str(&json), url);
    cw_buf_fini(&json);
}

void cw_docker_events_url(int64_t since_s, struct cw_buf *url)
{
    cw_buf_addf(url, "/events?since=%" PRId64 "&filters=", since_s);
    cw_http_escape(CW_STR("{\"type\":[\"container\"],\"event\":[\"create\",\"start\",\"die\","
                          "\"destroy\",\"rename\"]}"),
                   url);
}

void cw_docker_inspect_url(struct cw_str id, struct cw_buf *url)
{
    cw_buf_addz(url, "/containers/");
    cw_http_escape(id, url);
    cw_buf_addz(url, "/json");
}

void cw_docker_logs_url(struct cw_str id, int64_t since_s, bool follow, struct cw_buf *url)
{
    cw_buf_addz(url, "/containers/");
    cw_http_escape(id, url);
    cw_buf_addf(url, "/logs?stdout=1&stderr=1&timestamps=1&follow=%d", follow);
    if (since_s > 0)
        cw_buf_addf(url, "&since=%" PRId64, since_s);
}

/* ---- reading JSON ---- */

static int document_load(struct cw_str body, json_t **out, struct cw_err *err)
{
    json_error_t error;
    *out = json_loadb(body.ptr, body.len, JSON_ALLOW_NUL, &error);
    return *out ? 0
                : cw_err_set(err, CW_E_INVALID, "the Docker Engine's answer is no JSON: %s",
                             error.text);
}

static struct cw_str text_of(const json_t *object, const char *key, struct cw_arena *arena)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return CW_STR_NONE;
    return cw_arena_dup(arena, cw_str_make(json_string_value(value), json_string_length(value)));
}

static struct cw_str number_text(const json_t *object, const char *key, struct cw_arena *arena)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value)
               ? cw_arena_printf(arena, "%" PRId64, (int64_t)json_integer_value(value))
               : CW_STR_NONE;
}

static struct cw_str bool_text(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key)) ? CW_STR("true") : CW_STR("false");
}

static void labels_add(struct cw_target_labels *labels, const char *prefix, const json_t *map)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) cw_target_labels_set_meta(
        labels, prefix, cw_str_of(name), text_of(map, name, labels->arena));
}

/* ---- networks ---- */

int cw_docker_networks_decode(struct cw_str body, struct cw_arena *arena,
                              struct cw_docker_networks *out, struct cw_err *err)
{
    json_t *document;
    int rc = document_load(body, &document, err);
    if (rc < 0)
        return rc;
    if (!json_is_array(document))
        rc = cw_err_set(err, CW_E_INVALID, "the Docker Engine's list of networks is no list");
    size_t n = json_array_size(document);
    *out = (struct cw_docker_networks){CW_ARENA_ARRAY(arena, struct cw_docker_network, n), n};
    for (size_t i = 0; i < n; i++) {
        const json_t *network = json_array_get(document, i);
        struct cw_docker_network *one = &out->items[i];
        one->id = text_of(network, "Id", arena);
        one->labels = cw_target_labels_make(arena);
        cw_target_labels_set(&one->labels, CW_STR("__meta_docker_network_id"), one->id);
        cw_target_labels_set(&one->labels, CW_STR("__meta_docker_network_name"),
                             text_of(network, "Name", arena));
        cw_target_labels_set(&one->labels, CW_STR("__meta_docker_network_scope"),
                             text_of(network, "Scope", arena));
        cw_target_labels_set(&one->labels, CW_STR("__meta_docker_network_internal"),
                             bool_text(network, "Internal"));
        cw_target_labels_set(&one->labels, CW_STR("__meta_docker_network_ingress"),
                             bool_text(network, "Ingress"));
        labels_add(&one->labels, "__meta_docker_network_label_",
                   json_object_get(network, "Labels"));
    }
    json_decref(document);
    return rc;
}

/* ---- containers ---- */

static const json_t *network_mode(const json_t *container)
{
    return json_object_get(json_object_get(container, "HostConfig"), "NetworkMode");
}

/* A container in another one's network has that one's networks. */
static const json_t *networks_of(const json_t *list, const json_t *container)
{
    const json_t *mode = network_mode(container);
    const char *other = json_is_string(mode) ? json_string_value(mode) : "";
    if (strncmp(other, "container:", 10) == 0)
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *id = json_object_get(json_array_get(list, i), "Id");
            if (json_is_string(id) && strcmp(json_string_value(id), other + 10) == 0)
                container = json_array_get(list, i);
        }
    return json_object_get(json_object_get(container, "NetworkSettings"), "Networks");
}

/* The first, or the last, by name. */
static const json_t *network_pick(const json_t *networks, bool first)
{
    const char *name, *best = NULL;
    json_t *value;
    json_object_foreach((json_t *)networks, name,
                        value) if (best == NULL || (first ? strcmp(name, best) < 0
                                                          : strcmp(name, best) > 0)) best = name;
    return best != NULL ? json_object_get(networks, best) : NULL;
}

static const json_t *tcp_port(const json_t *container)
{
    const json_t *ports = json_object_get(container, "Ports");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *type = json_object_get(json_array_get(ports, i), "Type");
        if (json_is_string(type) && strcmp(json_string_value(type), "tcp") == 0)
            return json_array_get(ports, i);
    }
    return NULL;
}

static void address_set(struct cw_target_labels *labels, struct cw_str ip, struct cw_str port)
{
    bool v6 = cw_str_find_byte(ip, ':') >= 0;
    cw_target_labels_set(labels, CW_STR("__address__"),
                         cw_arena_printf(labels->arena, v6 ? "[%.*s]:%.*s" : "%.*s:%.*s",
                                         CW_STR_ARG(ip), CW_STR_ARG(port)));
}

static void network_labels(const struct cw_docker_sd_config *config,
                           const struct cw_docker_networks *networks, const json_t *list,
                           const json_t *container, struct cw_target_labels *labels)
{
    struct cw_arena *arena = labels->arena;
    const json_t *network = network_pick(networks_of(list, container), config->match_first_network);
    const json_t *port = tcp_port(container);
    const json_t *mode = network_mode(container);
    if (network == NULL)
        return;
    struct cw_str ip = text_of(network, "IPAddress", arena);
    struct cw_str id = text_of(network, "NetworkID", arena);
    cw_target_labels_set(labels, CW_STR("__meta_docker_network_ip"), ip);
    for (size_t i = 0; i < networks->n; i++)
        for (size_t k = 0; cw_str_eq(networks->items[i].id, id) && k < networks->items[i].labels.n;
             k++)
            cw_target_labels_set(labels, networks->items[i].labels.items[k].name,
                                 networks->items[i].labels.items[k].value);
    if (port != NULL) {
        struct cw_str private = number_text(port, "PrivatePort", arena);
        struct cw_str public = number_text(port, "PublicPort", arena);
        cw_target_labels_set(labels, CW_STR("__meta_docker_port_private"), private);
        if (public.len > 0 && !cw_str_eqz(public, "0")) {
            cw_target_labels_set(labels, CW_STR("__meta_docker_port_public"), public);
            cw_target_labels_set(labels, CW_STR("__meta_docker_port_public_ip"),
                                 text_of(port, "IP", arena));
        }
        address_set(labels, ip, private);
    } else if (json_is_string(mode) && strcmp(json_string_value(mode), "host") == 0) {
        cw_target_labels_set(labels, CW_STR("__address__"), config->host_networking_host);
    } else {
        address_set(labels, ip, cw_arena_printf(arena, "%" PRId64, config->port));
    }
}

/* What a plain configuration gives: a handful of labels with few values. */
static struct cw_labels plain_labels(const json_t *container, struct cw_str name,
                                     struct cw_arena *arena)
{
    static const struct {
        const char *name, *label;
    } from_labels[] = {
        {"compose_project", "com.docker.compose.project"},
        {"compose_service", "com.docker.compose.service"},
        {"swarm_service", "com.docker.swarm.service.name"},
        {"swarm_stack", "com.docker.stack.namespace"},
    };
    enum { N = 2 + CW_COUNT(from_labels) };
    const json_t *labels = json_object_get(container, "Labels");
    struct cw_label *pairs = CW_ARENA_ARRAY(arena, struct cw_label, N);
    pairs[0] = (struct cw_label){CW_STR("container"), name};
    pairs[1] = (struct cw_label){CW_STR("image"), text_of(container, "Image", arena)};
    for (size_t i = 0; i < CW_COUNT(from_labels); i++)
        pairs[2 + i] = (struct cw_label){cw_str_of(from_labels[i].name),
                                         text_of(labels, from_labels[i].label, arena)};
    struct cw_labels out;
    int rc = cw_labels_from_pairs(pairs, N, &out, NULL);
    CW_ASSERT(rc == 0); /* different names */
    return out;
}

static enum cw_docker_wish wish_of(struct cw_str text)
{
    if (text.len == 0)
        return CW_DOCKER_NO_WISH;
    return cw_str_eq_nocase(text, CW_STR("false")) || cw_str_eqz(text, "0") ||
                   cw_str_eq_nocase(text, CW_STR("no"))
               ? CW_DOCKER_DISABLE
               : CW_DOCKER_ENABLE;
}

static void container_decode(const struct cw_docker_sd_config *config,
                             const struct cw_docker_networks *networks, const json_t *list,
                             const json_t *container, struct cw_arena *arena,
                             struct cw_docker_container *out)
{
    const json_t *labels = json_object_get(container, "Labels");
    const json_t *first = json_array_get(json_object_get(container, "Names"), 0);
    struct cw_str name = json_is_string(first)
                             ? cw_arena_dup(arena, cw_str_of(json_string_value(first)))
                             : CW_STR_NONE;
    out->name = cw_str_sub(name, cw_str_starts(name, CW_STR("/")), name.len);
    out->labels = cw_target_labels_make(arena);
    cw_target_labels_set(&out->labels, CW_STR("__meta_docker_container_id"), out->id);
    cw_target_labels_set(&out->labels, CW_STR("__meta_docker_container_name"), name);
    cw_target_labels_set(&out->labels, CW_STR("__meta_docker_container_network_mode"),
                         text_of(json_object_get(container, "HostConfig"), "NetworkMode", arena));
    labels_add(&out->labels, LABEL_PREFIX, labels);
    network_labels(config, networks, list, container, &out->labels);
    out->plain = plain_labels(container, out->name, arena);
    out->wish = wish_of(text_of(labels, "cordwood.enable", arena));
    out->pipeline = text_of(labels, "cordwood.pipeline", arena);
    out->running = cw_str_eqz(text_of(container, "State", arena), "running");
}

int cw_docker_list_decode(struct cw_str body, const struct cw_docker_sd_config *config,
                          const struct cw_docker_networks *networks, struct cw_arena *arena,
                          struct cw_docker_container **out, size_t *n_out, struct cw_err *err)
{
    json_t *document;
    int rc = document_load(body, &document, err);
    if (rc < 0)
        return rc;
    if (!json_is_array(document))
        rc = cw_err_set(err, CW_E_INVALID, "the Docker Engine's list of containers is no list");
    size_t n = json_array_size(document), count = 0;
    *out = CW_ARENA_ARRAY(arena, struct cw_docker_container, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *container = json_array_get(document, i);
        struct cw_docker_container *one = &(*out)[count];
        one->id = text_of(container, "Id", arena);
        if (one->id.len == 0)
            continue;
        container_decode(config, networks, document, container, arena, one);
        count++;
    }
    *n_out = count;
    json_decref(document);
    return rc;
}

/* ---- one container ---- */

/* The local driver's files lie in the container's folder, which only its other files name. */
static struct cw_str local_path(const json_t *document, struct cw_arena *arena)
{
    static const char *const beside[] = {"ResolvConfPath", "HostnamePath", "HostsPath"};
    for (size_t i = 0; i < CW_COUNT(beside); i++) {
        struct cw_str path = text_of(document, beside[i], arena);
        while (path.len > 0 && path.ptr[path.len - 1] != '/')
            path.len--;
        if (path.len > 0)
            return cw_arena_printf(arena, "%.*slocal-logs/container.log", CW_STR_ARG(path));
    }
    return CW_STR_NONE;
}

int cw_docker_inspect_decode(struct cw_str body, struct cw_arena *arena, struct cw_docker_log *out,
                             struct cw_err *err)
{
    json_t *document;
    int rc = document_load(body, &document, err);
    if (rc < 0)
        return rc;
    const json_t *log_config =
        json_object_get(json_object_get(document, "HostConfig"), "LogConfig");
    *out = (struct cw_docker_log){.driver = text_of(log_config, "Type", arena)};
    out->tty = json_is_true(json_object_get(json_object_get(document, "Config"), "Tty"));
    if (out->driver.len == 0)
        out->driver = CW_STR("json-file");
    if (cw_str_eqz(out->driver, "json-file"))
        out->path = text_of(document, "LogPath", arena);
    else if (cw_str_eqz(out->driver, "local"))
        out->path = local_path(document, arena);
    if (out->path.len > 0 && (out->path.ptr[0] != '/' || strlen(out->path.ptr) != out->path.len))
        rc = cw_err_set(err, CW_E_INVALID,
                        "the Docker Engine names a log file that is no absolute path");
    json_decref(document);
    return rc;
}
