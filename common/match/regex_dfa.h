/*
 * regex_dfa.h - whether a regular expression matches, at the cost of a table look-up a rune: the sets of states that a run of the NFA
 * passes through become states of its own, made when they are first met and kept for the texts that follow.
 *
 * A state is the set of the NFA's states that wait for the next rune, with what stands before it as far as assertions ask. It says
 * whether there is a match, not where: sets have no order of preference. The tables are bounded: when they are full they are begun
 * anew, and a pattern that needs another state at every rune costs what the NFA costs. (Lazy determinisation: R. Cox, "Regular Expression
 * Matching in the Wild", 2010.)
 *
 * Ownership  Borrows the NFA; owns its tables.
 * Threads    One at a time.
 * Errors     CW_E_LIMIT when the thread's CPU clock passes the deadline.
 */
#ifndef CW_MATCH_REGEX_DFA_H
#define CW_MATCH_REGEX_DFA_H
#include "common/match/regex_nfa.h"

struct cw_dfa;

struct cw_dfa *cw_dfa_new(const struct cw_nfa *nfa);
void cw_dfa_free(struct cw_dfa **dfa);
/* Does a match begin at `from` or later? 1, 0 or CW_E_LIMIT. */
int cw_dfa_run(struct cw_dfa *dfa, struct cw_str text, size_t from,
               int64_t deadline_cpu_ns) CW_MUST_USE;

#endif
