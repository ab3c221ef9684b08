#include "shipper/msgpack_reader.h"
#include <stdio.h>

/* What a head byte says: the kind, how many bytes of a number or length follow, and what is behind. */
struct head {
    enum cw_msgpack_kind kind;
    uint8_t size;    /* of the number or length */
    bool is_signed;  /* INT: of two's complement */
    uint8_t payload; /* EXT: fixed bytes */
};

static const struct head heads[32] = {
    /* 0xc0 nil, never used, false, true */
    {CW_MSGPACK_NIL, 0},
    {CW_MSGPACK_NIL, 0},
    {CW_MSGPACK_BOOL, 0},
    {CW_MSGPACK_BOOL, 0},
    /* 0xc4 bin 8, 16, 32, ext 8, 16, 32 */
    {CW_MSGPACK_BIN, 1},
    {CW_MSGPACK_BIN, 2},
    {CW_MSGPACK_BIN, 4},
    {CW_MSGPACK_EXT, 1},
    {CW_MSGPACK_EXT, 2},
    {CW_MSGPACK_EXT, 4},
    /* 0xca float 32, 64 */
    {CW_MSGPACK_FLOAT, 4},
    {CW_MSGPACK_FLOAT, 8},
    /* 0xcc uint 8 .. 64, int 8 .. 64 */
    {CW_MSGPACK_UINT, 1},
    {CW_MSGPACK_UINT, 2},
    {CW_MSGPACK_UINT, 4},
    {CW_MSGPACK_UINT, 8},
    {CW_MSGPACK_INT, 1, true},
    {CW_MSGPACK_INT, 2, true},
    {CW_MSGPACK_INT, 4, true},
    {CW_MSGPACK_INT, 8, true},
    /* 0xd4 fixext 1 .. 16 */
    {CW_MSGPACK_EXT, 0, false, 1},
    {CW_MSGPACK_EXT, 0, false, 2},
    {CW_MSGPACK_EXT, 0, false, 4},
    {CW_MSGPACK_EXT, 0, false, 8},
    {CW_MSGPACK_EXT, 0, false, 16},
    /* 0xd9 str 8, 16, 32, array 16, 32, map 16, 32 */
    {CW_MSGPACK_STR, 1},
    {CW_MSGPACK_STR, 2},
    {CW_MSGPACK_STR, 4},
    {CW_MSGPACK_ARRAY, 2},
    {CW_MSGPACK_ARRAY, 4},
    {CW_MSGPACK_MAP, 2},
    {CW_MSGPACK_MAP, 4},
};

/* A head byte with its number or length in it; false for the others. */
static bool fix_value(uint8_t byte, struct cw_msgpack_value *out, uint64_t *len)
{
    if (byte < 0x80 || byte >= 0xe0) {
        out->kind = byte < 0x80 ? CW_MSGPACK_UINT : CW_MSGPACK_INT;
        out->number = (int8_t)byte;
    } else if (byte < 0xa0) {
        out->kind = byte < 0x90 ? CW_MSGPACK_MAP : CW_MSGPACK_ARRAY;
        out->n = byte & 0x0f;
    } else if (byte < 0xc0) {
        out->kind = CW_MSGPACK_STR;
        *len = byte & 0x1f;
    } else {
        return false;
    }
    return true;
}

static uint64_t big_endian(const char *at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | (uint8_t)at[i];
    return value;
}

static double real_of(uint64_t bits, size_t size)
{
    double real;
    if (size == 4) {
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        return single;
    }
    memcpy(&real, &bits, sizeof real);
    return real;
}

/* Fill in what the number behind the head says. */
static void number_set(const struct head *head, uint64_t number, struct cw_msgpack_value *out,
                       uint64_t *len)
{
    switch (head->kind) {
    case CW_MSGPACK_INT: {
        unsigned shift = 64 - 8u * head->size;
        out->number = (int64_t)(number << shift) >> shift;
        out->kind = out->number < 0 ? CW_MSGPACK_INT : CW_MSGPACK_UINT;
        break;
    }
    case CW_MSGPACK_UINT: out->number = (int64_t)number; break;
    case CW_MSGPACK_FLOAT: out->real = real_of(number, head->size); break;
    case CW_MSGPACK_ARRAY:
    case CW_MSGPACK_MAP: out->n = (uint32_t)number; break;
    case CW_MSGPACK_EXT: *len = head->size > 0 ? number : head->payload; break;
    default: *len = number;
    }
}

int cw_msgpack_next(struct cw_str *bytes, struct cw_msgpack_value *out, struct cw_err *err)
{
    if (bytes->len == 0)
        return 0;
    uint8_t byte = (uint8_t)bytes->ptr[0];
    uint64_t len = 0;
    size_t at = 1;
    *out = (struct cw_msgpack_value){0};
    if (!fix_value(byte, out, &len)) {
        const struct head *head = &heads[byte - 0xc0];
        if (byte == 0xc1)
            return cw_err_set(err, CW_E_INVALID, "no MessagePack: byte 0xc1");
        out->kind = head->kind;
        if (bytes->len - at < head->size)
            return 0;
        if (head->kind == CW_MSGPACK_BOOL)
            out->number = byte == 0xc3;
        number_set(head, big_endian(bytes->ptr + at, head->size), out, &len);
        at += head->size;
        if (head->kind == CW_MSGPACK_EXT) {
            if (at == bytes->len)
                return 0;
            out->number = (int8_t)bytes->ptr[at++];
        }
    }
    if (len > bytes->len - at)
        return 0;
    out->bytes = cw_str_sub(*bytes, at, at + (size_t)len);
    *bytes = cw_str_sub(*bytes, at + (size_t)len, bytes->len);
    return 1;
}

int cw_msgpack_measure(struct cw_str bytes, struct cw_msgpack_walk *walk, struct cw_err *err)
{
    struct cw_msgpack_value value;
    if (!walk->begun)
        *walk = (struct cw_msgpack_walk){.left = 1, .begun = true};
    while (walk->left > 0) {
        struct cw_str rest = cw_str_sub(bytes, walk->at, bytes.len);
        int rc = cw_msgpack_next(&rest, &value, err);
        if (rc <= 0)
            return rc;
        walk->at = bytes.len - rest.len;
        walk->left--; /* a head adds 2^33, and takes five bytes: it cannot overflow */
        if (value.kind == CW_MSGPACK_ARRAY)
            walk->left += value.n;
        else if (value.kind == CW_MSGPACK_MAP)
            walk->left += 2 * (uint64_t)value.n;
    }
    return 1;
}

/* A key, which JSON wants to be text. */
static void key_write(const struct cw_msgpack_value *key, struct cw_json_writer *out)
{
    char number[32];
    switch (key->kind) {
    case CW_MSGPACK_STR:
    case CW_MSGPACK_BIN: cw_json_key(out, key->bytes); return;
    case CW_MSGPACK_INT: snprintf(number, sizeof number, "%lld", (long long)key->number); break;
    case CW_MSGPACK_UINT:
        snprintf(number, sizeof number, "%llu", (unsigned long long)key->number);
        break;
    default: number[0] = '\0';
    }
    cw_json_key(out, cw_str_of(number));
}

static void scalar_write(const struct cw_msgpack_value *value, struct cw_json_writer *out)
{
    switch (value->kind) {
    case CW_MSGPACK_BOOL: cw_json_bool(out, value->number != 0); break;
    case CW_MSGPACK_INT: cw_json_i64(out, value->number); break;
    case CW_MSGPACK_UINT: cw_json_u64(out, (uint64_t)value->number); break;
    case CW_MSGPACK_FLOAT: cw_json_f64(out, value->real); break;
    case CW_MSGPACK_STR:
    case CW_MSGPACK_BIN:
    case CW_MSGPACK_EXT: cw_json_string(out, value->bytes); break;
    default: cw_json_null(out);
    }
}

static int value_take(struct cw_str *bytes, struct cw_msgpack_value *value, struct cw_err *err)
{
    int rc = cw_msgpack_next(bytes, value, err);
    return rc == 0 ? cw_err_set(err, CW_E_INVALID, "MessagePack that ends too early") : rc;
}

static int value_write(struct cw_str *bytes, unsigned depth, struct cw_json_writer *out,
                       struct cw_err *err)
{
    struct cw_msgpack_value value, key;
    int rc = value_take(bytes, &value, err);
    if (rc < 0)
        return rc;
    bool map = value.kind == CW_MSGPACK_MAP;
    if (!map && value.kind != CW_MSGPACK_ARRAY) {
        scalar_write(&value, out);
        return 0;
    }
    if (depth == CW_MSGPACK_DEPTH)
        return cw_err_set(err, CW_E_INVALID, "MessagePack nested over %d deep", CW_MSGPACK_DEPTH);
    if (map)
        cw_json_begin_object(out);
    else
        cw_json_begin_array(out);
    for (uint32_t i = 0; rc >= 0 && i < value.n; i++) {
        if (map && (rc = value_take(bytes, &key, err)) > 0) {
            if (key.kind == CW_MSGPACK_ARRAY || key.kind == CW_MSGPACK_MAP)
                return cw_err_set(err, CW_E_INVALID, "a key of a map that is no value");
            key_write(&key, out);
        }
        if (rc >= 0)
            rc = value_write(bytes, depth + 1, out, err);
    }
    if (map)
        cw_json_end_object(out);
    else
        cw_json_end_array(out);
    return rc < 0 ? rc : 0;
}

int cw_msgpack_to_json(struct cw_str *bytes, struct cw_json_writer *out, struct cw_err *err)
{
    return value_write(bytes, 0, out, err);
}
