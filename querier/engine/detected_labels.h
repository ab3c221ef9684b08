/*
 * detected_labels.h - the labels of the streams in a range and how many values each has, for who builds a view of logs from them.
 *
 * Labels whose values are ids alone (numbers, UUIDs) split a view into nothing that a person would choose from: they are left out, as
 * Loki does, but for cluster, namespace, instance and pod, and for those with no values but "0" and "1".
 *
 * Ownership  Results lie in the caller's arena.
 * Threads    One; no entry is read.
 */
#ifndef CW_ENGINE_DETECTED_LABELS_H
#define CW_ENGINE_DETECTED_LABELS_H
#include "common/store/listing.h"
#include "querier/engine/query_context.h"

struct cw_detected_label {
    struct cw_str name;
    uint64_t cardinality; /* distinct.h */
};
struct cw_detected_labels {
    struct cw_detected_label *items; /* by name */
    size_t n;
};

/* The listing is of streams. CW_E_LIMIT: the names take more than the query's allowance. */
int cw_detected_labels_query(struct cw_query_context *query, const struct cw_listing *listing,
                             struct cw_arena *arena, struct cw_detected_labels *out,
                             struct cw_err *err) CW_MUST_USE;

#endif
