#include "common/base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cw_base64_encode(struct cw_str bytes, struct cw_buf *out)
{
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    char *text = cw_buf_reserve(out, (bytes.len + 2) / 3 * 4);
    if (text == NULL || bytes.len == 0)
        return;
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                         (left > 2 ? in[i + 2] : 0u);
        text[n++] = digits[group >> 18];
        text[n++] = digits[group >> 12 & 63];
        text[n++] = left > 1 ? digits[group >> 6 & 63] : '=';
        text[n++] = left > 2 ? digits[group & 63] : '=';
    }
    out->len += n;
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool cw_base64_decode(struct cw_str text, struct cw_buf *out)
{
    if (text.len % 4 != 0)
        return false;
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
        padding++;
    char *bytes = cw_buf_reserve(out, text.len / 4 * 3);
    if (bytes == NULL)
        return false;
    size_t n = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < text.len - padding; i++) {
        int digit = digit_value(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            bytes[n++] = (char)(bits >> (6 - i % 4 * 2) & 255);
    }
    out->len += n;
    return true;
}
