/* value_rows.c - see that a block's templates and values are the tokenizer's, then hand out its columns run by run. */
#include "common/store/value_rows.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/store/format_slot.h"
#include "common/store/template_block_priv.h"

enum { WIDE_BYTES = 16, CHUNK_VALUES = 1024 };
#define NOT_COPIED UINT64_MAX

struct cw_value_column {
    const struct cw_column_reader *reader;
    uint32_t next, left; /* value; how many of the rows that were counted */
    uint16_t target;     /* its number there, once one of its templates was mapped */
    /* What each value takes of a line; NULL: `size`, all of them. */
    uint32_t size;
    const uint8_t *number_sizes;
    const uint32_t *text_sizes;
    uint64_t *copied; /* where each text is in the target; NULL: none occurs twice */
};

/* ---- what the tokenizer keeps to ---- */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static bool is_alnum(char c)
{
    return is_digit(c) || (unsigned char)((c | 0x20) - 'a') <= 'z' - 'a';
}

/* May the bytes at both sides of a slot be there? A quoted value has its quotes, others touch no run and no slot. */
static bool sides_are_good(struct cw_str text, const struct cw_slot *slot)
{
    char before = slot->at > 0 ? text.ptr[slot->at - 1] : ' ';
    char after = slot->at + 1 < text.len ? text.ptr[slot->at + 1] : ' ';
    if (slot->type == CW_SLOT_QUOTED)
        return before == '"' && after == '"';
    return !is_alnum(before) && !is_alnum(after) && !cw_slot_reserved((unsigned char)before) &&
           !cw_slot_reserved((unsigned char)after);
}

static bool templates_are_good(const struct cw_layout *l)
{
    for (uint32_t t = 0; t < l->ntemplates; t++)
        for (uint32_t s = 0; s < l->templates[t].nslots; s++)
            if (!sides_are_good(l->templates[t].text, &l->slots[l->templates[t].first_slot + s]))
                return false;
    return true;
}

/* A run with a digit. */
static bool str_is_good(struct cw_str s)
{
    bool digit = false, good = true;
    for (size_t i = 0; i < s.len; i++) {
        digit |= is_digit(s.ptr[i]);
        good &= is_alnum(s.ptr[i]);
    }
    return digit && good;
}

static bool quoted_is_good(struct cw_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (cw_slot_reserved((unsigned char)s.ptr[i]))
            return false;
    return true;
}

static bool strings_are_good(const struct cw_column_reader *r)
{
    bool good = true;
    for (uint32_t i = 0; i < r->ndistinct && good; i++)
        good = r->type == CW_SLOT_STR ? str_is_good(r->strings[i]) : quoted_is_good(r->strings[i]);
    return good;
}

/* ---- open ---- */

/* The types of which every text is as long as every other, 0 for the others. */
static uint32_t size_of_type(unsigned type)
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

static bool is_texts(const struct cw_column_reader *r)
{
    return r->strings != NULL || r->wide != NULL;
}

/* Have texts numbers, so that one may occur twice? (What stands in their place of a RAW column are lengths.) */
static bool has_numbers(const struct cw_column_reader *r)
{
    return r->have_values && r->type != CW_SLOT_RAW;
}

/* The numbers of texts [from, from + n). */
static int text_numbers(const struct cw_column_reader *r, uint32_t from, uint32_t n, int64_t *out,
                        struct cw_err *err)
{
    if (!has_numbers(r)) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = from + i;
        return 0;
    }
    int rc = cw_int_access_read(&r->values, from, n, out, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        if ((uint64_t)out[i] >= r->ndistinct)
            rc = cw_err_set(err, CW_E_CORRUPT, "column: the number of a value that is not there");
    return rc;
}

static int texts_open(struct cw_value_column *c, struct cw_arena *arena, struct cw_err *err)
{
    const struct cw_column_reader *r = c->reader;
    if (has_numbers(r))
        c->copied = cw_arena_alloc(arena, r->ndistinct * sizeof(*c->copied));
    if (r->wide != NULL)
        return 1;
    if (r->type != CW_SLOT_RAW && !strings_are_good(r))
        return 0;
    uint32_t *sizes = cw_arena_alloc(arena, r->n * sizeof(*sizes));
    int64_t numbers[CHUNK_VALUES];
    for (uint32_t from = 0; from < r->n; from += CHUNK_VALUES) {
        uint32_t n = CW_MIN(r->n - from, (uint32_t)CHUNK_VALUES);
        int rc = text_numbers(r, from, n, numbers, err);
        if (rc < 0)
            return rc;
        for (uint32_t i = 0; i < n; i++)
            sizes[from + i] = (uint32_t)r->strings[numbers[i]].len;
    }
    c->text_sizes = sizes;
    return 1;
}

/* Values and digits [from, from + n), n <= CHUNK_VALUES; *digits_out is NULL where there are none. */
static int numbers_read(const struct cw_column_reader *r, uint32_t from, uint32_t n,
                        int64_t *values, int64_t *digits, const int64_t **digits_out,
                        struct cw_err *err)
{
    *digits_out = r->have_digits ? digits : NULL;
    int rc = cw_int_access_read(&r->values, from, n, values, err);
    if (rc == 0 && r->have_digits)
        rc = cw_int_access_read(&r->digits, from, n, digits, err);
    return rc;
}

static int numbers_open(struct cw_value_column *c, struct cw_arena *arena, struct cw_err *err)
{
    const struct cw_column_reader *r = c->reader;
    bool one = cw_column_is_constant(r);
    uint32_t all = one ? 1 : r->n;
    int64_t values[CHUNK_VALUES], digits[CHUNK_VALUES];
    uint8_t *sizes = cw_arena_alloc(arena, all);
    for (uint32_t from = 0; from < all; from += CHUNK_VALUES) {
        const int64_t *some_digits;
        uint32_t n = CW_MIN(all - from, (uint32_t)CHUNK_VALUES);
        int rc = numbers_read(r, from, n, values, digits, &some_digits, err);
        if (rc < 0)
            return rc;
        if (!cw_measure_slots(r->type, values, some_digits, n, sizes + from))
            return 0;
    }
    c->size = one ? sizes[0] : c->size;
    c->number_sizes = c->size > 0 ? NULL : sizes;
    return 1;
}

/* 1, 0 when a value is not the tokenizer's, or an error. */
static int column_open(struct cw_value_rows *v, uint32_t column, struct cw_err *err)
{
    struct cw_value_column *c = &v->columns[column];
    struct cw_column_reader *r;
    int rc = cw_template_block_reader(v->block, column, &r, err);
    if (rc < 0)
        return rc;
    *c = (struct cw_value_column){.reader = r, .size = size_of_type(r->type)};
    rc = is_texts(r) ? texts_open(c, v->block->arena, err) : numbers_open(c, v->block->arena, err);
    if (rc < 0)
        cw_err_wrap(err, "column %u", column);
    return rc;
}

/* The length of the column's next value. */
static uint64_t size_next(struct cw_value_column *c)
{
    uint32_t i = c->next++;
    return c->number_sizes != NULL ? c->number_sizes[i]
           : c->text_sizes != NULL ? c->text_sizes[i]
                                   : c->size;
}

static int sizes_fill(struct cw_value_rows *v, uint32_t *sizes, struct cw_err *err)
{
    const struct cw_layout *l = v->layout;
    const struct cw_block *block = v->block->block;
    uint64_t total = 0;
    for (uint32_t row = 0; row < block->rows && total <= block->raw_bytes; row++) {
        const struct cw_template *t = &l->templates[v->rows[row]];
        uint64_t size = t->text.len - t->nslots;
        for (uint32_t s = 0; s < t->nslots; s++)
            size += size_next(&v->columns[l->slots[t->first_slot + s].column]);
        sizes[row] = (uint32_t)size; /* when it does not fit, the total is too large */
        total += size;
    }
    for (uint32_t c = 0; c < l->ncolumns; c++)
        v->columns[c].next = 0;
    return total <= block->raw_bytes
               ? 1
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
    const struct cw_layout *l = v->layout;
    if (block->block->mode > CW_TOKEN_QUOTED || !templates_are_good(l))
        return 0;
    v->columns = cw_arena_alloc(block->arena, l->ncolumns * sizeof(*v->columns));
    v->numbers = cw_arena_alloc(block->arena, l->ntemplates * sizeof(*v->numbers));
    v->row_counts = cw_arena_calloc(block->arena, l->ntemplates, sizeof(*v->row_counts));
    v->found = cw_arena_alloc(block->arena, l->ntemplates * sizeof(*v->found));
    v->counted = cw_arena_alloc(block->arena, l->ncolumns * sizeof(*v->counted));
    for (uint32_t c = 0; c < l->ncolumns; c++) {
        rc = column_open(v, c, err);
        if (rc <= 0)
            return rc;
    }
    return sizes_fill(v, sizes_out, err);
}

enum cw_token_mode cw_value_rows_mode(const struct cw_value_rows *v)
{
    return (enum cw_token_mode)v->block->block->mode;
}

/* ---- the target ---- */

void cw_value_rows_target(struct cw_value_rows *v, uint64_t target)
{
    if (v->target == target)
        return;
    v->target = target;
    memset(v->numbers, 0, v->layout->ntemplates * sizeof(*v->numbers));
    for (uint32_t c = 0; c < v->layout->ncolumns; c++) {
        struct cw_value_column *column = &v->columns[c];
        if (column->copied != NULL)
            memset(column->copied, 0xff, column->reader->ndistinct * sizeof(*column->copied));
    }
}

void cw_value_rows_map(struct cw_value_rows *v, uint16_t template, uint16_t number,
                       const struct cw_slot *slots)
{
    const struct cw_template *t = &v->layout->templates[template];
    v->numbers[template] = (uint16_t)(number + 1);
    for (uint32_t s = 0; s < t->nslots; s++)
        v->columns[v->layout->slots[t->first_slot + s].column].target = slots[s].column;
}

/* ---- rows ---- */

/* What rows [from, to) have of each column, into its `left`; returns how many columns have some. */
static uint32_t count(struct cw_value_rows *v, uint32_t from, uint32_t to)
{
    const struct cw_layout *l = v->layout;
    uint32_t nfound = 0, ncounted = 0;
    for (uint32_t row = from; row < to; row++)
        if (v->row_counts[v->rows[row]]++ == 0)
            v->found[nfound++] = v->rows[row];
    for (uint32_t i = 0; i < nfound; i++) {
        const struct cw_template *t = &l->templates[v->found[i]];
        for (uint32_t s = 0; s < t->nslots; s++) {
            uint16_t column = l->slots[t->first_slot + s].column;
            if (v->columns[column].left == 0)
                v->counted[ncounted++] = column;
            v->columns[column].left += v->row_counts[v->found[i]];
        }
        v->row_counts[v->found[i]] = 0;
    }
    return ncounted;
}

uint32_t cw_value_rows_count(struct cw_value_rows *v, uint32_t from, uint32_t to,
                             const uint16_t **columns_out)
{
    CW_ASSERT(v->next <= from && from <= to && to <= v->block->block->rows);
    for (uint32_t n = count(v, v->next, from), i = 0; i < n; i++) {
        struct cw_value_column *passed = &v->columns[v->counted[i]];
        passed->next += passed->left;
        passed->left = 0;
    }
    v->next = to;
    *columns_out = v->counted;
    return count(v, from, to);
}

uint32_t cw_value_rows_left(const struct cw_value_rows *v, uint16_t column)
{
    return v->columns[column].left;
}

uint16_t cw_value_rows_column(const struct cw_value_rows *v, uint16_t column)
{
    return v->columns[column].target;
}

/* ---- values ---- */

static uint64_t text_copy(const struct cw_column_reader *r, uint64_t number, struct cw_buf *text)
{
    struct cw_str s = r->wide != NULL ? cw_str_make((const char *)r->wide[number], WIDE_BYTES)
                                      : r->strings[number];
    uint64_t at = text->len;
    cw_buf_adds(text, s);
    return at << 32 | s.len;
}

/* Numbers become places. */
static int texts_copy(struct cw_value_column *c, uint32_t n, uint64_t *values, struct cw_buf *text,
                      struct cw_err *err)
{
    int rc = text_numbers(c->reader, c->next, n, (int64_t *)values, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        uint64_t number = values[i];
        if (c->copied == NULL) {
            values[i] = text_copy(c->reader, number, text);
            continue;
        }
        if (c->copied[number] == NOT_COPIED)
            c->copied[number] = text_copy(c->reader, number, text);
        values[i] = c->copied[number];
    }
    return rc;
}

/* What tokens have beside values: the digits, of a NUM only where it has leading zeros. */
static void extra_fill(unsigned type, const int64_t *values, const int64_t *digits, uint32_t n,
                       uint8_t *extra)
{
    uint8_t alone[CHUNK_VALUES];
    for (uint32_t i = 0; i < n; i++)
        extra[i] = (uint8_t)digits[i];
    if (type != CW_SLOT_NUM)
        return;
    (void)cw_measure_slots(type, values, NULL, n, alone);
    for (uint32_t i = 0; i < n; i++)
        extra[i] = extra[i] > alone[i] ? extra[i] : 0;
}

static int numbers_copy(struct cw_value_column *c, uint32_t n, uint64_t *out, uint8_t *extra,
                        struct cw_err *err)
{
    const struct cw_column_reader *r = c->reader;
    int64_t *values = (int64_t *)out, digits[CHUNK_VALUES];
    if (!r->have_digits)
        return cw_int_access_read(&r->values, c->next, n, values, err);
    for (uint32_t from = 0; from < n; from += CHUNK_VALUES) {
        const int64_t *some_digits;
        uint32_t m = CW_MIN(n - from, (uint32_t)CHUNK_VALUES);
        int rc = numbers_read(r, c->next + from, m, values + from, digits, &some_digits, err);
        if (rc < 0)
            return rc;
        extra_fill(r->type, values + from, digits, m, extra + from);
    }
    return 0;
}

int cw_value_rows_copy(struct cw_value_rows *v, uint16_t column, struct cw_buf *text,
                       struct cw_tokens *tokens, struct cw_err *err)
{
    struct cw_value_column *c = &v->columns[column];
    uint32_t n = c->left;
    cw_tokens_reserve(tokens, n);
    uint64_t *values = tokens->values + tokens->n;
    uint8_t *extra = tokens->extra + tokens->n;
    memset(extra, 0, n);
    int rc = is_texts(c->reader) ? texts_copy(c, n, values, text, err)
                                 : numbers_copy(c, n, values, extra, err);
    tokens->n += n;
    c->next += n;
    c->left = 0;
    return rc;
}

int cw_value_rows_lines(struct cw_value_rows *v, uint32_t from, uint32_t to, struct cw_buf *text,
                        uint32_t *offsets, struct cw_err *err)
{
    uint64_t keep[CW_BLOCK_ROWS_MAX / 64];
    memset(keep, 0xff, sizeof(keep));
    return cw_template_block_lines(v->block, keep, from, to, text, offsets, err);
}
