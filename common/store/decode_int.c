/* decode_int.c - read an integer column; everything is checked against the bytes that are there. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/encode_int.h"
#include "common/store/format.h"
#include "common/store/int_column.h"

enum {
    MINIBLOCK_PACKED_MAX = CW_INT_MINIBLOCK * 8,
    LOAD_SLACK = 9, /* a value is loaded as 8 bytes and one more */
};

static int bad(struct cw_err *err, const char *what)
{
    return cw_err_set(err, CW_E_CORRUPT, "integer column: %s", what);
}

/* `in` may be read LOAD_SLACK bytes past the packed ones. */
static void unpack_padded(const uint8_t *in, size_t n, unsigned width, uint64_t least, int64_t *out)
{
    uint64_t mask = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    if (width <= 56) {
        for (size_t i = 0, bit = 0; i < n; i++, bit += width)
            out[i] = (int64_t)(least + (cw_get64(in + bit / 8) >> (bit & 7) & mask));
        return;
    }
    for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
        unsigned shift = bit & 7;
        uint64_t v = cw_get64(in + bit / 8) >> shift;
        if (shift > 0)
            v |= (uint64_t)in[bit / 8 + 8] << (64 - shift);
        out[i] = (int64_t)(least + (v & mask));
    }
}

/* At most CW_INT_MINIBLOCK values off the front of *in. */
static bool unpack(struct cw_str *in, size_t n, unsigned width, uint64_t least, int64_t *out)
{
    size_t bytes = (n * width + 7) / 8;
    if (bytes > in->len)
        return false;
    if (in->len >= bytes + LOAD_SLACK) {
        unpack_padded((const uint8_t *)in->ptr, n, width, least, out);
    } else {
        uint8_t padded[MINIBLOCK_PACKED_MAX + LOAD_SLACK];
        if (bytes > 0)
            memcpy(padded, in->ptr, bytes);
        memset(padded + bytes, 0, LOAD_SLACK);
        unpack_padded(padded, n, width, least, out);
    }
    in->ptr += bytes;
    in->len -= bytes;
    return true;
}

static int decode_for(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    uint64_t least;
    uint8_t width;
    if (!cw_str_take(in, &least, 8) || !cw_str_take(in, &width, 1) || width > 64)
        return bad(err, "no frame of reference");
    for (size_t i = 0; i < n; i += CW_INT_MINIBLOCK)
        if (!unpack(in, CW_MIN(n - i, (size_t)CW_INT_MINIBLOCK), width, least, out + i))
            return bad(err, "it ends too early");
    return 0;
}

static int decode_mini(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    for (size_t i = 0; i < n; i += CW_INT_MINIBLOCK) {
        uint64_t z;
        uint8_t width;
        if (!cw_decode_varint(in, &z) || !cw_str_take(in, &width, 1) || width > 64)
            return bad(err, "no miniblock");
        uint64_t least = z >> 1 ^ -(z & 1);
        if (!unpack(in, CW_MIN(n - i, (size_t)CW_INT_MINIBLOCK), width, least, out + i))
            return bad(err, "a miniblock ends too early");
    }
    return 0;
}

static int decode_const(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    int64_t v;
    if (!cw_str_take(in, &v, 8))
        return bad(err, "no value");
    for (size_t i = 0; i < n; i++)
        out[i] = v;
    return 0;
}

/* The distinct values of a dictionary, off the front of *in. */
static int decode_distinct(struct cw_str *in, uint64_t n, int64_t *out, struct cw_err *err)
{
    if (!cw_str_take(in, &out[0], 8))
        return bad(err, "no first value");
    int rc = decode_mini(in, n - 1, out + 1, err);
    if (rc < 0)
        return rc;
    for (uint64_t i = 1; i < n; i++) {
        uint64_t before = (uint64_t)out[i - 1], step = (uint64_t)out[i];
        if (step == 0 || before + step < before)
            return bad(err, "a dictionary that does not rise");
        out[i] = (int64_t)(before + step);
    }
    return 0;
}

static int decode_dict(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    uint64_t ndistinct;
    uint8_t width = 0;
    if (!cw_decode_varint(in, &ndistinct) || ndistinct == 0 || ndistinct > n)
        return bad(err, "no dictionary");
    int64_t *distinct = cw_mem_array(ndistinct, sizeof(*distinct));
    int rc = decode_distinct(in, ndistinct, distinct, err);
    if (rc == 0 && (!cw_str_take(in, &width, 1) || width > 32))
        rc = bad(err, "no numbers of a dictionary");
    for (size_t i = 0; rc == 0 && i < n; i += CW_INT_MINIBLOCK) {
        size_t m = CW_MIN(n - i, (size_t)CW_INT_MINIBLOCK);
        if (!unpack(in, m, width, 0, out + i)) {
            rc = bad(err, "it ends too early");
            break;
        }
        for (size_t k = i; k < i + m; k++) {
            if ((uint64_t)out[k] >= ndistinct) {
                rc = bad(err, "a number that its dictionary does not have");
                break;
            }
            out[k] = distinct[out[k]];
        }
    }
    free(distinct);
    return rc;
}

static void sum_up(int64_t *values, size_t n)
{
    uint64_t sum = (uint64_t)values[0];
    for (size_t i = 1; i < n; i++)
        values[i] = (int64_t)(sum += (uint64_t)values[i]);
}

static int decode_delta(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    if (!cw_str_take(in, &out[0], 8))
        return bad(err, "no first value");
    int rc = decode_mini(in, n - 1, out + 1, err);
    if (rc == 0)
        sum_up(out, n);
    return rc;
}

static int decode_delta_dict(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    if (!cw_str_take(in, &out[0], 8))
        return bad(err, "no first value");
    int rc = n > 1 ? decode_dict(in, n - 1, out + 1, err) : 0;
    if (rc == 0)
        sum_up(out, n);
    return rc;
}

static int decode_bytes(struct cw_str *in, size_t n, int64_t *out, struct cw_err *err)
{
    if (!cw_str_take(in, &out[0], 8) || in->len < n / 2)
        return bad(err, "no lengths of differences");
    const uint8_t *keys = (const uint8_t *)in->ptr;
    in->ptr += n / 2;
    in->len -= n / 2;
    for (size_t i = 0; i + 1 < n; i++) {
        unsigned len = keys[i / 2] >> (4 * (i % 2)) & 15;
        uint64_t z = 0;
        if (len > 8 || !cw_str_take(in, &z, len))
            return bad(err, "a difference of a wrong length");
        out[i + 1] = (int64_t)((uint64_t)out[i] + (z >> 1 ^ -(z & 1)));
    }
    return 0;
}

int cw_decode_int(struct cw_str in, size_t n, int64_t *out, size_t *used_out, struct cw_err *err)
{
    size_t len = in.len;
    uint8_t head[2];
    if (!cw_str_take(&in, head, 2))
        return bad(err, "no encoding");
    uint64_t scale = 1;
    if (head[1] != 0 && head[1] != 3 && head[1] != 6 && head[1] != 9)
        return bad(err, "unknown scale");
    for (uint8_t i = 0; i < head[1]; i++)
        scale *= 10;
    int rc;
    switch (head[0]) {
    case CW_INT_CONST: rc = decode_const(&in, n, out, err); break;
    case CW_INT_FOR: rc = decode_for(&in, n, out, err); break;
    case CW_INT_MINI: rc = decode_mini(&in, n, out, err); break;
    case CW_INT_DELTA: rc = n > 0 ? decode_delta(&in, n, out, err) : 0; break;
    case CW_INT_DICT: rc = n > 0 ? decode_dict(&in, n, out, err) : 0; break;
    case CW_INT_BYTES: rc = n > 0 ? decode_bytes(&in, n, out, err) : 0; break;
    case CW_INT_DELTADICT: rc = n > 0 ? decode_delta_dict(&in, n, out, err) : 0; break;
    default: return bad(err, "unknown encoding");
    }
    if (rc < 0)
        return rc;
    if (scale != 1)
        for (size_t i = 0; i < n; i++)
            out[i] = (int64_t)((uint64_t)out[i] * scale);
    if (used_out != NULL)
        *used_out = len - in.len;
    else if (in.len != 0)
        return bad(err, "bytes follow its end");
    return 0;
}
