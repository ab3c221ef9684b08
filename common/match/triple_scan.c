#include "common/match/triple_scan.h"

#include <string.h>

#include "common/base/assert.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static unsigned groups_at(const struct cw_triple_scan *scan, unsigned place, char byte)
{
    unsigned char c = (unsigned char)byte;
    return scan->low[place][c & 15] & scan->high[place][c >> 4];
}

static uint64_t block_plain(const struct cw_triple_scan *scan, struct cw_str text, size_t from)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < CW_TRIPLE_BLOCK && from + i + CW_TRIPLE_PLACES <= text.len; i++) {
        const char *at = text.ptr + from + i;
        if (groups_at(scan, 0, at[0]) & groups_at(scan, 1, at[1]) & groups_at(scan, 2, at[2]))
            bits |= UINT64_C(1) << i;
    }
    return bits;
}

#if defined(__x86_64__)

enum { STEP = 32, REACH = CW_TRIPLE_BLOCK + CW_TRIPLE_PLACES - 1 };

__attribute__((target("avx2"), always_inline)) static inline __m256i avx2_table(
    const unsigned char table[16])
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)table));
}

__attribute__((target("avx2"), always_inline)) static inline __m256i avx2_groups(const char *at,
                                                                                 __m256i low,
                                                                                 __m256i high)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)at);
    __m256i lows = _mm256_shuffle_epi8(low, _mm256_and_si256(bytes, nibble));
    __m256i highs =
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
    return _mm256_and_si256(lows, highs);
}

/* Bit i: at + i may match. */
__attribute__((target("avx2"), always_inline)) static inline uint32_t avx2_hits(
    const char *at, const __m256i low[CW_TRIPLE_PLACES], const __m256i high[CW_TRIPLE_PLACES])
{
    __m256i groups = avx2_groups(at, low[0], high[0]);
    groups = _mm256_and_si256(groups, avx2_groups(at + 1, low[1], high[1]));
    groups = _mm256_and_si256(groups, avx2_groups(at + 2, low[2], high[2]));
    __m256i none = _mm256_cmpeq_epi8(groups, _mm256_setzero_si256());
    return ~(uint32_t)_mm256_movemask_epi8(none);
}

__attribute__((target("avx2"))) static uint64_t block_avx2(const struct cw_triple_scan *scan,
                                                           struct cw_str text, size_t from)
{
    __m256i low[CW_TRIPLE_PLACES], high[CW_TRIPLE_PLACES];
    char end[REACH + STEP] = {0};
    size_t left = text.len - from;
    if (left < CW_TRIPLE_PLACES)
        return 0;
    const char *at = text.ptr + from;
    uint64_t wanted = UINT64_MAX;
    if (left < REACH) { /* only so many positions are there; what is behind them is not looked at */
        memcpy(end, at, left);
        at = end;
        wanted >>= REACH - left;
    }
    for (unsigned i = 0; i < CW_TRIPLE_PLACES; i++) {
        low[i] = avx2_table(scan->low[i]);
        high[i] = avx2_table(scan->high[i]);
    }
    uint64_t bits = avx2_hits(at, low, high);
    if (wanted >> STEP != 0)
        bits |= (uint64_t)avx2_hits(at + STEP, low, high) << STEP;
    return bits & wanted;
}

#endif

void cw_triple_scan_init(struct cw_triple_scan *scan)
{
    memset(scan, 0, sizeof(*scan));
    if (!cw_triple_scan_use(scan, CW_TRIPLE_SCAN_AVX2))
        cw_triple_scan_use(scan, CW_TRIPLE_SCAN_PLAIN);
}

void cw_triple_scan_add(struct cw_triple_scan *scan, unsigned place, unsigned group,
                        struct cw_str bytes)
{
    CW_ASSERT(place < CW_TRIPLE_PLACES && group < CW_TRIPLE_GROUPS);
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        scan->low[place][c & 15] |= (unsigned char)(1u << group);
        scan->high[place][c >> 4] |= (unsigned char)(1u << group);
    }
}

bool cw_triple_scan_use(struct cw_triple_scan *scan, enum cw_triple_scan_way way)
{
    if (way == CW_TRIPLE_SCAN_PLAIN) {
        scan->block = block_plain;
        return true;
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        scan->block = block_avx2;
        return true;
    }
#endif
    return false;
}
