/*
 * template_writer.h - encode the rows of a block as templates and columns. The bytes are drawn in format.h.
 *
 * A block is encoded from its lines, all at once; or run by run, some of them from the values that they have in another block
 * (value_rows.h). Both ways give the same bytes where they keep the rows.
 *
 * What becomes of quoted values (enum cw_token_mode) is tried on the first 256 KiB of an app, and kept. A block that goes over a bound
 * of format.h, whose templates and dictionaries are more than half of its text, or that would not be smaller than 90 % of compressed
 * text, is given up; after two of those an app's blocks are not tried again.
 *
 * Memory: for a block of 4 MiB some 5 MiB of values (18 MiB where it is nearly all numbers), 64 KiB of bitmaps, the templates,
 * and what was encoded.
 *
 * Ownership  Borrows the lines. A writer owns its memory, which is used again for the next block.
 * Threads    One.
 */
#ifndef CW_STORE_TEMPLATE_WRITER_H
#define CW_STORE_TEMPLATE_WRITER_H
#include <stdbool.h>
#include "common/store/block_sections.h"
#include "common/store/tokenize.h"
#include "common/store/value_filter.h"
#include "common/store/value_rows.h"

/* Row r is text[offsets[r], offsets[r + 1] - 1), followed by LF. CW_BYTE_CLASSES_SLACK bytes behind the last can be read. */
struct cw_block_lines {
    const char *text;
    const uint32_t *offsets; /* rows + 1 of them */
    uint32_t rows;
};

enum { CW_TEMPLATE_TRIAL_BYTES = 256 << 10 };
/* What was learnt of an app. Zeroed: nothing. */
struct cw_template_memory {
    bool mode_known;
    enum cw_token_mode mode;
    uint32_t plain_permille; /* what lz4 makes of 1,000 bytes of text; 0: not known */
    unsigned ngiven_up;
};

/* Were so many blocks given up that no more are tried? */
static inline bool cw_template_memory_given_up(const struct cw_template_memory *memory)
{
    return memory->ngiven_up >= 2;
}

/* For the block's header. */
struct cw_template_counts {
    enum cw_token_mode mode;
    uint32_t templates, columns;
};

/* Shall the app's rows be taken from another block as values? Those of another mode are better cut anew, and so is all before it is
 * known which is best: through values it would never be asked again. */
static inline bool cw_template_memory_takes(const struct cw_template_memory *memory,
                                            const struct cw_value_rows *values)
{
    return !cw_template_memory_given_up(memory) && memory->mode_known &&
           memory->mode == cw_value_rows_mode(values);
}

struct cw_template_writer;
struct cw_template_writer *cw_template_writer_new(void);
void cw_template_writer_free(struct cw_template_writer **writer);

/*
 * Append the block's sections to *out and the keys of its values to *keys. 1; or 0 when templates do not pay: nothing is appended then.
 */
int cw_template_writer_encode(struct cw_template_writer *writer, const struct cw_block_lines *lines,
                              struct cw_template_memory *memory, enum cw_codec codec,
                              struct cw_block_sections *out, struct cw_value_filter_builder *keys,
                              struct cw_template_counts *counts_out,
                              struct cw_err *err) CW_MUST_USE;

/* Find out what becomes of the app's quoted values, on its first lines: CW_TEMPLATE_TRIAL_BYTES of them, or all that there are. Between
 * blocks only. */
int cw_template_writer_try(struct cw_template_writer *writer, const struct cw_block_lines *lines,
                           struct cw_template_memory *memory, enum cw_codec codec,
                           struct cw_err *err) CW_MUST_USE;

/*
 * Run by run: begin, add, finish. What would go over a bound is not added: the block has to end before it. A block that was begun so
 * is never given up. `mode`: for rows that are lines.
 */
void cw_template_writer_begin(struct cw_template_writer *writer, enum cw_token_mode mode);
/* Rows [from, lines->rows) of the block; after false only _begin() when they were several. `bytes_before`: of the rows before, LFs included. */
bool cw_template_writer_add_lines(struct cw_template_writer *writer,
                                  const struct cw_block_lines *lines, uint32_t from,
                                  size_t bytes_before);
/* Rows of another block. */
struct cw_value_run {
    struct cw_value_rows *values;
    uint32_t from, n;
    const uint32_t *sizes; /* of their lines */
};
/* They become rows from `row` on. Returns how many of them: fewer are over a bound. *text: what lines are taken from, too; texts of
 * values are appended. */
int cw_template_writer_add_values(struct cw_template_writer *writer, const struct cw_value_run *run,
                                  uint32_t row, size_t bytes_before, struct cw_buf *text,
                                  struct cw_err *err) CW_MUST_USE;
/* As _encode(). `text` is what rows were added from. */
int cw_template_writer_finish(struct cw_template_writer *writer, const char *text, uint32_t rows,
                              enum cw_codec codec, struct cw_block_sections *out,
                              struct cw_value_filter_builder *keys,
                              struct cw_template_counts *counts_out,
                              struct cw_err *err) CW_MUST_USE;

#endif
