/* Arithmetic of templates. Integers wrap around; addf and the like count in decimals, so that 0.1 + 0.2 is 0.3. */
#include "common/template/go_template_math.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/assert.h"
#include "common/base/clock.h"

/* ---- conversions ---- */

/* As amd64 converts: what fits nowhere is the smallest. */
static int64_t float_to_int(double real)
{
    if (real >= -0x1p63 && real < 0x1p63)
        return (int64_t)real;
    return INT64_MIN;
}

/* "4.7" is 4, "-.5" is 0; anything else stays as it is. */
static struct cw_str trim_decimal(struct cw_str s)
{
    size_t at = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+') ? 1 : 0, whole;
    while (at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9')
        at++;
    whole = at;
    if (at >= s.len || s.ptr[at] != '.')
        return s;
    for (at++; at < s.len; at++)
        if (s.ptr[at] < '0' || s.ptr[at] > '9')
            return s;
    bool digits = whole > 0 && s.ptr[whole - 1] >= '0' && s.ptr[whole - 1] <= '9';
    return digits ? cw_str_sub(s, 0, whole) : CW_STR("0");
}

int64_t cw_go_to_int(struct cw_go_value value)
{
    int64_t number;
    switch (value.kind) {
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_UINT8:
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY: return value.number;
    case CW_GO_FLOAT: return float_to_int(value.real);
    case CW_GO_BOOL: return value.truth;
    case CW_GO_STRING: return cw_go_parse_int(trim_decimal(value.text), 0, &number) ? number : 0;
    default: return 0;
    }
}

double cw_go_to_float(struct cw_go_value value)
{
    double real;
    switch (value.kind) {
    case CW_GO_INT:
    case CW_GO_INT64:
    case CW_GO_UINT8:
    case CW_GO_MONTH:
    case CW_GO_WEEKDAY: return (double)value.number;
    case CW_GO_FLOAT: return value.real;
    case CW_GO_BOOL: return value.truth;
    case CW_GO_STRING: return cw_go_parse_float(value.text, &real) ? real : 0;
    default: return 0;
    }
}

CW_GT_FN(int)
{
    *out = cw_go_int(cw_go_to_int(args[0]));
    return 0;
}

CW_GT_FN(float64)
{
    *out = cw_go_float(cw_go_to_float(args[0]));
    return 0;
}

/* ---- integers ---- */

CW_GT_FN(add)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < nargs; i++)
        sum += (uint64_t)cw_go_to_int(args[i]);
    *out = cw_go_int64((int64_t)sum);
    return 0;
}

CW_GT_FN(sub)
{
    *out =
        cw_go_int64((int64_t)((uint64_t)cw_go_to_int(args[0]) - (uint64_t)cw_go_to_int(args[1])));
    return 0;
}

CW_GT_FN(mul)
{
    uint64_t product = (uint64_t)cw_go_to_int(args[0]);
    for (size_t i = 1; i < nargs; i++)
        product *= (uint64_t)cw_go_to_int(args[i]);
    *out = cw_go_int64((int64_t)product);
    return 0;
}

CW_GT_FN(div)
{
    int64_t a = cw_go_to_int(args[0]), b = cw_go_to_int(args[1]);
    if (b == 0)
        return cw_gt_fail(run, "runtime error: integer divide by zero");
    *out = cw_go_int64(b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b);
    return 0;
}

CW_GT_FN(mod)
{
    int64_t a = cw_go_to_int(args[0]), b = cw_go_to_int(args[1]);
    if (b == 0)
        return cw_gt_fail(run, "runtime error: integer divide by zero");
    *out = cw_go_int64(b == -1 ? 0 : a % b);
    return 0;
}

CW_GT_FN(max)
{
    int64_t best = cw_go_to_int(args[0]);
    for (size_t i = 1; i < nargs; i++)
        best = CW_MAX(best, cw_go_to_int(args[i]));
    *out = cw_go_int64(best);
    return 0;
}

CW_GT_FN(min)
{
    int64_t best = cw_go_to_int(args[0]);
    for (size_t i = 1; i < nargs; i++)
        best = CW_MIN(best, cw_go_to_int(args[i]));
    *out = cw_go_int64(best);
    return 0;
}

/* ---- floats ---- */

/* Go's math.Max and Min: NaN wins, and 0 is larger than -0. */
static double float_best(double a, double b, bool larger)
{
    double best = larger ? INFINITY : -INFINITY;
    if (a == best || b == best)
        return best;
    if (isnan(a) || isnan(b))
        return NAN;
    if (a == 0 && b == 0)
        return signbit(a) == larger ? b : a;
    return (a > b) == larger ? a : b;
}

CW_GT_FN(maxf)
{
    double best = cw_go_to_float(args[0]);
    for (size_t i = 1; i < nargs; i++)
        best = float_best(best, cw_go_to_float(args[i]), true);
    *out = cw_go_float(best);
    return 0;
}

CW_GT_FN(minf)
{
    double best = cw_go_to_float(args[0]);
    for (size_t i = 1; i < nargs; i++)
        best = float_best(best, cw_go_to_float(args[i]), false);
    *out = cw_go_float(best);
    return 0;
}

CW_GT_FN(ceil)
{
    *out = cw_go_float(ceil(cw_go_to_float(args[0])));
    return 0;
}

CW_GT_FN(floor)
{
    *out = cw_go_float(floor(cw_go_to_float(args[0])));
    return 0;
}

/* round value places [from]: up when the rest is `from` (0.5) or more. */
CW_GT_FN(round)
{
    double from = nargs > 2 ? args[2].real : 0.5, whole;
    double power = pow(10, (double)args[1].number);
    double digit = power * cw_go_to_float(args[0]);
    double rest = modf(digit, &whole);
    *out = cw_go_float((rest >= from ? ceil(digit) : floor(digit)) / power);
    return 0;
}

/* ---- decimals ---- */

/* coefficient * 10^exponent. What does not fit 38 digits is counted in binary instead. */
struct decimal {
    __int128 coefficient;
    int exponent;
};

enum { DECIMAL_DIVISION_DIGITS = 16 }; /* behind the point of a quotient */

static bool decimal_scale(__int128 *coefficient, int digits)
{
    for (; digits > 0 && *coefficient != 0; digits--)
        if (__builtin_mul_overflow(*coefficient, (__int128)10, coefficient))
            return false;
    return true;
}

/* The fewest digits that mean the same double. */
static struct decimal decimal_from(double real)
{
    char text[40];
    for (int prec = 14; prec <= 16; prec++) {
        snprintf(text, sizeof text, "%.*e", prec, real);
        if (strtod(text, NULL) == real)
            break;
    }
    struct decimal d = {0, 0};
    bool point = false, negative = text[0] == '-';
    const char *at = text + negative;
    for (; *at != 'e'; at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        d.coefficient = d.coefficient * 10 + (*at - '0');
        d.exponent -= point;
    }
    d.exponent += atoi(at + 1);
    while (d.coefficient != 0 && d.coefficient % 10 == 0) {
        d.coefficient /= 10;
        d.exponent++;
    }
    if (d.coefficient == 0)
        d.exponent = 0;
    if (negative)
        d.coefficient = -d.coefficient;
    return d;
}

static double decimal_to_double(struct decimal d)
{
    char digits[48], text[64];
    size_t at = sizeof digits;
    unsigned __int128 u =
        d.coefficient < 0 ? -(unsigned __int128)d.coefficient : (unsigned __int128)d.coefficient;
    do
        digits[--at] = (char)('0' + (int)(u % 10));
    while ((u /= 10) > 0);
    snprintf(text, sizeof text, "%s%.*se%d", d.coefficient < 0 ? "-" : "",
             (int)(sizeof digits - at), digits + at, d.exponent);
    return strtod(text, NULL);
}

static bool decimal_add(struct decimal a, struct decimal b, struct decimal *out)
{
    int exponent = CW_MIN(a.exponent, b.exponent);
    if (!decimal_scale(&a.coefficient, a.exponent - exponent) ||
        !decimal_scale(&b.coefficient, b.exponent - exponent))
        return false;
    out->exponent = exponent;
    return !__builtin_add_overflow(a.coefficient, b.coefficient, &out->coefficient);
}

static bool decimal_mul(struct decimal a, struct decimal b, struct decimal *out)
{
    out->exponent = a.exponent + b.exponent;
    return !__builtin_mul_overflow(a.coefficient, b.coefficient, &out->coefficient);
}

/* Rounded half away from zero at the 16th digit behind the point. */
static bool decimal_div(struct decimal a, struct decimal b, struct decimal *out)
{
    int shift = a.exponent - b.exponent + DECIMAL_DIVISION_DIGITS;
    __int128 over = a.coefficient, under = b.coefficient;
    if (!decimal_scale(shift >= 0 ? &over : &under, abs(shift)))
        return false;
    __int128 quotient = over / under, rest = over % under;
    bool negative = (over < 0) != (under < 0);
    unsigned __int128 twice = 2 * (unsigned __int128)(rest < 0 ? -rest : rest);
    if (twice >= (unsigned __int128)(under < 0 ? -under : under))
        quotient += negative ? -1 : 1;
    *out = (struct decimal){quotient, -DECIMAL_DIVISION_DIGITS};
    while (out->coefficient != 0 && out->coefficient % 10 == 0) {
        out->coefficient /= 10;
        out->exponent++;
    }
    return true;
}

enum decimal_op { DECIMAL_ADD, DECIMAL_SUB, DECIMAL_MUL, DECIMAL_DIV };

static double binary_op(double a, double b, enum decimal_op op)
{
    return op == DECIMAL_ADD   ? a + b
           : op == DECIMAL_SUB ? a - b
           : op == DECIMAL_MUL ? a * b
                               : a / b;
}

static bool decimal_op(struct decimal *sum, struct decimal x, enum decimal_op op)
{
    if (op == DECIMAL_SUB)
        x.coefficient = -x.coefficient;
    if (op == DECIMAL_ADD || op == DECIMAL_SUB)
        return decimal_add(*sum, x, sum);
    return op == DECIMAL_MUL ? decimal_mul(*sum, x, sum) : decimal_div(*sum, x, sum);
}

static int fold(struct cw_go_template_run *run, double first, const struct cw_go_value *args,
                size_t nargs, enum decimal_op op, struct cw_go_value *out)
{
    bool exact = isfinite(first);
    double real = first;
    struct decimal sum = exact ? decimal_from(first) : (struct decimal){0, 0};
    if (!exact)
        return cw_gt_fail(run, "Cannot create a Decimal from %s",
                          isnan(first) ? "NaN"
                          : first > 0  ? "+Inf"
                                       : "-Inf");
    for (size_t i = 0; i < nargs; i++) {
        double x = cw_go_to_float(args[i]);
        if (!isfinite(x))
            return cw_gt_fail(run, "Cannot create a Decimal from %s",
                              isnan(x) ? "NaN"
                              : x > 0  ? "+Inf"
                                       : "-Inf");
        if (op == DECIMAL_DIV && x == 0)
            return cw_gt_fail(run, "decimal division by 0");
        exact = exact && decimal_op(&sum, decimal_from(x), op);
        real = exact ? decimal_to_double(sum) : binary_op(real, x, op);
    }
    *out = cw_go_float(real);
    return 0;
}

CW_GT_FN(addf)
{
    return fold(run, 0, args, nargs, DECIMAL_ADD, out);
}

CW_GT_FN(subf)
{
    return fold(run, cw_go_to_float(args[0]), args + 1, nargs - 1, DECIMAL_SUB, out);
}

CW_GT_FN(mulf)
{
    return fold(run, cw_go_to_float(args[0]), args + 1, nargs - 1, DECIMAL_MUL, out);
}

CW_GT_FN(divf)
{
    return fold(run, cw_go_to_float(args[0]), args + 1, nargs - 1, DECIMAL_DIV, out);
}

/* ---- bytes, durations ---- */

static int fail_quoted(struct cw_go_template_run *run, const char *before, struct cw_str text,
                       const char *behind)
{
    cw_buf_clear(&run->tmp);
    cw_quote_go(text, &run->tmp);
    return cw_gt_fail(run, "%s%s%s", before, cw_buf_z(&run->tmp), behind);
}

/* The factor of "kb", "MiB", ...; 0: unknown. */
static double byte_unit(struct cw_str unit)
{
    static const char letters[] = "kmgtpe";
    if (unit.len == 0 || cw_str_eq_nocase(unit, CW_STR("b")))
        return 1;
    const char *letter = unit.ptr[0] == '\0' ? NULL : strchr(letters, unit.ptr[0] | 0x20);
    if (letter == NULL)
        return 0;
    struct cw_str tail = cw_str_sub(unit, 1, unit.len);
    int power = (int)(letter - letters) + 1;
    if (tail.len == 0 || cw_str_eq_nocase(tail, CW_STR("b")))
        return pow(1000, power);
    if (cw_str_eq_nocase(tail, CW_STR("i")) || cw_str_eq_nocase(tail, CW_STR("ib")))
        return pow(1024, power);
    return 0;
}

/* "2.5GiB", "1,024 kB" */
CW_GT_FN(bytes)
{
    struct cw_str s = args[0].text;
    size_t ndigits = 0;
    cw_buf_clear(&run->tmp);
    for (; ndigits < s.len; ndigits++) {
        char c = s.ptr[ndigits];
        if (!(c >= '0' && c <= '9') && c != '.' && c != ',')
            break;
        if (c != ',')
            cw_buf_addc(&run->tmp, c);
    }
    struct cw_str digits = cw_arena_dup(run->arena, cw_buf_str(&run->tmp));
    double number;
    if (!cw_go_parse_float(digits, &number))
        return fail_quoted(run, "strconv.ParseFloat: parsing ", digits, ": invalid syntax");
    struct cw_str unit = cw_str_trim(cw_str_sub(s, ndigits, s.len));
    double factor = byte_unit(unit);
    if (factor == 0) {
        cw_buf_clear(&run->tmp);
        for (size_t i = 0; i < unit.len; i++)
            cw_buf_addc(&run->tmp,
                        (char)(unit.ptr[i] >= 'A' && unit.ptr[i] <= 'Z' ? unit.ptr[i] | 0x20
                                                                        : unit.ptr[i]));
        return cw_gt_fail(run, "unhandled size name: %s", cw_buf_z(&run->tmp));
    }
    number *= factor;
    if (number >= 0x1p64)
        return cw_gt_fail(run, "too large: %.*s", CW_STR_ARG(s));
    *out = cw_go_float((double)(uint64_t)number);
    return 0;
}

/* As package time quotes: bytes, not runes. */
static void add_time_quoted(struct cw_buf *out, struct cw_str s)
{
    cw_buf_addc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < ' ' || c >= 0x80)
            cw_buf_addf(out, "\\x%02x", c);
        else
            cw_buf_addf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    cw_buf_addc(out, '"');
}

static int fail_duration(struct cw_go_template_run *run, const char *what, struct cw_str text)
{
    cw_buf_clear(&run->tmp);
    add_time_quoted(&run->tmp, text);
    return cw_gt_fail(run, "time: %s duration %s", what, cw_buf_z(&run->tmp));
}

static bool is_digit_or_point(char c)
{
    return (c >= '0' && c <= '9') || c == '.';
}

static bool is_duration_unit(struct cw_str name)
{
    static const char *const units[] = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "m", "h"};
    for (size_t i = 0; i < CW_COUNT(units); i++)
        if (cw_str_eqz(name, units[i]))
            return true;
    return false;
}

/* What is wrong with a duration, in Go's words. */
static int duration_error(struct cw_go_template_run *run, struct cw_str text)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+') ? 1 : 0, from, unit;
    for (; at < text.len; at = unit) {
        bool digit = false, point = false;
        for (from = at; at < text.len && is_digit_or_point(text.ptr[at]); at++) {
            if (text.ptr[at] == '.' && point)
                break;
            point |= text.ptr[at] == '.';
            digit |= text.ptr[at] != '.';
        }
        if (at == from || !digit)
            break;
        for (unit = at; unit < text.len && !is_digit_or_point(text.ptr[unit]);)
            unit++;
        struct cw_str name = cw_str_sub(text, at, unit);
        if (name.len == 0)
            return fail_duration(run, "missing unit in", text);
        if (!is_duration_unit(name)) {
            cw_buf_clear(&run->tmp);
            cw_buf_addz(&run->tmp, "unknown unit ");
            add_time_quoted(&run->tmp, name);
            cw_buf_addz(&run->tmp, " in");
            struct cw_str what = cw_arena_dup(run->arena, cw_buf_str(&run->tmp));
            return fail_duration(run, what.ptr, text);
        }
    }
    return fail_duration(run, "invalid", text);
}

/* Seconds. */
CW_GT_FN(duration)
{
    int64_t ns;
    if (!cw_duration_parse_go(args[0].text, &ns))
        return duration_error(run, args[0].text);
    *out = cw_go_float((double)(ns / CW_NS_PER_S) + (double)(ns % CW_NS_PER_S) / 1e9);
    return 0;
}
