/*
 * detected_fields.h - the fields that the newest entries of a log query have: structured metadata, what the query's own parsers gave,
 * and what `json`, or else `logfmt`, finds in their lines.
 *
 * A sample is looked at, not every entry: `line_limit` of them, less where they are long. As in Loki, a field has the type of the value
 * that is seen last (by labels of the streams, in each the oldest entry last), and a name that the stream has gets "_extracted"
 * behind it.
 *
 * Ownership  Results lie in the caller's arena.
 * Threads    Call from a thread that is not one of the pool's.
 * Errors     As log_query.h; CW_E_LIMIT: fields and values take more than the query's allowance.
 */
#ifndef CW_ENGINE_DETECTED_FIELDS_H
#define CW_ENGINE_DETECTED_FIELDS_H
#include "common/logql/ast.h"
#include "querier/engine/field_type.h"
#include "querier/engine/field_walk.h"
#include "querier/engine/query_context.h"

struct cw_detected_options {
    int64_t start_ns, end_ns;
    uint32_t line_limit;
    uint32_t limit;      /* fields, or values of one */
    size_t sample_bytes; /* of entries */
};

struct cw_detected_field {
    struct cw_str name;
    enum cw_field_type type;
    uint64_t cardinality; /* distinct.h */
    unsigned parsers;     /* that found it: enum cw_field_parser, or'ed */
    const struct cw_str
        *json_path; /* keys that lead to it in the line; n = 0: it was not found by json */
    size_t njson_path;
};
struct cw_detected_fields {
    struct cw_detected_field *items; /* by name */
    size_t n;
};
struct cw_detected_values {
    struct cw_str *items; /* in order, each once */
    size_t n;
};

/* The expression is a log expression that passed cw_eval_check(). */
int cw_detected_fields_query(struct cw_query_context *query, const struct cw_expr *expr,
                             const struct cw_detected_options *options, struct cw_arena *arena,
                             struct cw_detected_fields *out, struct cw_err *err) CW_MUST_USE;
/* The values of one field, the first `limit` that are met. */
int cw_detected_values_query(struct cw_query_context *query, const struct cw_expr *expr,
                             const struct cw_detected_options *options, struct cw_str name,
                             struct cw_arena *arena, struct cw_detected_values *out,
                             struct cw_err *err) CW_MUST_USE;

#endif
