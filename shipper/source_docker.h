/*
 * source_docker.h - docker_sd_configs: find the containers of a Docker Engine and make their logs targets.
 *
 *            timer, event              networks             list                   all new ones inspected
 *   WAITING -------------> ASKING NETWORKS ----> LISTING --------> INSPECTING ------------------------> WAITING
 *      ^                        |                   |                  |
 *      +------- no answer ------+-------------------+------------------+         any -- close --> freed
 *
 * Containers are listed whether they run or not, each refresh_interval and whenever the Engine tells of one that was created,
 * started, renamed or removed. Their files (json-file, local) are read where the Engine keeps them. Rules see the labels of
 * docker_api.h for each stream (__meta_docker_container_log_stream); without any rule entries get container, image, stream,
 * compose_project, compose_service, swarm_service and swarm_stack.
 *
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_SOURCE_DOCKER_H
#define CW_SHIPPER_SOURCE_DOCKER_H
#include "shipper/discoveries.h"

extern const struct cw_discovery_def cw_source_docker;

#endif
