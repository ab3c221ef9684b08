/* encode_int.c - choose an integer column's encoding by its computed size, and write it. */
#include "common/store/encode_int.h"

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
    uint8_t *at = (uint8_t *)cw_buf_reserve(out, bytes);
    if (at == NULL)
        return;
    out->len += bytes;
    uint64_t acc = 0;
    unsigned have = 0; /* bits in acc, under 8 between values */
    for (size_t i = 0; i < n; i++) {
        uint64_t d = (uint64_t)v[i] - (uint64_t)least;
        acc |= d << have;
        unsigned total = have + width;
        uint64_t rest = have > 0 && total > 64 ? d >> (64 - have) : 0;
        unsigned whole = CW_MIN(total, 64u) / 8;
        for (unsigned b = 0; b < whole; b++) {
            *at++ = (uint8_t)acc;
            acc >>= 8;
        }
        have = total - 8 * whole;
        if (whole == 8)
            acc = rest;
    }
    if (have > 0)
        *at = (uint8_t)acc;
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

void cw_encode_int(int64_t *values, size_t n, struct cw_buf *out)
{
    if (n == 0) {
        head(CW_INT_CONST, 0, out);
        add_i64(0, out);
        return;
    }
    int64_t min, max;
    min_max(values, n, &min, &max);
    if (min == max) {
        head(CW_INT_CONST, 0, out);
        add_i64(min, out);
        return;
    }
    uint8_t exponent = scale_down(values, n);
    min_max(values, n, &min, &max);
    unsigned width = width_of((uint64_t)max - (uint64_t)min);
    size_t as_for = 9 + packed_bytes(n, width), as_mini = mini_bytes(values, n);
    int64_t first = values[0];
    /* The differences take the place of the values; adding them up again gives the values back, modulo 2^64. */
    for (size_t i = n - 1; i > 0; i--)
        values[i] = (int64_t)((uint64_t)values[i] - (uint64_t)values[i - 1]);
    size_t as_delta = 8 + mini_bytes(values + 1, n - 1);
    if (as_delta < as_for && as_delta < as_mini) {
        head(CW_INT_DELTA, exponent, out);
        add_i64(first, out);
        mini_write(values + 1, n - 1, out);
        return;
    }
    for (size_t i = 1; i < n; i++)
        values[i] = (int64_t)((uint64_t)values[i] + (uint64_t)values[i - 1]);
    if (as_for <= as_mini) {
        head(CW_INT_FOR, exponent, out);
        add_i64(min, out);
        cw_buf_addc(out, (char)width);
        pack(values, n, min, width, out);
    } else {
        head(CW_INT_MINI, exponent, out);
        mini_write(values, n, out);
    }
}
