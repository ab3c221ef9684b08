#include "shipper/discovery_config.h"
#include "common/labels/labels.h"
#include "shipper/glob.h"
#include "shipper/kubeconfig.h"

#define ROW(type, member) offsetof(struct type, member)

int cw_labels_map_check(const void *value, struct cw_err *err)
{
    const struct cw_config_map *map = value;
    for (size_t i = 0; i < map->n; i++)
        if (!cw_label_name_valid(map->items[i].name))
            return cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no valid label name",
                              CW_STR_ARG(map->items[i].name));
    return 0;
}

struct cw_str cw_config_map_get(const struct cw_config_map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (cw_str_eqz(map->items[i].name, name))
            return map->items[i].value;
    return CW_STR_NONE;
}

/* ---- files ---- */

int cw_static_labels_check(const void *value, struct cw_err *err)
{
    static const char *const patterns[] = {"__path__", "__path_exclude__"};
    int rc = cw_labels_map_check(value, err);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        struct cw_str pattern = cw_config_map_get(value, patterns[i]);
        struct cw_glob *glob = NULL;
        if (pattern.len > 0)
            rc = cw_glob_compile(pattern, &glob, err);
        if (rc < 0)
            cw_err_wrap(err, "%s", patterns[i]);
        cw_glob_free(&glob);
    }
    return rc;
}

static const struct cw_key_def static_keys[] = {
    {"targets", CW_KEY_STRINGS, ROW(cw_static_config, targets),
     .doc = "Each is the label __address__ of a target; for files it has no other meaning."},
    {"labels", CW_KEY_MAP, ROW(cw_static_config, labels), .check = cw_static_labels_check,
     .doc = "Labels of the files' entries; __path__ says which files (*, ?, [a-z], {a,b}, **), "
            "__path_exclude__ which not."},
};
const struct cw_table_def cw_static_config_table =
    CW_TABLE("static_config", static_keys, struct cw_static_config);

static int files_check(const void *value, struct cw_err *err)
{
    static const char *const endings[] = {".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"};
    const struct cw_config_strings *files = value;
    for (size_t i = 0; i < files->n; i++) {
        struct cw_glob *glob = NULL;
        bool known = false;
        for (size_t k = 0; k < sizeof endings / sizeof endings[0]; k++)
            known |= cw_str_ends(files->items[i], cw_str_of(endings[k]));
        if (!known)
            return cw_err_set(err, CW_E_INVALID,
                              "path name \"%.*s\" is not valid for file discovery: it ends with "
                              ".json, .yml or .yaml",
                              CW_STR_ARG(files->items[i]));
        int rc = cw_glob_compile(files->items[i], &glob, err);
        cw_glob_free(&glob);
        if (rc < 0)
            return rc;
    }
    return files->n > 0 ? 0
                        : cw_err_set(err, CW_E_INVALID,
                                     "file service discovery config must contain at least one path "
                                     "name");
}

static const struct cw_key_def file_sd_keys[] = {
    {"files", CW_KEY_STRINGS, ROW(cw_file_sd_config, files), .flags = CW_KEY_REQUIRED,
     .check = files_check,
     .doc = "Files with lists of static configs, in YAML or JSON; patterns are fine. What is taken "
            "from a list is read as far as it goes then, and from there on when it comes back."},
    {"refresh_interval", CW_KEY_DURATION, ROW(cw_file_sd_config, refresh_interval_ns), .def = "5m",
     .min = "100ms", .max = "24h",
     .doc = "How often they are read; a change of one is noticed within two seconds."},
};
const struct cw_table_def cw_file_sd_table =
    CW_TABLE("file_sd_config", file_sd_keys, struct cw_file_sd_config);

/* ---- Docker ---- */

int cw_docker_host_check(const void *value, struct cw_err *err)
{
    static const char *const schemes[] = {"unix:///", "tcp://", "http://", "https://"};
    struct cw_str host = *(const struct cw_str *)value;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (cw_str_starts(host, cw_str_of(schemes[i])) && host.len > strlen(schemes[i]))
            return 0;
    return cw_err_set(
        err, CW_E_INVALID,
        "\"%.*s\": a Docker Engine is at unix:///path/of/the/socket, tcp://host:port, "
        "http://host:port or https://host:port",
        CW_STR_ARG(host));
}

static int docker_check(const void *value, struct cw_err *err)
{
    return cw_http_access_check(&((const struct cw_docker_sd_config *)value)->access, err);
}

static const struct cw_key_def docker_filter_keys[] = {
    {"name", CW_KEY_STRING, ROW(cw_docker_filter, name), .flags = CW_KEY_REQUIRED,
     .doc = "name, label, status, ..."},
    {"values", CW_KEY_STRINGS, ROW(cw_docker_filter, values), .flags = CW_KEY_REQUIRED,
     .doc = "One of them must match; of labels all."},
};
static const struct cw_table_def docker_filter_table =
    CW_TABLE("filter", docker_filter_keys, struct cw_docker_filter);

static const struct cw_key_def docker_sd_keys[] = {
    {"host", CW_KEY_STRING, ROW(cw_docker_sd_config, host), .def = "unix:///var/run/docker.sock",
     .check = cw_docker_host_check,
     .doc = "The Docker Engine's address. Of one at a socket of this machine the containers' log "
            "files are read where the Engine keeps them."},
    {"port", CW_KEY_INT, ROW(cw_docker_sd_config, port), .def = "80", .min = "0", .max = "65535",
     .doc = "The port in __address__ of a container that has none."},
    {"host_networking_host", CW_KEY_STRING, ROW(cw_docker_sd_config, host_networking_host),
     .def = "localhost", .doc = "__address__ of a container in the host's network."},
    {"match_first_network", CW_KEY_BOOL, ROW(cw_docker_sd_config, match_first_network),
     .def = "true",
     .doc = "The labels __meta_docker_network_* are those of the first network by name; otherwise "
            "of the last: a container's log is read once."},
    {"refresh_interval", CW_KEY_DURATION, ROW(cw_docker_sd_config, refresh_interval_ns),
     .def = "60s", .min = "100ms", .max = "1h",
     .doc = "How often to ask for containers; those that come and go are told by the Engine."},
    {"filters", CW_KEY_TABLES, ROW(cw_docker_sd_config, filters), .table = &docker_filter_table,
     .doc = "The Engine's filters for containers."},
    {"only_enabled", CW_KEY_BOOL, ROW(cw_docker_sd_config, only_enabled), .def = "false",
     .doc = "Read only containers that have the label cordwood.enable=true. A container with "
            "cordwood.enable=false is never read; cordwood.pipeline=NAME names its pipeline."},
    CW_HTTP_ACCESS_ROWS(cw_docker_sd_config),
};
const struct cw_table_def cw_docker_sd_table = {.name = "docker_sd_config",
                                                .keys = docker_sd_keys,
                                                .nkeys = sizeof docker_sd_keys /
                                                         sizeof docker_sd_keys[0],
                                                .size = sizeof(struct cw_docker_sd_config),
                                                .check = docker_check};

/* ---- Kubernetes ---- */

static const char *const role_names[] = {"pod",           "node",    "service", "endpoints",
                                         "endpointslice", "ingress", NULL};

/* Kinds that a role may have selectors for: itself, and what it is made of. */
static bool may_select(int role, int kind)
{
    bool made = role == CW_KUBERNETES_ENDPOINTS || role == CW_KUBERNETES_ENDPOINTSLICE;
    return kind == role || (made && (kind == CW_KUBERNETES_POD || kind == CW_KUBERNETES_SERVICE));
}

static int selectors_check(const struct cw_kubernetes_sd_config *config, struct cw_err *err)
{
    const struct cw_kubernetes_selector *selector = config->selectors.items;
    for (size_t i = 0; i < config->selectors.n; i++) {
        if (!may_select(config->role, selector[i].role))
            return cw_err_set(
                err, CW_E_INVALID, "%s role supports only %s%s selectors", role_names[config->role],
                may_select(config->role, CW_KUBERNETES_POD) && config->role != CW_KUBERNETES_POD
                    ? "pod, service, "
                    : "",
                role_names[config->role]);
        for (size_t k = 0; k < i; k++)
            if (selector[k].role == selector[i].role)
                return cw_err_set(err, CW_E_INVALID, "duplicated selector role: %s",
                                  role_names[selector[i].role]);
    }
    return 0;
}

static bool access_given(const struct cw_http_access *access)
{
    const struct cw_tls_config *tls = &access->tls;
    return cw_http_access_authenticates(access) || access->proxy.url.len > 0 ||
           access->proxy.from_environment || tls->insecure_skip_verify ||
           tls->ca.len + tls->ca_file.len + tls->cert.len + tls->cert_file.len + tls->key.len +
                   tls->key_file.len + tls->server_name.len >
               0;
}

static int kubernetes_check(const void *value, struct cw_err *err)
{
    const struct cw_kubernetes_sd_config *config = value;
    bool file = config->kubeconfig_file.len > 0, server = config->api_server.len > 0;
    int rc = cw_http_access_check(&config->access, err);
    if (rc < 0)
        return rc;
    if (file && server)
        return cw_err_set(err, CW_E_INVALID,
                          "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
    if (file && access_given(&config->access))
        return cw_err_set(err, CW_E_INVALID,
                          "the kubeconfig_file says how its server is reached: no tls_config, "
                          "credentials or proxy go with it");
    if (!file && !server && access_given(&config->access))
        return cw_err_set(err, CW_E_INVALID,
                          "tls_config, credentials and proxy need an 'api_server': without one the "
                          "pod's service account is used");
    if (config->own_namespace && file)
        return cw_err_set(err, CW_E_INVALID,
                          "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' "
                          "simultaneously");
    if (config->attach_node && config->role != CW_KUBERNETES_POD &&
        config->role != CW_KUBERNETES_ENDPOINTS && config->role != CW_KUBERNETES_ENDPOINTSLICE)
        return cw_err_set(err, CW_E_INVALID,
                          "attach_metadata.node goes with the roles pod, endpoints and "
                          "endpointslice");
    return selectors_check(config, err);
}

static int kubeconfig_check(const void *value, struct cw_err *err)
{
    struct cw_str path = *(const struct cw_str *)value, server;
    struct cw_http_access access = {.follow_redirects = true};
    struct cw_arena *arena = cw_arena_new();
    int rc = path.len > 0 ? cw_kubeconfig_read(path.ptr, arena, &server, &access, err) : 0;
    cw_arena_free(&arena);
    return rc == CW_E_NOT_FOUND ? 0 : rc; /* it may be another machine's */
}

static const struct cw_key_def selector_keys[] = {
    {"role", CW_KEY_ENUM, ROW(cw_kubernetes_selector, role), .names = role_names, .def = "pod",
     .doc = "What it selects from."},
    {"label", CW_KEY_STRING, ROW(cw_kubernetes_selector, label),
     .doc = "A label selector: app=web,env in (prod)."},
    {"field", CW_KEY_STRING, ROW(cw_kubernetes_selector, field),
     .doc = "A field selector: spec.nodeName=a."},
};
static const struct cw_table_def selector_table =
    CW_TABLE("selector", selector_keys, struct cw_kubernetes_selector);

static const struct cw_key_def kubernetes_sd_keys[] = {
    {"role", CW_KEY_ENUM, ROW(cw_kubernetes_sd_config, role), .names = role_names,
     .flags = CW_KEY_REQUIRED,
     .doc = "What is discovered. Pods are what has logs; of all others relabel_configs must make "
            "__path__."},
    {"api_server", CW_KEY_STRING, ROW(cw_kubernetes_sd_config, api_server), .check = cw_url_check,
     .doc = "The API server's URL. Default: that of the cluster that the shipper runs in, with its "
            "pod's service account."},
    {"kubeconfig_file", CW_KEY_STRING, ROW(cw_kubernetes_sd_config, kubeconfig_file),
     .check = kubeconfig_check,
     .doc = "A kubeconfig file instead, of whose current context are the server, its certificate "
            "and the credentials (a token or a client certificate)."},
    {"namespaces.own_namespace", CW_KEY_BOOL, ROW(cw_kubernetes_sd_config, own_namespace),
     .def = "false", .doc = "The namespace that the shipper runs in."},
    {"namespaces.names", CW_KEY_STRINGS, ROW(cw_kubernetes_sd_config, namespaces),
     .doc = "Only these namespaces."},
    {"selectors", CW_KEY_TABLES, ROW(cw_kubernetes_sd_config, selectors), .table = &selector_table,
     .doc = "Ask for some only."},
    {"attach_metadata.node", CW_KEY_BOOL, ROW(cw_kubernetes_sd_config, attach_node), .def = "false",
     .doc = "Pods and endpoints get the labels and annotations of their node, as "
            "__meta_kubernetes_node_*. Nodes must be allowed to be listed and watched."},
    CW_HTTP_ACCESS_ROWS(cw_kubernetes_sd_config),
};
const struct cw_table_def cw_kubernetes_sd_table = {.name = "kubernetes_sd_config",
                                                    .keys = kubernetes_sd_keys,
                                                    .nkeys = sizeof kubernetes_sd_keys /
                                                             sizeof kubernetes_sd_keys[0],
                                                    .size = sizeof(struct cw_kubernetes_sd_config),
                                                    .check = kubernetes_check};

static int path_check(const void *value, struct cw_err *err)
{
    struct cw_str path = *(const struct cw_str *)value;
    return cw_str_starts(path, CW_STR("/"))
               ? 0
               : cw_err_set(err, CW_E_INVALID, "\"%.*s\" is no absolute path", CW_STR_ARG(path));
}

static const struct cw_key_def pod_logs_keys[] = {
    {"path", CW_KEY_STRING, ROW(cw_pod_logs_config, path), .def = "/var/log/pods",
     .check = path_check,
     .doc =
         "The folder where a node keeps the logs of its pods: their names say namespace, pod and "
         "container, and no API server is asked."},
    {"refresh_interval", CW_KEY_DURATION, ROW(cw_pod_logs_config, refresh_interval_ns),
     .def = "10s", .min = "100ms", .max = "1h",
     .doc = "How often to look for pods; at once where inotify works."},
};
const struct cw_table_def cw_pod_logs_table =
    CW_TABLE("pod_logs_config", pod_logs_keys, struct cw_pod_logs_config);
