/* encode_column.c - numbers as integer columns, what occurs often as a dictionary and numbers in it. */
#include "common/store/encode_column.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/base/hash.h"
#include "common/store/encode_int.h"
#include "common/store/hex_digits.h"

enum {
    WIDE_BYTES = 16,
    TABLE_MIN = 64,
    /* Over 7 of 8 values differ: numbers would cost more than they save. Told early when nearly all of the first differ. */
    EARLY_VALUES = 2048,
    EARLY_DISTINCT = 1900,
    FILTER_NUM_MIN = 100000, /* the least number of 6 digits */
    FILTER_NUM_DIGITS = 6,
};

/* A distinct value of a column. */
struct entry {
    uint64_t hash;
    uint64_t value; /* as struct cw_tokens has it */
};

struct cw_column_encoder {
    uint32_t *table; /* of numbers of entries + 1 by hash; 0 is free */
    size_t table_size;
    struct entry *entries;
    int64_t *numbers; /* of the entry of each value */
    size_t cap;       /* of entries and numbers */
    uint32_t nentries;
    char *wide; /* values of 16 bytes, one behind the other */
    size_t wide_cap;
};

struct cw_column_encoder *cw_column_encoder_new(void)
{
    return cw_mem_new(sizeof(struct cw_column_encoder));
}

void cw_column_encoder_free(struct cw_column_encoder **encoder)
{
    struct cw_column_encoder *e = *encoder;
    *encoder = NULL;
    if (e == NULL)
        return;
    free(e->table);
    free(e->entries);
    free(e->numbers);
    free(e->wide);
    free(e);
}

/* Room for the entries and numbers of n values. */
static void reserve(struct cw_column_encoder *e, size_t n)
{
    if (n <= e->cap)
        return;
    e->cap = CW_MAX(n, 2 * e->cap);
    e->entries = cw_mem_resize(e->entries, e->cap * sizeof(*e->entries));
    e->numbers = cw_mem_resize(e->numbers, e->cap * sizeof(*e->numbers));
}

/* An empty table for n values. */
static size_t table_clear(struct cw_column_encoder *e, size_t n)
{
    size_t size = TABLE_MIN;
    while (size < 2 * n)
        size *= 2;
    if (size > e->table_size) {
        free(e->table);
        e->table = cw_mem_array(size, sizeof(*e->table));
        e->table_size = size;
    } else {
        memset(e->table, 0, size * sizeof(*e->table));
    }
    reserve(e, n);
    e->nentries = 0;
    return size - 1;
}

static inline struct cw_str bytes_of(const struct cw_column_values *c, uint64_t value)
{
    return cw_str_make(c->text + (value >> 32), (uint32_t)value);
}

static inline uint64_t hash_of(struct cw_str s)
{
    if (s.len > 16 || s.len < 4)
        return cw_hash64(s.ptr != NULL ? s.ptr : "", s.len);
    uint64_t a, b;
    if (s.len >= 8) {
        a = cw_get64(s.ptr);
        b = cw_get64(s.ptr + s.len - 8);
    } else {
        a = cw_get32(s.ptr);
        b = cw_get32(s.ptr + s.len - 4);
    }
    unsigned __int128 m = (unsigned __int128)(a ^ UINT64_C(0x8f3d5b1c6a97e245)) *
                          (b ^ UINT64_C(0xd6e8feb86659fd93) ^ s.len);
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Number the distinct values in order of first use; false when nearly all differ. */
static bool distinct_gather(struct cw_column_encoder *e, const struct cw_column_values *c)
{
    size_t mask = table_clear(e, c->n);
    for (uint32_t i = 0; i < c->n; i++) {
        struct cw_str s = bytes_of(c, c->values[i]);
        uint64_t hash = hash_of(s);
        size_t at = hash & mask;
        for (; e->table[at] != 0; at = (at + 1) & mask) {
            const struct entry *o = &e->entries[e->table[at] - 1];
            if (o->hash == hash && cw_str_eq(bytes_of(c, o->value), s))
                break;
        }
        if (e->table[at] == 0) {
            if (i < EARLY_VALUES && e->nentries == EARLY_DISTINCT)
                return false;
            e->entries[e->nentries++] = (struct entry){hash, c->values[i]};
            e->table[at] = e->nentries;
        }
        e->numbers[i] = e->table[at] - 1;
    }
    return e->nentries <= c->n - c->n / 8;
}

/* ---- strings ---- */

static void string_add(const struct cw_column_values *c, uint64_t value, struct cw_buf *dictionary)
{
    cw_buf_adds(dictionary, bytes_of(c, value));
    cw_buf_addc(dictionary, 0);
}

static void strings_encode(struct cw_column_encoder *e, const struct cw_column_values *c,
                           struct cw_buf *column, struct cw_buf *dictionary)
{
    if (!distinct_gather(e, c)) {
        cw_buf_addc(column, 1);
        for (uint32_t i = 0; i < c->n; i++)
            string_add(c, c->values[i], dictionary);
        return;
    }
    cw_buf_addc(column, 0);
    cw_encode_varint(e->nentries, column);
    cw_encode_int(e->numbers, c->n, column);
    for (uint32_t i = 0; i < e->nentries; i++)
        string_add(c, e->entries[i].value, dictionary);
}

/* ---- 16 bytes ---- */

/* 16 bytes as printed, from 32 hexadecimal digits, dashes between them or not. */
static void wide_read(enum cw_slot_type type, const char *at, char *out)
{
    uint64_t hi, lo;
    if (type == CW_SLOT_UUID) { /* 8-4-4-4-12 */
        hi =
            cw_hex_digits(at, 8) << 32 | cw_hex_digits(at + 9, 4) << 16 | cw_hex_digits(at + 14, 4);
        lo = cw_hex_digits(at + 19, 4) << 48 | cw_hex_digits(at + 24, 12);
    } else {
        hi = cw_hex_digits(at, 16);
        lo = cw_hex_digits(at + 16, 16);
    }
    cw_put64(out, __builtin_bswap64(hi));
    cw_put64(out + 8, __builtin_bswap64(lo));
}

/* The same values, each as 16 bytes. */
static struct cw_column_values wide_gather(struct cw_column_encoder *e,
                                           const struct cw_column_values *c)
{
    struct cw_column_values wide = *c;
    if (c->n > e->wide_cap) {
        e->wide_cap = CW_MAX((size_t)c->n, 2 * e->wide_cap);
        e->wide = cw_mem_resize(e->wide, e->wide_cap * WIDE_BYTES);
    }
    for (uint32_t i = 0; i < c->n; i++) {
        struct cw_str s = bytes_of(c, c->values[i]);
        char *out = e->wide + (size_t)i * WIDE_BYTES;
        if (s.len == WIDE_BYTES)
            memcpy(out, s.ptr, WIDE_BYTES);
        else
            wide_read(c->type, s.ptr, out);
        wide.values[i] = (uint64_t)i * WIDE_BYTES << 32 | WIDE_BYTES;
    }
    wide.text = e->wide;
    return wide;
}

static void wide_add(const struct cw_column_values *c, uint64_t value, struct cw_buf *column,
                     struct cw_value_filter_builder *filter)
{
    struct cw_str s = bytes_of(c, value);
    uint64_t hi = __builtin_bswap64(cw_get64(s.ptr)), lo = __builtin_bswap64(cw_get64(s.ptr + 8));
    cw_value_filter_builder_add(filter, cw_value_key(c->type, hi, lo));
    cw_buf_adds(column, s);
}

static void wide_encode(struct cw_column_encoder *e, const struct cw_column_values *c,
                        struct cw_buf *column, struct cw_value_filter_builder *filter)
{
    struct cw_column_values wide = wide_gather(e, c);
    if (!distinct_gather(e, &wide)) {
        cw_buf_addc(column, 0);
        for (uint32_t i = 0; i < wide.n; i++)
            wide_add(&wide, wide.values[i], column, filter);
        return;
    }
    cw_buf_addc(column, 1);
    cw_encode_varint(e->nentries, column);
    for (uint32_t i = 0; i < e->nentries; i++)
        wide_add(&wide, e->entries[i].value, column, filter);
    cw_encode_int(e->numbers, wide.n, column);
}

/* ---- numbers ---- */

static void filter_add(const struct cw_column_values *c, struct cw_value_filter_builder *filter)
{
    uint64_t least = c->type == CW_SLOT_NUM ? FILTER_NUM_MIN : 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (i > 0 && c->values[i] == c->values[i - 1])
            continue;
        if (c->values[i] >= least || c->extra[i] >= FILTER_NUM_DIGITS)
            cw_value_filter_builder_add(filter, cw_value_key(c->type, 0, c->values[i]));
    }
}

/* The small numbers beside the values, as a column. */
static void extra_encode(struct cw_column_encoder *e, const struct cw_column_values *c,
                         struct cw_buf *column)
{
    reserve(e, c->n);
    for (uint32_t i = 0; i < c->n; i++)
        e->numbers[i] = c->extra[i];
    cw_encode_int(e->numbers, c->n, column);
}

static unsigned digits_of(uint64_t v)
{
    unsigned n = 1;
    for (; v >= 10; v /= 10)
        n++;
    return n;
}

/* Were there leading zeros? Then all digit counts are put down. */
static bool digits_fill(const struct cw_column_values *c)
{
    uint32_t i = 0;
    while (i < c->n && c->extra[i] == 0)
        i++;
    if (i == c->n)
        return false;
    for (i = 0; i < c->n; i++)
        if (c->extra[i] == 0)
            c->extra[i] = (uint8_t)digits_of(c->values[i]);
    return true;
}

void cw_encode_column(struct cw_column_encoder *e, const struct cw_column_values *c,
                      struct cw_buf *column, struct cw_buf *dictionary,
                      struct cw_value_filter_builder *filter)
{
    int64_t *values = (int64_t *)c->values;
    bool digits = false;
    switch (c->type) {
    case CW_SLOT_TIME:
    case CW_SLOT_TIME_DOT_MS:
    case CW_SLOT_TIME_COMMA_MS: break;
    case CW_SLOT_IP4: filter_add(c, filter); break;
    case CW_SLOT_DEC: digits = true; break;
    case CW_SLOT_HEX:
        filter_add(c, filter);
        digits = true;
        break;
    case CW_SLOT_NUM:
        filter_add(c, filter);
        digits = digits_fill(c);
        cw_buf_addc(column, digits ? 1 : 0);
        break;
    case CW_SLOT_HEX32:
    case CW_SLOT_UUID: wide_encode(e, c, column, filter); return;
    case CW_SLOT_STR:
    case CW_SLOT_QUOTED: strings_encode(e, c, column, dictionary); return;
    case CW_SLOT_RAW:
        for (uint32_t i = 0; i < c->n; i++)
            values[i] &= UINT32_MAX;
        break;
    }
    cw_encode_int(values, c->n, column);
    if (digits)
        extra_encode(e, c, column);
}
