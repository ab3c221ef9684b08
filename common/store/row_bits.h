/*
 * row_bits.h - a set of rows, a bit each, in words of 64. Rows are numbered from 0; `n` and `to` stand behind the last.
 *
 * Errors     None. Bits behind the last row of the last word must be 0 for cw_bits_count() and cw_bits_any().
 */
#ifndef CW_STORE_ROW_BITS_H
#define CW_STORE_ROW_BITS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/assert.h"

static inline uint32_t cw_bits_count(const uint64_t *bits, uint32_t n)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i += 64)
        count += (uint32_t)__builtin_popcountll(bits[i / 64]);
    return count;
}
static inline bool cw_bits_any(const uint64_t *bits, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += 64)
        if (bits[i / 64] != 0)
            return true;
    return false;
}
static inline void cw_bits_set(uint64_t *bits, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to;) {
        uint32_t m = 64 - i % 64 < to - i ? 64 - i % 64 : to - i;
        bits[i / 64] |= (m == 64 ? UINT64_MAX : (UINT64_C(1) << m) - 1) << (i % 64);
        i += m;
    }
}
/* The first bit from i on that is set; `end` if none before it is. */
static inline uint32_t cw_bits_next(const uint64_t *bits, uint32_t i, uint32_t end)
{
    while (i < end) {
        uint64_t word = bits[i / 64] >> (i % 64);
        if (word != 0)
            return CW_MIN(i + (uint32_t)__builtin_ctzll(word), end);
        i += 64 - i % 64;
    }
    return end;
}
/* The set bits of from .. to - 1, each plus `add`, ascending; how many there are. */
static inline size_t cw_bits_list(const uint64_t *bits, uint32_t from, uint32_t to, uint32_t add,
                                  uint32_t *out)
{
    size_t n = 0;
    for (uint32_t i = from, m; i < to; i += m) {
        m = CW_MIN(64 - i % 64, to - i);
        uint64_t word = bits[i / 64] >> (i % 64);
        if (m < 64)
            word &= (UINT64_C(1) << m) - 1;
        if (word == UINT64_MAX) {
            for (uint32_t j = 0; j < 64; j++)
                out[n++] = add + i + j;
            continue;
        }
        for (; word != 0; word &= word - 1)
            out[n++] = add + i + (uint32_t)__builtin_ctzll(word);
    }
    return n;
}

#endif
