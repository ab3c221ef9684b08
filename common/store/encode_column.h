/*
 * encode_column.h - one column of a block of templates: the values of slots that are alike. The bytes are drawn in format.h.
 *
 * Ownership  An encoder owns its tables, which are used again for the next column. Inputs are borrowed.
 * Threads    One.
 */
#ifndef CW_STORE_ENCODE_COLUMN_H
#define CW_STORE_ENCODE_COLUMN_H
#include "common/base/buf.h"
#include "common/store/layout.h"
#include "common/store/value_filter.h"

struct cw_column_values {
    enum cw_slot_type type;
    uint32_t n;
    uint64_t *values; /* as struct cw_tokens has them; gone afterwards */
    uint8_t *extra;
    const char *text; /* that offsets are of */
};

struct cw_column_encoder;
struct cw_column_encoder *cw_column_encoder_new(void);
void cw_column_encoder_free(struct cw_column_encoder **encoder);
/* Append the column to *column; a string column's dictionary to *dictionary; the keys of its values to *filter. */
void cw_encode_column(struct cw_column_encoder *encoder, const struct cw_column_values *values,
                      struct cw_buf *column, struct cw_buf *dictionary,
                      struct cw_value_filter_builder *filter);

#endif
