/*
 * stream_table.h - the STREAMS region of a part: labels and totals of each stream, in groups of 256.
 *
 * Ownership  A writer copies. A decoded group is one heap block with a count of its references; its texts live as long as it
 *            does.
 * Threads    A writer: one. A group does not change: any.
 * Errors     CW_E_CORRUPT; CW_E_LIMIT from a writer.
 */
#ifndef CW_STORE_STREAM_TABLE_H
#define CW_STORE_STREAM_TABLE_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/cursor.h"
#include "common/store/part_cache.h"

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

/* A decoded group. */
struct cw_stream_group {
    struct cw_cached base; /* first */
    uint32_t first;        /* number of its first stream */
    uint32_t n;
    struct cw_part_stream streams[];
};
/* NULL is fine. */
void cw_stream_group_unref(struct cw_stream_group **group);
/* Does the region hold the groups of `nstreams` streams? */
int cw_stream_table_check(struct cw_str region, uint32_t nstreams, struct cw_err *err) CW_MUST_USE;
/* The directory of a checked region. (The groups have checksums of their own.) */
struct cw_str cw_stream_table_front(struct cw_str region, uint32_t nstreams);
/* Decode group `group` of a checked region. */
int cw_stream_table_group(struct cw_str region, uint32_t nstreams, uint32_t group,
                          struct cw_stream_group **out, struct cw_err *err) CW_MUST_USE;

#endif
