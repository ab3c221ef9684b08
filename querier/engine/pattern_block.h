/*
 * pattern_block.h - the patterns of a block's rows, by its templates: no line is rebuilt. Where a message is a slot of its own (a quoted
 * value of JSON), its column is read too.
 *
 * Ownership  Borrows the table, and the block until the next _begin() or _free(); numbers of the table are held as long.
 * Threads    One.
 * Errors     As pattern_table.h. A column that cannot be read is a slot as any other.
 */
#ifndef CW_ENGINE_PATTERN_BLOCK_H
#define CW_ENGINE_PATTERN_BLOCK_H
#include "common/store/template_block.h"
#include "querier/engine/pattern_table.h"

struct cw_pattern_block;
struct cw_pattern_block *cw_pattern_block_new(struct cw_pattern_table *table);
void cw_pattern_block_free(struct cw_pattern_block **block);
/* Rows of another block follow, or the table changed its numbers. The block's layout and rows were read without a fault. */
int cw_pattern_block_begin(struct cw_pattern_block *block, struct cw_template_block *tb,
                           struct cw_err *err) CW_MUST_USE;
/* out[i] is the number in the table of the pattern of row rows[i]. */
int cw_pattern_block_rows(struct cw_pattern_block *block, const uint32_t *rows, size_t n,
                          uint32_t *out, struct cw_err *err) CW_MUST_USE;

#endif
