/*
 * docker_api.h - what the shipper asks of the Docker Engine API, and how it reads the answers.
 * Pure: bytes in, values out.
 *
 * Errors     CW_E_INVALID: not such an answer. Any bytes are safe.
 * Ownership  Decoded text lives in the arena.
 */
#ifndef CW_SHIPPER_DOCKER_API_H
#define CW_SHIPPER_DOCKER_API_H
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "shipper/shipper_config.h"

/* A list of 10,000 containers with their labels. */
#define CW_DOCKER_ANSWER_BYTES (32u << 20)

struct cw_docker_container {
    struct cw_str id;        /* 64 hex digits */
    struct cw_labels labels; /* container, image, compose_project, compose_service */
};

void cw_docker_list_url(const struct cw_docker_sd_config *config, struct cw_buf *out);
/* Events from `since_s` (seconds since the epoch) on, without an end. */
void cw_docker_events_url(int64_t since_s, struct cw_buf *out);
void cw_docker_inspect_url(struct cw_str id, struct cw_buf *out);

int cw_docker_list_decode(struct cw_str body, struct cw_arena *arena,
                          struct cw_docker_container **out, size_t *n_out,
                          struct cw_err *err) CW_MUST_USE;
/* Whether the container logs to a json-file, and where: the path is empty before its first start. */
int cw_docker_inspect_decode(struct cw_str body, struct cw_arena *arena, bool *json_file_out,
                             struct cw_str *path_out, struct cw_err *err) CW_MUST_USE;

#endif
