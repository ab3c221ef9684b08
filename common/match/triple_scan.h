/*
 * triple_scan.h - where may three bytes in a row be of interest, at the speed of memory?
 *
 * Each of the three places has a set of bytes in each of up to eight groups; a position may match when one group has all three.
 * A set is kept as two tables by nibble, so it may hold a few bytes more than it was given: whoever asks compares for himself.
 * 32 positions at a time with AVX2 where the machine has it.
 *
 * Threads    Read-only once its bytes are added; shared freely.
 */
#ifndef CW_MATCH_TRIPLE_SCAN_H
#define CW_MATCH_TRIPLE_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include "common/base/str.h"

enum { CW_TRIPLE_PLACES = 3, CW_TRIPLE_GROUPS = 8 };

struct cw_triple_scan;
typedef size_t (*cw_triple_scan_fn)(const struct cw_triple_scan *scan, struct cw_str text,
                                    size_t from);

struct cw_triple_scan {
    /* Bit g: some byte with this nibble is in the set of group g. */
    unsigned char low[CW_TRIPLE_PLACES][16], high[CW_TRIPLE_PLACES][16];
    cw_triple_scan_fn find;
};

/* Nothing matches yet. */
void cw_triple_scan_init(struct cw_triple_scan *scan);
/* Any of the bytes may stand at `place` in a match of `group`. */
void cw_triple_scan_add(struct cw_triple_scan *scan, unsigned place, unsigned group,
                        struct cw_str bytes);

/* The first position from `from` on where three bytes may match; text.len: there is none. */
static inline size_t cw_triple_scan_find(const struct cw_triple_scan *scan, struct cw_str text,
                                         size_t from)
{
    return scan->find(scan, text, from);
}

/* The ways to scan, for tests: init picks the best of them. */
enum cw_triple_scan_way { CW_TRIPLE_SCAN_PLAIN, CW_TRIPLE_SCAN_AVX2 };
/* False when this machine does not have it. */
bool cw_triple_scan_use(struct cw_triple_scan *scan, enum cw_triple_scan_way way);

#endif
