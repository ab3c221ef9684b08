/*
 * kubernetes_endpoints.c - endpoints and endpoint slices: one found thing for each address and port, with the labels of the pod
 * behind it; then one for each port of those pods' containers that no endpoint has.
 */
#include "common/base/assert.h"
#include "shipper/kubernetes_object.h"

#define META CW_KUBERNETES_META

struct endpoints {
    const struct cw_kubernetes_view *view;
    struct cw_arena *arena;
    struct cw_kubernetes_object *out;
    struct cw_target_labels labels; /* that all have */
    struct cw_str namespace;
    struct backing_pod {
        struct cw_str name;
        json_t *object;
        int64_t *ports; /* of endpoints */
        size_t nports, ports_cap;
    } * pods;
    size_t npods, pods_cap;
};

static void begin(struct endpoints *all, const json_t *object, const char *kind,
                  struct cw_str service)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct cw_arena *arena = all->arena;
    all->labels = cw_target_labels_make(arena);
    all->namespace = cw_kubernetes_text(metadata, "namespace", arena);
    cw_target_labels_set(&all->labels, CW_STR(META "namespace"), all->namespace);
    if (service.len > 0) {
        json_t *found =
            cw_kubernetes_find(all->view, CW_KUBERNETES_SERVICE, all->namespace, service, arena);
        cw_kubernetes_metadata_set(&all->labels, "service", json_object_get(found, "metadata"));
        json_decref(found);
    }
    cw_kubernetes_metadata_set(&all->labels, kind, metadata);
}

static struct backing_pod *pod_of(struct endpoints *all, const json_t *reference)
{
    struct cw_str name = cw_kubernetes_text(reference, "name", all->arena);
    if (!cw_str_eqz(cw_kubernetes_text(reference, "kind", all->arena), "Pod") || name.len == 0)
        return NULL;
    for (size_t i = 0; i < all->npods; i++)
        if (cw_str_eq(all->pods[i].name, name))
            return &all->pods[i];
    json_t *object =
        cw_kubernetes_find(all->view, CW_KUBERNETES_POD, all->namespace, name, all->arena);
    if (object == NULL)
        return NULL;
    all->pods = cw_arena_grow(all->arena, all->pods, all->npods, &all->pods_cap, all->npods + 1,
                              sizeof *all->pods);
    all->pods[all->npods] = (struct backing_pod){.name = name, .object = object};
    return &all->pods[all->npods++];
}

typedef void (*container_fn)(void *arg, const json_t *container, bool init, const json_t *port);

static void each_port(const json_t *pod, container_fn fn, void *arg)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < CW_COUNT(lists); i++) {
        const json_t *list = json_object_get(json_object_get(pod, "spec"), lists[i]);
        for (size_t k = 0; k < json_array_size(list); k++) {
            const json_t *ports = json_object_get(json_array_get(list, k), "ports");
            for (size_t m = 0; m < json_array_size(ports); m++)
                fn(arg, json_array_get(list, k), i == 1, json_array_get(ports, m));
        }
    }
}

static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *number = json_object_get(object, key);
    return json_is_integer(number) ? (int64_t)json_integer_value(number) : -1;
}

struct wanted_port {
    struct cw_target_labels *labels;
    int64_t number;
};

static void port_match(void *arg, const json_t *container, bool init, const json_t *port)
{
    struct wanted_port *wanted = arg;
    if (number_of(port, "containerPort") != wanted->number)
        return;
    cw_kubernetes_container_set(wanted->labels, container, init);
    cw_kubernetes_port_set(wanted->labels, port);
}

/* An address and a port: its labels so far, what stands behind it, and the node that it is on. */
static void endpoint_add(struct endpoints *all, const struct cw_target_labels *labels,
                         struct cw_str ip, const json_t *port, const json_t *reference,
                         struct cw_str node)
{
    struct cw_target_labels *found = &cw_kubernetes_found_add(all->out, labels)->labels;
    struct backing_pod *pod = pod_of(all, reference);
    int64_t number = number_of(port, "port");
    cw_target_labels_set(
        found, CW_STR("__address__"),
        cw_kubernetes_address(ip, cw_kubernetes_number(port, "port", all->arena), all->arena));
    if (all->view->nodes) {
        if (node.len == 0 && cw_str_eqz(cw_kubernetes_text(reference, "kind", all->arena), "Node"))
            node = cw_kubernetes_text(reference, "name", all->arena);
        cw_kubernetes_node_set(found, all->view, node);
    }
    if (pod == NULL)
        return;
    cw_kubernetes_pod_set(found, pod->object);
    each_port(pod->object, port_match, &(struct wanted_port){found, number});
    pod->ports = cw_arena_grow(all->arena, pod->ports, pod->nports, &pod->ports_cap,
                               pod->nports + 1, sizeof *pod->ports);
    pod->ports[pod->nports++] = number;
}

struct other_ports {
    struct endpoints *all;
    const struct backing_pod *pod;
};

static void other_port_add(void *arg, const json_t *container, bool init, const json_t *port)
{
    const struct other_ports *others = arg;
    struct endpoints *all = others->all;
    for (size_t i = 0; i < others->pod->nports; i++)
        if (others->pod->ports[i] == number_of(port, "containerPort"))
            return;
    struct cw_target_labels *found = &cw_kubernetes_found_add(all->out, &all->labels)->labels;
    cw_kubernetes_pod_set(found, others->pod->object);
    cw_kubernetes_container_set(found, container, init);
    cw_kubernetes_port_set(found, port);
    cw_target_labels_set(
        found, CW_STR("__address__"),
        cw_kubernetes_address(cw_target_labels_get(found, CW_STR(META "pod_ip")),
                              cw_kubernetes_number(port, "containerPort", all->arena), all->arena));
}

static void end(struct endpoints *all)
{
    for (size_t i = 0; i < all->npods; i++) {
        struct other_ports others = {all, &all->pods[i]};
        each_port(all->pods[i].object, other_port_add, &others);
        json_decref(all->pods[i].object);
    }
}

/* ---- endpoints ---- */

static void addresses_add(struct endpoints *all, const json_t *addresses, const json_t *port,
                          struct cw_str ready)
{
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        const json_t *address = json_array_get(addresses, i);
        const json_t *reference = json_object_get(address, "targetRef");
        struct cw_target_labels labels = cw_target_labels_copy(&all->labels, all->arena);
        cw_target_labels_set(&labels, CW_STR(META "endpoint_ready"), ready);
        cw_kubernetes_text_set(&labels, META "endpoint_port_name", port, "name");
        cw_kubernetes_text_set(&labels, META "endpoint_port_protocol", port, "protocol");
        cw_kubernetes_text_set(&labels, META "endpoint_hostname", address, "hostname");
        cw_kubernetes_text_set(&labels, META "endpoint_node_name", address, "nodeName");
        cw_kubernetes_text_set(&labels, META "endpoint_address_target_kind", reference, "kind");
        cw_kubernetes_text_set(&labels, META "endpoint_address_target_name", reference, "name");
        endpoint_add(all, &labels, cw_kubernetes_text(address, "ip", all->arena), port, reference,
                     cw_kubernetes_text(address, "nodeName", all->arena));
    }
}

void cw_kubernetes_endpoints_decode(const json_t *endpoints, const struct cw_kubernetes_view *view,
                                    struct cw_arena *arena, struct cw_kubernetes_object *out)
{
    struct endpoints all = {.view = view, .arena = arena, .out = out};
    const json_t *subsets = json_object_get(endpoints, "subsets");
    begin(&all, endpoints, "endpoints",
          cw_kubernetes_text(json_object_get(endpoints, "metadata"), "name", arena));
    for (size_t i = 0; i < json_array_size(subsets); i++) {
        const json_t *subset = json_array_get(subsets, i),
                     *ports = json_object_get(subset, "ports");
        for (size_t k = 0; k < json_array_size(ports); k++) {
            const json_t *port = json_array_get(ports, k);
            addresses_add(&all, json_object_get(subset, "addresses"), port, CW_STR("true"));
            addresses_add(&all, json_object_get(subset, "notReadyAddresses"), port,
                          CW_STR("false"));
        }
    }
    end(&all);
}

/* ---- endpoint slices ---- */

#define SLICE META "endpointslice_"

static void condition_set(struct cw_target_labels *labels, const char *name,
                          const json_t *conditions, const char *key)
{
    const json_t *value = json_object_get(conditions, key);
    if (json_is_boolean(value))
        cw_target_labels_set(labels, cw_str_of(name),
                             json_is_true(value) ? CW_STR("true") : CW_STR("false"));
}

static void slice_endpoint_add(struct endpoints *all, const json_t *endpoint, const json_t *port)
{
    const json_t *reference = json_object_get(endpoint, "targetRef");
    const json_t *conditions = json_object_get(endpoint, "conditions");
    const json_t *addresses = json_object_get(endpoint, "addresses");
    struct cw_arena *arena = all->arena;
    struct cw_target_labels labels = cw_target_labels_copy(&all->labels, arena);
    cw_kubernetes_text_set(&labels, SLICE "port_name", port, "name");
    cw_kubernetes_text_set(&labels, SLICE "port_protocol", port, "protocol");
    cw_kubernetes_text_set(&labels, SLICE "port_app_protocol", port, "appProtocol");
    cw_target_labels_set(&labels, CW_STR(SLICE "port"), cw_kubernetes_number(port, "port", arena));
    condition_set(&labels, SLICE "endpoint_conditions_ready", conditions, "ready");
    condition_set(&labels, SLICE "endpoint_conditions_serving", conditions, "serving");
    condition_set(&labels, SLICE "endpoint_conditions_terminating", conditions, "terminating");
    cw_kubernetes_text_set(&labels, SLICE "endpoint_hostname", endpoint, "hostname");
    cw_kubernetes_text_set(&labels, SLICE "endpoint_node_name", endpoint, "nodeName");
    cw_kubernetes_text_set(&labels, SLICE "endpoint_zone", endpoint, "zone");
    cw_kubernetes_text_set(&labels, SLICE "address_target_kind", reference, "kind");
    cw_kubernetes_text_set(&labels, SLICE "address_target_name", reference, "name");
    for (size_t i = 0; i < json_array_size(addresses); i++) {
        const json_t *ip = json_array_get(addresses, i);
        if (json_is_string(ip))
            endpoint_add(
                all, &labels,
                cw_arena_dup(arena, cw_str_make(json_string_value(ip), json_string_length(ip))),
                port, reference, cw_kubernetes_text(endpoint, "nodeName", arena));
    }
}

void cw_kubernetes_endpointslice_decode(const json_t *slice, const struct cw_kubernetes_view *view,
                                        struct cw_arena *arena, struct cw_kubernetes_object *out)
{
    struct endpoints all = {.view = view, .arena = arena, .out = out};
    const json_t *labels = json_object_get(json_object_get(slice, "metadata"), "labels");
    const json_t *endpoints = json_object_get(slice, "endpoints");
    const json_t *ports = json_object_get(slice, "ports");
    begin(&all, slice, "endpointslice",
          cw_kubernetes_text(labels, "kubernetes.io/service-name", arena));
    cw_kubernetes_text_set(&all.labels, SLICE "address_type", slice, "addressType");
    for (size_t i = 0; i < json_array_size(ports); i++)
        for (size_t k = 0; k < json_array_size(endpoints); k++)
            slice_endpoint_add(&all, json_array_get(endpoints, k), json_array_get(ports, i));
    end(&all);
}
