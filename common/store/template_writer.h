/*
 * template_writer.h - encode the lines of a block as templates and columns. The bytes are drawn in format.h.
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

/* Row r is text[offsets[r], offsets[r + 1] - 1), followed by LF. CW_BYTE_CLASSES_SLACK bytes behind the last can be read. */
struct cw_block_lines {
    const char *text;
    const uint32_t *offsets; /* rows + 1 of them */
    uint32_t rows;
};

/* What was learnt of an app. Zeroed: nothing. */
struct cw_template_memory {
    bool known;
    enum cw_token_mode mode;
    uint32_t plain_permille; /* what lz4 makes of 1,000 bytes of text */
    unsigned ngiven_up;
};

/* For the block's header. */
struct cw_template_counts {
    enum cw_token_mode mode;
    uint32_t templates, columns;
};

struct cw_template_writer;
struct cw_template_writer *cw_template_writer_new(void);
void cw_template_writer_free(struct cw_template_writer **writer);

/*
 * Append the block's sections to *out and its value filter, if it has one, to *filter. 1; or 0 when templates do not pay: nothing is
 * appended then.
 */
int cw_template_writer_encode(struct cw_template_writer *writer, const struct cw_block_lines *lines,
                              struct cw_template_memory *memory, enum cw_codec codec,
                              struct cw_block_sections *out, struct cw_buf *filter,
                              struct cw_template_counts *counts_out,
                              struct cw_err *err) CW_MUST_USE;

#endif
