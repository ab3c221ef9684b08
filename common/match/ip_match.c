#include "common/match/ip_match.h"

#include <arpa/inet.h>

#include "common/labels/labels.h"

/* 4 or 16 bytes; 0 when it is no address. */
static uint8_t parse_address(struct cw_str s, uint8_t out[16])
{
    char z[INET6_ADDRSTRLEN + 1];
    if (s.len == 0 || s.len >= sizeof z || memchr(s.ptr, 0, s.len) != NULL)
        return 0;
    memcpy(z, s.ptr, s.len);
    z[s.len] = 0;
    memset(out, 0, 16);
    if (inet_pton(AF_INET, z, out) == 1)
        return 4;
    return inet_pton(AF_INET6, z, out) == 1 ? 16 : 0;
}

static bool parse_prefix(struct cw_str s, struct cw_ip_match *out)
{
    ptrdiff_t slash = cw_str_find_byte(s, '/');
    if (slash < 0)
        return false;
    struct cw_str bits = cw_str_sub(s, (size_t)slash + 1, s.len);
    uint64_t n;
    out->len = parse_address(cw_str_sub(s, 0, (size_t)slash), out->from);
    if (out->len == 0 || (bits.len > 1 && (bits.ptr[0] < '1' || bits.ptr[0] > '9')) ||
        !cw_str_to_u64(bits, &n) || n > 8u * out->len)
        return false;
    for (size_t i = 0; i < out->len; i++) {
        uint8_t mask = n >= 8 * (i + 1) ? 0xFF : n <= 8 * i ? 0 : (uint8_t)(0xFF00 >> (n - 8 * i));
        out->to[i] = out->from[i] | (uint8_t)~mask;
        out->from[i] &= mask;
    }
    return true;
}

static bool parse_range(struct cw_str s, struct cw_ip_match *out)
{
    ptrdiff_t dash = cw_str_find_byte(s, '-');
    if (dash < 0)
        return false;
    out->len = parse_address(cw_str_sub(s, 0, (size_t)dash), out->from);
    return out->len != 0 &&
           parse_address(cw_str_sub(s, (size_t)dash + 1, s.len), out->to) == out->len &&
           memcmp(out->from, out->to, out->len) <= 0;
}

/* "fe80::1%eth0". */
static bool has_zone(struct cw_str s)
{
    uint8_t address[16];
    ptrdiff_t percent = cw_str_find_byte(s, '%');
    return percent >= 0 && (size_t)percent + 1 < s.len &&
           parse_address(cw_str_sub(s, 0, (size_t)percent), address) == 16;
}

int cw_ip_match_parse(struct cw_str pattern, struct cw_ip_match *out, struct cw_err *err)
{
    memset(out, 0, sizeof *out);
    out->len = parse_address(pattern, out->from);
    if (out->len != 0) {
        memcpy(out->to, out->from, sizeof out->to);
        return 0;
    }
    if (has_zone(pattern)) {
        /* Addresses are sought without zones, so that none is this one. */
        *out = (struct cw_ip_match){.from = {0xFF}, .len = 16};
        return 0;
    }
    if (parse_prefix(pattern, out) || parse_range(pattern, out))
        return 0;
    struct cw_buf quoted;
    cw_buf_init(&quoted, CW_ERR_TEXT_BYTES);
    cw_quote_go(pattern, &quoted);
    cw_err_set(err, CW_E_INVALID, "ip: invalid pattern: %s", cw_buf_z(&quoted));
    cw_buf_fini(&quoted);
    return CW_E_INVALID;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* A digit with a dot among the three bytes behind it; four bytes are there. */
static bool looks_like_v4(const char *p)
{
    return is_digit(p[0]) && (p[1] == '.' || p[2] == '.' || p[3] == '.');
}

/* "::f", or one to four hex digits and a colon; five bytes are there. */
static bool looks_like_v6(const char *p)
{
    if (p[0] == ':')
        return p[1] == ':' && is_hex(p[2]);
    size_t n = 0;
    while (n < 4 && is_hex(p[n]))
        n++;
    return n > 0 && p[n] == ':';
}

static size_t address_span(struct cw_str s, bool v6)
{
    size_t n = 0;
    while (n < s.len &&
           (is_digit(s.ptr[n]) || s.ptr[n] == '.' || (v6 && (is_hex(s.ptr[n]) || s.ptr[n] == ':'))))
        n++;
    return n;
}

static bool in_range(const struct cw_ip_match *match, struct cw_str s)
{
    uint8_t address[16];
    return parse_address(s, address) == match->len &&
           memcmp(match->from, address, match->len) <= 0 &&
           memcmp(address, match->to, match->len) <= 0;
}

bool cw_ip_match_find(const struct cw_ip_match *match, struct cw_str text)
{
    for (size_t at = 0; at < text.len; at++) {
        size_t left = text.len - at;
        bool v4 = left > 3 && looks_like_v4(text.ptr + at);
        if (!v4 && !(left > 4 && looks_like_v6(text.ptr + at)))
            continue;
        size_t span = address_span(cw_str_sub(text, at, text.len), !v4);
        if (in_range(match, cw_str_sub(text, at, at + span)))
            return true;
        at += span; /* and the byte behind it, as Loki does */
    }
    return false;
}
