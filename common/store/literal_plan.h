/*
 * literal_plan.h - what is known of a literal before any block is seen: in which slots its bytes may stand, and which parts of it
 * must stand in TEXT, each in one piece.
 *
 * A run of the literal with a letter that no hex value has lies in one run of the line, so in a template's text or in one string:
 * such a run is in TEXT. So is a longer piece: such runs without digits (so whole runs of the line) with the separators between and
 * around them lie in a template's text or between two quotes.
 *
 * Ownership  Borrows the literal; the rest lives in the arena that was given.
 */
#ifndef CW_STORE_LITERAL_PLAN_H
#define CW_STORE_LITERAL_PLAN_H
#include <stdbool.h>
#include <stdint.h>
#include "common/base/arena.h"
#include "common/match/text_search.h"

enum { CW_LITERAL_NEEDLES_MAX = 4 };

struct cw_literal_plan {
    struct cw_str text; /* small letters when `nocase` */
    bool nocase;
    bool reserved;         /* it holds a byte that only RAW lines do */
    const uint32_t *types; /* of each byte: in values of which slots it may stand (1 << type) */
    /* What must be in TEXT: the longest pieces, the longest first. */
    struct cw_text_search needles[CW_LITERAL_NEEDLES_MAX];
    size_t nneedles;
};

/* Those pieces alone, the longest first; returns how many. With `nocase` the text's letters are small. */
size_t cw_literal_pieces(struct cw_str text, struct cw_str out[CW_LITERAL_NEEDLES_MAX]);

void cw_literal_plan_init(struct cw_literal_plan *plan, struct cw_str text, bool nocase,
                          struct cw_arena *arena);

#endif
