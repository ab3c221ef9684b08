#include "querier/engine/pattern_block.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/assert.h"
#include "querier/engine/pattern_text.h"

enum { NOT_YET = UINT32_MAX };

/* A template of the block. */
struct row_kind {
    uint32_t pattern;               /* without a message; NOT_YET: nobody asked */
    const struct cw_column *column; /* of its messages; NULL: they are no slot, or cannot be read */
    uint32_t number;                /* of the column among those of messages */
    uint32_t before;                /* slots ahead of the message that share its column */
    uint32_t *patterns;             /* by number of the message's string; NOT_YET */
};

struct cw_pattern_block {
    struct cw_pattern_table *table;
    struct cw_buf text;
    struct cw_arena *arena; /* of the block, as all that follows */
    struct cw_template_block *tb;
    const struct cw_layout *layout;
    const uint16_t *rows;
    struct row_kind *kinds; /* by template */
    uint32_t *columns;      /* that messages lie in */
    uint32_t ncolumns;
    uint32_t *
        values; /* by row: which of the column's values its message is; NULL: no message is a slot */
};

struct cw_pattern_block *cw_pattern_block_new(struct cw_pattern_table *table)
{
    struct cw_pattern_block *b = cw_mem_new(sizeof *b);
    b->table = table;
    b->arena = cw_arena_new();
    cw_buf_init(&b->text, SIZE_MAX);
    return b;
}

void cw_pattern_block_free(struct cw_pattern_block **block)
{
    if (*block == NULL)
        return;
    cw_buf_fini(&(*block)->text);
    cw_arena_free(&(*block)->arena);
    free(*block);
    *block = NULL;
}

/* ---- where messages lie ---- */

/* The column's number among those of messages. */
static uint32_t message_column(struct cw_pattern_block *b, uint32_t column)
{
    for (uint32_t i = 0; i < b->ncolumns; i++)
        if (b->columns[i] == column)
            return i;
    b->columns[b->ncolumns] = column;
    return b->ncolumns++;
}

static uint32_t *patterns_new(struct cw_pattern_block *b, const struct cw_column *column)
{
    size_t n = column->values != NULL ? column->ndistinct : column->n;
    uint32_t *patterns = cw_arena_alloc(b->arena, n * sizeof *patterns);
    memset(patterns, 0xff, n * sizeof *patterns);
    return patterns;
}

static void kind_open(struct cw_pattern_block *b, uint32_t t)
{
    const struct cw_template *template = &b->layout->templates[t];
    const struct cw_slot *slots = b->layout->slots + template->first_slot;
    struct row_kind *kind = &b->kinds[t];
    struct cw_err why;
    size_t at;
    uint32_t slot = 0;
    *kind = (struct row_kind){.pattern = NOT_YET};
    if (!cw_pattern_message_slot(template->text, &at))
        return;
    while (slots[slot].at != at)
        slot++;
    if (cw_template_block_column(b->tb, slots[slot].column, &kind->column, &why) < 0) {
        kind->column = NULL;
        return;
    }
    kind->number = message_column(b, slots[slot].column);
    for (uint32_t s = 0; s < slot; s++)
        kind->before += slots[s].column == slots[slot].column;
    kind->patterns = patterns_new(b, kind->column);
}

/* How many values a row of each template has in each column of messages: taken[template * ncolumns + i]. A template whose message is
 * elsewhere may have some too. */
static uint32_t *count_taken(struct cw_pattern_block *b)
{
    const struct cw_layout *layout = b->layout;
    uint32_t *taken = CW_ARENA_ARRAY(b->arena, uint32_t, (size_t)layout->ntemplates * b->ncolumns);
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        const struct cw_template *template = &layout->templates[t];
        for (uint32_t s = 0; s < template->nslots; s++)
            for (uint32_t i = 0; i < b->ncolumns; i++)
                taken[t * b->ncolumns + i] +=
                    layout->slots[template->first_slot + s].column == b->columns[i];
    }
    return taken;
}

/* Values lie in order of rows: a row's are behind those of all rows before it. */
static void find_values(struct cw_pattern_block *b)
{
    const uint32_t *taken = count_taken(b);
    uint32_t *seen = CW_ARENA_ARRAY(b->arena, uint32_t, b->ncolumns);
    uint32_t nrows = cw_template_block_source(b->tb)->rows;
    b->values = CW_ARENA_ARRAY(b->arena, uint32_t, nrows);
    for (uint32_t r = 0; r < nrows; r++) {
        const struct row_kind *kind = &b->kinds[b->rows[r]];
        if (kind->column != NULL)
            b->values[r] = seen[kind->number] + kind->before;
        for (uint32_t i = 0; i < b->ncolumns; i++)
            seen[i] += taken[b->rows[r] * b->ncolumns + i];
    }
}

int cw_pattern_block_begin(struct cw_pattern_block *b, struct cw_template_block *tb,
                           struct cw_err *err)
{
    int rc = cw_template_block_layout(tb, &b->layout, err);
    if (rc == 0)
        rc = cw_template_block_rows(tb, &b->rows, err);
    if (rc < 0)
        return rc;
    cw_arena_reset(b->arena);
    b->tb = tb;
    b->values = NULL;
    b->ncolumns = 0;
    b->kinds = CW_ARENA_ARRAY(b->arena, struct row_kind, b->layout->ntemplates);
    b->columns = CW_ARENA_ARRAY(b->arena, uint32_t, b->layout->ntemplates);
    for (uint32_t t = 0; t < b->layout->ntemplates; t++)
        kind_open(b, t);
    if (b->ncolumns > 0)
        find_values(b);
    return 0;
}

/* ---- patterns ---- */

static int put(struct cw_pattern_block *b, uint32_t t, struct cw_str message, uint32_t *out,
               struct cw_err *err)
{
    size_t idx;
    cw_pattern_text(b->layout->templates[t].text, message, &b->text);
    int rc = cw_pattern_table_put(b->table, cw_buf_str(&b->text), &idx, err);
    if (rc == 0)
        *out = (uint32_t)idx;
    return rc;
}

static int row_pattern(struct cw_pattern_block *b, uint32_t row, uint32_t *out, struct cw_err *err)
{
    uint32_t t = b->rows[row], *pattern;
    struct row_kind *kind = &b->kinds[t];
    const struct cw_column *column = kind->column;
    struct cw_str message = CW_STR_NONE;
    if (column == NULL) {
        pattern = &kind->pattern;
    } else {
        uint32_t value = b->values[row];
        CW_ASSERT(
            value <
            column->n); /* the reader compared rows and columns with the counts of templates */
        uint32_t number = column->values != NULL ? (uint32_t)column->values[value] : value;
        message = column->strings[number];
        pattern = &kind->patterns[number];
    }
    int rc = *pattern == NOT_YET ? put(b, t, message, pattern, err) : 0;
    *out = *pattern;
    return rc;
}

int cw_pattern_block_rows(struct cw_pattern_block *b, const uint32_t *rows, size_t n, uint32_t *out,
                          struct cw_err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = row_pattern(b, rows[i], &out[i], err);
    return rc;
}
