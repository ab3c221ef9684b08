/* Where numbers and addresses may be: classes of bytes as bit masks, 64 bytes a word, combined by shifts. */
#include "common/pipeline/redact_priv.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* PLUS: '%' too, for in a URL a '+' is an escape like others. */
enum byte_class { DIGIT, UPPER, HEX, DOT, COLON, AT, PLUS, DASH, SPACE, CLOSE };
_Static_assert(CLOSE + 1 == CW_MASK_CLASSES, "a word for each class");

static const char singles[CW_MASK_CLASSES] = {
    [DOT] = '.',  [COLON] = ':', [AT] = '@',    [PLUS] = '+',
    [DASH] = '-', [SPACE] = ' ', [CLOSE] = ')',
};

/* A block and what is known of the one behind it; masks that are shifted down stay right in the low word. */
typedef unsigned __int128 wide;

#if defined(__SSE2__)

static uint64_t mask_of(__m128i hits)
{
    return (uint64_t)(unsigned)_mm_movemask_epi8(hits);
}

/* Bytes from `low` on, `n` of them. */
static __m128i in_range(__m128i bytes, char low, char n)
{
    __m128i off = _mm_sub_epi8(bytes, _mm_set1_epi8(low));
    return _mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8((char)(n - 1))), off);
}

static void classify(const char *at, uint64_t out[CW_MASK_CLASSES])
{
    for (unsigned i = 0; i < CW_MASK_BLOCK; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(at + i));
        __m128i digits = in_range(bytes, '0', 10);
        __m128i small = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
        out[DIGIT] |= mask_of(digits) << i;
        out[UPPER] |= mask_of(in_range(bytes, 'A', 26)) << i;
        out[HEX] |= mask_of(_mm_or_si128(digits, in_range(small, 'a', 6))) << i;
        for (unsigned c = DOT; c < CW_MASK_CLASSES; c++) {
            __m128i hits = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(singles[c]));
            if (c == PLUS)
                hits = _mm_or_si128(hits, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')));
            out[c] |= mask_of(hits) << i;
        }
    }
}

#else

static void classify(const char *at, uint64_t out[CW_MASK_CLASSES])
{
    for (unsigned i = 0; i < CW_MASK_BLOCK; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (cw_is_digit(at[i]))
            out[DIGIT] |= bit;
        if (cw_is_upper(at[i]))
            out[UPPER] |= bit;
        if (cw_str_hex_digit(at[i]) >= 0)
            out[HEX] |= bit;
        for (unsigned c = DOT; c < CW_MASK_CLASSES; c++) {
            if (at[i] == singles[c] || (c == PLUS && at[i] == '%'))
                out[c] |= bit;
        }
    }
}

#endif

/* Of the block at `from`, which may end behind the line, or begin there. */
static void classify_line(struct cw_str line, size_t from, uint64_t out[CW_MASK_CLASSES])
{
    char end[CW_MASK_BLOCK] = {0};
    memset(out, 0, CW_MASK_CLASSES * sizeof *out);
    if (from >= line.len)
        return;
    if (line.len - from >= CW_MASK_BLOCK) {
        classify(line.ptr + from, out);
        return;
    }
    memcpy(end, line.ptr + from, line.len - from);
    classify(end, out);
}

/* Those of `bits` that have another one `low` to `high` places on. */
static wide followed(wide bits, unsigned low, unsigned high)
{
    wide next = 0;
    for (unsigned i = low; i <= high; i++)
        next |= bits >> i;
    return bits & next;
}

static wide phones(wide three, wide four, wide joint, wide close, wide space)
{
    wide plain = three & (joint | close) >> 3 & three >> 4 & joint >> 7 & four >> 8;
    wide spaced = three & close >> 3 & space >> 4 & three >> 5 & joint >> 8 & four >> 9;
    return plain | spaced;
}

static void combine(struct cw_mask_walk *walk)
{
    wide is[CW_MASK_CLASSES];
    const uint64_t *here = walk->classes[walk->turn], *next = walk->classes[walk->turn ^ 1];
    for (unsigned c = 0; c < CW_MASK_CLASSES; c++)
        is[c] = (wide)next[c] << 64 | here[c];
    wide digit = is[DIGIT], after_digit = digit << 1 | walk->digit_before;
    wide two = digit & digit >> 1, three = two & digit >> 2, four = two & two >> 2;
    wide number = digit | is[SPACE] | is[DASH];
    wide run = number & number >> 1;
    run &= run >> 2;
    run &= run >> 4; /* eight of them */
    run &= run >> 5; /* thirteen: the shortest card number */
    wide dots = is[DOT] & after_digit & digit >> 1;
    wide colons = is[COLON] & (is[HEX] << 1 | walk->hex_before) & is[HEX] >> 1;
    wide groups = followed(followed(followed(colons, 2, 5), 2, 5), 2, 5);
    wide phone = phones(three, four, is[DASH] | is[DOT], is[CLOSE], is[SPACE]) & ~after_digit;
    wide ssn = three & is[DASH] >> 3 & two >> 4 & is[DASH] >> 6 & four >> 7;

    wide plus = is[PLUS] & digit >> 1;
    walk->out[CW_DETECT_EMAIL] = (uint64_t)(is[AT] | (plus & digit >> 2));
    walk->out[CW_DETECT_CARD] = (uint64_t)(four & run & ~after_digit);
    walk->out[CW_DETECT_IBAN] = (uint64_t)(is[UPPER] & is[UPPER] >> 1 & two >> 2);
    walk->out[CW_DETECT_PHONE] = (uint64_t)(phone | plus);
    walk->out[CW_DETECT_IPV4] = (uint64_t)followed(followed(dots, 2, 4), 2, 4);
    walk->out[CW_DETECT_IPV6] = (uint64_t)(groups | (is[COLON] & is[COLON] >> 1));
    walk->out[CW_DETECT_SSN] = (uint64_t)(ssn & ~after_digit);
    uint64_t any = 0;
    for (unsigned d = 0; d < CW_DETECT_NBY_MASK; d++)
        any |= walk->out[d];
    walk->any = any != 0;
    walk->digit_before = here[DIGIT] >> 63;
    walk->hex_before = here[HEX] >> 63;
}

static void load(struct cw_mask_walk *walk)
{
    classify_line(walk->line, walk->from + CW_MASK_BLOCK, walk->classes[walk->turn ^ 1]);
    combine(walk);
}

void cw_mask_walk_init(struct cw_mask_walk *walk, struct cw_str line)
{
    *walk = (struct cw_mask_walk){.line = line};
    classify_line(line, 0, walk->classes[0]);
    load(walk);
}

bool cw_mask_walk_next(struct cw_mask_walk *walk)
{
    if (walk->line.len - walk->from <= CW_MASK_BLOCK)
        return false;
    walk->from += CW_MASK_BLOCK;
    walk->turn ^= 1;
    load(walk);
    return true;
}
