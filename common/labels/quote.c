/* Go's strconv.Quote and Unquote, the spelling of every label value and string in Loki's texts. */
#include "common/base/assert.h"
#include "common/labels/labels_priv.h"
#include "common/labels/quote_tables.h"

static bool rune_printable(uint32_t rune)
{
    size_t lo = 0, hi = CW_COUNT(printable_ranges);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (rune > printable_ranges[mid][1])
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < CW_COUNT(printable_ranges) && rune >= printable_ranges[lo][0];
}

static void quote_ascii(unsigned char c, struct cw_buf *out)
{
    static const char letters[] = "abtnvfr"; /* the escapes of 7..13 */
    if (c == '"' || c == '\\')
        cw_buf_addf(out, "\\%c", c);
    else if (c >= 7 && c <= 13)
        cw_buf_addf(out, "\\%c", letters[c - 7]);
    else
        cw_buf_addf(out, "\\x%02x", c);
}

/* Whether all eight bytes are printable ASCII but '"' and '\\'. */
static bool is_plain8(const char *at)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t v;
    memcpy(&v, at, sizeof v);
    uint64_t quote = v ^ ones * '"', backslash = v ^ ones * '\\';
    uint64_t hit = v | (v + ones) | ((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) |
                   ((backslash - ones) & ~backslash);
    return (hit & ones << 7) == 0;
}

void cw_quote_go(struct cw_str s, struct cw_buf *out)
{
    cw_buf_addc(out, '"');
    size_t plain = 0, at = 0; /* [plain, at) is copied as it is */
    while (at < s.len) {
        if (s.len - at >= 8 && is_plain8(s.ptr + at)) {
            at += 8;
            continue;
        }
        unsigned char c = (unsigned char)s.ptr[at];
        if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
            at++;
            continue;
        }
        uint32_t rune;
        size_t n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        bool invalid = n == 1 && c >= 0x80;
        if (c >= 0x80 && !invalid && rune_printable(rune)) {
            at += n;
            continue;
        }
        cw_buf_add(out, s.ptr + plain, at - plain);
        if (c < 0x80)
            quote_ascii(c, out);
        else if (invalid)
            cw_buf_addf(out, "\\x%02x", c);
        else
            cw_buf_addf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
        at += n;
        plain = at;
    }
    if (at > plain)
        cw_buf_add(out, s.ptr + plain, at - plain);
    cw_buf_addc(out, '"');
}

/* Read `n` digits at s[*at], adding them up in base 8 or 16. */
static bool read_digits(struct cw_str s, size_t *at, unsigned n, unsigned base, uint32_t *value)
{
    if (s.len - *at < n)
        return false;
    uint32_t v = 0;
    for (unsigned i = 0; i < n; i++) {
        int digit = cw_str_hex_digit(s.ptr[*at + i]);
        if (digit < 0 || (unsigned)digit >= base)
            return false;
        v = v * base + (unsigned)digit;
    }
    *at += n;
    *value = v;
    return true;
}

/* The escape whose backslash stands before s[*at]; writes at most 4 bytes. Returns their number, 0 when it is none. */
static size_t unescape(struct cw_str s, size_t *at, char quote, char out[4])
{
    static const char names[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";
    if (*at >= s.len)
        return 0;
    char c = s.ptr[(*at)++];
    uint32_t value;
    const char *name = c != 0 ? strchr(names, c) : NULL;
    if (name != NULL) {
        out[0] = bytes[name - names];
        return 1;
    }
    if (c == quote) {
        out[0] = c;
        return 1;
    }
    if (c >= '0' && c <= '7') {
        (*at)--;
        if (!read_digits(s, at, 3, 8, &value) || value > 255)
            return 0;
        out[0] = (char)value;
        return 1;
    }
    if (c == 'x') {
        if (!read_digits(s, at, 2, 16, &value))
            return 0;
        out[0] = (char)value;
        return 1;
    }
    if (c != 'u' && c != 'U')
        return 0;
    if (!read_digits(s, at, c == 'u' ? 4 : 8, 16, &value))
        return 0;
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    return cw_utf8_encode(value, out);
}

static bool unquote_raw(struct cw_str body, struct cw_arena *arena, struct cw_str *out)
{
    if (cw_str_find_byte(body, '`') >= 0)
        return false;
    if (cw_str_find_byte(body, '\r') < 0) {
        *out = body;
        return true;
    }
    /* Go drops carriage returns from raw strings. */
    char *to = cw_arena_alloc(arena, body.len);
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++)
        if (body.ptr[i] != '\r')
            to[n++] = body.ptr[i];
    *out = cw_str_make(to, n);
    return true;
}

bool cw_unquote_body(struct cw_str body, char quote, struct cw_arena *arena, struct cw_str *out)
{
    /* Nothing grows: the longest result of a byte is U+FFFD for an invalid one. */
    char *to = cw_arena_alloc(arena, 3 * body.len + 4);
    size_t n = 0, at = 0;
    while (at < body.len) {
        char c = body.ptr[at];
        if (c == quote || c == '\n')
            return false;
        if (c == '\\') {
            at++;
            size_t got = unescape(body, &at, quote, to + n);
            if (got == 0)
                return false;
            n += got;
            continue;
        }
        uint32_t rune;
        at += cw_utf8_decode(cw_str_sub(body, at, body.len), &rune);
        n += cw_utf8_encode(rune, to + n);
    }
    *out = cw_str_make(to, n);
    return true;
}

bool cw_unquote_go(struct cw_str quoted, struct cw_arena *arena, struct cw_str *out)
{
    if (quoted.len < 2 || quoted.ptr[0] != quoted.ptr[quoted.len - 1])
        return false;
    struct cw_str body = cw_str_sub(quoted, 1, quoted.len - 1);
    if (quoted.ptr[0] == '`')
        return unquote_raw(body, arena, out);
    if (quoted.ptr[0] != '"')
        return false;
    return cw_unquote_body(body, '"', arena, out);
}
