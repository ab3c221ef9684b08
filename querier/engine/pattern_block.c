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

struct block_walk {
    struct cw_template_block *tb;
    struct cw_pattern_table *table;
    struct cw_arena *arena;
    const struct cw_layout *layout;
    struct row_kind *kinds;
    /* Columns that messages lie in: their numbers, how many values of the rows so far they have, and how many of a row of each template
     * (taken[template * ncolumns + i]). Templates whose message is elsewhere may have values there too. */
    uint32_t *columns, *seen, *taken;
    uint32_t ncolumns;
    struct cw_buf text;
};

static int put(struct block_walk *w, struct cw_str template, struct cw_str message, uint32_t *out,
               struct cw_err *err)
{
    size_t idx;
    cw_pattern_text(template, message, &w->text);
    int rc = cw_pattern_table_put(w->table, cw_buf_str(&w->text), &idx, err);
    *out = rc < 0 ? (uint32_t)NOT_YET : (uint32_t)idx;
    return rc;
}

static uint32_t *patterns_new(struct block_walk *w, size_t n)
{
    uint32_t *patterns = cw_arena_alloc(w->arena, n * sizeof *patterns);
    memset(patterns, 0xff, n * sizeof *patterns);
    return patterns;
}

static size_t strings_of(const struct cw_column *column)
{
    return column->values != NULL ? column->ndistinct : column->n;
}

/* The column's number among those of messages. */
static uint32_t message_column(struct block_walk *w, uint32_t column)
{
    for (uint32_t i = 0; i < w->ncolumns; i++)
        if (w->columns[i] == column)
            return i;
    w->columns[w->ncolumns] = column;
    return w->ncolumns++;
}

static void kind_open(struct block_walk *w, uint32_t t)
{
    const struct cw_template *template = &w->layout->templates[t];
    const struct cw_slot *slots = w->layout->slots + template->first_slot;
    struct row_kind *kind = &w->kinds[t];
    struct cw_err why;
    size_t at;
    uint32_t slot = 0;
    *kind = (struct row_kind){.pattern = NOT_YET};
    if (!cw_pattern_message_slot(template->text, &at))
        return;
    while (slots[slot].at != at)
        slot++;
    if (cw_template_block_column(w->tb, slots[slot].column, &kind->column, &why) < 0) {
        kind->column = NULL;
        return;
    }
    kind->number = message_column(w, slots[slot].column);
    for (uint32_t s = 0; s < slot; s++)
        kind->before += slots[s].column == slots[slot].column;
    kind->patterns = patterns_new(w, strings_of(kind->column));
}

static void count_taken(struct block_walk *w)
{
    w->seen = CW_ARENA_ARRAY(w->arena, uint32_t, w->ncolumns);
    w->taken = CW_ARENA_ARRAY(w->arena, uint32_t, (size_t)w->layout->ntemplates * w->ncolumns);
    for (uint32_t t = 0; t < w->layout->ntemplates; t++) {
        const struct cw_template *template = &w->layout->templates[t];
        for (uint32_t s = 0; s < template->nslots; s++)
            for (uint32_t i = 0; i < w->ncolumns; i++)
                w->taken[t * w->ncolumns + i] +=
                    w->layout->slots[template->first_slot + s].column == w->columns[i];
    }
}

static int message_row(struct block_walk *w, uint32_t t, uint32_t *out, struct cw_err *err)
{
    struct row_kind *kind = &w->kinds[t];
    const struct cw_column *column = kind->column;
    uint32_t value = w->seen[kind->number] + kind->before;
    CW_ASSERT(value <
              column->n); /* the reader compared rows and columns with the counts of templates */
    uint32_t number = column->values != NULL ? (uint32_t)column->values[value] : value;
    int rc = 0;
    if (kind->patterns[number] == NOT_YET)
        rc = put(w, w->layout->templates[t].text, column->strings[number], &kind->patterns[number],
                 err);
    *out = kind->patterns[number];
    return rc;
}

static int plain_row(struct block_walk *w, uint32_t t, uint32_t *out, struct cw_err *err)
{
    struct row_kind *kind = &w->kinds[t];
    int rc = 0;
    if (kind->pattern == NOT_YET)
        rc = put(w, w->layout->templates[t].text, CW_STR_NONE, &kind->pattern, err);
    *out = kind->pattern;
    return rc;
}

static int walk_rows(struct block_walk *w, const uint16_t *rows, uint32_t nrows, uint32_t *out,
                     struct cw_err *err)
{
    int rc = 0;
    for (uint32_t r = 0; rc == 0 && r < nrows; r++) {
        uint32_t t = rows[r];
        rc = w->kinds[t].column != NULL ? message_row(w, t, &out[r], err)
                                        : plain_row(w, t, &out[r], err);
        for (uint32_t i = 0; i < w->ncolumns; i++)
            w->seen[i] += w->taken[t * w->ncolumns + i];
    }
    return rc;
}

int cw_pattern_block_rows(struct cw_template_block *tb, struct cw_pattern_table *table,
                          uint32_t *rows_out, struct cw_err *err)
{
    struct block_walk w = {.tb = tb, .table = table};
    const uint16_t *rows;
    int rc = cw_template_block_layout(tb, &w.layout, err);
    if (rc == 0)
        rc = cw_template_block_rows(tb, &rows, err);
    if (rc < 0)
        return rc;
    w.arena = cw_arena_new();
    cw_buf_init(&w.text, SIZE_MAX);
    w.kinds = CW_ARENA_ARRAY(w.arena, struct row_kind, w.layout->ntemplates);
    w.columns = CW_ARENA_ARRAY(w.arena, uint32_t, w.layout->ntemplates);
    for (uint32_t t = 0; t < w.layout->ntemplates; t++)
        kind_open(&w, t);
    count_taken(&w);
    rc = walk_rows(&w, rows, cw_template_block_source(tb)->rows, rows_out, err);
    cw_buf_fini(&w.text);
    cw_arena_free(&w.arena);
    return rc;
}
