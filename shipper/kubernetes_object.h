/*
 * kubernetes_object.h - a pod or a node, as JSON of the API, into what may be read of it.
 */
#ifndef CW_SHIPPER_KUBERNETES_OBJECT_H
#define CW_SHIPPER_KUBERNETES_OBJECT_H
#include <jansson.h>
#include "shipper/kubernetes_api.h"

/* False: it has no name. */
bool cw_kubernetes_object_decode(const json_t *object, int role, bool plain, struct cw_arena *arena,
                                 struct cw_kubernetes_object *out);
/* A text member, in the arena; empty when there is none. */
struct cw_str cw_kubernetes_text(const json_t *object, const char *key, struct cw_arena *arena);

#endif
