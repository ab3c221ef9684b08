/*
 * tokenize.h - cut lines into a template and the values of its slots. The slots' types: layout.h.
 *
 * A run, a maximal sequence of letters and digits, becomes a slot if it has a digit. The longest form that fits wins: UUID; at a run of
 * digits TIME, IP4, DEC, NUM; then HEX, HEX32, STR. What a form may touch is part of it, so that where it stands does not change what
 * it becomes:
 *   TIME*  minutes and seconds under 60, no `:` before it. The form with milliseconds wins if exactly three digits follow.
 *   IP4    octets up to 255; neither a digit and `.` before it nor `.` and a digit behind it.
 *   DEC    the same; no digit and `:` before it either.
 *   UUID   some digit in its first group.
 *
 * Ownership  Borrows the text of the window; owns its bitmaps.
 * Threads    One.
 */
#ifndef CW_STORE_TOKENIZE_H
#define CW_STORE_TOKENIZE_H
#include <stddef.h>
#include <stdint.h>
#include "common/store/byte_classes.h"
#include "common/store/layout.h"

/* What becomes of quoted values. The numbers stand in files: never renumber. */
enum cw_token_mode {
    CW_TOKEN_PLAIN = 0, /* they are text as any other */
    CW_TOKEN_JSON =
        1, /* one without a digit is a QUOTED slot, unless `:` follows: then it is a key */
    CW_TOKEN_QUOTED = 2, /* each is a QUOTED slot, unless it is a key */
};

/* The values of slots, line after line. */
struct cw_tokens {
    /* TIME*, IP4, NUM, HEX: the value; DEC: the mantissa. STR, QUOTED, RAW, HEX32, UUID: where the bytes stand in the text, in the high
     * 32 bits, and how many they are. HEX32 and UUID may also stand there as the 16 bytes that they print. */
    uint64_t *values;
    uint8_t *extra; /* NUM: digits, if it has leading zeros, else 0; DEC: decimals; HEX: digits */
    size_t n, cap;
};
void cw_tokens_init(struct cw_tokens *tokens);
void cw_tokens_fini(struct cw_tokens *tokens);
/* Room for so many more values. */
void cw_tokens_reserve(struct cw_tokens *tokens, size_t n);

struct cw_tokenizer {
    struct cw_byte_classes classes;
    const char *text; /* where offsets count from */
    size_t from;      /* of the window */
    enum cw_token_mode mode;
    bool bmi; /* the machine has instructions for bits */
};
void cw_tokenizer_init(struct cw_tokenizer *t);
void cw_tokenizer_fini(struct cw_tokenizer *t);
/*
 * Prepare the lines that lie in text[from, to). Each is followed by a byte that is no letter, digit, `.`, `:`, `-` or quote, in the window
 * too; CW_BYTE_CLASSES_SLACK bytes past `to` can be read. Offsets must fit 32 bits.
 */
void cw_tokenizer_window(struct cw_tokenizer *t, const char *text, size_t from, size_t to,
                         enum cw_token_mode mode);

/* The template's text is as long as its line at most, but for a byte more for RAW and for each empty value in quotes. Copies are
 * of 32 bytes and more. */
enum { CW_TOKENIZE_SLACK = 64 + CW_TEMPLATE_SLOTS_MAX };
/* Cut the line text[from, to) of the window: its values are appended to *tokens, its template is written to `out`, which has room
 * for to - from + CW_TOKENIZE_SLACK bytes. Returns the template's length. */
size_t cw_tokenize_line(const struct cw_tokenizer *t, size_t from, size_t to,
                        struct cw_tokens *tokens, char *out);
/* For tests: without what only some machines have. */
size_t cw_tokenize_line_portable(const struct cw_tokenizer *t, size_t from, size_t to,
                                 struct cw_tokens *tokens, char *out);

#endif
