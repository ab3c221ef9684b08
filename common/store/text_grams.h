/*
 * text_grams.h - which three bytes stand side by side in a block's TEXT: a bitmap of a few percent of its size, kept for more blocks than TEXT
 * itself can be. Of a text that is in few blocks, or nowhere, it tells most of those that lack it before anything of them is read.
 *
 * It errs on one side only: of what TEXT holds, case aside, it never says that it does not. Where it cannot tell (the block has RAW
 * lines, whose bytes are not in TEXT; TEXT is so varied that most bits are set) there is no bitmap, and nothing is ruled out.
 *
 * Measured on the 13-system corpus: 4.4 different grams per 100 bytes of TEXT and 3.4 % of its size; with four bytes to a gram 9.6 and 7.7 %, no
 * more selective on words of five letters and longer, and blind for those of three.
 *
 * Ownership  One heap block behind its struct cw_cached (part_cache.h).
 * Threads    It does not change once it is made.
 */
#ifndef CW_STORE_TEXT_GRAMS_H
#define CW_STORE_TEXT_GRAMS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"
#include "common/match/line_filter.h"
#include "common/store/part_cache.h"

enum { CW_TEXT_GRAM_BYTES = 3 };
/* Of the bitmap: 32 KiB. More than twice the grams of any block of the corpus fit before it is too full. */
#define CW_TEXT_GRAMS_BITS_MAX (1u << 18)

struct cw_text_grams {
    struct cw_cached base; /* first */
    uint32_t nbits;        /* a power of two, or 0: there is no bitmap */
    uint64_t bits[];
};

/* Of a block's TEXT; `raw`: it has RAW lines. Release it with cw_cached_unref(&grams->base). */
struct cw_text_grams *cw_text_grams_new(struct cw_str text, bool raw);

/* May TEXT hold the text? */
bool cw_text_grams_may_hold(const struct cw_text_grams *grams, struct cw_str text);

/* May a line of the block pass all filters? */
bool cw_text_grams_may_pass(const struct cw_text_grams *grams,
                            const struct cw_line_filter *const *filters, size_t nfilters);
/* Is there a block of which that would not be so: is it of use to have grams? */
bool cw_text_grams_can_tell(const struct cw_line_filter *const *filters, size_t nfilters);

#endif
