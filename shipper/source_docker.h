/*
 * source_docker.h - find the containers of a Docker Engine and make their json-file logs targets.
 *
 *            timer, event                list                     all new ones inspected
 *   WAITING -------------> LISTING -------------> INSPECTING ------------------------> WAITING
 *      ^                      |                       |
 *      +----- no answer ------+-----------------------+         any -- close --> freed
 *
 * Containers are listed whether they run or not, each refresh_interval and whenever the Engine
 * tells of one that was created, started or removed. The files are read where the Engine keeps
 * them; labels: container, image, compose_project and compose_service (from compose's own labels),
 * stream.
 *
 * Ownership  Targets are given to the table of sources, which keeps them; options outlive the
 *            object.
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_SOURCE_DOCKER_H
#define CW_SHIPPER_SOURCE_DOCKER_H
#include <uv.h>
#include "common/net/http_client.h"
#include "shipper/shipper_config.h"
#include "shipper/sources.h"

struct cw_source_docker;

struct cw_source_docker_options {
    uv_loop_t *loop;
    struct cw_http_client *http;
    struct cw_sources *sources;
    const struct cw_docker_sd_config *config;
    void (*on_targets)(void *arg); /* there are others: scan */
    void *arg;
};

struct cw_source_docker *cw_source_docker_new(const struct cw_source_docker_options *options);
void cw_source_docker_start(struct cw_source_docker *docker);
/* The Engine has answered once, and what it named is among the targets. */
bool cw_source_docker_listed(const struct cw_source_docker *docker);
/* Before the HTTP client is closed. Frees itself when the loop has run. */
void cw_source_docker_close(struct cw_source_docker **docker);

#endif
