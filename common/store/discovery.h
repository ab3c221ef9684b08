/*
 * discovery.h - what is added to a push beside what was sent, as Loki's limits_config says: each stream's service_name
 * (service_name.h) and each entry's detected_level.
 *
 * detected_level is structured metadata. One that was sent stays (in its usual spelling: level_detect.h). Else it comes from the
 * first of the level fields that is a label of the stream, then from the first that is in the entry's metadata, then from OTLP's
 * severity_number, then from the line; a label or metadata that is none of the known words is taken as it is.
 *
 * The log holds bodies as they were received, and replay has to find what was answered, whatever the configuration says by then: a
 * frame whose body lacks what was added holds the settings that added it, encoded. Replay goes by these alone, so that a change
 * of settings holds for what arrives after it, and moves no entry to another stream. What a sender repeats after such a change is
 * the duplicate of what it sent before as far as levels go (head.h); with another service_name it is another stream's, as in Loki.
 *
 * Ownership  Reference counted; it owns its texts.
 * Threads    Read-only once it is made.
 * Errors     CW_E_CORRUPT: bytes that encode no settings.
 */
#ifndef CW_STORE_DISCOVERY_H
#define CW_STORE_DISCOVERY_H
#include <stdbool.h>
#include "common/base/err.h"
#include "common/wire/push.h"

/* Loki's lists. They stand in logs by number (discovery.c): one that changes gets a number of its own. */
#define CW_DISCOVERY_SERVICE_NAMES                                                                 \
    "service, app, application, app_name, name, app_kubernetes_io_name, container, "               \
    "container_name, k8s_container_name, component, workload, job, k8s_job_name"
/* A list may be so long, in names and in bytes. */
enum { CW_DISCOVERY_NAMES_MAX = 256, CW_DISCOVERY_LIST_BYTES_MAX = 16 << 10 };

struct cw_discovery_options {
    struct cw_service_names service_names;
    bool levels;
    const struct cw_str *level_fields; /* none: Loki's */
    size_t nlevel_fields;
    unsigned json_depth; /* levels of objects in which fields are looked for; 0: all */
};

struct cw_discovery;
/* Copies the options. */
struct cw_discovery *cw_discovery_new(const struct cw_discovery_options *options);
struct cw_discovery *cw_discovery_ref(struct cw_discovery *discovery);
/* NULL is fine. */
void cw_discovery_unref(struct cw_discovery **discovery);

const struct cw_discovery_options *cw_discovery_options(const struct cw_discovery *discovery);
/* Add levels to the entries of a stream that is resolved (push_resolve.h). What is made lives in the arena or for ever. */
void cw_discovery_add_levels(const struct cw_discovery *discovery, struct cw_push_stream *stream,
                             struct cw_arena *arena);

/* For a frame of the log; empty when nothing is added. Borrowed. */
struct cw_str cw_discovery_encoded(const struct cw_discovery *discovery);
int cw_discovery_decode(struct cw_str encoded, struct cw_discovery **out,
                        struct cw_err *err) CW_MUST_USE;

#endif
