/*
 * meta_writer.h - gather the structured metadata of a block's rows, and write its sections META and META_VALUES. The bytes are drawn in
 * format.h.
 *
 * A name's values are kept as texts that differ, or, once nearly all do, one behind the other. The texts are encoded as the lines of a block
 * of templates (template_writer.h) where that pays, which is found out for each name as for an app's lines.
 *
 * Ownership  A writer copies what it is given.
 * Threads    One.
 * Errors     CW_E_LIMIT. Only _free() then.
 */
#ifndef CW_STORE_META_WRITER_H
#define CW_STORE_META_WRITER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/codec.h"
#include "common/base/err.h"
#include "common/labels/labels.h"
#include "common/store/block_sections.h"
#include "common/store/value_filter.h"

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
/* Append the sections to *out, the keys of the values in META_VALUES to *keys, and begin an empty one. *incompat_out: the block's incompat
 * bits (format.h) that it needs. */
int cw_meta_writer_finish(struct cw_meta_writer *writer, uint32_t rows, enum cw_codec codec,
                          struct cw_block_sections *out, struct cw_value_filter_builder *keys,
                          uint32_t *incompat_out, struct cw_err *err) CW_MUST_USE;

#endif
