/*
 * meta_reader.h - the sections META and META_VALUES of a block: which rows have which names, and the values. The bytes are drawn in
 * format.h.
 *
 * Ownership  Borrows the sections' bytes and the memory for their values; what it returns borrows from those and from the reader.
 * Threads    One.
 * Errors     CW_E_CORRUPT.
 */
#ifndef CW_STORE_META_READER_H
#define CW_STORE_META_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/store/meta_values.h"

struct cw_meta_reader;
/* `section`: META, decompressed; `values`: the META_VALUES. One reader at a time uses the memory. */
int cw_meta_reader_open(struct cw_str section, uint32_t rows, const struct cw_section *values,
                        uint32_t nvalues, struct cw_meta_memory *memory,
                        struct cw_meta_reader **out, struct cw_err *err) CW_MUST_USE;
void cw_meta_reader_close(struct cw_meta_reader **reader);
/*
 * Clear the bits of the block's rows that the filter drops. `value_filter`: where that of the block stands, or empty; *by_values_out is set
 * where it ruled something out, and else left alone. Before anything is read.
 */
int cw_meta_reader_match(struct cw_meta_reader *reader, const struct cw_meta_filter *filter,
                         struct cw_str value_filter, uint64_t *keep, bool *by_values_out,
                         struct cw_err *err) CW_MUST_USE;
/* Read the values of the rows whose bit is set in `keep` (bit i: row first_row + i, i < nrows). They are there until the next call. */
int cw_meta_reader_read(struct cw_meta_reader *reader, const uint64_t *keep, uint32_t first_row,
                        uint32_t nrows, struct cw_err *err) CW_MUST_USE;
/* Pairs of row `row`, which was read, at most `max` of them into `out`, sorted by name; returns how many the row has. */
size_t cw_meta_reader_row(const struct cw_meta_reader *reader, uint32_t row, struct cw_label *out,
                          size_t max);
/* The same where values are few: rows with the same pairs have them at the same place, which stays until the reader is closed. False: they
 * are not; take them from _row(). */
bool cw_meta_reader_shared(struct cw_meta_reader *reader, uint32_t row, struct cw_labels *out);

#endif
