/*
 * kubernetes_store.h - the objects that one watch knows, as text, for what is made of several: endpoints of pods and services,
 * pods of nodes.
 *
 * Ownership  The store's; a text is good until its object is put again or removed.
 */
#ifndef CW_SHIPPER_KUBERNETES_STORE_H
#define CW_SHIPPER_KUBERNETES_STORE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"

struct cw_kubernetes_store;

struct cw_kubernetes_store *cw_kubernetes_store_new(void);
/* NULL is fine. */
void cw_kubernetes_store_free(struct cw_kubernetes_store **store);
/* True: it is new, or another text. */
bool cw_kubernetes_store_put(struct cw_kubernetes_store *store, struct cw_str key,
                             struct cw_str text);
bool cw_kubernetes_store_remove(struct cw_kubernetes_store *store, struct cw_str key);
/* ptr NULL: it is not there. */
struct cw_str cw_kubernetes_store_get(const struct cw_kubernetes_store *store, struct cw_str key);

/* By position, in no promised order, between changes. */
size_t cw_kubernetes_store_count(const struct cw_kubernetes_store *store);
struct cw_str cw_kubernetes_store_at(const struct cw_kubernetes_store *store, size_t at,
                                     struct cw_str *key_out);

/* What an object was made of: hashes, copied. */
void cw_kubernetes_store_refer(struct cw_kubernetes_store *store, struct cw_str key,
                               const uint64_t *refs, size_t n);
bool cw_kubernetes_store_refers(const struct cw_kubernetes_store *store, size_t at, uint64_t ref);

/* Objects that are not put between the two are gone: the sweep calls `gone` for each, then removes it. */
void cw_kubernetes_store_begin(struct cw_kubernetes_store *store);
void cw_kubernetes_store_sweep(struct cw_kubernetes_store *store,
                               void (*gone)(void *arg, struct cw_str key), void *arg);

#endif
