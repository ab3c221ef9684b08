/*
 * regex_literal.h - what can be said of a regular expression without running it: literals that every match holds, the
 * alternatives when there is nothing but literals, and whether it matches the empty text.
 *
 * Ownership  Texts live in the arena that was given.
 */
#ifndef CW_MATCH_REGEX_LITERAL_H
#define CW_MATCH_REGEX_LITERAL_H
#include "common/match/regex.h"
#include "common/match/regex_syntax.h"

/* Literals of an expression that are kept: each costs its search, and few tell as much as many. */
enum { CW_RE_LITERALS_MAX = 8 };

struct cw_re_facts {
    bool matches_empty;
    /* What is repeated may match nothing: there Perl prefers another match than Go (whether there is one is the same). */
    bool empty_loop;
    /* The longest text that is in every match; empty: none known. Up to ASCII case when `nocase` (then it is small, and holds
     * no letter to which a rune outside of ASCII folds). */
    struct cw_str literal;
    bool nocase;
    /* That one and others, the longest. */
    struct cw_literal literals[CW_RE_LITERALS_MAX];
    size_t nliterals;
    /* The expression is no more than one of these texts: anywhere in the text for a search, all of it for a full match. */
    struct cw_str *alternatives;
    size_t nalternatives;
    bool alternatives_nocase; /* up to case; these are small letters */
};

void cw_regex_facts(const struct cw_re_node *root, bool full, struct cw_arena *arena,
                    struct cw_re_facts *out);

#endif
