/*
 * kubernetes_api.h - what the shipper asks of a Kubernetes API server, and how it reads the answers.
 * Pure: bytes in, values out.
 *
 * Labels are those that Prometheus' kubernetes_sd_configs give; a pod is one found thing for each container and each of its
 * ports.
 *
 * Errors     CW_E_INVALID: not such an answer. CW_E_NOT_FOUND: the server forgot the version that was asked for (410): list
 *            again. CW_E_FORBIDDEN, CW_E_UNAVAILABLE: what the server says. Any bytes are safe.
 * Ownership  Decoded text lives in the arena.
 */
#ifndef CW_SHIPPER_KUBERNETES_API_H
#define CW_SHIPPER_KUBERNETES_API_H
#include "shipper/discovery_config.h"
#include "shipper/targets.h"

/* A page of 500 pods; of them few are larger than 20 KB. */
#define CW_KUBERNETES_ANSWER_BYTES (32u << 20)
/* An object: etcd takes 1.5 MB. */
#define CW_KUBERNETES_OBJECT_BYTES (8u << 20)
#define CW_KUBERNETES_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"

/* How objects are looked at: what is discovered, and what is needed besides it. */
struct cw_kubernetes_view {
    int role;   /* enum cw_kubernetes_role: objects of other kinds are only kept */
    bool plain; /* labels and __path__ for who has no rules are there too */
    bool nodes; /* attach_metadata.node */
    bool joins; /* what is found depends on other objects: texts are kept, and decoded later on */
    /* The text of another object ("namespace/name"; a node's namespace is empty); ptr NULL: not known. NULL: none is. */
    struct cw_str (*find)(void *arg, int kind, struct cw_str key);
    void *arg;
};
/* Kinds that are to be known besides the role's own, for its labels; returns how many. */
size_t cw_kubernetes_joined(const struct cw_kubernetes_sd_config *config, int *kinds_out);
#define CW_KUBERNETES_JOINED_MAX 3

/* Where the server is, and as whom we come. */
struct cw_kubernetes_server {
    struct cw_str url; /* without a slash at its end */
    struct cw_http_access access;
    struct cw_str own_namespace; /* empty: not in a cluster */
};
/* As the configuration or its kubeconfig file says, or (without api_server) as a pod of a cluster finds it: by KUBERNETES_SERVICE_HOST and _PORT
 * and the files of its service account in `account`. */
int cw_kubernetes_server_find(const struct cw_kubernetes_sd_config *config, const char *account,
                              struct cw_arena *arena, struct cw_kubernetes_server *out,
                              struct cw_err *err) CW_MUST_USE;

struct cw_kubernetes_object {
    struct cw_str key;  /* namespace/name */
    struct cw_str text; /* what is kept of it; empty if the view does not join */
    bool deleted;
    struct cw_found *found; /* empty if the view joins, or it is not of the view's role */
    size_t nfound, found_cap;
};
struct cw_kubernetes_list {
    struct cw_str version; /* resourceVersion: where a watch goes on */
    struct cw_str more;    /* the token of the next page; empty: this was the last */
    struct cw_kubernetes_object *objects;
    size_t n;
};

/* `namespace` empty: all. `more` empty: the first page. */
void cw_kubernetes_list_url(const struct cw_kubernetes_sd_config *config, int kind,
                            struct cw_str server, struct cw_str namespace, struct cw_str more,
                            struct cw_buf *out);
void cw_kubernetes_watch_url(const struct cw_kubernetes_sd_config *config, int kind,
                             struct cw_str server, struct cw_str namespace, struct cw_str version,
                             int64_t timeout_s, struct cw_buf *out);

int cw_kubernetes_list_decode(struct cw_str body, int kind, const struct cw_kubernetes_view *view,
                              struct cw_arena *arena, struct cw_kubernetes_list *out,
                              struct cw_err *err) CW_MUST_USE;
/* A line of a watch: 1 with an object, 0 with only a version (a bookmark). */
int cw_kubernetes_event_decode(struct cw_str line, int kind, const struct cw_kubernetes_view *view,
                               struct cw_arena *arena, struct cw_kubernetes_object *out,
                               struct cw_str *version_out, struct cw_err *err) CW_MUST_USE;
/* What is found of an object of the view's role, by its key and its kept text. */
void cw_kubernetes_text_decode(struct cw_str key, struct cw_str text,
                               const struct cw_kubernetes_view *view, struct cw_arena *arena,
                               struct cw_kubernetes_object *out);
/* What a status other than 200 means, with the server's words. */
int cw_kubernetes_status(int status, struct cw_str body, struct cw_err *err) CW_MUST_USE;

#endif
