/* template_block.c - the sections of a block of templates, each read when it is first asked for. */
#include "common/store/template_block.h"

#include <stdlib.h>

#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format_slot.h"
#include "common/store/template_block_priv.h"

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "block of templates: %s", what);
}

struct cw_template_block *cw_template_block_new(void)
{
    struct cw_template_block *tb = cw_mem_new(sizeof(*tb));
    tb->arena = cw_arena_new();
    cw_layout_init(&tb->layout);
    return tb;
}

void cw_template_block_free(struct cw_template_block **block)
{
    struct cw_template_block *tb = *block;
    *block = NULL;
    if (tb == NULL)
        return;
    cw_template_block_close(tb);
    cw_arena_free(&tb->arena);
    cw_layout_fini(&tb->layout);
    free(tb);
}

size_t cw_template_block_bytes(const struct cw_template_block *tb)
{
    return sizeof(*tb) + cw_arena_bytes(tb->arena);
}

/* Empty the arena; what was in many pieces comes back as one, so that the next block needs nothing from the system. */
static void arena_reuse(struct cw_arena *arena)
{
    size_t before = cw_arena_bytes(arena);
    cw_arena_reset(arena);
    if (cw_arena_bytes(arena) < before) {
        cw_arena_alloc(arena, before);
        cw_arena_reset(arena);
    }
}

/* TEMPLATES: the counts; the sizes of dictionaries are read with the layout, which says how many there are. */
static int counts_read(struct cw_template_block *tb, struct cw_err *err)
{
    const struct cw_block *b = tb->block;
    struct cw_str bytes;
    int64_t counts[CW_BLOCK_TEMPLATES_MAX];
    size_t used;
    int rc = cw_block_section_bytes(&b->templates, 0, tb->arena, &bytes, err);
    if (rc == 0)
        rc = cw_decode_int(bytes, b->ntemplates, counts, &used, err);
    if (rc < 0)
        return rc;
    uint64_t total = 0;
    for (uint32_t t = 0; t < b->ntemplates; t++) {
        if (counts[t] < 1 || counts[t] > b->rows)
            return bad(err, "counts of rows are wrong");
        tb->counts[t] = (uint32_t)counts[t];
        total += tb->counts[t];
    }
    tb->dictionary_sizes = cw_str_sub(bytes, used, bytes.len);
    return total == b->rows ? 0 : bad(err, "its templates have not as many rows as it has");
}

static int text_fill(void *arg, struct cw_cached *item, struct cw_err *err)
{
    const struct cw_section *s = arg;
    struct kept_text *text = CW_CONTAINER_OF(item, struct kept_text, base);
    memset(text->bytes + s->raw_bytes, 0, CW_SLOT_TEXT_SLACK);
    return cw_block_section_into(s, text->bytes, err);
}

/* Into memory that is shared, or that nobody else wants. */
static int text_read(struct cw_template_block *tb, struct cw_err *err)
{
    struct cw_section section = tb->block->text;
    size_t bytes = sizeof(*tb->kept_text) + section.raw_bytes + (size_t)CW_SLOT_TEXT_SLACK;
    struct cw_cached *kept;
    int rc = cw_part_cache_fetch(tb->places.text, bytes, text_fill, &section, &kept, err);
    if (rc == 0 && kept == NULL)
        return cw_block_section_bytes(&section, CW_SLOT_TEXT_SLACK, tb->arena, &tb->text, err);
    if (rc < 0)
        return rc;
    tb->kept_text = CW_CONTAINER_OF(kept, struct kept_text, base);
    tb->text = cw_str_make(tb->kept_text->bytes, section.raw_bytes);
    return rc;
}

int cw_template_block_open(struct cw_template_block *tb, const struct cw_block *block,
                           struct cw_err *err)
{
    static const struct cw_template_places nowhere;
    return cw_template_block_open_kept(tb, block, &nowhere, err);
}

int cw_template_block_open_kept(struct cw_template_block *tb, const struct cw_block *block,
                                const struct cw_template_places *places, struct cw_err *err)
{
    cw_template_block_close(tb);
    arena_reuse(tb->arena);
    tb->block = block;
    tb->places = *places;
    tb->have_layout = tb->have_raw = false;
    tb->rows = NULL;
    tb->lines = (struct lines_state){0};
    int rc = counts_read(tb, err);
    return rc < 0 ? rc : text_read(tb, err);
}

void cw_template_block_close(struct cw_template_block *tb)
{
    if (tb->kept_text != NULL)
        cw_cached_unref(&tb->kept_text->base);
    if (tb->kept_rows != NULL)
        cw_cached_unref(&tb->kept_rows->base);
    tb->kept_text = NULL;
    tb->kept_rows = NULL;
}

const struct cw_block *cw_template_block_source(const struct cw_template_block *tb)
{
    return tb->block;
}

const uint32_t *cw_template_block_counts(const struct cw_template_block *tb)
{
    return tb->counts;
}

struct cw_str cw_template_block_text(const struct cw_template_block *tb)
{
    return tb->text;
}

/* ---- the layout ---- */

/* The templates off the front of TEXT; *rest_out is what follows. */
static int templates_parse(struct cw_template_block *tb, struct cw_str *rest_out,
                           struct cw_err *err)
{
    struct cw_str rest = tb->text;
    cw_layout_clear(&tb->layout);
    for (uint32_t t = 0; t < tb->block->ntemplates; t++) {
        const char *end = rest.len > 0 ? memchr(rest.ptr, 0, rest.len) : NULL;
        if (end == NULL)
            return bad(err, "templates are missing");
        size_t len = (size_t)(end - rest.ptr);
        int rc = cw_layout_add(&tb->layout, cw_str_sub(rest, 0, len), err);
        if (rc == CW_E_LIMIT)
            return bad(err, "a template has more slots or columns than any writer makes");
        if (rc < 0)
            return rc;
        rest = cw_str_sub(rest, len + 1, rest.len);
    }
    *rest_out = rest;
    return tb->layout.ncolumns == tb->block->ncolumns ? 0 : bad(err, "not as many columns");
}

static int values_count(struct cw_template_block *tb, struct cw_err *err)
{
    const struct cw_layout *l = &tb->layout;
    uint64_t total = 0;
    for (uint32_t t = 0; t < l->ntemplates; t++)
        total += (uint64_t)tb->counts[t] * l->templates[t].nslots;
    /* Each takes a byte of a line at least, or two quotes, or the whole line. It also bounds the counts below. */
    if (total > (uint64_t)tb->block->raw_bytes + tb->block->rows)
        return bad(err, "more values than its lines can have");
    tb->columns = cw_arena_calloc(tb->arena, l->ncolumns, sizeof(*tb->columns));
    for (uint32_t t = 0; t < l->ntemplates; t++)
        for (uint32_t s = 0; s < l->templates[t].nslots; s++)
            tb->columns[l->slots[l->templates[t].first_slot + s].column].n += tb->counts[t];
    return 0;
}

static int dictionaries_find(struct cw_template_block *tb, struct cw_str rest, struct cw_err *err)
{
    const struct cw_layout *l = &tb->layout;
    int64_t sizes[CW_BLOCK_COLUMNS_MAX];
    uint32_t n = 0, next = 0;
    for (uint32_t c = 0; c < l->ncolumns; c++)
        n += cw_slot_is_string(l->columns[c].type);
    int rc = cw_decode_int(tb->dictionary_sizes, n, sizes, NULL, err);
    if (rc < 0)
        return rc;
    for (uint32_t c = 0; c < l->ncolumns; c++) {
        if (!cw_slot_is_string(l->columns[c].type))
            continue;
        int64_t size = sizes[next++];
        if (size < 0 || (uint64_t)size > rest.len)
            return bad(err, "dictionaries are missing");
        tb->columns[c].dictionary = cw_str_sub(rest, 0, (size_t)size);
        rest = cw_str_sub(rest, (size_t)size, rest.len);
    }
    return rest.len == 0 ? 0 : bad(err, "bytes follow the dictionaries");
}

/* Which columns lie in SMALL, and where. */
static int small_find(struct cw_template_block *tb, struct cw_err *err)
{
    struct cw_str in = CW_STR_NONE;
    if (tb->block->small.stored.ptr != NULL) {
        int rc = cw_block_section_bytes(&tb->block->small, 0, tb->arena, &in, err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t c = 0; c < tb->layout.ncolumns; c++) {
        uint64_t size;
        if (cw_block_column(tb->block, c).stored.ptr != NULL)
            continue;
        if (!cw_decode_varint(&in, &size) || size > in.len)
            return bad(err, "columns are missing");
        tb->columns[c].small = cw_str_sub(in, 0, size);
        in = cw_str_sub(in, size, in.len);
    }
    return in.len == 0 ? 0 : bad(err, "bytes follow the small columns");
}

int cw_template_block_layout(struct cw_template_block *tb, const struct cw_layout **out,
                             struct cw_err *err)
{
    *out = &tb->layout;
    if (tb->have_layout)
        return 0;
    struct cw_str rest;
    int rc = templates_parse(tb, &rest, err);
    if (rc == 0)
        rc = values_count(tb, err);
    if (rc == 0)
        rc = dictionaries_find(tb, rest, err);
    if (rc == 0)
        rc = small_find(tb, err);
    tb->have_layout = rc == 0;
    return rc;
}

struct cw_str cw_template_block_dictionary(const struct cw_template_block *tb, uint32_t column)
{
    CW_ASSERT(tb->have_layout && column < tb->layout.ncolumns);
    return tb->columns[column].dictionary;
}

uint32_t cw_template_block_values(const struct cw_template_block *tb, uint32_t column)
{
    CW_ASSERT(tb->have_layout && column < tb->layout.ncolumns);
    return tb->columns[column].n;
}

/* ---- rows ---- */

/* Into *out; each template must have as many as TEMPLATES says, for places in columns are counted by them. */
static int rows_decode(struct cw_template_block *tb, uint16_t *out, struct cw_err *err)
{
    const struct cw_block *b = tb->block;
    struct cw_int_access numbers;
    struct cw_str bytes;
    uint32_t *counts = cw_arena_calloc(tb->arena, b->ntemplates, sizeof(*counts));
    int64_t some[1024];
    int rc = cw_block_section_bytes(&b->row_templates, 0, tb->arena, &bytes, err);
    if (rc == 0)
        rc = cw_int_access_open(bytes, b->rows, tb->arena, &numbers, NULL, err);
    for (uint32_t from = 0; rc == 0 && from < b->rows; from += CW_COUNT(some)) {
        uint32_t n = CW_MIN(b->rows - from, (uint32_t)CW_COUNT(some));
        rc = cw_int_access_read(&numbers, from, n, some, err);
        for (uint32_t i = 0; rc == 0 && i < n; i++) {
            if ((uint64_t)some[i] >= b->ntemplates)
                return bad(err, "a row of a template that it does not have");
            out[from + i] = (uint16_t)some[i];
            counts[some[i]]++;
        }
    }
    if (rc == 0 && memcmp(counts, tb->counts, b->ntemplates * sizeof(*counts)) != 0)
        rc = bad(err, "rows are not those that its templates have");
    return rc;
}

static int rows_fill(void *arg, struct cw_cached *item, struct cw_err *err)
{
    return rows_decode(arg, CW_CONTAINER_OF(item, struct kept_rows, base)->templates, err);
}

static int rows_read(struct cw_template_block *tb, struct cw_err *err)
{
    size_t bytes = tb->block->rows * sizeof(*tb->rows);
    struct cw_cached *kept;
    if (tb->block->ntemplates == 1) {
        tb->rows = cw_arena_calloc(tb->arena, tb->block->rows, sizeof(*tb->rows));
        return 0;
    }
    int rc = cw_part_cache_fetch(tb->places.rows, sizeof(*tb->kept_rows) + bytes, rows_fill, tb,
                                 &kept, err);
    if (rc < 0)
        return rc;
    if (kept != NULL) {
        tb->kept_rows = CW_CONTAINER_OF(kept, struct kept_rows, base);
        tb->rows = tb->kept_rows->templates;
        return 0;
    }
    uint16_t *rows = cw_arena_alloc(tb->arena, bytes);
    rc = rows_decode(tb, rows, err);
    tb->rows = rc < 0 ? NULL : rows;
    return rc;
}

int cw_template_block_rows(struct cw_template_block *tb, const uint16_t **out, struct cw_err *err)
{
    int rc = tb->rows == NULL ? rows_read(tb, err) : 0;
    *out = tb->rows;
    return rc;
}

/* ---- columns ---- */

/* What a column's values are texts of: its dictionary, or RAW. */
static int texts_find(struct cw_template_block *tb, uint32_t column, struct cw_str *out,
                      struct cw_err *err)
{
    *out = tb->columns[column].dictionary;
    if (tb->layout.columns[column].type != CW_SLOT_RAW)
        return 0;
    if (!tb->have_raw) {
        tb->raw = CW_STR_NONE;
        if (tb->block->raw.stored.ptr == NULL)
            return bad(err, "its whole lines are missing");
        int rc =
            cw_block_section_bytes(&tb->block->raw, CW_SLOT_TEXT_SLACK, tb->arena, &tb->raw, err);
        if (rc < 0)
            return rc;
        tb->have_raw = true;
    }
    *out = tb->raw;
    return 0;
}

int cw_template_block_reader(struct cw_template_block *tb, uint32_t column,
                             struct cw_column_reader **out, struct cw_err *err)
{
    struct block_column *c = &tb->columns[column];
    *out = &c->reader;
    if (c->open)
        return 0;
    struct cw_section section = cw_block_column(tb->block, column);
    struct cw_str bytes = c->small, texts;
    int rc = texts_find(tb, column, &texts, err);
    if (rc == 0 && section.stored.ptr != NULL)
        rc = cw_block_section_bytes(&section, 0, tb->arena, &bytes, err);
    if (rc == 0)
        rc = cw_column_open(tb->layout.columns[column].type, c->n, bytes, texts, tb->arena,
                            &c->reader, err);
    if (rc < 0)
        cw_err_wrap(err, "column %u", column);
    c->open = rc == 0;
    return rc;
}

int cw_template_block_column(struct cw_template_block *tb, uint32_t column,
                             const struct cw_column **out, struct cw_err *err)
{
    const struct cw_layout *layout;
    struct cw_column_reader *reader;
    int rc = cw_template_block_layout(tb, &layout, err);
    if (rc < 0)
        return rc;
    CW_ASSERT(column < layout->ncolumns);
    rc = cw_template_block_reader(tb, column, &reader, err);
    if (rc == 0 && tb->columns[column].decoded == NULL) {
        struct cw_column *decoded = cw_arena_alloc(tb->arena, sizeof(*decoded));
        rc = cw_column_decode(reader, tb->arena, decoded, err);
        if (rc < 0)
            cw_err_wrap(err, "column %u", column);
        else
            tb->columns[column].decoded = decoded;
    }
    *out = tb->columns[column].decoded;
    return rc;
}
