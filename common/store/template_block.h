/*
 * template_block.h - read a block of templates (kind 1): its layout at once, rows and columns when they are asked for, lines
 * rebuilt for the rows that are wanted. The bytes are drawn in format.h.
 *
 * One reader serves one block after the other, so that its memory is used again: what the sections that were asked for take
 * decompressed, and 8 bytes a row, string or decoded value.
 *
 * Ownership  Borrows the block and its bytes until the next _open() or _free(); what it returns lives as long.
 * Threads    One.
 * Errors     CW_E_CORRUPT. Bad bytes never abort, and never ask for more memory than format.h's limits allow.
 */
#ifndef CW_STORE_TEMPLATE_BLOCK_H
#define CW_STORE_TEMPLATE_BLOCK_H
#include <stdint.h>
#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/store/block_reader.h"
#include "common/store/decode_column.h"
#include "common/store/layout.h"
#include "common/store/part_cache.h"

struct cw_template_block;
struct cw_template_block *cw_template_block_new(void);
void cw_template_block_free(struct cw_template_block **tb);
/* Memory that it holds. */
size_t cw_template_block_bytes(const struct cw_template_block *tb);

/* Reads TEMPLATES and TEXT. `block` is of kind CW_BLOCK_TEMPLATES. */
int cw_template_block_open(struct cw_template_block *tb, const struct cw_block *block,
                           struct cw_err *err) CW_MUST_USE;
/* The same; what is read is kept for others in these places, and taken from there. 1 when TEXT was there, else 0. */
struct cw_template_places {
    struct cw_cache_place text, rows; /* those of _rows() */
};
int cw_template_block_open_kept(struct cw_template_block *tb, const struct cw_block *block,
                                const struct cw_template_places *places,
                                struct cw_err *err) CW_MUST_USE;
/* Let the block go, and hold nothing of others. Open follows, or free. */
void cw_template_block_close(struct cw_template_block *tb);

/* Known after open. */
/* The block that it reads. */
const struct cw_block *cw_template_block_source(const struct cw_template_block *tb);
/* Rows of each template; their sum is the block's. */
const uint32_t *cw_template_block_counts(const struct cw_template_block *tb);
/* All of TEXT, as one text to search: templates and dictionaries, each string ended by 0x00. At least 16 bytes behind it may be
 * read (their content is undefined). */
struct cw_str cw_template_block_text(const struct cw_template_block *tb);

/* The templates and their columns. They are parsed when they are first asked for: to search TEXT costs less. */
int cw_template_block_layout(struct cw_template_block *tb, const struct cw_layout **out,
                             struct cw_err *err) CW_MUST_USE;
/* Known once the layout was asked for. */
/* The dictionary of string column `column`: its values, each ended by 0x00. A part of _text(). */
struct cw_str cw_template_block_dictionary(const struct cw_template_block *tb, uint32_t column);
/* How many values column < layout->ncolumns has: slots of it times the rows of their templates. */
uint32_t cw_template_block_values(const struct cw_template_block *tb, uint32_t column);

/* The template of each row. */
int cw_template_block_rows(struct cw_template_block *tb, const uint16_t **out,
                           struct cw_err *err) CW_MUST_USE;

/* A column's values, decoded. */
int cw_template_block_column(struct cw_template_block *tb, uint32_t column,
                             const struct cw_column **out, struct cw_err *err) CW_MUST_USE;

/*
 * Rebuild the lines of those rows of [from, to) whose bit is set in `keep` (a bitmap of the block's rows), appended to *text: line
 * of row r is text->ptr[offsets[r - from], offsets[r - from + 1]); a row that is not wanted has an empty one. offsets has room for
 * to - from + 1. Few rows cost little: then only their values are read. Together they are no longer than the block's raw_bytes (else
 * CW_E_CORRUPT); CW_E_LIMIT: *text cannot hold them. It is best asked for neighbouring rows, one range after the other.
 */
int cw_template_block_lines(struct cw_template_block *tb, const uint64_t *keep, uint32_t from,
                            uint32_t to, struct cw_buf *text, uint32_t *offsets,
                            struct cw_err *err) CW_MUST_USE;
/* Lengths of the same lines, without rebuilding them; 0 for a row that is not wanted. */
int cw_template_block_sizes(struct cw_template_block *tb, const uint64_t *keep, uint32_t from,
                            uint32_t to, uint32_t *sizes, struct cw_err *err) CW_MUST_USE;

#endif
