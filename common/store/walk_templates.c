/*
 * walk_templates.c - a block of templates: the filters are asked of templates and values first; lines are rebuilt, a piece of rows at
 * a time, only of rows that must be tested as lines or are wanted as such.
 */
#include "common/base/assert.h"
#include "common/store/part_cursor_priv.h"
#include "common/store/template_match.h"

enum {
    /* Rows of the first piece when lines are wanted, or as few rows as will do: who asks so often stops after a few. Each piece has
     * twice as many as all before it. */
    FIRST_PIECE_ROWS = 64,
};

/* Who asks a second time asks again: TEXT, which is at hand now, may have gone by then. */
static void grams_keep(struct cw_part_cursor *c)
{
    const struct cw_scan *scan = c->scan;
    struct cw_cache_place place = cw_part_reader_grams_place(c->source->reader, c->block_index);
    if (c->grams != NULL || !scan->keep_decoded || !cw_part_cache_asked_again(place) ||
        !cw_text_grams_can_tell(scan->filters, scan->nfilters))
        return;
    struct cw_str text = cw_template_block_text(c->w->templates);
    struct cw_text_grams *grams = cw_text_grams_new(text, c->w->block.raw.stored.ptr != NULL);
    cw_cached_unref(cw_part_cache_put(place, &grams->base));
}

static int templates_open(struct cw_part_cursor *c, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    if (w->templates == NULL)
        w->templates = cw_template_block_new();
    struct cw_template_places places = {0};
    int rc = cw_part_block_open(c, err);
    if (rc < 0)
        return rc;
    if (c->scan->keep_decoded)
        places.text = cw_part_reader_text_place(c->source->reader, c->block_index);
    if (cw_part_keeps_rows(c->scan))
        places.rows = cw_part_reader_rows_place(c->source->reader, c->block_index);
    rc = cw_template_block_open_kept(w->templates, &w->block, &places, err);
    cw_part_count_cache(c->scan->stats, places.text, rc);
    if (rc == 0 && c->scan->stats != NULL)
        cw_part_count(&c->scan->stats->bytes_decompressed,
                      cw_template_block_text(w->templates).len);
    const struct cw_layout *layout;
    const uint16_t *rows;
    rc = CW_MIN(rc, 0);
    if (rc == 0)
        grams_keep(c);
    if (rc == 0 && cw_part_wants_templates(c))
        rc = cw_template_block_layout(w->templates, &layout, err);
    if (rc == 0 && cw_part_wants_templates(c))
        rc = cw_template_block_rows(w->templates, &rows, err);
    c->opened = rc == 0;
    if (rc < 0 || !cw_part_takes_values(c))
        return rc;
    rc = cw_value_rows_open(&w->values, w->templates, w->sizes, err);
    c->as_values = rc == 1;
    return CW_MIN(rc, 0);
}

static int templates_prepare(struct cw_part_cursor *c, struct cw_err *err)
{
    if (!cw_part_wants_text(c) && !cw_part_wants_sizes(c) && !cw_part_wants_templates(c))
        return 0;
    if (!cw_part_keeps_lines(c))
        return templates_open(c, err);
    struct cw_cached *kept =
        cw_part_cache_get(cw_part_reader_lines_place(c->source->reader, c->block_index));
    if (kept != NULL)
        c->kept_lines = CW_CONTAINER_OF(kept, struct cw_kept_lines, base);
    cw_lines_gathered_clear(&c->w->gathered);
    return 0;
}

/* About as many rows as a piece of a plain block has; pieces begin at whole words of bits. */
static uint32_t piece_rows(const struct cw_part_cursor *c)
{
    uint64_t rows = (uint64_t)CW_PIECE_RAW_TARGET * c->rows / CW_MAX(c->raw_bytes, 1u);
    if (c->as_values)
        rows = CW_PIECE_ROWS_MAX;
    else if (cw_part_wants_lines(c) || (cw_part_wants_templates(c) && c->scan->cut_ns != NULL))
        rows = CW_MIN(rows, CW_MAX(c->nrows_walked, (uint32_t)FIRST_PIECE_ROWS));
    rows = CW_MIN(rows, (uint64_t)CW_PIECE_ROWS_MAX - 64) / 64 * 64;
    return CW_MAX((uint32_t)rows, 64u);
}

/* Rows that lie before the next wanted one are no piece. */
static void pass_unwanted(struct cw_part_cursor *c)
{
    const struct cw_part_run *r = NULL;
    uint32_t end = c->rows - c->nrows_done;
    bool back = c->scan->newest_first;
    for (; c->nruns_passed < c->nruns; c->nruns_passed++) {
        r = &c->w->runs[back ? c->nruns - 1 - c->nruns_passed : c->nruns_passed];
        if (r->from < r->to && (back ? r->from < end : r->to > c->nrows_done))
            break;
    }
    if (c->nruns_passed == c->nruns)
        c->nrows_done = c->rows;
    else if (back)
        c->nrows_done = c->rows - CW_MIN(end, (r->to + 63) / 64 * 64);
    else
        c->nrows_done = CW_MAX(c->nrows_done, r->from / 64 * 64);
}

static bool templates_next(struct cw_part_cursor *c)
{
    uint32_t rows = piece_rows(c);
    pass_unwanted(c);
    if (c->nrows_done == c->rows)
        return false;
    if (c->scan->newest_first) {
        uint32_t end = c->rows - c->nrows_done;
        c->first_row = end > rows ? (end - rows) / 64 * 64 : 0;
        c->nrows = end - c->first_row;
    } else {
        c->first_row = c->nrows_done;
        c->nrows = CW_MIN(rows, c->rows - c->first_row);
    }
    c->nrows_done += c->nrows;
    c->nrows_walked += c->nrows;
    return true;
}

static void count_ruled_out(struct cw_part_cursor *c, uint32_t nwanted, bool by_values)
{
    struct cw_scan_stats *stats = c->scan->stats;
    uint32_t nleft = cw_bits_count(c->w->left, c->rows);
    if (stats == NULL)
        return;
    cw_part_count(&stats->rows_ruled_out, nwanted - nleft);
    if (nleft == 0)
        cw_part_count(
            by_values ? &stats->blocks_ruled_out_by_values : &stats->blocks_ruled_out_by_text, 1);
}

/* What the filters say of all wanted rows of the block without their lines, once. */
static int filters_match(struct cw_part_cursor *c, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    bool by_values = false;
    if (c->matched)
        return 0;
    c->matched = true;
    size_t bytes = ((size_t)c->rows + 63) / 64 * sizeof(w->left[0]);
    memset(w->left, 0, bytes);
    for (uint32_t i = 0; i < c->nruns; i++)
        cw_bits_set(w->left, w->runs[i].from, w->runs[i].to);
    uint32_t nwanted = cw_bits_count(w->left, c->rows);
    memset(w->unsure, 0, bytes);
    struct cw_str values = cw_part_reader_block_filter(c->source->reader, c->block_index);
    enum cw_match_wants wants = cw_part_wants_lines(c) ? CW_MATCH_WANTS_LINES : CW_MATCH_WANTS_ROWS;
    int rc = cw_template_match(c->scan->filters, c->scan->nfilters, wants, w->templates, values,
                               w->left, w->unsure, &by_values, err);
    if (rc == 0)
        count_ruled_out(c, nwanted, by_values);
    return rc;
}

/* The lines of the piece's rows in `rebuild`, and their sizes. [from, to) are rows of the piece. */
static int lines_rebuild(struct cw_part_cursor *c, uint32_t from, uint32_t to, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    cw_buf_clear(&w->lines);
    int rc = cw_template_block_lines(w->templates, w->rebuild, c->first_row + from,
                                     c->first_row + to, &w->lines, w->offsets + from, err);
    w->text = w->lines.ptr;
    for (uint32_t i = from; rc == 0 && i < to; i++)
        w->sizes[c->first_row + i] = w->offsets[i + 1] - w->offsets[i];
    if (c->scan->stats != NULL) {
        cw_part_count(&c->scan->stats->bytes_decompressed, w->lines.len);
        cw_part_count(&c->scan->stats->rows_rebuilt,
                      cw_bits_count(w->rebuild + (c->first_row + from) / 64, to - from));
    }
    return rc;
}

/* The wanted rows of the piece, if all were kept. */
static bool lines_find(struct cw_part_cursor *c, uint32_t from, uint32_t to)
{
    struct cw_part_workspace *w = c->w;
    uint64_t bytes = 0;
    for (uint32_t i = from; (i = cw_bits_next(w->keep, i, to)) < to; i++) {
        const struct cw_kept_line *line = cw_kept_lines_find(c->kept_lines, c->first_row + i);
        if (line == NULL)
            return false;
        w->offsets[i] = line->offset;
        w->sizes[c->first_row + i] = line->len;
        bytes += line->len;
    }
    if (c->scan->stats != NULL)
        cw_part_count(&c->scan->stats->bytes_decompressed, bytes);
    w->text = c->kept_lines->text;
    return true;
}

static struct cw_labels row_metadata(struct cw_part_cursor *c, uint32_t row)
{
    if (!c->kept_piece)
        return cw_part_row_metadata(c, row);
    return cw_kept_lines_metadata(c->kept_lines, cw_kept_lines_find(c->kept_lines, row));
}

/* Rows that are wanted of a block whose lines are kept: taken from there, or rebuilt. */
static int lines_get(struct cw_part_cursor *c, uint32_t from, uint32_t to, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    c->kept_piece = c->kept_lines != NULL && lines_find(c, from, to);
    if (!c->kept_piece) {
        int rc = c->opened ? 0 : templates_open(c, err);
        if (rc == 0)
            rc = cw_part_meta_read(c, err);
        if (rc == 0)
            rc = lines_rebuild(c, from, to, err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = from; !w->gathered.too_many && (i = cw_bits_next(w->keep, i, to)) < to; i++) {
        uint32_t row = c->first_row + i;
        struct cw_str line = cw_str_make(w->text + w->offsets[i], w->sizes[row]);
        cw_lines_gather(&w->gathered, row, line, row_metadata(c, row));
    }
    return 0;
}

static void templates_end(struct cw_part_cursor *c)
{
    if (c->opened && cw_part_keeps_lines(c))
        cw_lines_gathered_keep(&c->w->gathered,
                               cw_part_reader_lines_place(c->source->reader, c->block_index));
}

/* Test the piece's unsure rows as lines. `from` is at a whole word. */
static int lines_filter(struct cw_part_cursor *c, uint32_t from, uint32_t to, struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    const uint64_t *unsure = w->unsure + c->first_row / 64;
    uint64_t test[CW_PIECE_ROWS_MAX / 64];
    uint32_t word = from / 64, end = (to + 63) / 64;
    int rc = 0;
    for (uint32_t i = word; i < end; i++)
        test[i] = w->keep[i] & unsure[i];
    for (size_t i = 0; rc == 0 && i < c->scan->nfilters; i++) {
        if (!cw_bits_any(test + word, to - from))
            break;
        rc = cw_line_filter_select(c->scan->filters[i], w->text, w->offsets + from, to - from,
                                   test + word, err);
    }
    for (uint32_t i = word; i < end; i++)
        w->keep[i] &= test[i] | ~unsure[i];
    return rc;
}

static int templates_filter(struct cw_part_cursor *c, uint32_t from, uint32_t to,
                            struct cw_err *err)
{
    struct cw_part_workspace *w = c->w;
    if (c->as_values || (!cw_part_wants_text(c) && !cw_part_wants_sizes(c)))
        return 0;
    from -= from % 64;
    uint32_t word = from / 64, end = (to + 63) / 64, first = c->first_row / 64;
    int rc = 0;
    if (c->scan->nfilters > 0) {
        rc = filters_match(c, err);
        for (uint32_t i = word; rc == 0 && i < end; i++)
            w->keep[i] &= w->left[first + i];
    }
    bool lines = cw_part_wants_lines(c);
    for (uint32_t i = word; i < end; i++)
        w->rebuild[first + i] = w->keep[i] & (lines                   ? UINT64_MAX
                                              : c->scan->nfilters > 0 ? w->unsure[first + i]
                                                                      : 0);
    if (rc == 0 && cw_bits_any(w->rebuild + first + word, to - from)) {
        rc = cw_part_keeps_lines(c) ? lines_get(c, from, to, err) : lines_rebuild(c, from, to, err);
        if (rc == 0 && c->scan->nfilters > 0)
            rc = lines_filter(c, from, to, err);
    }
    if (rc == 0 && !lines && cw_part_wants_sizes(c)) {
        memcpy(w->rebuild + first + word, w->keep + word, (end - word) * sizeof(w->keep[0]));
        rc = cw_template_block_sizes(w->templates, w->rebuild, c->first_row + from,
                                     c->first_row + to, w->sizes + c->first_row + from, err);
    }
    return rc;
}

const struct cw_part_walk cw_walk_templates = {templates_prepare, templates_next, templates_filter,
                                               templates_end};
