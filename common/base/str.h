/*
 * str.h - text as pointer and length, by value; never owned, not ended by NUL.
 *
 * Ownership  A cw_str borrows. Whoever stores one says whose memory it is.
 * Bytes      Any bytes, NUL and invalid UTF-8 included; a cw_str of length 0 may have ptr NULL.
 */
#ifndef CW_BASE_STR_H
#define CW_BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cw_str {
    const char *ptr;
    size_t len;
};

#define CW_STR(literal) ((struct cw_str){"" literal, sizeof(literal) - 1})
#define CW_STR_NONE ((struct cw_str){NULL, 0})
/* For printf("%.*s", CW_STR_ARG(s)); cuts at INT_MAX. */
#define CW_STR_ARG(s) ((int)((s).len > 0x7fffffff ? 0x7fffffff : (s).len)), ((s).ptr ? (s).ptr : "")

static inline struct cw_str cw_str_of(const char *z)
{
    return (struct cw_str){z, z ? strlen(z) : 0};
}
static inline struct cw_str cw_str_make(const void *ptr, size_t len)
{
    return (struct cw_str){(const char *)ptr, len};
}
static inline bool cw_str_eq(struct cw_str a, struct cw_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline bool cw_str_eqz(struct cw_str a, const char *z)
{
    return cw_str_eq(a, cw_str_of(z));
}
/* Is `s` one of the `n` texts? */
static inline bool cw_str_among(struct cw_str s, const struct cw_str *texts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cw_str_eq(texts[i], s))
            return true;
    }
    return false;
}
/* From byte `from` to before byte `to`; both are clamped to the length. */
static inline struct cw_str cw_str_sub(struct cw_str s, size_t from, size_t to)
{
    if (to > s.len)
        to = s.len;
    if (from > to)
        from = to;
    return (struct cw_str){from > 0 ? s.ptr + from : s.ptr, to - from}; /* NULL + 0 is undefined */
}
/* The value of a hexadecimal digit; -1 when it is none. */
static inline int cw_str_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Order by bytes, then by length: <0, 0, >0. */
int cw_str_cmp(struct cw_str a, struct cw_str b);
bool cw_str_eq_nocase(struct cw_str a, struct cw_str b); /* ASCII only */
bool cw_str_starts(struct cw_str s, struct cw_str prefix);
/* Bytes that both begin with. */
size_t cw_str_shared(struct cw_str a, struct cw_str b);
bool cw_str_ends(struct cw_str s, struct cw_str suffix);
/* Offset of the first occurrence, or -1. An empty needle is found at 0. */
ptrdiff_t cw_str_find(struct cw_str s, struct cw_str needle);
ptrdiff_t cw_str_find_byte(struct cw_str s, char byte);
struct cw_str cw_str_trim(struct cw_str s); /* ASCII white space at both ends */
/* Take what stands before the first `byte` off the front of *s (and the byte too); false when *s is used up. */
bool cw_str_split(struct cw_str *s, char byte, struct cw_str *out);
/* Take the first `n` bytes off the front into `out`; false, and nothing taken, when there are fewer. */
bool cw_str_take(struct cw_str *s, void *out, size_t n);
/* malloc'ed copy ended by NUL. */
char *cw_str_dupz(struct cw_str s);
/* Edit distance (two swapped neighbours are one edit) between short names, for "did you mean"; at most `limit` + 1. */
unsigned cw_str_distance(struct cw_str a, struct cw_str b, unsigned limit);

/* Numbers: the whole text must be one; false otherwise, and *out is left alone. */
bool cw_str_to_i64(struct cw_str s, int64_t *out);
bool cw_str_to_u64(struct cw_str s, uint64_t *out);
/* The word up to the next space, which is taken off the front of *s too. */
bool cw_str_take_i64(struct cw_str *s, int64_t *out);
bool cw_str_take_u64(struct cw_str *s, uint64_t *out);
/* As Go's ParseFloat: decimal, hex, inf, nan, '_' refused. */
bool cw_str_to_f64(struct cw_str s, double *out);

/* Is it valid UTF-8 (RFC 3629: no surrogates, nothing over U+10FFFF, no overlong forms)? */
bool cw_utf8_valid(struct cw_str s);
/* Decode one rune at the front; returns its length, or 1 with *rune = 0xFFFD where the bytes are invalid; 0 at the end. */
size_t cw_utf8_decode(struct cw_str s, uint32_t *rune);
/* Write `rune` as UTF-8; returns 1..4. */
size_t cw_utf8_encode(uint32_t rune, char out[4]);

#endif
