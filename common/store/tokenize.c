/* tokenize.c - walk the runs that have a digit, and say what each is. */
#include "common/store/tokenize.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/assert.h"
#include "common/store/hex_digits.h"

enum {
    LOADED_BITS = 57, /* of a bitmap, from any bit on: 8 bytes from its byte */
    NUM_DIGITS_MAX = 19,
    DEC_DIGITS_MAX = 18,
    HEX_DIGITS_MIN = 6,
    HEX_DIGITS_MAX = 16,
    TOKENS_MIN = 4096,
};

/* The walk is compiled twice, for every machine and for those with instructions for bits; so all of it is inlined. */
#define ALWAYS_INLINE __attribute__((always_inline)) static inline

/* A line on its way. Positions are of the window. */
struct walk {
    const struct cw_byte_classes *c;
    const char *text; /* the window */
    size_t from, to;  /* the line */
    uint64_t base;    /* of the window in the text */
    size_t done;      /* what stands before it is in the template */
    char *out;
    uint64_t *values;
    uint8_t *extra;
    size_t nslots;
};

void cw_tokens_init(struct cw_tokens *t)
{
    *t = (struct cw_tokens){0};
}

void cw_tokens_fini(struct cw_tokens *t)
{
    free(t->values);
    free(t->extra);
    cw_tokens_init(t);
}

void cw_tokens_reserve(struct cw_tokens *t, size_t n)
{
    if (t->cap - t->n >= n)
        return;
    t->cap = CW_MAX(CW_MAX(2 * t->cap, (size_t)TOKENS_MIN), t->n + n);
    t->values = cw_mem_resize(t->values, t->cap * sizeof(*t->values));
    t->extra = cw_mem_resize(t->extra, t->cap);
}

void cw_tokenizer_init(struct cw_tokenizer *t)
{
    *t = (struct cw_tokenizer){0};
    cw_byte_classes_init(&t->classes);
#if defined(__x86_64__)
    t->bmi = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2");
#endif
}

void cw_tokenizer_fini(struct cw_tokenizer *t)
{
    cw_byte_classes_fini(&t->classes);
}

void cw_tokenizer_window(struct cw_tokenizer *t, const char *text, size_t from, size_t to,
                         enum cw_token_mode mode)
{
    t->text = text;
    t->from = from;
    t->mode = mode;
    cw_byte_classes_of(&t->classes, text + from, to - from);
}

/* ---- bits ---- */

ALWAYS_INLINE uint64_t bits_at(const uint64_t *bits, size_t at)
{
    return cw_get64((const char *)bits + at / 8) >> (at & 7);
}

/* The first set bit in [from, to), else `to`. `more` (may be NULL): a bitmap that counts too. */
ALWAYS_INLINE size_t next_bit(const uint64_t *bits, const uint64_t *more, size_t from, size_t to)
{
    if (from >= to)
        return to;
    size_t w = from / 64;
    uint64_t x = (bits[w] | (more != NULL ? more[w] : 0)) & UINT64_MAX << from % 64;
    while (x == 0) {
        if (++w * 64 >= to)
            return to;
        x = bits[w] | (more != NULL ? more[w] : 0);
    }
    size_t at = w * 64 + (size_t)__builtin_ctzll(x);
    return CW_MIN(at, to);
}

/* The first byte behind `at` that is no letter or digit. */
ALWAYS_INLINE size_t run_end(const uint64_t *alnum, size_t at)
{
    size_t n;
    do {
        n = (size_t)__builtin_ctzll(~bits_at(alnum, at) | UINT64_C(1) << LOADED_BITS);
        at += n;
    } while (n == LOADED_BITS);
    return at;
}

/* The first byte of the run that has the byte at `at`. */
ALWAYS_INLINE size_t run_start(const uint64_t *alnum, size_t from, size_t at)
{
    while (at > from && (alnum[(at - 1) / 64] >> (at - 1) % 64 & 1) != 0)
        at--;
    return at;
}

ALWAYS_INLINE bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* ---- values ---- */

static const uint64_t powers[DEC_DIGITS_MAX] = {
    1ull,
    10ull,
    100ull,
    1000ull,
    10000ull,
    100000ull,
    1000000ull,
    10000000ull,
    100000000ull,
    1000000000ull,
    10000000000ull,
    100000000000ull,
    1000000000000ull,
    10000000000000ull,
    100000000000000ull,
    1000000000000000ull,
    10000000000000000ull,
    100000000000000000ull,
};

/* Eight digits, the first in the lowest byte; zero bytes before them count as zeros. */
ALWAYS_INLINE uint64_t parse8(uint64_t v)
{
    v = (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) * (10 * 256 + 1) >> 8;
    v = (v & UINT64_C(0x00ff00ff00ff00ff)) * (100 * 65536 + 1) >> 16;
    return (v & UINT64_C(0x0000ffff0000ffff)) * (UINT64_C(10000) * 4294967296 + 1) >> 32;
}

/* n <= NUM_DIGITS_MAX digits. */
ALWAYS_INLINE uint64_t parse_digits(const char *at, size_t n)
{
    if (n <= 8)
        return parse8(cw_get64(at) << (64 - 8 * n));
    uint64_t v = 0;
    for (; n > 8; n -= 8, at += 8)
        v = v * 100000000 + parse8(cw_get64(at));
    return v * powers[n] + parse8(cw_get64(at) << (64 - 8 * n));
}

/* ---- slots ---- */

/* Copies are of 32 bytes and more: both sides have slack. */
ALWAYS_INLINE void gap_copy(struct walk *w, size_t to)
{
    const char *from = w->text + w->done;
    size_t n = to - w->done;
    memcpy(w->out, from, 32);
    if (n > 32)
        memcpy(w->out + 32, from + 32, n - 32);
    w->out += n;
}

/* [start, end) becomes a slot. */
ALWAYS_INLINE size_t slot(struct walk *w, enum cw_slot_type type, size_t start, size_t end,
                          uint64_t value, uint8_t extra)
{
    gap_copy(w, start);
    *w->out++ = (char)type;
    w->values[w->nslots] = value;
    w->extra[w->nslots++] = extra;
    w->done = end;
    return end;
}

ALWAYS_INLINE size_t text_slot(struct walk *w, enum cw_slot_type type, size_t start, size_t end)
{
    return slot(w, type, start, end, (w->base + start) << 32 | (end - start), 0);
}

/* A bit for each byte of dd:dd:dd, of .ddd behind it, and of a UUID; the byte that follows is no letter or digit. */
#define TIME_DIGITS UINT64_C(0xdb)
#define UUID_DIGITS                                                                                \
    (UINT64_C(0xfff) << 24 | UINT64_C(0xf) << 19 | UINT64_C(0xf) << 14 | UINT64_C(0xf) << 9 |      \
     UINT64_C(0xff))

ALWAYS_INLINE bool is_uuid(const struct walk *w, size_t start)
{
    const char *at = w->text + start;
    uint64_t hex = bits_at(w->c->hex, start), alnum = bits_at(w->c->alnum, start);
    return (hex & ((UINT64_C(1) << 36) - 1)) == UUID_DIGITS &&
           (alnum & ((UINT64_C(1) << 37) - 1)) == UUID_DIGITS && at[8] == '-' && at[13] == '-' &&
           at[18] == '-' && at[23] == '-';
}

ALWAYS_INLINE size_t time_slot(struct walk *w, size_t start)
{
    const char *at = w->text + start;
    uint64_t digit = bits_at(w->c->digit, start), alnum = bits_at(w->c->alnum, start);
    if ((digit & 0xff) != TIME_DIGITS || (alnum & 0x1ff) != TIME_DIGITS || at[5] != ':' ||
        at[3] > '5' || at[6] > '5' || (start > w->from && at[-1] == ':'))
        return 0;
    uint64_t seconds = (uint64_t)((at[0] - '0') * 10 + at[1] - '0') * 3600 +
                       (uint64_t)((at[3] - '0') * 10 + at[4] - '0') * 60 +
                       (uint64_t)((at[6] - '0') * 10 + at[7] - '0');
    bool ms = (at[8] == '.' || at[8] == ',') && (digit >> 9 & 7) == 7 && (alnum >> 12 & 1) == 0;
    if (!ms)
        return slot(w, CW_SLOT_TIME, start, start + 8, seconds, 0);
    uint64_t value =
        seconds * 1000 + (uint64_t)((at[9] - '0') * 100 + (at[10] - '0') * 10 + at[11] - '0');
    return slot(w, at[8] == '.' ? CW_SLOT_TIME_DOT_MS : CW_SLOT_TIME_COMMA_MS, start, start + 12,
                value, 0);
}

/* Does a digit and `c` stand before `at`? */
ALWAYS_INLINE bool chained(const struct walk *w, size_t at, char c)
{
    return at >= w->from + 2 && w->text[at - 1] == c && is_digit(w->text[at - 2]);
}

/* A run that is all digits and begins at `at`; its end, or 0. */
ALWAYS_INLINE size_t digits_end(const struct walk *w, size_t at)
{
    size_t end = run_end(w->c->alnum, at);
    for (size_t i = at; i < end; i++)
        if (!is_digit(w->text[i]))
            return 0;
    return end > at ? end : 0;
}

ALWAYS_INLINE size_t ip4_slot(struct walk *w, size_t start, size_t end)
{
    uint64_t ip = 0;
    size_t at = start;
    for (int i = 0;; i++) {
        size_t n = end - at;
        if (n > 3 || (n > 1 && w->text[at] == '0'))
            return 0;
        uint64_t octet = parse_digits(w->text + at, n);
        if (octet > 255)
            return 0;
        ip = ip << 8 | octet;
        if (i == 3)
            break;
        if (w->text[end] != '.')
            return 0;
        at = end + 1;
        end = digits_end(w, at);
        if (end == 0)
            return 0;
    }
    if (w->text[end] == '.' && is_digit(w->text[end + 1]))
        return 0;
    return slot(w, CW_SLOT_IP4, start, end, ip, 0);
}

ALWAYS_INLINE size_t decimal_slot(struct walk *w, size_t start, size_t point)
{
    size_t end = digits_end(w, point + 1), whole = point - start, decimals = end - point - 1;
    if (end == 0 || whole + decimals > DEC_DIGITS_MAX || (whole > 1 && w->text[start] == '0') ||
        (w->text[end] == '.' && is_digit(w->text[end + 1])) || chained(w, start, ':'))
        return 0;
    uint64_t mantissa = parse_digits(w->text + start, whole) * powers[decimals] +
                        parse_digits(w->text + point + 1, decimals);
    return slot(w, CW_SLOT_DEC, start, end, mantissa, (uint8_t)decimals);
}

ALWAYS_INLINE size_t number_slot(struct walk *w, size_t start, size_t end)
{
    size_t n = end - start, at = 0;
    char next = w->text[end];
    if (next == ':' && n == 2)
        at = time_slot(w, start);
    else if (next == '.' && !chained(w, start, '.')) {
        at = ip4_slot(w, start, end);
        if (at == 0)
            at = decimal_slot(w, start, end);
    }
    if (at != 0)
        return at;
    if (n <= NUM_DIGITS_MAX) {
        bool zeros = n > 1 && w->text[start] == '0';
        return slot(w, CW_SLOT_NUM, start, end, parse_digits(w->text + start, n),
                    zeros ? (uint8_t)n : 0);
    }
    return text_slot(w, n == 32 ? CW_SLOT_HEX32 : CW_SLOT_STR, start, end);
}

/* The run with its first digit at `digit`; the position behind its slot. */
ALWAYS_INLINE size_t run_slot(struct walk *w, size_t digit)
{
    size_t start = run_start(w->c->alnum, w->done, digit), end = run_end(w->c->alnum, digit);
    size_t n = end - start;
    if (n >= LOADED_BITS)
        return text_slot(w, CW_SLOT_STR, start, end);
    uint64_t others = UINT64_MAX << n; /* bits of bytes behind the run */
    bool digits = (bits_at(w->c->digit, start) | others) == UINT64_MAX;
    if (!digits && (bits_at(w->c->hex, start) | others) != UINT64_MAX)
        return text_slot(w, CW_SLOT_STR, start, end);
    if (n == 8 && w->text[end] == '-' && is_uuid(w, start))
        return text_slot(w, CW_SLOT_UUID, start, start + 36);
    if (digits)
        return number_slot(w, start, end);
    if (n >= HEX_DIGITS_MIN && n <= HEX_DIGITS_MAX)
        return slot(w, CW_SLOT_HEX, start, end, cw_hex_digits(w->text + start, n), (uint8_t)n);
    return text_slot(w, n == 32 ? CW_SLOT_HEX32 : CW_SLOT_STR, start, end);
}

/* ---- quotes ---- */

/* The quote that ends the value that begins at `at`, else 0: one with an even number of backslashes before it. */
ALWAYS_INLINE size_t closing_quote(const struct walk *w, size_t at)
{
    for (size_t q = at; (q = next_bit(w->c->quote, NULL, q, w->to)) < w->to; q++) {
        size_t slash = q;
        while (slash > at && w->text[slash - 1] == '\\')
            slash--;
        if ((q - slash) % 2 == 0)
            return q;
    }
    return 0;
}

/* The value between the quotes at `open` and `close` becomes a slot, if the mode says so. */
ALWAYS_INLINE bool quoted_slot(struct walk *w, enum cw_token_mode mode, size_t open, size_t close)
{
    bool key = close + 1 < w->to && w->text[close + 1] == ':';
    if (key || (mode == CW_TOKEN_JSON && next_bit(w->c->digit, NULL, open + 1, close) < close))
        return false;
    text_slot(w, CW_SLOT_QUOTED, open + 1, close);
    return true;
}

/* Runs and quotes in order. A value that is no slot of its own is walked as any text, up to its closing quote. */
ALWAYS_INLINE void walk_quotes(struct walk *w, enum cw_token_mode mode)
{
    const uint64_t *quote = w->c->quote;
    size_t at = w->from, closed = w->from; /* quotes before `closed` are spent */
    while (w->nslots < CW_TEMPLATE_SLOTS_MAX &&
           (at = next_bit(w->c->first, quote, at, w->to)) < w->to) {
        if (w->text[at] != '"') {
            at = run_slot(w, at);
            continue;
        }
        at++;
        if (at <= closed)
            continue;
        size_t close = closing_quote(w, at);
        if (close == 0) {
            quote = NULL; /* nor does another end: a long line is not searched again and again */
            continue;
        }
        closed = close + 1;
        if (quoted_slot(w, mode, at - 1, close))
            at = closed;
    }
}

ALWAYS_INLINE void walk_runs(struct walk *w)
{
    size_t at = w->from;
    while (w->nslots < CW_TEMPLATE_SLOTS_MAX &&
           (at = next_bit(w->c->first, NULL, at, w->to)) < w->to)
        at = run_slot(w, at);
}

static bool has_reserved(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (cw_slot_reserved((unsigned char)at[i]))
            return true;
    return false;
}

ALWAYS_INLINE size_t tokenize_line(const struct cw_tokenizer *t, size_t from, size_t to,
                                   struct cw_tokens *tokens, char *out)
{
    cw_tokens_reserve(tokens, CW_TEMPLATE_SLOTS_MAX);
    struct walk w = {
        .c = &t->classes,
        .text = t->text + t->from,
        .from = from - t->from,
        .to = to - t->from,
        .base = t->from,
        .done = from - t->from,
        .out = out,
        .values = tokens->values + tokens->n,
        .extra = tokens->extra + tokens->n,
    };
    if (t->classes.reserved && has_reserved(t->text + from, to - from)) {
        text_slot(&w, CW_SLOT_RAW, w.from, w.to);
    } else {
        if (t->mode == CW_TOKEN_PLAIN)
            walk_runs(&w);
        else
            walk_quotes(&w, t->mode);
        gap_copy(&w, w.to);
    }
    tokens->n += w.nslots;
    return (size_t)(w.out - out);
}

size_t cw_tokenize_line_portable(const struct cw_tokenizer *t, size_t from, size_t to,
                                 struct cw_tokens *tokens, char *out)
{
    return tokenize_line(t, from, to, tokens, out);
}

#if defined(__x86_64__)
__attribute__((target("avx2,bmi,bmi2"))) static size_t line_bmi(const struct cw_tokenizer *t,
                                                                size_t from, size_t to,
                                                                struct cw_tokens *tokens, char *out)
{
    return tokenize_line(t, from, to, tokens, out);
}
#endif

size_t cw_tokenize_line(const struct cw_tokenizer *t, size_t from, size_t to,
                        struct cw_tokens *tokens, char *out)
{
#if defined(__x86_64__)
    if (t->bmi)
        return line_bmi(t, from, to, tokens, out);
#endif
    return cw_tokenize_line_portable(t, from, to, tokens, out);
}
