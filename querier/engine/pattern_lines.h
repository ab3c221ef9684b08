/*
 * pattern_lines.h - the patterns of lines that no block has templates of: they are cut as the store would cut them.
 *
 * What becomes of quoted values is found as it goes, unit by unit: lines of JSON have slots for them, and so have lines that would make
 * more than a template for each 8 of them.
 *
 * Ownership  Borrows the table; its numbers are held until cw_pattern_lines_begin().
 * Threads    One.
 * Errors     As pattern_table.h.
 */
#ifndef CW_ENGINE_PATTERN_LINES_H
#define CW_ENGINE_PATTERN_LINES_H
#include "querier/engine/pattern_table.h"

struct cw_pattern_lines;
struct cw_pattern_lines *cw_pattern_lines_new(struct cw_pattern_table *table);
void cw_pattern_lines_free(struct cw_pattern_lines **lines);
/* The lines of another unit follow, or the table changed its numbers. */
void cw_pattern_lines_begin(struct cw_pattern_lines *lines);
/* rows_out[i] is the number in the table of the pattern of lines[i]. */
int cw_pattern_lines_rows(struct cw_pattern_lines *lines, const struct cw_str *texts, size_t n,
                          uint32_t *rows_out, struct cw_err *err) CW_MUST_USE;

#endif
