/* Go's strconv: numbers in texts. */
#include <errno.h>
#include <stdlib.h>

#include "common/template/go_template_priv.h"

/* '_' may stand between digits, and behind a base prefix. */
static bool underscores_fine(struct cw_str s)
{
    char before = '^'; /* ^ nothing, 0 digit, _ underscore, ! other */
    size_t at = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0;
    bool hex = false;
    if (s.len - at >= 2 && s.ptr[at] == '0') {
        char c = (char)(s.ptr[at + 1] | 0x20);
        if (c == 'b' || c == 'o' || c == 'x') {
            at += 2;
            before = '0';
            hex = c == 'x';
        }
    }
    for (; at < s.len; at++) {
        char c = s.ptr[at];
        if ((c >= '0' && c <= '9') || (hex && cw_str_hex_digit(c) >= 0)) {
            before = '0';
        } else if (c == '_') {
            if (before != '0')
                return false;
            before = '_';
        } else {
            if (before == '_')
                return false;
            before = '!';
        }
    }
    return before != '_';
}

bool cw_go_parse_uint(struct cw_str text, int base, uint64_t *out)
{
    struct cw_str s = text;
    bool base0 = base == 0, underscore = false;
    if (base0) {
        base = 10;
        if (s.len > 0 && s.ptr[0] == '0') {
            char c = s.len >= 3 ? (char)(s.ptr[1] | 0x20) : '\0';
            base = c == 'b' ? 2 : c == 'x' ? 16 : 8;
            s = cw_str_sub(s, c == 'b' || c == 'o' || c == 'x' ? 2 : 1, s.len);
            if (s.len == 0) { /* "0" alone */
                *out = 0;
                return true;
            }
        }
    }
    if (s.len == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '_' && base0) {
            underscore = true;
            continue;
        }
        int digit = cw_str_hex_digit(s.ptr[i]);
        if (digit < 0 || digit >= base)
            return false;
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    if (underscore && !underscores_fine(text))
        return false;
    *out = value;
    return true;
}

bool cw_go_parse_int(struct cw_str text, int base, int64_t *out)
{
    bool sign = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    bool negative = sign && text.ptr[0] == '-';
    uint64_t value;
    if (!cw_go_parse_uint(cw_str_sub(text, sign, text.len), base, &value))
        return false;
    uint64_t bound = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (value > bound)
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

enum { FLOAT_TEXT_BYTES = 400 }; /* the longest double written out has some 330 characters */

bool cw_go_parse_float(struct cw_str text, double *out)
{
    if (cw_str_find_byte(text, '_') < 0)
        return cw_str_to_f64(text, out);
    char digits[FLOAT_TEXT_BYTES];
    if (text.len > sizeof digits || !underscores_fine(text))
        return false;
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '_')
            digits[n++] = text.ptr[i];
    return cw_str_to_f64(cw_str_make(digits, n), out);
}
