/*
 * meta_column.h - the META section of a block: structured metadata, a presence bitmap and values per name.
 *
 * Ownership  A writer copies. What a reader returns borrows from it and from the section's bytes.
 * Threads    One.
 * Errors     Writer: CW_E_LIMIT. Reader: CW_E_CORRUPT.
 */
#ifndef CW_STORE_META_COLUMN_H
#define CW_STORE_META_COLUMN_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/labels/labels.h"

struct cw_meta_writer;
struct cw_meta_writer *cw_meta_writer_new(void);
void cw_meta_writer_free(struct cw_meta_writer **writer);
/* Is there so much already that the block should be closed before row `row`, which has `npairs`? */
bool cw_meta_writer_full(const struct cw_meta_writer *writer, uint32_t row, size_t npairs);
/* How many of `n` rows from `row` on, whose pairs these are, find it not full for certain: no more than have the names of the first. */
uint32_t cw_meta_writer_fit(const struct cw_meta_writer *writer, uint32_t row,
                            const struct cw_labels *pairs, uint32_t n);
bool cw_meta_writer_empty(const struct cw_meta_writer *writer);
/* The pairs of row `row` (rising, under CW_BLOCK_ROWS_MAX). */
int cw_meta_writer_add(struct cw_meta_writer *writer, uint32_t row, struct cw_labels pairs,
                       struct cw_err *err) CW_MUST_USE;
/* Append the section, not compressed, and begin an empty one. Returns the block's incompat bits (format.h) that it needs. */
uint32_t cw_meta_writer_finish(struct cw_meta_writer *writer, uint32_t rows, struct cw_buf *out);

struct cw_meta_reader;
/* `section` (decompressed) must outlive the reader. */
int cw_meta_reader_open(struct cw_str section, uint32_t rows, struct cw_meta_reader **out,
                        struct cw_err *err) CW_MUST_USE;
void cw_meta_reader_close(struct cw_meta_reader **reader);
/* Pairs of row `row`, at most `max` of them into `out`, sorted by name; returns how many the row has. */
size_t cw_meta_reader_row(const struct cw_meta_reader *reader, uint32_t row, struct cw_label *out,
                          size_t max);
/* The same where values are few: rows with the same pairs have them at the same place. False: they are not; read them. */
bool cw_meta_reader_shared(struct cw_meta_reader *reader, uint32_t row, struct cw_labels *out);

#endif
