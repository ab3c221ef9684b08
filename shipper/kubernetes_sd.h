/*
 * kubernetes_sd.h - kubernetes_sd_configs: what an API server knows of pods (or another role), listed once and watched from there on.
 *
 *          all pages                ends (the server ends each after minutes)
 *   LISTING --------> WATCHING ------------------------------------------------> WATCHING from the last version
 *      ^ ^               |  410: that version is forgotten
 *      | +---------------+
 *      |   timer         any but CLOSED -- no answer, refused --> WAITING (longer each time)
 *      +---------- WAITING                any -- close --> freed
 *
 * One such machine for each kind of object and each namespace. What is made of several kinds (endpoints of pods; pods with
 * their node's labels) is asked for when the others are known, and made anew when one of them changes. The token of the service account is read for each request: it is rotated.
 *
 * Threads    The loop's.
 */
#ifndef CW_SHIPPER_KUBERNETES_SD_H
#define CW_SHIPPER_KUBERNETES_SD_H
#include "shipper/discoveries.h"

extern const struct cw_discovery_def cw_kubernetes_sd;

#endif
