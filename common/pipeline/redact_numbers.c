/* Numbers of cards, accounts, telephones and people. */
#include "common/base/assert.h"
#include "common/pipeline/luhn.h"
#include "common/pipeline/redact_priv.h"

/* Not within a word, a decimal number or a longer number with separators. */
static bool is_clear_before(struct cw_str line, size_t at)
{
    char c = cw_before(line, at);
    return !cw_is_digit(c) && !cw_follows_word(line, at) && c != '.' && c != '_' && c != '-';
}

static bool is_clear_after(struct cw_str line, size_t at)
{
    char c = cw_at(line, at);
    if (c == '.' || c == '-')
        return !cw_is_alnum(cw_at(line, at + 1));
    return !cw_is_alnum(c) && c != '_';
}

static size_t count_digits(struct cw_str line, size_t at, size_t max)
{
    size_t n = 0;
    while (n < max && cw_is_digit(cw_at(line, at + n)))
        n++;
    return n;
}

/* ---- cards ---- */

enum { CARD_DIGITS = 19, CARD_GROUPS = 5 };

/* Do the issuers give out numbers of that length that begin so? (ISO/IEC 7812 ranges of the large networks.) */
static bool is_issued(const char *digits, size_t n)
{
    unsigned two = (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
    unsigned four = two * 100 + (unsigned)(digits[2] - '0') * 10 + (unsigned)(digits[3] - '0');
    if (digits[0] == '4')
        return n == 13 || n == 16 || n == 19;
    if (two == 34 || two == 37)
        return n == 15;
    if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720))
        return n == 16;
    if (two == 36 || two == 38 || two == 39 || (four >= 3000 && four <= 3059))
        return n == 14 || n == 16;
    if (two == 35 || four == 6011 || two == 64 || two == 65 || two == 62)
        return n >= 16;
    return (two == 50 || (two >= 56 && two <= 58) || two == 63 || two == 67) && n >= 16;
}

/* 4-4-4-4, with one to three more, and 4-6-5, 4-6-4. */
static bool is_card_shape(const size_t *groups, size_t n)
{
    if (groups[0] != 4)
        return false;
    if (n == 3)
        return groups[1] == 6 && (groups[2] == 5 || groups[2] == 4);
    return n >= 4 && groups[1] == 4 && groups[2] == 4 && groups[3] == 4 &&
           (n == 4 || groups[4] <= 3);
}

bool cw_detect_card(struct cw_str line, size_t at, struct cw_span *out)
{
    char digits[CARD_DIGITS + 8];
    size_t groups[CARD_GROUPS], ends[CARD_GROUPS], n = 0, ndigits = 0, to = at;
    char separator = '\0';
    if (!is_clear_before(line, at))
        return false;
    while (n < CARD_GROUPS) {
        size_t len = count_digits(line, to, CARD_DIGITS + 1);
        if (len == 0 || ndigits + len > CARD_DIGITS)
            break;
        memcpy(digits + ndigits, line.ptr + to, len);
        ndigits += len;
        to += len;
        groups[n] = len;
        ends[n++] = to;
        char c = cw_at(line, to);
        if ((c != ' ' && c != '-') || (separator != '\0' && c != separator))
            break;
        separator = c;
        to++;
    }
    for (; n > 0; ndigits -= groups[--n]) {
        if (ndigits >= 13 && (n == 1 || is_card_shape(groups, n)) && is_issued(digits, ndigits) &&
            is_clear_after(line, ends[n - 1]) && cw_luhn_valid(digits, ndigits)) {
            *out = (struct cw_span){at, ends[n - 1]};
            return true;
        }
    }
    return false;
}

/* ---- IBAN ---- */

/* Countries and the lengths of their numbers (the registry of ISO 13616). */
static const char iban_lengths[][5] = {
    "AD24", "AE23", "AL28", "AT20", "AZ28", "BA20", "BE16", "BG22", "BH22", "BI27", "BR29",
    "BY28", "CH21", "CR22", "CY28", "CZ24", "DE22", "DJ27", "DK18", "DO28", "EE20", "EG29",
    "ES24", "FI18", "FK18", "FO18", "FR27", "GB22", "GE22", "GI23", "GL18", "GR27", "GT28",
    "HR21", "HU28", "IE22", "IL23", "IQ23", "IS26", "IT27", "JO30", "KW30", "KZ20", "LB28",
    "LC32", "LI21", "LT20", "LU20", "LV21", "LY25", "MC27", "MD24", "ME22", "MK19", "MN20",
    "MR27", "MT31", "MU30", "NI28", "NL18", "NO15", "OM23", "PK24", "PL28", "PS29", "PT25",
    "QA29", "RO24", "RS22", "RU33", "SA24", "SC31", "SD18", "SE24", "SI19", "SK24", "SM27",
    "SO23", "ST25", "SV28", "TL23", "TN24", "TR26", "UA29", "VA22", "VG24", "XK20", "YE30",
};

static size_t iban_length(const char *country)
{
    for (size_t i = 0; i < CW_COUNT(iban_lengths); i++) {
        if (memcmp(iban_lengths[i], country, 2) == 0)
            return (size_t)(iban_lengths[i][2] - '0') * 10 + (size_t)(iban_lengths[i][3] - '0');
    }
    return 0;
}

/* Is the number, its first four characters moved to the end and its letters as 10..35, 1 modulo 97? */
static bool is_mod97(const char *text, size_t len)
{
    unsigned rest = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[(i + 4) % len];
        rest = cw_is_digit(c) ? rest * 10 + (unsigned)(c - '0')
                              : rest * 100 + (unsigned)(c - 'A') + 10;
        rest %= 97;
    }
    return rest == 1;
}

bool cw_detect_iban(struct cw_str line, size_t at, struct cw_span *out)
{
    char text[40];
    if (line.len - at < 15 || cw_follows_word(line, at) || !cw_is_upper(line.ptr[at]) ||
        !cw_is_upper(line.ptr[at + 1]))
        return false;
    size_t want = iban_length(line.ptr + at), n = 0, to = at;
    bool spaced = cw_at(line, at + 4) == ' ';
    while (n < want) {
        char c = cw_at(line, to);
        if (spaced && n > 0 && n % 4 == 0) {
            if (c != ' ')
                return false;
            c = cw_at(line, ++to);
        }
        bool wants_digit = n == 2 || n == 3;
        if (!cw_is_digit(c) && (wants_digit || !cw_is_upper(c)))
            return false;
        text[n++] = c;
        to++;
    }
    *out = (struct cw_span){at, to};
    return want > 0 && !cw_is_alnum(cw_at(line, to)) && is_mod97(text, want);
}

/* ---- telephones ---- */

/* Digits of a number (E.164). Without a separator ten are a whole one: what follows them behind a space is another. */
enum { PHONE_MIN = 8, PHONE_MAX = 15, PHONE_WHOLE = 10 };

/* Does a separator at `at` join digits? */
static bool joins(struct cw_str line, size_t at)
{
    char c = cw_at(line, at), next = cw_at(line, at + 1);
    if (c == '(' || c == ')')
        return cw_is_digit(next) || next == ' ' || next == '-';
    return (c == ' ' || c == '-' || c == '.') && (cw_is_digit(next) || next == '(');
}

/* Whether a time of day is ahead of `at`, and a time zone there: 12:00:00.123 +1000. */
static bool is_time_zone(struct cw_str line, size_t at)
{
    enum { FRACTION = 9 };
    unsigned zone = 0;
    size_t from = at - 1;
    if (cw_before(line, at) != ' ' || count_digits(line, at + 1, 5) != 4)
        return false;
    for (size_t i = 1; i <= 4; i++)
        zone = zone * 10 + (unsigned)(line.ptr[at + i] - '0');
    while (at - 1 - from < FRACTION && cw_is_digit(cw_before(line, from)))
        from--;
    char point = cw_before(line, from);
    from = point == '.' || point == ',' ? from - 1 : at - 1;
    return zone <= 1400 && zone % 100 % 15 == 0 && from >= 5 && line.ptr[from - 3] == ':' &&
           count_digits(line, from - 2, 2) == 2 && count_digits(line, from - 5, 2) == 2;
}

/* Whether what ends at `to` and has so many dots is a decimal number, or the first part of one. */
static bool is_decimal(struct cw_str line, size_t to, size_t ndots)
{
    return ndots == 1 || (cw_at(line, to) == '.' && cw_is_digit(cw_at(line, to + 1)));
}

/* '+', which may be escaped in a URL, then 8 to 15 digits, single separators between: as many of them as may be one number, since
 * other numbers may follow it. With more than that behind it, it ends in a long group: small numbers in a row are none. */
static bool is_international(struct cw_str line, size_t at, struct cw_span *out)
{
    enum { LONG_GROUP = 4 };
    size_t ndigits = 0, ndots = 0, group = 0, end = 0, long_end = 0;
    char c = line.ptr[at];
    size_t begin = at + (c == '+' ? 1 : cw_escape_at(line, at, &c)), to = begin;
    if (c != '+' || cw_follows_word(line, at) || cw_before(line, at) == '+' ||
        cw_at(line, to) < '1' || cw_at(line, to) > '9' || is_time_zone(line, at))
        return false;
    for (; ndigits <= PHONE_MAX; to++) {
        if (!cw_is_digit(cw_at(line, to))) {
            if (!joins(line, to))
                break;
            ndots += line.ptr[to] == '.';
            group = 0;
            continue;
        }
        char next = cw_at(line, to + 1);
        ndigits++;
        group++;
        if (ndigits >= PHONE_MIN && ndigits <= PHONE_MAX && !cw_is_alnum(next) &&
            !is_decimal(line, to + 1, ndots)) {
            end = to + 1;
            long_end = group >= LONG_GROUP ? end : long_end;
        }
        if (ndigits >= PHONE_WHOLE && to + 1 - begin == ndigits && next == ' ')
            break;
    }
    if (ndigits > PHONE_MAX)
        end = long_end;
    *out = (struct cw_span){at, end};
    return end > 0 && !cw_str_starts(cw_str_sub(line, end, line.len), CW_STR(" +/-"));
}

/* North America: 212-555-0100, 212.555.0100, (212) 555-0100; with a 1 before. */
static bool is_american(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t from = at, to = at + 3;
    char separator = cw_at(line, to);
    if (count_digits(line, at, 4) != 3 || line.ptr[at] < '2')
        return false;
    if (separator == ')') {
        if (cw_before(line, at) != '(')
            return false;
        from--;
        to += cw_at(line, to + 1) == ' ' ? 2 : 1;
        separator = cw_at(line, to + 3);
    } else {
        to++;
    }
    if ((separator != '-' && separator != '.') || count_digits(line, to, 4) != 3 ||
        line.ptr[to] < '2' || cw_at(line, to + 3) != separator ||
        count_digits(line, to + 4, 5) != 4)
        return false;
    if (from >= 2 && line.ptr[from - 2] == '1' && line.ptr[from - 1] == separator)
        from -= 2;
    *out = (struct cw_span){from, to + 8};
    return is_clear_before(line, from) && is_clear_after(line, to + 8);
}

bool cw_detect_phone(struct cw_str line, size_t at, struct cw_span *out)
{
    char c = line.ptr[at];
    return cw_is_digit(c) ? is_american(line, at, out) : is_international(line, at, out);
}

/* ---- social security numbers of the United States: 078-05-1120 ---- */

bool cw_detect_ssn(struct cw_str line, size_t at, struct cw_span *out)
{
    struct cw_str area = cw_str_sub(line, at, at + 3);
    if (count_digits(line, at, 4) != 3 || cw_at(line, at + 3) != '-' ||
        count_digits(line, at + 4, 3) != 2 || cw_at(line, at + 6) != '-' ||
        count_digits(line, at + 7, 5) != 4)
        return false;
    if (area.ptr[0] == '9' || cw_str_eqz(area, "000") || cw_str_eqz(area, "666") ||
        memcmp(line.ptr + at + 4, "00", 2) == 0 || memcmp(line.ptr + at + 7, "0000", 4) == 0)
        return false;
    *out = (struct cw_span){at, at + 11};
    return is_clear_before(line, at) && is_clear_after(line, at + 11);
}
