/* int_access.c - values out of the middle of an integer column. */
#include "common/store/int_access.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/int_column.h"

enum { LOAD_BYTES = 9 /* a value of up to 64 bits that begins within a byte */ };

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "integer column: %s", what);
}

/* The width and the packed values behind it. */
static bool take_packed(struct cw_str *in, size_t n, unsigned *width_out, struct cw_str *packed_out)
{
    uint8_t width;
    if (!cw_str_take(in, &width, 1) || width > 64)
        return false;
    size_t bytes = (n * width + 7) / 8;
    if (bytes > in->len)
        return false;
    *width_out = width;
    *packed_out = cw_str_sub(*in, 0, bytes);
    *in = cw_str_sub(*in, bytes, in->len);
    return true;
}

static uint64_t load(const uint8_t *at, size_t bit, unsigned width, uint64_t mask)
{
    unsigned shift = bit & 7;
    uint64_t v = cw_get64(at + bit / 8) >> shift;
    if (shift + width > 64)
        v |= (uint64_t)at[bit / 8 + 8] << (64 - shift);
    return v & mask;
}

/* Numbers [from, from + n) of `width` bits each; `packed` holds them all. */
static void unpack(struct cw_str packed, uint32_t from, uint32_t n, unsigned width, uint64_t least,
                   int64_t *out)
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    const uint8_t *bytes = (const uint8_t *)packed.ptr;
    size_t bit = (size_t)from * width;
    uint32_t i = 0;
    if (width <= 56) {
        for (; i < n && bit / 8 + sizeof(uint64_t) <= packed.len; i++, bit += width)
            out[i] = (int64_t)(least + (cw_get64(bytes + bit / 8) >> (bit & 7) & mask));
    }
    for (; i < n; i++, bit += width) {
        uint8_t padded[LOAD_BYTES] = {0};
        size_t at = bit / 8;
        if (at < packed.len)
            memcpy(padded, bytes + at, CW_MIN(packed.len - at, sizeof(padded)));
        out[i] = (int64_t)(least + load(padded, bit & 7, width, mask));
    }
}

/* What stands in front of a miniblock's values. */
static bool mini_head(struct cw_str *in, size_t n, uint64_t *least_out, unsigned *width_out,
                      struct cw_str *packed_out)
{
    uint64_t z;
    if (!cw_decode_varint(in, &z) || !take_packed(in, n, width_out, packed_out))
        return false;
    *least_out = z >> 1 ^ -(z & 1);
    return true;
}

static size_t mini_count(size_t n, size_t first)
{
    return CW_MIN(n - first, (size_t)CW_INT_MINIBLOCK);
}

/* Walk n values' miniblocks off the front of *in. */
static int mini_open(struct cw_str *in, uint32_t n, struct cw_arena *arena, struct cw_int_access *a,
                     struct cw_err *err)
{
    struct cw_str start = *in, packed;
    uint64_t least;
    unsigned width;
    uint32_t *starts = cw_arena_alloc(arena, ((size_t)n + CW_INT_MINIBLOCK - 1) / CW_INT_MINIBLOCK *
                                                 sizeof(*starts));
    for (uint32_t i = 0; i < n; i += CW_INT_MINIBLOCK) {
        starts[i / CW_INT_MINIBLOCK] = (uint32_t)(in->ptr - start.ptr);
        if (!mini_head(in, mini_count(n, i), &least, &width, &packed))
            return bad(err, "a miniblock ends too early");
    }
    a->starts = starts;
    a->packed = cw_str_sub(start, 0, start.len - in->len);
    return 0;
}

static int mini_read(const struct cw_int_access *a, uint32_t from, uint32_t n, int64_t *out,
                     struct cw_err *err)
{
    while (n > 0) {
        uint32_t first = from / CW_INT_MINIBLOCK * CW_INT_MINIBLOCK;
        uint32_t m = (uint32_t)mini_count(a->n, first);
        struct cw_str in = cw_str_sub(a->packed, a->starts[from / CW_INT_MINIBLOCK], a->packed.len);
        struct cw_str packed;
        uint64_t least;
        unsigned width;
        if (!mini_head(&in, m, &least, &width, &packed))
            return bad(err, "a miniblock ends too early");
        uint32_t part = CW_MIN(n, first + m - from);
        unpack(packed, from - first, part, width, least, out);
        out += part;
        from += part;
        n -= part;
    }
    return 0;
}

static int dict_open(struct cw_str *in, struct cw_arena *arena, struct cw_int_access *a,
                     struct cw_err *err)
{
    uint64_t ndistinct, sum;
    if (!cw_decode_varint(in, &ndistinct) || ndistinct == 0 || ndistinct > a->n ||
        !cw_str_take(in, &sum, sizeof(sum)))
        return bad(err, "no dictionary");
    a->ndistinct = (uint32_t)ndistinct;
    int64_t *values = cw_arena_alloc(arena, ndistinct * sizeof(*values));
    for (uint32_t i = 1; i < ndistinct; i += CW_INT_MINIBLOCK) {
        size_t m = mini_count(ndistinct, i);
        struct cw_str packed;
        uint64_t least;
        unsigned width;
        if (!mini_head(in, m, &least, &width, &packed))
            return bad(err, "the dictionary ends too early");
        unpack(packed, 0, (uint32_t)m, width, least, values + i);
    }
    values[0] = (int64_t)sum;
    for (uint32_t i = 1; i < ndistinct; i++)
        values[i] = (int64_t)(sum += (uint64_t)values[i]);
    a->values = values;
    return take_packed(in, a->n, &a->width, &a->packed) ? 0 : bad(err, "it ends too early");
}

int cw_int_access_numbers(const struct cw_int_access *a, uint32_t from, uint32_t n, int64_t *out,
                          struct cw_err *err)
{
    bool within = true;
    unpack(a->packed, from, n, a->width, 0, out);
    for (uint32_t i = 0; i < n; i++)
        within &= (uint64_t)out[i] < a->ndistinct;
    return within ? 0 : bad(err, "a number that its dictionary does not have");
}

static int dict_read(const struct cw_int_access *a, uint32_t from, uint32_t n, int64_t *out,
                     struct cw_err *err)
{
    int rc = cw_int_access_numbers(a, from, n, out, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++)
        out[i] = a->values[out[i]];
    return rc;
}

/* Differences: decode them all. */
static int decoded_open(struct cw_str *in, struct cw_arena *arena, struct cw_int_access *a,
                        struct cw_err *err)
{
    size_t used;
    int64_t *values = cw_arena_alloc(arena, (size_t)a->n * sizeof(*values));
    int rc = cw_decode_int(*in, a->n, values, &used, err);
    if (rc < 0)
        return rc;
    *in = cw_str_sub(*in, used, in->len);
    a->encoding = CW_INT_DELTA;
    a->scale = 1;
    a->values = values;
    return 0;
}

static int body_open(struct cw_str *in, uint8_t encoding, struct cw_arena *arena,
                     struct cw_int_access *a, struct cw_err *err)
{
    switch (encoding) {
    case CW_INT_CONST: return cw_str_take(in, &a->least, 8) ? 0 : bad(err, "no value");
    case CW_INT_FOR:
        if (!cw_str_take(in, &a->least, 8) || !take_packed(in, a->n, &a->width, &a->packed))
            return bad(err, "it ends too early");
        return 0;
    case CW_INT_MINI: return mini_open(in, a->n, arena, a, err);
    default: return dict_open(in, arena, a, err);
    }
}

int cw_int_access_open(struct cw_str in, size_t n, struct cw_arena *arena, struct cw_int_access *a,
                       size_t *used_out, struct cw_err *err)
{
    size_t len = in.len;
    *a = (struct cw_int_access){.n = (uint32_t)n, .scale = 1};
    if (n > UINT32_MAX || in.len < 2)
        return bad(err, "no encoding");
    uint8_t encoding = (uint8_t)in.ptr[0], exponent = (uint8_t)in.ptr[1];
    int rc;
    if (encoding == CW_INT_CONST || encoding == CW_INT_FOR || encoding == CW_INT_MINI ||
        encoding == CW_INT_DICT) {
        if (exponent % 3 != 0 || exponent > 9)
            return bad(err, "unknown scale");
        while (exponent-- > 0)
            a->scale *= 10;
        a->encoding = encoding;
        in = cw_str_sub(in, 2, in.len);
        rc = body_open(&in, encoding, arena, a, err);
    } else {
        rc = decoded_open(&in, arena, a, err);
    }
    if (rc < 0)
        return rc;
    if (used_out != NULL)
        *used_out = len - in.len;
    else if (in.len != 0)
        return bad(err, "bytes follow its end");
    return 0;
}

int cw_int_access_read(const struct cw_int_access *a, uint32_t from, uint32_t n, int64_t *out,
                       struct cw_err *err)
{
    CW_ASSERT(from <= a->n && n <= a->n - from);
    int rc = 0;
    switch (a->encoding) {
    case CW_INT_CONST:
        for (uint32_t i = 0; i < n; i++)
            out[i] = (int64_t)a->least;
        break;
    case CW_INT_FOR: unpack(a->packed, from, n, a->width, a->least, out); break;
    case CW_INT_MINI: rc = mini_read(a, from, n, out, err); break;
    case CW_INT_DICT: rc = dict_read(a, from, n, out, err); break;
    default: memcpy(out, a->values + from, n * sizeof(*out)); break;
    }
    if (rc == 0 && a->scale != 1)
        for (uint32_t i = 0; i < n; i++)
            out[i] = (int64_t)((uint64_t)out[i] * a->scale);
    return rc;
}
