/* encode_int.c - choose an integer column's encoding by its computed size, and write it. */
#include "common/store/encode_int.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/format.h"
#include "common/store/int_column.h"

static const int64_t scales[] = {INT64_C(1000000000), 1000000, 1000};
static const uint8_t scale_exponents[] = {9, 6, 3};

void cw_encode_varint(uint64_t value, struct cw_buf *out)
{
    uint8_t bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (uint8_t)value;
    cw_buf_add(out, bytes, n);
}

static size_t varint_bytes(uint64_t value)
{
    size_t n = 1;
    while (value >>= 7)
        n++;
    return n;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static unsigned width_of(uint64_t range)
{
    return range == 0 ? 0 : 64 - (unsigned)__builtin_clzll(range);
}

static size_t packed_bytes(size_t n, unsigned width)
{
    return (n * width + 7) / 8;
}

static void min_max(const int64_t *v, size_t n, int64_t *min_out, int64_t *max_out)
{
    int64_t min = v[0], max = v[0];
    for (size_t i = 1; i < n; i++) {
        min = CW_MIN(min, v[i]);
        max = CW_MAX(max, v[i]);
    }
    *min_out = min;
    *max_out = max;
}

/* (value - least), `width` bits each; whole bytes for any n. */
static void pack(const int64_t *v, size_t n, int64_t least, unsigned width, struct cw_buf *out)
{
    size_t bytes = packed_bytes(n, width);
    if (bytes == 0)
        return;
    char *at = cw_buf_reserve(out, bytes + 8);
    if (at == NULL)
        return;
    out->len += bytes;
    uint64_t acc = 0;
    unsigned have = 0; /* bits in acc, under 64 between values */
    for (size_t i = 0; i < n; i++) {
        uint64_t d = (uint64_t)v[i] - (uint64_t)least;
        acc |= d << have;
        have += width;
        if (have >= 64) {
            cw_put64(at, acc);
            at += 8;
            have -= 64;
            acc = have > 0 ? d >> (width - have) : 0;
        }
    }
    if (have > 0)
        memcpy(at, &acc, (have + 7) / 8);
}

static size_t mini_bytes(const int64_t *v, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i += CW_INT_MINIBLOCK) {
        size_t m = CW_MIN(n - i, (size_t)CW_INT_MINIBLOCK);
        int64_t min, max;
        min_max(v + i, m, &min, &max);
        total += varint_bytes(zigzag(min)) + 1 +
                 packed_bytes(m, width_of((uint64_t)max - (uint64_t)min));
    }
    return total;
}

static void mini_write(const int64_t *v, size_t n, struct cw_buf *out)
{
    for (size_t i = 0; i < n; i += CW_INT_MINIBLOCK) {
        size_t m = CW_MIN(n - i, (size_t)CW_INT_MINIBLOCK);
        int64_t min, max;
        min_max(v + i, m, &min, &max);
        unsigned width = width_of((uint64_t)max - (uint64_t)min);
        cw_encode_varint(zigzag(min), out);
        cw_buf_addc(out, (char)width);
        pack(v + i, m, min, width, out);
    }
}

static void add_i64(int64_t v, struct cw_buf *out)
{
    cw_buf_add(out, &v, sizeof v);
}

/* Divide all values by the largest scale that divides each; returns its exponent. */
static uint8_t scale_down(int64_t *v, size_t n)
{
    for (size_t s = 0; s < CW_COUNT(scales); s++) {
        size_t i = 0;
        while (i < n && v[i] % scales[s] == 0)
            i++;
        if (i < n)
            continue;
        for (i = 0; i < n; i++)
            v[i] /= scales[s];
        return scale_exponents[s];
    }
    return 0;
}

static void head(enum cw_int_encoding encoding, uint8_t exponent, struct cw_buf *out)
{
    cw_buf_addc(out, (char)encoding);
    cw_buf_addc(out, (char)exponent);
}

/* ---- distinct values ---- */

/*
 * A dictionary: the distinct values in ascending order, and the number of each value. Looking for it ends when it cannot be the
 * cheapest any more, or where nearly all of the first values differ.
 */
enum { DISTINCT_MAX = 16384, EARLY_VALUES = 2048, EARLY_DISTINCT = 1900, DICT_VALUES_MIN = 16 };

struct dictionary {
    uint64_t *distinct;
    int64_t *numbers;
    uint16_t *table; /* of numbers + 1 by value; 0 is free */
    size_t n, mask;
};

static size_t place_of(const struct dictionary *d, uint64_t value)
{
    size_t at = (value * UINT64_C(0x9e3779b97f4a7c15) >> 40) & d->mask;
    while (d->table[at] != 0 && d->distinct[d->table[at] - 1] != value)
        at = (at + 1) & d->mask;
    return at;
}

/* May there be one more distinct value, the `i`th of n values being the next, if all must take less than bytes_max? */
static bool dictionary_may_grow(const struct dictionary *d, size_t i, size_t n, size_t bytes_max)
{
    if (d->n == DISTINCT_MAX || (i < EARLY_VALUES && d->n == EARLY_DISTINCT))
        return false;
    /* At a power of two numbers become a bit wider. */
    return (d->n & (d->n - 1)) != 0 || packed_bytes(n, width_of(d->n)) + d->n < bytes_max;
}

/* Number the values in order of first use; false when a dictionary does not pay. */
static bool dictionary_gather(struct dictionary *d, const int64_t *v, size_t n, size_t bytes_max)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t value = (uint64_t)v[i];
        if (i > 0 && v[i] == v[i - 1]) {
            d->numbers[i] = d->numbers[i - 1];
            continue;
        }
        size_t at = place_of(d, value);
        if (d->table[at] == 0) {
            if (!dictionary_may_grow(d, i, n, bytes_max))
                return false;
            d->distinct[d->n++] = value;
            d->table[at] = (uint16_t)d->n;
        }
        d->numbers[i] = d->table[at] - 1;
    }
    return true;
}

struct ranked {
    uint64_t value;
    uint32_t number;
};

/* Sort by value, a byte at a time; bytes in which all agree cost one look. The result lies in `a` or `b`. */
static struct ranked *sort_by_value(struct ranked *a, struct ranked *b, size_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t starts[256] = {0}, at = 0;
        for (size_t i = 0; i < n; i++)
            starts[a[i].value >> shift & 0xff]++;
        if (starts[a[0].value >> shift & 0xff] == n)
            continue;
        for (size_t i = 0; i < 256; i++) {
            uint32_t count = starts[i];
            starts[i] = at;
            at += count;
        }
        for (size_t i = 0; i < n; i++)
            b[starts[a[i].value >> shift & 0xff]++] = a[i];
        struct ranked *swap = a;
        a = b;
        b = swap;
    }
    return a;
}

/* Put the distinct values in order, and give the values their new numbers. */
static void dictionary_sort(struct dictionary *d, size_t n)
{
    struct ranked *a = cw_mem_array(2 * d->n, sizeof(*a));
    uint32_t *rank = cw_mem_array(d->n, sizeof(*rank));
    for (size_t i = 0; i < d->n; i++)
        a[i] = (struct ranked){d->distinct[i], (uint32_t)i};
    const struct ranked *sorted = sort_by_value(a, a + d->n, d->n);
    for (size_t i = 0; i < d->n; i++) {
        d->distinct[i] = sorted[i].value;
        rank[sorted[i].number] = (uint32_t)i;
    }
    for (size_t i = 0; i < n; i++)
        d->numbers[i] = rank[d->numbers[i]];
    free(a);
    free(rank);
}

/* The values as a dictionary in *out, if that may take less than bytes_max; false otherwise. */
static bool dict_encode(const int64_t *v, size_t n, size_t bytes_max, struct cw_buf *out)
{
    if (n < DICT_VALUES_MIN)
        return false;
    size_t most = CW_MIN(n, (size_t)DISTINCT_MAX), size = 64;
    while (size < 2 * most)
        size *= 2;
    struct dictionary d = {.mask = size - 1};
    d.table = cw_mem_array(size, sizeof(*d.table));
    d.distinct = cw_mem_resize(NULL, most * sizeof(*d.distinct));
    d.numbers = cw_mem_resize(NULL, n * sizeof(*d.numbers));
    bool few = dictionary_gather(&d, v, n, bytes_max);
    if (few) {
        dictionary_sort(&d, n);
        cw_encode_varint(d.n, out);
        add_i64((int64_t)d.distinct[0], out);
        unsigned width = width_of(d.n - 1);
        for (size_t i = d.n - 1; i > 0; i--)
            d.distinct[i] -= d.distinct[i - 1];
        mini_write((const int64_t *)d.distinct + 1, d.n - 1, out);
        cw_buf_addc(out, (char)width);
        pack(d.numbers, n, 0, width, out);
    }
    free(d.table);
    free(d.distinct);
    free(d.numbers);
    return few;
}

/* ---- differences in whole bytes ---- */

static unsigned byte_length(uint64_t z)
{
    return z == 0 ? 0 : 8 - (unsigned)__builtin_clzll(z) / 8;
}

static size_t bytes_bytes(const int64_t *differences, size_t n)
{
    size_t total = (n + 1) / 2;
    for (size_t i = 0; i < n; i++)
        total += byte_length(zigzag(differences[i]));
    return total;
}

static void bytes_write(const int64_t *differences, size_t n, struct cw_buf *out)
{
    for (size_t i = 0; i < n; i += 2) {
        unsigned high = i + 1 < n ? byte_length(zigzag(differences[i + 1])) : 0;
        cw_buf_addc(out, (char)(byte_length(zigzag(differences[i])) | high << 4));
    }
    for (size_t i = 0; i < n; i++) {
        uint64_t z = zigzag(differences[i]);
        cw_buf_add(out, &z, byte_length(z));
    }
}

/* ---- the cheapest ---- */

/* Differences take the place of the values ... */
static void to_differences(int64_t *v, size_t n)
{
    for (size_t i = n - 1; i > 0; i--)
        v[i] = (int64_t)((uint64_t)v[i] - (uint64_t)v[i - 1]);
}

/* ... and back, modulo 2^64. */
static void to_values(int64_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        v[i] = (int64_t)((uint64_t)v[i] + (uint64_t)v[i - 1]);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

void cw_encode_int(int64_t *values, size_t n, struct cw_buf *out)
{
    int64_t min = 0, max = 0;
    if (n > 0)
        min_max(values, n, &min, &max);
    if (min == max) {
        head(CW_INT_CONST, 0, out);
        add_i64(min, out);
        return;
    }
    uint8_t exponent = scale_down(values, n);
    if (exponent != 0)
        min_max(values, n, &min, &max);
    unsigned width = width_of((uint64_t)max - (uint64_t)min);
    struct cw_buf dict, delta_dict;
    cw_buf_init(&dict, SIZE_MAX);
    cw_buf_init(&delta_dict, SIZE_MAX);
    size_t as_for = 9 + packed_bytes(n, width), as_mini = mini_bytes(values, n);
    size_t best = least(as_for, as_mini);
    size_t as_dict = dict_encode(values, n, best, &dict) ? dict.len : SIZE_MAX;
    int64_t first = values[0];
    to_differences(values, n);
    size_t as_delta = 8 + mini_bytes(values + 1, n - 1);
    size_t as_bytes = 8 + bytes_bytes(values + 1, n - 1);
    /* Where differences are no narrower than values, few of them are alike. */
    bool narrow = as_delta < best;
    best = least(least(best, as_dict), least(as_delta, as_bytes));
    size_t as_delta_dict =
        narrow && dict_encode(values + 1, n - 1, best, &delta_dict) ? 8 + delta_dict.len : SIZE_MAX;
    best = least(best, as_delta_dict);
    /* Where two are equal, the one that is read faster. */
    if (best == as_for || best == as_mini)
        to_values(values, n);
    if (best == as_for) {
        head(CW_INT_FOR, exponent, out);
        add_i64(min, out);
        cw_buf_addc(out, (char)width);
        pack(values, n, min, width, out);
    } else if (best == as_mini) {
        head(CW_INT_MINI, exponent, out);
        mini_write(values, n, out);
    } else if (best == as_dict) {
        head(CW_INT_DICT, exponent, out);
        cw_buf_adds(out, cw_buf_str(&dict));
    } else if (best == as_delta) {
        head(CW_INT_DELTA, exponent, out);
        add_i64(first, out);
        mini_write(values + 1, n - 1, out);
    } else if (best == as_delta_dict) {
        head(CW_INT_DELTADICT, exponent, out);
        add_i64(first, out);
        cw_buf_adds(out, cw_buf_str(&delta_dict));
    } else {
        head(CW_INT_BYTES, exponent, out);
        add_i64(first, out);
        bytes_write(values + 1, n - 1, out);
    }
    cw_buf_fini(&dict);
    cw_buf_fini(&delta_dict);
}
