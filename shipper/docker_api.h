/*
 * docker_api.h - what the shipper asks of the Docker Engine API, and how it reads the answers.
 * Pure: bytes in, values out.
 *
 * Labels are those that Prometheus' docker_sd_configs give: __meta_docker_container_id, _name, _network_mode and _label_*, and
 * of one of its networks and one of its TCP ports __meta_docker_network_* and __meta_docker_port_*, with __address__.
 *
 * Errors     CW_E_INVALID: not such an answer. Any bytes are safe.
 * Ownership  Decoded text lives in the arena.
 */
#ifndef CW_SHIPPER_DOCKER_API_H
#define CW_SHIPPER_DOCKER_API_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "shipper/discovery_config.h"
#include "shipper/target_labels.h"

/* A list of 10,000 containers with their labels. */
#define CW_DOCKER_ANSWER_BYTES (32u << 20)

struct cw_docker_network {
    struct cw_str id;
    struct cw_target_labels labels; /* __meta_docker_network_* but its ip */
};
struct cw_docker_networks {
    struct cw_docker_network *items;
    size_t n;
};

enum cw_docker_wish { CW_DOCKER_NO_WISH, CW_DOCKER_ENABLE, CW_DOCKER_DISABLE };
struct cw_docker_container {
    struct cw_str id;               /* 64 hex digits */
    struct cw_str name;             /* without the slash */
    struct cw_target_labels labels; /* __meta_docker_* */
    struct cw_labels plain;         /* container, image, compose_*, swarm_*: for who has no rules */
    enum cw_docker_wish wish;       /* its label cordwood.enable */
    struct cw_str pipeline;         /* its label cordwood.pipeline */
    bool running;
};

/* Where a container's lines are. */
struct cw_docker_log {
    struct cw_str driver; /* "json-file", "local", ... */
    struct cw_str
        path; /* its file of json-file or local; empty before the first start, and of other drivers */
    bool tty; /* its output is one stream of bytes, without headers */
};

/* "http://docker" for a socket, else the address as an HTTP URL; *socket_out is the socket's path or NULL. */
void cw_docker_base_url(const struct cw_docker_sd_config *config, struct cw_buf *out,
                        const char **socket_out);
/* Each appends to the base URL. */
void cw_docker_networks_url(struct cw_buf *url);
void cw_docker_list_url(const struct cw_docker_sd_config *config, struct cw_buf *url);
/* Events from `since_s` (seconds since the epoch) on, without an end. */
void cw_docker_events_url(int64_t since_s, struct cw_buf *url);
void cw_docker_inspect_url(struct cw_str id, struct cw_buf *url);
/* Both streams from `since_s` (0: all) on, with times; `follow`: without an end while it runs. */
void cw_docker_logs_url(struct cw_str id, int64_t since_s, bool follow, struct cw_buf *url);

int cw_docker_networks_decode(struct cw_str body, struct cw_arena *arena,
                              struct cw_docker_networks *out, struct cw_err *err) CW_MUST_USE;
int cw_docker_list_decode(struct cw_str body, const struct cw_docker_sd_config *config,
                          const struct cw_docker_networks *networks, struct cw_arena *arena,
                          struct cw_docker_container **out, size_t *n_out,
                          struct cw_err *err) CW_MUST_USE;
int cw_docker_inspect_decode(struct cw_str body, struct cw_arena *arena, struct cw_docker_log *out,
                             struct cw_err *err) CW_MUST_USE;

#endif
