#include "common/base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

int cw_str_cmp(struct cw_str a, struct cw_str b)
{
    size_t n = CW_MIN(a.len, b.len);
    int order = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool cw_str_eq_nocase(struct cw_str a, struct cw_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
            return false;
    }
    return true;
}

bool cw_str_starts(struct cw_str s, struct cw_str prefix)
{
    return s.len >= prefix.len && cw_str_eq(cw_str_sub(s, 0, prefix.len), prefix);
}

size_t cw_str_shared(struct cw_str a, struct cw_str b)
{
    size_t n = 0, most = a.len < b.len ? a.len : b.len;
    while (n < most && a.ptr[n] == b.ptr[n])
        n++;
    return n;
}

bool cw_str_ends(struct cw_str s, struct cw_str suffix)
{
    return s.len >= suffix.len && cw_str_eq(cw_str_sub(s, s.len - suffix.len, s.len), suffix);
}

ptrdiff_t cw_str_find(struct cw_str s, struct cw_str needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len < needle.len)
        return -1;
    const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at != NULL ? at - s.ptr : -1;
}

ptrdiff_t cw_str_find_byte(struct cw_str s, char byte)
{
    const char *at = s.len > 0 ? memchr(s.ptr, byte, s.len) : NULL;
    return at != NULL ? at - s.ptr : -1;
}

static bool ascii_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct cw_str cw_str_trim(struct cw_str s)
{
    size_t from = 0, to = s.len;
    while (from < to && ascii_space(s.ptr[from]))
        from++;
    while (to > from && ascii_space(s.ptr[to - 1]))
        to--;
    return cw_str_sub(s, from, to);
}

bool cw_str_split(struct cw_str *s, char byte, struct cw_str *out)
{
    if (s->ptr == NULL)
        return false;
    ptrdiff_t at = cw_str_find_byte(*s, byte);
    if (at < 0) {
        *out = *s;
        *s = CW_STR_NONE; /* not merely empty: "a," has an empty second piece, "a" has none */
        return true;
    }
    *out = cw_str_sub(*s, 0, (size_t)at);
    *s = cw_str_sub(*s, (size_t)at + 1, s->len);
    return true;
}

bool cw_str_take(struct cw_str *s, void *out, size_t n)
{
    if (s->len < n)
        return false;
    memcpy(out, s->ptr, n);
    s->ptr += n;
    s->len -= n;
    return true;
}

char *cw_str_dupz(struct cw_str s)
{
    CW_ASSERT(s.len < SIZE_MAX);
    char *z = cw_mem_resize(NULL, s.len + 1);
    if (s.len > 0)
        memcpy(z, s.ptr, s.len);
    z[s.len] = '\0';
    return z;
}

unsigned cw_str_distance(struct cw_str a, struct cw_str b, unsigned limit)
{
    enum { NAME_MAX_BYTES = 64 }; /* longer texts are no names that somebody mistyped */
    size_t gap = a.len > b.len ? a.len - b.len : b.len - a.len;
    if (a.len > NAME_MAX_BYTES || b.len > NAME_MAX_BYTES || gap > limit)
        return limit + 1;
    /* Distances of the prefixes: of this row, of the one before and of the one before that. */
    unsigned rows[3][NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            char x = a.ptr[i - 1], y = b.ptr[j - 1];
            row[j] = CW_MIN(above[j - 1] + (x != y), CW_MIN(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == b.ptr[j - 2] && y == a.ptr[i - 2])
                row[j] = CW_MIN(row[j], above2[j - 2] + 1);
        }
    }
    return CW_MIN(rows[a.len % 3][b.len], limit + 1);
}

bool cw_str_to_u64(struct cw_str s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
            return false;
    }
    *out = value;
    return true;
}

bool cw_str_to_i64(struct cw_str s, int64_t *out)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+'))
        s = cw_str_sub(s, 1, s.len);
    uint64_t value;
    if (!cw_str_to_u64(s, &value) || value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static bool ascii_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool ascii_hex(char c)
{
    return ascii_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* Digits with at most one point among them, at least one digit; returns what follows. */
static const char *mantissa_end(const char *p, const char *end, bool (*is_digit)(char), bool *ok)
{
    size_t ndigits = 0;
    bool point = false;
    for (; p < end; p++) {
        if (is_digit(*p)) {
            ndigits++;
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    *ok = ndigits > 0;
    return p;
}

/* The shape of a number in Go's syntax, so that strtod's own extensions (spaces, "nan(x)") are refused. */
static bool float_shape(struct cw_str s)
{
    if (s.len == 0)
        return false;
    const char *p = s.ptr, *end = s.ptr + s.len;
    if (*p == '+' || *p == '-')
        p++;
    struct cw_str rest = cw_str_make(p, (size_t)(end - p));
    if (cw_str_eq_nocase(rest, CW_STR("inf")) || cw_str_eq_nocase(rest, CW_STR("infinity")))
        return true;
    if (cw_str_eq_nocase(rest, CW_STR("nan")))
        return rest.len == s.len; /* Go knows no signed nan */
    bool hex = rest.len > 2 && p[0] == '0' && ascii_lower(p[1]) == 'x';
    bool ok;
    p = mantissa_end(hex ? p + 2 : p, end, hex ? ascii_hex : ascii_digit, &ok);
    if (!ok)
        return false;
    if (p == end)
        return !hex; /* a hexadecimal mantissa requires an exponent */
    if (ascii_lower(*p++) != (hex ? 'p' : 'e'))
        return false;
    if (p < end && (*p == '+' || *p == '-'))
        p++;
    if (p == end)
        return false;
    while (p < end && ascii_digit(*p))
        p++;
    return p == end;
}

/* strtod reads the locale's decimal point: always ask for the C locale's. */
static locale_t c_locale(void)
{
    static locale_t locale;
    locale_t have = __atomic_load_n(&locale, __ATOMIC_ACQUIRE);
    if (have != (locale_t)0)
        return have;
    have = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    CW_ASSERT(have != (locale_t)0);
    locale_t none = (locale_t)0;
    if (!__atomic_compare_exchange_n(&locale, &none, have, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        freelocale(have);
        have = none;
    }
    return have;
}

bool cw_str_to_f64(struct cw_str s, double *out)
{
    char small[128];
    if (!float_shape(s))
        return false;
    char *z = s.len < sizeof small ? small : cw_mem_resize(NULL, s.len + 1);
    memcpy(z, s.ptr, s.len);
    z[s.len] = '\0';
    double value = strtod_l(z, NULL, c_locale());
    if (z != small)
        free(z);
    /* Go: too large is an error, too small is zero. */
    if (isinf(value) && cw_str_find_byte(s, 'n') < 0 && cw_str_find_byte(s, 'N') < 0)
        return false;
    *out = value;
    return true;
}

bool cw_str_take_i64(struct cw_str *s, int64_t *out)
{
    struct cw_str word;
    return cw_str_split(s, ' ', &word) && cw_str_to_i64(word, out);
}

bool cw_str_take_u64(struct cw_str *s, uint64_t *out)
{
    struct cw_str word;
    return cw_str_split(s, ' ', &word) && cw_str_to_u64(word, out);
}
