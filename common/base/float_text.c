#include "common/base/float_text.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLOAT_SURE_DIGITS =
        15, /* every decimal of so many digits survives the way through a normal double */
    FLOAT_GENERAL_MIN_EXP = -4, /* below: an exponent, as Go's %v */
    FLOAT_JSON_MIN_EXP = -6,    /* as Go's encoding/json */
    FLOAT_MAX_EXP = 21,         /* from here on both */
};

/* value = 0.d1d2d3... * 10^(exp10 + 1): digits without trailing zeros, at least one. */
struct decimal {
    char digits[CW_FLOAT_TEXT_DIGITS];
    int ndigits;
    int exp10; /* of the first digit */
    bool negative;
};

static bool reads_back(const char *text, double value)
{
    return strtod(text, NULL) == value;
}

/* The neighbour below a power of two is only half as far as the one above: the decimal above it may read back as it where the
 * nearest one, below it, does not. */
static bool next_reads_back(char *text, double value)
{
    int exponent;
    char *last = strchr(text, 'e') - 1;
    if (frexp(value, &exponent) != 0.5 || *last == '9')
        return false;
    ++*last;
    return reads_back(text, value);
}

size_t cw_float_text_digits(double value, char digits[CW_FLOAT_TEXT_DIGITS], int *exp10)
{
    char text[40];
    size_t n = 0;
    value = fabs(value);
    for (int ndigits = value < DBL_MIN ? 1 : FLOAT_SURE_DIGITS;; ndigits++) {
        snprintf(text, sizeof text, "%.*e", ndigits - 1, value);
        if (ndigits == CW_FLOAT_TEXT_DIGITS || reads_back(text, value))
            break;
        if (ndigits == CW_FLOAT_TEXT_DIGITS - 1 && next_reads_back(text, value))
            break;
    }
    const char *at = text;
    for (; *at != 'e'; at++)
        if (*at != '.')
            digits[n++] = *at;
    *exp10 = atoi(at + 1);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

static void shortest(double value, struct decimal *out)
{
    out->negative = value < 0;
    out->ndigits = (int)cw_float_text_digits(value, out->digits, &out->exp10);
}

static void add_zeros(int n, struct cw_buf *out)
{
    for (int i = 0; i < n; i++)
        cw_buf_addc(out, '0');
}

static void add_plain(const struct decimal *d, struct cw_buf *out)
{
    if (d->negative)
        cw_buf_addc(out, '-');
    int whole = d->exp10 + 1; /* digits before the point */
    if (whole <= 0) {
        cw_buf_addz(out, "0.");
        add_zeros(-whole, out);
        cw_buf_add(out, d->digits, (size_t)d->ndigits);
    } else if (whole >= d->ndigits) {
        cw_buf_add(out, d->digits, (size_t)d->ndigits);
        add_zeros(whole - d->ndigits, out);
    } else {
        cw_buf_add(out, d->digits, (size_t)whole);
        cw_buf_addc(out, '.');
        cw_buf_add(out, d->digits + whole, (size_t)(d->ndigits - whole));
    }
}

/* Values that need no search for digits; true when written. */
static bool add_simple(double value, struct cw_buf *out)
{
    if (isnan(value)) {
        cw_buf_addz(out, "NaN");
    } else if (isinf(value)) {
        cw_buf_addz(out, value > 0 ? "+Inf" : "-Inf");
    } else if (value == 0) {
        cw_buf_addz(out, signbit(value) ? "-0" : "0");
    } else if (fabs(value) < 1e15 && value == (double)(long long)value) {
        cw_buf_addf(out, "%lld", (long long)value);
    } else {
        return false;
    }
    return true;
}

void cw_float_text_plain(double value, struct cw_buf *out)
{
    struct decimal d;
    if (add_simple(value, out))
        return;
    shortest(value, &d);
    add_plain(&d, out);
}

static void add_exponent(const struct decimal *d, int min_exponent_digits, struct cw_buf *out)
{
    if (d->negative)
        cw_buf_addc(out, '-');
    cw_buf_addc(out, d->digits[0]);
    if (d->ndigits > 1) {
        cw_buf_addc(out, '.');
        cw_buf_add(out, d->digits + 1, (size_t)d->ndigits - 1);
    }
    cw_buf_addf(out, "e%c%0*d", d->exp10 < 0 ? '-' : '+', min_exponent_digits, abs(d->exp10));
}

void cw_float_text_general(double value, struct cw_buf *out)
{
    struct decimal d;
    if (add_simple(value, out))
        return;
    shortest(value, &d);
    if (d.exp10 >= FLOAT_GENERAL_MIN_EXP && d.exp10 < FLOAT_MAX_EXP)
        add_plain(&d, out);
    else
        add_exponent(&d, 2, out);
}

void cw_float_text_json(double value, struct cw_buf *out)
{
    struct decimal d;
    if (add_simple(value, out))
        return;
    shortest(value, &d);
    if (d.exp10 >= FLOAT_JSON_MIN_EXP && d.exp10 < FLOAT_MAX_EXP)
        add_plain(&d, out);
    else
        add_exponent(&d, d.exp10 < 0 ? 1 : 2, out);
}
