/*
 * text_encoding.h - what the bytes of a file say: where its lines end, and a line as UTF-8.
 *
 * A file that names no encoding is shipped as it is. UTF-16 is read here; all other encodings are
 * the C library's (iconv). In each of those a newline is the byte 0x0a, and that byte is nothing
 * else.
 *
 * Ownership  Converted text lives in the caller's arena or, when no byte of it differs, is the
 *            line itself.
 * Errors     CW_E_INVALID: no such encoding. Bytes that mean nothing become U+FFFD, counted.
 * Threads    An encoding belongs to one thread: iconv keeps its state there.
 */
#ifndef CW_SHIPPER_TEXT_ENCODING_H
#define CW_SHIPPER_TEXT_ENCODING_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

enum cw_text_units { CW_TEXT_BYTES, CW_TEXT_UTF16LE, CW_TEXT_UTF16BE };
struct cw_text_encoding {
    enum cw_text_units units;
    void *iconv; /* NULL: UTF-16, or bytes as they are */
    bool ascii;  /* bytes below 0x80 are what they are in ASCII */
};

extern const struct cw_text_encoding cw_text_as_is, cw_text_utf16le, cw_text_utf16be;

/* By its IANA name or an alias of it, in any case, as promtail's `encoding`. */
int cw_text_encoding_new(struct cw_str name, struct cw_text_encoding **out,
                         struct cw_err *err) CW_MUST_USE;
void cw_text_encoding_free(struct cw_text_encoding **encoding);

/* What the first bytes of a file say. */
enum cw_text_bom { CW_BOM_UNKNOWN, CW_BOM_NONE, CW_BOM_UTF8, CW_BOM_UTF16LE, CW_BOM_UTF16BE };
#define CW_BOM_BYTES 3
/* UNKNOWN: there are too few, and no line has an end in them. */
enum cw_text_bom cw_text_bom_of(struct cw_str first);
size_t cw_text_bom_len(enum cw_text_bom bom);
/* A byte order mark is believed before any configuration; `configured` may be NULL. */
const struct cw_text_encoding *cw_text_encoding_by(enum cw_text_bom bom,
                                                   const struct cw_text_encoding *configured);

/* Bytes of the smallest character: a newline begins at a multiple of it. */
static inline size_t cw_text_unit(const struct cw_text_encoding *encoding)
{
    return encoding->units == CW_TEXT_BYTES ? 1 : 2;
}
/* Where the first newline begins in `bytes`, which begin at a multiple of the unit; -1: none. */
ptrdiff_t cw_text_newline(const struct cw_text_encoding *encoding, struct cw_str bytes);
/* How many bytes of NUL characters the text begins with. */
size_t cw_text_nuls(const struct cw_text_encoding *encoding, struct cw_str bytes);

struct cw_text {
    struct cw_str utf8;
    size_t nbad; /* U+FFFD put in */
    /* Without the last character, if the line ends within that: bytes of the line, of utf8. */
    size_t whole, utf8_whole;
};
void cw_text_convert(const struct cw_text_encoding *encoding, struct cw_str line,
                     struct cw_arena *arena, struct cw_text *out);

/* The longest beginning of at most `max` bytes that does not end within a character. */
size_t cw_text_utf8_cut(struct cw_str text, size_t max);

#endif
