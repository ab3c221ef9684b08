#include "querier/engine/label_number.h"

#include "common/base/assert.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/labels/labels.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct cw_str quote(struct cw_str text, struct cw_arena *arena)
{
    struct cw_buf quoted;
    cw_buf_init(&quoted, SIZE_MAX);
    cw_quote_go(text, &quoted);
    struct cw_str copy = cw_arena_dup(arena, cw_buf_str(&quoted));
    cw_buf_fini(&quoted);
    return copy;
}

/* A float by its shape that is no number to Go is too large. */
static bool is_plain_float(struct cw_str text)
{
    size_t at = text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-'), ndigits = 0,
           npoints = 0;
    for (; at < text.len && (is_digit(text.ptr[at]) || text.ptr[at] == '.'); at++) {
        ndigits += is_digit(text.ptr[at]);
        npoints += text.ptr[at] == '.';
    }
    if (ndigits == 0 || npoints > 1)
        return false;
    if (at == text.len)
        return true;
    if ((text.ptr[at] | 0x20) != 'e')
        return false;
    at++;
    at += at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-');
    size_t from = at;
    while (at < text.len && is_digit(text.ptr[at]))
        at++;
    return at == text.len && at > from;
}

/* Go takes '_' between digits. The text without them; false: one stands elsewhere. */
static bool drop_underscores(struct cw_str text, struct cw_arena *arena, struct cw_str *out)
{
    char *plain = cw_arena_alloc(arena, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '_')
            plain[n++] = text.ptr[i];
        else if (i == 0 || i + 1 == text.len || cw_str_hex_digit(text.ptr[i - 1]) < 0 ||
                 cw_str_hex_digit(text.ptr[i + 1]) < 0)
            return false;
    }
    *out = cw_str_make(plain, n);
    return true;
}

bool cw_label_number(struct cw_str text, double *out, struct cw_arena *arena, struct cw_str *why)
{
    struct cw_str plain;
    if (cw_str_to_f64(text, out))
        return true;
    if (cw_str_find_byte(text, '_') >= 0 && drop_underscores(text, arena, &plain) &&
        cw_str_to_f64(plain, out))
        return true;
    *why = cw_arena_printf(arena, "strconv.ParseFloat: parsing %.*s: %s",
                           CW_STR_ARG(quote(text, arena)),
                           is_plain_float(text) ? "value out of range" : "invalid syntax");
    return false;
}

/* ---- durations ---- */

/* As the time package quotes: bytes that are not printable ASCII in hexadecimal. */
static struct cw_str quote_time(struct cw_str text, struct cw_arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    char *out = cw_arena_alloc(arena, text.len * 4 + 2);
    size_t len = 0;
    out[len++] = '"';
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c < ' ' || c >= 0x80) {
            out[len++] = '\\', out[len++] = 'x';
            out[len++] = hex[c >> 4], out[len++] = hex[c & 15];
        } else {
            if (c == '"' || c == '\\')
                out[len++] = '\\';
            out[len++] = (char)c;
        }
    }
    out[len++] = '"';
    return cw_str_make(out, len);
}

static bool is_unit(struct cw_str unit)
{
    static const char *const units[] = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "m", "h"};
    for (size_t i = 0; i < CW_COUNT(units); i++)
        if (cw_str_eqz(unit, units[i]))
            return true;
    return false;
}

/* Why Go does not take it. */
static struct cw_str duration_fault(struct cw_str text, struct cw_arena *arena)
{
    struct cw_str quoted = quote_time(text, arena);
    size_t at = text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-');
    while (at < text.len) {
        size_t from = at, ndigits = 0, npoints = 0;
        for (; at < text.len && (is_digit(text.ptr[at]) || (text.ptr[at] == '.' && npoints == 0));
             at++) {
            ndigits += is_digit(text.ptr[at]);
            npoints += text.ptr[at] == '.';
        }
        if (at == from || ndigits == 0 || ndigits > 18 + npoints * 40)
            break;
        size_t unit = at;
        while (at < text.len && text.ptr[at] != '.' && !is_digit(text.ptr[at]))
            at++;
        struct cw_str name = cw_str_sub(text, unit, at);
        if (name.len == 0)
            return cw_arena_printf(arena, "time: missing unit in duration %.*s",
                                   CW_STR_ARG(quoted));
        if (!is_unit(name))
            return cw_arena_printf(arena, "time: unknown unit %.*s in duration %.*s",
                                   CW_STR_ARG(quote_time(name, arena)), CW_STR_ARG(quoted));
    }
    return cw_arena_printf(arena, "time: invalid duration %.*s", CW_STR_ARG(quoted));
}

bool cw_label_duration(struct cw_str text, int64_t *ns_out, struct cw_arena *arena,
                       struct cw_str *why)
{
    if (cw_duration_parse_go(text, ns_out))
        return true;
    *why = duration_fault(text, arena);
    return false;
}

/* ---- sizes ---- */

struct size_unit {
    const char *name;
    double bytes;
};

static const struct size_unit size_units[] = {
    {"", 1},         {"b", 1},     {"kib", 0x1p10}, {"kb", 1e3},  {"mib", 0x1p20}, {"mb", 1e6},
    {"gib", 0x1p30}, {"gb", 1e9},  {"tib", 0x1p40}, {"tb", 1e12}, {"pib", 0x1p50}, {"pb", 1e15},
    {"eib", 0x1p60}, {"eb", 1e18}, {"ki", 0x1p10},  {"k", 1e3},   {"mi", 0x1p20},  {"m", 1e6},
    {"gi", 0x1p30},  {"g", 1e9},   {"ti", 0x1p40},  {"t", 1e12},  {"pi", 0x1p50},  {"p", 1e15},
    {"ei", 0x1p60},  {"e", 1e18},
};

bool cw_label_bytes(struct cw_str text, uint64_t *out, struct cw_arena *arena, struct cw_str *why)
{
    char *digits = cw_arena_alloc(arena, text.len);
    size_t ndigits = 0, end = 0;
    for (; end < text.len; end++) {
        char c = text.ptr[end];
        if (!is_digit(c) && c != '.' && c != ',')
            break;
        if (c != ',')
            digits[ndigits++] = c;
    }
    double value;
    if (!cw_label_number(cw_str_make(digits, ndigits), &value, arena, why))
        return false;
    struct cw_str unit = cw_str_trim(cw_str_sub(text, end, text.len));
    for (size_t i = 0; i < CW_COUNT(size_units); i++) {
        if (!cw_str_eq_nocase(unit, cw_str_of(size_units[i].name)))
            continue;
        value *= size_units[i].bytes;
        if (value >= 0x1p64) {
            *why = cw_arena_printf(arena, "too large: %.*s", CW_STR_ARG(text));
            return false;
        }
        *out = (uint64_t)value;
        return true;
    }
    char *lower = cw_arena_alloc(arena, unit.len);
    for (size_t i = 0; i < unit.len; i++)
        lower[i] =
            unit.ptr[i] >= 'A' && unit.ptr[i] <= 'Z' ? (char)(unit.ptr[i] | 0x20) : unit.ptr[i];
    *why = cw_arena_printf(arena, "unhandled size name: %.*s", (int)unit.len, lower);
    return false;
}
