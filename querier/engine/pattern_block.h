/*
 * pattern_block.h - the patterns of a block's rows, by its templates: no line is rebuilt. Where a message is a slot of its own (a quoted
 * value of JSON), its column is read too.
 *
 * Ownership  Borrows block and table.
 * Threads    One.
 * Errors     As pattern_table.h. A column that cannot be read is a slot as any other.
 */
#ifndef CW_ENGINE_PATTERN_BLOCK_H
#define CW_ENGINE_PATTERN_BLOCK_H
#include "common/store/template_block.h"
#include "querier/engine/pattern_table.h"

/* rows_out[r] is the number in the table of the pattern of row r; it has room for the block's rows. Layout and rows of the block were
 * asked for already. */
int cw_pattern_block_rows(struct cw_template_block *tb, struct cw_pattern_table *table,
                          uint32_t *rows_out, struct cw_err *err) CW_MUST_USE;

#endif
