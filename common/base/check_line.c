#include "common/base/check_line.h"

#include <inttypes.h>

#include "common/base/hash.h"

void cw_check_line_add(struct cw_buf *out, size_t start)
{
    if (!cw_buf_failed(out))
        cw_buf_addf(out, "check %016" PRIx64 "\n", cw_hash64(out->ptr + start, out->len - start));
}

bool cw_check_line_hex(struct cw_str text, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = cw_str_hex_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint64_t)digit;
    }
    *out = value;
    return text.len == 16;
}

bool cw_check_line_strip(struct cw_str *bytes)
{
    static const size_t check_len = sizeof("check 0123456789abcdef\n") - 1;
    if (bytes->len < check_len)
        return false;
    struct cw_str body = cw_str_sub(*bytes, 0, bytes->len - check_len);
    struct cw_str check = cw_str_sub(*bytes, body.len, bytes->len);
    uint64_t hash;
    if (!cw_str_starts(check, CW_STR("check ")) || check.ptr[check_len - 1] != '\n' ||
        !cw_check_line_hex(cw_str_sub(check, 6, 22), &hash) ||
        hash != cw_hash64(body.ptr, body.len))
        return false;
    *bytes = body;
    return true;
}
