/* E-mail addresses. */
#include "common/base/assert.h"
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

/* The last label of a domain. */
static struct cw_str top_of(struct cw_str domain)
{
    size_t from = domain.len;
    while (domain.ptr[from - 1] != '.')
        from--;
    return cw_str_sub(domain, from, domain.len);
}

/* user@1000.service: an instance of a unit of systemd. */
static bool is_unit(struct cw_str domain)
{
    static const char *const types[] = {"service",   "socket", "slice",  "scope",  "timer", "mount",
                                        "automount", "swap",   "target", "device", "path",  NULL};
    return cw_is_among(top_of(domain), types);
}

static bool has_upper(struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (cw_is_upper(text.ptr[i]))
            return true;
    }
    return false;
}

/* HikariPool@6d06d69c.getConnection: an object's class and hash in Java, and a member. */
static bool is_object(struct cw_str local, struct cw_str domain)
{
    enum { MIN = 6, MAX = 8 };
    struct cw_str top = top_of(domain);
    size_t n = domain.len - top.len - 1;
    bool digit = false;
    for (size_t i = 0; i < n; i++) {
        if (cw_str_hex_digit(domain.ptr[i]) < 0 || cw_is_upper(domain.ptr[i]))
            return false;
        digit |= cw_is_digit(domain.ptr[i]);
    }
    return n >= MIN && n <= MAX && digit &&
           (has_upper(local) || (!cw_is_upper(top.ptr[0]) && has_upper(top)));
}

/* image@2x.png, pkg@1.0.0.tgz: digits, and a file's name that ends as no domain does behind a number. */
static bool is_file(struct cw_str domain)
{
    static const char *const endings[] = {
        "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico",  "tgz", "gz",
        "xz",  "zst", "zip",  "tar", "jar", "war",  "whl",  "gem",  "rpm", "deb",
        "js",  "mjs", "cjs",  "ts",  "css", "map",  "json", "html", NULL};
    size_t first = 0;
    while (cw_is_digit(cw_at(domain, first)))
        first++;
    if (first > 0 && cw_at(domain, first) == 'x')
        first++;
    if (first == 0 || cw_at(domain, first) != '.')
        return false;
    return cw_is_among(top_of(domain), endings);
}

/* How long the '@' there is; in a URL it is escaped. 0: there is none. */
static size_t sign_at(struct cw_str line, size_t at)
{
    char c = line.ptr[at];
    size_t n = c == '@' ? 1 : cw_escape_at(line, at, &c);
    return c == '@' ? n : 0;
}

/* Letters and digits of an escape of JSON ("\n", "\u003c") whose backslash is ahead of `from`, and behind which something stands. */
static size_t escape_letters(struct cw_str line, size_t from, size_t to)
{
    enum { UNICODE = 5 };
    size_t n = 0;
    if (cw_before(line, from) != '\\' || (from > 1 && line.ptr[from - 2] == '\\'))
        return 0;
    if (line.ptr[from] == 'u')
        for (n = 1; n < UNICODE && cw_str_hex_digit(cw_at(line, from + n)) >= 0;)
            n++;
    else if (strchr("nrt", line.ptr[from]) != NULL)
        return to - from > 1;
    return n == UNICODE && to - from > n ? n : 0;
}

/* Where the local part ahead of `at` begins. If the sign is escaped, so are others: one that stands for something else than a
 * byte of the local part ("%3D") ends it. */
static size_t local_begin(struct cw_str line, size_t at, bool escaped)
{
    size_t from = at;
    while (from > 0 && at - from < EMAIL_LOCAL) {
        size_t n = is_local(line.ptr[from - 1]) ? 1 : letter_before(line, from);
        if (n == 0)
            break;
        from -= n;
        char byte;
        size_t escape = escaped ? cw_escape_at(line, from, &byte) : 0;
        if (escape > 0 && !is_local(byte) && (unsigned char)byte < 0x80) {
            from = CW_MIN(from + escape, at);
            break;
        }
    }
    while (from < at && !cw_is_alnum(line.ptr[from]) && line.ptr[from] != '_' &&
           letter_at(line, from) == 0)
        from++;
    return from + escape_letters(line, from, at);
}

bool cw_detect_email(struct cw_str line, size_t at, struct cw_span *out)
{
    size_t sign = sign_at(line, at);
    if (sign == 0)
        return false;
    size_t from = local_begin(line, at, sign > 1), to = 0;
    if (from < at)
        to = domain_end(line, at + sign);
    if (to == 0)
        return false;
    struct cw_str local = cw_str_sub(line, from, at), domain = cw_str_sub(line, at + sign, to);
    *out = (struct cw_span){from, to};
    return !is_file(domain) && !is_unit(domain) && (sign > 1 || !is_object(local, domain));
}
