/* walk_plain.c - a plain block: its pieces of text, one decompressed after the other and searched while it is in the cache. */
#include "common/base/assert.h"
#include "common/store/part_cursor_priv.h"

static int plain_prepare(struct cw_part_cursor *c, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    int rc = cw_part_block_open(c, err);
    if (rc < 0 || (!cw_part_wants_text(c) && !cw_part_wants_sizes(c)))
        return rc;
    return cw_block_lengths(&w->block, w->scratch, w->sizes, err);
}

static bool plain_next(struct cw_part_cursor *c)
{
    const struct cw_block *b = &c->w->block;
    if (c->npieces_done == b->npieces)
        return false;
    uint32_t i = c->npieces_done++;
    const struct cw_piece *p = &b->pieces[c->scan->newest_first ? b->npieces - 1 - i : i];
    c->first_row = p->first_row;
    c->nrows = p->rows;
    return true;
}

/* Text of the piece and where its lines begin. */
static int piece_text(struct cw_part_cursor *c, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    uint32_t i = c->npieces_done - 1;
    const struct cw_piece *p =
        &w->block.pieces[c->scan->newest_first ? w->block.npieces - 1 - i : i];
    char *text = cw_part_room(&w->plain, &w->plain_cap, p->text.raw_bytes);
    int rc = cw_block_section_into(&p->text, text, err);
    if (rc < 0)
        return rc;
    uint32_t at = 0;
    for (uint32_t row = 0; row < p->rows; row++) {
        w->offsets[row] = at;
        at += w->sizes[p->first_row + row];
    }
    w->offsets[p->rows] = at;
    w->text = text;
    if (c->scan->stats != NULL)
        cw_part_count(&c->scan->stats->bytes_decompressed, p->text.raw_bytes);
    return 0;
}

/* Filters over the rows between the first and the last wanted one; `keep` is shifted there by whole words. */
static int plain_filter(struct cw_part_cursor *c, uint32_t from, uint32_t to, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    if (!cw_part_wants_text(c))
        return 0;
    int rc = piece_text(c, err);
    from -= from % 64;
    for (size_t i = 0; rc == 0 && i < c->scan->nfilters; i++) {
        rc = cw_line_filter_select(c->scan->filters[i], w->text, w->offsets + from, to - from,
                                   w->keep + from / 64, err);
        if (!cw_bits_any(w->keep + from / 64, to - from))
            break;
    }
    return rc;
}

const struct cw_part_walk cw_walk_plain = {plain_prepare, plain_next, plain_filter, NULL};
