/*
 * value_rows.h - the rows of a block of templates as what they are, a template and the values of its slots, for who writes them into
 * another block: no line is rebuilt and cut again, and each distinct text is copied once.
 *
 * Memory: 10 bytes a value (12 where it is not a number), 8 a distinct text, from the block's reader.
 *
 * Ownership  Borrows the block's reader until the next _open(). Columns and maps are the reader's memory and die with its next block.
 * Threads    One.
 * Errors     CW_E_CORRUPT. Bad bytes never abort: what is handed out are values that lines have.
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
    uint32_t next; /* the row whose values are the next of every column */
    uint64_t copied_to;
    uint16_t *numbers;
};

/* `block` is open. sizes_out[r] is the length of row r's line, for all of its rows. */
int cw_value_rows_open(struct cw_value_rows *rows, struct cw_template_block *block,
                       uint32_t *sizes_out, struct cw_err *err) CW_MUST_USE;

/* Forget where rows were copied to, unless that was `target` too (not 0; another number for each block that is written). */
void cw_value_rows_target(struct cw_value_rows *rows, uint64_t target);
/* The number that the template has in the target; 0: none was set. */
static inline uint16_t cw_value_rows_number(const struct cw_value_rows *rows, uint16_t template)
{
    return rows->numbers[template];
}
void cw_value_rows_set_number(struct cw_value_rows *rows, uint16_t template, uint16_t number);
/*
 * Append the row's values to *tokens, those that are texts as places in *text, which lasts as long as the target: a text is appended
 * to it when it is first met. A wide value is the 16 bytes that it prints. Rows are asked for in rising order; some may be left out.
 */
void cw_value_rows_take(struct cw_value_rows *rows, uint32_t row, struct cw_buf *text,
                        struct cw_tokens *tokens);
/* Its line instead, appended to *text. */
int cw_value_rows_line(struct cw_value_rows *rows, uint32_t row, struct cw_buf *text,
                       struct cw_err *err) CW_MUST_USE;

#endif
