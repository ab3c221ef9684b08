/*
 * block_writer.h - compose one block after the other: rows of neighbouring streams, encoded as format.h draws it.
 *
 * Lines are gathered as they come and encoded when the block is finished, as templates where that pays (template_writer.h), else
 * as pieces of text. Rows may also come as the values that they have in another block of templates; from the first one on the block is
 * one of templates, and a row that would go over a bound of those ends it. Memory: 6 MiB of lines and times, and what the template
 * writer needs; more only for a line that is larger.
 *
 * Ownership  Copies what it is given.
 * Threads    One.
 * Errors     CW_E_LIMIT: a row's metadata or line can be in no block. Only _free() then.
 */
#ifndef CW_STORE_BLOCK_WRITER_H
#define CW_STORE_BLOCK_WRITER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/store/template_writer.h"

struct cw_entry_batch;
struct cw_block_writer;

/* What BLOCKS says of a block, beside its place. */
struct cw_block_summary {
    uint32_t rows, raw_bytes;
    uint32_t first_stream, last_stream;
    int64_t min_ns, max_ns;
};

/* `codec`: LZ4 or ZSTD, of text and columns. */
struct cw_block_writer *cw_block_writer_new(enum cw_codec codec);
void cw_block_writer_free(struct cw_block_writer **writer);
uint32_t cw_block_writer_rows(const struct cw_block_writer *writer);
uint32_t cw_block_writer_raw_bytes(const struct cw_block_writer *writer);
/* Would a row of this kind make the block too large? Never true for an empty block. */
bool cw_block_writer_full(const struct cw_block_writer *writer, size_t line_bytes, size_t npairs);
struct cw_block_row {
    uint32_t stream;
    int64_t ts_ns;
    struct cw_labels metadata;
};
/* Append a row. Streams come in ascending order of their numbers, rows of one in order of time. 1; or 0: the block must be finished
 * before it, which is never so for an empty block. */
int cw_block_writer_add(struct cw_block_writer *writer, const struct cw_block_row *row,
                        struct cw_str line, struct cw_err *err) CW_MUST_USE;
/* Learn the app's mode from the rows so far, all of them lines, if they are enough of it. */
int cw_block_writer_try(struct cw_block_writer *writer, struct cw_template_memory *memory,
                        struct cw_err *err) CW_MUST_USE;
/*
 * Append the first of rows [from, ...) of the batch, which come as values: those that keep the block within `raw_bytes_max`. Returns how
 * many. 0: the block must be finished before them; for an empty one: the row can only be added as a line.
 */
int cw_block_writer_add_values(struct cw_block_writer *writer, uint32_t stream,
                               const struct cw_entry_batch *batch, size_t from,
                               size_t raw_bytes_max, struct cw_err *err) CW_MUST_USE;
/* Append the finished block to *out and its value filter, if it has one, to *filter; begin an empty one. There must be rows. `memory`:
 * of the app that they are of. */
int cw_block_writer_finish(struct cw_block_writer *writer, struct cw_template_memory *memory,
                           struct cw_buf *out, struct cw_buf *filter,
                           struct cw_block_summary *summary_out, struct cw_err *err) CW_MUST_USE;

/* Append header (CW_BLOCK_HEADER_BYTES; its size of the directory and checksum are filled in), directory and sections. */
void cw_block_put(uint8_t *header, const struct cw_block_sections *sections, struct cw_buf *out);
/* The checksum of a block's header and directory into its place in the header. */
void cw_block_seal(uint8_t *header, struct cw_str directory);
/* What _seal() would write. */
uint64_t cw_block_checksum(const uint8_t *header, struct cw_str directory);

#endif
