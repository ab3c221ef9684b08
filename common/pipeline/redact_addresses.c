/* E-mail and IP addresses. */
#include "common/pipeline/redact_priv.h"

enum { EMAIL_LOCAL = 64, EMAIL_DOMAIN = 253 }; /* RFC 5321 */

static bool is_local(char c)
{
    return cw_is_alnum(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '%';
}

/* The first byte of a rune of two in UTF-8 from U+00C0 on: letters of scripts that put spaces between words (RFC 6531 allows them).
 * Runes of three bytes are not taken: with Chinese or Japanese text an address may be in the midst of a sentence. */
static bool is_letter_lead(char c)
{
    return (unsigned char)c >= 0xc3 && (unsigned char)c <= 0xdf;
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* How many bytes a letter beyond ASCII has there, or ahead of there; 0: there is none. */
static size_t letter_at(struct cw_str line, size_t at)
{
    return is_letter_lead(cw_at(line, at)) && is_continuation(cw_at(line, at + 1)) ? 2 : 0;
}

static size_t letter_before(struct cw_str line, size_t at)
{
    return at >= 2 ? letter_at(line, at - 2) : 0;
}

/* Behind the last label that can be a top one: letters, two or more, and not the first label. 0: there is none. */
static size_t domain_end(struct cw_str line, size_t at)
{
    size_t end = 0, label = at;
    bool letters = true;
    for (size_t to = at; to - at <= EMAIL_DOMAIN; to++) {
        char c = cw_at(line, to);
        if (letter_at(line, to) > 0) {
            to++;
            continue;
        }
        if (cw_is_alnum(c) || (c == '-' && to > label)) {
            letters &= c != '-' && !cw_is_digit(c);
            continue;
        }
        if (letters && to - label >= 2 && label > at)
            end = to;
        if (c != '.' || to == label)
            break;
        label = to + 1;
        letters = true;
    }
    return end;
}

bool cw_detect_email(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t from = at;
    if (line.ptr[at] != '@')
        return false;
    while (from > 0 && at - from < EMAIL_LOCAL) {
        size_t n = is_local(line.ptr[from - 1]) ? 1 : letter_before(line, from);
        if (n == 0)
            break;
        from -= n;
    }
    while (from < at && !cw_is_alnum(line.ptr[from]) && line.ptr[from] != '_' &&
           letter_at(line, from) == 0)
        from++;
    *out = (struct cw_span){from, from < at ? domain_end(line, at + 1) : 0};
    return out->to > 0;
}

/* A number from 0 to 255 without zeros in front; its length, 0: it is none. */
static size_t octet(struct cw_str line, size_t at)
{
    unsigned value = 0;
    size_t n = 0;
    for (; n < 4 && cw_is_digit(cw_at(line, at + n)); n++)
        value = value * 10 + (unsigned)(line.ptr[at + n] - '0');
    return n == 0 || n > 3 || value > 255 || (n > 1 && line.ptr[at] == '0') ? 0 : n;
}

bool cw_detect_ipv4(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t from = at;
    if (line.ptr[at] != '.')
        return false;
    while (from > 0 && at - from < 4 && cw_is_digit(line.ptr[from - 1]))
        from--;
    char before = cw_before(line, from);
    if (cw_is_alnum(before) || before == '.' || before == '_')
        return false;
    size_t to = from;
    for (int i = 0; i < 4; i++) {
        size_t n = octet(line, to);
        if (n == 0 || (i < 3 && cw_at(line, to + n) != '.'))
            return false;
        to += n + (i < 3);
    }
    char after = cw_at(line, to);
    *out = (struct cw_span){from, to};
    return !cw_is_alnum(after) && after != '_' &&
           (after != '.' || !cw_is_digit(cw_at(line, to + 1)));
}

enum { IPV6_BYTES = 39 };

/* Groups of up to four hexadecimal digits: eight, or fewer around one "::". Short ones without a decimal digit are names (a::b). */
static bool is_ipv6(struct cw_str text)
{
    size_t ngroups = 0, ndigits = 0, in_group = 0;
    bool gap = false, decimal = false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != ':') {
            if (in_group == 4)
                return false;
            ngroups += in_group++ == 0;
            ndigits++;
            decimal |= cw_is_digit(text.ptr[i]);
            continue;
        }
        bool pair = i + 1 < text.len && text.ptr[i + 1] == ':';
        if ((in_group == 0 && !pair) || (pair && gap) || (i + 1 == text.len))
            return false;
        gap |= pair;
        i += pair;
        in_group = 0;
    }
    return decimal && ndigits >= 4 && (gap ? ngroups >= 2 && ngroups < 8 : ngroups == 8);
}

/* The last two groups may be written as an IPv4 address (::ffff:10.0.0.1): what is hexadecimal ends at `to`, at its first dot. */
static bool ends_in_ipv4(struct cw_str line, struct cw_span *span)
{
    static const char two_groups[] = "0:0";
    char text[IPV6_BYTES + sizeof two_groups];
    struct cw_span last;
    if (!cw_detect_ipv4(line, span->to, &last) || last.from <= span->from ||
        line.ptr[last.from - 1] != ':')
        return false;
    size_t len = last.from - span->from;
    memcpy(text, line.ptr + span->from, len);
    memcpy(text + len, two_groups, sizeof two_groups - 1);
    span->to = last.to;
    return is_ipv6(cw_str_make(text, len + sizeof two_groups - 1));
}

bool cw_detect_ipv6(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t from = at, to = at;
    if (line.ptr[at] != ':')
        return false;
    while (from > 0 && at - from <= IPV6_BYTES &&
           (cw_str_hex_digit(line.ptr[from - 1]) >= 0 || line.ptr[from - 1] == ':'))
        from--;
    while (to < line.len && to - from <= IPV6_BYTES &&
           (cw_str_hex_digit(line.ptr[to]) >= 0 || line.ptr[to] == ':'))
        to++;
    /* A colon behind it is the sentence's. */
    if (to - from > 2 && line.ptr[to - 1] == ':' && line.ptr[to - 2] != ':')
        to--;
    char before = cw_before(line, from), after = cw_at(line, to);
    *out = (struct cw_span){from, to};
    if (to - from > IPV6_BYTES || cw_is_alnum(before) || before == '_' || before == '.' ||
        cw_is_alnum(after) || after == '_')
        return false;
    struct cw_span mixed = *out;
    if (after != '.' || !ends_in_ipv4(line, &mixed))
        return is_ipv6(cw_str_sub(line, from, to));
    *out = mixed;
    return true;
}
