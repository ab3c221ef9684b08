/*
 * push.h - what a push says, whatever its format: streams of entries, and the delivery of a cordwood shipper.
 *
 * Each push_<format>.c decodes a body into one cw_push without copying text: labels' text, lines and metadata borrow from
 * the (decompressed) body, or from the arena where the format escapes.
 *
 * Delivery (exactly once). A cordwood shipper adds to Loki's `PushRequest` the field number 1000, which Loki and
 * VictoriaLogs skip:
 *   message Delivery { bytes shipper = 1;    // 16 bytes, the shipper's uuid, kept beside its positions
 *                      bytes session = 2;    // 16 bytes, drawn at each start
 *                      repeated Range ranges = 3; repeated Confirm confirms = 4; }
 *   message Range    { bytes source = 1;     // 16 bytes, drawn when the source was first seen
 *                      uint64 generation = 2; uint64 from = 3; uint64 to = 4; }
 *   message Confirm  { bytes source = 1; uint64 generation = 2; uint64 offset = 3; }  // positions on disk passed it
 * The tenant comes from the request's header. A push with a Delivery is stored whole or refused whole. Ranges are offsets
 * in the source, half open. A source is known to the store as (tenant, shipper, source, generation).
 * A push with confirms and no ranges and no streams is allowed.
 */
#ifndef CW_WIRE_PUSH_H
#define CW_WIRE_PUSH_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/str.h"
#include "common/labels/labels.h"
#include "common/wire/otlp_mapping.h"
#include "common/wire/service_name.h"

/* The time of an entry that gives none (`[]` in JSON, no timestamp field): Go's zero time, 0001-01-01T00:00:00Z, which no int64
 * of nanoseconds holds. Whoever checks entries refuses it ("has timestamp too old: 0001-01-01T00:00:00Z" in Loki). */
#define CW_PUSH_TS_NONE INT64_MIN

struct cw_push_entry {
    int64_t ts_ns; /* or CW_PUSH_TS_NONE */
    struct cw_str line;
    const struct cw_label *metadata; /* as sent: not sorted, not sanitised */
    uint32_t nmetadata;
    bool level_found; /* its detected_level is not the sender's: it was looked for */
};

struct cw_push_stream {
    /* `{a="b"}` as sent (protobuf, the old JSON form), or as Loki would write a JSON object that holds no valid set: an empty
     * one, bad names. Whoever parses it finds the error in Loki's words. Empty when `labels` is set. */
    struct cw_str labels_text;
    /* JSON pushes give pairs: sorted, valid; n = 0 when labels_text counts. */
    struct cw_labels labels;
    struct cw_push_entry *entries;
    size_t nentries;
};

struct cw_id128 {
    uint8_t bytes[16];
};

struct cw_push_range {
    struct cw_id128 source;
    uint64_t generation, from, to;
};
struct cw_push_confirm {
    struct cw_id128 source;
    uint64_t generation, offset;
};

struct cw_push_delivery {
    bool present;
    struct cw_id128 shipper, session;
    struct cw_push_range *ranges;
    size_t nranges;
    struct cw_push_confirm *confirms;
    size_t nconfirms;
};

struct cw_push {
    struct cw_push_stream *streams;
    size_t nstreams;
    size_t nentries;     /* over all streams */
    uint64_t line_bytes; /* over all entries */
    bool
        services_named; /* streams have the service_name that they are to have: OTLP's rule is its own */
    struct cw_push_delivery delivery;
};

/* A body may become many times its size here: where the arena is watched (arena.h), both decoders end with the refusal's code as
 * soon as it is refused memory. Who asks knows the sentence.
 * Both forms of JSON: Loki's {"streams": [{"stream": {..}, "values": [["ns", "line", {..}]]}]} and the old
 * {"streams": [{"labels": "{..}", "entries": [{"ts": "RFC 3339", "line": ".."}]}]} of /api/prom/push.
 * `body` is decompressed already. CW_E_INVALID in Loki's words; a time that int64 nanoseconds cannot hold is CW_E_INVALID. */
int cw_push_loki_protobuf_decode(struct cw_str body, struct cw_arena *arena, struct cw_push *out,
                                 struct cw_err *err) CW_MUST_USE;
int cw_push_loki_json_decode(struct cw_str body, struct cw_arena *arena, struct cw_push *out,
                             struct cw_err *err) CW_MUST_USE;
/* How OTLP becomes a push. */
struct cw_otlp_options {
    const struct cw_service_names
        *service_names;                    /* of a resource without a service.name; NULL: none */
    const struct cw_otlp_mapping *mapping; /* of attributes; NULL: Loki's defaults */
};
/* OTLP's ExportLogsServiceRequest, mapped as Loki does (otlp.h); a record without any time gets now_ns. `options` may be NULL. */
int cw_push_otlp_protobuf_decode(struct cw_str body, const struct cw_otlp_options *options,
                                 struct cw_arena *arena, int64_t now_ns, struct cw_push *out,
                                 struct cw_err *err) CW_MUST_USE;
int cw_push_otlp_json_decode(struct cw_str body, const struct cw_otlp_options *options,
                             struct cw_arena *arena, int64_t now_ns, struct cw_push *out,
                             struct cw_err *err) CW_MUST_USE;
/* Encode for a shipper or the CLI: streams need labels_text. */
void cw_push_loki_protobuf_encode(const struct cw_push *push, struct cw_buf *out);

#endif
