/*
 * otlp.h - OpenTelemetry's logs as plain values, and how they become a push. For common/wire/ alone; whoever has a body calls
 * cw_push_otlp_*_decode() of push.h.
 *
 * Both encodings of a request are read into these values, a resource, scope or record at a time; otlp_push.c maps them as Loki does:
 * resource attributes that tell who writes become labels, all others structured metadata (otlp_mapping.h); maps are flattened with '_'.
 * A record that has labels of its own is an entry of a stream that has its resource's too.
 *
 * Ownership  Texts are borrowed from the body or live in the arena.
 * Errors     CW_E_INVALID, CW_E_TOO_LARGE.
 * Source     opentelemetry-proto v1: common.proto, resource.proto, logs.proto; Loki's documentation "Ingesting logs to Loki using
 *            OpenTelemetry Collector".
 */
#ifndef CW_WIRE_OTLP_H
#define CW_WIRE_OTLP_H
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/id_map.h"
#include "common/wire/push.h"

/* Values inside of values: nobody's attributes nest so deep, and readers and writers recurse. */
enum { CW_OTLP_DEPTH = 32 };

enum cw_otlp_kind {
    CW_OTLP_NONE,
    CW_OTLP_STRING,
    CW_OTLP_BOOL, /* integer: 0 or 1 */
    CW_OTLP_INT,
    CW_OTLP_DOUBLE,
    CW_OTLP_BYTES,
    CW_OTLP_ARRAY, /* items without keys */
    CW_OTLP_MAP,
};

struct cw_otlp_item;
struct cw_otlp_items {
    struct cw_otlp_item *items;
    size_t n, cap;
};

struct cw_otlp_value {
    enum cw_otlp_kind kind;
    struct cw_str text; /* STRING, BYTES */
    int64_t integer;
    double number;
    struct cw_otlp_items items;
};

/* An attribute. */
struct cw_otlp_item {
    struct cw_str key;
    struct cw_otlp_value value;
};

struct cw_otlp_scope {
    struct cw_str name, version;
    struct cw_otlp_items attributes;
    uint32_t dropped;
};

struct cw_otlp_record {
    uint64_t time_ns, observed_ns; /* 0: not given */
    int32_t severity_number;
    struct cw_str severity_text, event_name;
    struct cw_str trace_id, span_id; /* bytes; empty, or 16 and 8 of them */
    struct cw_otlp_value body;
    struct cw_otlp_items attributes;
    uint32_t dropped, flags;
};

struct cw_otlp_pairs {
    struct cw_label *items;
    size_t n, cap;
};

/* A push in the making. Resources, scopes of the last resource, records of the last scope. */
struct cw_otlp_push {
    struct cw_otlp_options options;
    struct cw_arena *arena;
    struct cw_push *push;
    int64_t now_ns; /* of a record without a time */
    size_t streams_cap, npairs, nitems;
    size_t *entries_caps; /* by stream */
    size_t entries_caps_cap;
    /* The last resource's: the stream of records without labels of their own; behind it those of the others, numbered by labels. */
    size_t resource_stream;
    struct cw_id_map by_labels;
    uint64_t name_bytes; /* of members of maps, each with the names of what it stands in */
    struct cw_otlp_pairs resource_labels;
    struct cw_otlp_pairs resource_metadata, scope_metadata; /* what goes to each entry */
    struct cw_err *err;
};

void cw_otlp_begin(struct cw_otlp_push *otlp, const struct cw_otlp_options *options,
                   struct cw_arena *arena, int64_t now_ns, struct cw_push *push,
                   struct cw_err *err);
int cw_otlp_resource(struct cw_otlp_push *otlp, const struct cw_otlp_items *attributes) CW_MUST_USE;
int cw_otlp_scope(struct cw_otlp_push *otlp, const struct cw_otlp_scope *scope) CW_MUST_USE;
int cw_otlp_record(struct cw_otlp_push *otlp, const struct cw_otlp_record *record) CW_MUST_USE;
/* Streams without entries go. Also after an error. */
void cw_otlp_end(struct cw_otlp_push *otlp);

/* The next item, zeroed. NULL when there are too many (the error is set). */
struct cw_otlp_item *cw_otlp_item_add(struct cw_otlp_push *otlp, struct cw_otlp_items *items);

#endif
