#include "shipper/text_encoding.h"
#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/assert.h"

const struct cw_text_encoding cw_text_as_is = {.units = CW_TEXT_BYTES};
const struct cw_text_encoding cw_text_utf16le = {.units = CW_TEXT_UTF16LE};
const struct cw_text_encoding cw_text_utf16be = {.units = CW_TEXT_UTF16BE};

#define REPLACEMENT "\xef\xbf\xbd"

/* ---- names ---- */

/* What the C library calls otherwise, or means otherwise: the web's (and promtail's) Shift_JIS,
 * EUC-KR and Big5 are Microsoft's supersets of them. UTF-16 without a byte order mark is big endian
 * (RFC 2781). */
static const struct {
    const char *name;
    enum cw_text_units units;
    const char *iconv_name; /* NULL: UTF-16 */
} names[] = {
    {"utf-16", CW_TEXT_UTF16BE, NULL},          {"utf-16be", CW_TEXT_UTF16BE, NULL},
    {"utf-16le", CW_TEXT_UTF16LE, NULL},        {"unicode-1-1-utf-8", CW_TEXT_BYTES, "UTF-8"},
    {"shift_jis", CW_TEXT_BYTES, "CP932"},      {"sjis", CW_TEXT_BYTES, "CP932"},
    {"ms_kanji", CW_TEXT_BYTES, "CP932"},       {"csshiftjis", CW_TEXT_BYTES, "CP932"},
    {"windows-31j", CW_TEXT_BYTES, "CP932"},    {"cswindows31j", CW_TEXT_BYTES, "CP932"},
    {"euc-kr", CW_TEXT_BYTES, "CP949"},         {"cseuckr", CW_TEXT_BYTES, "CP949"},
    {"ks_c_5601-1987", CW_TEXT_BYTES, "CP949"}, {"big5", CW_TEXT_BYTES, "BIG5-HKSCS"},
    {"csbig5", CW_TEXT_BYTES, "BIG5-HKSCS"},    {"gb2312", CW_TEXT_BYTES, "GBK"},
    {"csgb2312", CW_TEXT_BYTES, "GBK"},         {"csisolatin1", CW_TEXT_BYTES, "ISO-8859-1"},
    {"l1", CW_TEXT_BYTES, "ISO-8859-1"},        {"latin1", CW_TEXT_BYTES, "ISO-8859-1"},
    {"windows-874", CW_TEXT_BYTES, "CP874"},    {"macintosh", CW_TEXT_BYTES, "MACINTOSH"},
};

/* Letters, digits and - _ . : + ( ) alone, as IANA's names: iconv knows more ("//TRANSLIT"). */
static bool is_name(struct cw_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || strchr("/,\"'\\", name.ptr[i]) != NULL)
            return false;
    return name.len > 0 && name.len < 64;
}

/* Whether these bytes, from the initial state on, are converted to themselves. */
static bool same_in_utf8(iconv_t converter, const char *bytes, size_t n)
{
    char in[4], out[16], *from = in, *to = out;
    size_t left = n, room = sizeof out;
    memcpy(in, bytes, n);
    iconv(converter, NULL, NULL, NULL, NULL);
    return iconv(converter, &from, &left, &to, &room) == 0 && to - out == (ptrdiff_t)n &&
           memcmp(bytes, out, n) == 0;
}

/* Whether all of ASCII is: then most lines need no conversion. */
static bool ascii_is_ascii(iconv_t converter)
{
    for (char c = 1; c < 127; c++)
        if (!same_in_utf8(converter, &c, 1))
            return false;
    return true;
}

int cw_text_encoding_new(struct cw_str name, struct cw_text_encoding **out, struct cw_err *err)
{
    struct cw_text_encoding made = {.units = CW_TEXT_BYTES};
    char text[64] = "";
    if (is_name(name))
        memcpy(text, name.ptr, name.len);
    const char *iconv_name = text;
    for (size_t i = 0; i < CW_COUNT(names); i++)
        if (strcasecmp(names[i].name, text) == 0) {
            made.units = names[i].units;
            iconv_name = names[i].iconv_name;
        }
    if (iconv_name != NULL) {
        iconv_t converter = text[0] != '\0' ? iconv_open("UTF-8", iconv_name) : (iconv_t)-1;
        if (converter == (iconv_t)-1)
            return cw_err_set(err, CW_E_INVALID,
                              "the C library has no encoding \"%.*s\" (utf-16le, iso-8859-1, "
                              "windows-1252, gbk, ... are)",
                              CW_STR_ARG(name));
        if (!same_in_utf8(converter, "a\nb", 3)) {
            iconv_close(converter);
            return cw_err_set(err, CW_E_INVALID,
                              "lines of the encoding \"%.*s\" do not end with the byte 0x0a",
                              CW_STR_ARG(name));
        }
        made.iconv = converter;
        made.ascii = ascii_is_ascii(converter);
    }
    *out = cw_mem_new(sizeof **out);
    **out = made;
    return 0;
}

void cw_text_encoding_free(struct cw_text_encoding **encoding)
{
    struct cw_text_encoding *e = *encoding;
    if (e == NULL)
        return;
    if (e->iconv != NULL)
        iconv_close(e->iconv);
    free(e);
    *encoding = NULL;
}

/* ---- byte order marks ---- */

static const struct {
    const char *bytes;
    size_t len;
    const struct cw_text_encoding *encoding; /* NULL: the configured one, bytes */
} boms[] = {
    [CW_BOM_UTF8] = {"\xef\xbb\xbf", 3, NULL},
    [CW_BOM_UTF16LE] = {"\xff\xfe", 2, &cw_text_utf16le},
    [CW_BOM_UTF16BE] = {"\xfe\xff", 2, &cw_text_utf16be},
};

enum cw_text_bom cw_text_bom_of(struct cw_str first)
{
    for (size_t i = CW_BOM_UTF8; i < CW_COUNT(boms); i++)
        if (memcmp(first.ptr, boms[i].bytes, CW_MIN(first.len, boms[i].len)) == 0)
            return first.len < boms[i].len ? CW_BOM_UNKNOWN : (enum cw_text_bom)i;
    return CW_BOM_NONE;
}

size_t cw_text_bom_len(enum cw_text_bom bom)
{
    return boms[bom].len;
}

const struct cw_text_encoding *cw_text_encoding_by(enum cw_text_bom bom,
                                                   const struct cw_text_encoding *configured)
{
    if (boms[bom].encoding != NULL)
        return boms[bom].encoding;
    if (configured == NULL || bom == CW_BOM_UTF8)
        return &cw_text_as_is;
    return configured;
}

/* ---- lines ---- */

static uint32_t unit16(const struct cw_text_encoding *encoding, const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;
    return encoding->units == CW_TEXT_UTF16LE ? byte[0] | (uint32_t)byte[1] << 8
                                              : byte[1] | (uint32_t)byte[0] << 8;
}

ptrdiff_t cw_text_newline(const struct cw_text_encoding *encoding, struct cw_str bytes)
{
    const char *end = bytes.ptr + bytes.len, *at = bytes.ptr;
    size_t unit = cw_text_unit(encoding);
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        const char *begin = at - (size_t)(at - bytes.ptr) % unit;
        if (unit == 1 || (end - begin >= 2 && unit16(encoding, begin) == '\n'))
            return begin - bytes.ptr;
        at = begin + unit;
    }
    return -1;
}

size_t cw_text_nuls(const struct cw_text_encoding *encoding, struct cw_str bytes)
{
    size_t n = 0;
    while (n < bytes.len && bytes.ptr[n] == '\0')
        n++;
    return n - n % cw_text_unit(encoding);
}

/* ---- conversion ---- */

/* `len` bytes of text stand for `taken` of the line's; there is room for one U+FFFD. */
static void text_end(struct cw_text *out, char *text, size_t len, size_t taken, size_t line_len)
{
    out->whole = taken;
    out->utf8_whole = len;
    if (taken < line_len) {
        memcpy(text + len, REPLACEMENT, 3);
        len += 3;
        out->nbad++;
    }
    out->utf8 = cw_str_make(text, len);
}

static void utf16_convert(const struct cw_text_encoding *encoding, struct cw_str line,
                          struct cw_arena *arena, struct cw_text *out)
{
    char *text = cw_arena_alloc(arena, line.len / 2 * 3 + 3), *to = text;
    size_t at = 0;
    while (at + 2 <= line.len) {
        uint32_t rune = unit16(encoding, line.ptr + at);
        size_t taken = 2;
        if (rune >= 0xd800 && rune < 0xdc00) {
            if (at + 4 > line.len)
                break;
            uint32_t low = unit16(encoding, line.ptr + at + 2);
            if (low >= 0xdc00 && low < 0xe000) {
                rune = 0x10000 + ((rune - 0xd800) << 10 | (low - 0xdc00));
                taken = 4;
            }
        }
        if (rune >= 0xd800 && rune < 0xe000) {
            rune = 0xfffd;
            out->nbad++;
        }
        to += cw_utf8_encode(rune, to);
        at += taken;
    }
    text_end(out, text, (size_t)(to - text), at, line.len);
}

static void iconv_convert(const struct cw_text_encoding *encoding, struct cw_str line,
                          struct cw_arena *arena, struct cw_text *out)
{
    size_t cap = 0, len = 0, left = line.len;
    char *text = cw_arena_grow(arena, NULL, 0, &cap, line.len + line.len / 2 + 16, 1);
    char *from = (char *)line.ptr; /* iconv does not write there */
    iconv(encoding->iconv, NULL, NULL, NULL, NULL);
    while (left > 0) {
        char *to = text + len;
        size_t room = cap - len;
        size_t rc = iconv(encoding->iconv, &from, &left, &to, &room);
        len = (size_t)(to - text);
        int why = rc == (size_t)-1 ? errno : 0;
        if (why == EINVAL)
            break; /* the last character is not whole */
        if (why == E2BIG || cap - len < 3)
            text = cw_arena_grow(arena, text, len, &cap, cap + left + 64, 1);
        if (why != EILSEQ)
            continue;
        memcpy(text + len, REPLACEMENT, 3);
        len += 3;
        out->nbad++;
        from++;
        left--;
    }
    if (cap - len < 3)
        text = cw_arena_grow(arena, text, len, &cap, cap + 3, 1);
    text_end(out, text, len, line.len - left, line.len);
}

/* glibc takes sequences of four and five bytes for characters past U+10FFFF, and makes such of them: each byte of those means nothing. */
static void beyond_unicode_replace(struct cw_arena *arena, struct cw_text *out)
{
    struct cw_str text = out->utf8;
    if (cw_utf8_valid(text))
        return;
    char *clean = cw_arena_alloc(arena, text.len * 3), *to = clean;
    size_t whole = 0;
    for (size_t at = 0, n; at < text.len; at += n) {
        uint32_t rune;
        struct cw_str rest = cw_str_sub(text, at, text.len);
        n = cw_utf8_decode(rest, &rune);
        out->nbad += !cw_utf8_valid(cw_str_sub(rest, 0, n));
        to += cw_utf8_encode(rune, to);
        if (at + n == out->utf8_whole)
            whole = (size_t)(to - clean);
    }
    out->utf8_whole = whole;
    out->utf8 = cw_str_make(clean, (size_t)(to - clean));
}

static bool is_ascii(struct cw_str text)
{
    unsigned char any = 0;
    for (size_t i = 0; i < text.len; i++)
        any |= (unsigned char)text.ptr[i];
    return any < 0x80;
}

void cw_text_convert(const struct cw_text_encoding *encoding, struct cw_str line,
                     struct cw_arena *arena, struct cw_text *out)
{
    *out = (struct cw_text){.utf8 = line, .whole = line.len, .utf8_whole = line.len};
    if (encoding->units != CW_TEXT_BYTES) {
        utf16_convert(encoding, line, arena, out);
    } else if (encoding->iconv != NULL && !(encoding->ascii && is_ascii(line))) {
        iconv_convert(encoding, line, arena, out);
        beyond_unicode_replace(arena, out);
    } else if (encoding->iconv == NULL) {
        out->whole = out->utf8_whole = cw_text_utf8_cut(line, line.len);
    }
}

size_t cw_text_utf8_cut(struct cw_str text, size_t max)
{
    size_t len = CW_MIN(text.len, max), lead = len;
    if (len == text.len && max > len)
        return len;
    do {
        if (lead == 0)
            return len; /* no UTF-8 */
        lead--;
    } while (len - lead < 4 && ((unsigned char)text.ptr[lead] & 0xc0) == 0x80);
    unsigned char c = (unsigned char)text.ptr[lead];
    size_t need = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return lead > 0 && len - lead < need ? lead : len;
}
