#include "common/store/text_grams.h"

#include <string.h>

#include "common/base/assert.h"
#include "common/store/literal_plan.h"
#include "common/store/layout.h"

/* One bit in so many, at most, may be set in a bitmap that is halved; and in one that is of use at all. */
enum { FULL_SHARE = 4, USELESS_SHARE = 2 };

static unsigned char small_letter(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Bit of a gram in the largest bitmap; in one that was halved it is this modulo its size. */
static uint32_t place_of(uint32_t gram)
{
    _Static_assert(CW_TEXT_GRAMS_BITS_MAX == 1u << (32 - 14), "the shift gives as many places");
    return gram * UINT32_C(0x9e3779b1) >> 14;
}

static uint32_t gram_of(const unsigned char *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

static uint32_t count_bits(const uint64_t *bits, uint32_t nbits)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < nbits / 64; i++)
        n += (uint32_t)__builtin_popcountll(bits[i]);
    return n;
}

/* Grams that cross a string's end, or hold a slot, are set too: nobody asks for those, and to leave them out would cost more. */
static void bits_set(uint64_t *bits, struct cw_str text)
{
    unsigned char small[4096];
    enum { STEP = sizeof(small) - (CW_TEXT_GRAM_BYTES - 1) };
    for (size_t from = 0; from + CW_TEXT_GRAM_BYTES <= text.len; from += STEP) {
        size_t n = CW_MIN(text.len - from, sizeof(small));
        for (size_t i = 0; i < n; i++)
            small[i] = small_letter((unsigned char)text.ptr[from + i]);
        for (size_t i = 0; i + CW_TEXT_GRAM_BYTES <= n; i++) {
            uint32_t at = place_of(gram_of(small + i));
            bits[at / 64] |= UINT64_C(1) << at % 64;
        }
    }
}

struct cw_text_grams *cw_text_grams_new(struct cw_str text, bool raw)
{
    uint64_t bits[CW_TEXT_GRAMS_BITS_MAX / 64];
    uint32_t nbits = CW_TEXT_GRAMS_BITS_MAX, nset = nbits;
    if (!raw) {
        memset(bits, 0, sizeof(bits));
        bits_set(bits, text);
        nset = count_bits(bits, nbits);
    }
    if (nset > nbits / USELESS_SHARE)
        nbits = 0;
    /* Halved, it has at most as many bits set. */
    while (nbits > 64 && nset <= nbits / 2 / FULL_SHARE) {
        nbits /= 2;
        for (uint32_t i = 0; i < nbits / 64; i++)
            bits[i] |= bits[nbits / 64 + i];
        nset = count_bits(bits, nbits);
    }
    struct cw_text_grams *grams = cw_cached_new(sizeof(*grams) + nbits / 8);
    grams->nbits = nbits;
    memcpy(grams->bits, bits, nbits / 8);
    return grams;
}

/* ---- what is asked ---- */

struct bitmap {
    const uint64_t *bits;
    uint32_t nbits;
};

static bool may_hold(struct bitmap map, struct cw_str text)
{
    for (size_t i = 0; i + CW_TEXT_GRAM_BYTES <= text.len; i++) {
        unsigned char small[CW_TEXT_GRAM_BYTES];
        for (size_t k = 0; k < sizeof(small); k++)
            small[k] = small_letter((unsigned char)text.ptr[i + k]);
        uint32_t at = place_of(gram_of(small)) & (map.nbits - 1);
        if ((map.bits[at / 64] >> at % 64 & 1) == 0)
            return false;
    }
    return true;
}

static bool holds_reserved(struct cw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (cw_slot_reserved((unsigned char)text.ptr[i]))
            return true;
    return false;
}

/* May a line of templates hold the literal? One with a byte that is reserved is in RAW lines alone. */
static bool may_hold_literal(struct bitmap map, struct cw_str text)
{
    struct cw_str pieces[CW_LITERAL_NEEDLES_MAX];
    size_t n = cw_literal_pieces(text, pieces);
    for (size_t i = 0; i < n; i++)
        if (!may_hold(map, pieces[i]))
            return false;
    return !holds_reserved(text);
}

static bool may_hold_operand(struct bitmap map, const struct cw_line_operand *operand)
{
    for (size_t i = 0; i < operand->nliterals; i++)
        if (!may_hold_literal(map, operand->literals[i].text))
            return false;
    return true;
}

static bool may_pass_filter(struct bitmap map, const struct cw_line_filter *filter)
{
    size_t n = cw_line_filter_noperands(filter);
    bool may = cw_line_filter_negated(filter) || n == 0;
    for (size_t i = 0; i < n && !may; i++) {
        struct cw_line_operand operand;
        cw_line_filter_operand(filter, i, &operand);
        may = may_hold_operand(map, &operand);
    }
    return may;
}

static bool may_pass(struct bitmap map, const struct cw_line_filter *const *filters,
                     size_t nfilters)
{
    if (map.nbits == 0)
        return true;
    for (size_t i = 0; i < nfilters; i++)
        if (!may_pass_filter(map, filters[i]))
            return false;
    return true;
}

static struct bitmap map_of(const struct cw_text_grams *grams)
{
    return (struct bitmap){grams->bits, grams->nbits};
}

bool cw_text_grams_may_hold(const struct cw_text_grams *grams, struct cw_str text)
{
    return grams->nbits == 0 || may_hold(map_of(grams), text);
}

bool cw_text_grams_may_pass(const struct cw_text_grams *grams,
                            const struct cw_line_filter *const *filters, size_t nfilters)
{
    return may_pass(map_of(grams), filters, nfilters);
}

bool cw_text_grams_can_tell(const struct cw_line_filter *const *filters, size_t nfilters)
{
    static const uint64_t none = 0; /* no gram at all */
    return !may_pass((struct bitmap){&none, 64}, filters, nfilters);
}
