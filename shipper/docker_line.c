#include "shipper/docker_line.h"
#include "common/base/clock.h"

/* Docker nests nothing deeper than attrs: {"label": "value"}. */
enum { DOCKER_DEPTH_MAX = 8 };
/* A stream's name or a time, with its quotes. */
enum { DOCKER_SMALL_BYTES = 64 };

struct scan {
    const char *at, *end;
};

static void space_skip(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r'))
        scan->at++;
}

static bool byte_take(struct scan *scan, char byte)
{
    space_skip(scan);
    if (scan->at == scan->end || *scan->at != byte)
        return false;
    scan->at++;
    return true;
}

static bool hex4_take(struct scan *scan, uint32_t *out)
{
    if (scan->end - scan->at < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = cw_str_hex_digit(*scan->at++);
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *out = value;
    return true;
}

/* The part of an escape behind "\u"; a lone half of a surrogate pair becomes U+FFFD. */
static bool rune_take(struct scan *scan, uint32_t *out)
{
    uint32_t rune, low;
    if (!hex4_take(scan, &rune))
        return false;
    if (rune >= 0xd800 && rune < 0xdc00 && scan->end - scan->at >= 6 && scan->at[0] == '\\' &&
        scan->at[1] == 'u') {
        struct scan ahead = {scan->at + 2, scan->end};
        if (!hex4_take(&ahead, &low))
            return false;
        if (low >= 0xdc00 && low < 0xe000) {
            *scan = ahead;
            rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    *out = rune >= 0xd800 && rune < 0xe000 ? 0xfffd : rune;
    return true;
}

/* A string into `out` (NULL: skip it). No escape is shorter than what it stands for. */
static bool string_take(struct scan *scan, char *out, size_t *len_out)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    size_t len = 0;
    if (!byte_take(scan, '"'))
        return false;
    while (scan->at < scan->end && *scan->at != '"') {
        const char *plain = scan->at;
        while (scan->at < scan->end && *scan->at != '"' && *scan->at != '\\')
            scan->at++;
        if (out != NULL)
            memcpy(out + len, plain, (size_t)(scan->at - plain));
        len += (size_t)(scan->at - plain);
        if (scan->at == scan->end || *scan->at == '"')
            continue;
        if (++scan->at == scan->end)
            return false;
        char c = *scan->at++, bytes[4];
        size_t n = 1;
        uint32_t rune;
        const char *known = c == '\0' ? NULL : strchr(escapes, c);
        if (known != NULL)
            bytes[0] = meant[known - escapes];
        else if (c == 'u' && rune_take(scan, &rune))
            n = cw_utf8_encode(rune, bytes);
        else
            return false;
        if (out != NULL)
            memcpy(out + len, bytes, n);
        len += n;
    }
    *len_out = len;
    return byte_take(scan, '"');
}

static bool value_skip(struct scan *scan, unsigned depth)
{
    size_t ignored;
    space_skip(scan);
    if (scan->at == scan->end || depth == DOCKER_DEPTH_MAX)
        return false;
    char open = *scan->at;
    if (open == '"')
        return string_take(scan, NULL, &ignored);
    if (open != '{' && open != '[') {
        const char *from = scan->at;
        while (scan->at < scan->end && strchr(",}] \t", *scan->at) == NULL)
            scan->at++;
        return scan->at > from;
    }
    char close = open == '{' ? '}' : ']';
    scan->at++;
    if (byte_take(scan, close))
        return true;
    do {
        if (open == '{' && (!string_take(scan, NULL, &ignored) || !byte_take(scan, ':')))
            return false;
        if (!value_skip(scan, depth + 1))
            return false;
    } while (byte_take(scan, ','));
    return byte_take(scan, close);
}

enum { HAVE_LOG = 1, HAVE_STREAM = 2, HAVE_TIME = 4, HAVE_ALL = 7 };

/* One "key": value; sets the bit of the key in *have. */
static bool member_take(struct scan *scan, char *text, struct cw_docker_line *out, unsigned *have)
{
    const char *key_at = (space_skip(scan), scan->at);
    size_t len;
    if (!string_take(scan, NULL, &len))
        return false;
    struct cw_str key = cw_str_make(key_at, (size_t)(scan->at - key_at));
    if (!byte_take(scan, ':'))
        return false;
    if (cw_str_eqz(key, "\"log\"")) {
        *have |= HAVE_LOG;
        if (!string_take(scan, text, &len))
            return false;
        out->text = cw_str_make(text, len);
        return true;
    }
    bool is_stream = cw_str_eqz(key, "\"stream\""), is_time = cw_str_eqz(key, "\"time\"");
    if (!is_stream && !is_time)
        return value_skip(scan, 0);
    const char *from = (space_skip(scan), scan->at);
    if (!string_take(scan, NULL, &len) || (size_t)(scan->at - from) < 2 ||
        (size_t)(scan->at - from) > DOCKER_SMALL_BYTES)
        return false;
    struct cw_str value =
        cw_str_make(from + 1, (size_t)(scan->at - from) - 2); /* neither is ever escaped */
    if (is_time) {
        *have |= HAVE_TIME;
        return cw_time_parse_rfc3339(value, &out->ts_ns);
    }
    *have |= HAVE_STREAM;
    out->stream = cw_str_eqz(value, "stderr") ? CW_DOCKER_STDERR : CW_DOCKER_STDOUT;
    return true;
}

int cw_docker_line_decode(struct cw_str line, char *text, struct cw_docker_line *out,
                          struct cw_err *err)
{
    struct scan scan = {line.ptr, line.ptr + line.len};
    struct cw_docker_line decoded = {0};
    unsigned have = 0;
    bool ok = byte_take(&scan, '{');
    do
        ok = ok && member_take(&scan, text, &decoded, &have);
    while (ok && byte_take(&scan, ','));
    ok = ok && byte_take(&scan, '}');
    space_skip(&scan);
    if (!ok || scan.at != scan.end || have != HAVE_ALL)
        return cw_err_set(err, CW_E_INVALID, "not a line of Docker's json-file log");
    decoded.partial = decoded.text.len == 0 || decoded.text.ptr[decoded.text.len - 1] != '\n';
    if (!decoded.partial)
        decoded.text = cw_docker_line_trim(cw_str_sub(decoded.text, 0, decoded.text.len - 1));
    *out = decoded;
    return 0;
}
