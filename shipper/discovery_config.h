/*
 * discovery_config.h - what a scrape config may say about where its targets are: promtail's discoveries, and pod_logs of ours.
 */
#ifndef CW_SHIPPER_DISCOVERY_CONFIG_H
#define CW_SHIPPER_DISCOVERY_CONFIG_H
#include "shipper/http_access.h"
#include "shipper/relabel_config.h"

struct cw_static_config {
    struct cw_config_strings targets;
    struct cw_config_map labels; /* __path__ and __path_exclude__ among them */
};
struct cw_file_sd_config {
    struct cw_config_strings files;
    int64_t refresh_interval_ns;
};
struct cw_docker_filter {
    struct cw_str name;
    struct cw_config_strings values;
};
struct cw_docker_sd_config {
    struct cw_str host; /* unix:///var/run/docker.sock, tcp://.., http(s)://.. */
    int64_t port;
    struct cw_str host_networking_host;
    bool match_first_network, only_enabled;
    int64_t refresh_interval_ns;
    struct cw_config_tables filters; /* struct cw_docker_filter */
    struct cw_http_access access;
};
enum cw_kubernetes_role {
    CW_KUBERNETES_POD,
    CW_KUBERNETES_NODE,
    CW_KUBERNETES_SERVICE,
    CW_KUBERNETES_ENDPOINTS,
    CW_KUBERNETES_ENDPOINTSLICE,
    CW_KUBERNETES_INGRESS
};
struct cw_kubernetes_selector {
    int role;
    struct cw_str label, field;
};
struct cw_kubernetes_sd_config {
    struct cw_str api_server, kubeconfig_file; /* empty: that of the cluster that we run in */
    int role;                                  /* enum cw_kubernetes_role */
    bool own_namespace, attach_node;
    struct cw_config_strings namespaces; /* none: all */
    struct cw_config_tables selectors;   /* struct cw_kubernetes_selector */
    struct cw_http_access access;
};
struct cw_pod_logs_config {
    struct cw_str path; /* /var/log/pods */
    int64_t refresh_interval_ns;
};

extern const struct cw_table_def cw_static_config_table;
extern const struct cw_table_def cw_file_sd_table;
extern const struct cw_table_def cw_docker_sd_table;
extern const struct cw_table_def cw_kubernetes_sd_table;
extern const struct cw_table_def cw_pod_logs_table;

/* Label names, and patterns that can be read. */
int cw_static_labels_check(const void *map, struct cw_err *err) CW_MUST_USE;
int cw_docker_host_check(const void *host, struct cw_err *err) CW_MUST_USE;
/* Names of labels. Also for maps of labels elsewhere. */
int cw_labels_map_check(const void *map, struct cw_err *err) CW_MUST_USE;
/* The value of a name; empty when it is not there. */
struct cw_str cw_config_map_get(const struct cw_config_map *map, const char *name);

#endif
