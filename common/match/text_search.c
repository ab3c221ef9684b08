#include "common/match/text_search.h"

#include "common/base/assert.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* How rare a byte is in logs: higher is rarer. Digits and lower case letters fill most lines; spaces, and what separates
 * fields, are in every one. */
static unsigned rarity(unsigned char c, bool nocase)
{
    static const char common[] =
        " etaoinrsl0123-.:/=\"dcump_hgf456789,TbyvwkEI[]AS"; /* most frequent first */
    if (nocase && c >= 'a' && c <= 'z') /* both cases count: take it for one step more frequent */
        return rarity(c, false) / 2;
    const char *at = c != 0 ? strchr(common, c) : NULL;
    if (at != NULL)
        return (unsigned)(at - common) + 1;
    return c >= 'A' && c <= 'z' ? 100 : c < 0x80 ? 90 : 80;
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool is_letter(unsigned char c)
{
    return c >= 'a' && c <= 'z';
}

static bool equal_at(const struct cw_text_search *search, const char *at)
{
    if (!search->nocase)
        return memcmp(at, search->needle.ptr, search->needle.len) == 0;
    for (size_t i = 0; i < search->needle.len; i++)
        if (lower((unsigned char)at[i]) != (unsigned char)search->needle.ptr[i])
            return false;
    return true;
}

/* Candidates that start in [from, last]. */
static const char *find_plain_from(const struct cw_text_search *search, const char *from,
                                   const char *last)
{
    for (; from <= last; from++) {
        if (((unsigned char)from[search->off[0]] | search->mask[0]) == search->byte[0] &&
            ((unsigned char)from[search->off[1]] | search->mask[1]) == search->byte[1] &&
            equal_at(search, from))
            return from;
    }
    return NULL;
}

static const char *find_plain(const struct cw_text_search *search, const char *text, size_t len)
{
    if (len < search->needle.len)
        return NULL;
    return find_plain_from(search, text, text + (len - search->needle.len));
}

static const char *find_empty(const struct cw_text_search *search, const char *text, size_t len)
{
    return text != NULL ? text : ""; /* found, even in a text that is nowhere */
}

#if defined(__x86_64__)

/* Walk the set bits: bit i is a candidate at base + i. */
static const char *confirm(const struct cw_text_search *search, const char *base, uint32_t bits)
{
    for (; bits != 0; bits &= bits - 1) {
        const char *at = base + __builtin_ctz(bits);
        if (equal_at(search, at))
            return at;
    }
    return NULL;
}

static const char *find_sse2(const struct cw_text_search *search, const char *text, size_t len)
{
    if (len < search->needle.len)
        return NULL;
    const char *last = text + (len - search->needle.len), *at = text;
    const __m128i byte0 = _mm_set1_epi8((char)search->byte[0]);
    const __m128i byte1 = _mm_set1_epi8((char)search->byte[1]);
    const __m128i mask0 = _mm_set1_epi8((char)search->mask[0]);
    const __m128i mask1 = _mm_set1_epi8((char)search->mask[1]);
    const size_t off0 = search->off[0], off1 = search->off[1];
    for (; last - at >= 15; at += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(at + off0));
        __m128i b = _mm_loadu_si128((const __m128i *)(at + off1));
        __m128i hit = _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(a, mask0), byte0),
                                    _mm_cmpeq_epi8(_mm_or_si128(b, mask1), byte1));
        uint32_t bits = (uint32_t)_mm_movemask_epi8(hit);
        if (__builtin_expect(bits != 0, 0)) {
            const char *found = confirm(search, at, bits);
            if (found != NULL)
                return found;
        }
    }
    return find_plain_from(search, at, last);
}

/* 32 places whose rare bytes may agree. `fold`: a constant, so that the exact search pays nothing for the masks. */
__attribute__((target("avx2"), always_inline)) static inline __m256i avx2_hits(
    const char *at, const struct cw_text_search *search, __m256i byte0, __m256i byte1,
    __m256i mask0, __m256i mask1, bool fold)
{
    __m256i a = _mm256_loadu_si256((const __m256i *)(at + search->off[0]));
    __m256i b = _mm256_loadu_si256((const __m256i *)(at + search->off[1]));
    if (fold) {
        a = _mm256_or_si256(a, mask0);
        b = _mm256_or_si256(b, mask1);
    }
    return _mm256_and_si256(_mm256_cmpeq_epi8(a, byte0), _mm256_cmpeq_epi8(b, byte1));
}

/* Bytes. Text that is in no cache is asked for this far ahead: by itself the processor looks ahead to the end of a page and no further. */
enum { AHEAD = 1024 };

__attribute__((target("avx2"), always_inline)) static inline const char *find_avx2_way(
    const struct cw_text_search *search, const char *text, size_t len, bool fold)
{
    if (len < search->needle.len)
        return NULL;
    const char *last = text + (len - search->needle.len), *at = text;
    const __m256i byte0 = _mm256_set1_epi8((char)search->byte[0]);
    const __m256i byte1 = _mm256_set1_epi8((char)search->byte[1]);
    const __m256i mask0 = _mm256_set1_epi8((char)search->mask[0]);
    const __m256i mask1 = _mm256_set1_epi8((char)search->mask[1]);
    for (; last - at >= 127; at += 128) { /* four at a time: one branch for 128 bytes */
        __m256i h[4];
        __builtin_prefetch(at + AHEAD);
        __builtin_prefetch(at + AHEAD + 64);
        for (int i = 0; i < 4; i++)
            h[i] = avx2_hits(at + 32 * i, search, byte0, byte1, mask0, mask1, fold);
        __m256i any = _mm256_or_si256(_mm256_or_si256(h[0], h[1]), _mm256_or_si256(h[2], h[3]));
        if (__builtin_expect(_mm256_testz_si256(any, any), 1))
            continue;
        for (int i = 0; i < 4; i++) {
            uint32_t bits = (uint32_t)_mm256_movemask_epi8(h[i]);
            const char *found = bits != 0 ? confirm(search, at + 32 * i, bits) : NULL;
            if (found != NULL)
                return found;
        }
    }
    for (; last - at >= 31; at += 32) {
        uint32_t bits =
            (uint32_t)_mm256_movemask_epi8(avx2_hits(at, search, byte0, byte1, mask0, mask1, fold));
        const char *found = bits != 0 ? confirm(search, at, bits) : NULL;
        if (found != NULL)
            return found;
    }
    return find_plain_from(search, at, last);
}

__attribute__((target("avx2"))) static const char *find_avx2(const struct cw_text_search *search,
                                                             const char *text, size_t len)
{
    return find_avx2_way(search, text, len, false);
}

__attribute__((target("avx2"))) static const char *find_avx2_fold(
    const struct cw_text_search *search, const char *text, size_t len)
{
    return find_avx2_way(search, text, len, true);
}

#endif

bool cw_text_search_use(struct cw_text_search *search, enum cw_text_search_way way)
{
    cw_text_search_fn find = NULL;
    if (search->needle.len == 0)
        find = find_empty;
    else if (way == CW_TEXT_SEARCH_PLAIN)
        find = find_plain;
#if defined(__x86_64__)
    else if (way == CW_TEXT_SEARCH_SSE2)
        find = find_sse2; /* part of every x86-64 */
    else if (way == CW_TEXT_SEARCH_AVX2 && __builtin_cpu_supports("avx2"))
        find = search->mask[0] | search->mask[1] ? find_avx2_fold : find_avx2;
#endif
    if (find != NULL)
        search->find = find;
    return find != NULL;
}

/* The two rarest bytes; where two are as rare, those further apart say more. */
static void choose_bytes(struct cw_text_search *search)
{
    size_t best[2] = {0, 0};
    unsigned score[2] = {0, 0};
    for (size_t i = 0; i < search->needle.len; i++) {
        unsigned r = rarity((unsigned char)search->needle.ptr[i], search->nocase);
        if (r > score[0]) {
            best[1] = best[0], score[1] = score[0];
            best[0] = i, score[0] = r;
        } else if (r > score[1] && search->needle.ptr[i] != search->needle.ptr[best[0]]) {
            best[1] = i, score[1] = r;
        }
    }
    if (score[1] == 0) /* one byte, or the same one again and again */
        best[1] = best[0] == 0 ? search->needle.len - 1 : 0;
    search->off[0] = CW_MIN(best[0], best[1]);
    search->off[1] = CW_MAX(best[0], best[1]);
    for (int i = 0; i < 2; i++) {
        search->byte[i] = (unsigned char)search->needle.ptr[search->off[i]];
        search->mask[i] = search->nocase && is_letter(search->byte[i]) ? 0x20 : 0;
    }
}

void cw_text_search_init(struct cw_text_search *search, struct cw_str needle, bool nocase)
{
    *search = (struct cw_text_search){.needle = needle, .nocase = nocase};
    if (needle.len > 0)
        choose_bytes(search);
    for (int way = CW_TEXT_SEARCH_AVX2; !cw_text_search_use(search, (enum cw_text_search_way)way);)
        way--;
}
