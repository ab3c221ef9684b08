/*
 * template_lines.c - rebuild lines: a template's text with the next value of each slot's column in it.
 *
 * Where a row's values stand in their columns follows from how many rows of each template come before it. So a range of rows is
 * entered by counting those, and walked by moving a place per column on. Where few rows are wanted, walking all slots of all rows
 * between them costs more than counting the rows and adding the counts up for the slots of a row that is wanted.
 */
#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "common/store/template_block_priv.h"

enum {
    COPY_STEP = 16,
    SHORT_TEXT = 48, /* longer ones look for room themselves */
    JUMP_MIN = 16,   /* rows to walk that cost as much as one that is jumped to */
};
_Static_assert((int)CW_SLOT_TEXT_SLACK >= (int)COPY_STEP, "texts are copied in steps");
_Static_assert((int)SHORT_TEXT >= (int)CW_SLOT_TEXT_MAX, "numbers have their room");

/* One call. */
struct rebuild {
    struct cw_template_block *tb;
    uint32_t batch;      /* values of a column that are texted at once */
    struct cw_buf *text; /* NULL: only sizes are wanted */
    uint64_t bytes;      /* of all rows so far */
    int rc;              /* what went wrong */
    struct cw_err *err;
};

static int too_long(struct cw_err *err)
{
    return cw_err_set(err, CW_E_CORRUPT,
                      "block of templates: its lines are longer than its header says");
}

/* ---- places in columns ---- */

static void lines_begin(struct cw_template_block *tb)
{
    struct lines_state *l = &tb->lines;
    if (l->feeds != NULL)
        return;
    l->feeds = cw_arena_calloc(tb->arena, tb->layout.ncolumns, sizeof(*l->feeds));
    l->places = cw_arena_calloc(tb->arena, tb->layout.ncolumns, sizeof(*l->places));
    l->placed = UINT32_MAX;
    l->before = cw_arena_calloc(tb->arena, tb->layout.ntemplates, sizeof(*l->before));
    l->row = 0;
}

/* Count the rows before `row`: on from where it was, or from either end of the block. */
static void seek(struct cw_template_block *tb, uint32_t row)
{
    struct lines_state *l = &tb->lines;
    uint32_t nrows = tb->block->rows, far = row > l->row ? row - l->row : l->row - row;
    size_t bytes = tb->layout.ntemplates * sizeof(*l->before);
    if (nrows - row < far) {
        memcpy(l->before, tb->counts, bytes);
        l->row = nrows;
    } else if (row < far) {
        memset(l->before, 0, bytes);
        l->row = 0;
    }
    while (l->row < row)
        l->before[tb->rows[l->row++]]++;
    while (l->row > row)
        l->before[tb->rows[--l->row]]--;
}

/* Every column's place at the row that seek() went to. */
static void places_set(struct cw_template_block *tb)
{
    const struct cw_layout *layout = &tb->layout;
    struct lines_state *l = &tb->lines;
    memset(l->feeds, 0, layout->ncolumns * sizeof(*l->feeds));
    for (uint32_t c = 0; c < layout->ncolumns; c++)
        l->places[c].at = 0;
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        if (l->before[t] == 0)
            continue;
        const struct cw_slot *slots = layout->slots + layout->templates[t].first_slot;
        for (uint32_t s = 0; s < layout->templates[t].nslots; s++)
            l->places[slots[s].column].at += l->before[t];
    }
}

static void users_find(struct cw_template_block *tb)
{
    const struct cw_layout *layout = &tb->layout;
    struct lines_state *l = &tb->lines;
    if (l->users_at != NULL)
        return;
    uint32_t *at = cw_arena_calloc(tb->arena, layout->ncolumns + 2, sizeof(*at));
    uint16_t *users = cw_arena_alloc(tb->arena, layout->nslots * sizeof(*users));
    /* Counted one place further, so that filling them moves each start to where it belongs. */
    for (uint32_t s = 0; s < layout->nslots; s++)
        at[layout->slots[s].column + 2]++;
    for (uint32_t c = 2; c < layout->ncolumns + 2; c++)
        at[c] += at[c - 1];
    for (uint32_t t = 0; t < layout->ntemplates; t++) {
        const struct cw_slot *slots = layout->slots + layout->templates[t].first_slot;
        for (uint32_t s = 0; s < layout->templates[t].nslots; s++)
            users[at[slots[s].column + 1]++] = (uint16_t)t;
    }
    l->users_at = at;
    l->users = users;
}

/* The places of the columns of one template at the row that seek() went to. */
static void places_set_of(struct cw_template_block *tb, const struct cw_template *t)
{
    struct lines_state *l = &tb->lines;
    const struct cw_slot *slots = tb->layout.slots + t->first_slot;
    for (uint32_t s = 0; s < t->nslots; s++) {
        uint32_t c = slots[s].column, place = 0;
        for (uint32_t u = l->users_at[c]; u < l->users_at[c + 1]; u++)
            place += l->before[l->users[u]];
        l->places[c].at = place;
        l->feeds[c] = (struct column_feed){0};
    }
}

/* ---- texts ---- */

/* What the column's texts need, once. */
static int place_open(struct rebuild *r, struct column_place *p, struct cw_column_reader *reader)
{
    struct cw_arena *arena = r->tb->arena;
    uint32_t most = CW_MIN(reader->n, (uint32_t)CW_COLUMN_TEXTS_MAX);
    p->texts = cw_arena_alloc(arena, most * sizeof(*p->texts));
    p->area =
        cw_arena_alloc(arena, most * cw_slot_text_room(reader->type) + (size_t)CW_SLOT_TEXT_SLACK);
    p->constant = cw_column_is_constant(reader);
    if (p->constant) {
        const struct cw_str *texts;
        return cw_column_texts(reader, 0, most, p->area, p->texts, &texts, r->err);
    }
    return r->batch == CW_COLUMN_TEXTS_MAX ? cw_column_texts_prepare(reader, arena, r->err) : 0;
}

static bool feed_fill(struct rebuild *r, uint32_t column)
{
    struct column_place *p = &r->tb->lines.places[column];
    struct column_feed *f = &r->tb->lines.feeds[column];
    struct cw_column_reader *reader;
    r->rc = cw_template_block_reader(r->tb, column, &reader, r->err);
    if (r->rc < 0)
        return false;
    /* rows_decode() saw to it that there are as many values as rows ask for. */
    CW_ASSERT(p->at < reader->n);
    if (p->texts == NULL)
        r->rc = place_open(r, p, reader);
    uint32_t n = CW_MIN(reader->n - p->at, r->batch);
    const struct cw_str *texts = p->texts;
    if (r->rc == 0 && !p->constant)
        r->rc = cw_column_texts(reader, p->at, n, p->area, p->texts, &texts, r->err);
    if (r->rc < 0) {
        cw_err_wrap(r->err, "column %u", column);
        p->texts = NULL;
        return false;
    }
    p->at += n;
    *f = (struct column_feed){texts, texts + n};
    return true;
}

/* The text of the column's next value; NULL: r->rc. */
static inline const struct cw_str *feed_next(struct rebuild *r, struct column_feed *feeds,
                                             uint32_t column)
{
    struct column_feed *f = &feeds[column];
    if (f->next == f->end && !feed_fill(r, column))
        return NULL;
    return f->next++;
}

/* Whole steps: up to 15 bytes too many, on both sides. */
static inline char *copy(char *to, const char *from, size_t n)
{
    memcpy(to, from, COPY_STEP);
    for (size_t i = COPY_STEP; i < n; i += COPY_STEP)
        memcpy(to + i, from + i, COPY_STEP);
    return to + n;
}

/* Room for n more bytes and the last step, behind the `used` bytes that the row has; NULL: r->rc. */
static char *room(struct rebuild *r, size_t used, size_t n)
{
    uint64_t most = (uint64_t)r->tb->block->raw_bytes + SHORT_TEXT * CW_TEMPLATE_SLOTS_MAX;
    if (r->bytes + used + n > most) {
        r->rc = too_long(r->err);
        return NULL;
    }
    n += used + COPY_STEP;
    if (r->text->cap - r->text->len >= n && r->text->ptr != NULL)
        return r->text->ptr + r->text->len;
    char *at = cw_buf_reserve(r->text, n);
    if (at == NULL)
        r->rc = cw_err_set(r->err, CW_E_LIMIT, "no room for the lines of a block");
    return at;
}

static int row_write(struct rebuild *r, const struct cw_template *t)
{
    const struct cw_slot *slot = r->tb->layout.slots + t->first_slot, *end = slot + t->nslots;
    size_t left = t->text.len + (size_t)SHORT_TEXT * t->nslots; /* for what is not written yet */
    char *line = room(r, 0, left), *at = line;
    const char *template = t->text.ptr, *text = template, *text_end = text + t->text.len;
    struct column_feed *feeds = r->tb->lines.feeds;
    if (line == NULL)
        return r->rc;
    for (; slot < end; slot++) {
        const char *slot_at = template + slot->at;
        at = copy(at, text, (size_t)(slot_at - text));
        text = slot_at + 1;
        const struct cw_str *value = feed_next(r, feeds, slot->column);
        if (value == NULL)
            return r->rc;
        if (value->len > SHORT_TEXT) {
            size_t used = (size_t)(at - line);
            line = room(r, used, value->len + left);
            if (line == NULL)
                return r->rc;
            at = line + used;
        }
        at = copy(at, value->ptr, value->len);
    }
    at = copy(at, text, (size_t)(text_end - text));
    r->text->len += (size_t)(at - line);
    r->bytes += (size_t)(at - line);
    return 0;
}

/* The size of the row's line. */
static int row_measure(struct rebuild *r, const struct cw_template *t, uint32_t *out)
{
    const struct cw_slot *slots = r->tb->layout.slots + t->first_slot;
    uint64_t size = t->text.len - t->nslots;
    for (uint32_t s = 0; s < t->nslots; s++) {
        const struct cw_str *value = feed_next(r, r->tb->lines.feeds, slots[s].column);
        if (value == NULL)
            return r->rc;
        size += value->len;
    }
    r->bytes += size;
    *out = (uint32_t)size; /* when it does not fit, r->bytes is too large too */
    return 0;
}

static void row_skip(struct cw_template_block *tb, const struct cw_template *t)
{
    const struct cw_slot *slots = tb->layout.slots + t->first_slot;
    for (uint32_t s = 0; s < t->nslots; s++) {
        struct column_feed *f = &tb->lines.feeds[slots[s].column];
        if (f->next < f->end)
            f->next++;
        else
            tb->lines.places[slots[s].column].at++;
    }
}

/* ---- rows ---- */

static bool wanted(const uint64_t *keep, uint32_t row)
{
    return (keep[row / 64] >> (row % 64) & 1) != 0;
}

static uint32_t wanted_count(const uint64_t *keep, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    while (from < to) {
        uint32_t m = CW_MIN(64 - from % 64, to - from);
        uint64_t word = keep[from / 64] >> (from % 64);
        n += (uint32_t)__builtin_popcountll(m == 64 ? word : word & ((UINT64_C(1) << m) - 1));
        from += m;
    }
    return n;
}

/* `out`: offsets of lines, or sizes. */
static int row_do(struct rebuild *r, const struct cw_template *t, uint32_t *out)
{
    if (r->text != NULL)
        return row_write(r, t);
    return row_measure(r, t, out);
}

/* Every row between is walked over. */
static int rows_walk(struct rebuild *r, const uint64_t *keep, uint32_t from, uint32_t to,
                     uint32_t *out)
{
    struct cw_template_block *tb = r->tb;
    struct lines_state *l = &tb->lines;
    if (l->placed != from) {
        seek(tb, from);
        places_set(tb);
    }
    l->placed = UINT32_MAX;
    for (uint32_t row = from; row < to; row++) {
        const struct cw_template *t = &tb->layout.templates[tb->rows[row]];
        out[row - from] = r->text != NULL ? (uint32_t)r->text->len : 0;
        if (!wanted(keep, row))
            row_skip(tb, t);
        else if (row_do(r, t, &out[row - from]) < 0)
            return r->rc;
        l->before[tb->rows[row]]++;
        l->row++;
    }
    l->placed = to;
    return 0;
}

/* Only rows that are wanted are looked at. */
static int rows_jump(struct rebuild *r, const uint64_t *keep, uint32_t from, uint32_t to,
                     uint32_t *out)
{
    struct cw_template_block *tb = r->tb;
    users_find(tb);
    tb->lines.placed = UINT32_MAX;
    for (uint32_t row = from; row < to; row++) {
        out[row - from] = r->text != NULL ? (uint32_t)r->text->len : 0;
        if (!wanted(keep, row))
            continue;
        const struct cw_template *t = &tb->layout.templates[tb->rows[row]];
        seek(tb, row);
        places_set_of(tb, t);
        if (row_do(r, t, &out[row - from]) < 0)
            return r->rc;
    }
    return 0;
}

static int rows_rebuild(struct rebuild *r, const uint64_t *keep, uint32_t from, uint32_t to,
                        uint32_t *out)
{
    const struct cw_layout *layout;
    const uint16_t *rows;
    int rc = cw_template_block_layout(r->tb, &layout, r->err);
    if (rc == 0)
        rc = cw_template_block_rows(r->tb, &rows, r->err);
    if (rc < 0)
        return rc;
    CW_ASSERT(from <= to && to <= r->tb->block->rows);
    lines_begin(r->tb);
    uint64_t n = wanted_count(keep, from, to), all = to - from;
    if (n * CW_MAX(layout->ntemplates, (uint32_t)JUMP_MIN) < all) {
        r->batch = 1;
        return rows_jump(r, keep, from, to, out);
    }
    /* Of values in between that nobody wants not too many. */
    r->batch = (uint32_t)CW_MAX(UINT64_C(1), CW_COLUMN_TEXTS_MAX * n / CW_MAX(all, UINT64_C(1)));
    return rows_walk(r, keep, from, to, out);
}

int cw_template_block_lines(struct cw_template_block *tb, const uint64_t *keep, uint32_t from,
                            uint32_t to, struct cw_buf *text, uint32_t *offsets, struct cw_err *err)
{
    struct rebuild r = {.tb = tb, .text = text, .err = err};
    int rc = rows_rebuild(&r, keep, from, to, offsets);
    offsets[to - from] = (uint32_t)text->len;
    if (rc == 0 && r.bytes > tb->block->raw_bytes)
        rc = too_long(err);
    return rc;
}

int cw_template_block_sizes(struct cw_template_block *tb, const uint64_t *keep, uint32_t from,
                            uint32_t to, uint32_t *sizes, struct cw_err *err)
{
    struct rebuild r = {.tb = tb, .err = err};
    int rc = rows_rebuild(&r, keep, from, to, sizes);
    if (rc == 0 && r.bytes > tb->block->raw_bytes)
        rc = too_long(err);
    return rc;
}
