/* value_rows.c - decode all columns of a block, then hand out their values row by row. */
#include "common/store/value_rows.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "common/store/template_block_priv.h"

enum { WIDE_BYTES = 16, CHUNK_VALUES = 1024 };
#define NOT_COPIED UINT64_MAX

struct cw_value_column {
    uint32_t next;
    uint32_t ntexts;        /* 0: values are numbers */
    const uint64_t *values; /* of texts: their numbers; NULL: text i is value i */
    const uint8_t *extra;   /* of numbers, as struct cw_tokens has it; NULL: all 0 */
    const uint8_t *sizes;   /* of numbers: their lengths; NULL: all of them are fixed_size long */
    uint32_t fixed_size;
    const struct cw_str *strings;
    const uint8_t (*wide)[WIDE_BYTES];
    uint64_t *copied; /* where each text is in the target; NULL: none occurs twice */
};

/* ---- open ---- */

/* The types of which every text is as long as every other, 0 for the others. */
static uint32_t fixed_size(unsigned type)
{
    switch (type) {
    case CW_SLOT_TIME: return 8;
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS: return 12;
    case CW_SLOT_HEX32: return 32;
    case CW_SLOT_UUID: return 36;
    default: return 0;
    }
}

static int texts_open(struct cw_value_column *c, const struct cw_column_reader *r,
                      struct cw_arena *arena, struct cw_err *err)
{
    struct cw_column decoded;
    int rc = cw_column_decode(r, arena, &decoded, err);
    c->ntexts = r->ndistinct;
    c->strings = r->strings;
    c->wide = r->wide;
    if (r->type == CW_SLOT_RAW || !r->have_values)
        return rc;
    c->values = (const uint64_t *)decoded.values;
    c->copied = cw_arena_alloc(arena, c->ntexts * sizeof(*c->copied));
    return rc;
}

/* What tokens have beside n <= CHUNK_VALUES values: of a NUM only where it has leading zeros. */
static bool extra_fill(unsigned type, const int64_t *values, const int64_t *digits, uint32_t n,
                       uint8_t *extra)
{
    for (uint32_t i = 0; i < n; i++)
        extra[i] = (uint8_t)digits[i];
    if (type != CW_SLOT_NUM)
        return true;
    uint8_t alone[CHUNK_VALUES];
    bool good = cw_measure_slots(type, values, NULL, n, alone);
    for (uint32_t i = 0; i < n; i++) {
        good &= digits[i] >= alone[i];
        extra[i] = digits[i] > alone[i] ? extra[i] : 0;
    }
    return good;
}

static int numbers_open(struct cw_value_column *c, const struct cw_column_reader *r,
                        struct cw_arena *arena, struct cw_err *err)
{
    int64_t *values = cw_arena_alloc(arena, r->n * sizeof(*values)), digits[CHUNK_VALUES];
    uint8_t *sizes = cw_arena_alloc(arena, r->n), *extra = NULL;
    int rc = cw_int_access_read(&r->values, 0, r->n, values, err);
    if (r->have_digits)
        extra = cw_arena_alloc(arena, r->n);
    bool good = true;
    for (uint32_t from = 0; rc == 0 && from < r->n; from += CHUNK_VALUES) {
        uint32_t n = CW_MIN(r->n - from, (uint32_t)CHUNK_VALUES);
        if (r->have_digits)
            rc = cw_int_access_read(&r->digits, from, n, digits, err);
        if (rc < 0)
            return rc;
        good &= cw_measure_slots(r->type, values + from, r->have_digits ? digits : NULL, n,
                                 sizes + from);
        if (r->have_digits)
            good &= extra_fill(r->type, values + from, digits, n, extra + from);
    }
    if (rc == 0 && !good)
        rc = cw_err_set(err, CW_E_CORRUPT, "column: a value that no line has");
    c->values = (const uint64_t *)values;
    c->extra = extra;
    c->sizes = c->fixed_size > 0 ? NULL : sizes;
    return rc;
}

static int column_open(struct cw_value_rows *v, uint32_t column, struct cw_err *err)
{
    struct cw_value_column *c = &v->columns[column];
    struct cw_column_reader *r;
    int rc = cw_template_block_reader(v->block, column, &r, err);
    if (rc < 0)
        return rc;
    *c = (struct cw_value_column){.fixed_size = fixed_size(r->type)};
    bool texts = r->strings != NULL || r->wide != NULL;
    rc = texts ? texts_open(c, r, v->block->arena, err) : numbers_open(c, r, v->block->arena, err);
    if (rc < 0)
        cw_err_wrap(err, "column %u", column);
    return rc;
}

/* The length of the column's next value, if not all of its values have the same. */
static uint64_t size_next(struct cw_value_column *c)
{
    uint32_t i = c->next++;
    if (c->sizes != NULL)
        return c->sizes[i];
    return c->strings[c->values != NULL ? c->values[i] : i].len;
}

static int sizes_fill(struct cw_value_rows *v, uint32_t *sizes, struct cw_err *err)
{
    const struct cw_layout *l = v->layout;
    const struct cw_block *block = v->block->block;
    uint64_t total = 0;
    for (uint32_t row = 0; row < block->rows && total <= block->raw_bytes; row++) {
        const struct cw_template *t = &l->templates[v->rows[row]];
        uint64_t size = t->text.len - t->nslots;
        for (uint32_t s = 0; s < t->nslots; s++) {
            struct cw_value_column *c = &v->columns[l->slots[t->first_slot + s].column];
            size += c->fixed_size > 0 ? c->fixed_size : size_next(c);
        }
        sizes[row] = (uint32_t)size; /* when it does not fit, the total is too large */
        total += size;
    }
    for (uint32_t c = 0; c < l->ncolumns; c++)
        v->columns[c].next = 0;
    return total <= block->raw_bytes
               ? 0
               : cw_err_set(err, CW_E_CORRUPT,
                            "block of templates: its lines are longer than its header says");
}

int cw_value_rows_open(struct cw_value_rows *v, struct cw_template_block *block,
                       uint32_t *sizes_out, struct cw_err *err)
{
    *v = (struct cw_value_rows){.block = block};
    int rc = cw_template_block_layout(block, &v->layout, err);
    if (rc == 0)
        rc = cw_template_block_rows(block, &v->rows, err);
    if (rc < 0)
        return rc;
    v->columns = cw_arena_alloc(block->arena, v->layout->ncolumns * sizeof(*v->columns));
    v->numbers = cw_arena_alloc(block->arena, v->layout->ntemplates * sizeof(*v->numbers));
    for (uint32_t c = 0; rc == 0 && c < v->layout->ncolumns; c++)
        rc = column_open(v, c, err);
    return rc < 0 ? rc : sizes_fill(v, sizes_out, err);
}

/* ---- rows ---- */

void cw_value_rows_target(struct cw_value_rows *v, uint64_t target)
{
    if (v->copied_to == target)
        return;
    v->copied_to = target;
    memset(v->numbers, 0, v->layout->ntemplates * sizeof(*v->numbers));
    for (uint32_t c = 0; c < v->layout->ncolumns; c++)
        if (v->columns[c].copied != NULL)
            memset(v->columns[c].copied, 0xff,
                   v->columns[c].ntexts * sizeof(*v->columns[c].copied));
}

void cw_value_rows_set_number(struct cw_value_rows *v, uint16_t template, uint16_t number)
{
    v->numbers[template] = number;
}

static uint64_t text_copy(const struct cw_value_column *c, uint64_t number, struct cw_buf *text)
{
    struct cw_str s = c->wide != NULL ? cw_str_make((const char *)c->wide[number], WIDE_BYTES)
                                      : c->strings[number];
    uint64_t at = text->len;
    cw_buf_adds(text, s);
    return at << 32 | s.len;
}

/* Where value i, a text, stands in *text. */
static uint64_t text_of(const struct cw_value_column *c, uint32_t i, struct cw_buf *text)
{
    if (c->values == NULL)
        return text_copy(c, i, text);
    uint64_t number = c->values[i];
    if (c->copied[number] == NOT_COPIED)
        c->copied[number] = text_copy(c, number, text);
    return c->copied[number];
}

static void skip(struct cw_value_rows *v, uint32_t row)
{
    for (; v->next < row; v->next++) {
        const struct cw_template *t = &v->layout->templates[v->rows[v->next]];
        for (uint32_t s = 0; s < t->nslots; s++)
            v->columns[v->layout->slots[t->first_slot + s].column].next++;
    }
}

void cw_value_rows_take(struct cw_value_rows *v, uint32_t row, struct cw_buf *text,
                        struct cw_tokens *tokens)
{
    CW_ASSERT(row >= v->next && row < v->block->block->rows);
    skip(v, row);
    const struct cw_template *t = &v->layout->templates[v->rows[row]];
    const struct cw_slot *slots = v->layout->slots + t->first_slot;
    cw_tokens_reserve(tokens);
    uint64_t *values = tokens->values + tokens->n;
    uint8_t *extra = tokens->extra + tokens->n;
    for (uint32_t s = 0; s < t->nslots; s++) {
        struct cw_value_column *c = &v->columns[slots[s].column];
        uint32_t i = c->next++;
        values[s] = c->ntexts > 0 ? text_of(c, i, text) : c->values[i];
        extra[s] = c->extra != NULL ? c->extra[i] : 0;
    }
    tokens->n += t->nslots;
    v->next = row + 1;
}

int cw_value_rows_line(struct cw_value_rows *v, uint32_t row, struct cw_buf *text,
                       struct cw_err *err)
{
    uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    uint32_t offsets[2];
    keep[row / 64] = UINT64_MAX;
    return cw_template_block_lines(v->block, keep, row, row + 1, text, offsets, err);
}
