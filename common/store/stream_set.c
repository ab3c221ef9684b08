/* stream_set.c - one bit a stream: 125 KB for a million, and no worse for any selector. */
#include "common/store/stream_set.h"

#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/assert.h"

static size_t nwords(const struct cw_stream_set *set)
{
    return ((size_t)set->n + 63) / 64;
}

void cw_stream_set_init(struct cw_stream_set *set, uint32_t n)
{
    *set = (struct cw_stream_set){.n = n};
    set->words = cw_mem_array(nwords(set) + 1, sizeof(*set->words));
}

void cw_stream_set_fini(struct cw_stream_set *set)
{
    free(set->words);
    *set = (struct cw_stream_set){0};
}

uint32_t cw_stream_set_count(const struct cw_stream_set *set)
{
    uint32_t n = 0;
    for (size_t i = 0; i < nwords(set); i++)
        n += (uint32_t)__builtin_popcountll(set->words[i]);
    return n;
}

/* The bits of word w that stand for first..last. */
static uint64_t word_mask(uint32_t w, uint32_t first, uint32_t last)
{
    uint64_t mask = UINT64_MAX;
    if (w == first / 64)
        mask &= UINT64_MAX << (first % 64);
    if (w == last / 64)
        mask &= UINT64_MAX >> (63 - last % 64);
    return mask;
}

bool cw_stream_set_any(const struct cw_stream_set *set, uint32_t first, uint32_t last)
{
    for (uint32_t w = first / 64; w <= last / 64; w++)
        if ((set->words[w] & word_mask(w, first, last)) != 0)
            return true;
    return false;
}

bool cw_stream_set_all(const struct cw_stream_set *set, uint32_t first, uint32_t last)
{
    for (uint32_t w = first / 64; w <= last / 64; w++)
        if ((~set->words[w] & word_mask(w, first, last)) != 0)
            return false;
    return true;
}

uint32_t cw_stream_set_next(const struct cw_stream_set *set, uint32_t from)
{
    if (from >= set->n)
        return set->n;
    size_t w = from / 64;
    uint64_t word = set->words[w] & UINT64_MAX << (from % 64);
    while (word == 0) {
        if (++w == nwords(set))
            return set->n;
        word = set->words[w];
    }
    return (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(word);
}

void cw_stream_set_add_run(struct cw_stream_set *set, uint32_t first, uint32_t len)
{
    uint32_t last = first + len - 1;
    for (uint32_t w = first / 64; w <= last / 64; w++)
        set->words[w] |= word_mask(w, first, last);
}

void cw_stream_set_add_members(struct cw_stream_set *set, const struct cw_stream_set *of,
                               uint32_t first, uint32_t last)
{
    for (uint32_t w = first / 64; w <= last / 64; w++)
        set->words[w] |= of->words[w] & word_mask(w, first, last);
}

void cw_stream_set_invert(struct cw_stream_set *set)
{
    for (size_t i = 0; i < nwords(set); i++)
        set->words[i] = ~set->words[i];
    if (set->n % 64 != 0)
        set->words[set->n / 64] &= (UINT64_C(1) << set->n % 64) - 1;
}

void cw_stream_set_and(struct cw_stream_set *set, const struct cw_stream_set *other)
{
    for (size_t i = 0; i < nwords(set); i++)
        set->words[i] &= other->words[i];
}
