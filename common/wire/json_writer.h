/*
 * json_writer.h - write JSON piece by piece into a buffer, as Go (and so Loki) writes it.
 *
 * Commas are the writer's business. It keeps no stack, so the buffer may be sent off and cleared between any two calls, and
 * an answer of any size passes through a small buffer. That begins and ends match is the caller's promise.
 *
 * Errors     The buffer remembers when it went over its cap.
 * Source     Go's encoding/json: '<', '>' and '&' are escaped; bytes that are not UTF-8 become the escape \ufffd.
 */
#ifndef CW_WIRE_JSON_WRITER_H
#define CW_WIRE_JSON_WRITER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/str.h"

struct cw_json_writer {
    struct cw_buf *out; /* borrowed */
    bool comma;         /* a value stands before: the next one needs a comma */
};

static inline struct cw_json_writer cw_json_writer_make(struct cw_buf *out)
{
    return (struct cw_json_writer){out, false};
}

void cw_json_begin_object(struct cw_json_writer *w);
void cw_json_end_object(struct cw_json_writer *w);
void cw_json_begin_array(struct cw_json_writer *w);
void cw_json_end_array(struct cw_json_writer *w);
void cw_json_key(struct cw_json_writer *w, struct cw_str name);
void cw_json_string(struct cw_json_writer *w, struct cw_str value);
void cw_json_i64(struct cw_json_writer *w, int64_t value);
void cw_json_u64(struct cw_json_writer *w, uint64_t value);
/* Shortest that reads back, as encoding/json prints it; NaN and infinities, which JSON has not, as null. */
void cw_json_f64(struct cw_json_writer *w, double value);
/* In quotes and without an exponent, NaN and +Inf included: a sample's value in Prometheus' answers. */
void cw_json_f64_string(struct cw_json_writer *w, double value);
/* In quotes: a time in nanoseconds in Loki's answers. */
void cw_json_i64_string(struct cw_json_writer *w, int64_t value);
void cw_json_bool(struct cw_json_writer *w, bool value);
void cw_json_null(struct cw_json_writer *w);
/* A value that is JSON already. */
void cw_json_raw(struct cw_json_writer *w, struct cw_str json);
/* key and value in one call */
void cw_json_key_string(struct cw_json_writer *w, const char *name, struct cw_str value);
void cw_json_key_u64(struct cw_json_writer *w, const char *name, uint64_t value);

/* Only the quoted string, without a writer. */
void cw_json_quote(struct cw_str s, struct cw_buf *out);

#endif
