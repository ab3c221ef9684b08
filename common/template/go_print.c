/* Go's fmt for the values of templates. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"
#include "common/base/float_text.h"
#include "common/template/go_value.h"

/* fmt refuses widths and precisions beyond a million; written in the format, one digit may still follow a number that is not
 * beyond it. */
enum { FMT_MAX_ARG = 1000000, FMT_MAX_NUMBER = 10 * FMT_MAX_ARG + 9 };

struct fmt {
    struct cw_buf *out;
    bool minus, plus, sharp, space, zero, plus_v, sharp_v;
    bool has_width, has_prec;
    int width, prec;
};

static void print_arg(struct fmt *fmt, struct cw_go_value arg, uint32_t verb);

/* ---- padding ---- */

static void add_padding(struct fmt *fmt, long n)
{
    if (n <= 0)
        return;
    char *at = cw_buf_reserve(fmt->out, (size_t)n);
    if (at == NULL)
        return;
    memset(at, fmt->zero && !fmt->minus ? '0' : ' ', (size_t)n);
    fmt->out->len += (size_t)n;
}

static size_t count_runes(struct cw_str s)
{
    size_t n = 0;
    uint32_t rune;
    for (size_t at = 0; at < s.len; n++)
        at += cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
    return n;
}

static void add_padded(struct fmt *fmt, struct cw_str s)
{
    long pad = fmt->has_width ? fmt->width - (long)count_runes(s) : 0;
    if (!fmt->minus)
        add_padding(fmt, pad);
    cw_buf_adds(fmt->out, s);
    if (fmt->minus)
        add_padding(fmt, pad);
}

static void add_padded_spaces(struct fmt *fmt, struct cw_str s)
{
    bool zero = fmt->zero;
    fmt->zero = false;
    add_padded(fmt, s);
    fmt->zero = zero;
}

/* ---- texts ---- */

static struct cw_str truncated(const struct fmt *fmt, struct cw_str s)
{
    if (!fmt->has_prec)
        return s;
    size_t at = 0;
    uint32_t rune;
    for (int n = 0; n < fmt->prec && at < s.len; n++)
        at += cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
    return cw_str_sub(s, 0, at);
}

static void fmt_hex_text(struct fmt *fmt, struct cw_str s, const char *digits)
{
    size_t n = fmt->has_prec && (size_t)fmt->prec < s.len ? (size_t)fmt->prec : s.len;
    if (n == 0) {
        if (fmt->has_width)
            add_padding(fmt, fmt->width);
        return;
    }
    size_t width = 2 * n;
    if (fmt->space)
        width = width * (fmt->sharp ? 2 : 1) + n - 1;
    else if (fmt->sharp)
        width += 2;
    long pad = fmt->has_width ? fmt->width - (long)width : 0;
    if (!fmt->minus)
        add_padding(fmt, pad);
    for (size_t i = 0; i < n; i++) {
        if (fmt->space && i > 0)
            cw_buf_addc(fmt->out, ' ');
        if (fmt->sharp && (fmt->space || i == 0)) {
            cw_buf_addc(fmt->out, '0');
            cw_buf_addc(fmt->out, digits[16]);
        }
        unsigned char c = (unsigned char)s.ptr[i];
        cw_buf_addc(fmt->out, digits[c >> 4]);
        cw_buf_addc(fmt->out, digits[c & 15]);
    }
    if (fmt->minus)
        add_padding(fmt, pad);
}

/* strconv.CanBackquote */
static bool can_backquote(struct cw_str s)
{
    uint32_t rune;
    for (size_t at = 0, n; at < s.len; at += n) {
        n = cw_utf8_decode(cw_str_sub(s, at, s.len), &rune);
        if ((n == 1 && rune >= 0x80) || rune == 0xFEFF || (rune < ' ' && rune != '\t') ||
            rune == '`' || rune == 0x7F)
            return false;
    }
    return true;
}

/* Quoted text with every rune over ASCII as an escape. */
static void to_ascii(struct cw_str quoted, struct cw_buf *out)
{
    uint32_t rune;
    for (size_t at = 0, n; at < quoted.len; at += n) {
        n = cw_utf8_decode(cw_str_sub(quoted, at, quoted.len), &rune);
        if (rune < 0x80)
            cw_buf_addc(out, quoted.ptr[at]);
        else
            cw_buf_addf(out, rune < 0x10000 ? "\\u%04x" : "\\U%08x", rune);
    }
}

static void fmt_quoted(struct fmt *fmt, struct cw_str s)
{
    struct cw_buf quoted, ascii;
    s = truncated(fmt, s);
    cw_buf_init(&quoted, 10 * s.len + 64);
    cw_buf_init(&ascii, 12 * s.len + 64);
    bool raw = fmt->sharp && can_backquote(s);
    if (raw)
        cw_buf_addf(&quoted, "`%.*s`", CW_STR_ARG(s));
    else
        cw_quote_go(s, &quoted);
    if (fmt->plus && !raw)
        to_ascii(cw_buf_str(&quoted), &ascii);
    add_padded(fmt, cw_buf_str(fmt->plus && !raw ? &ascii : &quoted));
    cw_buf_fini(&quoted);
    cw_buf_fini(&ascii);
}

static const char lower_digits[] = "0123456789abcdefx", upper_digits[] = "0123456789ABCDEFX";

/* Go's Stringer: its name is what verbs for texts write, and its number what those for numbers do. */
static bool names_itself(enum cw_go_kind kind)
{
    return kind == CW_GO_MONTH || kind == CW_GO_WEEKDAY || kind == CW_GO_DURATION;
}

static void bad_verb(struct fmt *fmt, uint32_t verb, const struct cw_go_value *arg)
{
    char utf8[4];
    cw_buf_addz(fmt->out, "%!");
    cw_buf_add(fmt->out, utf8, cw_utf8_encode(verb, utf8));
    cw_buf_addc(fmt->out, '(');
    if (arg->kind == CW_GO_NIL || arg->kind == CW_GO_INVALID) {
        cw_buf_addz(fmt->out, "<nil>");
    } else {
        cw_buf_addf(fmt->out, "%s=", cw_go_type_name(arg->kind));
        if (names_itself(arg->kind)) /* the number, not its name */
            print_arg(fmt, cw_go_int(arg->number), 'v');
        else
            print_arg(fmt, *arg, 'v');
    }
    cw_buf_addc(fmt->out, ')');
}

static void fmt_text(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    if (verb == 'v' && fmt->sharp_v)
        fmt_quoted(fmt, arg->text);
    else if (verb == 'v' || verb == 's')
        add_padded(fmt, truncated(fmt, arg->text));
    else if (verb == 'x' || verb == 'X')
        fmt_hex_text(fmt, arg->text, verb == 'x' ? lower_digits : upper_digits);
    else if (verb == 'q')
        fmt_quoted(fmt, arg->text);
    else
        bad_verb(fmt, verb, arg);
}

/* ---- integers ---- */

enum { INT_TEXT_BYTES = 72 };

static void fmt_digits(struct fmt *fmt, uint64_t u, bool negative, unsigned base, uint32_t verb,
                       const char *digits)
{
    long prec = 0;
    if (fmt->has_prec) {
        prec = fmt->prec;
        if (prec == 0 && u == 0) {
            bool zero = fmt->zero;
            fmt->zero = false;
            add_padding(fmt, fmt->has_width ? fmt->width : 0);
            fmt->zero = zero;
            return;
        }
    } else if (fmt->zero && !fmt->minus && fmt->has_width) {
        prec = fmt->width - (negative || fmt->plus || fmt->space ? 1 : 0);
    }
    char text[INT_TEXT_BYTES];
    size_t at = sizeof text;
    do
        text[--at] = digits[u % base];
    while ((u /= base) > 0);
    struct cw_str number = cw_str_make(text + at, sizeof text - at);
    struct cw_buf all;
    cw_buf_init(&all, FMT_MAX_NUMBER + INT_TEXT_BYTES + 8);
    if (negative)
        cw_buf_addc(&all, '-');
    else if (fmt->plus)
        cw_buf_addc(&all, '+');
    else if (fmt->space)
        cw_buf_addc(&all, ' ');
    if (verb == 'O')
        cw_buf_addz(&all, "0o");
    if (fmt->sharp && base == 2)
        cw_buf_addz(&all, "0b");
    else if (fmt->sharp && base == 16)
        cw_buf_addf(&all, "0%c", digits[16]);
    else if (fmt->sharp && base == 8 && number.ptr[0] != '0' && prec <= (long)number.len)
        cw_buf_addc(&all, '0');
    for (long i = (long)number.len; i < prec; i++)
        cw_buf_addc(&all, '0');
    cw_buf_adds(&all, number);
    add_padded_spaces(fmt, cw_buf_str(&all));
    cw_buf_fini(&all);
}

static void fmt_rune(struct fmt *fmt, uint64_t u, bool quoted)
{
    uint32_t rune = u > 0x10FFFF || (u >= 0xD800 && u <= 0xDFFF) ? 0xFFFD : (uint32_t)u;
    char utf8[4];
    struct cw_str s = cw_str_make(utf8, cw_utf8_encode(rune, utf8));
    if (!quoted) {
        add_padded(fmt, s);
        return;
    }
    struct cw_buf text, ascii;
    cw_buf_init(&text, 64);
    cw_buf_init(&ascii, 64);
    cw_quote_go(s, &text);
    text.ptr[0] = text.ptr[text.len - 1] = '\'';
    if (rune == '"') /* not escaped between these */
        cw_buf_clear(&text), cw_buf_addz(&text, "'\"'");
    else if (rune == '\'')
        cw_buf_clear(&text), cw_buf_addz(&text, "'\\''");
    if (fmt->plus)
        to_ascii(cw_buf_str(&text), &ascii);
    add_padded(fmt, cw_buf_str(fmt->plus ? &ascii : &text));
    cw_buf_fini(&text);
    cw_buf_fini(&ascii);
}

static void fmt_unicode(struct fmt *fmt, uint64_t u)
{
    struct cw_buf text, quoted;
    int prec = fmt->has_prec && fmt->prec > 4 ? fmt->prec : 4;
    cw_buf_init(&text, FMT_MAX_NUMBER + 64);
    cw_buf_init(&quoted, 64);
    cw_buf_addf(&text, "U+%0*lX", prec, u);
    if (fmt->sharp && u <= 0x10FFFF && !(u >= 0xD800 && u <= 0xDFFF)) {
        char utf8[4];
        struct cw_str s = cw_str_make(utf8, cw_utf8_encode((uint32_t)u, utf8));
        cw_quote_go(s, &quoted);
        if (u == '"' || u == '\\' || quoted.ptr[1] != '\\')
            cw_buf_addf(&text, " '%.*s'", CW_STR_ARG(s));
    }
    add_padded_spaces(fmt, cw_buf_str(&text));
    cw_buf_fini(&text);
    cw_buf_fini(&quoted);
}

static void fmt_integer(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    bool is_signed = arg->kind != CW_GO_UINT8;
    bool negative = is_signed && arg->number < 0;
    uint64_t u = negative ? 0 - (uint64_t)arg->number : (uint64_t)arg->number;
    switch (verb) {
    case 'v':
        if (fmt->sharp_v && !is_signed) {
            fmt->sharp = true;
            fmt_digits(fmt, u, false, 16, 'v', lower_digits);
            fmt->sharp = false;
            break;
        }
        /* fall through */
    case 'd': fmt_digits(fmt, u, negative, 10, verb, lower_digits); break;
    case 'b': fmt_digits(fmt, u, negative, 2, verb, lower_digits); break;
    case 'o':
    case 'O': fmt_digits(fmt, u, negative, 8, verb, lower_digits); break;
    case 'x': fmt_digits(fmt, u, negative, 16, verb, lower_digits); break;
    case 'X': fmt_digits(fmt, u, negative, 16, verb, upper_digits); break;
    case 'c': fmt_rune(fmt, (uint64_t)arg->number, false); break;
    case 'q': fmt_rune(fmt, (uint64_t)arg->number, true); break;
    case 'U': fmt_unicode(fmt, (uint64_t)arg->number); break;
    default: bad_verb(fmt, verb, arg);
    }
}

/* ---- floats ---- */

enum {
    SHORTEST_MIN_EXP = -4,
    SHORTEST_MAX_EXP = 6
}; /* below and from here on %v and %g write an exponent */

static void add_exponent(struct cw_buf *out, char e, int exponent)
{
    cw_buf_addf(out, "%c%c%02d", e, exponent < 0 ? '-' : '+', abs(exponent));
}

/* strconv's 'e', 'f' and 'g' with the fewest digits, of a number that is not negative. */
static void add_shortest(double v, char verb, struct cw_buf *out)
{
    char digits[CW_FLOAT_TEXT_DIGITS], e = verb == 'E' || verb == 'G' ? 'E' : 'e';
    int exponent;
    size_t n = cw_float_text_digits(v, digits, &exponent);
    bool with_exponent = (verb | 0x20) == 'e';
    if ((verb | 0x20) == 'g')
        with_exponent = exponent < SHORTEST_MIN_EXP || exponent >= SHORTEST_MAX_EXP;
    if (!with_exponent) {
        cw_float_text_plain(v, out);
        return;
    }
    cw_buf_addc(out, digits[0]);
    if (n > 1) {
        cw_buf_addc(out, '.');
        cw_buf_add(out, digits + 1, n - 1);
    }
    add_exponent(out, e, exponent);
}

enum { HEX_DIGITS = 13, MANTISSA_BITS = 4 * HEX_DIGITS }; /* of a double behind the point */

/* Keep `ndigits` of the hex digits behind the point; half goes to the even neighbour, a carry into the exponent. */
static void round_hex(uint64_t *mantissa, int *exponent, int ndigits)
{
    unsigned dropped = 4 * (unsigned)(HEX_DIGITS - ndigits);
    uint64_t half = UINT64_C(1) << (dropped - 1), rest = *mantissa & (2 * half - 1);
    *mantissa >>= dropped;
    *mantissa += rest > half || (rest == half && (*mantissa & 1) != 0);
    *mantissa <<= dropped;
    if (*mantissa >> (MANTISSA_BITS + 1) != 0) {
        *mantissa >>= 1;
        ++*exponent;
    }
}

/* C's %a leaves open what stands before the point; Go has a 1 there, of subnormal numbers too, and a 0 only for 0. */
static void add_hex_float(double v, int prec, bool upper, struct cw_buf *out)
{
    const char *digits = upper ? upper_digits : lower_digits;
    int exponent = 0;
    uint64_t mantissa = (uint64_t)ldexp(frexp(v, &exponent), MANTISSA_BITS + 1);
    if (mantissa != 0)
        exponent--;
    if (prec >= 0 && prec < HEX_DIGITS)
        round_hex(&mantissa, &exponent, prec);
    cw_buf_addf(out, "0%c%c", digits[16], digits[mantissa >> MANTISSA_BITS]);
    uint64_t mask = (UINT64_C(1) << MANTISSA_BITS) - 1, fraction = mantissa & mask;
    if (prec > 0 || (prec < 0 && fraction != 0))
        cw_buf_addc(out, '.');
    for (int n = 0; prec < 0 ? fraction != 0 : n < prec; n++) {
        cw_buf_addc(out, digits[fraction >> (MANTISSA_BITS - 4)]);
        fraction = fraction << 4 & mask;
    }
    add_exponent(out, upper ? 'P' : 'p', exponent);
}

/* strconv.AppendFloat of a finite number that is not negative; prec -1: the fewest digits. */
static void add_float(double v, char verb, int prec, struct cw_buf *out)
{
    int exponent;
    char format[] = "%.*f";
    if (verb == 'b') {
        double mantissa = frexp(v, &exponent);
        if (exponent < -1021) /* subnormal: the exponent stays */
            mantissa = ldexp(mantissa, exponent + 1021), exponent = -1021;
        cw_buf_addf(out, "%.0fp%+d", ldexp(mantissa, 53), v == 0 ? -1074 : exponent - 53);
    } else if (verb == 'x' || verb == 'X') {
        add_hex_float(v, prec, verb == 'X', out);
    } else if (prec < 0) {
        add_shortest(v, verb, out);
    } else {
        format[3] = verb == 'F' ? 'f' : verb;
        cw_buf_addf(out, format, prec, v);
    }
}

/* '#': a decimal point always, and the zeros behind it. num begins with its sign. */
static void keep_zeros(struct cw_buf *num, char verb, int prec)
{
    int digits = 0;
    bool point = false, nonzero = false;
    size_t end = 1;
    char tail[32];
    if (verb == 'g' || verb == 'G' || verb == 'x')
        digits = prec < 0 ? 6 : prec;
    for (; end < num->len; end++) {
        char c = num->ptr[end];
        if (c == 'p' || c == 'P' || ((c | 0x20) == 'e' && (verb | 0x20) != 'x'))
            break;
        point |= c == '.';
        nonzero |= c != '0' && c != '.';
        digits -= nonzero && c != '.';
    }
    size_t ntail = CW_MIN(num->len - end, sizeof tail);
    memcpy(tail, num->ptr + end, ntail);
    num->len = end;
    if (!point) {
        if (num->len == 2 && num->ptr[1] == '0')
            digits--;
        cw_buf_addc(num, '.');
    }
    for (; digits > 0; digits--)
        cw_buf_addc(num, '0');
    cw_buf_add(num, tail, ntail);
}

static void fmt_real(struct fmt *fmt, double v, char verb, int prec)
{
    if (fmt->has_prec)
        prec = fmt->prec;
    struct cw_buf num;
    cw_buf_init(&num, FMT_MAX_NUMBER + 512);
    cw_buf_addc(&num, signbit(v) && !isnan(v) ? '-' : '+');
    if (fmt->space && num.ptr[0] == '+' && !fmt->plus)
        num.ptr[0] = ' ';
    bool sign = fmt->plus || num.ptr[0] != '+';
    if (isnan(v) || isinf(v)) {
        cw_buf_addz(&num, isnan(v) ? "NaN" : "Inf");
        /* An infinity shows its sign even when it is a plus. */
        bool bare = isnan(v) && !fmt->space && !fmt->plus;
        add_padded_spaces(fmt, cw_str_sub(cw_buf_str(&num), bare ? 1 : 0, num.len));
        cw_buf_fini(&num);
        return;
    }
    add_float(fabs(v), verb, prec, &num);
    if (fmt->sharp && verb != 'b')
        keep_zeros(&num, verb, prec);
    if (sign && fmt->zero && !fmt->minus && fmt->has_width && (size_t)fmt->width > num.len) {
        cw_buf_addc(fmt->out, num.ptr[0]);
        add_padding(fmt, fmt->width - (long)num.len);
        cw_buf_add(fmt->out, num.ptr + 1, num.len - 1);
    } else {
        add_padded(fmt, cw_str_sub(cw_buf_str(&num), sign ? 0 : 1, num.len));
    }
    cw_buf_fini(&num);
}

/* The verb and precision of a float; false when it has no such verb. */
static bool float_verb(uint32_t verb, char *as, int *prec)
{
    if (verb >= 0x80 || verb == 0 || strchr("vbgGxXfFeE", (int)verb) == NULL)
        return false;
    *as = verb == 'v' ? 'g' : verb == 'F' ? 'f' : (char)verb;
    *prec = strchr("fFeE", (int)verb) != NULL ? 6 : -1;
    return true;
}

static void fmt_float(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    char as;
    int prec;
    if (!float_verb(verb, &as, &prec)) {
        bad_verb(fmt, verb, arg);
    } else if (arg->kind == CW_GO_FLOAT) {
        fmt_real(fmt, arg->real, as, prec);
    } else {
        bool plus = fmt->plus;
        cw_buf_addc(fmt->out, '(');
        fmt_real(fmt, arg->real, as, prec);
        fmt->plus = true;
        fmt_real(fmt, arg->imaginary, as, prec);
        cw_buf_addz(fmt->out, "i)");
        fmt->plus = plus;
    }
}

/* ---- the rest ---- */

static void print_element(struct fmt *fmt, struct cw_go_value value, uint32_t verb)
{
    if (value.kind != CW_GO_NIL)
        print_arg(fmt, value, verb);
    else
        cw_buf_addz(fmt->out, fmt->sharp_v ? "interface {}(nil)" : "<nil>");
}

static void fmt_container(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    bool list = arg->kind == CW_GO_LIST;
    size_t n = list ? arg->list->n : arg->map->n;
    if (fmt->sharp_v)
        cw_buf_addf(fmt->out, "%s{", cw_go_type_name(arg->kind));
    else
        cw_buf_addz(fmt->out, list ? "[" : "map[");
    for (size_t i = 0; i < n && !cw_buf_failed(fmt->out); i++) {
        if (i > 0)
            cw_buf_addz(fmt->out, fmt->sharp_v ? ", " : " ");
        if (!list) {
            print_arg(fmt, cw_go_string(arg->map->items[i].key), verb);
            cw_buf_addc(fmt->out, ':');
        }
        print_element(fmt, list ? arg->list->items[i] : arg->map->items[i].value, verb);
    }
    cw_buf_addc(fmt->out, fmt->sharp_v ? '}' : ']');
}

static const char time_string_layout[] = "2006-01-02 15:04:05.999999999 -0700 MST";

/* time.Time's GoString: the call that makes it. */
static void add_time_call(const struct cw_go_time *time, struct cw_buf *out)
{
    struct cw_go_civil civil;
    cw_go_time_civil(*time, &civil);
    cw_buf_addf(out, "time.Date(%lld, time.", (long long)civil.year);
    cw_go_time_format(*time, CW_STR("January, 2, "), out);
    cw_buf_addf(out, "%d, %d, %d, %d, ", civil.hour, civil.minute, civil.second, time->nsec);
    if (time->zone == NULL && !time->fixed) {
        cw_buf_addz(out, "time.UTC)");
        return;
    }
    cw_buf_addz(out, "time.Location(");
    cw_quote_go(cw_str_of(time->fixed ? time->abbrev : cw_go_zone_name(time->zone)), out);
    cw_buf_addz(out, "))");
}

static void fmt_time(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    struct cw_buf text;
    cw_buf_init(&text, 512);
    if (verb == 'v' && fmt->sharp_v)
        add_time_call(arg->time, &text);
    else
        cw_go_time_format(*arg->time, cw_str_of(time_string_layout), &text);
    struct cw_go_value string = cw_go_string(cw_buf_str(&text));
    if (verb == 'v') {
        add_padded(fmt, truncated(fmt, string.text));
    } else if (verb < 0x80 && verb != 0 && strchr("sxXq", (int)verb) != NULL) {
        fmt_text(fmt, &string, verb);
    } else {
        cw_buf_addz(fmt->out, "%!");
        char utf8[4];
        cw_buf_add(fmt->out, utf8, cw_utf8_encode(verb, utf8));
        cw_buf_addf(fmt->out, "(time.Time=%s)", cw_buf_z(&text));
    }
    cw_buf_fini(&text);
}

static bool is_text_verb(uint32_t verb)
{
    return verb < 0x80 && verb != 0 && strchr("vsxXq", (int)verb) != NULL;
}

static void add_name(struct cw_go_value value, struct cw_buf *out)
{
    static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                           "Thursday", "Friday", "Saturday"};
    bool is_month = value.kind == CW_GO_MONTH;
    int64_t at = value.number;
    if (value.kind == CW_GO_DURATION)
        cw_duration_format_go(at, out);
    else if (is_month && at >= 1 && at <= 12)
        cw_go_time_format((struct cw_go_time){.sec = (at - 1) * 31 * 86400}, CW_STR("January"),
                          out); /* a day of that month of 1970 */
    else if (!is_month && at >= 0 && at < (int64_t)CW_COUNT(weekdays))
        cw_buf_addz(out, weekdays[at]);
    else
        cw_buf_addf(out, is_month ? "%%!Month(%lld)" : "%%!Weekday(%lld)", (long long)at);
}

static void fmt_named(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    if (!is_text_verb(verb) || (verb == 'v' && fmt->sharp_v)) {
        fmt_integer(fmt, arg, verb);
        return;
    }
    struct cw_buf name;
    cw_buf_init(&name, 64);
    add_name(*arg, &name);
    struct cw_go_value text = cw_go_string(cw_buf_str(&name));
    fmt_text(fmt, &text, verb);
    cw_buf_fini(&name);
}

/* A pointer, of which Go's other verbs show what it points to, its tables included: we the name. */
static void fmt_location(struct fmt *fmt, const struct cw_go_value *arg, uint32_t verb)
{
    const struct cw_go_time *time = arg->time;
    const char *name = time->fixed  ? time->abbrev
                       : time->zone ? cw_go_zone_name(time->zone)
                                    : "UTC";
    struct cw_go_value text = cw_go_string(cw_str_of(name));
    fmt_text(fmt, &text, is_text_verb(verb) ? verb : 's');
}

static void print_arg(struct fmt *fmt, struct cw_go_value arg, uint32_t verb)
{
    if (verb == 'T' && arg.kind != CW_GO_NIL) {
        add_padded(fmt, truncated(fmt, cw_str_of(cw_go_type_name(arg.kind))));
        return;
    }
    if (verb == 'p') {
        bad_verb(fmt, verb, &arg);
        return;
    }
    switch (arg.kind) {
    case CW_GO_INVALID:
    case CW_GO_NIL:
        if (verb == 'v' || verb == 'T')
            add_padded(fmt, CW_STR("<nil>"));
        else
            bad_verb(fmt, verb, &arg);
        break;
    case CW_GO_BOOL:
        if (verb == 'v' || verb == 't')
            add_padded(fmt, arg.truth ? CW_STR("true") : CW_STR("false"));
        else
            bad_verb(fmt, verb, &arg);
        break;
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_UINT8: fmt_integer(fmt, &arg, verb); break;
    case CW_GO_FLOAT:
    case CW_GO_COMPLEX: fmt_float(fmt, &arg, verb); break;
    case CW_GO_STRING: fmt_text(fmt, &arg, verb); break;
    case CW_GO_TIME: fmt_time(fmt, &arg, verb); break;
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY:
    case CW_GO_DURATION: fmt_named(fmt, &arg, verb); break;
    case CW_GO_LOCATION: fmt_location(fmt, &arg, verb); break;
    case CW_GO_LIST:
    case CW_GO_MAP:
    case CW_GO_FIELDS:
        if (verb == 'w') /* an error, which none is: all of it is bad, not each element */
            bad_verb(fmt, verb, &arg);
        else
            fmt_container(fmt, &arg, verb);
        break;
    }
}

void cw_go_print_value(struct cw_go_value value, struct cw_buf *out)
{
    if (value.kind == CW_GO_STRING) { /* nearly always */
        cw_buf_adds(out, value.text);
        return;
    }
    struct fmt fmt = {.out = out};
    print_arg(&fmt, value, 'v');
}

void cw_go_print(const struct cw_go_value *args, size_t n, struct cw_buf *out)
{
    bool text_before = false;
    for (size_t i = 0; i < n; i++) {
        bool text = args[i].kind == CW_GO_STRING;
        if (i > 0 && !text && !text_before)
            cw_buf_addc(out, ' ');
        cw_go_print_value(args[i], out);
        text_before = text;
    }
}

void cw_go_println(const struct cw_go_value *args, size_t n, struct cw_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            cw_buf_addc(out, ' ');
        cw_go_print_value(args[i], out);
    }
    cw_buf_addc(out, '\n');
}

/* ---- formats ---- */

struct format {
    struct cw_str text;
    size_t at;
    const struct cw_go_value *args;
    size_t nargs, arg;
    bool reordered, good_index, after_index;
};

static char at_char(const struct format *format)
{
    return format->at < format->text.len ? format->text.ptr[format->at] : '\0';
}

/* Digits at *at; false when there are none or they say too much. */
static bool read_number(struct cw_str text, size_t *at, int *number)
{
    size_t from = *at;
    *number = 0;
    for (; *at < text.len && text.ptr[*at] >= '0' && text.ptr[*at] <= '9'; (*at)++) {
        if (*number > FMT_MAX_ARG) {
            *number = 0;
            *at = text.len; /* Go gives the rest of the format up */
            return false;
        }
        *number = *number * 10 + (text.ptr[*at] - '0');
    }
    return *at > from;
}

/* "[3]": which argument is next. */
static void read_index(struct format *format)
{
    format->after_index = false;
    if (at_char(format) != '[')
        return;
    format->reordered = true;
    struct cw_str rest = cw_str_sub(format->text, format->at, format->text.len);
    ptrdiff_t close = rest.len >= 3 ? cw_str_find_byte(rest, ']') : -1;
    if (close < 0) {
        format->at++;
        format->good_index = false;
        return;
    }
    size_t at = 1;
    int number;
    bool fine = read_number(rest, &at, &number) && at == (size_t)close;
    format->at += (size_t)close + 1;
    format->after_index = fine;
    if (fine && number >= 1 && (size_t)number <= format->nargs)
        format->arg = (size_t)number - 1;
    else
        format->good_index = false;
}

/* '*': an integer among the arguments, of whatever type. */
static bool take_int(struct format *format, int *number)
{
    *number = 0;
    if (format->arg >= format->nargs)
        return false;
    const struct cw_go_value *arg = &format->args[format->arg++];
    bool integer = arg->kind == CW_GO_INT || arg->kind == CW_GO_INT64 || arg->kind == CW_GO_UINT8 ||
                   names_itself(arg->kind);
    if (!integer || arg->number > FMT_MAX_ARG || arg->number < -FMT_MAX_ARG)
        return false;
    *number = (int)arg->number;
    return true;
}

static void read_flags(struct format *format, struct fmt *fmt)
{
    for (;; format->at++) {
        switch (at_char(format)) {
        case '#': fmt->sharp = true; break;
        case '0': fmt->zero = true; break;
        case '+': fmt->plus = true; break;
        case '-': fmt->minus = true; break;
        case ' ': fmt->space = true; break;
        default: return;
        }
    }
}

static void read_width(struct format *format, struct fmt *fmt)
{
    if (at_char(format) == '*') {
        format->at++;
        fmt->has_width = take_int(format, &fmt->width);
        if (!fmt->has_width)
            cw_buf_addz(fmt->out, "%!(BADWIDTH)");
        if (fmt->width < 0) {
            fmt->width = -fmt->width;
            fmt->minus = true;
            fmt->zero = false;
        }
        format->after_index = false;
    } else {
        fmt->has_width = read_number(format->text, &format->at, &fmt->width);
        if (format->after_index && fmt->has_width) /* "%[3]2d" */
            format->good_index = false;
    }
}

static void read_precision(struct format *format, struct fmt *fmt)
{
    if (at_char(format) != '.' || format->at + 1 == format->text.len) /* at the end it is a verb */
        return;
    format->at++;
    if (format->after_index) /* "%[3].2d" */
        format->good_index = false;
    read_index(format);
    if (at_char(format) == '*') {
        format->at++;
        fmt->has_prec = take_int(format, &fmt->prec);
        if (fmt->prec < 0) {
            fmt->prec = 0;
            fmt->has_prec = false;
        }
        if (!fmt->has_prec)
            cw_buf_addz(fmt->out, "%!(BADPREC)");
        format->after_index = false;
    } else {
        if (!read_number(format->text, &format->at, &fmt->prec))
            fmt->prec = 0;
        fmt->has_prec = true;
    }
}

/* Behind a '%'. */
static void print_directive(struct format *format, struct cw_buf *out)
{
    struct fmt fmt = {.out = out};
    uint32_t verb;
    format->good_index = true;
    read_flags(format, &fmt);
    read_index(format);
    read_width(format, &fmt);
    read_precision(format, &fmt);
    if (!format->after_index)
        read_index(format);
    struct cw_str rest = cw_str_sub(format->text, format->at, format->text.len);
    size_t n = cw_utf8_decode(rest, &verb);
    if (n == 0) {
        cw_buf_addz(out, "%!(NOVERB)");
        return;
    }
    format->at += n;
    char utf8[4];
    size_t nverb = cw_utf8_encode(verb, utf8);
    if (verb == '%') {
        cw_buf_addc(out, '%');
    } else if (!format->good_index) {
        cw_buf_addf(out, "%%!%.*s(BADINDEX)", (int)nverb, utf8);
    } else if (format->arg >= format->nargs) {
        cw_buf_addf(out, "%%!%.*s(MISSING)", (int)nverb, utf8);
    } else {
        if (verb == 'v' || verb == 'w') {
            fmt.sharp_v = fmt.sharp;
            fmt.plus_v = fmt.plus;
            fmt.sharp = fmt.plus = false;
        }
        print_arg(&fmt, format->args[format->arg++], verb);
    }
}

void cw_go_printf(struct cw_str text, const struct cw_go_value *args, size_t n, struct cw_buf *out)
{
    struct format format = {.text = text, .args = args, .nargs = n};
    while (format.at < text.len && !cw_buf_failed(out)) {
        struct cw_str rest = cw_str_sub(text, format.at, text.len);
        ptrdiff_t percent = cw_str_find_byte(rest, '%');
        size_t plain = percent < 0 ? rest.len : (size_t)percent;
        cw_buf_adds(out, cw_str_sub(rest, 0, plain));
        format.at += plain;
        if (percent >= 0) {
            format.at++;
            print_directive(&format, out);
        }
    }
    if (format.reordered || format.arg >= n)
        return;
    cw_buf_addz(out, "%!(EXTRA ");
    for (size_t i = format.arg; i < n; i++) {
        struct fmt fmt = {.out = out};
        if (i > format.arg)
            cw_buf_addz(out, ", ");
        if (args[i].kind == CW_GO_NIL || args[i].kind == CW_GO_INVALID) {
            cw_buf_addz(out, "<nil>");
            continue;
        }
        cw_buf_addf(out, "%s=", cw_go_type_name(args[i].kind));
        print_arg(&fmt, args[i], 'v');
    }
    cw_buf_addc(out, ')');
}
