/* template_block_priv.h - what template_block.c, template_lines.c and value_rows.c share. */
#ifndef CW_STORE_TEMPLATE_BLOCK_PRIV_H
#define CW_STORE_TEMPLATE_BLOCK_PRIV_H
#include <stdbool.h>
#include "common/store/template_block.h"

struct block_column {
    uint32_t n; /* values */
    struct cw_str dictionary, small;
    bool open;
    struct cw_column_reader reader;
    const struct cw_column *decoded; /* NULL: not asked for */
};

/* Texts of the next values of a column, and, for when they are used up, ... */
struct column_feed {
    const struct cw_str *next, *end;
};
/* ... where they are from. */
struct column_place {
    uint32_t at; /* the value behind `end` */
    bool constant;
    struct cw_str *texts; /* NULL: not used yet */
    char *area;
};

/* Rebuilding lines: made when the first are asked for. */
struct lines_state {
    struct column_feed *feeds;   /* by column */
    struct column_place *places; /* likewise */
    uint32_t placed; /* the row whose values are the next of every column; UINT32_MAX: none */
    uint32_t row;
    uint32_t *before; /* rows of each template before `row` */
    /* Templates that have column c, as often as they have it: users[users_at[c]], up to users_at[c + 1]. NULL: not needed yet. */
    uint32_t *users_at;
    uint16_t *users;
};

/* TEXT, to be shared. */
struct kept_text {
    struct cw_cached base; /* first */
    char bytes[];          /* and CW_SLOT_TEXT_SLACK more */
};

/* Templates of rows, to be shared. */
struct kept_rows {
    struct cw_cached base; /* first */
    uint16_t templates[];
};

struct cw_template_block {
    struct cw_arena *arena;
    const struct cw_block *block;
    struct cw_template_places places;
    struct cw_str text;
    struct kept_text *kept_text; /* where that lies; NULL: in the arena */
    uint32_t counts[CW_BLOCK_TEMPLATES_MAX];
    struct cw_str dictionary_sizes; /* integer column: the end of TEMPLATES */
    bool have_layout;
    struct cw_layout layout;
    struct block_column *columns;
    struct cw_str raw; /* of RAW */
    bool have_raw;
    const uint16_t *rows;        /* NULL: not asked for */
    struct kept_rows *kept_rows; /* likewise */
    struct lines_state lines;
};

/* Column < layout.ncolumns, ready to be read; the layout was asked for. */
int cw_template_block_reader(struct cw_template_block *tb, uint32_t column,
                             struct cw_column_reader **out, struct cw_err *err) CW_MUST_USE;

#endif
