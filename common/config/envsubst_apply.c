#include <stdint.h>
#include <string.h>

#include "common/base/limits.h"
#include "common/config/envsubst_priv.h"

#define PROBLEM_CASE "^ and , of ${...} change ASCII letters alone, and the value has others"
#define PROBLEM_LENGTH "${NAME:offset:length} with a length that its value has not"

/* ---- case, length, parts ---- */

static const char *put_case(struct cw_str value, bool upper, size_t nbytes, struct cw_buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i], first = upper ? 'a' : 'A';
        if (i < nbytes && (unsigned char)c >= 0x80)
            return PROBLEM_CASE;
        bool change = i < nbytes && c >= first && c < first + 26;
        cw_buf_addc(out, change ? (char)(c ^ 0x20) : c);
    }
    return NULL;
}

static const char *put_substring(struct cw_str value, const struct cw_str *args, size_t nargs,
                                 struct cw_buf *out)
{
    int64_t from, len = 0, size = (int64_t)value.len;
    /* What is no number leaves the value whole. */
    if (!cw_str_to_i64(args[0], &from) || (nargs == 2 && !cw_str_to_i64(args[1], &len))) {
        cw_buf_adds(out, value);
        return NULL;
    }
    if (from < 0)
        from = from < -size ? 0 : size + from;
    bool beyond = nargs == 1 || (len > 0 && from > INT64_MAX - len) || from + len >= size;
    if (beyond) {
        if (from < size)
            cw_buf_adds(out, cw_str_sub(value, (size_t)from, value.len));
        return NULL;
    }
    /* There envsubst panics. */
    if (len < 0 || from > size)
        return PROBLEM_LENGTH;
    cw_buf_adds(out, cw_str_sub(value, (size_t)from, (size_t)(from + len)));
    return NULL;
}

/* ---- old becomes new ---- */

/* Go's strings.Replace: an empty `old` stands before each rune and at the end. */
static void put_replaced(struct cw_str value, struct cw_str old, struct cw_str new, size_t nmax,
                         struct cw_buf *out)
{
    size_t ndone = 0;
    while (ndone < nmax && !cw_buf_failed(out)) {
        ptrdiff_t at = old.len > 0 ? cw_str_find(value, old) : 0;
        if (at < 0)
            break;
        uint32_t rune;
        size_t keep = old.len > 0 ? 0 : cw_utf8_decode(value, &rune);
        cw_buf_adds(out, cw_str_sub(value, 0, (size_t)at));
        cw_buf_adds(out, new);
        value = cw_str_sub(value, (size_t)at + old.len, value.len);
        cw_buf_adds(out, cw_str_sub(value, 0, keep));
        value = cw_str_sub(value, keep, value.len);
        ndone++;
        if (old.len == 0 && keep == 0)
            break;
    }
    cw_buf_adds(out, value);
}

static void put_replaced_suffix(struct cw_str value, struct cw_str old, struct cw_str new,
                                struct cw_buf *out)
{
    bool ends = cw_str_ends(value, old);
    cw_buf_adds(out, ends ? cw_str_sub(value, 0, value.len - old.len) : value);
    if (ends)
        cw_buf_adds(out, new);
}

/* ---- patterns: path.Match of Go's library, where * also takes '/' ---- */

enum match { MATCH_NO, MATCH_YES, MATCH_BAD };

static struct cw_str rest_of(struct cw_str s, size_t from)
{
    return cw_str_sub(s, from, s.len);
}

/* A character of a [class]; it may not be the last of the pattern. */
static bool take_class_char(struct cw_str *pattern, uint32_t *rune)
{
    if (pattern->len == 0 || pattern->ptr[0] == '-' || pattern->ptr[0] == ']')
        return false;
    if (pattern->ptr[0] == '\\')
        *pattern = rest_of(*pattern, 1);
    size_t len = cw_utf8_decode(*pattern, rune);
    if (len == 0 || (*rune == 0xFFFD && len == 1))
        return false;
    *pattern = rest_of(*pattern, len);
    return pattern->len > 0;
}

/* Behind the '['; *pattern is moved behind its ']'. */
static enum match match_class(struct cw_str *pattern, uint32_t rune)
{
    bool negated = cw_str_starts(*pattern, CW_STR("^")), found = false;
    *pattern = rest_of(*pattern, negated);
    for (size_t n = 0; n == 0 || !cw_str_starts(*pattern, CW_STR("]")); n++) {
        uint32_t lo, hi;
        if (!take_class_char(pattern, &lo))
            return MATCH_BAD;
        hi = lo;
        if (pattern->ptr[0] == '-') {
            *pattern = rest_of(*pattern, 1);
            if (!take_class_char(pattern, &hi))
                return MATCH_BAD;
        }
        found |= lo <= rune && rune <= hi;
    }
    *pattern = rest_of(*pattern, 1);
    return found != negated ? MATCH_YES : MATCH_NO;
}

/* A chunk, which has no '*', at the front of *s, from which it is taken. */
static enum match match_chunk(struct cw_str chunk, struct cw_str *s)
{
    while (chunk.len > 0) {
        uint32_t rune;
        if (s->len == 0)
            return MATCH_NO;
        size_t len = cw_utf8_decode(*s, &rune);
        char c = chunk.ptr[0];
        chunk = rest_of(chunk, 1);
        if (c == '[') {
            enum match in_class = match_class(&chunk, rune);
            if (in_class != MATCH_YES)
                return in_class;
        } else if (c != '?') {
            if (c == '\\' && chunk.len == 0)
                return MATCH_BAD;
            if (c == '\\') {
                c = chunk.ptr[0];
                chunk = rest_of(chunk, 1);
            }
            if (c != s->ptr[0])
                return MATCH_NO;
            len = 1;
        }
        *s = rest_of(*s, len);
    }
    return MATCH_YES;
}

/* Takes "*", if any, and what follows up to the next "*" off the front of *pattern. */
static struct cw_str take_chunk(struct cw_str *pattern, bool *star)
{
    bool in_class = false;
    size_t i = 0;
    for (*star = false; cw_str_starts(*pattern, CW_STR("*")); *star = true)
        *pattern = rest_of(*pattern, 1);
    for (; i < pattern->len && (in_class || pattern->ptr[i] != '*'); i++) {
        char c = pattern->ptr[i];
        if (c == '\\' && i + 1 < pattern->len)
            i++;
        else if (c == '[' || c == ']')
            in_class = c == '[';
    }
    struct cw_str chunk = cw_str_sub(*pattern, 0, i);
    *pattern = rest_of(*pattern, i);
    return chunk;
}

static enum match match_whole(struct cw_str pattern, struct cw_str s)
{
    while (pattern.len > 0) {
        bool star;
        struct cw_str chunk = take_chunk(&pattern, &star);
        if (star && chunk.len == 0)
            return MATCH_YES;
        enum match found = MATCH_NO;
        struct cw_str rest = s;
        /* The last chunk is to end where `s` ends. */
        for (size_t skip = 0; skip <= (star ? s.len : 0) && found != MATCH_YES; skip++) {
            rest = rest_of(s, skip);
            found = match_chunk(chunk, &rest);
            if (found == MATCH_YES && pattern.len == 0 && rest.len > 0)
                found = MATCH_NO;
            if (found == MATCH_BAD)
                return MATCH_BAD;
        }
        if (found == MATCH_NO)
            return MATCH_NO;
        s = rest;
    }
    return s.len == 0 ? MATCH_YES : MATCH_NO;
}

/* How many bytes at the front match; 0 too when the pattern is a bad one. The empty front is not tried. */
static size_t front_bytes(struct cw_str value, struct cw_str pattern, bool longest)
{
    size_t found = 0;
    for (size_t len = value.len; len > 0; len--) {
        enum match m = match_whole(pattern, cw_str_sub(value, 0, len));
        if (m == MATCH_BAD)
            return 0;
        if (m == MATCH_YES)
            found = len;
        if (m == MATCH_YES && longest)
            break;
    }
    return found;
}

/* Runes from the last to the first; invalid bytes become U+FFFD, as in Go. */
static void put_reversed(struct cw_str s, struct cw_buf *out)
{
    size_t len = 0, used;
    uint32_t rune;
    char bytes[4];
    for (struct cw_str rest = s; (used = cw_utf8_decode(rest, &rune)) > 0;
         rest = rest_of(rest, used))
        len += cw_utf8_encode(rune, bytes);
    char *end = cw_buf_reserve(out, len);
    if (end == NULL)
        return;
    end += len;
    for (struct cw_str rest = s; (used = cw_utf8_decode(rest, &rune)) > 0;
         rest = rest_of(rest, used)) {
        size_t n = cw_utf8_encode(rune, bytes);
        end -= n;
        memcpy(end, bytes, n);
    }
    out->len += len;
}

static void put_trimmed(enum cw_envsubst_op op, struct cw_str value, struct cw_str pattern,
                        struct cw_buf *out)
{
    bool longest = op == CW_ENVSUBST_TRIM_PREFIX_LONGEST || op == CW_ENVSUBST_TRIM_SUFFIX_LONGEST;
    if (op == CW_ENVSUBST_TRIM_PREFIX || op == CW_ENVSUBST_TRIM_PREFIX_LONGEST) {
        cw_buf_adds(out, rest_of(value, front_bytes(value, pattern, longest)));
        return;
    }
    struct cw_buf turned[2];
    for (size_t i = 0; i < 2; i++)
        cw_buf_init(&turned[i], 6 * CW_LIMIT_CONFIG_BYTES); /* U+FFFD is longer than a bad byte */
    put_reversed(value, &turned[0]);
    put_reversed(pattern, &turned[1]);
    value = cw_buf_str(&turned[0]);
    put_reversed(rest_of(value, front_bytes(value, cw_buf_str(&turned[1]), longest)), out);
    for (size_t i = 0; i < 2; i++)
        cw_buf_fini(&turned[i]);
}

/* ---- all ---- */

const char *cw_envsubst_apply(enum cw_envsubst_op op, struct cw_str value,
                              const struct cw_str *args, size_t nargs, struct cw_buf *out)
{
    struct cw_str new = nargs == 2 ? args[1] : CW_STR("");
    switch (op) {
    case CW_ENVSUBST_DEFAULT: cw_buf_adds(out, value.len > 0 ? value : args[0]); break;
    case CW_ENVSUBST_LENGTH: cw_buf_addf(out, "%zu", value.len); break;
    case CW_ENVSUBST_SUBSTRING: return put_substring(value, args, nargs, out);
    case CW_ENVSUBST_UPPER: return put_case(value, true, SIZE_MAX, out);
    case CW_ENVSUBST_UPPER_FIRST: return put_case(value, true, 1, out);
    case CW_ENVSUBST_LOWER: return put_case(value, false, SIZE_MAX, out);
    case CW_ENVSUBST_LOWER_FIRST: return put_case(value, false, 1, out);
    case CW_ENVSUBST_TRIM_PREFIX:
    case CW_ENVSUBST_TRIM_PREFIX_LONGEST:
    case CW_ENVSUBST_TRIM_SUFFIX:
    case CW_ENVSUBST_TRIM_SUFFIX_LONGEST: put_trimmed(op, value, args[0], out); break;
    case CW_ENVSUBST_REPLACE: put_replaced(value, args[0], new, 1, out); break;
    case CW_ENVSUBST_REPLACE_ALL: put_replaced(value, args[0], new, SIZE_MAX, out); break;
    /* Without a text in place of the old one these change nothing. */
    case CW_ENVSUBST_REPLACE_PREFIX:
        put_replaced(value, args[0], new, nargs == 2 && cw_str_starts(value, args[0]), out);
        break;
    case CW_ENVSUBST_REPLACE_SUFFIX:
        if (nargs == 2)
            put_replaced_suffix(value, args[0], new, out);
        else
            cw_buf_adds(out, value);
        break;
    }
    return NULL;
}
