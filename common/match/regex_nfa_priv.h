/*
 * regex_nfa_priv.h - the program of regex_nfa.h, for what runs it: regex_nfa.c and regex_dfa.c.
 */
#ifndef CW_MATCH_REGEX_NFA_PRIV_H
#define CW_MATCH_REGEX_NFA_PRIV_H
#include "common/match/regex_nfa.h"

enum inst_op {
    INST_RUNE,
    INST_FOLDED_RUNE,
    INST_CLASS,
    INST_ANY,
    INST_ANY_NOT_NL,
    INST_FAIL,
    INST_SPLIT, /* x is preferred; what is before it takes a rune */
    INST_JUMP,
    INST_SAVE,
    INST_ASSERT, /* x: the enum cw_re_op */
    INST_MATCH,
};

struct inst {
    enum inst_op op;
    uint32_t x, y; /* next states; x is the rune, slot or assertion where y is the next */
    const struct cw_rune_range *ranges;
    size_t nranges;
};

struct cw_nfa {
    struct inst *insts;
    uint32_t n, cap;
    unsigned ngroups; /* with group 0 */
};

struct place {
    size_t off;
    uint32_t before, after; /* runes; UINT32_MAX at the ends */
};

bool nfa_assertion_holds(uint32_t assertion, const struct place *place);
/* Of what takes a rune. */
bool nfa_takes(const struct inst *inst, uint32_t rune);
/* The rune that ends at `off`; UINT32_MAX at the beginning. */
uint32_t nfa_rune_before(struct cw_str text, size_t off);

#endif
