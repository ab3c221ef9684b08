/*
 * json_reader.h - pull events out of JSON text: bounded, without a tree of the document.
 *
 * The text may hold anything: bytes that are not UTF-8 pass through strings as they are (logs contain them), the rest of
 * RFC 8259 is strict: no control characters in strings, no trailing commas; no lone surrogates in escapes, unless the
 * caller has them replaced.
 *
 * Ownership  Texts borrow from the input, or from the reader's arena where they held escapes.
 * Bounds     Nesting is bounded by CW_JSON_DEPTH; memory by the input's size.
 * Errors     CW_E_INVALID: what is wrong, and at which byte. The reader must not be used on.
 */
#ifndef CW_WIRE_JSON_READER_H
#define CW_WIRE_JSON_READER_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/base/err.h"
#include "common/base/str.h"

/* Answers of a Loki nest seven deep; nobody's push nests more than a hundred. */
enum { CW_JSON_DEPTH = 128 };

enum cw_json_event {
    CW_JSON_DONE, /* the document's one value is over; what follows it is left unread */
    CW_JSON_OBJECT,
    CW_JSON_OBJECT_END,
    CW_JSON_ARRAY,
    CW_JSON_ARRAY_END,
    CW_JSON_KEY,    /* text: the name, decoded */
    CW_JSON_STRING, /* text: decoded */
    CW_JSON_NUMBER, /* text: as written */
    CW_JSON_TRUE,
    CW_JSON_FALSE,
    CW_JSON_NULL,
};

enum cw_json_surrogates { CW_JSON_SURROGATES_REFUSED, CW_JSON_SURROGATES_REPLACED /* by U+FFFD */ };

struct cw_json_reader {
    struct cw_str text;                      /* of the last KEY, STRING or NUMBER */
    enum cw_json_surrogates lone_surrogates; /* refused after _init(); the caller may set another */
    /* private: */
    const char *start, *at, *end;
    struct cw_arena *arena;
    unsigned depth;
    uint8_t in_object[CW_JSON_DEPTH]; /* per level: an object (1) or an array (0) */
    uint8_t expect;
};

/* `arena` takes decoded strings that held escapes. */
void cw_json_reader_init(struct cw_json_reader *reader, struct cw_str input,
                         struct cw_arena *arena);
/* The next event (enum cw_json_event), or a negative code. */
int cw_json_next(struct cw_json_reader *reader, struct cw_err *err) CW_MUST_USE;
/* Pass over the value that comes next (after a KEY or inside an array), however deep. */
int cw_json_skip(struct cw_json_reader *reader, struct cw_err *err) CW_MUST_USE;
/* Pass over the rest of a value whose first event was `event`. */
int cw_json_skip_rest(struct cw_json_reader *reader, int event, struct cw_err *err) CW_MUST_USE;
/* Bytes read so far: where the text after DONE begins. */
size_t cw_json_offset(const struct cw_json_reader *reader);
/* An array or object as text: what was read from `offset` on, as written, but for the escapes, which are decoded. */
int cw_json_text_from(struct cw_json_reader *reader, size_t offset, struct cw_str *out,
                      struct cw_err *err) CW_MUST_USE;
/* CW_E_INVALID with " at byte <offset>" behind the sentence. */
int cw_json_error(const struct cw_json_reader *reader, struct cw_err *err, const char *sentence);

#endif
