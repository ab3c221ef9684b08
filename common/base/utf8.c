/* The part of str.h that knows UTF-8. */
#include "common/base/str.h"

size_t cw_utf8_decode(struct cw_str s, uint32_t *rune)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    if (s.len == 0)
        return 0;
    uint32_t lead = p[0];
    if (lead < 0x80) {
        *rune = lead;
        return 1;
    }
    *rune = 0xFFFD;
    size_t n;
    uint32_t value, least;
    if (lead >= 0xC2 && lead <= 0xDF) {
        n = 2, value = lead & 0x1F, least = 0x80;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        n = 3, value = lead & 0x0F, least = 0x800;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        n = 4, value = lead & 0x07, least = 0x10000;
    } else {
        return 1;
    }
    if (s.len < n)
        return 1;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 1;
        value = value << 6 | (p[i] & 0x3F);
    }
    if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 1;
    *rune = value;
    return n;
}

bool cw_utf8_valid(struct cw_str s)
{
    size_t at = 0;
    while (at < s.len) {
        /* Logs are mostly ASCII: eight bytes at a time. */
        uint64_t word;
        if (s.len - at >= sizeof word) {
            memcpy(&word, s.ptr + at, sizeof word);
            if ((word & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof word;
                continue;
            }
        }
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        if (n == 1 && (unsigned char)s.ptr[at] >= 0x80)
            return false;
        at += n;
    }
    return true;
}

size_t cw_utf8_encode(uint32_t rune, char out[4])
{
    if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
        rune = 0xFFFD;
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xC0 | rune >> 6);
        out[1] = (char)(0x80 | (rune & 0x3F));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xE0 | rune >> 12);
        out[1] = (char)(0x80 | (rune >> 6 & 0x3F));
        out[2] = (char)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | rune >> 18);
    out[1] = (char)(0x80 | (rune >> 12 & 0x3F));
    out[2] = (char)(0x80 | (rune >> 6 & 0x3F));
    out[3] = (char)(0x80 | (rune & 0x3F));
    return 4;
}
