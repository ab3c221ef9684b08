/*
 * slot_source.h - the value that a row of a block of templates has in one slot, for any row.
 *
 * Where a row's values stand in a column follows from the rows before it: for each column that is asked for it is counted once a
 * block, 4 bytes a row.
 *
 * Ownership  Borrows the block until the next _begin() or _fini(); sources live as long.
 * Threads    One.
 * Errors     CW_E_CORRUPT.
 */
#ifndef CW_ENGINE_SLOT_SOURCE_H
#define CW_ENGINE_SLOT_SOURCE_H
#include "common/store/template_block.h"
#include "common/store/template_syntax.h"

struct cw_slot_source {
    const struct cw_column *column;
    const uint32_t
        *places;     /* by row: where its values begin in the column; NULL: at the row's number */
    uint32_t before; /* values that the row has in the column ahead of this one */
};

static inline uint32_t cw_slot_source_at(const struct cw_slot_source *source, uint32_t row)
{
    return (source->places != NULL ? source->places[row] : row) + source->before;
}

struct cw_slot_sources {
    struct cw_arena *arena; /* of the block */
    struct cw_template_block *tb;
    const struct cw_layout *layout;
    const uint16_t *rows;
    struct cw_slot_column *columns; /* private */
    uint32_t nopen;                 /* columns that were asked for */
};

void cw_slot_sources_init(struct cw_slot_sources *sources);
void cw_slot_sources_fini(struct cw_slot_sources *sources);
/* The block's layout and rows were read without a fault. */
int cw_slot_sources_begin(struct cw_slot_sources *sources, struct cw_template_block *tb,
                          struct cw_err *err) CW_MUST_USE;
/* Of slot `slot` of the template. CW_E_LIMIT: too many columns were asked for. */
int cw_slot_sources_get(struct cw_slot_sources *sources, uint32_t template, uint32_t slot,
                        struct cw_slot_source *out, struct cw_err *err) CW_MUST_USE;
/* How the column's strings are (types STR and QUOTED). */
enum cw_string_form cw_slot_sources_form(struct cw_slot_sources *sources, uint16_t column);
/*
 * Values of a column that was asked for as small numbers: a value (of its place in a dictionary, or its own) less *least_out is below the
 * count returned, and values that are the same have the same text. 0: they are not small.
 */
uint64_t cw_slot_sources_small(struct cw_slot_sources *sources, uint16_t column,
                               int64_t *least_out);

/* The value as a number that its text, a decimal one, is read as. CW_E_CORRUPT: it has no text. Of NUM and DEC. */
int cw_slot_number(const struct cw_slot_source *source, uint32_t row, double *out,
                   struct cw_err *err) CW_MUST_USE;
/* The row's value, or place in a dictionary, of one that has some. */
static inline int64_t cw_slot_value(const struct cw_slot_source *source, uint32_t row)
{
    return source->column->values[cw_slot_source_at(source, row)];
}

#endif
