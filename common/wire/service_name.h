/*
 * service_name.h - the label service_name, which a stream without one gets from another of its labels, as Loki's
 * `discover_service_name` says: the first of a list that the stream has, else "unknown_service".
 *
 * Streams of Loki's own making (with the label __aggregated_metric__ or __pattern__) are left alone.
 *
 * Ownership  Texts are borrowed; what is made lives in the arena.
 * Source     Loki's documentation of discover_service_name; what Loki 3.7 answers.
 */
#ifndef CW_WIRE_SERVICE_NAME_H
#define CW_WIRE_SERVICE_NAME_H
#include "common/base/arena.h"
#include "common/labels/labels.h"

#define CW_SERVICE_NAME_LABEL CW_STR("service_name")
#define CW_SERVICE_NAME_UNKNOWN CW_STR("unknown_service")

/* Labels to look for, first to last; none: no service_name is added. */
struct cw_service_names {
    const struct cw_str *items;
    size_t n;
};

/* The stream's labels, with a service_name where one is to be added. `names` may be NULL: none. */
struct cw_labels cw_service_name_add(struct cw_labels labels, const struct cw_service_names *names,
                                     struct cw_arena *arena);

#endif
