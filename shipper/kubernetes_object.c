#include "shipper/kubernetes_object.h"
#include <inttypes.h>
#include "common/base/assert.h"

#define META "__meta_kubernetes_"

struct cw_str cw_kubernetes_text(const json_t *object, const char *key, struct cw_arena *arena)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return CW_STR_NONE;
    return cw_arena_dup(arena, cw_str_make(json_string_value(value), json_string_length(value)));
}

static void text_set(struct cw_target_labels *labels, const char *name, const json_t *object,
                     const char *key)
{
    cw_target_labels_set(labels, cw_str_of(name), cw_kubernetes_text(object, key, labels->arena));
}

/* <prefix>label_x and <prefix>labelpresent_x, and the same of annotations. */
static void names_set(struct cw_target_labels *labels, const char *prefix, const char *what,
                      const json_t *map)
{
    struct cw_arena *arena = labels->arena;
    const char *value_prefix = cw_arena_printf(arena, "%s%s_", prefix, what).ptr;
    const char *present_prefix = cw_arena_printf(arena, "%s%spresent_", prefix, what).ptr;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value)
    {
        cw_target_labels_set_meta(labels, value_prefix, cw_str_of(name),
                                  cw_kubernetes_text(map, name, arena));
        cw_target_labels_set_meta(labels, present_prefix, cw_str_of(name), CW_STR("true"));
    }
}

static void metadata_set(struct cw_target_labels *labels, const char *prefix,
                         const json_t *metadata)
{
    names_set(labels, prefix, "label", json_object_get(metadata, "labels"));
    names_set(labels, prefix, "annotation", json_object_get(metadata, "annotations"));
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
        text_set(labels, META "pod_controller_kind", owner, "kind");
        text_set(labels, META "pod_controller_name", owner, "name");
        return;
    }
}

static struct cw_target_labels pod_labels(const json_t *pod, struct cw_arena *arena)
{
    const json_t *metadata = json_object_get(pod, "metadata");
    const json_t *status = json_object_get(pod, "status");
    struct cw_target_labels labels = cw_target_labels_make(arena);
    text_set(&labels, META "namespace", metadata, "namespace");
    text_set(&labels, META "pod_name", metadata, "name");
    text_set(&labels, META "pod_uid", metadata, "uid");
    text_set(&labels, META "pod_ip", status, "podIP");
    text_set(&labels, META "pod_phase", status, "phase");
    text_set(&labels, META "pod_host_ip", status, "hostIP");
    text_set(&labels, META "pod_node_name", json_object_get(pod, "spec"), "nodeName");
    cw_target_labels_set(&labels, CW_STR(META "pod_ready"), ready_text(status));
    controller_set(&labels, metadata);
    metadata_set(&labels, META "pod_", metadata);
    return labels;
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
    text_set(labels, "namespace", metadata, "namespace");
    text_set(labels, "pod", metadata, "name");
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

static struct cw_str address_text(struct cw_str ip, const json_t *port, struct cw_arena *arena)
{
    const json_t *number = json_object_get(port, "containerPort");
    if (ip.len == 0 || !json_is_integer(number))
        return ip;
    return cw_arena_printf(arena,
                           cw_str_find_byte(ip, ':') >= 0 ? "[%.*s]:%" PRId64 : "%.*s:%" PRId64,
                           CW_STR_ARG(ip), (int64_t)json_integer_value(number));
}

static void port_set(struct cw_target_labels *labels, const json_t *port)
{
    const json_t *number = json_object_get(port, "containerPort");
    text_set(labels, META "pod_container_port_name", port, "name");
    text_set(labels, META "pod_container_port_protocol", port, "protocol");
    if (json_is_integer(number))
        cw_target_labels_set(
            labels, CW_STR(META "pod_container_port_number"),
            cw_arena_printf(labels->arena, "%" PRId64, (int64_t)json_integer_value(number)));
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
    size_t cap;
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
    cw_target_labels_set(&labels, CW_STR(META "pod_container_name"), name);
    cw_target_labels_set(&labels, CW_STR(META "pod_container_id"),
                         container_id(statuses, name, arena));
    text_set(&labels, META "pod_container_image", container, "image");
    cw_target_labels_set(&labels, CW_STR(META "pod_container_init"),
                         list->init ? CW_STR("true") : CW_STR("false"));
    if (pod->plain)
        plain_set(&labels, json_object_get(pod->object, "metadata"), name);
    /* Without rules that tell ports apart, they are all the same files. */
    size_t nports = json_array_size(ports), n = pod->plain || nports == 0 ? 1 : nports;
    for (size_t i = 0; i < n; i++) {
        struct cw_kubernetes_object *out = pod->out;
        out->found = cw_arena_grow(arena, out->found, out->nfound, &pod->cap, out->nfound + 1,
                                   sizeof *out->found);
        struct cw_found *found = &out->found[out->nfound++];
        *found =
            (struct cw_found){.labels = cw_target_labels_copy(&labels, arena), .name = out->key};
        cw_target_labels_set(&found->labels, CW_STR("__address__"),
                             address_text(ip, json_array_get(ports, i), arena));
        if (nports > 0)
            port_set(&found->labels, json_array_get(ports, i));
    }
}

static void pod_decode(const json_t *object, bool plain, struct cw_arena *arena,
                       struct cw_kubernetes_object *out)
{
    struct pod pod = {object, pod_labels(object, arena), plain, out, 0};
    for (size_t i = 0; i < CW_COUNT(container_lists); i++) {
        const json_t *list =
            json_object_get(json_object_get(object, "spec"), container_lists[i].list);
        for (size_t k = 0; k < json_array_size(list); k++)
            container_decode(&pod, &container_lists[i], json_array_get(list, k));
    }
}

/* ---- nodes ---- */

static void addresses_set(struct cw_target_labels *labels, const json_t *status)
{
    const json_t *addresses = json_object_get(status, "addresses");
    for (size_t i = json_array_size(addresses); i-- > 0;) { /* of a type the first stays */
        const json_t *address = json_array_get(addresses, i);
        struct cw_str text = cw_kubernetes_text(address, "address", labels->arena);
        struct cw_str type = cw_kubernetes_text(address, "type", labels->arena);
        cw_target_labels_set_meta(labels, META "node_address_", type, text);
        if (cw_str_eqz(type, "InternalIP"))
            cw_target_labels_set(labels, CW_STR("__address__"), text);
    }
}

static void node_decode(const json_t *node, struct cw_arena *arena,
                        struct cw_kubernetes_object *out)
{
    const json_t *metadata = json_object_get(node, "metadata");
    struct cw_target_labels labels = cw_target_labels_make(arena);
    text_set(&labels, META "node_name", metadata, "name");
    text_set(&labels, "instance", metadata, "name");
    text_set(&labels, META "node_provider_id", json_object_get(node, "spec"), "providerID");
    metadata_set(&labels, META "node_", metadata);
    addresses_set(&labels, json_object_get(node, "status"));
    out->found = CW_ARENA_NEW(arena, struct cw_found);
    out->found[0] = (struct cw_found){.labels = labels, .name = out->key};
    out->nfound = 1;
}

bool cw_kubernetes_object_decode(const json_t *object, int role, bool plain, struct cw_arena *arena,
                                 struct cw_kubernetes_object *out)
{
    const json_t *metadata = json_object_get(object, "metadata");
    struct cw_str name = cw_kubernetes_text(metadata, "name", arena);
    struct cw_str namespace = cw_kubernetes_text(metadata, "namespace", arena);
    if (name.len == 0)
        return false;
    *out = (struct cw_kubernetes_object){
        .key = cw_arena_printf(arena, "%.*s/%.*s", CW_STR_ARG(namespace), CW_STR_ARG(name))};
    if (role == CW_KUBERNETES_POD)
        pod_decode(object, plain, arena, out);
    else
        node_decode(object, arena, out);
    return true;
}
