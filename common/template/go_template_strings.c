/* Functions of templates on texts: Go's package strings and what Loki adds. */
#include "common/template/go_template_strings.h"

#include "common/base/assert.h"
#include "common/base/base64.h"
#include "common/match/regex_expand.h"
#include "common/match/regex_unicode.h"
#include "common/template/go_case.h"

static int give(struct cw_go_value *out, struct cw_str text)
{
    *out = cw_go_string(text);
    return 0;
}

/* Room for `n` bytes, or the limit's error. */
static int reserve(struct cw_go_template_run *run, uint64_t n)
{
    return n <= CW_LIMIT_TEMPLATE_OUTPUT_BYTES
               ? 0
               : cw_gt_fail_limit(run, "the template makes more text than it may");
}

static size_t rune_at(struct cw_str s, size_t at, uint32_t *rune)
{
    return cw_utf8_decode(cw_str_sub(s, at, s.len), rune);
}

static size_t count_runes(struct cw_str s)
{
    size_t n = 0;
    uint32_t rune;
    for (size_t at = 0; at < s.len; n++)
        at += rune_at(s, at, &rune);
    return n;
}

/* ---- case ---- */

static int change_case(struct cw_go_template_run *run, struct cw_str s, enum cw_go_case to,
                       struct cw_go_value *out)
{
    cw_buf_clear(&run->tmp);
    cw_go_text_to(s, to, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(lower)
{
    return change_case(run, args[0].text, CW_GO_LOWER, out);
}

CW_GT_FN(upper)
{
    return change_case(run, args[0].text, CW_GO_UPPER, out);
}

CW_GT_FN(title)
{
    return change_case(run, args[0].text, CW_GO_TITLE, out);
}

/* ---- trimming ---- */

static bool in_set(struct cw_str set, uint32_t rune)
{
    uint32_t other;
    for (size_t at = 0; at < set.len;) {
        at += rune_at(set, at, &other);
        if (other == rune)
            return true;
    }
    return false;
}

/* The last rune of a text that is not empty; its length. */
static size_t last_rune(struct cw_str s, uint32_t *rune)
{
    size_t at = s.len - 1;
    while (at > 0 && s.len - at < 4 && ((unsigned char)s.ptr[at] & 0xC0) == 0x80)
        at--;
    size_t n = rune_at(s, at, rune);
    if (at + n == s.len)
        return n;
    return rune_at(s, s.len - 1, rune); /* invalid: the last byte alone */
}

enum { TRIM_LEFT = 1, TRIM_RIGHT = 2, TRIM_BOTH = 3 };

static struct cw_str trim_set(struct cw_str s, struct cw_str set, int ends)
{
    uint32_t rune;
    while ((ends & TRIM_LEFT) && s.len > 0) {
        size_t n = rune_at(s, 0, &rune);
        if (!in_set(set, rune))
            break;
        s = cw_str_sub(s, n, s.len);
    }
    while ((ends & TRIM_RIGHT) && s.len > 0) {
        size_t n = last_rune(s, &rune);
        if (!in_set(set, rune))
            break;
        s = cw_str_sub(s, 0, s.len - n);
    }
    return s;
}

/* unicode.IsSpace's runes */
static const char spaces[] =
    "\t\n\v\f\r \xC2\x85\xC2\xA0\xE1\x9A\x80\xE2\x80\x80\xE2\x80\x81\xE2\x80\x82\xE2\x80\x83"
    "\xE2\x80\x84\xE2\x80\x85\xE2\x80\x86\xE2\x80\x87\xE2\x80\x88\xE2\x80\x89\xE2\x80\x8A"
    "\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAF\xE2\x81\x9F\xE3\x80\x80";

CW_GT_FN(trim_space)
{
    return give(out, trim_set(args[0].text, cw_str_of(spaces), TRIM_BOTH));
}

CW_GT_FN(trim_left)
{
    return give(out, trim_set(args[0].text, args[1].text, TRIM_LEFT));
}

CW_GT_FN(trim_right)
{
    return give(out, trim_set(args[0].text, args[1].text, TRIM_RIGHT));
}

CW_GT_FN(trim_both)
{
    return give(out, trim_set(args[0].text, args[1].text, TRIM_BOTH));
}

CW_GT_FN(trim_all)
{
    return give(out, trim_set(args[1].text, args[0].text, TRIM_BOTH));
}

static struct cw_str without_prefix(struct cw_str s, struct cw_str prefix)
{
    return cw_str_starts(s, prefix) ? cw_str_sub(s, prefix.len, s.len) : s;
}

static struct cw_str without_suffix(struct cw_str s, struct cw_str suffix)
{
    return cw_str_ends(s, suffix) ? cw_str_sub(s, 0, s.len - suffix.len) : s;
}

CW_GT_FN(trim_prefix_of)
{
    return give(out, without_prefix(args[0].text, args[1].text));
}

CW_GT_FN(trim_suffix_of)
{
    return give(out, without_suffix(args[0].text, args[1].text));
}

CW_GT_FN(trim_prefix)
{
    return give(out, without_prefix(args[1].text, args[0].text));
}

CW_GT_FN(trim_suffix)
{
    return give(out, without_suffix(args[1].text, args[0].text));
}

/* ---- searching ---- */

CW_GT_FN(contains)
{
    *out = cw_go_bool(cw_str_find(args[1].text, args[0].text) >= 0);
    return 0;
}

CW_GT_FN(has_prefix)
{
    *out = cw_go_bool(cw_str_starts(args[1].text, args[0].text));
    return 0;
}

CW_GT_FN(has_suffix)
{
    *out = cw_go_bool(cw_str_ends(args[1].text, args[0].text));
    return 0;
}

/* The first `count` places, all when it is negative. An empty `old` stands before each rune and at the end. */
static int replace(struct cw_go_template_run *run, struct cw_str s, struct cw_str old,
                   struct cw_str new, int64_t count, struct cw_go_value *out)
{
    struct cw_buf *to = &run->tmp;
    cw_buf_clear(to);
    for (size_t at = 0; count != 0 && !cw_buf_failed(to); count--) {
        if (old.len == 0) {
            uint32_t rune;
            cw_buf_adds(to, new);
            size_t n = rune_at(s, 0, &rune);
            cw_buf_adds(to, cw_str_sub(s, 0, n));
            s = cw_str_sub(s, n, s.len);
            if (n == 0)
                break;
            continue;
        }
        ptrdiff_t found = cw_str_find(s, old);
        if (found < 0)
            break;
        at = (size_t)found;
        cw_buf_adds(to, cw_str_sub(s, 0, at));
        cw_buf_adds(to, new);
        s = cw_str_sub(s, at + old.len, s.len);
    }
    cw_buf_adds(to, s);
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(replace_n)
{
    return replace(run, args[0].text, args[1].text, args[2].text, args[3].number, out);
}

CW_GT_FN(replace)
{
    return replace(run, args[2].text, args[0].text, args[1].text, -1, out);
}

/* ---- repeating and cutting ---- */

static int add_repeated(struct cw_go_template_run *run, struct cw_str s, int64_t count)
{
    uint64_t all;
    if (count < 0)
        return cw_gt_fail(run, "strings: negative Repeat count");
    if (s.len == 0)
        return 0;
    if (__builtin_mul_overflow((uint64_t)count, (uint64_t)s.len, &all))
        all = UINT64_MAX;
    if (reserve(run, all) < 0)
        return -1;
    for (int64_t i = 0; i < count; i++)
        cw_buf_adds(&run->tmp, s);
    return 0;
}

CW_GT_FN(repeat)
{
    cw_buf_clear(&run->tmp);
    if (add_repeated(run, args[1].text, args[0].number) < 0)
        return -1;
    return cw_gt_take_tmp(run, out);
}

static int indent(struct cw_go_template_run *run, int64_t spaces_count, struct cw_str s,
                  struct cw_str before, struct cw_go_value *out)
{
    struct cw_str line;
    bool more = true;
    cw_buf_clear(&run->tmp);
    cw_buf_adds(&run->tmp, before);
    while (more && !cw_buf_failed(&run->tmp)) {
        ptrdiff_t end = cw_str_find_byte(s, '\n');
        more = end >= 0;
        line = more ? cw_str_sub(s, 0, (size_t)end + 1) : s;
        s = cw_str_sub(s, line.len, s.len);
        if (add_repeated(run, CW_STR(" "), spaces_count) < 0)
            return -1;
        cw_buf_adds(&run->tmp, line);
    }
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(indent)
{
    return indent(run, args[0].number, args[1].text, CW_STR_NONE, out);
}

CW_GT_FN(nindent)
{
    return indent(run, args[0].number, args[1].text, CW_STR("\n"), out);
}

/* Runes [from, to) of the text; as Go's conversion to runes and back, invalid bytes become U+FFFD. */
static int give_runes(struct cw_go_template_run *run, struct cw_str s, uint64_t from, uint64_t to,
                      struct cw_go_value *out)
{
    uint64_t i = 0;
    cw_buf_clear(&run->tmp);
    for (size_t at = 0; at < s.len && i < to; i++) {
        uint32_t rune;
        char utf8[4];
        at += rune_at(s, at, &rune);
        if (i >= from)
            cw_buf_add(&run->tmp, utf8, cw_utf8_encode(rune, utf8));
    }
    return cw_gt_take_tmp(run, out);
}

/* Bytes, as sprig counts them: trunc 3 text, trunc -3 text */
CW_GT_FN(trunc)
{
    int64_t count = args[0].number, n = (int64_t)args[1].text.len;
    if (count < 0 && count > -n)
        return give(out, cw_str_sub(args[1].text, (size_t)(n + count), (size_t)n));
    if (count >= 0 && n > count)
        return give(out, cw_str_sub(args[1].text, 0, (size_t)count));
    return give(out, args[1].text);
}

/* Go's text[from:to]; what panics there fails with the panic's words. `end` INT64_MAX: there is none. */
static int slice_bytes(struct cw_go_template_run *run, struct cw_str s, int64_t start, int64_t end,
                       struct cw_go_value *out)
{
    long long n = (long long)s.len, from = start, to = end == INT64_MAX ? n : end;
    if (to < 0)
        return cw_gt_fail(run, "runtime error: slice bounds out of range [:%lld]", to);
    if (to > n)
        return cw_gt_fail(run, "runtime error: slice bounds out of range [:%lld] with length %lld",
                          to, n);
    if (from > to)
        return cw_gt_fail(run, "runtime error: slice bounds out of range [%lld:%lld]", from, to);
    return give(out, cw_str_sub(s, (size_t)from, (size_t)to));
}

/* substr start end text, of bytes: a negative start is the beginning, and an end that is negative or too large is the text's. */
CW_GT_FN(substr)
{
    int64_t start = args[0].number, end = args[1].number;
    struct cw_str s = args[2].text;
    if (start < 0)
        return slice_bytes(run, s, 0, end, out);
    if (end < 0 || (uint64_t)end > s.len)
        end = INT64_MAX;
    return slice_bytes(run, s, start, end, out);
}

static int align(struct cw_go_template_run *run, int64_t count, struct cw_str s, bool right,
                 struct cw_go_value *out)
{
    int64_t n = (int64_t)count_runes(s);
    if (count < 0 || count == n)
        return give(out, s);
    if (count < n)
        return give_runes(run, s, (uint64_t)(right ? n - count : 0), (uint64_t)(right ? n : count),
                          out);
    cw_buf_clear(&run->tmp);
    if (!right)
        cw_buf_adds(&run->tmp, s);
    if (add_repeated(run, CW_STR(" "), count - n) < 0)
        return -1;
    if (right)
        cw_buf_adds(&run->tmp, s);
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(align_left)
{
    return align(run, args[0].number, args[1].text, false, out);
}

CW_GT_FN(align_right)
{
    return align(run, args[0].number, args[1].text, true, out);
}

/* ---- encodings ---- */

CW_GT_FN(b64enc)
{
    cw_buf_clear(&run->tmp);
    cw_base64_encode(args[0].text, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;
    return at == NULL ? -1 : (int)(at - digits);
}

/* Where Go stops reading what is no base64. Line ends are skipped. */
static size_t base64_error_at(struct cw_str s)
{
    size_t at = 0, n = 0; /* digits of this quantum */
    for (; at < s.len; at++) {
        char c = s.ptr[at];
        if (c == '\r' || c == '\n')
            continue;
        if (c == '=') {
            if (n < 2)
                return at;
            size_t pad = at + 1;
            while (n == 2 && pad < s.len && (s.ptr[pad] == '\r' || s.ptr[pad] == '\n'))
                pad++;
            if (n == 2 && pad >= s.len)
                return s.len;
            if (n == 2 && s.ptr[pad] != '=')
                return pad;
            pad += n == 2;
            while (pad < s.len && (s.ptr[pad] == '\r' || s.ptr[pad] == '\n'))
                pad++;
            return pad;
        }
        if (base64_value(c) < 0)
            return at;
        n = (n + 1) % 4;
    }
    return at - n;
}

/* What cannot be decoded gives Go's error as the result. */
CW_GT_FN(b64dec)
{
    struct cw_str s = args[0].text;
    struct cw_buf digits;
    cw_buf_init(&digits, CW_LIMIT_TEMPLATE_OUTPUT_BYTES);
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] != '\r' && s.ptr[i] != '\n')
            cw_buf_addc(&digits, s.ptr[i]);
    cw_buf_clear(&run->tmp);
    bool fine = cw_base64_decode(cw_buf_str(&digits), &run->tmp);
    cw_buf_fini(&digits);
    if (!fine) {
        cw_buf_clear(&run->tmp);
        cw_buf_addf(&run->tmp, "illegal base64 data at input byte %zu", base64_error_at(s));
    }
    return cw_gt_take_tmp(run, out);
}

void cw_go_query_escape(struct cw_str text, struct cw_buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
            c == '_' || c == '.' || c == '~')
            cw_buf_addc(out, (char)c);
        else if (c == ' ')
            cw_buf_addc(out, '+');
        else
            cw_buf_addf(out, "%%%02X", c);
    }
}

CW_GT_FN(urlencode)
{
    cw_buf_clear(&run->tmp);
    cw_go_query_escape(args[0].text, &run->tmp);
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(urldecode)
{
    struct cw_str s = args[0].text;
    cw_buf_clear(&run->tmp);
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '%') {
            cw_buf_addc(&run->tmp, (char)(s.ptr[i] == '+' ? ' ' : s.ptr[i]));
            continue;
        }
        int high = i + 2 < s.len ? cw_str_hex_digit(s.ptr[i + 1]) : -1;
        int low = i + 2 < s.len ? cw_str_hex_digit(s.ptr[i + 2]) : -1;
        if (high < 0 || low < 0) {
            cw_buf_clear(&run->tmp);
            cw_quote_go(cw_str_sub(s, i, i + 3), &run->tmp);
            return cw_gt_fail(run, "invalid URL escape %s", cw_buf_z(&run->tmp));
        }
        cw_buf_addc(&run->tmp, (char)(high * 16 + low));
        i += 2;
    }
    return cw_gt_take_tmp(run, out);
}

/* ---- regular expressions ---- */

enum each_mode { EACH_COUNT, EACH_EXPAND, EACH_LITERAL };

/* All matches that do not overlap; the text with them replaced is left in run->tmp. An empty match right behind another one does
 * not count, as in Go. */
static int each_match(struct cw_go_template_run *run, struct cw_str pattern, struct cw_str text,
                      struct cw_str replacement, enum each_mode mode, size_t *count)
{
    const struct cw_regex *regex = cw_gt_regex(run, pattern);
    if (regex == NULL)
        return -1;
    size_t ngroups = mode == EACH_EXPAND ? cw_regex_ngroups(regex) + 1 : 1, copied = 0;
    struct cw_str *groups = CW_ARENA_ARRAY(run->arena, struct cw_str, ngroups);
    struct cw_regex_scan scan = {.text = text};
    size_t last_end = SIZE_MAX;
    int rc = 0;
    cw_buf_clear(&run->tmp);
    *count = 0;
    while (scan.from <= text.len && !cw_buf_failed(&run->tmp)) {
        rc = cw_regex_scan_next(regex, &scan, groups, ngroups, &run->err);
        if (rc <= 0)
            break;
        size_t start = (size_t)(groups[0].ptr - scan.text.ptr), end = start + groups[0].len;
        if (++run->steps > CW_LIMIT_TEMPLATE_STEPS)
            return cw_gt_fail_limit(run, "the template takes more steps than it may");
        if (end > start || start != last_end) {
            ++*count;
            if (mode != EACH_COUNT)
                cw_buf_adds(&run->tmp, cw_str_sub(text, copied, start));
            if (mode == EACH_EXPAND)
                cw_regex_expand(regex, replacement, groups, ngroups, &run->tmp);
            else if (mode == EACH_LITERAL)
                cw_buf_adds(&run->tmp, replacement);
            copied = end;
            last_end = end;
        }
        uint32_t rune;
        scan.from = end > start ? end : end + CW_MAX(rune_at(text, end, &rune), (size_t)1);
    }
    if (mode != EACH_COUNT)
        cw_buf_adds(&run->tmp, cw_str_sub(text, copied, text.len));
    return rc < 0 ? -1 : 0;
}

CW_GT_FN(regex_replace_all)
{
    size_t count;
    if (each_match(run, args[0].text, args[1].text, args[2].text, EACH_EXPAND, &count) < 0)
        return -1;
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(regex_replace_all_literal)
{
    size_t count;
    if (each_match(run, args[0].text, args[1].text, args[2].text, EACH_LITERAL, &count) < 0)
        return -1;
    return cw_gt_take_tmp(run, out);
}

CW_GT_FN(count)
{
    size_t count;
    if (each_match(run, args[0].text, args[1].text, CW_STR_NONE, EACH_COUNT, &count) < 0)
        return -1;
    *out = cw_go_int((int64_t)count);
    return 0;
}
