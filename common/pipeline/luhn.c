#include "common/pipeline/luhn.h"

#include "common/base/buf.h"

/* What promtail reads as an int64: longer runs are no card numbers. */
enum { LUHN_DIGITS = 19 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool cw_luhn_valid(const char *digits, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(digits[n - 1 - i] - '0');
        if (i % 2 == 1)
            digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* A number and what may stand between its digits, from `at` on; its end. `digits` takes the first LUHN_DIGITS. */
static size_t number_end(const struct cw_luhn *luhn, struct cw_str text, size_t at,
                         char digits[LUHN_DIGITS], size_t *ndigits)
{
    size_t end = at;
    *ndigits = 0;
    for (; at < text.len; at++) {
        if (is_digit(text.ptr[at])) {
            if (*ndigits < LUHN_DIGITS)
                digits[*ndigits] = text.ptr[at];
            (*ndigits)++;
            end = at + 1;
        } else if (cw_str_find_byte(luhn->delimiters, text.ptr[at]) < 0) {
            break;
        }
    }
    return end;
}

struct cw_str cw_luhn_replace(const struct cw_luhn *luhn, struct cw_str text,
                              struct cw_arena *arena)
{
    char digits[LUHN_DIGITS];
    struct cw_buf out;
    size_t done = 0, ndigits;
    cw_buf_init(&out, SIZE_MAX); /* a replacement for each LUHN_DIGITS of a line at most */
    for (size_t at = 0; at < text.len;) {
        if (!is_digit(text.ptr[at])) {
            at++;
            continue;
        }
        size_t end = number_end(luhn, text, at, digits, &ndigits);
        if (ndigits >= luhn->min_length && ndigits <= LUHN_DIGITS &&
            cw_luhn_valid(digits, ndigits)) {
            cw_buf_adds(&out, cw_str_sub(text, done, at));
            cw_buf_adds(&out, luhn->replacement);
            done = end;
        }
        at = end;
    }
    if (done > 0) {
        cw_buf_adds(&out, cw_str_sub(text, done, text.len));
        text = cw_arena_dup(arena, cw_buf_str(&out));
    }
    cw_buf_fini(&out);
    return text;
}
