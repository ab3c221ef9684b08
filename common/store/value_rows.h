/*
 * value_rows.h - the rows of a block of templates as what they are, templates and the values of their slots, for who writes them into
 * another block: no line is rebuilt and cut again, and each distinct text is copied once.
 *
 * Columns are told by the text before their slots (layout.h), so that a column of this block is a column of the other: what a run of
 * rows has of it is copied in one go.
 *
 * How a search looks for what lines hold takes for granted what the tokenizer keeps to: a slot touches no letter or digit, a
 * quoted value stands between its quotes, and each value is printed as nothing but a slot of its type is. A block that does not keep
 * to it (no writer of ours made it so) is not handed out as values: as lines it is cut anew.
 *
 * Memory: up to 5 bytes a value whose length is not told by its type, 8 a distinct text, from the block's reader.
 *
 * Ownership  Borrows the block's reader until the next _open(). Columns and maps are the reader's memory and die with its next block.
 * Threads    One.
 * Errors     CW_E_CORRUPT. Bad bytes never abort.
 */
#ifndef CW_STORE_VALUE_ROWS_H
#define CW_STORE_VALUE_ROWS_H
#include "common/base/buf.h"
#include "common/store/template_block.h"
#include "common/store/tokenize.h"

struct cw_value_column;
struct cw_value_rows {
    struct cw_template_block *block;
    const struct cw_layout *layout;
    const uint16_t *rows; /* the template of each */
    /* private */
    struct cw_value_column *columns;
    uint64_t target;
    uint16_t *numbers;    /* of templates in the target + 1; 0: it has no such */
    uint32_t next;        /* the row whose values are the next of every column */
    uint32_t *row_counts; /* of templates; all 0 between calls */
    uint16_t *found;      /* templates that have some */
    uint16_t *counted;    /* columns */
};

/* `block` is open. sizes_out[r] is the length of row r's line, for all of its rows. 1; 0: it can be read as lines alone. */
int cw_value_rows_open(struct cw_value_rows *rows, struct cw_template_block *block,
                       uint32_t *sizes_out, struct cw_err *err) CW_MUST_USE;
enum cw_token_mode cw_value_rows_mode(const struct cw_value_rows *rows);

/* Forget where rows were copied to, unless that was `target` too (not 0; another number for each block that is written). */
void cw_value_rows_target(struct cw_value_rows *rows, uint64_t target);
/* The number that the template has in the target; -1: none was set. */
static inline int cw_value_rows_number(const struct cw_value_rows *rows, uint16_t template)
{
    return rows->numbers[template] - 1;
}
/* The template is number `number` there, where `slots` are its slots. */
void cw_value_rows_map(struct cw_value_rows *rows, uint16_t template, uint16_t number,
                       const struct cw_slot *slots);

/*
 * Rows [from, to) are to be copied, which come after all that were before; their templates are mapped. Returns how many columns they have
 * values in, and those (by the numbers that they have here) in *columns_out; each is copied then before others are counted.
 */
uint32_t cw_value_rows_count(struct cw_value_rows *rows, uint32_t from, uint32_t to,
                             const uint16_t **columns_out);
/* Values of the column that were counted, and have not been copied. */
uint32_t cw_value_rows_left(const struct cw_value_rows *rows, uint16_t column);
/* The column's number in the target. */
uint16_t cw_value_rows_column(const struct cw_value_rows *rows, uint16_t column);
/*
 * Append those values to *tokens; what are texts as places in *text, which lasts as long as the target: each is appended to it when it is
 * first met. A wide value is the 16 bytes that it prints.
 */
int cw_value_rows_copy(struct cw_value_rows *rows, uint16_t column, struct cw_buf *text,
                       struct cw_tokens *tokens, struct cw_err *err) CW_MUST_USE;

/* The rows' lines instead, as cw_template_block_lines() gives them. */
int cw_value_rows_lines(struct cw_value_rows *rows, uint32_t from, uint32_t to, struct cw_buf *text,
                        uint32_t *offsets, struct cw_err *err) CW_MUST_USE;

#endif
