/* IP addresses. */
#include "common/base/assert.h"
#include "common/pipeline/redact_priv.h"

/* A number from 0 to 255 without zeros in front; its length, 0: it is none. */
static size_t octet(struct cw_str line, size_t at)
{
    unsigned value = 0;
    size_t n = 0;
    for (; n < 4 && cw_is_digit(cw_at(line, at + n)); n++)
        value = value * 10 + (unsigned)(line.ptr[at + n] - '0');
    return n == 0 || n > 3 || value > 255 || (n > 1 && line.ptr[at] == '0') ? 0 : n;
}

/* ---- versions, which look the same ---- */

/* Between a name and its value. */
#define GAP_BYTES " =:/\"'\\-"

static bool is_letter(char c)
{
    return cw_is_alnum(c) && !cw_is_digit(c);
}

/* Whether "version", which begins at `at`, is a name's word: not the end of another one (conversion), nor a path's, behind which a
 * client's address may stand. */
static bool is_version_word(struct cw_str line, size_t at)
{
    enum { NAME_BYTES = 32 };
    size_t from = at, escape;
    char before = cw_before(line, at);
    bool inner = line.ptr[at] == 'V' && is_letter(before) && !cw_is_upper(before); /* fileVersion */
    if (cw_follows_word(line, at) && !inner)
        return false;
    while ((escape = cw_escape_before(line, from)) == 0 && at - from < NAME_BYTES &&
           (cw_is_alnum(before = cw_before(line, from)) || before == '_' || before == '-'))
        from--;
    if (escape > 0)
        cw_escape_at(line, from - escape, &before);
    return before != '/';
}

/* "version" in any case ahead of `at`, and more of what may stand between a name and its value. */
static bool is_named_version(struct cw_str line, size_t at)
{
    enum { GAP = 8 };
    size_t to = at;
    while (to > 0 && at - to < GAP && strchr(GAP_BYTES, line.ptr[to - 1]) != NULL)
        to--;
    return to >= 7 && cw_str_eq_nocase(cw_str_sub(line, to - 7, to), CW_STR("version")) &&
           is_version_word(line, to - 7);
}

/* A browser's: Chrome/99.0.1.2. Others of that form (Edg/120.0.0.0) end in three zeros, as no host's address does; the name has an
 * upper-case letter and follows a space, a quote or a parenthesis. A name with an address behind the slash is a host's in Java. */
static bool is_product_version(struct cw_str line, size_t at, struct cw_str number)
{
    static const char *const browsers[] = {
        "Chrome",    "Chromium",       "HeadlessChrome", "CriOS",
        "Edg",       "EdgA",           "EdgiOS",         "OPR",
        "Vivaldi",   "Whale",          "YaBrowser",      "UCBrowser",
        "QQBrowser", "MicroMessenger", "Firefox",        NULL};
    enum { NAME_BYTES = 32 };
    size_t from = at;
    while (from > 0 && at - from < NAME_BYTES && is_letter(line.ptr[from - 1]))
        from--;
    struct cw_str name = cw_str_sub(line, from, at);
    if (!cw_is_upper(cw_at(name, 0)) || (from > 0 && strchr(" \"'(+", line.ptr[from - 1]) == NULL &&
                                         cw_escape_before(line, from) == 0))
        return false;
    return cw_str_ends(number, CW_STR(".0.0.0")) || cw_is_among(name, browsers);
}

/* openssl-1.1.1.1: four digits. As an address it would be one of 10,000, none of them of a private network; behind a name of what has
 * addresses it is one. */
static bool is_package_version(struct cw_str line, size_t at, struct cw_str number)
{
    static const char *const hosts[] = {"dns",    "host",   "node",     "peer",
                                        "server", "client", "resolver", NULL};
    enum { LETTERS = 3, NAME_BYTES = 32 }; /* at least; "ip" is shorter */
    size_t n = 0;
    while (n < NAME_BYTES && at > n && is_letter(line.ptr[at - n - 1]))
        n++;
    for (const char *const *host = hosts; *host != NULL; host++) {
        if (cw_str_eq_nocase(cw_str_sub(line, at - n, at), cw_str_of(*host)))
            return false;
    }
    return n >= LETTERS && number.len == 7;
}

/* Whether four numbers with dots between are the version of something. Where that is in doubt they are an address: with a port or
 * a prefix behind them they are no version. */
static bool is_version(struct cw_str line, struct cw_span span)
{
    char before = cw_before(line, span.from), after = cw_at(line, span.to);
    struct cw_str number = cw_str_sub(line, span.from, span.to);
    if (before == '\0' || ((after == ':' || after == '/') && cw_is_digit(cw_at(line, span.to + 1))))
        return false;
    size_t escape = cw_escape_before(line, span.from), name = span.from - CW_MAX(escape, 1);
    if (escape > 0)
        cw_escape_at(line, name, &before);
    return (before == '/' && is_product_version(line, name, number)) ||
           (before == '-' && is_package_version(line, name, number)) ||
           (strchr(GAP_BYTES, before) != NULL && is_named_version(line, name));
}

/* ---- addresses ---- */

/* Behind four numbers with dots between; 0: there are none. */
static size_t numbers_end(struct cw_str line, size_t from)
{
    size_t to = from;
    for (int i = 0; i < 4; i++) {
        size_t n = octet(line, to);
        if (n == 0 || (i < 3 && cw_at(line, to + n) != '.'))
            return 0;
        to += n + (i < 3);
    }
    return to;
}

bool cw_detect_ipv4(struct cw_str line, size_t at, struct cw_span *out)
{
    enum { OCTET = 3, ESCAPE = 2 }; /* digits: those of an escape may stand before ("%20") */
    size_t from = at;
    if (line.ptr[at] != '.')
        return false;
    while (from > 0 && at - from <= OCTET + ESCAPE && cw_is_digit(line.ptr[from - 1]))
        from--;
    size_t to = numbers_end(line, from);
    if (to == 0 && at - from > ESCAPE && cw_before(line, from) == '%') {
        from += ESCAPE;
        to = numbers_end(line, from);
    }
    char before = cw_before(line, from), after = cw_at(line, to);
    if (to == 0 || cw_follows_word(line, from) || before == '.' || before == '_')
        return false;
    *out = (struct cw_span){from, to};
    return !cw_is_alnum(after) && after != '_' &&
           (after != '.' || !cw_is_digit(cw_at(line, to + 1))) && !is_version(line, *out);
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
    if (to - from > IPV6_BYTES || cw_follows_word(line, from) || before == '_' || before == '.' ||
        cw_is_alnum(after) || after == '_')
        return false;
    struct cw_span mixed = *out;
    if (after != '.' || !ends_in_ipv4(line, &mixed))
        return is_ipv6(cw_str_sub(line, from, to));
    *out = mixed;
    return true;
}
