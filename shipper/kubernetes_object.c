#include "shipper/kubernetes_object.h"
#include <inttypes.h>
#include <stdlib.h>
#include "common/base/assert.h"

#define META CW_KUBERNETES_META

struct cw_str cw_kubernetes_text(const json_t *object, const char *key, struct cw_arena *arena)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return CW_STR_NONE;
    return cw_arena_dup(arena, cw_str_make(json_string_value(value), json_string_length(value)));
}

void cw_kubernetes_text_set(struct cw_target_labels *labels, const char *name, const json_t *object,
                            const char *key)
{
    cw_target_labels_set(labels, cw_str_of(name), cw_kubernetes_text(object, key, labels->arena));
}

struct cw_str cw_kubernetes_number(const json_t *object, const char *key, struct cw_arena *arena)
{
    const json_t *number = json_object_get(object, key);
    if (!json_is_integer(number))
        return CW_STR_NONE;
    return cw_arena_printf(arena, "%" PRId64, (int64_t)json_integer_value(number));
}

struct cw_str cw_kubernetes_address(struct cw_str host, struct cw_str port, struct cw_arena *arena)
{
    if (host.len == 0 || port.len == 0)
        return host;
    return cw_arena_printf(arena, cw_str_find_byte(host, ':') >= 0 ? "[%.*s]:%.*s" : "%.*s:%.*s",
                           CW_STR_ARG(host), CW_STR_ARG(port));
}

/* <prefix>label_x and <prefix>labelpresent_x, and the same of annotations. */
static void names_set(struct cw_target_labels *labels, const char *kind, const char *what,
                      const json_t *map)
{
    struct cw_arena *arena = labels->arena;
    const char *value_prefix = cw_arena_printf(arena, META "%s_%s_", kind, what).ptr;
    const char *present_prefix = cw_arena_printf(arena, META "%s_%spresent_", kind, what).ptr;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        cw_target_labels_set_meta(labels, value_prefix, cw_str_of(name),
                                  cw_kubernetes_text(map, name, arena));
        cw_target_labels_set_meta(labels, present_prefix, cw_str_of(name), CW_STR("true"));
    }
}

void cw_kubernetes_metadata_set(struct cw_target_labels *labels, const char *kind,
                                const json_t *metadata)
{
    cw_kubernetes_text_set(labels, cw_arena_printf(labels->arena, META "%s_name", kind).ptr,
                           metadata, "name");
    names_set(labels, kind, "label", json_object_get(metadata, "labels"));
    names_set(labels, kind, "annotation", json_object_get(metadata, "annotations"));
}

struct cw_found *cw_kubernetes_found_add(struct cw_kubernetes_object *out,
                                         const struct cw_target_labels *labels)
{
    out->found = cw_arena_grow(labels->arena, out->found, out->nfound, &out->found_cap,
                               out->nfound + 1, sizeof *out->found);
    struct cw_found *found = &out->found[out->nfound++];
    *found =
        (struct cw_found){.labels = cw_target_labels_copy(labels, labels->arena), .name = out->key};
    return found;
}

json_t *cw_kubernetes_find(const struct cw_kubernetes_view *view, int kind, struct cw_str namespace,
                           struct cw_str name, struct cw_arena *arena)
{
    struct cw_str key =
        cw_arena_printf(arena, "%.*s/%.*s", CW_STR_ARG(namespace), CW_STR_ARG(name));
    struct cw_str text = view->find != NULL ? view->find(view->arg, kind, key) : CW_STR_NONE;
    return text.len > 0 ? json_loadb(text.ptr, text.len, JSON_ALLOW_NUL, NULL) : NULL;
}

/* ---- pods ---- */

static struct cw_str ready_text(const json_t *status)
{
    const json_t *conditions = json_object_get(status, "conditions");
    for (size_t i = 0; i < json_array_size(conditions); i++) {
        const json_t *condition = json_array_get(conditions, i);
        const char *type = json_string_value(json_object_get(condition, "type"));
        const char *state = json_string_value(json_object_get(condition, "status"));
        if (type != NULL && state != NULL && strcmp(type, "Ready") == 0)
            return strcmp(state, "True") == 0    ? CW_STR("true")
                   : strcmp(state, "False") == 0 ? CW_STR("false")
                                                 : CW_STR("unknown");
    }
    return CW_STR("unknown");
}

static void controller_set(struct cw_target_labels *labels, const json_t *metadata)
{
    const json_t *owners = json_object_get(metadata, "ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);
        if (!json_is_true(json_object_get(owner, "controller")))
            continue;
        cw_kubernetes_text_set(labels, META "pod_controller_kind", owner, "kind");
        cw_kubernetes_text_set(labels, META "pod_controller_name", owner, "name");
        return;
    }
}

void cw_kubernetes_pod_set(struct cw_target_labels *labels, const json_t *pod)
{
    const json_t *metadata = json_object_get(pod, "metadata");
    const json_t *status = json_object_get(pod, "status");
    cw_kubernetes_text_set(labels, META "namespace", metadata, "namespace");
    cw_kubernetes_text_set(labels, META "pod_uid", metadata, "uid");
    cw_kubernetes_text_set(labels, META "pod_ip", status, "podIP");
    cw_kubernetes_text_set(labels, META "pod_phase", status, "phase");
    cw_kubernetes_text_set(labels, META "pod_host_ip", status, "hostIP");
    cw_kubernetes_text_set(labels, META "pod_node_name", json_object_get(pod, "spec"), "nodeName");
    cw_target_labels_set(labels, CW_STR(META "pod_ready"), ready_text(status));
    controller_set(labels, metadata);
    cw_kubernetes_metadata_set(labels, "pod", metadata);
}

/* The folder of a pod that the node's kubelet runs from a file is named by the file's hash. */
static struct cw_str folder_uid(const json_t *metadata, struct cw_arena *arena)
{
    struct cw_str mirror = cw_kubernetes_text(json_object_get(metadata, "annotations"),
                                              "kubernetes.io/config.mirror", arena);
    return mirror.len > 0 ? mirror : cw_kubernetes_text(metadata, "uid", arena);
}

static struct cw_str app_of(const json_t *metadata, struct cw_arena *arena)
{
    static const char *const names[] = {"app.kubernetes.io/name", "app", "k8s-app"};
    struct cw_str app = CW_STR_NONE;
    for (size_t i = 0; i < CW_COUNT(names) && app.len == 0; i++)
        app = cw_kubernetes_text(json_object_get(metadata, "labels"), names[i], arena);
    return app;
}

/* What a plain configuration gives. */
static void plain_set(struct cw_target_labels *labels, const json_t *metadata,
                      struct cw_str container)
{
    struct cw_arena *arena = labels->arena;
    cw_kubernetes_text_set(labels, "namespace", metadata, "namespace");
    cw_kubernetes_text_set(labels, "pod", metadata, "name");
    cw_target_labels_set(labels, CW_STR("container"), container);
    cw_target_labels_set(labels, CW_STR("app"), app_of(metadata, arena));
    cw_target_labels_set(labels, CW_STR("__path__"),
                         cw_arena_printf(arena, "/var/log/pods/*%.*s/%.*s/*.log",
                                         CW_STR_ARG(folder_uid(metadata, arena)),
                                         CW_STR_ARG(container)));
}

static struct cw_str container_id(const json_t *statuses, struct cw_str name,
                                  struct cw_arena *arena)
{
    for (size_t i = 0; i < json_array_size(statuses); i++) {
        const json_t *status = json_array_get(statuses, i);
        if (cw_str_eq(cw_kubernetes_text(status, "name", arena), name))
            return cw_kubernetes_text(status, "containerID", arena);
    }
    return CW_STR_NONE;
}

void cw_kubernetes_port_set(struct cw_target_labels *labels, const json_t *port)
{
    cw_kubernetes_text_set(labels, META "pod_container_port_name", port, "name");
    cw_kubernetes_text_set(labels, META "pod_container_port_protocol", port, "protocol");
    cw_target_labels_set(labels, CW_STR(META "pod_container_port_number"),
                         cw_kubernetes_number(port, "containerPort", labels->arena));
}

void cw_kubernetes_container_set(struct cw_target_labels *labels, const json_t *container,
                                 bool init)
{
    cw_kubernetes_text_set(labels, META "pod_container_name", container, "name");
    cw_kubernetes_text_set(labels, META "pod_container_image", container, "image");
    cw_target_labels_set(labels, CW_STR(META "pod_container_init"),
                         init ? CW_STR("true") : CW_STR("false"));
}

struct containers {
    const char *list, *statuses; /* in spec, in status */
    bool init;
};
static const struct containers container_lists[] = {
    {"containers", "containerStatuses", false},
    {"initContainers", "initContainerStatuses", true},
    {"ephemeralContainers", "ephemeralContainerStatuses", false},
};

struct pod {
    const json_t *object;
    struct cw_target_labels labels;
    bool plain;
    struct cw_kubernetes_object *out;
};

static void container_decode(struct pod *pod, const struct containers *list,
                             const json_t *container)
{
    struct cw_arena *arena = pod->labels.arena;
    struct cw_target_labels labels = cw_target_labels_copy(&pod->labels, arena);
    struct cw_str name = cw_kubernetes_text(container, "name", arena);
    struct cw_str ip = cw_target_labels_get(&labels, CW_STR(META "pod_ip"));
    const json_t *ports = json_object_get(container, "ports");
    const json_t *statuses =
        json_object_get(json_object_get(pod->object, "status"), list->statuses);
    cw_kubernetes_container_set(&labels, container, list->init);
    cw_target_labels_set(&labels, CW_STR(META "pod_container_id"),
                         container_id(statuses, name, arena));
    if (pod->plain)
        plain_set(&labels, json_object_get(pod->object, "metadata"), name);
    /* Without rules that tell ports apart, they are all the same files. */
    size_t nports = json_array_size(ports), n = pod->plain || nports == 0 ? 1 : nports;
    for (size_t i = 0; i < n; i++) {
        const json_t *port = json_array_get(ports, i);
        struct cw_found *found = cw_kubernetes_found_add(pod->out, &labels);
        struct cw_str number = cw_kubernetes_number(port, "containerPort", arena);
        cw_target_labels_set(&found->labels, CW_STR("__address__"),
                             cw_kubernetes_address(ip, number, arena));
        if (port != NULL)
            cw_kubernetes_port_set(&found->labels, port);
    }
}

static void pod_decode(const json_t *object, const struct cw_kubernetes_view *view,
                       struct cw_arena *arena, struct cw_kubernetes_object *out)
{
    struct pod pod = {object, cw_target_labels_make(arena), view->plain, out};
    const json_t *spec = json_object_get(object, "spec");
    cw_kubernetes_pod_set(&pod.labels, object);
    if (view->nodes)
        cw_kubernetes_node_set(&pod.labels, view, cw_kubernetes_text(spec, "nodeName", arena));
    for (size_t i = 0; i < CW_COUNT(container_lists); i++) {
        const json_t *list = json_object_get(spec, container_lists[i].list);
        for (size_t k = 0; k < json_array_size(list); k++)
            container_decode(&pod, &container_lists[i], json_array_get(list, k));
    }
}

/* ---- nodes ---- */

void cw_kubernetes_node_set(struct cw_target_labels *labels, const struct cw_kubernetes_view *view,
                            struct cw_str name)
{
    json_t *node = name.len > 0 ? cw_kubernetes_find(view, CW_KUBERNETES_NODE, CW_STR_NONE, name,
                                                     labels->arena)
                                : NULL;
    cw_kubernetes_metadata_set(labels, "node", json_object_get(node, "metadata"));
    json_decref(node);
}

static void addresses_set(struct cw_target_labels *labels, const json_t *status)
{
    /* By falling preference: __address__ is of the first that there is. */
    static const char *const types[] = {"InternalIP",  "InternalDNS",  "ExternalIP",
                                        "ExternalDNS", "LegacyHostIP", "Hostname"};
    const json_t *addresses = json_object_get(status, "addresses");
    const json_t *kubelet =
        json_object_get(json_object_get(status, "daemonEndpoints"), "kubeletEndpoint");
    struct cw_arena *arena = labels->arena;
    size_t best = CW_COUNT(types);
    for (size_t i = json_array_size(addresses); i-- > 0;) { /* of a type the first stays */
        const json_t *address = json_array_get(addresses, i);
        struct cw_str text = cw_kubernetes_text(address, "address", arena);
        struct cw_str type = cw_kubernetes_text(address, "type", arena);
        cw_target_labels_set_meta(labels, META "node_address_", type, text);
        for (size_t k = 0; k <= best && k < CW_COUNT(types); k++)
            if (cw_str_eqz(type, types[k])) {
                best = k;
                cw_target_labels_set(
                    labels, CW_STR("__address__"),
                    cw_kubernetes_address(text, cw_kubernetes_number(kubelet, "Port", arena),
                                          arena));
            }
    }
}

static void node_decode(const json_t *node, struct cw_arena *arena,
                        struct cw_kubernetes_object *out)
{
    const json_t *metadata = json_object_get(node, "metadata");
    struct cw_target_labels labels = cw_target_labels_make(arena);
    cw_kubernetes_text_set(&labels, "instance", metadata, "name");
    cw_kubernetes_text_set(&labels, META "node_provider_id", json_object_get(node, "spec"),
                           "providerID");
    cw_kubernetes_metadata_set(&labels, "node", metadata);
    addresses_set(&labels, json_object_get(node, "status"));
    cw_kubernetes_found_add(out, &labels);
}

/* ---- what is kept ---- */

/* A new object with these members of `from`. */
static json_t *only(const json_t *from, const char *const *names, size_t n)
{
    json_t *out = json_object();
    for (size_t i = 0; i < n; i++)
        if (json_object_get(from, names[i]) != NULL)
            json_object_set(out, names[i], json_object_get(from, names[i]));
    return out;
}
#define ONLY(from, ...)                                                                            \
    only(from, (const char *const[]){__VA_ARGS__},                                                 \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static json_t *containers_only(const json_t *list)
{
    json_t *out = json_array();
    for (size_t i = 0; i < json_array_size(list); i++)
        json_array_append_new(
            out, ONLY(json_array_get(list, i), "name", "image", "ports", "containerID"));
    return out;
}

static json_t *pod_only(const json_t *pod)
{
    const json_t *spec = json_object_get(pod, "spec"), *status = json_object_get(pod, "status");
    json_t *kept_spec = ONLY(spec, "nodeName");
    json_t *kept_status = ONLY(status, "podIP", "hostIP", "phase", "conditions");
    for (size_t i = 0; i < CW_COUNT(container_lists); i++) {
        const struct containers *list = &container_lists[i];
        json_object_set_new(kept_spec, list->list,
                            containers_only(json_object_get(spec, list->list)));
        json_object_set_new(kept_status, list->statuses,
                            containers_only(json_object_get(status, list->statuses)));
    }
    json_t *kept = json_object();
    json_object_set_new(kept, "spec", kept_spec);
    json_object_set_new(kept, "status", kept_status);
    return kept;
}

struct cw_str cw_kubernetes_essence(const json_t *object, int kind, struct cw_arena *arena)
{
    json_t *kept = kind == CW_KUBERNETES_POD
                       ? pod_only(object)
                       : ONLY(object, "subsets", "endpoints", "ports", "addressType");
    json_object_set_new(kept, "metadata",
                        ONLY(json_object_get(object, "metadata"), "name", "namespace", "uid",
                             "labels", "annotations", "ownerReferences"));
    char *text = json_dumps(kept, JSON_COMPACT | JSON_SORT_KEYS);
    CW_ASSERT(text != NULL); /* it was JSON */
    struct cw_str out = cw_arena_dup(arena, cw_str_of(text));
    free(text);
    json_decref(kept);
    return out;
}

/* ---- any ---- */

void cw_kubernetes_found_decode(const json_t *object, const struct cw_kubernetes_view *view,
                                struct cw_arena *arena, struct cw_kubernetes_object *out)
{
    switch (view->role) {
    case CW_KUBERNETES_POD: pod_decode(object, view, arena, out); break;
    case CW_KUBERNETES_NODE: node_decode(object, arena, out); break;
    case CW_KUBERNETES_SERVICE: cw_kubernetes_service_decode(object, arena, out); break;
    case CW_KUBERNETES_INGRESS: cw_kubernetes_ingress_decode(object, arena, out); break;
    case CW_KUBERNETES_ENDPOINTS: cw_kubernetes_endpoints_decode(object, view, arena, out); break;
    case CW_KUBERNETES_ENDPOINTSLICE:
        cw_kubernetes_endpointslice_decode(object, view, arena, out);
        break;
    }
}

bool cw_kubernetes_object_decode(const json_t *object, int kind,
                                 const struct cw_kubernetes_view *view, struct cw_arena *arena,
                                 struct cw_kubernetes_object *out)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct cw_str name = cw_kubernetes_text(metadata, "name", arena);
    struct cw_str namespace = cw_kubernetes_text(metadata, "namespace", arena);
    if (name.len == 0)
        return false;
    *out = (struct cw_kubernetes_object){
        .key = cw_arena_printf(arena, "%.*s/%.*s", CW_STR_ARG(namespace), CW_STR_ARG(name))};
    if (view->joins)
        out->text = cw_kubernetes_essence(object, kind, arena);
    else if (kind == view->role)
        cw_kubernetes_found_decode(object, view, arena, out);
    return true;
}
