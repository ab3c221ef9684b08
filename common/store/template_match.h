/*
 * template_match.h - what a line filter keeps of a block of templates, decided on templates, dictionaries and values rather than on
 * lines.
 *
 * A literal is laid over each template: its text must be the template's, and what falls into a slot must be of the slot's alphabet. That
 * leaves templates all of whose rows match, templates none of whose rows can, and templates where values decide; only rows whose values
 * pass too are left to be looked at as lines.
 *
 * Threads    Any; what belongs to a block is the caller's.
 * Errors     CW_E_CORRUPT of the block.
 */
#ifndef CW_STORE_TEMPLATE_MATCH_H
#define CW_STORE_TEMPLATE_MATCH_H
#include <stdint.h>
#include "common/base/err.h"
#include "common/match/line_filter.h"
#include "common/store/template_block.h"

/* What the caller will have of rows that stay: that they do, or their lines, so that they are rebuilt however they were found. */
enum cw_match_wants { CW_MATCH_WANTS_ROWS, CW_MATCH_WANTS_LINES };

/*
 * Of the block's rows in `keep`: bits of rows that the filters, all of them, certainly drop are cleared; of the rows that stay, those that must
 * still be tested against the filters as lines are set in `unsure` (bits of others are not touched). `values`: where the block's value filter stands (cw_value_filter_open()), or
 * empty; a damaged one is done without. *by_values_out is set where it ruled something out, and else left alone.
 *
 * What costs more to find out than to rebuild the lines, which is done once for all filters, is left to them.
 */
int cw_template_match(const struct cw_line_filter *const *filters, size_t nfilters,
                      enum cw_match_wants wants, struct cw_template_block *tb, struct cw_str values,
                      uint64_t *keep, uint64_t *unsure, bool *by_values_out,
                      struct cw_err *err) CW_MUST_USE;

#endif
