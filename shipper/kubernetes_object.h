/*
 * kubernetes_object.h - an object of the API (a pod, a node, a service, endpoints, an ingress), as JSON, into what may be read
 * of it, by Prometheus' names.
 *
 * kubernetes_object.c has pods and nodes, kubernetes_service.c services and ingresses, kubernetes_endpoints.c endpoints and
 * endpoint slices.
 */
#ifndef CW_SHIPPER_KUBERNETES_OBJECT_H
#define CW_SHIPPER_KUBERNETES_OBJECT_H
#include <jansson.h>
#include "shipper/kubernetes_api.h"

#define CW_KUBERNETES_META "__meta_kubernetes_"

/* False: it has no name. If the view joins, its text is kept; otherwise, if it is of the view's role, what is found is decoded. */
bool cw_kubernetes_object_decode(const json_t *object, int kind,
                                 const struct cw_kubernetes_view *view, struct cw_arena *arena,
                                 struct cw_kubernetes_object *out);
/* What is found of an object of the view's role. */
void cw_kubernetes_found_decode(const json_t *object, const struct cw_kubernetes_view *view,
                                struct cw_arena *arena, struct cw_kubernetes_object *out);

/* ---- for those who decode one kind ---- */

/* A text member, in the arena; empty when there is none. */
struct cw_str cw_kubernetes_text(const json_t *object, const char *key, struct cw_arena *arena);
/* Set a label from a text member. */
void cw_kubernetes_text_set(struct cw_target_labels *labels, const char *name, const json_t *object,
                            const char *key);
/* A number as text; empty when the member is none. */
struct cw_str cw_kubernetes_number(const json_t *object, const char *key, struct cw_arena *arena);
/* "host:port", brackets around IPv6; without a port the host. */
struct cw_str cw_kubernetes_address(struct cw_str host, struct cw_str port, struct cw_arena *arena);
/* <META><kind>_name, _label_*, _labelpresent_*, _annotation_*, _annotationpresent_*. */
void cw_kubernetes_metadata_set(struct cw_target_labels *labels, const char *kind,
                                const json_t *metadata);
/* One more found thing with a copy of these labels. */
struct cw_found *cw_kubernetes_found_add(struct cw_kubernetes_object *out,
                                         const struct cw_target_labels *labels);
/* Another object by "namespace/name" (a node by "/name"); NULL when it is not known. json_decref() it. */
json_t *cw_kubernetes_find(const struct cw_kubernetes_view *view, int kind, struct cw_str namespace,
                           struct cw_str name, struct cw_arena *arena);
/* attach_metadata: the labels of the node of this name. */
void cw_kubernetes_node_set(struct cw_target_labels *labels, const struct cw_kubernetes_view *view,
                            struct cw_str name);
/* All labels of a pod that are not a container's. */
void cw_kubernetes_pod_set(struct cw_target_labels *labels, const json_t *pod);
/* A container's, and of its port, if it has one (NULL). */
void cw_kubernetes_container_set(struct cw_target_labels *labels, const json_t *container,
                                 bool init);
void cw_kubernetes_port_set(struct cw_target_labels *labels, const json_t *port);

void cw_kubernetes_service_decode(const json_t *service, struct cw_arena *arena,
                                  struct cw_kubernetes_object *out);
void cw_kubernetes_ingress_decode(const json_t *ingress, struct cw_arena *arena,
                                  struct cw_kubernetes_object *out);
void cw_kubernetes_endpoints_decode(const json_t *endpoints, const struct cw_kubernetes_view *view,
                                    struct cw_arena *arena, struct cw_kubernetes_object *out);
void cw_kubernetes_endpointslice_decode(const json_t *slice, const struct cw_kubernetes_view *view,
                                        struct cw_arena *arena, struct cw_kubernetes_object *out);

/* What of an object is kept for joins, as JSON text. */
struct cw_str cw_kubernetes_essence(const json_t *object, int kind, struct cw_arena *arena);

#endif
