/* byte_classes.c - classify bytes with AVX2 where the machine has it, eight at a time otherwise. */
#include "common/store/byte_classes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/store/layout.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { BITMAPS = 5, WORDS_MIN = 1024, WORDS_BEFORE = 1, WORDS_BEHIND = 2 };

/* The bits of 64 bytes. */
struct classes64 {
    uint64_t letter, digit, small_hex_letter, quote, reserved;
};

void cw_byte_classes_init(struct cw_byte_classes *c)
{
    *c = (struct cw_byte_classes){0};
}

void cw_byte_classes_fini(struct cw_byte_classes *c)
{
    free(c->memory);
    cw_byte_classes_init(c);
}

size_t cw_byte_classes_memory(const struct cw_byte_classes *c)
{
    return BITMAPS * (c->words + WORDS_BEFORE + WORDS_BEHIND) * sizeof(*c->memory);
}

static void room(struct cw_byte_classes *c, size_t words)
{
    if (words > c->words) {
        free(c->memory);
        c->words = words > WORDS_MIN ? words : WORDS_MIN;
        size_t each = c->words + WORDS_BEFORE + WORDS_BEHIND;
        c->memory = cw_mem_array(BITMAPS * each, sizeof(*c->memory));
        uint64_t **maps[BITMAPS] = {&c->alnum, &c->digit, &c->hex, &c->quote, &c->first};
        for (size_t i = 0; i < BITMAPS; i++)
            *maps[i] = c->memory + i * each + WORDS_BEFORE;
    }
    const uint64_t none[WORDS_BEHIND] = {0};
    uint64_t *maps[BITMAPS] = {c->alnum, c->digit, c->hex, c->quote, c->first};
    for (size_t i = 0; i < BITMAPS; i++)
        memcpy(maps[i] + words, none, sizeof(none));
}

/* Word `w` of all bitmaps. *alnum_before and *carry: of the word before. */
__attribute__((always_inline)) static inline void word_put(struct cw_byte_classes *c, size_t w,
                                                           const struct classes64 *x,
                                                           uint64_t *alnum_before, unsigned *carry)
{
    uint64_t alnum = x->letter | x->digit;
    uint64_t starts = alnum & ~(alnum << 1 | *alnum_before >> 63);
    /* A one added at a run's start runs through its letters up to its first digit, or out of the run. */
    uint64_t sum;
    unsigned over = __builtin_add_overflow(x->letter, starts, &sum);
    *carry = over | __builtin_add_overflow(sum, *carry, &sum);
    *alnum_before = alnum;
    c->alnum[w] = alnum;
    c->digit[w] = x->digit;
    c->hex[w] = x->digit | x->small_hex_letter;
    c->quote[w] = x->quote;
    c->first[w] = sum & x->digit;
}

static void mask(struct classes64 *x, size_t len)
{
    uint64_t keep = len >= 64 ? UINT64_MAX : (UINT64_C(1) << len) - 1;
    x->letter &= keep;
    x->digit &= keep;
    x->small_hex_letter &= keep;
    x->quote &= keep;
    x->reserved &= keep;
}

/* ---- eight bytes at a time ---- */

#define EACH_BYTE(b) (UINT64_C(0x0101010101010101) * (uint8_t)(b))

/* The top bit of each byte that is in [lo, hi]; both are under 0x80. */
static uint64_t in_range8(uint64_t bytes, uint8_t lo, uint8_t hi)
{
    uint64_t low = bytes & EACH_BYTE(0x7f);
    return (low + EACH_BYTE(0x80 - lo)) & ~(low + EACH_BYTE(0x7f - hi)) & ~bytes & EACH_BYTE(0x80);
}

static uint64_t top_bits(uint64_t bytes)
{
    return (bytes >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static struct classes64 classify(const char *text)
{
    struct classes64 x = {0};
    for (unsigned i = 0; i < 64; i += 8) {
        uint64_t v = cw_get64(text + i), small = v | EACH_BYTE(0x20);
        x.letter |= top_bits(in_range8(small, 'a', 'z')) << i;
        x.digit |= top_bits(in_range8(v, '0', '9')) << i;
        x.small_hex_letter |= top_bits(in_range8(v, 'a', 'f')) << i;
        x.quote |= top_bits(in_range8(v, '"', '"')) << i;
        x.reserved |= top_bits(in_range8(v, 0, 0x08) | in_range8(v, 0x0e, 0x11)) << i;
    }
    return x;
}

void cw_byte_classes_of_portable(struct cw_byte_classes *c, const char *text, size_t len)
{
    uint64_t alnum_before = 0, reserved = 0;
    unsigned carry = 0;
    room(c, (len + 63) / 64);
    for (size_t at = 0; at < len; at += 64) {
        struct classes64 x = classify(text + at);
        mask(&x, len - at);
        reserved |= x.reserved;
        word_put(c, at / 64, &x, &alnum_before, &carry);
    }
    c->reserved = reserved != 0;
}

/* ---- AVX2 ---- */

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

/* 0xff in each byte that is in [lo, lo + n]. */
AVX2 __m256i in_range32(__m256i bytes, char lo, char n)
{
    __m256i from_lo = _mm256_sub_epi8(bytes, _mm256_set1_epi8(lo));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(from_lo, _mm256_set1_epi8(n)), from_lo);
}

AVX2 uint64_t bits32(__m256i bytes)
{
    return (uint32_t)_mm256_movemask_epi8(bytes);
}

AVX2 void classify32(const char *text, unsigned shift, struct classes64 *x)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)text);
    __m256i small = _mm256_or_si256(v, _mm256_set1_epi8(0x20));
    x->letter |= bits32(in_range32(small, 'a', 'z' - 'a')) << shift;
    x->digit |= bits32(in_range32(v, '0', 9)) << shift;
    x->small_hex_letter |= bits32(in_range32(v, 'a', 'f' - 'a')) << shift;
    x->quote |= bits32(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'))) << shift;
    x->reserved |= bits32(_mm256_or_si256(in_range32(v, 0, 0x08), in_range32(v, 0x0e, 0x11 - 0x0e)))
                   << shift;
}

__attribute__((target("avx2"))) static void classes_avx2(struct cw_byte_classes *c,
                                                         const char *text, size_t len)
{
    uint64_t alnum_before = 0, reserved = 0;
    unsigned carry = 0;
    room(c, (len + 63) / 64);
    for (size_t at = 0; at < len; at += 64) {
        struct classes64 x = {0};
        classify32(text + at, 0, &x);
        classify32(text + at + 32, 32, &x);
        if (len - at < 64)
            mask(&x, len - at);
        reserved |= x.reserved;
        word_put(c, at / 64, &x, &alnum_before, &carry);
    }
    c->reserved = reserved != 0;
}

#endif

void cw_byte_classes_of(struct cw_byte_classes *c, const char *text, size_t len)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        classes_avx2(c, text, len);
        return;
    }
#endif
    cw_byte_classes_of_portable(c, text, len);
}
