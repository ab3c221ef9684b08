/*
 * stream_table.h - the STREAMS region of a part: labels and totals of each stream, in groups of 256.
 *
 * Ownership  A writer copies. A decoded group owns its memory; its texts live as long as it does.
 * Threads    One.
 * Errors     CW_E_CORRUPT; CW_E_LIMIT from a writer.
 */
#ifndef CW_STORE_STREAM_TABLE_H
#define CW_STORE_STREAM_TABLE_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/cursor.h"

/* The order of streams in a part: by app (the first of the labels app, service_name, service, job, container that the stream
 * has), then by labels, so that neighbours have similar lines. */
int cw_part_stream_cmp(struct cw_labels a, struct cw_labels b);
/* The value that makes the app; empty when it has none. */
struct cw_str cw_part_stream_app(struct cw_labels labels);

struct cw_part_stream {
    struct cw_stream_ref ref;
    uint64_t rows, raw_bytes;
};

struct cw_stream_table_writer;
struct cw_stream_table_writer *cw_stream_table_writer_new(void);
void cw_stream_table_writer_free(struct cw_stream_table_writer **writer);
int cw_stream_table_writer_add(struct cw_stream_table_writer *writer, struct cw_labels labels,
                               uint64_t rows, uint64_t raw_bytes, struct cw_err *err) CW_MUST_USE;
/* Append the region. */
int cw_stream_table_writer_finish(struct cw_stream_table_writer *writer, struct cw_buf *out,
                                  struct cw_err *err) CW_MUST_USE;

/* A decoded group: one heap block, released by free(). */
struct cw_stream_group {
    uint32_t n;
    struct cw_part_stream streams[];
};
/* Does the region hold the groups of `nstreams` streams? */
int cw_stream_table_check(struct cw_str region, uint32_t nstreams, struct cw_err *err) CW_MUST_USE;
/* Decode group `group` of a checked region. */
int cw_stream_table_group(struct cw_str region, uint32_t nstreams, uint32_t group,
                          struct cw_stream_group **out, struct cw_err *err) CW_MUST_USE;

#endif
