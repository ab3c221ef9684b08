#include "common/match/regex_escape.h"

#include "common/base/assert.h"

static const char invalid_escape[] = "invalid escape sequence";
static const char invalid_range[] = "invalid character class range";
static const char invalid_utf8[] = "invalid UTF-8";

static void skip(struct cw_str *s, size_t n)
{
    *s = cw_str_sub(*s, n, s->len);
}

/* False: *s begins with a byte that is not UTF-8. */
static bool next_rune(struct cw_str *s, uint32_t *rune)
{
    *rune = 0;
    size_t n = cw_utf8_decode(*s, rune);
    if (*rune == CW_RUNE_ERROR && n <= 1)
        return false;
    skip(s, n);
    return true;
}

static int hex_value(uint32_t c)
{
    if (c >= '0' && c <= '9')
        return (int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (int)(c - 'a' + 10);
    if (c >= 'A' && c <= 'F')
        return (int)(c - 'A' + 10);
    return -1;
}

static const char *fail_utf8(struct cw_str s, struct cw_str *where)
{
    *where = s;
    return invalid_utf8;
}

/* Behind `\x{`: any number of digits and a brace. *bad: it is no escape. */
static const char *braced_hex(struct cw_str *s, uint32_t *rune, bool *bad, struct cw_str *where)
{
    uint32_t c, value = 0;
    *bad = true;
    for (size_t digits = 0;; digits++) {
        if (s->len == 0)
            return NULL;
        if (!next_rune(s, &c))
            return fail_utf8(*s, where);
        if (c == '}') {
            *rune = value;
            *bad = digits == 0;
            return NULL;
        }
        int digit = hex_value(c);
        if (digit < 0)
            return NULL;
        value = value * 16 + (uint32_t)digit;
        if (value > CW_RUNE_MAX)
            return NULL;
    }
}

/* Behind `\x`. */
static const char *hex_escape(struct cw_str *s, uint32_t *rune, bool *bad, struct cw_str *where)
{
    uint32_t digits[2] = {0, 0};
    *bad = true;
    if (s->len > 0 && s->ptr[0] == '{') {
        skip(s, 1);
        return braced_hex(s, rune, bad, where);
    }
    for (int i = 0; i < 2 && s->len > 0; i++)
        if (!next_rune(s, &digits[i]))
            return fail_utf8(*s, where);
    *bad = hex_value(digits[0]) < 0 || hex_value(digits[1]) < 0;
    if (!*bad)
        *rune = (uint32_t)(hex_value(digits[0]) * 16 + hex_value(digits[1]));
    return NULL;
}

const char *cw_regex_escape(struct cw_str *s, uint32_t *rune, struct cw_str *where)
{
    static const char names[] = "afnrtv", bytes[] = "\a\f\n\r\t\v";
    struct cw_str start = *s;
    skip(s, 1);
    if (s->len == 0) {
        *where = CW_STR_NONE;
        return "trailing backslash at end of expression";
    }
    uint32_t c;
    if (!next_rune(s, &c))
        return fail_utf8(*s, where);
    const char *name = c != 0 && c < 0x80 ? strchr(names, (int)c) : NULL;
    bool octal = c == '0' || (c >= '1' && c <= '7' && s->len > 0 && s->ptr[0] >= '0' &&
                              s->ptr[0] <= '7'); /* a lone digit would be a back reference */
    bool word = c >= 0x80 || hex_value(c) >= 0 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    bool bad = false;
    if (name != NULL) {
        *rune = (unsigned char)bytes[name - names];
    } else if (octal) {
        *rune = c - '0';
        for (int i = 0; i < 2 && s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '7';
             i++, skip(s, 1))
            *rune = *rune * 8 + (uint32_t)(s->ptr[0] - '0');
    } else if (c == 'x') {
        const char *problem = hex_escape(s, rune, &bad, where);
        if (problem != NULL)
            return problem;
    } else if (!word) {
        *rune = c;
    } else {
        bad = true;
    }
    if (!bad)
        return NULL;
    *where = cw_str_make(start.ptr, start.len - s->len);
    return invalid_escape;
}

const char *cw_regex_unicode_class(struct cw_str *s, bool fold, struct cw_rune_set *out,
                                   struct cw_str *where)
{
    struct cw_str start = *s, name;
    bool negate = s->ptr[1] == 'P';
    skip(s, 2);
    if (s->len > 0 && s->ptr[0] == '{') {
        ptrdiff_t end = cw_str_find_byte(*s, '}');
        name = cw_str_sub(*s, 1, end < 0 ? s->len : (size_t)end);
        for (struct cw_str left = end < 0 ? start : name; left.len > 0;) {
            uint32_t rune;
            struct cw_str here = left;
            if (!next_rune(&left, &rune))
                return fail_utf8(here, where);
        }
        *where = start;
        if (end < 0)
            return invalid_range;
        skip(s, (size_t)end + 1);
    } else {
        uint32_t rune;
        name = *s;
        if (s->len > 0 && !next_rune(s, &rune))
            return fail_utf8(*s, where);
        name.len -= s->len;
    }
    *where = cw_str_make(start.ptr, start.len - s->len);
    if (name.len > 0 && name.ptr[0] == '^') {
        negate = !negate;
        name = cw_str_sub(name, 1, name.len);
    }
    struct cw_rune_set set;
    cw_rune_set_init(&set, out->arena);
    if (!cw_unicode_class(name, fold, &set))
        return invalid_range;
    if (negate)
        cw_rune_set_negate(&set);
    cw_rune_set_add_ranges(out, set.ranges, set.n);
    return NULL;
}

struct ascii_class {
    const char *name;
    const char *ranges; /* first and last byte of each */
};

static void add_ascii_class(const char *ranges, bool negate, bool fold, struct cw_rune_set *out)
{
    struct cw_rune_set set;
    cw_rune_set_init(&set, out->arena);
    for (const char *r = ranges; *r != 0; r += 2) {
        uint32_t lo = (unsigned char)r[0] == 0x80 ? 0 : (uint32_t)r[0]; /* \x80 stands for NUL */
        if (fold)
            cw_rune_set_add_folded(&set, lo, (uint32_t)r[1]);
        else
            cw_rune_set_add(&set, lo, (uint32_t)r[1]);
    }
    if (negate)
        cw_rune_set_negate(&set);
    cw_rune_set_add_ranges(out, set.ranges, set.n);
}

int cw_regex_perl_class(struct cw_str *s, bool fold, struct cw_rune_set *out)
{
    if (s->len < 2 || s->ptr[0] != '\\')
        return 0;
    const char *ranges;
    switch (s->ptr[1] | 0x20) {
    case 'd': ranges = "09"; break;
    case 's': ranges = "\t\n\f\r  "; break;
    case 'w': ranges = "09AZ__az"; break;
    default: return 0;
    }
    add_ascii_class(ranges, (s->ptr[1] & 0x20) == 0, fold, out);
    skip(s, 2);
    return 1;
}

int cw_regex_posix_class(struct cw_str *s, bool fold, struct cw_rune_set *out, struct cw_str *where)
{
    static const struct ascii_class classes[] = {
        {"alnum", "09AZaz"},
        {"alpha", "AZaz"},
        {"ascii", "\x80\x7f"},
        {"blank", "\t\t  "},
        {"cntrl", "\x80\x1f\x7f\x7f"},
        {"digit", "09"},
        {"graph", "!~"},
        {"lower", "az"},
        {"print", " ~"},
        {"punct", "!/:@[`{~"},
        {"space", "\t\r  "},
        {"upper", "AZ"},
        {"word", "09AZ__az"},
        {"xdigit", "09AFaf"},
    };
    ptrdiff_t end = cw_str_find(cw_str_sub(*s, 2, s->len), CW_STR(":]"));
    if (end < 0)
        return 0;
    struct cw_str name = cw_str_sub(*s, 2, (size_t)end + 2);
    *where = cw_str_sub(*s, 0, (size_t)end + 4);
    bool negate = name.len > 0 && name.ptr[0] == '^';
    if (negate)
        name = cw_str_sub(name, 1, name.len);
    for (size_t i = 0; i < CW_COUNT(classes); i++) {
        if (cw_str_eqz(name, classes[i].name)) {
            add_ascii_class(classes[i].ranges, negate, fold, out);
            skip(s, where->len);
            return 1;
        }
    }
    return -1;
}
