#include "common/base/assert.h"
#include "shipper/kubernetes_object.h"

#define META CW_KUBERNETES_META

static struct cw_target_labels object_labels(const json_t *object, const char *kind,
                                             struct cw_arena *arena)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct cw_target_labels labels = cw_target_labels_make(arena);
    cw_kubernetes_text_set(&labels, META "namespace", metadata, "namespace");
    cw_kubernetes_metadata_set(&labels, kind, metadata);
    return labels;
}

/* ---- services: one found thing for each port ---- */

void cw_kubernetes_service_decode(const json_t *service, struct cw_arena *arena,
                                  struct cw_kubernetes_object *out)
{
    const json_t *metadata = json_object_get(service, "metadata");
    const json_t *spec = json_object_get(service, "spec");
    const json_t *ports = json_object_get(spec, "ports");
    struct cw_target_labels labels = object_labels(service, "service", arena);
    struct cw_str type = cw_kubernetes_text(spec, "type", arena);
    struct cw_str host = cw_arena_printf(
        arena, "%.*s.%.*s.svc", CW_STR_ARG(cw_kubernetes_text(metadata, "name", arena)),
        CW_STR_ARG(cw_kubernetes_text(metadata, "namespace", arena)));
    cw_target_labels_set(&labels, CW_STR(META "service_type"), type);
    if (cw_str_eqz(type, "ExternalName"))
        cw_kubernetes_text_set(&labels, META "service_external_name", spec, "externalName");
    else
        cw_kubernetes_text_set(&labels, META "service_cluster_ip", spec, "clusterIP");
    if (cw_str_eqz(type, "LoadBalancer"))
        cw_kubernetes_text_set(&labels, META "service_loadbalancer_ip", spec, "loadBalancerIP");
    for (size_t i = 0; i < json_array_size(ports); i++) {
        const json_t *port = json_array_get(ports, i);
        struct cw_target_labels *found = &cw_kubernetes_found_add(out, &labels)->labels;
        struct cw_str number = cw_kubernetes_number(port, "port", arena);
        cw_target_labels_set(found, CW_STR("__address__"),
                             cw_kubernetes_address(host, number, arena));
        cw_target_labels_set(found, CW_STR(META "service_port_number"), number);
        cw_kubernetes_text_set(found, META "service_port_name", port, "name");
        cw_kubernetes_text_set(found, META "service_port_protocol", port, "protocol");
    }
}

/* ---- ingresses: one for each path ---- */

/* "*.a.b" stands for one label in front of a.b. */
static bool host_matches(struct cw_str pattern, struct cw_str host)
{
    ptrdiff_t dot = cw_str_find_byte(host, '.');
    if (cw_str_eq(pattern, host))
        return true;
    return cw_str_starts(pattern, CW_STR("*.")) && dot > 0 &&
           cw_str_eq(cw_str_sub(pattern, 1, pattern.len), cw_str_sub(host, (size_t)dot, host.len));
}

static bool has_tls(const json_t *tls, struct cw_str host, struct cw_arena *arena)
{
    for (size_t i = 0; i < json_array_size(tls); i++) {
        const json_t *hosts = json_object_get(json_array_get(tls, i), "hosts");
        for (size_t k = 0; k < json_array_size(hosts); k++) {
            const json_t *name = json_array_get(hosts, k);
            if (json_is_string(name) &&
                host_matches(cw_arena_dup(arena, cw_str_make(json_string_value(name),
                                                             json_string_length(name))),
                             host))
                return true;
        }
    }
    return false;
}

static void path_add(const struct cw_target_labels *labels, struct cw_str path,
                     struct cw_kubernetes_object *out)
{
    cw_target_labels_set(&cw_kubernetes_found_add(out, labels)->labels, CW_STR(META "ingress_path"),
                         path.len > 0 ? path : CW_STR("/"));
}

void cw_kubernetes_ingress_decode(const json_t *ingress, struct cw_arena *arena,
                                  struct cw_kubernetes_object *out)
{
    const json_t *spec = json_object_get(ingress, "spec");
    const json_t *rules = json_object_get(spec, "rules");
    struct cw_target_labels all = object_labels(ingress, "ingress", arena);
    cw_kubernetes_text_set(&all, META "ingress_class_name", spec, "ingressClassName");
    for (size_t i = 0; i < json_array_size(rules); i++) {
        const json_t *rule = json_array_get(rules, i);
        const json_t *paths = json_object_get(json_object_get(rule, "http"), "paths");
        struct cw_target_labels labels = cw_target_labels_copy(&all, arena);
        struct cw_str host = cw_kubernetes_text(rule, "host", arena);
        bool tls = has_tls(json_object_get(spec, "tls"), host, arena);
        cw_target_labels_set(&labels, CW_STR("__address__"), host);
        cw_target_labels_set(&labels, CW_STR(META "ingress_host"), host);
        cw_target_labels_set(&labels, CW_STR(META "ingress_scheme"),
                             tls ? CW_STR("https") : CW_STR("http"));
        for (size_t k = 0; k < json_array_size(paths); k++)
            path_add(&labels, cw_kubernetes_text(json_array_get(paths, k), "path", arena), out);
        if (json_array_size(paths) == 0)
            path_add(&labels, CW_STR_NONE, out);
    }
}
