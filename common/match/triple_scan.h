/*
 * triple_scan.h - where may three bytes in a row be of interest, at the speed of memory?
 *
 * Each of the three places has a set of bytes in each of up to eight groups; a position may match when one group has all three.
 * A set is kept as two tables by nibble, so it may hold a few bytes more than it was given: whoever asks compares for himself.
 * 64 positions at a time, 32 of them a step with AVX2 where the machine has it.
 *
 * Threads    Read-only once its bytes are added; shared freely.
 */
#ifndef CW_MATCH_TRIPLE_SCAN_H
#define CW_MATCH_TRIPLE_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/str.h"

enum { CW_TRIPLE_PLACES = 3, CW_TRIPLE_GROUPS = 8, CW_TRIPLE_BLOCK = 64 };

struct cw_triple_scan;
typedef uint64_t (*cw_triple_scan_fn)(const struct cw_triple_scan *scan, struct cw_str text,
                                      size_t from);

struct cw_triple_scan {
    /* Bit g: some byte with this nibble is in the set of group g. */
    unsigned char low[CW_TRIPLE_PLACES][16], high[CW_TRIPLE_PLACES][16];
    cw_triple_scan_fn block;
};

/* Nothing matches yet. */
void cw_triple_scan_init(struct cw_triple_scan *scan);
/* Any of the bytes may stand at `place` in a match of `group`. */
void cw_triple_scan_add(struct cw_triple_scan *scan, unsigned place, unsigned group,
                        struct cw_str bytes);

/* A walk over the positions where three bytes may match, first to last. */
struct cw_triple_walk {
    const struct cw_triple_scan *scan; /* borrowed, as is the text */
    struct cw_str text;
    size_t from;   /* of the block */
    uint64_t bits; /* of it that are still to be told */
};

static inline struct cw_triple_walk cw_triple_walk_make(const struct cw_triple_scan *scan,
                                                        struct cw_str text)
{
    return (struct cw_triple_walk){scan, text, 0, scan->block(scan, text, 0)};
}
/* False: there is none any more. */
static inline bool cw_triple_walk_next(struct cw_triple_walk *walk, size_t *at_out)
{
    while (walk->bits == 0) {
        if (walk->text.len <= walk->from + CW_TRIPLE_BLOCK)
            return false;
        walk->from += CW_TRIPLE_BLOCK;
        walk->bits = walk->scan->block(walk->scan, walk->text, walk->from);
    }
    *at_out = walk->from + (size_t)__builtin_ctzll(walk->bits);
    walk->bits &= walk->bits - 1;
    return true;
}

/* The ways to scan, for tests: init picks the best of them. */
enum cw_triple_scan_way { CW_TRIPLE_SCAN_PLAIN, CW_TRIPLE_SCAN_AVX2 };
/* False when this machine does not have it. */
bool cw_triple_scan_use(struct cw_triple_scan *scan, enum cw_triple_scan_way way);

#endif
